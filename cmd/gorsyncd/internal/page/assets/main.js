// Puts the parts together: what comes live is made a view, and that is shown.

import * as actions from "./actions.js";
import { $, clone, keyed, load as loadParts, setClock, setText, show, tick, watch } from "./dom.js";
import * as entries from "./entries.js";
import * as events from "./events.js";
import * as explain from "./explain.js";
import { clock, duration } from "./format.js";
import { live } from "./live.js";
import { row, sinkRow } from "./rows.js";
import { draw, fetchLags, push } from "./spark.js";
import { load, say } from "./text.js";
import { view } from "./view.js";

const page = document.documentElement;
const pause = 1000; // between two paintings

let status = null, version = null, painted = 0, timer = 0;
let verdict = { level: $("top").dataset.level, icon: $("verdict-icon").getAttribute("href").slice(1), text: $("verdict").textContent };

// A remote that has not changed is the same object, and so is its row.
const rows = new WeakMap();

function rowFor(r, isSink) {
  if (!rows.has(r)) {
    const v = isSink ? sinkRow(r) : row(r);
    rows.set(r, { ...v, remote: !isSink, pausable: !v.paused });
  }
  return rows.get(r);
}

// paint shows the status, at most once a second; while nobody looks, only the
// verdict, which is the title of the tab.
function paint() {
  if (timer || !status) return;
  timer = setTimeout(() => { timer = 0; painted = Date.now(); paintNow(); }, Math.max(0, painted + pause - Date.now()));
}

function paintNow() {
  const v = view(status, page.dataset.all, rowFor);
  verdict = v.verdict;
  sayVerdict();
  if (document.hidden) return;
  keyed($("problems"), "problem", v.problems, p => p.key);
  $("problems-section").dataset.any = v.problems.length ? "yes" : "";
  setText($("unshown"), v.unshown);
  show($("unshown"), v.unshown);
  keyed($("groups"), "group", v.groups.map(g => ({ ...g, rows: null })), g => g.name);
  for (const g of v.groups) keyed($("groups").byKey.get(g.name).querySelector("tbody"), "row", g.rows, r => r.name, el => { watch(el); draw(el); });
  keyed($("works"), "work", v.works, w => w.key);
  keyed($("flights"), "flight", v.flights, f => f.key);
  keyed($("facts"), "fact", v.facts, f => f.key);
  keyed($("notices"), "notice", v.notices, n => n.text);
  show($("notices-section"), v.notices.length);
  keyed($("notifiers"), "notifier", v.notifiers, n => n.name);
  show($("notifiers-section"), v.notifiers.length);
}

// sayVerdict never claims more than is known.
function sayVerdict() {
  const lost = feed.lost;
  const text = lost ? say("verdict.stale", { time: clock(feed.asOf), what: verdict.text }) : verdict.text;
  setText($("verdict"), text);
  $("verdict-icon").setAttribute("href", lost ? "#i-lost" : `#${verdict.icon}`);
  $("top").dataset.level = lost ? "lost" : verdict.level;
  document.title = `${text} – ${$("host").textContent}`;
}

function freshness() {
  feed.tick();
  const banner = $("lost");
  show(banner, feed.lost);
  if (feed.lost) setText(banner, say("stale.banner", { time: clock(feed.asOf), d: duration(feed.age) }));
  setText($("asof"), clock(feed.asOf));
}

await Promise.all([load(page.dataset.lang), loadParts(page.dataset.lang)]);
$("failing-tools").replaceWith(clone("tools"));
$("failing-rest").replaceWith(clone("rest"));
document.body.append(clone("dialog"));
for (const name of ["notices", "notifiers"]) {
  const section = $(`${name}-section`);
  if (!section.querySelector("h2")) section.prepend(clone(`heading-${name}`));
}
const feed = live({
  status(s) {
    // Another version brings another page.
    if (version && s.daemon && s.daemon.version !== version) location.reload();
    version = s.daemon?.version ?? version;
    status = s;
    paint();
    entries.changed(s);
    freshness();
  },
  lag(latest) {
    push(latest);
    if (!document.hidden) document.querySelectorAll("tr[data-name]").forEach(draw);
    freshness();
  },
  lost() {
    page.dataset.lost = "";
    sayVerdict();
    freshness();
  },
  async found() {
    delete page.dataset.lost;
    paint();
    freshness();
    await curves();
  },
});

async function curves() {
  try {
    await fetchLags();
    document.querySelectorAll("tr[data-name]").forEach(draw);
  } catch { /* with the next connection */ }
}

setClock(feed.now);
page.dataset.js = "";
actions.listen();
entries.listen();
explain.listen();
events.listen();
curves();
document.addEventListener("visibilitychange", () => { if (!document.hidden) { paint(); tick(); freshness(); } });
setInterval(() => { if (!document.hidden) { tick(); freshness(); } else feed.tick(); }, 1000);
