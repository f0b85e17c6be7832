// The model's critiques of a response: one is accepted, edited or rejected; of two the better is chosen.
import { t } from "../base/i18n.js";
import { markDifferences } from "./align.js";
import { drawDiff } from "./diff.js";
import { box, choose, clone, element, fill, rich, slot } from "./dom.js";
import { History } from "./history.js";
import { SIGN, WORD, firstErrorHere, limit, rate, restGood, unrated, verdict } from "./marks.js";
import { chooserFill, strengthWord, winnerOf, winnerWords } from "./winner.js";

const VERDICT = { right: t("right"), wrong: t("wrong"), unknown: t("unknown") };
const DECISION = { accept: t("Accept"), edit: t("Edit"), reject: t("Reject") };
const PARTS = ["comment", "correction"];

// What both kinds of review share: steps with the critiques beside them, a cursor, undo.
class Review {
  constructor(form, item, hooks) {
    Object.assign(this, { form, item, hooks, history: new History(), cursor: 0 });
    this.texts = item.responses[0].steps.map((step) => step.text);
    this.#build();
    form.addEventListener("focusin", (event) => this.#under(event));
    form.addEventListener("click", (event) => this.#under(event));
    form.addEventListener("input", (event) => {
      if (event.target.name !== "rationale") return;
      this.state.reason = event.target.value;
      this.hooks.changed();
    });
  }

  #build() {
    const { critiques, responses } = this.item;
    const pair = critiques.length === 2;
    this.steps = responses[0].steps.map((step, i) => {
      const row = clone("tpl-critique");
      row.dataset.step = i;
      fill(row, "number", i + 1);
      rich(slot(row, "text"), step.text, step.html);
      slot(row, "said").replaceChildren(...critiques.map((critique, position) => said(critique, i, pair ? position + 1 : 0)));
      for (const input of row.querySelectorAll("[name]")) input.name = `${input.name.split("-")[0]}-${i}`;
      for (const part of PARTS) {
        const field = row.querySelector(`[data-field=${part}]`);
        field.querySelector("textarea").id = `${part}-${i}`;
        field.querySelector("label").htmlFor = `${part}-${i}`;
      }
      if (pair) {
        row.classList.toggle("differs", critiques[0].marks[i] !== critiques[1].marks[i]);
        const texts = [...row.querySelectorAll(".said-texts")];
        if (texts.every((place) => place.textContent)) markDifferences(texts);
      }
      return row;
    });
    slot(this.form, "steps").replaceChildren(...this.steps);
    slot(this.form, "verdicts").replaceChildren(...critiques.map((critique, position) => {
      const head = element("p", "label", pair ? t("Critique {n}", { n: position + 1 }) : t("The model’s critique"));
      const kind = { right: "good", wrong: "bad" }[critique.verdict] ?? "";
      head.append(" ", element("span", `badge ${kind}`, VERDICT[critique.verdict] ?? critique.verdict));
      return head;
    }));
    slot(this.form, "review").classList.toggle("of-two", pair);
    box(this.form, "one", !pair);
    box(this.form, "two", pair);
    box(this.form, "edit", false);
  }

  #under(event) {
    const row = event.target.closest(".review-step");
    if (row) this.go(Number(row.dataset.step), false);
  }

  act(change) {
    this.history.remember(this.snapshot());
    this.hooks.say(change(this.state) || "");
    this.render();
    this.hooks.changed();
  }

  snapshot() {
    return { state: this.state, cursor: this.cursor };
  }

  go(i, focus = true) {
    const to = Math.max(0, Math.min(this.steps.length - 1, i));
    if (to !== this.cursor) this.hooks.dwell(to);
    this.cursor = to;
    this.steps.forEach((row, j) => (j === to ? row.setAttribute("aria-current", "step") : row.removeAttribute("aria-current")));
    if (focus && this.steps[to]) {
      this.steps[to].focus({ preventScroll: true });
      this.steps[to].scrollIntoView({ block: "nearest" });
    }
  }

  get why() {
    return this.form.querySelector("[name=rationale]");
  }

  render() {
    if (this.why.value !== this.state.reason) this.why.value = this.state.reason;
    this.go(this.cursor, false);
  }

  key(key) {
    if (key === "j" || key === "ArrowDown") this.go(this.cursor + 1);
    else if (key === "k" || key === "ArrowUp") this.go(this.cursor - 1);
    else if (key === "c" || key === "w") this.why.focus();
    else return false;
    return true;
  }

