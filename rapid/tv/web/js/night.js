// The page of a night: read once, then kept up to date event by event.

import { getJson, nightUrl } from "./api.js";
import { makeBar } from "./bar.js";
import { drawNights } from "./calendar.js";
import { ColumnChoice, listed } from "./columns.js";
import { byId, el } from "./dom.js";
import { openFeed } from "./feed.js";
import { dayText } from "./format.js";
import { Newest } from "./newest.js";
import { NightTable } from "./table.js";

const { camera, dayObs: dayName } = document.body.dataset;
const dayObs = Number(dayName);
const PAUSE = 3000; // ms before a failed reading is tried again
const IDLE = 60000; // ms without a hand on the page after which it follows to a new night by itself

const bar = makeBar(byId("health"), camera);
const newest = new Newest(byId("newest"));
const table = new NightTable(byId("table"), (entry) => show(entry));
const choice = new ColumnChoice(camera, () => redraw());
let columns = {};
let selected = null;
let touched = -IDLE;

byId("day").textContent = dayText(dayObs);
for (const kind of ["pointerdown", "keydown", "wheel"]) {
  addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
}
addEventListener("keydown", onKey);
start();

async function start() {
  let asOf;
  try {
    asOf = await read();
  } catch (error) {
    say(`The night cannot be read (${error.message}); trying again.`);
    setTimeout(start, PAUSE);
    return;
  }
  openFeed(asOf, { exposure: onExposure, reset: reread, line: (state) => bar.line(state), beat: (data) => bar.beat(data) });
}

async function read() {
  const [night] = await Promise.all([getJson(`api/v1/nights/${camera}/${dayObs}`), drawNights(camera, dayObs)]);
  columns = night.columns;
  table.draw(choice.shown(listed(columns)), night.rows);
  selected = null;
  refresh();
  say("");
  return night.as_of;
}

// After a reset nothing on the page may be trusted: it is read again, for as long as it takes.
async function reread() {
  try {
    await read();
  } catch (error) {
    say(`The night cannot be read (${error.message}); trying again.`);
    setTimeout(reread, PAUSE);
  }
}

function onExposure(event) {
  if (event.camera !== camera) {
    bar.changed();
    return;
  }
  if (["done", "failed"].includes(event.body.state)) bar.seen(event.at);
  else bar.changed();
  if (event.day_obs !== dayObs) {
    if (event.day_obs > dayObs) offer(event.day_obs);
    return;
  }
  if (Object.keys(event.body.cells).some((name) => !(name in columns))) {
    reread(); // a column nobody has seen yet: what it means is in the night's table
    return;
  }
  table.put(event.body);
  if (selected?.seq_num === event.body.seq_num && selected.detector_name === event.body.detector_name) selected = event.body;
  refresh();
}

function refresh() {
  const entries = table.ordered();
  newest.draw(entries, listed(columns), selected);
  const failed = entries.filter((entry) => entry.state === "failed").length;
  const seqs = new Set(entries.map((entry) => entry.seq_num)).size;
  byId("summary").replaceChildren(
    `${seqs} exposure${seqs === 1 ? "" : "s"}`,
    failed ? el("span", { class: "bad" }, ` · ■ ${failed} failed`) : "",
  );
}

function redraw() {
  table.draw(choice.shown(listed(columns)), table.ordered());
}

function show(entry) {
  selected = entry;
  refresh();
}

// A new night has begun. A wall display follows it; somebody who is reading is asked.
function offer(newDay) {
  const url = nightUrl(camera, newDay);
  if (performance.now() - touched > IDLE) location.replace(url);
  else byId("notice").replaceChildren(el("a", { href: url }, `The night of ${dayText(newDay)} has begun →`));
}

function say(text) {
  byId("notice").textContent = text;
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, [popover]")) return;
  if (["j", "ArrowDown"].includes(event.key)) table.step(1);
  else if (["k", "ArrowUp"].includes(event.key)) table.step(-1);
  else if (["l", "Escape"].includes(event.key)) table.clearSelection();
  if (event.key.startsWith("Arrow")) event.preventDefault(); // the table scrolls itself to the row
}
