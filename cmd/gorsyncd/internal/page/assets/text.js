// The texts of the page's language, as text.go has them.

let texts = {};

// load fetches them; to be called once, before say.
export async function load(lang) {
  const answer = await fetch(new URL(`lang/${lang}.json`, import.meta.url));
  texts = await answer.json();
}

// use is load for tests.
export function use(map) { texts = map; }

// say returns the text of a key with its places filled in. A key that ends in
// .one is used in place of the other when n is 1.
export function say(key, places = {}) {
  if (String(places.n) === "1" && `${key}.one` in texts) key += ".one";
  if (!(key in texts)) return key;
  return texts[key].replace(/\{(\w+)\}/g, (whole, name) => name in places ? String(places[name]) : whole);
}

// known is say for a key that may not exist: "" then.
export function known(key) { return texts[key] ?? ""; }
