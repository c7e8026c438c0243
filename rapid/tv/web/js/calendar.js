// All nights, as the months they fell in.

import { getJson, nightUrl } from "./api.js";
import { byId, el, pointTo } from "./dom.js";
import { currentDay } from "./format.js";

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEK = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];

// Fill the calendar and the links to the nights before and after; return the nights, newest first.
export async function drawNights(camera, dayObs) {
  const { nights } = await getJson(`api/v1/nights`);
  const own = nights.filter((night) => night.camera === camera);
  const days = own.map((night) => night.day_obs).sort((a, b) => a - b);
  const before = days.filter((day) => day < dayObs).at(-1);
  const after = days.find((day) => day > dayObs);
  pointTo(byId("older"), before && nightUrl(camera, before));
  pointTo(byId("newer"), after && nightUrl(camera, after));
  const cameras = [...new Set(nights.map((night) => night.camera))].sort();
  byId("calendar").replaceChildren(...cameraLinks(cameras, camera, nights), ...months(own, dayObs));
  return own;
}

function cameraLinks(cameras, camera, nights) {
  if (cameras.length < 2) return [];
  const newest = (name) => currentDay(nights.filter((night) => night.camera === name));
  return [
    el(
      "nav",
      { class: "cameras", "aria-label": "Cameras" },
      ...cameras.map((name) => el("a", { href: nightUrl(name, newest(name)), "aria-current": name === camera ? "true" : null }, name)),
    ),
  ];
}

function months(nights, dayObs) {
  if (!nights.length) return [el("p", { class: "empty" }, "No night yet.")];
  const byMonth = Map.groupBy ? Map.groupBy(nights, monthOf) : grouped(nights);
  return [...byMonth].sort((a, b) => b[0] - a[0]).map(([month, members]) => monthTable(month, members, dayObs));
}

function monthTable(month, nights, dayObs) {
  const [year, number] = [Math.floor(month / 100), month % 100];
  const known = new Map(nights.map((night) => [night.day_obs % 100, night]));
  const offset = (new Date(Date.UTC(year, number - 1, 1)).getUTCDay() + 6) % 7;
  const length = new Date(Date.UTC(year, number, 0)).getUTCDate();
  const days = Array.from({ length }, (_, i) => dayCell(i + 1, known.get(i + 1), dayObs));
  return el(
    "section",
    { class: "month" },
    el("h2", {}, `${MONTHS[number - 1]} ${year}`),
    el("div", { class: "days" }, ...WEEK.map((day) => el("span", { class: "week" }, day)), ...Array.from({ length: offset }, () => el("span")), ...days),
  );
}

function dayCell(day, night, dayObs) {
  if (!night) return el("span", { class: "day" }, String(day));
  const words = `${night.exposures} exposures${night.failed ? `, ${night.failed} failed` : ""}`;
  return el(
    "a",
    { class: "day", href: nightUrl(night.camera, night.day_obs), title: words, "aria-current": night.day_obs === dayObs ? "date" : null },
    String(day),
    el("small", {}, String(night.exposures), night.failed ? el("span", { class: "bad", "aria-label": "failures" }, " ■") : null),
  );
}

function monthOf(night) {
  return Math.floor(night.day_obs / 100);
}

function grouped(nights) {
  const found = new Map();
  for (const night of nights) found.set(monthOf(night), [...(found.get(monthOf(night)) ?? []), night]);
  return found;
}
