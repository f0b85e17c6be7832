// Talking: Ctrl+Enter sends, Escape leaves the box, mathematics is typeset when an answer is there.
import { typeset } from "../annotate/maths.js";

for (const form of document.querySelectorAll("form[data-talk]")) {
  const box = form.querySelector("textarea");
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
    else if (event.key === "Escape") box.blur();
  });
}

const live = document.getElementById("live");
if (live) {
  const pending = () => { for (const place of live.querySelectorAll(".rich:not([data-set])")) { place.dataset.set = ""; typeset(place); } };
  pending();
  new MutationObserver(pending).observe(live, { subtree: true, childList: true });
}