  #travel(found, nothing) {
    if (!found) return this.hooks.say(nothing);
    this.state = this.kept(found.state);
    this.cursor = found.cursor;
    this.render();
    this.go(this.cursor);
    this.hooks.changed();
  }

  // Typing has an undo of its own: what is written stays.
  kept(state) {
    return { ...state, reason: this.state.reason };
  }

  undo() {
    this.#travel(this.history.back(this.snapshot()), t("Nothing to undo."));
  }

  redo() {
    this.#travel(this.history.forward(this.snapshot()), t("Nothing to redo."));
  }

  draft() {
    return { ...structuredClone(this.state), cursor: this.cursor };
  }

  start() {
    this.go(this.cursor);
  }
}

// One step of a critique, as the model gave it.
function said(critique, i, number) {
  const mark = critique.marks[i] ?? null;
  const place = element("div", "said", "");
  if (number) place.append(element("span", "said-number", number));
  const sign = element("span", `mark ${mark === 1 ? "good" : mark === -1 ? "bad" : ""}`, SIGN[mark]);
  sign.setAttribute("aria-hidden", "true");
  const texts = element("div", "said-texts", "");
  const { comments, corrections } = critique;
  if (comments[i]) texts.append(element("p", "", comments[i]));
  if (corrections[i]) texts.append(element("p", "mono", `→ ${corrections[i]}`));
  place.append(sign, element("span", "said-word", i === critique.first_error ? t("first error") : WORD[mark]), texts);
  return place;
}

