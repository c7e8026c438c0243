// The page of one exposure: pictures, every number with its unit and uncertainty or the reason why it is missing.

import { NotThere, apiUrl, exposureUrl, getJson, nightUrl, pictureUrl } from "./api.js";
import { makeBar } from "./bar.js";
import { listed } from "./columns.js";
import { byId, el, pointTo } from "./dom.js";
import { bandOf, channelsOf, stateOf } from "./entry.js";
import { openFeed } from "./feed.js";
import { dayText, measured, unitText } from "./format.js";
import { latencySection } from "./latency.js";

const { camera, dayObs: dayName, seqNum: seqName } = document.body.dataset;
const [dayObs, seqNum] = [Number(dayName), Number(seqName)];
const HERE = { camera, day_obs: dayObs };
const PAUSE = 3000; // ms before a failed reading is tried again

const bar = makeBar(byId("health"), camera);
const place = byId("exposure");
let open = false;

byId("day").textContent = dayText(dayObs);
addEventListener("keydown", onKey);
read();

async function read() {
  let asOf = null;
  try {
    const found = await getJson(`api/v1/exposures/${camera}/${dayObs}/${seqNum}`);
    asOf = found.as_of;
    draw(found);
    byId("notice").textContent = "";
  } catch (error) {
    if (error instanceof NotThere) asOf = await drawNothing();
    else byId("notice").textContent = `The exposure cannot be read (${error.message}); trying again.`;
  }
  if (asOf === null) setTimeout(read, PAUSE);
  else if (!open) follow(asOf);
}

function follow(asOf) {
  open = true;
  const onExposure = (event) => {
    if (event.camera !== camera) return;
    if (["done", "failed"].includes(event.body.state)) bar.seen(event.at);
    // a neighbour that is new changes the links, the exposure itself everything
    if (event.day_obs === dayObs && (event.seq_num === seqNum || byId("next").hidden)) read();
  };
  openFeed(asOf, { exposure: onExposure, reset: read, line: (state) => bar.line(state), beat: (data) => bar.beat(data) });
}

async function drawNothing() {
  pointTo(byId("previous"), null);
  pointTo(byId("next"), null);
  place.replaceChildren(el("p", { class: "empty" }, `There is no exposure ${seqNum} in this night yet. `, el("a", { href: nightUrl(camera, dayObs) }, "Back to the night")));
  return getJson("api/v1/status").then((status) => status.last_feed_id, () => null);
}

function draw({ columns, rows, previous, next }) {
  pointTo(byId("previous"), previous !== null && exposureUrl(HERE, previous));
  pointTo(byId("next"), next !== null && exposureUrl(HERE, next));
  const shown = rows.flatMap(pictures);
  place.classList.toggle("bare", shown.length === 0);
  place.replaceChildren(
    el("div", { class: "pictures" }, ...shown),
    el("div", { class: "metrics", id: "metrics", tabindex: -1 }, ...rows.flatMap((entry) => story(entry, listed(columns), rows.length > 1))),
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
    several ? el("h2", { class: "detector" }, entry.detector_name) : null,
    headline(entry),
    ...trouble(entry),
    ...groups.map((group) => groupSection(entry, group, columns.filter((c) => c.group === group && c.name in entry.cells))),
    latencySection(entry.timings),
  ].filter(Boolean);
}

function headline(entry) {
  const state = stateOf(entry);
  const words = [entry.cells.target, entry.cells.image_type, entry.cells.filter].filter(Boolean).join(" · ");
  return el(
    "header",
    { class: "headline", "data-band": bandOf(entry) },
    el("h1", {}, words || entry.obs_id),
    el(
      "p",
      {},
      el("span", { class: `state ${state.kind}` }, el("span", { class: "glyph", "aria-hidden": "true" }, state.glyph), ` ${state.word}`),
      words ? el("span", { class: "obs-id" }, entry.obs_id) : null,
      entry.revision > 1 ? el("span", { class: "faint" }, `revision ${entry.revision}`) : null,
    ),
  );
}

function trouble(entry) {
  const state = stateOf(entry);
  const boxes = [];
  if (entry.error) {
    const traceback = el("a", { href: apiUrl(`arrivals/${entry.arrival_id}/traceback`), target: "_blank", rel: "noopener" }, "traceback ↗");
    boxes.push(el("div", { class: `trouble ${state.kind}` }, el("h2", {}, `${state.glyph} ${state.word}`), el("p", { class: "error" }, entry.error), entry.state === "failed" ? traceback : null));
  } else if (["waiting", "running", "superseded"].includes(entry.state)) {
    boxes.push(el("div", { class: `trouble ${state.kind}` }, el("h2", {}, `${state.glyph} ${state.word}`), el("p", {}, state.why)));
  }
  for (const [name, message] of Object.entries(entry.failures)) {
    boxes.push(el("div", { class: "trouble warn" }, el("h2", {}, `▲ ${name} did not finish`), el("p", { class: "error" }, message)));
  }
  return boxes;
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
  const text = typeof value === "string";
  return el(
    "tr",
    { class: [absent && "absent", note && "noted"].filter(Boolean).join(" ") || null, "data-name": column.name },
    el("th", { scope: "row", title: column.description || null }, column.label),
    el(
      "td",
      { class: text ? "value text" : "value", colspan: text ? 2 : null, title: absent ? null : String(value) },
      note && !absent ? el("span", { class: "glyph warn", role: "img", "aria-label": "suspect" }, "▲ ") : null,
      text ? value : measured(value, entry.uncertainties[column.name], column),
    ),
    text ? null : el("td", { class: "unit" }, absent ? "" : unitText(column.unit)),
    el("td", { class: "note" }, note ?? ""),
  );
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
  if (link && !byId(link).hidden) location.assign(byId(link).href);
  if (event.key === "Escape") location.assign(nightUrl(camera, dayObs));
}
