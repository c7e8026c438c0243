// A small line of how a value went lately.

import { el, svg } from "./dom.js";

const LENGTH = 40;
const MARGIN = 0.12; // of the height, above and below

// `values` oldest first, null where there is none; the value at `at` is marked.
export function spark(values, at) {
  const from = Math.max(0, Math.min(at - LENGTH + 6, values.length - LENGTH));
  const shown = values.slice(from, from + LENGTH);
  const known = shown.filter((value) => value !== null);
  if (known.length < 3) return el("div", { class: "spark" });
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (index) => index / Math.max(1, shown.length - 1);
  const y = (value) => (high > low ? 1 - MARGIN - ((1 - 2 * MARGIN) * (value - low)) / (high - low) : 0.5);
  const points = shown.flatMap((value, index) => (value === null ? [] : [`${x(index).toFixed(4)},${y(value).toFixed(4)}`]));
  const mark = shown[at - from] ?? null;
  return el(
    "div",
    { class: "spark", "aria-hidden": "true" },
    svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none" }, svg("polyline", { points: points.join(" ") })),
    mark === null ? null : el("i", { "--x": String(x(at - from)), "--y": String(y(mark)) }),
  );
}
