// Review by keyboard: the list's ticks, and one task with its votes. Everything is a plain form underneath.
import { t } from "../base/i18n.js";
import { typeset } from "./maths.js";

const $ = (id) => document.getElementById(id);
const typing = (el) => el.isContentEditable || /^(TEXTAREA|SELECT)$/.test(el.tagName) || (el.tagName === "INPUT" && !/^(radio|checkbox)$/.test(el.type));

// ---- the list -----------------------------------------------------------------------------------------------

const list = document.querySelector("[data-list]");
if (list) {
  const boxes = [...list.querySelectorAll('input[name="task"]')];
  const all = list.querySelector("[data-tick-all]");
  const button = list.querySelector("[data-confirm-ticked]");
  const count = () => {
    const ticked = boxes.filter((b) => b.checked).length;
    const place = list.querySelector("[data-ticked]");
    if (place) place.textContent = ticked || "";
    if (button) { button.disabled = ticked === 0; button.dataset.confirm = button.dataset.confirmTicked.replace("{n}", ticked); }
    if (all) all.checked = ticked > 0 && ticked === boxes.length;
  };
  all?.addEventListener("change", () => { for (const b of boxes) b.checked = all.checked; count(); });
  list.addEventListener("change", count);
  count();
}

// ---- one task -----------------------------------------------------------------------------------------------

