// The page of one exposure: pictures, every number with its unit and uncertainty or the reason why it is missing.

import { NotThere, apiUrl, catalogueUrl, exposureUrl, getJson, nightUrl, pictureUrl } from "./api.js";
import { makeBar } from "./bar.js";
import { listed } from "./columns.js";
import { byId, el, joined, pointTo } from "./dom.js";
import { bandOf, channelsOf, isWhole, stateMark, stateOf } from "./entry.js";
import { openFeed } from "./feed.js";
import { currentDay, dayText, measured, unitText } from "./format.js";
import { latencySection } from "./latency.js";
import { notice } from "./notice.js";

const { camera, dayObs: dayName, seqNum: seqName } = document.body.dataset;
const [dayObs, seqNum] = [Number(dayName), Number(seqName)];
const HERE = { camera, day_obs: dayObs };
const PAUSE = 3000; // ms before a failed reading is tried again

const bar = makeBar(byId("health"), camera, dayObs);
const place = byId("exposure");
let open = false;

byId("day").textContent = dayText(dayObs);
addEventListener("keydown", onKey);
read();

async function read() {
  let asOf = null;
  try {
    await readNights();
    const found = await getJson(`api/v1/exposures/${camera}/${dayObs}/${seqNum}`);
    asOf = found.as_of;
    draw(found);
    notice("reading");
  } catch (error) {
    if (error instanceof NotThere) asOf = await drawNothing();
    else notice("reading", `The exposure cannot be read (${error.message}); trying again.`);
  }
  if (asOf === null) setTimeout(read, PAUSE);
  else if (!open) follow(asOf);
}

async function readNights() {
  const { nights } = await getJson(`api/v1/nights?camera=${camera}`);
  const own = nights.find((night) => night.day_obs === dayObs);
  bar.night({ failed: own?.failed ?? 0, current: currentDay(nights, dayObs) });
}

function follow(asOf) {
  open = true;
  const onExposure = (event) => {
    if (event.camera !== camera) return;
    if (["done", "failed"].includes(event.body.state)) bar.seen(event);
    // a neighbour that is new changes the links, the exposure itself everything
    if (event.day_obs === dayObs && (event.seq_num === seqNum || byId("next").hidden)) read();
  };
  openFeed(asOf, { exposure: onExposure, reset: read, line: (state) => bar.line(state), beat: (data) => bar.beat(data) });
}

async function drawNothing() {
  pointTo(byId("previous"), null);
  pointTo(byId("next"), null);
  place.replaceChildren(el("p", { class: "empty" }, `There is no exposure ${seqNum} in this night${bar.over ? "" : " yet"}. `, el("a", { href: nightUrl(camera, dayObs) }, "Back to the night")));
  return getJson("api/v1/status").then((status) => status.last_feed_id, () => null);
}

function draw({ columns, rows, previous, next }) {
  pointTo(byId("previous"), previous !== null && exposureUrl(HERE, previous));
  pointTo(byId("next"), next !== null && exposureUrl(HERE, next));
  const shown = rows.flatMap(pictures);
  place.classList.toggle("bare", shown.length === 0);
  place.replaceChildren(
    el("div", { class: "pictures" }, ...shown),
    el("div", { class: "metrics", id: "metrics", tabindex: -1 }, ...rows.flatMap((entry) => story(entry, listed(columns, rows), rows.length > 1))),
  );
}

function pictures(entry) {
  const channels = channelsOf(entry);
  return channels.map((channel) => {
    const url = pictureUrl(entry, channel);
    const alt = `${channel} picture of exposure ${entry.seq_num}`;
    return el(
      "figure",
      {},
      el("figcaption", {}, el("b", {}, channel), ` seq ${entry.seq_num}`, el("a", { href: url, target: "_blank", rel: "noopener" }, "open full ↗")),
      el("a", { href: url, target: "_blank", rel: "noopener" }, el("img", { src: url, alt })),
    );
  });
}

function story(entry, columns, several) {
  const groups = [...new Set(columns.map((column) => column.group))];
  // what was measured goes before what the header says
  groups.sort((a, b) => (a === "exposure") - (b === "exposure"));
  return [
    several ? el("h2", { class: "detector" }, isWhole(entry) ? "all detectors" : entry.detector_name) : null,
    headline(entry),
    ...trouble(entry),
    downloads(entry),
    ...groups.map((group) => groupSection(entry, group, columns.filter((c) => c.group === group && c.name in entry.cells))),
    latencySection(entry.timings),
  ].filter(Boolean);
}

