// The page of a night: read once, then kept up to date, whatever came since the last frame drawn together.

import { getJson, nightUrl } from "./api.js";
import { makeBar } from "./bar.js";
import { drawNights } from "./calendar.js";
import { ColumnChoice, listed } from "./columns.js";
import { byId, el } from "./dom.js";
import { entryKey, gapsText } from "./entry.js";
import { openFeed } from "./feed.js";
import { currentDay, dayText, momentOf } from "./format.js";
import { Newest } from "./newest.js";
import { notice } from "./notice.js";
import { NightTable } from "./table.js";

const { camera, dayObs: dayName } = document.body.dataset;
const dayObs = Number(dayName);
const PAUSE = 3000; // ms before a failed reading is tried again
const IDLE = 60000; // ms without a hand on the page after which it follows to a new night by itself
const PATIENCE = 500; // ms in which news of other nights are gathered
const STRIDE = 160; // px that a key moves the table sideways

const bar = makeBar(byId("health"), camera, dayObs);
const newest = new Newest(byId("newest"));
const table = new NightTable(byId("table"), () => refresh());
const choice = new ColumnChoice(camera, () => redraw());
let columns = {};
let current = dayObs; // the night of this camera that goes on
let pending = new Map(); // the newest event of each row that is not drawn yet
let drawing = 0;
let asking = 0;
let reading = false;
let touched = -IDLE;

byId("day").textContent = dayText(dayObs);
for (const kind of ["pointerdown", "keydown", "wheel"]) {
  addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
}
addEventListener("keydown", onKey);
addEventListener("hashchange", goToFailed);
start();

async function start() {
  const asOf = await read();
  goToFailed();
  openFeed(asOf, { exposure: onExposure, reset: read, line: (state) => bar.line(state), beat: (data) => bar.beat(data) });
}

// Read the whole night, for as long as it takes; events that are newer than what was read are drawn after it.
async function read() {
  reading = true;
  let night = null;
  while (night === null) night = await attempt();
  reading = false;
  columns = night.columns;
  pending = new Map([...pending].filter(([, event]) => event.id > night.as_of));
  table.draw(choice.shown(listed(columns, night.rows), night.rows), night.rows);
  refresh();
  if (pending.size) drawSoon();
  return night.as_of;
}

async function attempt() {
  try {
    const [night, nights] = await Promise.all([getJson(`api/v1/nights/${camera}/${dayObs}`), drawNights(camera, dayObs)]);
    current = currentDay(nights, dayObs);
    notice("reading");
    return night;
  } catch (error) {
    notice("reading", `The night cannot be read (${error.message}); trying again.`);
    await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
    return null;
  }
}

function onExposure(event) {
  if (event.camera !== camera) {
    bar.changed();
    return;
  }
  if (["done", "failed"].includes(event.body.state)) bar.seen(event);
  else bar.changed();
  if (event.day_obs !== dayObs) {
    if (event.body.state === "done") reconsider();
    return;
  }
  pending.set(entryKey(event.body), event);
  drawSoon();
}

function drawSoon() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    if (!reading) drawPending();
  });
}

function drawPending() {
  const entries = [...pending.values()].map((event) => event.body);
  if (entries.some(tellsMore)) {
    read(); // a column nobody has seen yet: what it means is in the night's table
    return;
  }
  pending = new Map();
  table.put(entries);
  refresh();
}

function tellsMore(entry) {
  return Object.keys(entry.cells).some((name) => !(name in columns));
}

function refresh() {
  const entries = table.ordered();
  newest.draw(table.all(), listed(columns, table.all()), table.chosen);
  const failed = entries.filter((entry) => entry.state === "failed").length;
  const seqs = new Set(entries.map((entry) => entry.seq_num)).size;
  byId("summary").replaceChildren(
    `${seqs} exposure${seqs === 1 ? "" : "s"}`,
    failed ? el("span", { class: "bad" }, ` · ■ ${failed} failed`) : "",
  );
  const gaps = gapsText(entries);
  byId("gaps").textContent = gaps ? `▲ nothing of seq ${gaps}` : "";
  bar.night({ failed, current, latest: latestEnd(entries) });
  table.setEmptyText(bar.over ? "No exposure in this night." : "No exposure in this night yet.");
}

// When the shutter closed for the last time [ms]; null where no header says.
function latestEnd(entries) {
  const ends = entries.map(({ cells }) => momentOf(cells.date_begin) + 1000 * (cells.exposure_time ?? 0)).filter(Number.isFinite);
  return ends.length ? Math.max(...ends) : null;
}

function redraw() {
  const entries = table.ordered();
  table.draw(choice.shown(listed(columns, entries), entries), entries);
}

// Something was measured in another night: ask the server, now and then, whether that is the current one now.
function reconsider() {
  asking ||= setTimeout(async () => {
    asking = 0;
    const { nights } = await getJson(`api/v1/nights?camera=${camera}`).catch(() => ({ nights: [] }));
    const found = currentDay(nights, current);
    if (found === current) return;
    current = found;
    refresh();
    if (found !== dayObs) offer(found);
  }, PATIENCE);
}

// A new night has begun. A wall display follows it; somebody who is reading is asked.
function offer(newDay) {
  const url = nightUrl(camera, newDay);
  if (performance.now() - touched > IDLE) location.replace(url);
  else notice("night", el("a", { href: url }, `The night of ${dayText(newDay)} has begun →`));
}

// The failures in the bar lead here; the mark is taken off again so that it works a second time.
function goToFailed() {
  if (location.hash !== "#failed") return;
  history.replaceState(null, "", location.pathname);
  table.goToFailed();
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, [popover]")) return;
  const sideways = { ArrowLeft: -STRIDE, ArrowRight: STRIDE }[event.key];
  if (["j", "ArrowDown"].includes(event.key)) table.step(1);
  else if (["k", "ArrowUp"].includes(event.key)) table.step(-1);
  else if (["l", "Escape"].includes(event.key)) table.clearSelection();
  else if (sideways) byId("table").scrollBy({ left: sideways });
  if (event.key.startsWith("Arrow")) event.preventDefault(); // the table scrolls itself to the row
}
