// Small questions that put an item aside: why? Typical reasons are offered, any other can be typed.
import { t } from "../base/i18n.js";
import { answerOf } from "./dialog.js";
import { element } from "./dom.js";

const $ = (id) => document.getElementById(id);

const QUESTIONS = {
  skip: {
    title: t("Skip this item"), ok: t("Skip"), hint: t("Someone else will be asked. You will not see it again."),
    list: [t("Not my field"), t("Too long"), t("I know the author’s answer"), t("Unclear guidelines")],
  },
  bad_problem: {
    title: t("Bad problem"), ok: t("Mark as bad problem"), hint: t("The question itself is at fault, whatever the response."),
    list: [t("Something is missing"), t("Contradicts itself"), t("Vague"), t("Several questions in one"), t("The reference is wrong")],
  },
  give_up: {
    title: t("Give up"), ok: t("Give up"), hint: t("A good problem, but you cannot judge the response."),
    list: [t("Too hard for me"), t("Takes too long to check"), t("The guidelines do not cover it")],
  },
  unsure: {
    title: t("In doubt about the whole"), ok: t("Leave it to the lead"), hint: t("What you marked is kept and goes to the lead, who decides. It trains nothing."),
    list: [t("The guidelines do not cover it"), t("Two readings are possible"), t("I cannot tell whether it is right")],
  },
  flag: {
    title: t("Flag for the lead"), ok: t("Flag"), hint: t("The lead reads your note. You go on with the item."), needed: true,
    list: [t("The guidelines do not cover it"), t("Looks like a repeat"), t("Should not be shown to people")],
  },
};

// The reason given, or null when the question was closed without an answer.
export async function ask(kind) {
  const { title, hint, ok, list, needed } = QUESTIONS[kind];
  const dialog = $("reason");
  const text = $("reason-text");
  $("reason-title").textContent = title;
  $("reason-hint").textContent = hint;
  $("reason-ok").textContent = ok;
  text.value = "";
  text.required = Boolean(needed);
  $("reason-list").replaceChildren(...list.map((reason) => {
    const button = element("button", "button small", reason);
    button.type = "button";
    button.addEventListener("click", () => { text.value = reason; text.focus(); });
    return button;
  }));
  dialog.showModal();
  text.focus();
  return (await answerOf(dialog)) === "ok" ? text.value.trim() : null;
}
