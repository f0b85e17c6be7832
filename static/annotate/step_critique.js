// Step critique: a cursor over steps, and the state that every key changes.
import { t } from "../base/i18n.js";
import { box, choose, fill, slot } from "./dom.js";
import { History } from "./history.js";
import { WORD, after, firstErrorHere, isRated, limit, marked, rate, restGood, unrated, verdict } from "./marks.js";
import { WordCursor, drawPassages, joined, selectedSpan, without } from "./passage.js";
import { StepCards, shownSpans } from "./step_cards.js";
import { StepPanel } from "./step_panel.js";

const MARKS = { 1: -1, 2: 0, 3: 1, 4: "unsure", 0: null };
const VERDICT = { right: t("right"), wrong: t("wrong"), unknown: t("unknown") };
// Characters as the server counts them: code points, where a script counts halves of some.
const points = (text, at) => [...text.slice(0, at)].length;
const units = (text, at) => [...text].slice(0, at).join("").length;

export class StepCritique {
  constructor(form, item, hooks) {
    Object.assign(this, { form, item, hooks, history: new History() });
    this.texts = item.responses[0].steps.map((step) => step.text);
    this.state = this.#blank();
    this.cursor = 0;
    this.words = null; // the word cursor, while a passage is being chosen
    this.cards = new StepCards(form, item);
    this.panel = new StepPanel(form, item, {
      rate: (mark) => this.#rate(mark),
      kind: (n) => this.#kind(n),
      write: (part, text) => this.#write(part, text),
      writing: (part) => { this.writing = { part, step: this.cursor, remembered: false }; },
      leave: () => this.start(),
      unmark: (span) => this.#act((s) => { s.spans[this.cursor] = without(s.spans[this.cursor], span); }),
      markSelection: () => this.#markSelection(),
    });
    this.alternatives = null;
    if (hooks.Alternatives) this.alternatives = new hooks.Alternatives(slot(form, "alternatives"), item, this.#forAlternatives());
    fill(form, "count", this.texts.length);
    box(form, "cut", item.responses[0].finish === "length");
    box(form, "model", item.model_critique !== null);
    fill(form, "model-verdict", VERDICT[item.model_critique?.verdict] ?? "");
    this.#listen();
  }

  #blank() {
    return {
      marks: this.texts.map(() => null),
      first_error: null,
      unsure: [],
      kinds: {},
      comments: {},
      corrections: {},
      spans: {},
      verdict: "", // the person's own word; empty: follows from the marks
      confidence: null,
      branches: [],
    };
  }

  #listen() {
    this.form.addEventListener("change", ({ target: { name, value, type } }) => {
      if (type !== "radio") return;
      if (name === "verdict") this.#act((s) => { s.verdict = value; });
      else if (name === "confidence") this.#act((s) => { s.confidence = Number(value); });
    });
    for (const happened of ["focusin", "click"]) {
      this.form.addEventListener(happened, (event) => {
        const card = event.target.closest(".step-card");
        if (card) this.go(Number(card.dataset.step), false);
      });
    }
    this.selected = () => {
      if (!this.form.isConnected) { document.removeEventListener("selectionchange", this.selected); return; }
      this.panel.selection(this.words ? null : this.#selection());
    };
    document.addEventListener("selectionchange", this.selected);
  }

  // ---- changing the state: always through here, so that it can be undone -----------------------------------

