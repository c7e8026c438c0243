// The one line for what must be known. Several may have something to say: the most urgent is heard.

import { byId } from "./dom.js";

const TOPICS = ["line", "reading", "night"]; // most urgent first
const said = new Map();

// Say something on a topic; nothing where that is settled.
export function notice(topic, ...content) {
  if (content.length) said.set(topic, content);
  else said.delete(topic);
  const urgent = TOPICS.find((name) => said.has(name));
  byId("notice").replaceChildren(...(said.get(urgent) ?? []));
}
