// What the buttons do: requests to the API, and the dialog in front of those
// that are not to be done by accident.

import { $, setText } from "./dom.js";
import { count, printable } from "./format.js";
import { say } from "./text.js";

// listen makes the buttons of the page work.
export function listen() {
  document.addEventListener("click", e => {
    const button = e.target.closest("button[data-act]");
    if (button) press(button).catch(err => told(say("action.failed", { why: printable(err.message) })));
  });
  document.querySelector("form.login[action=login]")?.addEventListener("submit", logIn);
}

async function press(button) {
  const name = button.closest("[data-name]").dataset.name, act = button.dataset.act;
  button.disabled = true;
  try {
    if (!await confirmed(act, name, "looks" in button.dataset)) return;
    const { affected } = await post(addressOf(name, act), name.endsWith("/*") ? { names: [name] } : {});
    told(affected?.length ? say("action.done", { names: printable(affected.join(", ")) }) : say("action.nothing"));
  } finally {
    button.disabled = false;
    if (document.activeElement === document.body && button.isConnected) button.focus();
  }
}

function addressOf(name, act) {
  if (name.endsWith("/*")) return `api/v1/${act}`;
  return `${remote(name)}/${act}`;
}

function remote(name) {
  return `api/v1/remotes/${name.split("/").map(encodeURIComponent).join("/")}`;
}

async function post(address, body) {
  const answer = await fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return read(answer);
}

// read returns the document of an answer, or throws what its error says.
export async function read(answer) {
  const doc = await answer.json().catch(() => ({}));
  if (answer.ok) return doc;
  const { message, hint } = doc.error ?? {};
  throw new Error([message ?? `HTTP ${answer.status}`, hint].filter(Boolean).join(": "));
}

// told shows what came of the last action.
function told(text) { setText($("said"), text); }

async function confirmed(act, name, looks) {
  const shown = printable(name.replace(/\/\*$/, ""));
  switch (act) {
    case "approve": return looks ? approveNames(name, shown) : ask(say("approve.title", { name: shown }), say("approve.source"), say("approve.yes_source"));
    case "full-sync": return ask(say("full_sync.title", { name: shown }), say("full_sync.text"), say("full_sync.yes"));
    case "verify": return ask(say("verify.title", { name: shown }), say("verify.text"), say("verify.yes"));
  }
  return true;
}

// approveNames shows what would be removed.
async function approveNames(name, shown) {
  const answer = ask(say("approve.title", { name: shown }), say("approve.counting"), say("approve.yes"), true);
  try {
    const held = await read(await fetch(`${remote(name)}/held`, { cache: "no-store" }));
    const first = held.first.map(p => printable(p.path));
    setText($("dialog-text"), held.count === null ? printable(held.note) : held.count > 0 ? say("approve.count", { n: count(held.count) }) : say("approve.none"));
    $("dialog-list").replaceChildren(...first.map(path => { const li = document.createElement("li"); li.textContent = path; return li; }));
    setText($("dialog-more"), first.length && held.count > first.length ? say("rows.more", { n: count(held.count - first.length) }) : "");
    $("dialog-yes").disabled = false;
  } catch (err) {
    setText($("dialog-text"), say("approve.unknown", { why: printable(err.message) }));
    $("dialog-yes").disabled = false;
  }
  return answer;
}

// ask opens the dialog, and tells whether the answer was yes.
function ask(title, text, yes, wait = false) {
  const dialog = $("dialog");
  setText($("dialog-title"), title);
  setText($("dialog-text"), text);
  setText($("dialog-more"), "");
  $("dialog-list").replaceChildren();
  setText($("dialog-yes"), yes);
  $("dialog-yes").disabled = wait;
  dialog.returnValue = "no";
  dialog.showModal();
  $("dialog-no").focus();
  return new Promise(done => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

async function logIn(e) {
  e.preventDefault();
  const token = new FormData(e.target).get("token");
  const answer = await fetch("login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) });
  if (answer.ok) location.reload();
  else told(answer.status === 401 || answer.status === 403 ? say("access.wrong") : say("action.failed", { why: `HTTP ${answer.status}` }));
}
