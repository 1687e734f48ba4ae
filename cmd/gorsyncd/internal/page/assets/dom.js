// Fills the markup of page.html with the values of a view. What the server has
// filled in is replaced at the first time: it lacks what is hidden.
//
// In a copy of a template data-t names the value that is the text of an element,
// data-if the one without which it is hidden, and data-a those of attributes, as
// "attribute:value"; data-icon the symbol of an icon. An attribute whose value is "" or false is taken away.

import { ago, clock, duration, until } from "./format.js";

export const $ = id => document.getElementById(id);

// fill puts a view into an element made from a template.
export function fill(el, v) {
  for (const slot of slotsOf(el)) {
    const { t, a, if: cond, icon } = slot.dataset;
    if (t !== undefined) setText(slot, String(v[t] ?? ""));
    if (cond !== undefined) show(slot, v[cond]);
    if (icon !== undefined) setAttribute(slot, "href", "icon", { icon: `#${v[icon]}` });
    if (a !== undefined) for (const pair of a.split(" ")) setAttribute(slot, ...pair.split(":"), v);
  }
}

function slotsOf(el) {
  if (!el.slots) {
    const own = x => { const list = x.closest("[data-list]"); return !list || !el.contains(list); };
    el.slots = [...el.querySelectorAll("[data-t],[data-if],[data-a],[data-icon]")].filter(own);
    if (el.dataset.a) el.slots.push(el);
  }
  return el.slots;
}

function setAttribute(el, name, key, v) {
  // A meter or progress wants its max before its value.
  const value = v[key] === true ? "" : v[key];
  if (value === "" && v[key] !== true || value === false || value === undefined) el.removeAttribute(name);
  else if (el.getAttribute(name) !== String(value)) el.setAttribute(name, value);
}

// setText leaves what is the same alone: the reader may have selected it.
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

export function show(el, visible) {
  if (el.hidden === Boolean(visible)) el.hidden = !visible;
}

let parts = null;

// load fetches the markup; to be called once, before clone.
export async function load(lang) {
  const answer = await fetch(new URL(`parts/${lang}`, import.meta.url));
  parts = new DOMParser().parseFromString(await answer.text(), "text/html");
}

// clone makes an element from the template t-NAME.
export function clone(name) {
  return document.importNode(parts.getElementById(`t-${name}`).content.firstElementChild, true);
}

// keyed makes the children of list those of the views, in order, one each by the
// key of the view. Only children whose view has changed are touched. more is
// called for a child that was filled.
export function keyed(list, name, views, keyOf, more = () => {}) {
  if (!list.byKey) {
    list.byKey = new Map();
    list.replaceChildren();
  }
  const wanted = new Set(views.map(keyOf));
  for (const [key, el] of list.byKey) {
    if (!wanted.has(key)) { el.remove(); list.byKey.delete(key); }
  }
  views.forEach((v, i) => {
    const key = keyOf(v);
    let el = list.byKey.get(key);
    if (!el) {
      el = clone(name);
      el.dataset.key = key;
      list.byKey.set(key, el);
    }
    if (!same(el.view, v)) {
      fill(el, v);
      tickIn(el);
      more(el, v);
      el.view = v;
    }
    if (list.children[i] !== el) list.insertBefore(el, list.children[i] ?? null);
  });
  sayNone(list);
}

// sayNone tells below a list, where there is room for that, that it is empty.
export function sayNone(list) {
  const none = $(`${list.id}-none`);
  if (none?.dataset.text) setText(none, list.firstElementChild ? "" : none.dataset.text);
}

function same(a, b) {
  if (a === b) return true;
  if (!a) return false;
  return Object.keys(b).every(k => a[k] === b[k]);
}

// moment is the present as the daemon's clock has it; main.js sets it.
let moment = () => Date.now();

export function setClock(now) { moment = now; }

// With hundreds of rows most are out of sight, and their clocks may wait.
const sight = new IntersectionObserver(changes => {
  for (const c of changes) {
    c.target.away = !c.isIntersecting;
    if (c.isIntersecting) tickIn(c.target);
  }
}, { rootMargin: "200px" });

// watch keeps the clocks of a row going only while it can be seen.
export function watch(row) { sight.observe(row); }

// tick tells moments anew, wherever they can be seen.
export function tick() { tickIn(document); }

export function tickIn(root) {
  const now = moment();
  for (const el of root.querySelectorAll("[data-ago],[data-until],[data-for],[data-clock]")) {
    if (root === document && el.closest("tr")?.away) continue;
    const d = el.dataset;
    if (d.ago !== undefined) setText(el, ago(now, Number(d.ago)));
    else if (d.until !== undefined) setText(el, until(now, Number(d.until)));
    else if (d.for !== undefined) setText(el, Number(d.for) ? duration(now - Number(d.for)) : "");
    else setText(el, clock(Number(d.clock)));
  }
}
