// The column beside the steps: the judgement of the step the cursor is on. On a phone it is a sheet from below.
import { t } from "../base/i18n.js";
import { drawDiff } from "./diff.js";
import { box, element, fill, slot } from "./dom.js";
import { WORD, after, marked } from "./marks.js";

const MARK = { "-1": -1, 0: 0, 1: 1, unsure: "unsure" };

export class StepPanel {
  // asked: { rate(mark), kind(index), write(part, text), leave(), unmark(span), markSelection() }
  constructor(form, item, asked) {
    Object.assign(this, { form, asked });
    this.steps = item.responses[0].steps;
    this.said = item.model_critique;
    this.kinds = item.queue?.error_kinds ?? [];
    this.aside = form.querySelector(".panel");
    this.fields = { comment: form.querySelector("#comment"), correction: form.querySelector("#correction") };
    this.#listen();
    this.#options();
  }

  #listen() {
    for (const button of this.form.querySelectorAll(".rate-button")) {
      button.addEventListener("click", () => this.asked.rate(MARK[button.dataset.mark]));
    }
    for (const [part, field] of Object.entries(this.fields)) {
      field.addEventListener("input", () => this.asked.write(part, field.value));
      field.addEventListener("focus", () => this.asked.writing(part));
    }
    this.form.querySelector("[data-toggle-panel]").addEventListener("click", () => this.open());
    slot(this.form, "mark-selection").addEventListener("click", () => this.asked.markSelection());
  }

  // ---- kinds of error: a listbox that digits, arrows and letters work in ------------------------------------

  #options() {
    this.options = this.kinds.map((kind, n) => {
      const option = element("span", "option", "");
      option.append(element("kbd", "key needs-js", n < 9 ? String(n + 1) : ""), ` ${kind}`);
      option.setAttribute("role", "option");
      option.tabIndex = -1;
      option.addEventListener("click", () => this.asked.kind(n));
      return option;
    });
    slot(this.form, "kinds").replaceChildren(...this.options);
  }

  get inKinds() {
    return document.activeElement?.closest('[data-slot="kinds"]') != null;
  }

  chooseKind() {
    this.open(true);
    (this.options.find((o) => o.getAttribute("aria-selected") === "true") ?? this.options[0]).focus();
  }

  // A key while a kind is being chosen; every key but Tab belongs to the list.
  kindKey(key) {
    const at = this.options.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowRight: 1, j: 1, ArrowUp: -1, ArrowLeft: -1, k: -1 }[key];
    if (key === "Tab") return false;
    if (step) this.options[(at + step + this.options.length) % this.options.length].focus();
    else if (this.options[Number(key) - 1]) this.asked.kind(Number(key) - 1);
    else if (key === "Enter" || key === " ") this.asked.kind(at);
    else if (key === "Escape") this.asked.leave();
    else if (key === "0" || key === "Backspace" || key === "Delete") this.asked.kind(-1);
    return true;
  }

  // ---- the sheet of narrow screens ---------------------------------------------------------------------------

  open(wanted = !this.aside.classList.contains("open")) {
    this.aside.classList.toggle("open", wanted);
    this.form.querySelector("[data-toggle-panel]").setAttribute("aria-expanded", String(wanted));
    fill(this.form, "panel-toggle", wanted ? t("Less") : t("More"));
  }

  write(part) {
    this.open(true);
    this.fields[part].focus();
    if (part === "correction") this.fields[part].select();
  }

  // ---- showing -------------------------------------------------------------------------------------------------

  render(s, i) {
    const step = this.steps[i];
    const mark = marked(s, i);
    const beyond = after(s, i);
    fill(this.form, "this-number", i + 1);
    for (const button of this.form.querySelectorAll(".rate-button")) {
      button.setAttribute("aria-pressed", String(mark !== null && String(mark) === button.dataset.mark));
      button.disabled = beyond;
    }
    box(this.form, "kinds", mark === -1 && this.kinds.length > 0);
    this.options.forEach((option, n) => option.setAttribute("aria-selected", String(s.kinds[i] === this.kinds[n])));
    for (const [part, field] of Object.entries(this.fields)) {
      const text = s[`${part}s`][i] ?? "";
      if (field.value !== text) field.value = text;
    }
    this.fields.correction.disabled = beyond || mark === 1;
    this.fields.correction.placeholder = mark === 1 ? t("A good step needs no correction") : "";
    this.renderDiff(s, i);
    this.#passages(s, i, step);
    this.#said(i);
  }

  renderDiff(s, i) {
    const correction = s.corrections[i] ?? "";
    const changed = correction.trim() !== "" && correction.trim() !== this.steps[i].text.trim();
    box(this.form, "diff", changed);
    if (changed) drawDiff(slot(this.form, "diff"), this.steps[i].text, correction);
  }

  #passages(s, i, step) {
    const spans = s.marks[i] === -1 ? (s.spans[i] ?? []) : [];
    box(this.form, "passages", s.marks[i] === -1);
    slot(this.form, "passages").replaceChildren(...spans.map((span) => {
      const words = step.text.slice(...span);
      const chip = element("button", "passage-chip", words);
      chip.type = "button";
      chip.setAttribute("aria-label", t("Unmark the passage “{words}”", { words }));
      chip.addEventListener("click", () => this.asked.unmark(span));
      return chip;
    }));
    box(this.form, "no-passage", spans.length === 0);
  }

  selection(span) {
    box(this.form, "selection", span !== null);
    if (span !== null) box(this.form, "passages", true);
    this.aside.classList.toggle("has-selection", span !== null);
  }

  #said(i) {
    const parts = [];
    const mark = this.said?.marks[i] ?? null;
    if (this.said?.comments[i]) parts.push(this.said.comments[i]);
    if (this.said?.corrections[i]) parts.push(`→ ${this.said.corrections[i]}`);
    if (mark !== null || parts.length) parts.unshift(WORD[mark]);
    box(this.form, "said-step", parts.length > 0);
    fill(this.form, "said-step", parts.join(" · "));
  }
}
