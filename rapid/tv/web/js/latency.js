// Where the time went, from the complete file to the row on this page.

import { el } from "./dom.js";
import { secondsText } from "./format.js";

// Each station is counted from the complete file; the stage before it has its name.
const STATIONS = [
  ["file_to_seen", "noticed"],
  ["file_to_recorded", "written down"],
  ["file_to_started", "queued"],
  ["file_to_studied", "studied"],
  ["file_to_published", "published"],
];
const WORK = "work_";

export function latencySection(timings) {
  const stages = stagesOf(timings);
  const work = Object.entries(timings).filter(([name, seconds]) => name.startsWith(WORK) && seconds > 0);
  if (!stages.length && !work.length) return null;
  return el(
    "section",
    { class: "group latency" },
    el("h2", {}, "latency"),
    el("p", { class: "summary" }, summary(timings)),
    stages.length ? waterfall("from the complete file to the page", stages) : null,
    work.length ? waterfall("inside the worker", work.map(([name, s]) => [name.slice(WORK.length).replaceAll("_", " "), s])) : null,
  );
}

function stagesOf(timings) {
  const stages = [];
  let before = 0;
  for (const [name, stage] of STATIONS) {
    if (!(name in timings)) continue;
    stages.push([stage, Math.max(0, timings[name] - before)]);
    before = timings[name];
  }
  return stages;
}

function summary(timings) {
  const parts = [];
  if ("shutter_to_published" in timings) parts.push(`${secondsText(timings.shutter_to_published)} from shutter close`);
  if ("file_to_published" in timings) parts.push(`${secondsText(timings.file_to_published)} from the complete file`);
  if ("cpu" in timings) parts.push(`${secondsText(timings.cpu)} of processor time`);
  return parts.join(" · ");
}

// One stage a line, each beginning where the one before it ended.
function waterfall(title, stages) {
  const all = stages.reduce((sum, [, seconds]) => sum + seconds, 0) || 1;
  let from = 0;
  const lines = stages.map(([name, seconds]) => {
    const stripe = el("i", { "--from": String(from / all), "--share": String(seconds / all) });
    from += seconds;
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      el("td", { class: "value" }, secondsText(seconds)),
      el("td", { class: "share" }, stripe),
    );
  });
  return el("table", { class: "waterfall" }, el("caption", {}, title), el("tbody", {}, ...lines));
}
