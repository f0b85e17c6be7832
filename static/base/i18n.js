// The texts of the page's scripts. The English text is the key; the page carries the translations, if any.
const place = document.getElementById("script-texts");
const catalogue = place ? JSON.parse(place.textContent) : {};

// t("Step {n} is not rated yet.", { n: 3 }). A text without a translation stays English.
export function t(text, values = {}) {
  return (catalogue[text] ?? text).replace(/\{(\w+)\}/g, (hole, name) => (name in values ? String(values[name]) : hole));
}
