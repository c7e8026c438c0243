// What a table entry means: its state in a glyph and a word, and why.

import { el } from "./dom.js";

const STATES = {
  waiting: { glyph: "○", word: "waiting", kind: "idle", why: "waiting for a worker" },
  running: { glyph: "◐", word: "running", kind: "busy", why: "being measured" },
  done: { glyph: "●", word: "done", kind: "ok", why: "" },
  failed: { glyph: "■", word: "failed", kind: "bad", why: "given up" },
  superseded: { glyph: "○", word: "superseded", kind: "idle", why: "another content of the file took its place" },
};
const FILTER = /^(?:SDSS)?([ugrizy])(?:_|$)/; // SDSSr_65mm on LATISS, r_57 on LSSTCam

// The state of an entry as {glyph, word, kind, why}; kind is ok, warn, bad, busy or idle.
export function stateOf(entry) {
  const state = STATES[entry.state] ?? { glyph: "?", word: entry.state, kind: "idle", why: "" };
  if (entry.state === "done") return judged(entry, state);
  return { ...state, why: entry.error ? retold(entry) : state.why };
}

// The state as it stands in a head or a tile, with the reasons in its title.
export function stateMark(entry) {
  const state = stateOf(entry);
  const glyph = el("span", { class: "glyph", "aria-hidden": "true" }, state.glyph);
  return el("span", { class: `state ${state.kind}`, title: state.why || null }, glyph, ` ${state.word}`);
}

// Names of cells that are there and have a note of why to doubt them.
export function suspects(entry) {
  return Object.keys(entry.notes).filter((name) => entry.cells[name] !== null && entry.cells[name] !== undefined);
}

// The band of the filter, where its name says it.
export function bandOf(entry) {
  return FILTER.exec(entry.cells.filter ?? "")?.[1] ?? null;
}

// Names of its pictures, the whole frame first.
export function channelsOf(entry) {
  return Object.keys(entry.channels).sort((a, b) => (a !== "monitor") - (b !== "monitor") || (a < b ? -1 : 1));
}

export function entryKey(entry) {
  return `${entry.seq_num}/${entry.detector_name}`;
}

// Newest exposure first; the detectors of one in their order.
export function newerFirst(a, b) {
  return b.seq_num - a.seq_num || (a.detector_name < b.detector_name ? -1 : Number(a.detector_name > b.detector_name));
}

// Whether this is the line of an exposure that sums up its detectors.
export function isWhole(entry) {
  return entry.detector_name === "";
}

// Without the detectors of the exposures that have a line of their own.
export function leading(entries) {
  const whole = new Set(entries.filter(isWhole).map((entry) => entry.seq_num));
  return whole.size ? entries.filter((entry) => isWhole(entry) || !whole.has(entry.seq_num)) : entries;
}

// The numbers between exposures of which nothing is known, as "12–14, 17"; empty where there are none.
export function gapsText(entries) {
  const numbers = [...new Set(entries.map((entry) => entry.seq_num))].sort((a, b) => a - b);
  const gaps = numbers.slice(1).map((number, i) => [numbers[i] + 1, number - 1]).filter(([first, last]) => first <= last);
  return gaps.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(", ");
}

// What is to be doubted in an exposure that was measured, and why; a reason that many share is said once.
function judged(entry, state) {
  const failed = Object.keys(entry.failures);
  const doubtful = suspects(entry);
  const reasons = [...new Set(doubtful.map((name) => entry.notes[name]))];
  const sharing = (reason) => doubtful.filter((name) => entry.notes[name] === reason).map((name) => name.replaceAll("_", " "));
  const whys = reasons.map((reason) => `${sharing(reason).join(", ")}: ${reason}`);
  if (failed.length) whys.unshift(`${failed.join(", ")} did not finish`);
  if (!whys.length) return state;
  return { glyph: "▲", word: failed.length ? "partly" : "suspect", kind: "warn", why: whys.join("; ") };
}

function retold(entry) {
  return entry.state === "failed" ? entry.error : `will be tried again: ${entry.error}`;
}
