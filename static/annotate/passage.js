// Choosing a wrong passage of a step by keyboard: a cursor over words, in characters of the step's own text.

export const wordsOf = (text) => [...text.matchAll(/\S+/g)].map((m) => [m.index, m.index + m[0].length]);

// Passages in order, those that touch or overlap joined.
export function joined(spans) {
  const kept = [];
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = kept.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else kept.push([start, end]);
  }
  return kept;
}

export const without = (spans, [start, end]) => spans.filter(([a, b]) => b <= start || a >= end);

// The text with its passages marked, and the word cursor if there is one.
export function drawPassages(place, text, spans, chosen = null) {
  const edges = new Set([0, text.length, ...spans.flat(), ...(chosen ?? [])]);
  const cuts = [...edges].sort((a, b) => a - b);
  const inside = (at, span) => span !== null && at >= span[0] && at < span[1];
  place.classList.remove("rich");
  place.replaceChildren(...cuts.slice(0, -1).map((start, n) => {
    const wrong = spans.some((span) => inside(start, span));
    const here = inside(start, chosen);
    const part = document.createElement(wrong || here ? "mark" : "span");
    part.className = `${wrong ? "passage" : ""}${here ? " chosen" : ""}`.trim();
    part.textContent = text.slice(start, cuts[n + 1]);
    return part;
  }));
}

export class WordCursor {
  constructor(text) {
    this.words = wordsOf(text);
    this.anchor = 0;
    this.head = 0;
  }

  get span() {
    const [first, last] = [Math.min(this.anchor, this.head), Math.max(this.anchor, this.head)];
    return [this.words[first][0], this.words[last][1]];
  }

  // Whether the key moved the cursor. Shift keeps the other end where it is.
  move(key, extend) {
    const last = this.words.length - 1;
    const to = { ArrowRight: this.head + 1, ArrowLeft: this.head - 1, ArrowDown: this.head + 5, ArrowUp: this.head - 5, Home: 0, End: last }[key];
    if (to === undefined) return false;
    this.head = Math.max(0, Math.min(last, to));
    if (!extend) this.anchor = this.head;
    return true;
  }
}

// The selection made with the mouse, in characters of the step's text; null when it is not within one plain step.
export function selectedSpan(place) {
  const selection = window.getSelection();
  if (!place || !selection || selection.isCollapsed || !selection.rangeCount || place.classList.contains("rich")) return null;
  const range = selection.getRangeAt(0);
  if (!place.contains(range.startContainer) || !place.contains(range.endContainer)) return null;
  const before = document.createRange();
  before.setStart(place, 0);
  before.setEnd(range.startContainer, range.startOffset);
  const start = before.toString().length;
  const chosen = range.toString();
  const from = start + (chosen.length - chosen.trimStart().length);
  const to = start + chosen.trimEnd().length;
  return from < to ? [from, to] : null;
}
