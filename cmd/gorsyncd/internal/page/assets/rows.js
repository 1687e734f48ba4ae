// Sources with their rows, as view.go and view_note.go make them.

import { count, millis, none, printable, seconds, size } from "./format.js";
import { say } from "./text.js";
import { levelOf, stateWord } from "./verdict.js";

const rowLimit = 20;

export const notesOf = parts => parts.filter(Boolean).join(say("note.and"));
export const rateOf = rate => rate >= 1 ? say("rate", { size: size(Math.floor(rate)) }) : none;

export function iconOf(state) {
  switch (state) {
    case "in_sync": case "watching": return "i-ok";
    case "syncing": case "full_sync": case "scanning": return "i-busy";
    case "retrying": return "i-retry";
    case "failing": return "i-bad";
    case "held": return "i-held";
    case "paused": return "i-pause";
  }
  return "i-wait";
}

// calls tells whether a row is shown whatever there is of others.
const calls = state => state === "failing" || state === "held" || state === "retrying";

// groups makes all groups; rowFor may keep rows that have not changed.
export function groups(s, all, rowFor = (r, isSink) => isSink ? sinkRow(r) : row(r)) {
  const of = new Map(s.sources.map(src => [src.name, { rows: [], hidden: 0 }]));
  const add = (r, isSink) => {
    const g = of.get(r.source);
    if (!g) return;
    if (g.rows.length >= rowLimit && all !== r.source && all !== "*" && !calls(r.state)) g.hidden++;
    else g.rows.push(rowFor(r, isSink));
  };
  for (const r of s.remotes) add(r, false);
  for (const k of s.sinks) add(k, true);
  return s.sources.map(src => group(src, of.get(src.name)));
}

function group(src, { rows, hidden }) {
  const level = src.state === "held" ? "bad" : src.state === "watching" ? "ok" : "busy";
  return {
    name: printable(src.name), level, icon: iconOf(src.state), word: say(`source.${src.state}`), root: printable(src.root),
    watch: watch(src), rows, hidden: hidden ? say("rows.more", { n: count(hidden) }) : "",
    all: `?all=${encodeURIComponent(src.name).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`,
  };
}

function watch(src) {
  if (src.state === "held" && src.held) return printable(src.held);
  if (src.state === "scanning") return say("source.scanned", { n: count(src.scan_dirs) });
  return say("count.dirs", { n: count(src.dirs) }) + (src.backend ? say("verdict.comma") + src.backend : "");
}

// row is the row of a remote.
export function row(r) {
  const [due, dueWord] = dueOf(r);
  return { ...base(r, r.remote, r.target), rate: rateOf(r.rate_bytes_per_second), note: note(r), due, due_word: dueWord };
}

// sinkRow is the row of a sink.
export function sinkRow(k) {
  const due = millis(k.error?.next_retry);
  return { ...base(k, k.sink, `${k.kind} ${k.target}`), sink: true, note: sinkNote(k), due, due_word: due ? say("due.retry") : "" };
}

function base(r, short, target) {
  return {
    name: r.name, short: printable(short), target: printable(target), sink: false, state: r.state, level: levelOf(r.state),
    icon: iconOf(r.state), word: stateWord(r.state), behind: count(r.lag_entries),
    lag: r.lag_entries > 0 || r.lag_seconds > 0 ? seconds(r.lag_seconds) : none, rate: none, last: millis(r.last_success),
    note: "", due: 0, due_word: "", paused: Boolean(r.paused),
  };
}

function dueOf(r) {
  let at = 0, key = "";
  if (r.paused) [at, key] = [millis(r.paused.until), "due.resume"];
  else if (r.state === "waiting") [at, key] = [millis(r.opens), "due.opens"];
  else if (r.error && r.state !== "held") [at, key] = [millis(r.error.next_retry), "due.retry"];
  return at ? [at, say(key)] : [0, ""];
}

function note(r) {
  const unkept = r.findings.filter(f => f.spoils).map(f => f.id);
  return notesOf([
    r.error?.id,
    r.failing && say("note.failing", { n: count(r.failing) }),
    printable(r.paused?.reason),
    unkept.length && say("note.unkept", { ids: unkept.join(say("verdict.comma")) }),
    limit(r), verified(r.verify),
  ]);
}

function limit(r) {
  if (!millis(r.bwlimit_until)) return "";
  return r.bwlimit_bytes_per_second > 0 ? say("note.limit", { size: size(r.bwlimit_bytes_per_second) }) : say("note.no_limit");
}

function verified(v) {
  if (!v || v.running || !millis(v.last)) return "";
  if (v.unrepaired) return say("note.differs", { n: count(v.unrepaired) });
  if (v.repaired) return say("note.repaired", { n: count(v.repaired) });
  return say(v.complete ? "note.verified" : "note.verified_part");
}

function sinkNote(k) {
  return notesOf([
    k.error?.id,
    k.resync && say("note.resync", { reason: printable(k.resync.reason) }),
    printable(k.paused?.reason),
    k.waits_for && !k.error && k.state === "syncing" && say("note.waits_for", { name: printable(`${k.source}/${k.waits_for}`) }),
  ]);
}
