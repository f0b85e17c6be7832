// Alternatives from a step on, written by the model in use: asked for, streamed in, rated, taken as a branch.
// A small list of its own beside the steps. Nothing else on the page waits for it.
import { t } from "../base/i18n.js";
import { element, rich } from "./dom.js";
import { SIGN, WORD } from "./marks.js";
import { Offline, call } from "./server.js";

const LIVE = ["queued", "running"];
const COUNT = 3;
const LOOK_EVERY = 1000; // ms; the stream of news is quicker, but it may be missing
const MARKS = { 1: -1, 2: 0, 3: 1, 0: null };
const VERDICT = { right: t("the checker says right"), wrong: t("the checker says wrong") };
const letter = (n) => String.fromCharCode(97 + n);

export class Alternatives {
  // hooks: { assignment(what) -> address, say(text, spokenOnly), refuses(step) -> sentence or "",
  //   corrections(step) -> { earlier step: text }, rated(branches), taken(branches, step, text, { chosen, edit }), leave() }
  constructor(place, item, hooks) {
    Object.assign(this, { place, hooks, step: 0, at: 0, problem: "", asking: false });
    this.asked = new Map((item.regenerations ?? []).map((row) => [row.id, row]));
    this.said = new Map(); // response -> { step, response, mark, chosen }
    this.watches = new Map(); // id -> { stop() }
    this.#build();
    for (const row of this.asked.values()) if (LIVE.includes(row.state)) this.#watch(row);
    this.render();
  }

  #build() {
    this.title = element("span", "label", "");
    this.stop = element("button", "button small quiet", t("Cancel"));
    this.stop.type = "button";
    this.stop.addEventListener("click", () => this.#cancel());
    const head = element("div", "spread alternatives-head", "");
    head.append(this.title, this.stop);
    this.status = element("p", "small muted", "");
    this.status.setAttribute("role", "status");
    this.status.tabIndex = -1;
    this.list = element("div", "alternatives-list", "");
    this.help = element("p", "key-bar small", "");
    const keys = [["1 2 3", t("rate")], ["⏎", t("take, again: back")], ["e", t("take and edit")], ["r", t("ask again")], ["Esc", t("back")]];
    for (const [caps, what] of keys) {
      const one = element("span", "", "");
      one.append(...caps.split(" ").map((cap) => element("kbd", "key", cap)), ` ${what}`);
      this.help.append(one);
    }
    this.place.replaceChildren(head, this.status, this.list, this.help);
    this.place.addEventListener("click", (event) => {
      const item = event.target.closest(".alternative[data-at]");
      if (!item) return;
      this.at = Number(item.dataset.at);
      const { mark, take } = event.target.closest("button")?.dataset ?? {};
      if (mark) this.#rate(Number(mark));
      else if (take) this.#take();
      else this.render();
    });
  }

  // ---- what there is ---------------------------------------------------------------------------------------