class Review {
  constructor(form, state) {
    Object.assign(this, { form, state });
    this.steps = [...form.querySelectorAll(".review-step")];
    this.editable = $("adjudicate") !== null;
    this.cursor = 0;
    this.going = 0; // when "g" was pressed
    form.addEventListener("change", (event) => this.#changed(event.target));
    form.addEventListener("focusin", (event) => {
      const step = event.target.closest(".review-step");
      if (step) this.#mark(Number(step.dataset.step));
    });
    form.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("keydown", (event) => this.#key(event), true);
    $("send-back")?.addEventListener("close", () => this.#sendBack($("send-back").returnValue));
    $("send-back-note")?.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); $("send-back-one").click(); }
    });
    typeset(form);
    const atTop = document.activeElement === document.body;
    if (this.steps.length && atTop) this.go(state.opens_at);
  }

  // ---- the cursor ----

  #mark(i) {
    this.cursor = i;
    this.steps.forEach((step, j) => (j === i ? step.setAttribute("aria-current", "step") : step.removeAttribute("aria-current")));
  }

  go(i) {
    const to = Math.max(0, Math.min(this.steps.length - 1, i));
    const step = this.steps[to];
    if (!step) return;
    this.#mark(to);
    step.focus({ preventScroll: true });
    step.scrollIntoView({ block: "nearest" });
  }

  #disputed(forward) {
    const those = this.state.disputed;
    const next = forward ? those.find((i) => i > this.cursor) : those.findLast((i) => i < this.cursor);
    if (next !== undefined) this.go(next);
  }

  // ---- whose answer ----

  get word() {
    return this.form.querySelector('input[name="word"]:checked')?.value ?? "";
  }

  get editing() {
    return this.word === "edit";
  }

  // The answer that a key acts on: the chosen one, else the one an edit started from, else the only one.
  get vote() {
    const chosen = this.word.startsWith("vote:") ? this.word.slice(5) : $("based_on").value;
    const votes = [...this.form.querySelectorAll(".vote[data-vote]")];
    return votes.find((v) => v.dataset.vote === chosen) ?? (votes.length === 1 ? votes[0] : null);
  }

  take(n) {
    const vote = this.form.querySelectorAll(".vote[data-vote]")[n - 1];
    const radio = vote?.querySelector('input[name="word"]');
    if (!radio) return;
    radio.checked = true;
    this.#changed(radio);
    vote.scrollIntoView({ block: "nearest" });
  }

  #changed(target) {
    if (target.name === "word" && target.value.startsWith("vote:")) $("based_on").value = target.value.slice(5);
    if (target.name?.startsWith("mark-")) this.#limit();
  }

  #clicked(event) {
    const button = event.target.closest('button[data-act="send_back"]');
    if (!button) return;
    event.preventDefault();
    this.#askNote(button.closest(".vote"));
  }

  // ---- editing into a final answer ----

  edit() {
    const radio = $("word-edit");
    if (!radio) return;
    if (this.editing) return this.#write("correction");
    const vote = this.state.votes.find((v) => String(v.pk) === this.vote?.dataset.vote);
    if (vote?.steps) this.#fill(vote.steps);
    radio.checked = true;
    this.#limit();
    this.go(this.cursor);
  }

  #fill(steps) {
    this.steps.forEach((_, i) => {
      for (const radio of this.form.querySelectorAll(`input[name="mark-${i}"]`)) radio.checked = radio.value === String(steps.marks[i]);
      this.#field("correction", i).value = steps.corrections[i] ?? "";
      this.#field("comment", i).value = steps.comments[i] ?? "";
    });
    if ($("verdict")) $("verdict").value = steps.verdict === "unknown" ? "unknown" : "";
  }

  #field(part, i) {
    return this.form.querySelector(`textarea[name="${part}-${i}"]`);
  }

  #rate(value) {
    for (const radio of this.form.querySelectorAll(`input[name="mark-${this.cursor}"]`)) radio.checked = radio.value === value;
    this.#limit();
    if (value !== "-1") this.go(this.cursor + 1);
  }

  // What follows the first error is unjudged: its fields are out of use.
  #limit() {
    const first = this.steps.findIndex((_, i) => this.form.querySelector(`input[name="mark-${i}"][value="-1"]`)?.checked);
    this.steps.forEach((step, i) => {
      const fields = step.querySelector(".final-fields");
      if (!fields) return;
      const after = first !== -1 && i > first;
      fields.classList.toggle("after", after);
      for (const radio of fields.querySelectorAll('input[type="radio"]')) { radio.disabled = after; if (after) radio.checked = false; }
      this.#field("correction", i).disabled = after;
    });
  }

  #write(part) {
    const field = this.#field(part, this.cursor);
    if (!field || field.disabled) return;
    if (part === "correction" && !field.value) field.value = this.state.steps[this.cursor];
    field.focus();
    field.select();
  }

  // ---- deciding ----

  #act(what) {
    this.vote?.querySelector(`button[data-act="${what}"]`)?.click();
  }

  #askNote(vote) {
    if (!vote) return;
    this.asked = vote.dataset.vote;
    const letter = this.state.votes.find((v) => String(v.pk) === this.asked)?.letter ?? "";
    $("send-back-to").textContent = t("The author of answer {letter} is asked to look again, and reads this note.", { letter });
    $("send-back").returnValue = "";
    $("send-back").showModal();
    $("send-back-note").focus();
  }

  #sendBack(to) {
    if (to !== "one" && to !== "all") return;
    $("note").value = $("send-back-note").value;
    const button = document.createElement("button");
    Object.assign(button, { name: "action", value: `send_back:${to === "all" ? "all" : this.asked}`, hidden: true });
    this.form.append(button);
    this.form.requestSubmit(button);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (typing(event.target)) {
      const leave = event.key === "Escape" || (event.key === "Enter" && !event.shiftKey);
      if (leave) { event.preventDefault(); event.stopPropagation(); this.steps.length ? this.go(this.cursor) : event.target.blur(); }
      return;
    }
    if (this.#does(event)) { event.preventDefault(); event.stopPropagation(); }
  }

  #does(event) {
    const { key } = event;
    if (Date.now() - this.going < 1200) { this.going = 0; return false; } // the second key of "g r" and its like
    if (key === "g") { this.going = Date.now(); return false; }
    if (key === "j" || key === "ArrowDown") this.go(this.cursor + 1);
    else if (key === "k" || key === "ArrowUp") this.go(this.cursor - 1);
    else if (key === "n") this.#disputed(true);
    else if (key === "p") this.#disputed(false);
    else if (!this.editable) return false;
    else if (this.editing && "123".includes(key)) this.#rate({ 1: "-1", 2: "0", 3: "1" }[key]);
    else if (/^[1-9]$/.test(key)) this.take(Number(key));
    else if (key === "e") this.edit();
    else if (key === "c" && this.editing) this.#write("comment");
    else if (key === "a") this.#act("accept");
    else if (key === "x") this.#act("reject");
    else if (key === "s") this.#askNote(this.vote ?? this.form.querySelector(".vote[data-vote]"));
    else if (key === "Enter" && !event.target.closest("button, a, summary")) $("adjudicate").click();
    else if (key === "Escape" && this.editing) { $("word-edit").checked = false; this.go(this.cursor); }
    else return false;
    return true;
  }
}

const form = $("review");
if (form) new Review(form, JSON.parse($("review-state").textContent));
