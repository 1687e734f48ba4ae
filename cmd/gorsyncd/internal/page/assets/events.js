// The last changes, by /api/v1/events, each once: also after the connection or
// the daemon was gone.

import { $, clone, fill, sayNone, tickIn } from "./dom.js";
import { count, millis, printable } from "./format.js";
import { say } from "./text.js";

const most = 100, pause = 1000, patience = 2000;

let source = null, last = "", fresh = true, waiting = [], timer = 0, failures = 0;

// listen begins to read. It rests while nobody looks: a browser has few
// connections to one server, and each page that is open needs one already.
export function listen() {
  document.addEventListener("visibilitychange", () => document.hidden ? source?.close() : follow());
  follow();
}

function follow() {
  source?.close();
  if (document.hidden) return;
  source = new EventSource(`api/v1/events?${last ? new URLSearchParams({ follow: "true", from: last }) : `follow=true&last=${most}`}`);
  for (const kind of ["message", "entry", "gap", "position"]) source.addEventListener(kind, take);
  source.onerror = () => {
    source.close();
    // A place that the journal does not know would be refused for ever.
    if (++failures > 20) { last = ""; fresh = true; failures = 0; }
    setTimeout(follow, patience);
  };
}

function take(e) {
  failures = 0;
  if (e.lastEventId) last = e.lastEventId;
  const v = line(JSON.parse(e.data));
  if (!v) return;
  waiting.push(v);
  if (waiting.length > most) waiting.shift();
  timer ||= setTimeout(flush, fresh ? 50 : pause);
}

// flush shows what has come, the newest on top.
function flush() {
  timer = 0;
  const rows = waiting.reverse().map(v => {
    const el = clone("event");
    fill(el, v);
    tickIn(el);
    return el;
  });
  waiting = [];
  const list = $("events");
  if (fresh) list.replaceChildren(...rows);
  else list.prepend(...rows);
  fresh = false;
  while (list.children.length > most) list.lastElementChild.remove();
  sayNone(list);
}

// line makes the view of an event, as eventOf of lists.go does; null for none.
export function line(l) {
  const v = { at: millis(l.time), source: printable(l.source), seq: "", op: l.event, word: "", path: "" };
  if (l.event === "entry") {
    const word = l.op === "remove" && l.count > 1 ? say("op.removed_many", { n: count(l.count) }) : say(`op.${l.op}`);
    return { ...v, seq: `#${count(l.seq)}`, op: l.op, word, path: l.path ? printable(l.path) : "." };
  }
  if (l.event !== "gap") return null;
  return { ...v, path: say("events.gap", { from: `#${count(l.from ?? 0)}`, to: `#${count(l.to ?? 0)}`, reason: printable(l.reason) }) };
}
