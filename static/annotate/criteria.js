// The project's own criteria: a rating from 1 to 5 or a yes or no for each response. Reached with r, left with Escape.
import { t } from "../base/i18n.js";
import { box, choose, element, slot } from "./dom.js";

const RATINGS = [1, 2, 3, 4, 5];
const GIVEN = { rating: "ratings", yesno: "checks" };

export class Criteria {
  constructor(form, item, act, leave) {
    Object.assign(this, { act, left: leave, all: item.queue?.criteria ?? [], shown: item.responses.map((r) => r.candidate) });
    this.at = null; // [criterion, display position] while the keys rate
    this.cells = this.all.map((criterion, c) => this.shown.map((_, position) => this.#cell(criterion, c, position)));
    box(form, "criteria", this.any);
    slot(form, "criteria").replaceChildren(...this.all.map((criterion, c) => {
      const name = element("p", "criterion-name", criterion.label);
      if (criterion.help) name.append(" ", element("span", "muted small", criterion.help));
      const row = element("div", "criterion", "");
      row.append(name, ...this.cells[c]);
      return row;
    }));
    form.addEventListener("focusin", (event) => this.#focused(event.target));
    form.addEventListener("change", (event) => this.#changed(event.target));
  }

  get any() {
    return this.all.length > 0;
  }

  #cell(criterion, c, position) {
    const cell = element("fieldset", "criterion-cell choices", "");
    cell.tabIndex = -1;
    Object.assign(cell.dataset, { criterion: c, position });
    const legend = element("legend", "small muted", t("Response {n}", { n: position + 1 }));
    legend.prepend(element("span", "sr-only", `${criterion.label}: `));
    const options = criterion.kind === "rating" ? RATINGS.map((n) => [n, n]) : [["yes", t("Yes")], ["no", t("No")]];
    cell.append(legend, ...options.map(([value, word]) => {
      const chip = element("label", "chip", "");
      const radio = document.createElement("input");
      Object.assign(radio, { type: "radio", name: fieldName(criterion, this.shown[position]), value: String(value) });
      chip.append(radio, element("span", "", word));
      return chip;
    }));
    return cell;
  }

  #focused(target) {
    const cell = target.closest(".criterion-cell");
    this.at = cell ? [Number(cell.dataset.criterion), Number(cell.dataset.position)] : null;
    this.#outline();
  }

  #outline() {
    this.cells.forEach((row, c) => row.forEach((cell, p) => {
      cell.classList.toggle("here", this.at !== null && this.at[0] === c && this.at[1] === p);
    }));
  }

  #changed(radio) {
    const cell = radio.closest(".criterion-cell");
    if (!cell) return;
    const value = radio.value === "yes" ? true : radio.value === "no" ? false : Number(radio.value);
    this.#give(Number(cell.dataset.criterion), Number(cell.dataset.position), value);
  }

  #give(c, position, value) {
    const { key, kind } = this.all[c];
    this.act((s) => {
      s[GIVEN[kind]][key] ??= this.shown.map(() => null);
      s[GIVEN[kind]][key][this.shown[position]] = value;
    });
  }

  // To the first that is not rated yet, else to the first.
  start(state) {
    for (const [c, criterion] of this.all.entries()) {
      const open = this.shown.findIndex((candidate) => given(state, criterion, candidate) === null);
      if (open !== -1) return this.enter(c, open);
    }
    return this.enter(0, 0);
  }

  enter(c, position) {
    this.cells[c][position].focus();
  }

  #leave() {
    this.at = null;
    this.#outline();
    this.left();
  }

  #step(by) {
    const [c, position] = this.at;
    const next = c * this.shown.length + position + by;
    if (next >= this.all.length * this.shown.length) this.#leave();
    else if (next >= 0) this.enter(Math.floor(next / this.shown.length), next % this.shown.length);
  }

  // Keys count only while a criterion has the focus; true when this one did.
  key(key, state) {
    if (!this.at) return false;
    const [c, position] = this.at;
    const rating = this.all[c].kind === "rating";
    const value = rating ? RATINGS.find((n) => String(n) === key) : { y: true, 1: true, n: false, 0: false }[key];
    if (value !== undefined) { this.#give(c, position, value); this.#step(1); }
    else if (key === "Backspace") { if (given(state, this.all[c], this.shown[position]) !== null) this.#give(c, position, null); }
    else if (key === "ArrowRight") this.#step(1);
    else if (key === "ArrowLeft") this.#step(-1);
    else if (key === "ArrowDown" && c + 1 < this.all.length) this.enter(c + 1, position);
    else if (key === "ArrowUp" && c > 0) this.enter(c - 1, position);
    else if (key === "Escape" || key === "r") this.#leave();
    else return false;
    return true;
  }

  render(state) {
    for (const [c, criterion] of this.all.entries()) {
      this.shown.forEach((candidate, position) => {
        const value = given(state, criterion, candidate);
        const word = value === true ? "yes" : value === false ? "no" : value;
        choose(this.cells[c][position], fieldName(criterion, candidate), word);
      });
    }
  }

  describe(draft) {
    return this.all.map((criterion) => [criterion.label, this.shown
      .map((candidate) => given(draft, criterion, candidate))
      .map((value) => (value === true ? t("Yes") : value === false ? t("No") : value ?? "–")).join(" · ")]);
  }

  // Criteria that nobody touched are left out.
  payload(state) {
    const named = (kind) => Object.fromEntries(this.all
      .filter((criterion) => criterion.kind === kind && state[GIVEN[kind]][criterion.key]?.some((value) => value !== null))
      .map((criterion) => [criterion.key, state[GIVEN[kind]][criterion.key]]));
    return { ratings: named("rating"), checks: named("yesno") };
  }
}

const fieldName = (criterion, candidate) => `${criterion.kind}-${criterion.key}-${candidate}`;
const given = (state, criterion, candidate) => state[GIVEN[criterion.kind]]?.[criterion.key]?.[candidate] ?? null;
