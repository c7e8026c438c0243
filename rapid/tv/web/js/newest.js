// The newest exposure, large: its picture, and the few numbers one looks at first, each with its trend.

import { exposureUrl, pictureUrl } from "./api.js";
import { el, joined } from "./dom.js";
import { bandOf, channelsOf, entryKey, stateMark, stateOf } from "./entry.js";
import { isNumeric, measured, secondsText, timeOfDay, unitText } from "./format.js";
import { spark } from "./spark.js";

const FIRST = ["psf_fwhm", "zero_point", "sky_brightness", "effective_time", "sky_mean", "psf_star_count", "n_sources", "sky_rms"];
const TILES = 8;
const KEPT = "rapid.channel";

export class Newest {
  constructor(place) {
    this.place = place;
    this.channel = localStorage.getItem(KEPT);
    this.shown = null;
    this.head = el("header", { class: "front-head" });
    this.alert = el("p", { class: "alert", role: "alert", hidden: true });
    this.tabs = el("div", { class: "tabs", role: "group", "aria-label": "Channel" });
    this.frame = el("figure", { class: "frame" });
    this.tiles = el("dl", { class: "tiles" });
    this.foot = el("p", { class: "latency" });
    place.replaceChildren(this.head, this.alert, this.frame, this.tiles, this.foot);
  }

  // `entries` newest first; `chosen` is the entry to show instead of the newest with a picture.
  draw(entries, columns, chosen) {
    const pictured = entries.find((entry) => Object.keys(entry.channels).length > 0);
    const entry = chosen ?? pictured ?? entries[0];
    this.place.hidden = !entry;
    if (!entry) return;
    this.last = [entries, columns, chosen];
    this.#drawHead(entry, Boolean(chosen));
    this.#drawAlert(chosen ? entry : entries[0], entry);
    this.#drawPicture(entry);
    this.#drawTiles(entry, entries, columns);
    this.foot.replaceChildren(...latency(entry));
  }

  #drawHead(entry, chosen) {
    const words = [entry.cells.target, entry.cells.filter, exposureWords(entry)].filter(Boolean);
    this.head.replaceChildren(
      el("span", { class: "tag" }, chosen ? "selected" : "newest"),
      el("a", { class: "title", href: exposureUrl(entry), "data-band": bandOf(entry) }, `Seq ${entry.seq_num}`),
      stateMark(entry),
      el("span", { class: "words" }, ...joined(words)),
      this.tabs,
    );
    const channels = channelsOf(entry);
    if (channels.length && !channels.includes(this.channel)) this.current = channels[0];
    else this.current = this.channel;
    this.tabs.replaceChildren(...(channels.length > 1 ? channels.map((name) => this.#tab(name)) : []));
  }

  #tab(name) {
    const pick = () => {
      this.channel = name;
      localStorage.setItem(KEPT, name);
      this.draw(...this.last);
    };
    return el("button", { type: "button", "aria-pressed": String(name === this.current), onclick: pick }, name);
  }

  // What went wrong with the newest exposure is said here, even while an older picture is shown.
  #drawAlert(newest, shown) {
    const state = stateOf(newest);
    this.alert.hidden = state.kind !== "bad";
    const where = newest === shown ? "" : `Seq ${newest.seq_num} `;
    this.alert.replaceChildren(el("span", { class: "glyph", "aria-hidden": "true" }, "■"), ` ${where}failed: `, el("bdi", {}, state.why));
  }

  // The picture and its caption change together, when the picture is there to be seen.
  async #drawPicture(entry) {
    const channel = entry.channels[this.current] ? this.current : null;
    const url = channel && pictureUrl(entry, channel);
    if (url === this.shown) return;
    this.shown = url;
    if (!url) {
      this.frame.replaceChildren(el("p", { class: "empty" }, `Seq ${entry.seq_num} has no picture: ${stateOf(entry).why || "none was made"}.`));
      return;
    }
    const image = new Image();
    image.src = url;
    image.alt = `${channel} picture of exposure ${entry.seq_num}`;
    this.frame.setAttribute("aria-busy", "true");
    const there = await image.decode().then(() => true, () => false);
    if (url !== this.shown) return; // a newer one was asked for meanwhile
    this.frame.removeAttribute("aria-busy");
    const began = timeOfDay(entry.cells.date_begin ?? "");
    const caption = el("figcaption", {}, `${channel} · seq ${entry.seq_num}${began ? ` · ${began} TAI` : ""}`);
    const inside = there ? image : el("p", { class: "empty" }, `The ${channel} picture of seq ${entry.seq_num} could not be fetched.`);
    this.frame.replaceChildren(el("a", { href: exposureUrl(entry), "data-key": entryKey(entry) }, inside), caption);
  }

  #drawTiles(entry, entries, columns) {
    // a trend is of exposures of one kind: a flat says nothing of the sky
    const alike = entries.filter((other) => other.cells.image_type === entry.cells.image_type).reverse();
    const at = alike.indexOf(entry);
    const names = tileNames(entry, columns);
    this.tiles.replaceChildren(
      ...names.map((column) => {
        const trend = alike.map((other) => numberOr(other.cells[column.name], null));
        const note = entry.notes[column.name];
        return el(
          "div",
          { class: `tile ${note ? "noted" : ""}`, title: [column.description, note].filter(Boolean).join(" — ") || null },
          el("dt", {}, column.label, el("span", { class: "unit" }, ` ${unitText(column.unit)}`)),
          el("dd", {}, el("b", {}, measured(entry.cells[column.name], entry.uncertainties[column.name], column))),
          spark(trend, at),
        );
      }),
    );
  }
}

function tileNames(entry, columns) {
  const able = columns.filter((c) => isNumeric(c) && c.group !== "exposure" && typeof entry.cells[c.name] === "number");
  const order = (column) => (FIRST.includes(column.name) ? FIRST.indexOf(column.name) : FIRST.length);
  return able.sort((a, b) => order(a) - order(b)).slice(0, TILES);
}

function exposureWords(entry) {
  const seconds = entry.cells.exposure_time;
  return [entry.cells.image_type, typeof seconds === "number" ? `${Math.round(100 * seconds) / 100} s` : null].filter(Boolean).join(" ");
}

function latency(entry) {
  const times = entry.timings;
  const parts = [];
  if (times.shutter_to_published) parts.push(`${secondsText(times.shutter_to_published)} after the shutter closed`);
  if (times.file_to_published) parts.push(`${secondsText(times.file_to_published)} after the file was complete`);
  return parts.length ? [el("span", { class: "faint" }, "on show "), parts.join(", ")] : [];
}

function numberOr(value, other) {
  return typeof value === "number" ? value : other;
}
