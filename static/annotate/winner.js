// What comparisons of responses and of critiques share.
import { t } from "../base/i18n.js";
import { element, slot } from "./dom.js";

export const strengthWord = (strength) => ({ 1: t("slightly"), 2: t("clearly"), 3: t("much") })[strength];

// One chip per option before the chips for "tie" and "all bad". Position n stands for the option's own index.
export function chooserFill(form, options, name) {
  const chooser = slot(form, "chooser");
  const chips = options.map((option, position) => {
    const chip = element("label", "chip", "");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "winner", id: `winner-${option}`, value: String(option) });
    radio.setAttribute("aria-label", name(position + 1));
    chip.append(radio, element("span", "", position + 1));
    return chip;
  });
  for (const old of chooser.querySelectorAll("[id^=winner-]")) old.closest(".chip").remove();
  chooser.querySelector("legend").after(...chips);
}

// The winner of a stored answer as the pages hold it: an index, "tie" or "all_bad".
export const winnerOf = ({ winner, all_bad: bad }) => (bad ? "all_bad" : winner ?? "tie");

export const winnerWords = (winner, name) =>
  ({ tie: t("Tie"), all_bad: t("All bad") })[winner] ?? (typeof winner === "number" ? name(winner) : "");
