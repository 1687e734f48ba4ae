// The box that explains a path: the same text as on the command line.

import { $, setText, show } from "./dom.js";

// listen makes the box and the links to it work without leaving the page.
export function listen() {
  const form = $("explain-form");
  form.addEventListener("submit", e => {
    e.preventDefault();
    answer(new URLSearchParams(new FormData(form)));
  });
  document.addEventListener("click", e => {
    const link = e.target.closest("a[data-explain]");
    if (!link || e.metaKey || e.ctrlKey) return;
    e.preventDefault();
    const q = new URL(link.href).searchParams;
    form.elements.path.value = q.get("path");
    answer(q);
  });
}

async function answer(q) {
  q.set("as", "text");
  const box = $("answer");
  show(box, true);
  setText(box, "…");
  try {
    const got = await fetch(`explain?${q}`, { cache: "no-store" });
    setText(box, await got.text());
  } catch (err) {
    setText(box, err.message);
  }
  box.focus({ preventScroll: true });
  box.scrollIntoView({ block: "nearest" });
}
