// Values for people, as format.go and package names write them.

import { say } from "./text.js";

export const none = "–";

// count groups the digits of n by threes.
export function count(n) {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

// size is a number of bytes.
export function size(n) {
  if (n < 0) return `-${size(-n)}`;
  if (n < 10) return `${n} B`;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  const e = Math.floor(Math.log(n) / Math.log(1024));
  const exact = n / 1024 ** e, scale = exact < 10 ? 10 : 1;
  const value = Math.floor(exact * scale + 0.5) / scale;
  return `${value < 10 ? value.toFixed(1) : value} ${units[e]}`;
}

// duration is ms milliseconds in their two leading units.
export function duration(ms) {
  if (ms < 1000) return say("time.instant");
  const s = Math.floor(ms / 1000);
  const units = [["time.day", 86400], ["time.hour", 3600], ["time.minute", 60], ["time.second", 1]];
  const i = units.findIndex(([, length]) => s >= length);
  const [key, length] = units[i];
  let text = say(key, { n: Math.floor(s / length) });
  const rest = i < 3 ? Math.floor(s % length / units[i + 1][1]) : 0;
  if (rest > 0) text += say(units[i + 1][0], { n: rest });
  return text;
}

// seconds is a duration given as the API gives it.
export const seconds = s => duration(s * 1000);

// ago is how long before now the moment ms was.
export function ago(now, ms) {
  return ms ? say("time.ago", { d: duration(now - ms) }) : none;
}

// until is how long after now the moment ms will be.
export function until(now, ms) {
  if (!ms) return "";
  return ms <= now ? say("time.due") : say("time.in", { d: duration(ms - now) });
}

// clock is a moment in the reader's own time.
export function clock(ms) {
  if (!ms) return "";
  const d = new Date(ms), two = n => String(n).padStart(2, "0");
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  if (d.toDateString() === new Date().toDateString()) return time;
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${time}`;
}

// millis is a time of the API as milliseconds of the epoch, 0 for none.
export function millis(text) {
  if (!text || text.startsWith("0001-01-01T00:00:00Z")) return 0;
  return Math.floor(Date.parse(text));
}

const plain = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const short = { "\x07": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v" };

// printable replaces what could hide or reorder text by escapes.
export function printable(text) {
  const runes = Array.from(text ?? "");
  if (runes.every(r => plain.test(r))) return text ?? "";
  return runes.map(r => r === "\\" ? "\\\\" : plain.test(r) ? r : escape(r)).join("");
}

function escape(r) {
  if (short[r]) return short[r];
  const code = r.codePointAt(0), hex = n => code.toString(16).padStart(n, "0");
  if (code < 0x20 || code === 0x7f) return `\\x${hex(2)}`;
  return code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}
