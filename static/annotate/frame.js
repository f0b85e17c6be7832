// What every kind of item has around it: prompt, reference, conversation, guidelines, the lead's notes.
import { t } from "../base/i18n.js";
import { box, element, fill, rich, slot } from "./dom.js";
import { fillGuidelines } from "./guidelines.js";

const LONG = 700; // characters, or
const TALL = 9; // lines: a longer text is folded

export const isLong = (text) => text.length > LONG || text.split("\n").length > TALL;

export function fillFrame(form, item) {
  rich(slot(form, "prompt"), item.prompt.text, item.prompt.html);
  slot(form, "prompt").classList.toggle("folded", isLong(item.prompt.text));
  box(form, "unfold-prompt", isLong(item.prompt.text));
  box(form, "reference", item.reference !== null);
  fill(form, "reference", item.reference ?? "");
  box(form, "conversation", item.prompt.messages.length > 1);
  slot(form, "conversation").replaceChildren(...item.prompt.messages.flatMap((m) => [element("p", "label", m.role), element("p", "response-text", m.content)]));
  box(form, "guidelines", item.guidelines !== null);
  fill(form, "guidelines-number", item.guidelines?.number ?? "");
  fillGuidelines(form, item.guidelines);
  if (item.returned) fill(form, "submit", t("Save"));
  const notes = item.returned?.notes ?? [];
  box(form, "returned", item.returned != null);
  slot(form, "returned")?.replaceChildren(...notes.map(({ author, text }) => element("p", "", `${author}: ${text}`)));
}

export function foldPrompt(form, item) {
  if (!isLong(item.prompt.text)) return;
  const folded = slot(form, "prompt").classList.toggle("folded");
  form.querySelector("[data-act=prompt]").setAttribute("aria-expanded", String(!folded));
  fill(form, "unfold-prompt", folded ? t("Show all of it") : t("Show less"));
}