// What can be taken home: a script or a table reader understands it, a browser does not.
function downloads(entry) {
  const names = Object.keys(entry.catalogues ?? {});
  if (!names.length) return null;
  const links = names.map((name) => el("a", { href: catalogueUrl(entry, name), download: "", title: `The ${name} as a Parquet file` }, `${name}.parquet ↓`));
  return el("p", { class: "downloads" }, names.length > 1 ? "catalogues" : "catalogue", ...links);
}

function headline(entry) {
  const words = [entry.cells.target, entry.cells.image_type, entry.cells.filter].filter(Boolean);
  return el(
    "header",
    { class: "headline", "data-band": bandOf(entry) },
    el("h1", { title: words.join(" · ") || null }, ...(words.length ? joined(words) : [entry.obs_id])),
    el(
      "p",
      {},
      stateMark(entry),
      words.length ? el("span", { class: "obs-id" }, entry.obs_id) : null,
      entry.revision > 1 ? el("span", { class: "faint" }, `revision ${entry.revision}`) : null,
    ),
  );
}

function trouble(entry) {
  const state = stateOf(entry);
  const boxes = [];
  if (entry.error) {
    const traceback = el("a", { href: apiUrl(`arrivals/${entry.arrival_id}/traceback`), target: "_blank", rel: "noopener" }, "traceback ↗");
    boxes.push(el("div", { class: `trouble ${state.kind}` }, el("h2", {}, `${state.glyph} ${state.word}`), el("p", { class: "error" }, el("bdi", {}, entry.error)), ...(entry.state === "failed" && entry.arrival_id !== null ? [traceback, howToRetry(entry)] : [])));
  } else if (["waiting", "running", "superseded"].includes(entry.state)) {
    boxes.push(el("div", { class: `trouble ${state.kind}` }, el("h2", {}, `${state.glyph} ${state.word}`), el("p", {}, state.why)));
  }
  for (const [name, message] of Object.entries(entry.failures)) {
    boxes.push(el("div", { class: "trouble warn" }, el("h2", {}, `▲ ${name} did not finish`), el("p", { class: "error" }, message)));
  }
  return boxes;
}

// The command that gives it its attempts back; its number is looked up, and until then the command that lists them is told.
function howToRetry(entry) {
  const command = el("code", {}, "rapid dead-letters list");
  const words = el("p", { class: "retry" }, "To try it again, find its number with ", command, " and retry that.");
  getJson("api/v1/dead-letters?limit=1000").then(({ dead_letters: letters }) => {
    const own = letters.find((letter) => letter.arrival_id === entry.arrival_id);
    if (own) words.replaceChildren("To try it again: ", el("code", {}, `rapid dead-letters retry ${own.id}`));
  }, () => {});
  return words;
}

function groupSection(entry, group, columns) {
  if (!columns.length) return null;
  const rows = columns.map((column) => metricRow(entry, column));
  return el("section", { class: "group" }, el("h2", {}, group), el("table", { class: "values" }, el("tbody", {}, ...rows)));
}

function metricRow(entry, column) {
  const value = entry.cells[column.name];
  const note = entry.notes[column.name];
  const absent = value === null || value === undefined;
  const doubt = note && !absent ? el("span", { class: "glyph warn", role: "img", "aria-label": "suspect" }, "▲ ") : null;
  return el(
    "tr",
    { class: [absent && "absent", note && "noted"].filter(Boolean).join(" ") || null, "data-name": column.name },
    el("th", { scope: "row", title: column.description || null }, column.label),
    ...(typeof value === "string" ? textCells(value, column, doubt, note) : numberCells(entry, column, doubt, note)),
  );
}

function numberCells(entry, column, doubt, note) {
  const value = entry.cells[column.name];
  const absent = value === null || value === undefined;
  return [
    el("td", { class: "value", title: absent ? null : String(value) }, doubt, measured(value, entry.uncertainties[column.name], column)),
    el("td", { class: "unit" }, absent ? "" : unitText(column.unit)),
    el("td", { class: "note" }, note ?? ""),
  ];
}

// Words take the whole width; a time may break before its hours.
function textCells(value, column, doubt, note) {
  const [day, ...rest] = value.split(/(?<=^\d{4}-\d\d-\d\dT)/);
  const words = el("bdi", {}, day, ...rest.flatMap((part) => [el("wbr"), part]), column.unit ? ` ${unitText(column.unit)}` : null);
  return [el("td", { class: "value text", colspan: 3, title: value }, doubt, words, note ? el("span", { class: "note" }, ` ${note}`) : null)];
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
  if (link && !byId(link).hidden) location.assign(byId(link).href);
  if (event.key === "Escape") location.assign(nightUrl(camera, dayObs));
}
