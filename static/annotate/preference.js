// Pairwise (or few-way) preference. The winner is sent as the candidate's own index, whatever was shown where.
import { box, choose, clone, element, fill, slot } from "./dom.js";
import { History } from "./history.js";

const STRENGTH = { 1: "slightly", 2: "clearly", 3: "much" };

export class Preference {
  constructor(form, item, hooks) {
    Object.assign(this, { form, item, hooks, history: new History() });
    this.state = { winner: null, strength: 2, rationale: "" }; // winner: candidate index, "tie" or "all_bad"
    this.#build();
    form.addEventListener("change", (event) => {
      const { name, value } = event.target;
      if (name === "winner") this.#act((s) => { s.winner = /^\d+$/.test(value) ? Number(value) : value; });
      if (name === "strength") this.#act((s) => { s.strength = Number(value); });
    });
    form.addEventListener("input", (event) => {
      if (event.target.name !== "rationale") return;
      this.state.rationale = event.target.value;
      this.hooks.changed();
    });
  }

  #build() {
    const all = this.item.responses.map((r) => new Set(r.steps.map((step) => step.text)));
    const cards = this.item.responses.map((response, position) => {
      const card = clone("tpl-candidate");
      fill(card, "number", position + 1);
      card.querySelector("input").value = response.candidate;
      const lines = response.steps.length ? response.steps.map((step) => step.text) : [response.text];
      slot(card, "steps").replaceChildren(...lines.map((text) => {
        const shared = all.every((texts) => texts.has(text));
        return element("span", `response-text candidate-step${shared ? "" : " differs"}`, text);
      }));
      box(card, "cut", response.finish === "length");
      return card;
    });
    slot(this.form, "candidates").replaceChildren(...cards);
  }

  #act(change) {
    this.history.remember(this.state);
    change(this.state);
    this.render();
    this.hooks.changed();
  }

  render() {
    choose(this.form, "winner", this.state.winner);
    choose(this.form, "strength", this.state.strength);
    const why = this.form.querySelector("[name=rationale]");
    if (why.value !== this.state.rationale) why.value = this.state.rationale;
    for (const radio of this.form.querySelectorAll("[name=strength]")) radio.disabled = typeof this.state.winner !== "number";
  }

  key(key) {
    const chosen = this.item.responses[Number(key) - 1];
    const harder = (by) => this.#act((s) => { s.strength = Math.max(1, Math.min(3, s.strength + by)); });
    if (chosen) {
      if (this.state.winner === chosen.candidate) harder(1);
      else this.#act((s) => { s.winner = chosen.candidate; });
      this.hooks.say(`Response ${key} is ${STRENGTH[this.state.strength]} better.`, true);
    } else if (key === "0" || key === "t") this.#act((s) => { s.winner = "tie"; });
    else if (key === "-") this.#act((s) => { s.winner = "all_bad"; });
    else if (key === "[") harder(-1);
    else if (key === "]") harder(1);
    else if (key === "c") this.form.querySelector("[name=rationale]").focus();
    else return false;
    return true;
  }

  undo() {
    const before = this.history.back();
    if (!before) return this.hooks.say("Nothing to undo.");
    this.state = before;
    this.render();
    this.hooks.changed();
  }

  draft() {
    return { ...this.state };
  }

  restore(draft) {
    if (draft && "winner" in draft) Object.assign(this.state, draft);
    this.render();
  }

  problem() {
    return this.state.winner === null ? "Choose the better response, 0 for a tie, or - when all are bad." : "";
  }

  payload() {
    const { winner, strength, rationale } = this.state;
    return { winner: typeof winner === "number" ? winner : null, all_bad: winner === "all_bad", strength, rationale };
  }

  start() {
    document.getElementById("stage").focus({ preventScroll: true });
  }
}
