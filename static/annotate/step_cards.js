// The steps as cards: what each says, how it is marked, what was said about it. Shows the state, changes nothing.
import { t } from "../base/i18n.js";
import { drawDiff } from "./diff.js";
import { box, clone, element, fill, rich, slot } from "./dom.js";
import { isLong } from "./frame.js";
import { SIGN, WORD, after, marked } from "./marks.js";
import { drawPassages } from "./passage.js";

// A step that is no longer wrong keeps its passages for when it is again; they are neither shown nor sent meanwhile.
export const shownSpans = (s, i) => (s.marks[i] === -1 ? s.spans[i] ?? [] : []);

export class StepCards {
  constructor(form, item) {
    this.steps = item.responses[0].steps;
    this.said = item.model_critique;
    this.unfolded = new Set();
    this.cards = this.steps.map((step, i) => this.#card(step, i));
    slot(form, "steps").replaceChildren(...this.cards);
  }

  #card(step, i) {
    const card = clone("tpl-step");
    card.dataset.step = i;
    fill(card, "number", i + 1);
    for (const plain of card.querySelectorAll(".no-js-only")) plain.remove(); // the panel beside asks instead
    rich(slot(card, "text"), step.text, step.html);
    const said = this.said?.marks[i] ?? null;
    box(card, "said", said !== null);
    if (said !== null) {
      fill(card, "said", SIGN[said]);
      slot(card, "said").closest("[data-box]").title = t("The model said: {word}", { word: WORD[said] });
    }
    box(card, "unfold", isLong(step.text));
    card.querySelector("[data-unfold]").addEventListener("click", () => this.fold(i));
    this.#fold(card, i);
    return card;
  }

  #fold(card, i) {
    const folded = isLong(this.steps[i].text) && !this.unfolded.has(i);
    slot(card, "text").classList.toggle("folded", folded);
    card.querySelector("[data-unfold]").setAttribute("aria-expanded", String(!folded));
    fill(card, "unfold", folded ? t("Show all of it") : t("Show less"));
  }

  // Returns whether there was anything to fold.
  fold(i, open = !this.unfolded.has(i)) {
    if (!isLong(this.steps[i].text)) return false;
    if (open) this.unfolded.add(i);
    else this.unfolded.delete(i);
    this.#fold(this.cards[i], i);
    return true;
  }

  at(i) {
    return slot(this.cards[i], "text");
  }

  render(s, cursor) {
    this.cards.forEach((card, i) => {
      const mark = marked(s, i);
      const first = i === s.first_error;
      const beyond = after(s, i);
      card.classList.toggle("first", first);
      card.classList.toggle("after", beyond);
      card.toggleAttribute("data-long", isLong(this.steps[i].text));
      const sign = slot(card, "mark");
      sign.textContent = SIGN[mark];
      sign.className = `mark ${{ 1: "good", "-1": "bad", unsure: "warn" }[mark] ?? ""}`;
      fill(card, "flag", first ? t("first error") : beyond ? t("unjudged") : mark === "unsure" ? t("unsure") : "");
      fill(card, "spoken", first ? t("first error") : beyond ? "" : WORD[mark]);
      this.#passages(card, i, shownSpans(s, i));
      slot(card, "notes").replaceChildren(...this.#notes(s, i, beyond));
      this.#current(card, i === cursor);
    });
  }

  #current(card, here) {
    card.tabIndex = here ? 0 : -1; // one stop for Tab; the arrows move within
    if (here) card.setAttribute("aria-current", "step");
    else card.removeAttribute("aria-current");
  }

  go(cursor) {
    this.cards.forEach((card, i) => this.#current(card, i === cursor));
  }

  #passages(card, i, spans) {
    const place = slot(card, "text");
    if (this.steps[i].html) return; // rendered text has other characters: the passage is quoted below instead
    if (spans.length || place.querySelector("mark")) drawPassages(place, this.steps[i].text, spans);
  }

  redraw(i, spans) {
    const { text, html } = this.steps[i];
    if (html || !spans.length) rich(this.at(i), text, html);
    else drawPassages(this.at(i), text, spans);
  }

  #notes(s, i, beyond) {
    const notes = [];
    const wrong = s.marks[i] === -1;
    if (wrong && s.kinds[i]) notes.push(element("span", "badge bad", s.kinds[i]));
    if (wrong && this.steps[i].html) {
      for (const [start, end] of s.spans[i] ?? []) notes.push(element("q", "passage-quote", this.steps[i].text.slice(start, end)));
    }
    const correction = (s.corrections[i] ?? "").trim();
    if (correction && !beyond && s.marks[i] !== 1 && correction !== this.steps[i].text.trim()) {
      const line = element("p", "diff mono", "");
      drawDiff(line, this.steps[i].text, correction);
      notes.push(line);
    }
    const comment = (s.comments[i] ?? "").trim();
    if (comment) notes.push(element("p", "note-comment", comment));
    return notes;
  }
}
