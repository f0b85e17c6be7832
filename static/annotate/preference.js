// Two to four responses compared. Whatever is shown where, answers name the candidate's own index.
import { t } from "../base/i18n.js";
import { align, markDifferences } from "./align.js";
import { Criteria } from "./criteria.js";
import { box, choose, clone, element, fill, rich, slot } from "./dom.js";
import { History } from "./history.js";
import { Ranking } from "./ranking.js";
import { chooserFill, strengthWord, winnerOf, winnerWords } from "./winner.js";

const RANKING_HINT = t("Press the numbers from best to worst; = before a number makes it equal to the one before.");

export class Preference {
  constructor(form, item, hooks) {
    Object.assign(this, { form, item, hooks, history: new History() });
    this.shown = item.responses.map((response) => response.candidate); // display position -> candidate
    // winner: candidate index, "tie" or "all_bad"; ranking as the answer has it
    this.state = { winner: null, strength: 2, rationale: "", ranking: [], ratings: {}, checks: {} };
    this.#build();
    this.ranking = this.shown.length > 2 ? new Ranking(this.shown) : null;
    this.criteria = new Criteria(form, item, (change) => this.#act(change), () => this.#focusStage());
    this.#listen();
  }

  #build() {
    const { responses } = this.item;
    const columns = responses.map((r) => (r.steps.length ? r.steps : [{ text: r.text, html: "" }]));
    const rows = align(columns.map((steps) => steps.map((step) => step.text)));
    const candidates = slot(this.form, "candidates");
    this.cards = responses.map((response, position) => {
      const card = clone("tpl-candidate");
      card.dataset.candidate = response.candidate;
      card.setAttribute("aria-label", t("Response {n}", { n: position + 1 }));
      card.querySelector("label").htmlFor = `winner-${response.candidate}`;
      fill(card, "number", position + 1);
      slot(card, "steps").replaceChildren(...rows.map((row) => this.#cell(columns[position][row[position]])));
      box(card, "cut", response.finish === "length");
      return card;
    });
    candidates.replaceChildren(...this.cards);
    candidates.style.setProperty("--rows", rows.length);
    this.form.style.setProperty("--columns", responses.length);
    this.#mark(rows);
    chooserFill(this.form, this.shown, (n) => t("Response {n}", { n }));
    box(this.form, "ranking", responses.length > 2);
  }

  #cell(step) {
    const cell = element("li", "response-text candidate-step", "");
    if (step) rich(cell, step.text, step.html);
    else { cell.classList.add("gap"); cell.setAttribute("aria-hidden", "true"); }
    return cell;
  }

  #mark(rows) {
    const columns = this.cards.map((card) => [...slot(card, "steps").children]);
    rows.forEach((row, r) => {
      const cells = columns.map((column) => column[r]).filter((cell, c) => row[c] !== null);
      const texts = new Set(cells.map((cell) => cell.textContent.trim()));
      const alone = cells.length < row.length;
      for (const cell of cells) cell.classList.toggle("differs", alone || texts.size > 1);
      if (texts.size > 1) markDifferences(cells);
    });
  }

