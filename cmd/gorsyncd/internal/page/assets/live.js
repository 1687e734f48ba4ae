// The status as it changes, by /api/v1/live, and whether it is fresh.

const silence = 25_000;  // the daemon sends something every 10 s
const nap = 12_000;      // after which a tab that comes back does not trust what it has
const patience = [1000, 2000, 4000, 8000];

// live keeps a status. It calls:
//   on.status(s)       when it was replaced or changed
//   on.lag(latest)     every 10 s, with seconds by name
//   on.lost(), on.found()   when nothing comes any more, and when something does
export function live(on) {
  const started = Date.now(), painted = Number(document.body.dataset.now);
  let source = null, status = null, heard = 0, offset = 0, lost = false, tries = 0, timer = 0;

  const hear = () => { heard = Date.now(); };

  function connect() {
    source?.close();
    source = new EventSource("api/v1/live");
    source.addEventListener("status", e => { replace(JSON.parse(e.data)); });
    source.addEventListener("delta", e => { if (status) replace(merge(status, JSON.parse(e.data))); });
    source.addEventListener("lag", e => { hear(); on.lag(JSON.parse(e.data).remotes); });
    source.onerror = () => { lose(); retry(); };
  }

  function replace(s) {
    status = s;
    hear();
    offset = Date.parse(s.time) - heard;
    tries = 0;
    if (lost) { lost = false; on.found(); }
    on.status(s);
  }

  function lose() {
    if (!lost) { lost = true; on.lost(); }
  }

  function retry() {
    source.close();
    clearTimeout(timer);
    timer = setTimeout(async () => { await stillWelcome(); connect(); }, patience[Math.min(tries++, patience.length - 1)]);
  }

  // check finds out that nothing comes any more, though nothing has broken.
  function check(limit) {
    if (Date.now() - (heard || started) > limit && !lost) { lose(); retry(); }
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) check(nap); });
  addEventListener("pageshow", e => { if (e.persisted) { lose(); retry(); } });
  connect();

  return {
    // tick is to be called every second.
    tick: () => check(silence),
    get lost() { return lost; },
    // asOf is the time of the data by the daemon's clock.
    get asOf() { return heard ? heard + offset : painted; },
    // now is the present by the daemon's clock, which stands still while nothing comes.
    now: () => heard ? (lost ? heard : Date.now()) + offset : painted,
    get age() { return Date.now() - (heard || started); },
  };
}

// stillWelcome shows the log-in when the token is not taken any more.
async function stillWelcome() {
  try {
    const answer = await fetch("api/v1/status", { method: "GET", cache: "no-store" });
    if (answer.status === 401) location.reload();
    answer.body?.cancel();
  } catch { /* not there yet */ }
}

// merge puts the changed elements of a delta in their places. Those that have
// not changed stay the same objects.
export function merge(s, d) {
  const out = { ...s, ...d };
  const gone = new Set(d.removed ?? []);
  for (const list of ["remotes", "sinks", "sources", "notifiers", "kept"]) {
    const changed = new Map((d[list] ?? []).map(x => [x.name, x]));
    const kept = (s[list] ?? []).filter(x => !gone.has(x.name) || changed.has(x.name));
    out[list] = kept.map(x => { const y = changed.get(x.name); changed.delete(x.name); return y ?? x; }).concat([...changed.values()]);
  }
  delete out.removed;
  return out;
}
