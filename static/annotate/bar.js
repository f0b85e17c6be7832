// The line above the item: whose it is and for how long, what is saved, how far the day has come; and banners.
import { t } from "../base/i18n.js";
import { element, fill } from "./dom.js";

const $ = (id) => document.getElementById(id);

export function notice(text, actions = []) {
  $("notice-text").textContent = text;
  $("notice-actions").replaceChildren(...actions.map(([label, run]) => {
    const button = element("button", "button small", label);
    button.type = "button";
    button.addEventListener("click", () => { notice(""); run(); });
    return button;
  }));
  $("notice").hidden = text === "";
}

// It floats over the page: a tap takes it away, unless it asks something.
$("notice").addEventListener("click", () => { if (!$("notice-actions").childElementCount) notice(""); });

// Quiet feedback: shown for what needs seeing, only spoken for what is visible anyway.
export function say(text, spokenOnly = false) {
  $("announce").textContent = text;
  if (!spokenOnly) notice(text);
}

// How one did on an item whose answer was known. Stays until the next answer.
export function gold(verdict) {
  $("gold").hidden = !verdict;
  if (!verdict) return;
  $("gold").className = `banner ${verdict.agrees ? "good" : "bad"}`;
  $("gold-title").textContent = verdict.agrees ? t("Check item: you agree with the known answer.") : t("Check item: the known answer is another.");
  $("gold-text").textContent = verdict.words ?? "";
}

export function today(count) {
  $("today").hidden = !count;
  if (!count) return;
  $("today").textContent = count.quota
    ? t("{n} of {quota} today", { n: count.answers, quota: count.quota })
    : t("{n} today", { n: count.answers });
}

// Counted up to twenty, estimated above, and not beyond a thousand.
export function waiting(n) {
  fill($("bar"), "waiting", n >= 1000 ? "1000+" : n >= 20 ? `~${n}` : n);
}

function lease({ returned, leaseEnd }) {
  if (returned) return "";
  const left = Math.round((leaseEnd - Date.now()) / 1000);
  if (left <= 0) return t("yours until someone else takes it");
  return t("yours for {time}", { time: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` });
}

function saved({ returned, saving, savedAt, dirty }) {
  if (returned) return dirty ? t("kept in this browser until you save") : "";
  if (saving === "offline") return t("kept in this browser, not sent yet");
  if (dirty) return t("saving…");
  if (!savedAt) return "";
  const ago = Math.round((Date.now() - savedAt) / 1000);
  if (ago < 2) return t("saved just now");
  return ago < 90 ? t("saved {n} s ago", { n: ago }) : t("saved {n} min ago", { n: Math.round(ago / 60) });
}

// current: the item on the page, or null
export function tick(current) {
  $("lease").textContent = current ? lease(current) : "";
  $("saved").textContent = current ? saved(current) : "";
}
