// The right end of the bar: what is being done, how old the newest exposure is, how the line is, and the time.

import { getJson, nightUrl } from "./api.js";
import { el } from "./dom.js";
import { ageText, observingDay } from "./format.js";
import { notice } from "./notice.js";

const LINES = {
  connecting: { glyph: "◐", word: "connecting", kind: "busy" },
  live: { glyph: "●", word: "live", kind: "ok" },
  reconnecting: { glyph: "▲", word: "reconnecting", kind: "warn" },
};
const HISTORY = { glyph: "○", word: "history", kind: "idle" }; // the line is up, and nothing new is to be expected
const WORK = [["waiting", "○", "idle"], ["running", "◐", "busy"]];
const LAG = 1000; // ms between two readings of the counts, however much happens
const EVERY = 15000; // ms between two readings when nothing happens
const SILENCE = 5000; // ms without a line before the page says that it is old

// `camera` and `dayObs` are the night on the page; null where there is none.
export function makeBar(place, camera = null, dayObs = null) {
  return new Bar(place, camera, dayObs);
}

class Bar {
  constructor(place, camera, dayObs) {
    [this.camera, this.dayObs] = [camera, dayObs];
    this.current = dayObs; // the newest night of the camera
    this.failures = null;
    this.state = "connecting";
    this.newest = null; // ms on the server's clock
    this.skew = 0; // server's clock minus ours [ms]
    this.counts = el("ul", { class: "counts", "aria-label": "Files by state" });
    this.age = el("output", { class: "age", "aria-live": "off" });
    this.lineWord = el("output", { class: "line", "aria-live": "polite" });
    this.clock = el("time", { class: "clock" });
    place.replaceChildren(this.counts, this.age, this.lineWord, this.clock);
    setInterval(() => this.#tick(), 1000);
    setInterval(() => this.#refresh(), EVERY);
    this.#refresh();
  }

  // The moment on the server's clock [ms].
  get now() {
    return Date.now() + this.skew;
  }

  // Whether nothing can come into the night on the page any more: a newer one has begun, or its day is over.
  get over() {
    return this.dayObs !== null && (this.current !== this.dayObs || observingDay(this.now) > this.dayObs);
  }

  // How the line is: connecting, live or reconnecting.
  line(state) {
    const before = this.state;
    this.state = state;
    this.#drawLine();
    if (state === before) return;
    if (state === "live") this.#found();
    if (state === "reconnecting") this.#lost();
  }

  // What the page knows of its night: how many exposures failed, the camera's newest night, and the newest exposure [ms].
  night({ failed, current, latest = null }) {
    this.failures = failed;
    this.current = Math.max(this.current ?? 0, current);
    if (latest !== null && this.newest === null) this.newest = latest;
    this.#drawFailed();
    this.#drawLine();
    this.#tick();
  }

  // An exposure of the camera has come to its end.
  seen(event) {
    if (event.day_obs > this.current) this.night({ failed: this.failures, current: event.day_obs });
    if (event.day_obs === this.current) this.newest = Math.max(this.newest ?? 0, Date.parse(event.at));
    this.#tick();
    this.changed();
  }

  changed() {
    this.due ||= setTimeout(() => this.#refresh(), LAG);
  }

  beat(data) {
    this.skew = Date.parse(data.now) - Date.now();
  }

  #tick() {
    this.clock.textContent = `${clockText(this.now)} UTC`;
    const old = this.current !== this.dayObs || this.newest === null;
    this.age.textContent = old ? "" : `${ageText((this.now - this.newest) / 1000)} since last exposure`;
  }

  #drawLine() {
    const shown = this.state === "live" && this.current !== this.dayObs ? HISTORY : LINES[this.state];
    this.lineWord.dataset.state = this.state;
    this.lineWord.replaceChildren(el("span", { class: `glyph ${shown.kind}`, "aria-hidden": "true" }, shown.glyph), ` ${shown.word}`);
  }

  #found() {
    clearTimeout(this.alarm);
    this.counts.classList.remove("stale");
    notice("line");
    this.#refresh();
  }

  #lost() {
    const since = clockText(this.now);
    this.counts.classList.add("stale");
    this.alarm = setTimeout(() => notice("line", `No connection since ${since} UTC; what you see may be old`), SILENCE);
  }

  async #refresh() {
    clearTimeout(this.due);
    this.due = 0;
    try {
      this.#take(await getJson("api/v1/status"));
    } catch {
      // without a line the last counts stay, in grey
      if (this.state === "live") this.counts.replaceChildren(el("li", { class: "count warn" }, "▲ counts not available"));
    }
    this.#tick();
  }

  #take(status) {
    this.skew = Date.parse(status.now) - Date.now();
    const last = status.last_event;
    if (last && last.camera === this.camera && last.day_obs === this.current) this.newest = Math.max(this.newest ?? 0, Date.parse(last.at));
    if (this.camera === null) this.failures = status.failed;
    this.failed = el("li", { "data-count": "failed" });
    this.counts.replaceChildren(...WORK.map(([name, glyph, kind]) => countItem(name, glyph, kind, status[name])), this.failed);
    this.#drawFailed();
  }

  // Failures are those of the night on the page, and lead to the first of them.
  #drawFailed() {
    if (!this.failed) return;
    const some = this.failures > 0;
    const href = some && this.camera !== null ? `${nightUrl(this.camera, this.dayObs)}#failed` : null;
    const words = [el("span", { class: `glyph ${some ? "bad" : "idle"}`, "aria-hidden": "true" }, "■"), ` ${this.failures ?? "–"} failed`];
    this.failed.className = `count ${some ? "" : "none"}`;
    this.failed.title = this.camera === null ? "" : "in this night";
    this.failed.replaceChildren(...(href ? [el("a", { href }, ...words)] : words));
  }
}

function clockText(moment) {
  return new Date(moment).toISOString().slice(11, 19);
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
