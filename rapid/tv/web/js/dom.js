// Elements are made here and nowhere else. Text from data only ever becomes text: nothing is parsed as HTML.

export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

// Words of the data in one line. Each is kept to itself, whichever way its script runs.
export function joined(words, between = " · ") {
  return words.flatMap((word, index) => [index ? between : null, el("bdi", {}, word)]);
}

// A link is shown where it leads somewhere, and hidden where it does not.
export function pointTo(link, url) {
  link.hidden = !url;
  if (url) link.href = url;
  else link.removeAttribute("href");
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
