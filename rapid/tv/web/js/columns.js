// Which columns are shown and in which order: what the exposure is, then what was measured, then the rest; more at a tick.

import { byId, el } from "./dom.js";

const LEAD = ["image_type", "target", "filter", "exposure_time"];
const MEASURED = ["psf_fwhm", "psf_e1", "psf_e2", "sky_mean", "sky_rms", "psf_star_count", "n_sources", "dead_amplifiers"];
const HEADER = ["date_begin", "airmass", "disperser"];
const ORDER = [...LEAD, ...MEASURED, ...HEADER];
const FOLDED = new Set(["n_bad", "dead_amplifier_names", "imexam_x", "imexam_y"]); // there at a tick
const MOST = 24; // measured columns shown unasked
const SCALES = { date_begin: "TAI" }; // a time has no unit, but it must say its scale beside a clock in UTC
const NOTHING = /^(empty|none)/i; // the name of an empty place in a wheel

// The columns as a list with their names, the exposure's own first, each group together.
export function listed(columns, entries = []) {
  const all = Object.entries(columns).map(([name, column]) => ({
    name,
    ...column,
    unit: column.unit || (SCALES[name] ?? ""),
    type: column.type || typeIn(entries, name),
  }));
  const groups = [...new Set(all.map((column) => column.group))].sort((a, b) => (a !== "exposure") - (b !== "exposure"));
  return groups.flatMap((group) => all.filter((column) => column.group === group).sort(inOrder));
}

export class ColumnChoice {
  constructor(camera, onChange) {
    this.key = `rapid.columns.${camera}`;
    this.onChange = onChange;
    this.chosen = JSON.parse(localStorage.getItem(this.key) ?? "{}"); // name to true or false; anything else as usual
    this.boxes = "";
  }

  // Those of `all` that are shown, in the order of the table; `entries` tell which would say nothing.
  shown(all, entries) {
    this.usual = usual(all, entries);
    this.#draw(all);
    return all.filter((column) => this.#isShown(column)).sort(tableOrder);
  }

  #isShown(column) {
    return this.chosen[column.name] ?? this.usual.has(column.name);
  }

  #draw(all) {
    const names = all.map((column) => column.name).join();
    if (names === this.boxes) return;
    this.boxes = names;
    const groups = [...new Set(all.map((column) => column.group))];
    byId("columns").replaceChildren(...groups.map((group) => this.#fieldset(group, all)));
  }

  #fieldset(group, all) {
    const boxes = all.filter((column) => column.group === group).map((column) =>
      el(
        "label",
        { title: column.description || null },
        el("input", {
          type: "checkbox",
          checked: this.#isShown(column),
          onchange: (event) => this.#choose(column.name, event.target.checked),
        }),
        ` ${column.label}`,
      ));
    return el("fieldset", {}, el("legend", {}, group), ...boxes);
  }

  #choose(name, shown) {
    this.chosen[name] = shown;
    localStorage.setItem(this.key, JSON.stringify(this.chosen));
    this.onChange();
  }
}

// Names of the columns that are shown unless somebody chose otherwise.
function usual(all, entries) {
  const own = all.filter((column) => column.group === "exposure" && ORDER.includes(column.name));
  const measured = all.filter((column) => column.group !== "exposure" && !FOLDED.has(column.name)).slice(0, MOST);
  const names = new Set([...own, ...measured].map((column) => column.name));
  if (entries.every((entry) => NOTHING.test(entry.cells.disperser ?? "none"))) names.delete("disperser");
  return names;
}

function tableOrder(a, b) {
  return tablePlace(a) - tablePlace(b);
}

// A stable sort keeps the order of the list within a place.
function tablePlace(column) {
  const place = ORDER.indexOf(column.name);
  if (place >= 0) return place;
  return ORDER.length + (column.group === "exposure" ? 0 : 1);
}

function inOrder(a, b) {
  const place = (column) => (ORDER.includes(column.name) ? ORDER.indexOf(column.name) : ORDER.length);
  return place(a) - place(b);
}

// A column whose newest value was missing may have lost its type: the values that are there tell it.
function typeIn(entries, name) {
  return entries.some((entry) => typeof entry.cells[name] === "number") ? "number" : "";
}
