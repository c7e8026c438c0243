// The night table: newest first, and only the row that changed is drawn again.

import { exposureUrl, pictureUrl } from "./api.js";
import { el } from "./dom.js";
import { bandOf, channelsOf, entryKey, isWhole, leading, newerFirst, stateOf } from "./entry.js";
import { decimalsFor, isNumeric, unitText, valueText } from "./format.js";

const FIXED = ["Seq", "State", "Pictures"];

export class NightTable {
  // `onSelect()` is told when the keyboard stands on another row.
  constructor(place, onSelect) {
    this.place = place;
    this.onSelect = onSelect;
    this.entries = new Map();
    this.rows = new Map();
    this.columns = [];
    this.decimals = {};
    this.selected = null;
    this.emptyText = "";
    this.place.addEventListener("keydown", (event) => this.#onKey(event));
    this.place.addEventListener("click", (event) => this.#onClick(event));
  }

  // Draw everything. `columns` is a list of {name, label, unit, description, type, group}, groups together.
  draw(columns, entries) {
    const focused = this.rows.get(this.selected)?.contains(document.activeElement);
    this.columns = columns;
    this.entries = new Map(entries.map((entry) => [entryKey(entry), entry]));
    this.decimals = Object.fromEntries(columns.map((column) => [column.name, this.#decimals(column)]));
    this.rows = new Map();
    this.body = el("tbody");
    for (const entry of this.ordered()) this.body.append(this.#newRow(entry));
    const table = el("table", { class: "exposures" }, this.#head(), this.body);
    this.place.replaceChildren(entries.length ? table : el("p", { class: "empty" }, this.emptyText));
    this.#mark(focused);
  }

  // Draw the rows of these entries; all of them again where a column needs other digits for its values now.
  put(entries) {
    for (const entry of entries) this.entries.set(entryKey(entry), entry);
    if (!this.body?.isConnected || entries.some(isWhole) || this.#needsOtherDigits(entries)) {
      this.draw(this.columns, [...this.entries.values()]);
    } else {
      const shown = new Set(this.ordered());
      for (const entry of entries.filter((one) => shown.has(one))) this.#putRow(entry);
    }
    for (const entry of entries) this.rows.get(entryKey(entry))?.classList.add("changed");
  }

  // The entry the keyboard stands on, or null.
  get chosen() {
    return this.entries.get(this.selected) ?? null;
  }

  // Say, where there is no row, that there is none, or none yet.
  setEmptyText(text) {
    this.emptyText = text;
    const shown = this.place.querySelector(":scope > .empty");
    if (shown) shown.textContent = text;
  }

  // The entries that have a row: of an exposure that sums up its detectors, that line alone.
  ordered() {
    return leading(this.all());
  }

  all() {
    return [...this.entries.values()].sort(newerFirst);
  }

  clearSelection() {
    this.#select(null);
  }

  // Step to the next older (1) or newer (-1) exposure.
  step(direction) {
    const keys = this.ordered().map(entryKey);
    const at = this.selected === null ? (direction > 0 ? -1 : keys.length) : keys.indexOf(this.selected);
    this.#select(keys[Math.min(keys.length - 1, Math.max(0, at + direction))] ?? null);
  }

  // Step to the newest exposure that failed.
  goToFailed() {
    const failed = this.ordered().find((entry) => entry.state === "failed");
    if (failed) this.#select(entryKey(failed));
  }

  // Digits after the point of a whole column; undefined where no value is known, so that each goes by its own size.
  #decimals(column) {
    const values = [...this.entries.values()].map((entry) => entry.cells[column.name]);
    return values.some((value) => typeof value === "number") ? decimalsFor(values, column) : undefined;
  }

  #needsOtherDigits(entries) {
    const told = this.columns.filter(({ name }) => entries.some((entry) => typeof entry.cells[name] === "number"));
    return told.some((column) => this.decimals[column.name] !== this.#decimals(column));
  }

  #putRow(entry) {
    const old = this.rows.get(entryKey(entry));
    const focused = old?.contains(document.activeElement);
    const row = this.#newRow(entry);
    if (old) old.replaceWith(row);
    else this.#insert(row, entry);
    this.#mark(focused);
  }

  #head() {
    const groups = [];
    for (const column of this.columns) {
      if (groups.at(-1)?.name === column.group) groups.at(-1).size += 1;
      else groups.push({ name: column.group, size: 1 });
    }
    const above = groups.map((group) =>
      el("th", { scope: "colgroup", colspan: group.size, class: "group" }, el("span", {}, group.name)));
    const fixed = FIXED.map((name) => el("th", { scope: "col", rowspan: 2, class: `fixed ${name.toLowerCase()}` }, name));
    return el("thead", {}, el("tr", {}, ...fixed, ...above, el("td", { class: "rest", rowspan: 2 })), el("tr", {}, ...this.columns.map((c, i) => this.#title(c, i))));
  }

  #title(column, index) {
    const begins = index === 0 || this.columns[index - 1].group !== column.group;
    const classes = `${isNumeric(column) ? "number" : "word"} ${begins ? "begins" : ""}`;
    return el(
      "th",
      { scope: "col", class: classes, title: column.description || null },
      el("span", { class: "label" }, column.label),
      column.unit ? el("span", { class: "unit" }, unitText(column.unit)) : null,
    );
  }

  #newRow(entry) {
    const state = stateOf(entry);
    const band = bandOf(entry);
    const row = el("tr", { "data-key": entryKey(entry), "data-state": entry.state, tabindex: -1 });
    row.append(
      el("th", { scope: "row", class: "fixed seq", "data-band": band, title: band && `filter ${band}` }, this.#name(entry)),
      el(
        "td",
        { class: `fixed state ${state.kind}`, title: state.why || null },
        el("span", { class: "glyph", "aria-hidden": "true" }, state.glyph),
        ` ${state.word}`,
      ),
      ...this.#content(entry, state),
      el("td", { class: "rest" }),
    );
    this.rows.set(entryKey(entry), row);
    return row;
  }

  #name(entry) {
    const detector = ["", "R00_S00"].includes(entry.detector_name) ? null : el("small", {}, ` ${entry.detector_name}`);
    return el("a", { href: exposureUrl(entry), tabindex: -1 }, String(entry.seq_num), detector);
  }

  // The pictures and numbers of an exposure; of one that has none, why.
  #content(entry, state) {
    const pictures = pictureLinks(entry);
    if (Object.keys(entry.cells).length === 0 && pictures.length === 0) {
      return [el("td", { class: `reason ${state.kind}`, colspan: this.columns.length + 1 }, el("span", {}, state.why))];
    }
    const cells = this.columns.map((column, index) => this.#cell(entry, column, index));
    return [el("td", { class: "pictures" }, ...pictures), ...cells];
  }

  #cell(entry, column, index) {
    const value = entry.cells[column.name];
    const note = entry.notes[column.name];
    const absent = value === null || value === undefined;
    const begins = index === 0 || this.columns[index - 1].group !== column.group;
    const classes = [isNumeric(column) ? "number" : "word", begins && "begins", absent && "absent", note && "noted"];
    const spread = entry.uncertainties[column.name];
    const whole = absent ? null : `${value}${spread ? ` ± ${spread}` : ""} ${column.unit}`.trim();
    return el(
      "td",
      { class: classes.filter(Boolean).join(" "), title: [whole, note].filter(Boolean).join(" — ") || null },
      note && !absent ? el("span", { class: "glyph warn", role: "img", "aria-label": "suspect" }, "▲") : null,
      valueText(value, column, this.decimals[column.name]),
    );
  }

  #insert(row, entry) {
    const after = this.ordered().find((other) => newerFirst(entry, other) < 0);
    this.body.insertBefore(row, after ? this.rows.get(entryKey(after)) : null);
  }

  // The newest row and the selected one are marked, and the latter has the keyboard again if it had it.
  #mark(focused) {
    const newest = this.ordered()[0];
    this.body?.querySelector("tr.newest")?.classList.remove("newest");
    if (newest) this.rows.get(entryKey(newest))?.classList.add("newest");
    const selected = this.rows.get(this.selected);
    selected?.classList.add("selected");
    if (focused) selected?.focus({ preventScroll: true });
  }

  #select(key) {
    if (this.selected !== null) this.rows.get(this.selected)?.classList.remove("selected");
    this.selected = key;
    const row = key === null ? null : this.rows.get(key);
    row?.classList.add("selected");
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.onSelect();
  }

  #onKey(event) {
    const row = event.target.closest("tr[data-key]");
    if (event.key === "Enter" && row && event.target === row) location.assign(exposureUrl(this.entries.get(row.dataset.key)));
  }

  #onClick(event) {
    const row = event.target.closest("tbody tr");
    if (!row || event.target.closest("a") || String(getSelection())) return;
    location.assign(exposureUrl(this.entries.get(row.dataset.key)));
  }
}

function pictureLinks(entry) {
  const shown = channelsOf(entry).map((channel) =>
    el("a", { class: "chip", href: pictureUrl(entry, channel), target: "_blank", rel: "noopener", tabindex: -1 }, channel));
  const failed = Object.entries(entry.failures).map(([name, message]) =>
    el("span", { class: "chip warn", title: message }, `▲ ${name}`));
  return [...shown, ...failed];
}
