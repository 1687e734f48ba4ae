// The lag of the last hour, as spark.go draws it.

import { seconds } from "./format.js";
import { say } from "./text.js";

const wide = 120, high = 24, total = 360, floor = 10;

const lags = new Map();

// fetchLags gets the hour of every remote.
export async function fetchLags() {
  const answer = await fetch("api/v1/lag", { cache: "no-store" });
  if (!answer.ok) return;
  const doc = await answer.json();
  lags.clear();
  for (const [name, lag] of Object.entries(doc.remotes)) lags.set(name, lag);
}

// push adds the latest of each remote.
export function push(latest) {
  for (const [name, lag] of Object.entries(latest)) {
    const hour = lags.get(name) ?? [];
    hour.push(lag);
    if (hour.length > total) hour.splice(0, hour.length - total);
    lags.set(name, hour);
  }
}

// draw puts the curve of a remote into its row.
export function draw(row) {
  const { line, title } = spark(lags.get(row.dataset.name) ?? []);
  const svg = row.querySelector(".spark"), path = svg.querySelector(".line");
  if (path.getAttribute("d") !== line) path.setAttribute("d", line);
  if (svg.getAttribute("aria-label") === title) return;
  svg.setAttribute("aria-label", title);
  svg.querySelector("title").textContent = title;
}

// spark draws the samples so that the newest is at the right edge; of those that
// share a point it takes the worst.
export function spark(lag) {
  lag = lag.slice(-total);
  const points = new Array(wide).fill(null);
  let worst = null;
  lag.forEach((v, i) => {
    if (v === null) return;
    const at = Math.floor((total - lag.length + i) * wide / total);
    points[at] = Math.max(points[at] ?? 0, v);
    worst = Math.max(worst ?? 0, v);
  });
  if (worst === null) return { line: "", title: say("spark.nothing") };
  return { line: curve(points, Math.max(worst, floor)), title: say("spark.worst", { d: seconds(worst) }) };
}

function curve(points, top) {
  let d = "";
  points.forEach((v, x) => {
    if (v === null) return;
    const y = high - 1 - Math.trunc(v / top * (high - 2));
    d += x === 0 || points[x - 1] === null ? `M${x} ${y}h1` : `L${x + 1} ${y}`;
  });
  return d;
}
