// Says in words what the schedule that is being filled in will do, and when it would start next.
import { t } from "../base/i18n.js";

const form = document.querySelector(".schedule-form");
const said = form.querySelector(".said");
const words = said.querySelector("[data-words]");
const next = said.querySelector("[data-next]");
let latest = 0;
let timer;

async function describe() {
  const mine = ++latest;
  let answer;
  try {
    const response = await fetch(form.dataset.describe, { method: "POST", body: new FormData(form) });
    if (!response.ok) return;
    answer = await response.json();
  } catch {
    return; // the description is a help; saving says what is wrong
  }
  if (mine !== latest) return; // something was typed meanwhile
  said.hidden = !(answer.words || answer.problem);
  said.classList.toggle("problem", Boolean(answer.problem));
  words.textContent = answer.words || answer.problem;
  const shown = (time) => new Date(time).toLocaleString([], { timeZone: answer.zone, dateStyle: "medium", timeStyle: "short" });
  next.textContent = answer.next.length ? t("Next: {times}", { times: answer.next.map(shown).join(" · ") }) : "";
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(describe, 250);
}

form.addEventListener("input", soon);
form.addEventListener("change", soon);
describe();