  #rows(step = this.step) {
    return [...this.asked.values()].filter((row) => row.step === step);
  }

  // Each text once, also when a later request wrote it again.
  #items() {
    const found = new Map();
    for (const item of this.#rows().flatMap((row) => row.items)) {
      const key = item.text.trim();
      const earlier = found.get(key);
      found.set(key, earlier ? { ...earlier, times: earlier.times + item.times } : item);
    }
    return [...found.values()];
  }

  #live() {
    return this.#rows().find((row) => LIVE.includes(row.state));
  }

  get inside() {
    return this.place.contains(document.activeElement);
  }

  // ---- asking ------------------------------------------------------------------------------------------------

  // The first time asks; where there are some already it goes to them, and from among them asks for more.
  async ask(step, more = false) {
    this.show(step);
    if (this.asking || this.#live() || (!more && this.#items().length)) return this.#enter();
    const refused = this.hooks.refuses(step);
    if (refused) return this.hooks.say(refused);
    Object.assign(this, { asking: true, problem: "" });
    this.render();
    this.#enter();
    try {
      const row = await call("POST", this.hooks.assignment("regenerate"), { step, count: COUNT, prefix_corrections: this.hooks.corrections(step) });
      this.#come(row);
      if (LIVE.includes(row.state)) this.#watch(row);
    } catch (error) {
      this.problem = error instanceof Offline ? t("The server cannot be reached. Your work is kept; ask again in a moment.") : error.message;
    }
    this.asking = false;
    this.render();
  }

  async #cancel() {
    const row = this.#live();
    if (!row) return;
    try {
      this.#come(await call("POST", `${row.url}/cancel`));
    } catch (error) {
      this.problem = error.message;
      this.render();
    }
    this.hooks.leave();
  }

  // News by the stream, and a look every second all the same: who waits is told also when nobody answers.
  #watch(row) {
    let looking = false;
    let again = false;
    const source = row.live ? new EventSource(row.live) : null;
    const stop = () => { source?.close(); clearInterval(timer); this.watches.delete(row.id); };
    const look = async () => {
      if (!this.place.isConnected && this.wasShown) return stop();
      if (looking) { again = true; return undefined; }
      looking = true;
      try {
        const now = await call("GET", row.url);
        if (!LIVE.includes(now.state)) stop();
        this.#come(now);
      } catch {
        // away for a moment: the next look tells
      }
      looking = false;
      if (again && this.watches.has(row.id)) { again = false; look(); }
      return undefined;
    };
    const timer = setInterval(look, LOOK_EVERY);
    source?.addEventListener("news", look);
    this.watches.set(row.id, { stop });
  }

  #come(row) {
    const before = this.asked.get(row.id);
    this.asked.set(row.id, row);
    this.wasShown ||= this.place.isConnected;
    if (before && LIVE.includes(before.state) && row.state === "done" && row.items.length) {
      this.hooks.say(t("{n} alternatives from step {step}.", { n: row.items.length, step: row.step + 1 }), true);
    }
    if (row.step === this.step) this.render();
  }

  // ---- rating and taking ---------------------------------------------------------------------------------------

  #word(item) {
    return this.said.get(item.response) ?? { step: this.step, response: item.response, mark: null, chosen: false };
  }

  #taken() {
    const item = this.#items()[this.at];
    return Boolean(item && this.#word(item).chosen);
  }

  #rate(mark) {
    const item = this.#items()[this.at];
    if (!item) return;
    const word = this.#word(item);
    this.said.set(item.response, { ...word, mark, chosen: word.chosen && mark !== -1 });
    this.hooks.rated(this.branches());
    this.render();
    this.#focus();
    if (mark !== null) this.hooks.say(t("Alternative {letter}: {word}.", { letter: letter(this.at), word: WORD[mark] }), true);
  }

  #take(edit = false) {
    const item = this.#items()[this.at];
    if (!item) return;
    const word = this.#word(item);
    const chosen = edit || !word.chosen;
    for (const [response, other] of this.said) if (other.step === this.step) this.said.set(response, { ...other, chosen: false });
    this.said.set(item.response, { ...word, chosen, mark: chosen && word.mark === -1 ? null : word.mark });
    const text = item.same_step ? "" : (item.steps[0] ?? "");
    this.hooks.taken(this.branches(), this.step, text, { chosen, edit });
    this.render();
    if (chosen) this.hooks.say(t("Alternative {letter} taken.", { letter: letter(this.at) }), true);
    if (!edit) this.#focus();
  }

  branches() {
    return [...this.said.values()].filter((word) => word.mark !== null || word.chosen);
  }

  restore(branches) {
    this.said = new Map((branches ?? []).map((word) => [word.response, { ...word }]));
    this.render();
  }

  // ---- keys: digits and what moves belong to the list while it has the focus; the rest is the page's ---------------

  capture(event) {
    if (!this.inside || event.key === "Tab") return false;
    if (["Enter", " "].includes(event.key) && event.target.closest("button")) return false; // presses it
    return this.key(event.key);
  }

  key(key) {
    if (!this.inside) return false;
    const last = this.#items().length - 1;
    const move = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[key];
    if (key === "Escape") this.hooks.leave();
    else if (key === "r") this.ask(this.step, true);
    else if (move) { this.at = Math.max(0, Math.min(last, this.at + move)); this.render(); this.#focus(); }
    else if (key in MARKS) this.#rate(MARKS[key]);
    else if (key === "Enter" && this.#taken()) this.hooks.leave(); // taking it back is Space's
    else if (key === "Enter" || key === " ") this.#take();
    else if (key === "e") this.#take(true);
    else return /^\d$/.test(key);
    return true;
  }

  #enter() {
    this.render();
    if (this.#items().length) this.#focus();
    else this.status.focus({ preventScroll: true });
    this.place.scrollIntoView({ block: "nearest" });
  }

  #focus() {
    this.list.children[this.at]?.focus({ preventScroll: true });
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  // ---- showing ---------------------------------------------------------------------------------------------------

  show(step) {
    if (step === this.step) return;
    Object.assign(this, { step, at: 0, problem: "" });
    this.render();
  }

  render() {
    const waited = document.activeElement === this.status;
    const had = this.inside && !waited;
    const items = this.#items();
    const live = this.#live();
    const partial = live?.partial ?? [];
    this.at = Math.max(0, Math.min(this.at, items.length - 1));
    this.place.hidden = !(items.length || this.asking || this.#rows().length || this.problem);
    this.title.textContent = t("From step {n} on", { n: this.step + 1 });
    this.stop.hidden = !live;
    this.status.textContent = this.#words(live, items);
    this.help.hidden = items.length === 0;
    this.list.replaceChildren(
      ...items.map((item, n) => this.#item(item, n)),
      ...partial.map((text, n) => this.#partial(text, items.length + n)),
    );
    if (had || (waited && items.length && !live)) this.#focus();
  }

  #words(live, items) {
    if (this.problem) return this.problem;
    if (this.asking) return t("Asking the model…");
    if (live) return live.words;
    const latest = this.#rows().at(-1);
    if (latest?.state === "failed") return t("That did not work: {why} Press r to ask again.", { why: latest.error });
    if (latest?.state === "done" && !items.length) return t("The model had nothing to say from here.");
    return "";
  }

  #item(item, n) {
    const { mark, chosen } = this.#word(item);
    const made = element("div", `alternative${chosen ? " chosen" : ""}`, "");
    made.dataset.at = n;
    made.tabIndex = n === this.at ? 0 : -1;
    made.setAttribute("role", "group");
    const state = [mark !== null && WORD[mark], chosen && t("taken")].filter(Boolean).join(", ");
    made.setAttribute("aria-label", [t("Alternative {letter}", { letter: letter(n) }), state, item.text].filter(Boolean).join(": "));
    const text = element("div", "alternative-text", "");
    item.steps.forEach((step, i) => {
      const line = element("div", i ? "alternative-rest" : "alternative-step", "");
      rich(line, step, item.html?.[i]);
      text.append(line);
    });
    const notes = [
      item.times > 1 && t("written {n} times", { n: item.times }),
      item.same_step && t("begins like the original"),
      item.finish === "length" && t("cut off"),
      VERDICT[item.verdict],
    ].filter(Boolean);
    if (notes.length) text.append(element("p", "small muted", notes.join(" · ")));
    made.append(element("span", "alternative-letter mono", letter(n)), text, this.#buttons(mark, chosen));
    return made;
  }

  #buttons(mark, chosen) {
    const row = element("div", "alternative-buttons", "");
    for (const value of [-1, 0, 1]) {
      const button = this.#button("", mark === value);
      const sign = element("span", "", SIGN[value]);
      sign.setAttribute("aria-hidden", "true");
      button.append(sign, element("span", "sr-only", WORD[value]));
      button.dataset.mark = value;
      if (value) button.classList.add(value === 1 ? "good" : "bad");
      row.append(button);
    }
    const take = this.#button(chosen ? t("Taken") : t("Take"), chosen);
    take.dataset.take = "1";
    row.append(take);
    return row;
  }

  // Out of Tab's way: the list's keys do the same.
  #button(words, pressed) {
    const button = element("button", "button small", words);
    Object.assign(button, { type: "button", tabIndex: -1 });
    button.setAttribute("aria-pressed", String(pressed));
    return button;
  }

  #partial(text, n) {
    const made = element("div", "alternative writing", "");
    const [first, ...rest] = text.split("\n");
    const said = element("div", "alternative-text", "");
    said.append(element("div", "alternative-step", first), ...rest.map((line) => element("div", "alternative-rest", line)));
    made.append(element("span", "alternative-letter mono", letter(n)), said);
    return made;
  }
}