  #now() {
    return { state: this.state, cursor: this.cursor };
  }

  #act(change) {
    this.history.remember(this.#now());
    this.hooks.say(change(this.state) || "");
    this.render();
    this.hooks.changed();
  }

  #write(part, text) {
    if (!this.writing?.remembered) { // one visit to a field is one step of undo
      this.history.remember(this.#now());
      this.writing = { ...this.writing, remembered: true };
    }
    this.state[`${part}s`][this.cursor] = text;
    if (part === "correction") this.panel.renderDiff(this.state, this.cursor);
    this.cards.render(this.state, this.cursor);
    this.hooks.changed();
  }

  #rate(mark) {
    const i = this.cursor;
    this.#act((s) => rate(s, i, mark));
    const taken = marked(this.state, i) === mark;
    if (taken && mark !== null) this.hooks.say(t("Step {step}: {word}.", { step: i + 1, word: WORD[mark] }), true);
    if (taken && mark !== null && mark !== -1 && this.hooks.advance) this.go(i + 1);
    else this.go(i);
  }

  #kind(n) {
    const kind = this.panel.kinds[n];
    this.#act((s) => { if (kind) s.kinds[this.cursor] = kind; else delete s.kinds[this.cursor]; });
    if (kind) this.hooks.say(t("Kind of error: {kind}.", { kind }), true);
    this.start();
  }

  undo() {
    this.#restoreSnapshot(this.history.back(this.#now()), t("Nothing to undo."));
  }

  redo() {
    this.#restoreSnapshot(this.history.forward(this.#now()), t("Nothing to redo."));
  }

  #restoreSnapshot(found, otherwise) {
    if (!found) return this.hooks.say(otherwise);
    this.#leavePassage();
    this.state = found.state;
    this.hooks.dwell(found.cursor);
    this.cursor = found.cursor;
    this.alternatives?.restore(this.state.branches);
    this.render();
    this.go(this.cursor);
    this.hooks.changed();
  }

  // ---- moving ------------------------------------------------------------------------------------------------

  go(i, focus = true) {
    const to = Math.max(0, Math.min(this.texts.length - 1, i));
    if (to !== this.cursor) {
      this.#leavePassage();
      this.hooks.dwell(to);
      this.cursor = to;
      this.panel.render(this.state, to);
    }
    this.cards.go(to);
    this.alternatives?.show(to);
    const card = this.cards.cards[to];
    if (!focus || !card) return;
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  }

  start() {
    this.panel.open(false);
    this.go(this.cursor);
  }

  render() {
    const s = this.state;
    this.cards.render(s, this.cursor);
    this.panel.render(s, this.cursor);
    choose(this.form, "verdict", verdict(s));
    choose(this.form, "confidence", s.confidence);
    const rated = s.marks.filter((_, i) => isRated(s, i)).length;
    const rest = s.marks.length - limit(s);
    fill(this.form, "progress", rest
      ? t("First error: step {step}. Unjudged after it: {n}.", { step: s.first_error + 1, n: rest })
      : t("{rated} of {n} steps rated", { rated, n: s.marks.length }));
  }

  // ---- writing -------------------------------------------------------------------------------------------------

  #correct() {
    const i = this.cursor;
    if (after(this.state, i)) return this.hooks.say(t("What follows the first error is not corrected."));
    if (![-1, 0].includes(this.state.marks[i])) this.#act((s) => firstErrorHere(s, i)); // a step worth correcting is wrong
    if (!this.state.corrections[i]) this.panel.fields.correction.value = this.texts[i]; // stored once it is changed
    this.panel.write("correction");
  }

  // ---- wrong passages ------------------------------------------------------------------------------------------

  #selection() {
    return after(this.state, this.cursor) ? null : selectedSpan(this.cards.at(this.cursor));
  }

  #wrongFirst() {
    const i = this.cursor;
    if (after(this.state, i)) { this.hooks.say(t("What follows the first error is not judged.")); return false; }
    return true;
  }

  #keepSpan(span) {
    this.#act((s) => {
      const said = s.marks[this.cursor] === -1 ? "" : firstErrorHere(s, this.cursor); // a wrong passage makes the step wrong
      s.spans[this.cursor] = joined([...(s.spans[this.cursor] ?? []), span]);
      return said;
    });
  }

  #markSelection() {
    const span = this.#selection();
    if (!span || !this.#wrongFirst()) return false;
    window.getSelection().removeAllRanges();
    this.#keepSpan(span);
    this.start();
    return true;
  }

  #passage() {
    if (this.#selection()) return this.#markSelection();
    if (!this.#wrongFirst()) return false;
    const words = new WordCursor(this.texts[this.cursor]);
    if (!words.words.length) return this.hooks.say(t("This step has no words."));
    this.words = words;
    this.cards.fold(this.cursor, true);
    this.#drawWords();
    return true;
  }

  #drawWords() {
    const [start, end] = this.words.span;
    const text = this.texts[this.cursor];
    drawPassages(this.cards.at(this.cursor), text, this.state.spans[this.cursor] ?? [], [start, end]);
    box(this.form, "word-keys", true);
    this.hooks.say(text.slice(start, end), true);
  }

  #leavePassage() {
    if (!this.words) return;
    this.words = null;
    box(this.form, "word-keys", false);
    this.cards.redraw(this.cursor, shownSpans(this.state, this.cursor));
  }

  #wordKey({ key, shiftKey }) {
    const { span } = this.words;
    if (key === "Tab") { this.#leavePassage(); return false; }
    if (this.words.move(key, shiftKey)) this.#drawWords();
    else if (key === "Enter") { this.#leavePassage(); this.#keepSpan(span); }
    else if (key === "Escape" || key === "w") this.#leavePassage();
    else if (key === "Backspace" || key === "Delete") {
      this.#leavePassage();
      this.#act((s) => { s.spans[this.cursor] = without(s.spans[this.cursor] ?? [], span); });
    }
    return true;
  }

  // ---- keys --------------------------------------------------------------------------------------------------

  // While something small is being chosen, every key belongs to it.
  capture(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (this.words) return this.#wordKey(event);
    if (this.panel.inKinds) return this.panel.kindKey(event.key);
    return this.alternatives?.capture?.(event) ?? false;
  }

  key(key) {
    const i = this.cursor;
    if (this.alternatives?.key(key)) return true;
    if (key === "j") this.go(i + 1);
    else if (key === "k") this.go(i - 1);
    else if (key in MARKS) this.#rate(MARKS[key]);
    else if (key === "b") this.#act((s) => firstErrorHere(s, i));
    else if (key === "a") this.#act((s) => restGood(s));
    else if (key === "n") this.#nextUnrated();
    else if (key === "t") this.#chooseKind();
    else if (key === "w") this.#passage();
    else if (key === "c") this.panel.write("comment");
    else if (key === "e") this.#correct();
    else if (key === "r") this.#ask();
    else if (key === "v") this.#act((s) => { s.verdict = { right: "wrong", wrong: "unknown" }[verdict(s)] ?? "right"; });
    else if (key === "q") this.#act((s) => { s.confidence = ((s.confidence ?? 0) % 4) + 1; });
    else if (key === "o") this.#fold();
    else if (key === "m") this.panel.open();
    else return false;
    return true;
  }

  #nextUnrated() {
    const at = unrated(this.state, this.cursor + 1);
    if (at === -1) this.hooks.say(t("Every step is rated."));
    else this.go(at);
  }

  #chooseKind() {
    if (!this.panel.kinds.length) this.hooks.say(t("This project has no kinds of error; a lead can add them to the queue."));
    else if (this.state.marks[this.cursor] !== -1) this.hooks.say(t("Only a step that is marked wrong has a kind of error."));
    else this.panel.chooseKind();
  }

  #fold() {
    if (!this.cards.fold(this.cursor)) this.hooks.say(t("This step is not folded."));
  }

  // What alternatives ask of the steps: what stands before them, and what becomes of the one that is taken.
  #forAlternatives() {
    const { say, assignment } = this.hooks;
    const better = (s, i) => (s.marks[i] === 1 || after(s, i) ? "" : (s.corrections[i] ?? "").trim());
    return {
      say, assignment,
      refuses: (step) => {
        const error = this.state.first_error;
        return error === null || step <= error || better(this.state, error) ? "" : t("Step {n} is wrong: ask from there, or correct it first.", { n: error + 1 });
      },
      corrections: (step) =>
        Object.fromEntries(this.texts.slice(0, step).map((_, i) => [i, better(this.state, i)]).filter(([, text]) => text)),
      rated: (branches) => this.#act((s) => { s.branches = branches; }),
      taken: (branches, step, text, { chosen, edit }) => {
        this.#act((s) => {
          s.branches = branches;
          if (!chosen && s.corrections[step] === text) delete s.corrections[step];
          if (!chosen || !text || s.marks[step] === 1 || after(s, step)) return "";
          s.corrections[step] = text;
          return s.marks[step] === null ? firstErrorHere(s, step) : ""; // what is replaced was wrong
        });
        if (edit) this.panel.write("correction");
      },
      leave: () => this.start(),
    };
  }

  #ask() {
    if (!this.alternatives) return this.hooks.say(t("Alternatives are not to be had here."));
    this.panel.open(true);
    this.alternatives.ask(this.cursor);
  }

  // ---- what goes out and comes in ------------------------------------------------------------------------------

  draft() {
    const { verdict: own } = this.state; // "": none of their own, so it goes on following the marks
    return { ...this.state, verdict: verdict(this.state), own, branches: this.#branches(), cursor: this.cursor };
  }

  #branches() {
    return this.alternatives?.branches() ?? this.state.branches;
  }

  restore(draft) {
    const fits = Array.isArray(draft?.marks) && draft.marks.length === this.texts.length;
    if (fits) {
      const { cursor, own, ...state } = draft;
      this.state = { ...this.#blank(), ...structuredClone(state), verdict: "" };
      this.state.verdict = own ?? (draft.verdict === verdict(this.state) ? "" : draft.verdict ?? "");
      this.cursor = Number.isInteger(cursor) && cursor < this.texts.length ? cursor : 0;
      this.alternatives?.restore(this.state.branches);
    }
    this.render();
  }

  // An answer as the server has it, as a draft: passages are counted in other units.
  fromAnswer(answer) {
    const spans = Object.entries(answer.spans ?? {}).map(([i, list]) => [i, list.map((span) => span.map((at) => units(this.texts[i], at)))]);
    return { ...answer, spans: Object.fromEntries(spans) };
  }

  problem() {
    const at = unrated(this.state);
    if (at === -1) return "";
    this.go(at);
    return t("Step {step} is not rated yet. Rate it, press {first} at the first error, or {rest} if the rest is good.", {
      step: at + 1, first: this.hooks.cap("first_error"), rest: this.hooks.cap("rest_good"),
    });
  }

  payload() {
    const s = this.state;
    const wrong = (i) => s.marks[i] === -1;
    const some = (values, keep, made = (v) => v) =>
      Object.fromEntries(Object.entries(values).map(([i, v]) => [i, made(v, i)]).filter(([i, v]) => v.length && keep(Number(i), v)));
    const trimmed = (text) => text.trim();
    return {
      marks: s.marks,
      first_error: s.first_error,
      unsure: [...s.unsure].sort((a, b) => a - b),
      kinds: some(s.kinds, wrong),
      comments: some(s.comments, () => true, trimmed),
      corrections: some(s.corrections, (i, text) => i < limit(s) && s.marks[i] !== 1 && text !== this.texts[i].trim(), trimmed),
      spans: some(s.spans, wrong, (list, i) => list.map((span) => span.map((at) => points(this.texts[i], at)))),
      verdict: verdict(s),
      confidence: s.confidence,
      branches: this.#branches(),
    };
  }

  // The same in words, line by line, to lay two versions side by side.
  describe(draft) {
    const s = { ...this.#blank(), ...draft };
    const lines = this.texts.map((_, i) => {
      const words = [after(s, i) ? t("unjudged") : WORD[marked(s, i)], s.kinds[i], s.comments[i], s.corrections[i] && `→ ${s.corrections[i]}`];
      return [t("Step {n}", { n: i + 1 }), words.filter(Boolean).join(" · ")];
    });
    return [...lines, [t("Overall"), VERDICT[verdict(s)] ?? ""], [t("How sure"), s.confidence ? `${s.confidence} / 4` : ""]];
  }
}
