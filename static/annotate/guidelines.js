// The guidelines, with worked examples. A version that is new to the person is shown before they go on.
import { t } from "../base/i18n.js";
import { answerOf } from "./dialog.js";
import { element, rich } from "./dom.js";
import { SIGN, WORD } from "./marks.js";

const $ = (id) => document.getElementById(id);

function example({ text, mark, why }) {
  const card = element("li", "example", "");
  const known = mark !== undefined && mark !== null;
  const sign = element("span", `mark ${{ 1: "good", "-1": "bad" }[mark] ?? ""}`, known ? SIGN[mark] : "·");
  sign.setAttribute("aria-hidden", "true");
  card.append(sign, element("p", "response-text", text ?? ""));
  card.append(element("p", "small muted", [known && WORD[mark], why].filter(Boolean).join(": ")));
  return card;
}

// Fills every place of the page that shows guidelines.
export function fillGuidelines(root, guidelines) {
  for (const place of root.querySelectorAll("[data-guidelines]")) rich(place, guidelines?.text ?? "", guidelines?.html);
  for (const place of root.querySelectorAll("[data-examples]")) {
    place.replaceChildren(...(guidelines?.examples ?? []).map(example));
    place.hidden = !guidelines?.examples?.length;
  }
}

// Shows them; with `confirm` it is asked whether they were read. Resolves to whether that was said.
export async function showGuidelines(guidelines, confirm) {
  const dialog = $("guidelines");
  $("guidelines-title").textContent = t("Guidelines, version {n}", { n: guidelines.number });
  $("guidelines-new").hidden = !confirm;
  $("guidelines-read").hidden = !confirm;
  $("guidelines-close").hidden = confirm;
  fillGuidelines(dialog, guidelines);
  dialog.showModal();
  (confirm ? $("guidelines-read") : $("guidelines-close")).focus({ preventScroll: true });
  dialog.scrollTop = 0;
  return (await answerOf(dialog, !confirm)) === "read";
}
