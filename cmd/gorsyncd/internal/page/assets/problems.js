// What needs somebody, as view_problem.go makes it.

import { count, millis, printable } from "./format.js";
import { iconOf } from "./rows.js";
import { known, say } from "./text.js";
import { levelOf, stateWord } from "./verdict.js";

export const hrefOf = id => id ? `errors#${id}` : "";

const empty = {
  key: "", name: "", target: "", level: "bad", icon: "i-bad", word: "", id: "", href: "", title: "", message: "", path: "", hint: "",
  since: 0, attempt: "", due: 0, retry: false, approve: false, pause: false, looks: false,
};

// problems lists what needs somebody before what heals itself.
export function problems(s, notifiers) {
  const out = [];
  if (s.journal.waiting) {
    out.push({ ...empty, key: "journal", word: say("problem.journal"), message: printable(s.journal.waiting), hint: say("hint.journal") });
  }
  for (const src of s.sources) {
    if (src.state !== "held") continue;
    out.push({
      ...empty, key: `source ${src.name}`, name: printable(src.name), target: `${src.name}/*`, icon: "i-held", word: stateWord("held"),
      message: printable(src.held), hint: approvable(src) ? say("hint.source") : printable(src.hints.join("; ")), approve: approvable(src),
    });
  }
  for (const r of s.remotes) add(out, problem(r));
  for (const k of s.sinks) if (k.state !== "paused" && k.error) add(out, titled(failed(card(`sink ${k.name}`, k), k.error)));
  for (const n of notifiers) {
    if (n.level !== "bad") continue;
    out.push(titled({ ...empty, key: `notifier ${n.name}`, name: n.name, level: "warn", word: say("problem.notifier"), id: n.id, message: n.message, hint: n.hint || say("hint.notifier"), due: n.due }));
  }
  if (s.daemon?.last_reload_error) {
    out.push({ ...empty, key: "reload", level: "warn", word: say("problem.reload"), message: printable(s.daemon.last_reload_error), hint: say("hint.reload") });
  }
  return [...out.filter(p => p.level === "bad"), ...out.filter(p => p.level !== "bad")];
}

// approvable tells whether a guard waits for a person. What else holds a source goes
// on by itself when the remedy in its hints has worked.
const approvable = src => !src.held?.startsWith("no inotify instance");

function add(out, p) { if (p) out.push(p); }

function problem(r) {
  const p = card(`remote ${r.name}`, r);
  if (r.state === "held" && r.held) {
    const [, id, message] = /^([EGW]-[A-Z0-9-]+)\s+([^]*)$/.exec(r.held.reason) ?? [null, "", r.held.reason];
    return titled({ ...p, id, message: printable(message), since: millis(r.held.since), hint: say("hint.held"), approve: true, pause: true, looks: true });
  }
  if (r.state === "paused" || !r.error) return null;
  return titled(failed(p, r.error));
}

function card(key, r) {
  return { ...empty, key, name: printable(r.name), target: r.name, level: levelOf(r.state) === "bad" ? "bad" : "warn", icon: iconOf(r.state), word: stateWord(r.state) };
}

function failed(p, e) {
  return {
    ...p, id: e.id, message: printable(e.message), path: printable(e.path), hint: remedy(e),
    attempt: e.attempts > 0 ? say("problem.attempt", { n: count(e.attempts) }) : "", due: millis(e.next_retry), retry: true, pause: true,
  };
}

// remedy is in the language of the reader where there is one for the id; in
// English it is the daemon's own.
function remedy(e) {
  const hint = printable(e.hint), key = `remedy.${e.id}`;
  return known(key) ? say(key, { hint }) : hint;
}

const titled = p => ({ ...p, title: known(`error.${p.id}`), href: hrefOf(p.id) });