class OneCritique extends Review {
  constructor(form, item, hooks) {
    super(form, item, hooks);
    const { marks, first_error, comments, corrections, verdict: word } = item.critiques[0];
    this.original = { marks: this.texts.map((_, i) => marks[i] ?? null), first_error, comments, corrections, verdict: word, unsure: [] };
    if (first_error !== null) this.original.marks.fill(null, first_error + 1);
    this.state = { decision: "", edited: structuredClone(this.original), reason: "" };
    this.open = new Set(); // fields shown although empty: "comment-2"
    form.addEventListener("change", (event) => this.#changed(event.target));
    form.addEventListener("input", (event) => this.#typed(event.target));
    form.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-do]");
      if (button) this.#write(button.dataset.do);
    });
  }

  get editing() {
    return this.state.decision === "edit";
  }

  #changed({ name, value, type }) {
    if (type !== "radio") return;
    const [part, index] = name.split("-");
    if (part === "decision") this.#decide(value);
    else if (part === "mark") { this.go(Number(index), false); this.#mark((s) => rate(s, Number(index), Number(value))); }
    else if (part === "verdict") this.act((s) => { s.edited.verdict = value; });
  }

  #typed({ name, value }) {
    const [part, index] = name.split("-");
    if (!PARTS.includes(part)) return;
    this.state.edited[`${part}s`][index] = value;
    this.open.add(name);
    this.#differences(Number(index));
    this.hooks.changed();
  }

  #decide(decision) {
    this.act((s) => { s.decision = decision; });
    if (decision === "edit") this.go(Math.max(0, this.original.first_error ?? 0));
    if (decision === "reject" && !this.state.reason.trim()) this.why.focus();
  }

  // Once the steps are judged anew, the verdict follows from them unless it is given.
  #mark(change) {
    this.act((s) => {
      const before = s.edited.first_error;
      const refused = change(s.edited);
      if (s.edited.first_error !== before) s.edited.verdict = "";
      return refused;
    });
  }

  kept(state) {
    const { comments, corrections } = this.state.edited;
    return { ...super.kept(state), edited: { ...state.edited, comments, corrections } };
  }

  #changes() {
    const { original, state: { edited } } = this;
    const texts = (part, i) => (edited[part][i] ?? "").trim() !== (original[part][i] ?? "").trim();
    const steps = this.texts.map((_, i) => edited.marks[i] !== original.marks[i] || texts("comments", i) || texts("corrections", i));
    return { steps, verdict: verdict(edited) !== original.verdict };
  }

  #differences(i) {
    const { original, state: { edited } } = this;
    const row = this.steps[i];
    const changed = this.#changes().steps[i];
    const marked = edited.marks[i] !== original.marks[i];
    fill(row, "was", marked ? t("was {word}", { word: WORD[original.marks[i]] }) : changed ? t("changed") : "");
    for (const part of PARTS) {
      const [before, now] = [original[`${part}s`][i] ?? "", (edited[`${part}s`][i] ?? "").trim()];
      const place = slot(row, `${part}-diff`);
      place.hidden = before === "" || before === now;
      if (!place.hidden) drawDiff(place, before, now);
    }
    row.classList.toggle("edited", this.editing && changed);
  }

  render() {
    const { edited, decision } = this.state;
    choose(this.form, "decision", decision);
    choose(this.form, "verdict", verdict(edited));
    box(this.form, "edit", this.editing);
    box(this.form, "editing", this.editing);
    slot(this.form, "review").classList.toggle("editing", this.editing);
    slot(this.form, "review").classList.toggle("rejected", decision === "reject");
    this.steps.forEach((row, i) => {
      const after = edited.first_error !== null && i > edited.first_error;
      row.classList.toggle("first", this.editing && i === edited.first_error);
      row.classList.toggle("after", this.editing && after);
      choose(row, `mark-${i}`, edited.marks[i]);
      for (const part of PARTS) {
        const field = row.querySelector(`[name="${part}-${i}"]`);
        const text = edited[`${part}s`][i] ?? "";
        if (field.value !== text) field.value = text;
        const unused = after || (part === "correction" && edited.marks[i] === 1);
        field.closest(".edit-field").hidden = unused || (text === "" && !this.open.has(field.name));
      }
      this.#differences(i);
    });
    const changes = this.#changes();
    const count = changes.steps.filter(Boolean).length;
    fill(this.form, "progress", {
      accept: t("The critique becomes yours as it is."),
      edit: count || changes.verdict ? t("Steps changed: {n}.", { n: count }) : t("Nothing is changed yet."),
      reject: t("The critique is thrown away. Say why: it tells what the model gets wrong."),
    }[decision] ?? t("Accept, edit or reject the critique."));
    super.render();
  }

  #write(part) {
    const i = this.cursor;
    const { edited } = this.state;
    if (edited.first_error !== null && i > edited.first_error) return this.hooks.say(t("What follows the first error is not judged."));
    if (part === "correction") {
      if (edited.marks[i] === null || edited.marks[i] === 1) this.#mark((s) => firstErrorHere(s, i)); // a step worth correcting is wrong
      if (!edited.corrections[i]) edited.corrections[i] = this.texts[i];
    }
    this.open.add(`${part}-${i}`);
    this.render();
    const field = this.form.querySelector(`[name="${part}-${i}"]`);
    field.focus();
    if (part === "correction") field.select();
    return undefined;
  }

  #editKey(key) {
    const i = this.cursor;
    const marks = { 1: -1, 2: 0, 3: 1 };
    if (key in marks) {
      this.#mark((s) => rate(s, i, marks[key]));
      this.go(this.state.edited.marks[i] === marks[key] && marks[key] !== -1 ? i + 1 : i);
    } else if (key === "b") this.#mark((s) => firstErrorHere(s, i));
    else if (key === "a") this.#mark((s) => restGood(s));
    else if (key === "c") this.#write("comment");
    else if (key === "e") this.#write("correction");
    else if (key === "v") this.act((s) => { s.edited.verdict = { right: "wrong", wrong: "unknown" }[verdict(s.edited)] ?? "right"; });
    else if (key === "Escape") this.#decide("");
    else return super.key(key);
    return true;
  }

  key(key) {
    if (this.editing) return this.#editKey(key);
    const decision = { 1: "accept", a: "accept", 2: "edit", e: "edit", 3: "reject" }[key];
    if (!decision) return super.key(key);
    this.#decide(decision);
    return true;
  }

  describe({ decision, edited, reason }) {
    const lines = [[t("Decision"), DECISION[decision] ?? ""], [t("Why"), reason]];
    if (decision === "edit") {
      edited.marks.forEach((mark, i) => {
        const words = [WORD[mark], edited.comments[i], edited.corrections[i] && `→ ${edited.corrections[i]}`];
        lines.push([t("Step {n}", { n: i + 1 }), words.filter(Boolean).join("\n")]);
      });
    }
    return lines.filter(([, words]) => words);
  }

  restore(draft) {
    if (draft && "decision" in draft) {
      const { decision, reason, cursor } = draft;
      this.state.decision = decision;
      this.state.reason = reason ?? "";
      if (draft.edited?.marks?.length === this.texts.length) {
        this.state.edited = { ...structuredClone(this.original), ...structuredClone(draft.edited), unsure: [] };
      }
      this.cursor = Number.isInteger(cursor) ? cursor : 0;
    }
    this.render();
  }

  problem() {
    const { decision, edited, reason } = this.state;
    if (decision === "reject" && !reason.trim()) {
      this.why.focus();
      return t("Say in a few words why you reject the critique.");
    }
    if (decision !== "edit") return decision ? "" : t("Accept the critique (1), edit it (2) or reject it (3).");
    const at = unrated(edited);
    if (at !== -1) {
      this.go(at);
      return t("Step {n} is not rated yet.", { n: at + 1 });
    }
    const changes = this.#changes();
    if (changes.verdict || changes.steps.some(Boolean)) return "";
    return t("Nothing is changed. Change the critique, or press Esc and accept it.");
  }

  payload() {
    const { decision, reason } = this.state;
    return { decision, reason: reason.trim(), ...(this.editing && { edited: this.#content() }) };
  }

  #content() {
    const { edited } = this.state;
    const last = limit(edited);
    const written = (texts, keep) => Object.fromEntries(Object.entries(texts)
      .map(([i, text]) => [i, text.trim()])
      .filter(([i, text]) => text && Number(i) < last && keep(Number(i), text)));
    return {
      marks: edited.marks,
      first_error: edited.first_error,
      comments: written(edited.comments, () => true),
      corrections: written(edited.corrections, (i, text) => edited.marks[i] !== 1 && text !== this.texts[i].trim()),
      verdict: verdict(edited),
    };
  }
}

class TwoCritiques extends Review {
  constructor(form, item, hooks) {
    super(form, item, hooks);
    this.shown = item.critiques.map((critique) => critique.critique); // display position -> critique
    chooserFill(form, this.shown, (n) => t("Critique {n}", { n }));
    this.state = { decision: "prefer", winner: null, strength: 2, reason: "" }; // winner: index, "tie" or "all_bad"
    form.addEventListener("change", ({ target: { name, value } }) => {
      if (name === "winner") this.act((s) => { s.winner = /^\d+$/.test(value) ? Number(value) : value; });
      else if (name === "strength") this.act((s) => { s.strength = Number(value); });
    });
  }

  render() {
    const { winner, strength } = this.state;
    choose(this.form, "winner", winner);
    choose(this.form, "strength", strength);
    for (const radio of this.form.querySelectorAll("[name=strength]")) radio.disabled = typeof winner !== "number";
    slot(this.form, "review").dataset.chosen = this.shown.indexOf(winner);
    super.render();
  }

  key(key) {
    const harder = (by) => this.act((s) => { s.strength = Math.max(1, Math.min(3, s.strength + by)); });
    const chosen = this.shown[Number(key) - 1];
    if (chosen !== undefined) {
      if (this.state.winner === chosen) harder(1);
      else this.act((s) => { s.winner = chosen; });
      this.hooks.say(t("Critique {n} is {strength} better.", { n: key, strength: strengthWord(this.state.strength) }), true);
    } else if (key === "0" || key === "t") this.act((s) => { s.winner = "tie"; });
    else if (key === "-") this.act((s) => { s.winner = "all_bad"; });
    else if (key === "[") harder(-1);
    else if (key === "]") harder(1);
    else return super.key(key);
    return true;
  }

  fromAnswer(answer) {
    return { ...answer, winner: winnerOf(answer) };
  }

  restore(draft) {
    if (draft && "winner" in draft) {
      const { winner, strength, reason, cursor } = draft;
      Object.assign(this.state, { winner, strength: strength ?? 2, reason: reason ?? "" });
      this.cursor = Number.isInteger(cursor) ? cursor : 0;
    }
    this.render();
  }

  describe({ winner, strength, reason }) {
    const lines = [
      [t("Better"), winnerWords(winner, (c) => t("Critique {n}", { n: this.shown.indexOf(c) + 1 }))],
      [t("Better by"), typeof winner === "number" ? strengthWord(strength) : ""],
      [t("Why"), reason],
    ];
    return lines.filter(([, words]) => words);
  }

  problem() {
    const { winner } = this.state;
    return winner === null ? t("Choose the better critique, 0 for a tie, or - when both are bad.") : "";
  }

  payload() {
    const { winner, strength, reason } = this.state;
    const single = typeof winner === "number" ? winner : null;
    return { decision: "prefer", winner: single, all_bad: winner === "all_bad", strength, reason: reason.trim() };
  }
}

export function CritiqueReview(form, item, hooks) {
  return item.critiques.length === 2 ? new TwoCritiques(form, item, hooks) : new OneCritique(form, item, hooks);
}
