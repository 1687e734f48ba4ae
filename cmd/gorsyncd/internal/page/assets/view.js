// What a status means in the words of the reader, as NewView of view.go makes it.

import { count, millis, printable, seconds, size } from "./format.js";
import { hrefOf, problems } from "./problems.js";
import { groups, rateOf } from "./rows.js";
import { known, say } from "./text.js";
import { nearlyFull, stateWord, verdict } from "./verdict.js";

const cardLimit = 20, mostSampled = 3, mostKept = 10;

// view makes the view of a status with all rows of one source or of "*".
export function view(s, all, rowFor) {
  const notifiers = (s.notifiers ?? []).map(notifier);
  const trouble = problems(s, notifiers);
  const more = trouble.length - cardLimit;
  return {
    verdict: verdict(s, notifiers), problems: trouble.slice(0, cardLimit),
    unshown: more > 0 ? say("problems.more", { n: count(more) }) : "",
    groups: groups(s, all, rowFor), works: works(s), flights: flights(s), notices: notices(s), facts: facts(s), notifiers,
  };
}

function notifier(n) {
  const level = { ok: "ok", failing: "bad" }[n.state] ?? "busy";
  const v = {
    name: printable(n.name), kind: n.kind, target: printable(n.target), level, icon: { ok: "i-ok", failing: "i-bad" }[n.state] ?? "i-wait",
    word: say(`notifier.${n.state}`), id: "", message: "", hint: "", last: millis(n.last_success), due: 0,
    note: n.heartbeat?.withheld ? say("notifier.withheld", { why: printable(n.heartbeat.withheld) }) : "",
  };
  if (n.state !== "failing") return v;
  return { ...v, id: n.error_id, message: printable(n.last_error), hint: printable(n.hint), due: millis(n.next_retry) };
}

function works(s) {
  const out = [];
  for (const r of s.remotes) {
    if (r.full_sync) out.push(fullSync(r.name, r.full_sync));
    if (r.verify?.running) out.push(verifying(r.name, r.verify.running));
  }
  return out;
}

function fullSync(name, f) {
  const w = {
    key: `full ${name}`, name: printable(name), word: stateWord("full_sync"), reason: printable(f.reason), done: "", left: "", value: 0, max: 0,
    since: millis(f.started),
  };
  if (f.waiting || f.links) return { ...w, done: say(f.waiting ? "work.waiting" : "work.links") };
  let left = "";
  if (f.files_left !== null && f.bytes_left !== null) {
    const time = f.seconds_left === null ? "" : say("work.time", { d: seconds(f.seconds_left) });
    left = say("work.left", { files: say("count.files", { n: count(f.files_left) }), size: size(f.bytes_left), time });
  }
  return { ...w, value: f.done, max: f.total, done: say("work.dirs", { done: count(f.done), total: count(f.total) }), left };
}

function verifying(name, v) {
  return {
    key: `verify ${name}`, name: printable(name), word: say("work.verify"), reason: "",
    done: say("work.dirs", { done: count(v.directories), total: count(v.directories_total) }),
    left: say("work.differences", { n: count(v.differences) }), value: v.directories, max: v.directories_total, since: 0,
  };
}

function flights(s) {
  return s.remotes.flatMap(r => r.in_flight.map(b => ({
    key: `${r.name} ${b.id}`, name: printable(r.name), word: known(`kind.${b.kind}`) || b.kind, what: say("count.paths", { n: count(b.paths) }),
    bytes: b.bytes > 0 ? say("flight.of", { done: size(b.bytes_done), size: size(b.bytes) }) : "", value: b.bytes_done, max: b.bytes,
    since: millis(b.started), rate: b.rate_bytes_per_second >= 1 ? rateOf(b.rate_bytes_per_second) : "", file: printable(b.current ? b.current.path : b.sample),
    part: b.current ? say("flight.of", { done: size(b.current.done_bytes), size: size(b.current.size_bytes) }) : "",
  })));
}