  #listen() {
    this.form.addEventListener("change", (event) => {
      const { name, value } = event.target;
      if (name === "winner") this.#chosen(/^\d+$/.test(value) ? Number(value) : value);
      else if (name === "strength") this.#act((s) => { s.strength = Number(value); });
    });
    this.form.addEventListener("input", (event) => {
      if (event.target.name !== "rationale") return;
      this.state.rationale = event.target.value;
      this.hooks.changed();
    });
    this.form.addEventListener("click", (event) => {
      const what = event.target.closest("[data-do]")?.dataset.do;
      if (what === "rank") this.#rank();
      else if (what === "tie") { this.ranking.tie(); this.render(); }
    });
  }

  #act(change) {
    this.history.remember(this.state);
    change(this.state);
    this.render();
    this.hooks.changed();
  }

  // A choice by pointer or key; while ranking, the next place in the ranking.
  #chosen(winner) {
    if (this.ranking?.open && typeof winner === "number") return this.#place(winner);
    this.ranking?.close();
    this.#act((s) => {
      s.winner = winner;
      if (!fits(s.ranking, winner)) s.ranking = [];
    });
  }

  #harder(by) {
    this.#act((s) => { s.strength = Math.max(1, Math.min(3, s.strength + by)); });
  }

  #rank() {
    if (!this.ranking) return;
    if (this.ranking.open) {
      this.ranking.close();
      this.hooks.say(t("Ranking left."), true);
    } else {
      this.ranking.start();
      this.hooks.say(RANKING_HINT, true);
    }
    this.render();
  }

  #place(candidate) {
    const done = this.ranking.place(candidate);
    if (!done) { this.render(); return; }
    this.#act((s) => {
      s.ranking = done;
      s.winner = done[0].length === 1 ? done[0][0] : s.winner === "all_bad" ? "all_bad" : "tie";
    });
    this.hooks.say(t("Ranking: {order}.", { order: this.#words(done) }));
  }

  #words(groups) {
    return groups.map((group) => group.map((c) => this.shown.indexOf(c) + 1).join(" = ")).join(" › ");
  }

  render() {
    const s = this.state;
    choose(this.form, "winner", s.winner);
    choose(this.form, "strength", s.strength);
    for (const radio of this.form.querySelectorAll("[name=strength]")) radio.disabled = typeof s.winner !== "number";
    const why = this.form.querySelector("[name=rationale]");
    if (why.value !== s.rationale) why.value = s.rationale;
    const groups = this.ranking?.open ? this.ranking.groups : s.ranking;
    for (const card of this.cards) {
      const candidate = Number(card.dataset.candidate);
      card.classList.toggle("chosen", candidate === s.winner);
      const place = groups.slice(0, groups.findIndex((group) => group.includes(candidate))).flat().length;
      const badge = slot(card, "rank");
      badge.hidden = !groups.some((group) => group.includes(candidate));
      badge.textContent = t("rank {n}", { n: place + 1 });
    }
    if (this.ranking) {
      const next = this.ranking.open ? ` ${this.ranking.tied ? "=" : "›"} ?` : "";
      fill(this.form, "ranking", this.#words(groups) + (groups.length ? next : ""));
      fill(this.form, "ranking-hint", this.ranking.open ? RANKING_HINT : "");
      box(this.form, "ranking-open", this.ranking.open && groups.length > 0);
      fill(this.form, "rank-word", this.ranking.open ? t("Stop ranking") : groups.length ? t("Rank again") : t("Rank all"));
      this.form.classList.toggle("ranking-open", this.ranking.open);
    }
    this.criteria.render(s);
  }

  // Within a criterion the keys rate it, whatever they mean elsewhere.
  capture(event) {
    if (event.ctrlKey || event.metaKey) return false;
    if (event.target.matches("input[type=radio]") && event.key.startsWith("Arrow")) return false; // its own group's keys
    return this.criteria.key(event.key, this.state);
  }

  key(key) {
    const candidate = this.shown[Number(key) - 1];
    if (this.ranking?.open && (key === "=" || key === "Backspace" || key === "Escape")) {
      if (key === "=") this.ranking.tie();
      else if (key === "Backspace") this.ranking.back();
      else this.ranking.close();
      this.render();
    } else if (candidate !== undefined && !this.ranking?.open && this.state.winner === candidate) this.#sayStrength(key, 1);
    else if (candidate !== undefined) {
      this.#chosen(candidate);
      if (this.state.winner === candidate) this.#sayStrength(key, 0);
    } else if (key === "0" || key === "t") this.#chosen("tie");
    else if (key === "-") this.#chosen("all_bad");
    else if (key === "[") this.#harder(-1);
    else if (key === "]") this.#harder(1);
    else if (key === "o" && this.ranking) this.#rank();
    else if (key === "r" && this.criteria.any) this.criteria.start(this.state);
    else if (key === "c") this.form.querySelector("[name=rationale]").focus();
    else return false;
    return true;
  }

  #sayStrength(number, by) {
    if (by) this.#harder(by);
    this.hooks.say(t("Response {n} is {strength} better.", { n: number, strength: strengthWord(this.state.strength) }), true);
  }

  #travel(state, nothing) {
    if (!state) return this.hooks.say(nothing);
    this.ranking?.close();
    this.state = { ...state, rationale: this.state.rationale }; // typing has an undo of its own
    this.render();
    this.hooks.changed();
  }

  undo() {
    if (this.ranking?.open && this.ranking.groups.length) { this.ranking.back(); this.render(); return; }
    this.#travel(this.history.back(this.state), t("Nothing to undo."));
  }

  redo() {
    this.#travel(this.history.forward(this.state), t("Nothing to redo."));
  }

  draft() {
    return structuredClone(this.state);
  }

  fromAnswer(answer) {
    return { ...answer, winner: winnerOf(answer) };
  }

  restore(draft) {
    if (draft && "winner" in draft) {
      for (const name of Object.keys(this.state)) if (name in draft) this.state[name] = structuredClone(draft[name]);
    }
    this.render();
  }

  // A draft in words, for choosing between two versions of it.
  describe({ winner, strength, ranking, rationale, ...rest }) {
    const lines = [
      [t("Better"), winnerWords(winner, (c) => t("Response {n}", { n: this.shown.indexOf(c) + 1 }))],
      [t("Better by"), typeof winner === "number" ? strengthWord(strength) : ""],
      [t("Ranking"), this.#words(ranking ?? [])],
      [t("Why"), rationale],
      ...this.criteria.describe(rest),
    ];
    return lines.filter(([, words]) => words);
  }

  problem() {
    if (this.ranking?.open && this.ranking.groups.length) return t("The ranking is not complete. Go on, or press o to leave it.");
    return this.state.winner === null ? t("Choose the better response, 0 for a tie, or - when all are bad.") : "";
  }

  payload() {
    const { winner, strength, rationale, ranking } = this.state;
    const single = typeof winner === "number" ? winner : null;
    return { winner: single, all_bad: winner === "all_bad", strength, rationale, ranking, ...this.criteria.payload(this.state) };
  }

  #focusStage() {
    document.getElementById("stage").focus({ preventScroll: true });
  }

  start() {
    this.#focusStage();
  }
}

// Whether a ranking says the same as a choice of the best.
function fits(ranking, winner) {
  if (!ranking.length || winner === "all_bad") return true;
  return winner === "tie" ? ranking[0].length > 1 : ranking[0].length === 1 && ranking[0][0] === winner;
}
