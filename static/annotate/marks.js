// The rules of marking steps, without the page. marks[i] is -1 wrong, 0 neutral, 1 good or null unjudged.
// After the first error everything is unjudged, never silently wrong.

export const SIGN = { "-1": "−", 0: "0", 1: "+" };
export const WORD = { "-1": "wrong", 0: "neutral", 1: "good" };

export const limit = (s) => (s.first_error === null ? s.marks.length : s.first_error + 1);

export function rate(s, i, mark) {
  if (s.first_error !== null && i > s.first_error) {
    return `Step ${s.first_error + 1} is the first error, so step ${i + 1} stays unjudged.`;
  }
  s.marks[i] = mark;
  if (mark === -1) {
    s.first_error = i;
    s.marks.fill(null, i + 1);
  } else if (s.first_error === i) {
    s.first_error = null;
  }
  return "";
}

export function firstErrorHere(s, i) {
  const refused = rate(s, i, -1);
  if (refused) return refused;
  let filled = 0;
  for (let j = 0; j < i; j += 1) if (s.marks[j] === null) { s.marks[j] = 1; filled += 1; }
  return filled ? `First error: step ${i + 1}. ${filled} unrated before it marked good.` : "";
}

export function restGood(s) {
  for (let j = 0; j < limit(s); j += 1) if (s.marks[j] === null) s.marks[j] = 1;
}

export const unrated = (s) => s.marks.slice(0, limit(s)).indexOf(null);

export function verdict(s) {
  if (s.verdict) return s.verdict;
  if (s.first_error !== null) return "wrong";
  return unrated(s) === -1 ? "right" : "";
}
