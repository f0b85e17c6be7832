// The keys on the settings page: press the key instead of spelling it, and see at once where two would clash.
import { t } from "../base/i18n.js";

const actions = JSON.parse(document.getElementById("keyboard").textContent);
const field = (action) => document.getElementById(`key-${action.name}`);
const words = (action) => field(action).labels[0].textContent;
const clash = document.getElementById("clash");
const meet = (a, b) => a.scope === b.scope || a.scope === "all" || b.scope === "all";

function check() {
  const seen = [];
  let said = "";
  for (const action of actions) {
    const place = field(action);
    place.classList.toggle("own", place.value !== action.usual);
    place.removeAttribute("aria-invalid");
    const other = seen.find((a) => meet(a, action) && field(a).value === place.value);
    if (other) {
      for (const both of [place, field(other)]) both.setAttribute("aria-invalid", "true");
      said ||= t("{key} would be both “{one}” and “{other}”: change one.", { key: place.value, one: words(other), other: words(action) });
    }
    seen.push(action);
  }
  clash.textContent = said;
  clash.hidden = said === "";
}

const NOT_KEYS = ["Tab", "Shift", "Control", "Alt", "Meta", "AltGraph", "Escape", "Dead", "Unidentified", "Process"];

for (const action of actions) {
  const place = field(action);
  place.addEventListener("keydown", (event) => {
    if (NOT_KEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    event.preventDefault();
    place.value = event.key === "Delete" ? action.usual : event.key;
    check();
  });
  place.addEventListener("input", check); // phones have no key events worth the name
}
document.getElementById("usual").addEventListener("click", () => {
  for (const action of actions) field(action).value = action.usual;
  check();
});
check();
