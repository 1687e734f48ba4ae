// The verdict, as package status and verdict.go make it.

import { count, printable } from "./format.js";
import { say } from "./text.js";

const mostNamed = 3;

// levelOf says how much a state wants a person.
export function levelOf(state) {
  switch (state) {
    case "in_sync": return "ok";
    case "failing": case "held": return "bad";
    case "retrying": case "paused": return "warn";
  }
  return "busy";
}

export const stateWord = state => say(`state.${state}`);

export function nearlyFull(journal) {
  return journal.max_bytes > 0 && journal.size_bytes > Math.floor(journal.max_bytes / 10) * 9;
}

// verdict judges a status; notifiers are those of its view.
export function verdict(s, notifiers) {
  let { level, text } = sentence(s);
  // What has changed in such a source is not known.
  const unseen = s.sources.find(src => src.scans === 0 && (src.state === "starting" || src.state === "scanning"));
  if (unseen && level === "ok") {
    text += say("verdict.also", { what: say("verdict.unseen", { name: printable(unseen.name) }) });
    level = "busy";
  }
  for (const what of alsos(s, notifiers)) {
    text += say("verdict.also", { what });
    if (level === "ok" || level === "busy") level = "warn";
  }
  if (s.source === "journal") {
    text = say("verdict.offline", { what: text });
    level = "bad";
  }
  return { level, icon: `i-${level}`, text };
}

function sentence(s) {
  const rows = [...s.remotes, ...s.sinks];
  const problems = [], behind = [];
  if (s.journal.waiting) problems.push({ of: "journal" });
  for (const src of s.sources) if (src.state === "held") problems.push({ of: "source", name: src.name });
  for (const r of rows) {
    if (levelOf(r.state) === "bad") problems.push({ name: r.name, state: r.state });
    else if (r.state !== "in_sync") behind.push({ name: r.name, state: r.state });
  }
  const total = count(rows.length);
  if (problems.length) {
    const key = problems.some(p => p.of) ? "verdict.trouble" : "verdict.problem";
    return { level: "bad", text: say(key, { n: count(problems.length), total, list: list(problems) }) };
  }
  if (behind.length) {
    const level = behind.some(p => levelOf(p.state) === "warn") ? "warn" : "busy";
    return { level, text: say("verdict.behind", { n: count(behind.length), total, list: list(behind) }) };
  }
  // A configuration has at least one source.
  if (!rows.length && s.source === "daemon" && !s.sources.length) return { level: "busy", text: say("verdict.starting") };
  if (!rows.length) return { level: "warn", text: say("verdict.nothing") };
  if (!s.sinks.length) return { level: "ok", text: say("verdict.in_sync", { n: count(rows.length) }) };
  const remotes = say("count.remotes", { n: count(s.remotes.length) }), sinks = say("count.sinks", { n: count(s.sinks.length) });
  return { level: "ok", text: say("verdict.in_sync_sinks", { remotes, sinks }) };
}

function list(parts) {
  let text = parts.slice(0, mostNamed).map(named).join(say("verdict.comma"));
  if (parts.length > mostNamed) text += say("verdict.more", { n: count(parts.length - mostNamed) });
  return text;
}

function named(p) {
  if (p.of === "journal") return say("verdict.journal");
  if (p.of === "source") return say("verdict.source", { name: printable(p.name) });
  return say("verdict.is", { name: printable(p.name), state: stateWord(p.state) });
}

// alsos are the troubles that leave replication as it is.
function alsos(s, notifiers) {
  const also = [];
  if (s.daemon?.last_reload_error) also.push(say("verdict.reload"));
  if (nearlyFull(s.journal)) also.push(say("verdict.nearly_full"));
  for (const n of notifiers) if (n.level === "bad") also.push(say("verdict.notifier", { name: n.name }));
  return also;
}
