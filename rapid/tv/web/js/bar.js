// The right end of the bar: how the line is, how old the newest exposure is, what is being done, and the time.

import { getJson } from "./api.js";
import { el } from "./dom.js";
import { ageText } from "./format.js";

const LINES = {
  connecting: { glyph: "◐", word: "connecting", kind: "busy" },
  live: { glyph: "●", word: "live", kind: "ok" },
  reconnecting: { glyph: "▲", word: "reconnecting", kind: "warn" },
};
const COUNTS = [["waiting", "○", "idle"], ["running", "◐", "busy"], ["failed", "■", "bad"]];
const LAG = 1000; // ms between two readings of the counts, however much happens

// `camera` is whose exposures the age is of; null for anybody's.
export function makeBar(place, camera = null) {
  const line = el("output", { class: "line", "aria-live": "polite" });
  const age = el("output", { class: "age", "aria-live": "off" });
  const counts = el("ul", { class: "counts", "aria-label": "Files by state" });
  const clock = el("time", { class: "clock" });
  place.replaceChildren(counts, age, line, clock);
  let newest = null; // ms on the server's clock
  let skew = 0; // server's clock minus ours [ms]
  let due = 0;

  function tick() {
    const now = new Date(Date.now() + skew);
    clock.textContent = `${now.toISOString().slice(11, 19)} UTC`;
    age.textContent = newest === null ? "no exposure yet" : `${ageText((now - newest) / 1000)} since last exposure`;
  }

  async function refresh() {
    due = 0;
    try {
      const status = await getJson("api/v1/status");
      skew = Date.parse(status.now) - Date.now();
      const last = status.last_event;
      if (newest === null && last && camera !== null && last.camera === camera) newest = Date.parse(last.at);
      counts.replaceChildren(...COUNTS.map(([name, glyph, kind]) => countItem(name, glyph, kind, status[name])));
    } catch {
      counts.replaceChildren(el("li", { class: "count warn" }, "▲ counts not to be had"));
    }
    tick();
  }

  setInterval(tick, 1000);
  setInterval(refresh, 15000);
  refresh();
  return {
    line(state) {
      const shown = LINES[state];
      line.dataset.state = state;
      line.replaceChildren(el("span", { class: `glyph ${shown.kind}`, "aria-hidden": "true" }, shown.glyph), ` ${shown.word}`);
    },
    seen(at) {
      newest = Math.max(newest ?? 0, Date.parse(at));
      tick();
      this.changed();
    },
    changed() {
      due ||= setTimeout(refresh, LAG);
    },
    beat(data) {
      skew = Date.parse(data.now) - Date.now();
    },
  };
}

function countItem(name, glyph, kind, number) {
  const quiet = number === 0 ? "idle" : kind;
  return el(
    "li",
    { class: `count ${number === 0 ? "none" : ""}`, "data-count": name },
    el("span", { class: `glyph ${quiet}`, "aria-hidden": "true" }, glyph),
    ` ${number} ${name}`,
  );
}
