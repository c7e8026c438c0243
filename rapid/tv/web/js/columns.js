// Which columns are shown: a short choice of the header's, and all that was measured; anything else at a tick.

import { byId, el } from "./dom.js";

const HEADER = ["date_begin", "image_type", "target", "filter", "disperser", "exposure_time", "airmass"];
const MOST = 40;

// The columns as a list with their names, the exposure's own first, each group together.
export function listed(columns) {
  const all = Object.entries(columns).map(([name, column]) => ({ name, ...column }));
  const groups = [...new Set(all.map((column) => column.group))].sort((a, b) => (a !== "exposure") - (b !== "exposure"));
  return groups.flatMap((group) => all.filter((column) => column.group === group).sort(headerFirst));
}

export class ColumnChoice {
  constructor(camera, onChange) {
    this.key = `rapid.columns.${camera}`;
    this.onChange = onChange;
    this.chosen = JSON.parse(localStorage.getItem(this.key) ?? "{}"); // name to true or false; anything else as usual
    this.boxes = "";
  }

  shown(all) {
    this.#draw(all);
    return all.filter((column) => this.#isShown(column, all));
  }

  #isShown(column, all) {
    if (column.name in this.chosen) return this.chosen[column.name];
    if (column.group === "exposure") return HEADER.includes(column.name);
    return all.filter((other) => other.group !== "exposure").indexOf(column) < MOST;
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
          checked: this.#isShown(column, all),
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

function headerFirst(a, b) {
  const place = (column) => (HEADER.includes(column.name) ? HEADER.indexOf(column.name) : HEADER.length);
  return place(a) - place(b);
}
