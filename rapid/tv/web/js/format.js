// Numbers, units and times as words.

const UNITS = {
  deg: "°", deg_C: "°C", electron: "e⁻", "electron / s": "e⁻/s", "electron / pix": "e⁻/px",
  hour: "h", percent: "%", pix: "px", pixel: "px",
};
const NUMBERS = new Set(["number", "integer", "float", "int"]);
const TAI_MINUS_UTC = 37000; // ms, since 2017
const PIXELS = new Set(["pix", "pixel"]);
const ISO = /^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(?:\.\d+)?/;

export function unitText(unit) {
  return UNITS[unit] ?? unit;
}

export function isNumeric(column) {
  return NUMBERS.has(column.type);
}

// What a cell says, short; the whole value belongs in its title.
export function valueText(value, column, decimals = decimalsFor([value], column)) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return timeOfDay(value) ?? String(value);
  return numberText(value, Number.isInteger(value) && column.type !== "number" ? 0 : Math.min(decimals, finest(value, column)));
}

// Digits after the point that a column needs to show its values to about four figures, to a tenth of an arcsecond, or to a hundredth of a pixel.
export function decimalsFor(values, column) {
  if (column.type === "integer") return 0;
  const sizes = values.filter((value) => typeof value === "number" && value !== 0).map(Math.abs);
  if (sizes.length === 0) return 0;
  if (sizes.every(Number.isInteger)) return sizes.some((size) => size > 999) ? 0 : 1;
  if (column.unit === "deg") return 4;
  if (PIXELS.has(column.unit)) return 2;
  const typical = sizes.sort((a, b) => a - b)[sizes.length >> 1];
  return Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(typical))));
}

// Digits after the point beyond which a value of this size would show more than five figures; a place in pixels keeps two.
function finest(value, column) {
  if (PIXELS.has(column.unit)) return 2;
  return value === 0 ? 6 : Math.max(0, 4 - Math.floor(Math.log10(Math.abs(value))));
}

// A value with its uncertainty, both to two figures of the latter.
export function measured(value, uncertainty, column) {
  if (typeof value !== "number" || !(uncertainty > 0)) return valueText(value, column);
  const decimals = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(uncertainty))));
  return `${numberText(value, decimals)} ± ${numberText(uncertainty, decimals)}`;
}

export function numberText(value, decimals) {
  if (value !== 0 && (Math.abs(value) >= 1e7 || Math.abs(value) < 0.5 * 10 ** -decimals)) {
    return value.toExponential(2).replace("-", "−");
  }
  const [whole, part] = Math.abs(value).toFixed(decimals).split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return (value < 0 ? "−" : "") + grouped + (part ? `.${part}` : "");
}

// The day that the observatory is in at a moment [ms]: it changes twelve hours after UTC does.
export function observingDay(now) {
  return Number(new Date(now - 12 * 3600e3).toISOString().slice(0, 10).replaceAll("-", ""));
}

// The night of a camera that goes on, or went on last: the server says which; of an empty list `otherwise`.
export function currentDay(nights, otherwise) {
  return nights.find((night) => night.current)?.day_obs ?? otherwise;
}

// When a time in TAI was, in ms of UTC since 1970; NaN for what is no time.
export function momentOf(tai) {
  return Date.parse(`${tai}Z`) - TAI_MINUS_UTC;
}

export function timeOfDay(text) {
  const match = ISO.exec(text);
  return match && match[1];
}

export function dayText(dayObs) {
  const day = String(dayObs);
  return `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
}

export function ageText(seconds) {
  const age = Math.max(0, Math.floor(seconds));
  if (age < 120) return `${age} s`;
  if (age < 7200) return `${Math.floor(age / 60)} min ${String(age % 60).padStart(2, "0")} s`;
  if (age < 48 * 3600) return `${Math.floor(age / 3600)} h ${String(Math.floor((age % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(age / 86400)} days`;
}

export function secondsText(seconds) {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds.toFixed(seconds < 99.5 ? 2 : 0)} s`;
}