function notices(s) {
  const out = [], hints = new Set();
  const add = text => out.push({ id: "", href: "", text });
  for (const src of s.sources) {
    const name = printable(src.name);
    for (const f of src.fallbacks ?? []) add(say("notice.fallback", { name, why: printable(f) }));
    if (src.unwatched > 0) add(say("notice.unwatched", { name, n: count(src.unwatched), sample: sample(src.unwatched_sample) }));
    if (src.overflows > 0) add(say("notice.overflow", { name, n: count(src.overflows) }));
    for (const h of src.hints) if (!hints.has(h)) { hints.add(h); add(printable(h)); }
  }
  out.push(...findings(s));
  if (nearlyFull(s.journal)) add(say("notice.journal", { size: size(s.journal.size_bytes), max: size(s.journal.max_bytes) }));
  if (s.daemon?.needs_restart.length) add(say("notice.restart", { keys: printable(s.daemon.needs_restart.join(", ")) }));
  for (const k of s.kept.slice(0, mostKept)) {
    add(say("notice.kept", { name: printable(k.name), entries: say("count.entries", { n: count(k.lag_entries + k.failing) }) }));
  }
  if (s.kept.length > mostKept) add(say("notice.kept_more", { n: count(s.kept.length - mostKept) }));
  if (s.note) add(printable(s.note));
  return out;
}

function sample(paths) {
  return paths.length ? ` (${paths.slice(0, mostSampled).map(printable).join(", ")})` : "";
}

// findings are what remotes do not keep, each thing once with its remotes.
function findings(s) {
  const things = new Map();
  for (const r of s.remotes) {
    for (const f of r.findings) {
      const key = JSON.stringify([f.id, f.message, f.detail, f.remedy]);
      if (!things.has(key)) things.set(key, { f, remotes: [] });
      things.get(key).remotes.push(r.name);
    }
  }
  return [...things.values()].map(({ f, remotes }) => {
    let text = f.message + (f.detail ? ` (${f.detail})` : "");
    if (f.remedy) text += say("notice.remedy", { text: f.remedy });
    let names = remotes.slice(0, mostSampled).join(", ");
    if (remotes.length > mostSampled) names += say("verdict.more", { n: count(remotes.length - mostSampled) });
    return { id: f.id, href: hrefOf(f.id), text: printable(say("notice.finding", { names, text })) };
  });
}

function facts(s) {
  const out = [];
  const add = (key, value, more) => out.push({ key, label: say(`fact.${key}`), value, max: 0, used: 0, at: 0, ...more });
  const of = (used, max, write) => max > 0 ? say("fact.of", { used: write(used), max: write(max) }) : write(used);
  const d = s.daemon, j = s.journal;
  if (d) {
    add("version", printable(d.version));
    add("started", "", { at: Math.trunc((millis(s.time) - Math.trunc(d.uptime_seconds * 1000)) / 1000) * 1000 });
    add("config", printable(d.config_file) || say("fact.no_config"));
    const at = millis(d.last_reload);
    if (d.last_reload_error) add("reload", say("fact.refused"), { at });
    else if (at) add("reload", say("fact.applied"), { at });
    else add("reload", say("fact.never"));
  }
  add("head", `#${count(j.head_seq)}`);
  add("entries", count(j.entries));
  add("size", of(j.size_bytes, j.max_bytes, size), j.max_bytes > 0 ? { max: j.max_bytes, used: j.size_bytes } : {});
  add("oldest", "", { at: millis(j.oldest_entry) });
  add("pinned", printable(j.pinned_by) || say("fact.nobody"));
  const used = s.sources.reduce((sum, src) => sum + src.watches, 0), max = Math.max(0, ...s.sources.map(src => src.watch_limit));
  add("watches", of(used, max, count), max > 0 ? { max, used } : {});
  const backends = [...new Set(s.sources.map(src => src.backend).filter(Boolean))].sort();
  if (backends.length) add("backend", backends.join(", "));
  return out;
}
