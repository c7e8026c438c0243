// Where things are on the server, wherever a proxy has put the server.

const ROOT = new URL("../../", import.meta.url);

export class NotThere extends Error {}

export async function getJson(path) {
  const response = await fetch(new URL(path, ROOT), { headers: { Accept: "application/json" } });
  if (response.ok) return response.json();
  const detail = await response.json().then((body) => body.detail, () => response.statusText);
  throw response.status === 404 ? new NotThere(detail) : new Error(`${response.status}: ${detail}`);
}

export function apiUrl(path) {
  return new URL(`api/v1/${path}`, ROOT).href;
}

export function homeUrl() {
  return ROOT.href;
}

export function nightUrl(camera, dayObs) {
  return new URL(`${encodeURIComponent(camera)}/${dayObs}`, ROOT).href;
}

export function exposureUrl(entry, seqNum = entry.seq_num) {
  return `${nightUrl(entry.camera, entry.day_obs)}/${seqNum}`;
}

export function pictureUrl(entry, channel) {
  return objectUrl(entry, entry.channels[channel]);
}

export function catalogueUrl(entry, name) {
  return objectUrl(entry, entry.catalogues[name]);
}

function objectUrl(entry, key) {
  const path = key.split("/").map(encodeURIComponent).join("/");
  return new URL(`pictures/${path}?v=${version(entry)}`, ROOT).href;
}

// A picture may be kept for as long as its row stays what it is, to the last timing: another run is another version.
function version(entry) {
  return `${entry.revision}-${fingerprint(canonical(entry)).toString(16)}`;
}

function canonical(value) {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`;
}

// FNV-1a, 32 bits.
function fingerprint(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
