// The step critique: a cursor over step cards.
import { box, choose, clone, fill, slot } from "./dom.js";
import { History } from "./history.js";
import { SIGN, WORD, firstErrorHere, limit, rate, restGood, unrated, verdict } from "./marks.js";

export class StepCritique {
  constructor(form, item, hooks) {
    Object.assign(this, { form, item, hooks, history: new History() });
    this.texts = item.responses[0].steps.map((step) => step.text);
    this.state = {
      marks: this.texts.map(() => null),
      first_error: null,
      comments: {},
      corrections: {},
      verdict: "", // the person's own word; empty: follows from the marks
      confidence: null,
    };
    this.cursor = 0;
    this.open = new Set(); // "comment-2", "correction-0": fields shown although empty
    this.#build();
    this.#listen();
  }

  #build() {
    const said = this.item.model_critique;
    this.cards = this.texts.map((text, i) => {
      const card = clone("tpl-step");
      card.dataset.step = i;
      fill(card, "number", i + 1);
      fill(card, "text", text);
      for (const input of card.querySelectorAll("[name]")) input.name = input.name.split("-")[0] + `-${i}`;
      for (const part of ["comment", "correction"]) {
        card.querySelector(`textarea[name="${part}-${i}"]`).id = `${part}-${i}`;
        card.querySelector(`[data-label="${part}"]`).htmlFor = `${part}-${i}`;
      }
      const words = said ? this.#said(said, i) : "";
      box(card, "said", words !== "");
      fill(card, "said", words);
      return card;
    });
    slot(this.form, "steps").replaceChildren(...this.cards);
    fill(this.form, "count", this.texts.length);
    box(this.form, "cut", this.item.responses[0].finish === "length");
    box(this.form, "model", said !== null);
    fill(this.form, "model-verdict", said?.verdict ?? "");
  }

  #said(said, i) {
    const parts = [WORD[said.marks[i]] ?? "unjudged"];
    if (said.comments[i]) parts.push(`: ${said.comments[i]}`);
    if (said.corrections[i]) parts.push(` → ${said.corrections[i]}`);
    return (said.marks[i] ?? null) === null && parts.length === 1 ? "" : parts.join("");
  }

  #listen() {
    this.form.addEventListener("change", (event) => {
      const { name, value, type } = event.target;
      if (type !== "radio") return;
      const [part, index] = name.split("-");
      if (part === "mark") { this.go(Number(index), false); this.#act((s) => rate(s, Number(index), Number(value))); }
      else if (part === "verdict") this.#act((s) => { s.verdict = value; });
      else if (part === "confidence") this.#act((s) => { s.confidence = Number(value); });
    });
    this.form.addEventListener("input", (event) => {
      const [part, index] = event.target.name.split("-");
      if (part !== "comment" && part !== "correction") return;
      this.state[`${part}s`][index] = event.target.value;
      this.open.add(event.target.name);
      this.hooks.changed();
    });
    this.form.addEventListener("focusin", (event) => {
      const card = event.target.closest(".step-card");
      if (card) this.go(Number(card.dataset.step), false);
    });
    this.form.addEventListener("click", (event) => {
      const card = event.target.closest(".step-card");
      if (card) this.go(Number(card.dataset.step), false);
    });
  }

  #act(change) {
    this.history.remember({ state: this.state, cursor: this.cursor });
    this.hooks.say(change(this.state) || "");
    this.render();
    this.hooks.changed();
  }

  go(i, focus = true) {
    const to = Math.max(0, Math.min(this.cards.length - 1, i));
    if (to !== this.cursor) this.hooks.dwell(to);
    this.cursor = to;
    this.cards.forEach((card, j) => (j === to ? card.setAttribute("aria-current", "step") : card.removeAttribute("aria-current")));
    if (focus && this.cards[to]) {
      this.cards[to].focus({ preventScroll: true });
      this.cards[to].scrollIntoView({ block: "nearest" });
    }
  }

  render() {
    const s = this.state;
    this.cards.forEach((card, i) => {
      const mark = s.marks[i];
      const after = s.first_error !== null && i > s.first_error;
      card.classList.toggle("first", i === s.first_error);
      card.classList.toggle("after", after);
      const sign = slot(card, "mark");
      sign.textContent = mark === null ? "·" : SIGN[mark];
      sign.className = `mark ${mark === 1 ? "good" : ""}${mark === -1 ? "bad" : ""}`;
      fill(card, "flag", i === s.first_error ? "first error" : after ? "unjudged" : "");
      choose(card, `mark-${i}`, mark);
      for (const part of ["comment", "correction"]) {
        const field = card.querySelector(`textarea[name="${part}-${i}"]`);
        const text = s[`${part}s`][i] ?? "";
        if (field.value !== text) field.value = text;
        const unused = part === "correction" && (after || mark === 1); // nothing to correct in a good step
        field.closest(".step-text-field").classList.toggle("open", !unused && (text !== "" || this.open.has(field.name)));
      }
    });
    choose(this.form, "verdict", verdict(s));
    choose(this.form, "confidence", s.confidence);
    const rated = s.marks.filter((m) => m !== null).length;
    const rest = s.marks.length - limit(s);
    fill(this.form, "progress", rest ? `First error: step ${s.first_error + 1}. ${rest} after it stay unjudged.` : `${rated} of ${s.marks.length} steps rated`);
    this.go(this.cursor, false);
  }

  #edit(part) {
    const i = this.cursor;
    if (part === "correction") {
      if (this.state.first_error !== null && i > this.state.first_error) return this.hooks.say("What follows the first error is not corrected.");
      if (this.state.marks[i] === null || this.state.marks[i] === 1) this.#act((s) => firstErrorHere(s, i)); // a step worth correcting is wrong
      if (!this.state.corrections[i]) this.state.corrections[i] = this.texts[i];
    }
    this.open.add(`${part}-${i}`);
    this.render();
    const field = this.form.querySelector(`textarea[name="${part}-${i}"]`);
    field.focus();
    if (part === "correction") field.select();
  }

  key(key) {
    const i = this.cursor;
    const marks = { 1: -1, 2: 0, 3: 1 };
    if (key === "j" || key === "ArrowDown") this.go(i + 1);
    else if (key === "k" || key === "ArrowUp") this.go(i - 1);
    else if (key in marks) {
      this.#act((s) => rate(s, i, marks[key]));
      this.go(this.state.marks[i] === marks[key] && marks[key] !== -1 ? i + 1 : i);
    } else if (key === "b") this.#act((s) => firstErrorHere(s, i));
    else if (key === "a") this.#act((s) => restGood(s));
    else if (key === "c") this.#edit("comment");
    else if (key === "e") this.#edit("correction");
    else if (key === "v") this.#act((s) => { s.verdict = { right: "wrong", wrong: "unknown" }[verdict(s)] ?? "right"; });
    else if (key === "q") this.#act((s) => { s.confidence = ((s.confidence ?? 0) % 4) + 1; });
    else return false;
    return true;
  }

  undo() {
    const before = this.history.back();
    if (!before) return this.hooks.say("Nothing to undo.");
    Object.assign(this, before);
    this.render();
    this.go(this.cursor);
    this.hooks.changed();
  }

  draft() {
    return { ...this.state, cursor: this.cursor };
  }

  restore(draft) {
    const fits = Array.isArray(draft?.marks) && draft.marks.length === this.texts.length;
    if (fits) {
      const { cursor, ...state } = draft;
      Object.assign(this.state, structuredClone(state));
      this.cursor = Number.isInteger(cursor) ? cursor : 0;
    }
    this.render();
  }

  problem() {
    const at = unrated(this.state);
    if (at === -1) return "";
    this.go(at);
    return `Step ${at + 1} is not rated yet. Rate it, press b at the first error, or a if the rest is good.`;
  }

  payload() {
    const s = this.state;
    const written = (texts, keep) =>
      Object.fromEntries(Object.entries(texts).map(([i, t]) => [i, t.trim()]).filter(([i, t]) => t && keep(Number(i), t)));
    return {
      marks: s.marks,
      first_error: s.first_error,
      comments: written(s.comments, () => true),
      corrections: written(s.corrections, (i, t) => i < limit(s) && s.marks[i] !== 1 && t !== this.texts[i].trim()),
      verdict: verdict(s),
      confidence: s.confidence,
    };
  }

  start() {
    this.go(this.cursor);
  }
}
