// The failing entries, by /api/v1/entries: filtered and paged there.

import { read } from "./actions.js";
import { $, keyed, setText, show } from "./dom.js";
import { count, millis, printable } from "./format.js";
import { hrefOf } from "./problems.js";
import { say } from "./text.js";

const page = 20, most = 200, pause = 2000;

let entries = [], next = "", total = null, roots = new Map(), known = "", asked = 0, timer = 0;

// listen makes the filter and the button work.
export function listen() {
  $("failing-filter").addEventListener("input", () => again(300));
  $("failing-more").addEventListener("click", more);
}

// changed is told each new status; it looks again when that may show other entries.
export function changed(s) {
  roots = new Map(s.sources.map(src => [src.name, src.root.replace(/\/$/, "")]));
  const now = JSON.stringify([...s.remotes, ...s.sinks].filter(r => r.failing).map(r => [r.name, r.failing, r.error?.attempts, r.error?.path]));
  if (now === known && asked) return;
  known = now;
  again(Math.max(0, asked + pause - Date.now()));
}

function again(wait) {
  clearTimeout(timer);
  timer = setTimeout(() => first().catch(() => {}), wait);
}

async function first() {
  asked = Date.now();
  const doc = await get(Math.min(most, Math.max(page, entries.length)), "");
  entries = doc.entries.map(row);
  shown(doc);
}

async function more() {
  const doc = await get(page, next);
  entries = entries.concat(doc.entries.map(row));
  shown(doc);
}

async function get(limit, after) {
  const q = new URLSearchParams({ state: "failing", limit });
  const contains = $("failing-filter").value;
  if (contains) q.set("contains", contains);
  if (after) q.set("after", after);
  return read(await fetch(`api/v1/entries?${q}`, { cache: "no-store" }));
}

function shown(doc) {
  next = doc.next;
  total = doc.total;
  keyed($("failing"), "entry", entries, e => e.key);
  const filtered = $("failing-filter").value !== "";
  setText($("failing-none"), entries.length ? "" : say(filtered ? "failing.nothing" : "failing.none"));
  const n = count(entries.length);
  setText($("failing-count"), !entries.length ? "" : total === null ? say("failing.shown", { n }) : say("failing.total", { n, total: count(total) }));
  show($("failing-more"), next !== "");
  show($("failing-line"), entries.length || filtered);
}

// row makes the view of an entry, as entriesOf of lists.go does.
export function row(e) {
  return {
    key: `${e.remote}\n${e.path}`, path: printable(e.path), remote: printable(e.remote), id: e.error_id, href: hrefOf(e.error_id),
    message: printable(e.message), attempts: e.attempts, due: millis(e.next_retry), explain: explainAddress(roots.get(e.source) ?? "", e),
  };
}

// explainAddress leads to the answer about a name of any bytes.
function explainAddress(root, e) {
  const full = e.path === "" ? root : `${root}/${e.path}`, q = new URLSearchParams({ path: full });
  if (e.path_b64) {
    const front = Array.from(new TextEncoder().encode(`${root}/`), b => String.fromCharCode(b)).join("");
    q.set("path_b64", btoa(front + atob(e.path_b64)));
  }
  return `explain?${q}`;
}
