// Filling the page's <template> elements. Text goes in as text, never as markup: all of it is untrusted.

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
