// Filling the page's <template> elements. Text goes in as text; markup only where the server cleaned it.
import { typeset } from "./maths.js";

export const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export const slot = (root, name) => root.querySelector(`[data-slot="${name}"]`);

export function fill(root, name, text) {
  for (const place of root.querySelectorAll(`[data-slot="${name}"]`)) place.textContent = text;
}

export function box(root, name, visible) {
  for (const place of root.querySelectorAll(`[data-box="${name}"]`)) place.hidden = !visible;
}

export function choose(root, name, value) {
  for (const radio of root.querySelectorAll(`input[type="radio"][name="${name}"]`)) {
    radio.checked = value !== null && value !== undefined && radio.value === String(value);
  }
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// The text as the server rendered and cleaned it, or plainly where there was nothing to render.
export function rich(place, text, html) {
  place.classList.toggle("rich", Boolean(html));
  if (!html) { place.textContent = text; return; }
  const parsed = document.createElement("template");
  parsed.innerHTML = html;
  place.replaceChildren(parsed.content);
  typeset(place);
}
