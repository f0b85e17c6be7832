// The rules of marking steps, without the page. marks[i] is -1 wrong, 0 neutral, 1 good or null unjudged; a step in
// `unsure` is unjudged because the person cannot tell, and counts as rated.
// After the first error everything is unjudged, never silently wrong.
import { t } from "../base/i18n.js";

export const SIGN = { "-1": "−", 0: "0", 1: "+", unsure: "?", null: "·" };
export const WORD = { "-1": t("wrong"), 0: t("neutral"), 1: t("good"), unsure: t("unsure"), null: t("unjudged") };

export const limit = (s) => (s.first_error === null ? s.marks.length : s.first_error + 1);
export const after = (s, i) => s.first_error !== null && i > s.first_error;
export const isUnsure = (s, i) => s.unsure.includes(i);
export const marked = (s, i) => (isUnsure(s, i) ? "unsure" : s.marks[i]);
export const isRated = (s, i) => s.marks[i] !== null || isUnsure(s, i);

// mark: -1, 0, 1, "unsure", or null to take the judgement back. Returns a sentence when it is refused.
export function rate(s, i, mark) {
  if (after(s, i)) return t("Step {first} is the first error, so step {step} stays unjudged.", { first: s.first_error + 1, step: i + 1 });
  s.marks[i] = mark === "unsure" ? null : mark;
  s.unsure = s.unsure.filter((j) => j !== i);
  if (mark === "unsure") s.unsure.push(i);
  if (mark === -1) {
    s.first_error = i;
    s.marks.fill(null, i + 1);
    s.unsure = s.unsure.filter((j) => j <= i);
  } else if (s.first_error === i) {
    s.first_error = null;
  }
  return "";
}

export function firstErrorHere(s, i) {
  const refused = rate(s, i, -1);
  if (refused) return refused;
  let filled = 0;
  for (let j = 0; j < i; j += 1) if (!isRated(s, j)) { s.marks[j] = 1; filled += 1; }
  return filled ? t("First error: step {step}. Marked good before it: {n}.", { step: i + 1, n: filled }) : "";
}

export function restGood(s) {
  for (let j = 0; j < limit(s); j += 1) if (!isRated(s, j)) s.marks[j] = 1;
}

// The next step to rate after `from`, else the first one before it; -1: all are rated.
export function unrated(s, from = 0) {
  const open = [];
  for (let j = 0; j < limit(s); j += 1) if (!isRated(s, j)) open.push(j);
  return open.find((j) => j >= from) ?? open[0] ?? -1;
}

export function verdict(s) {
  if (s.verdict) return s.verdict;
  if (s.first_error !== null) return "wrong";
  if (unrated(s) !== -1) return "";
  return s.unsure.length ? "unknown" : "right";
}
