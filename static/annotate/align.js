// Which steps of several responses answer one another, and which of their words differ. Pure functions over texts.

const ALIKE = 0.5; // steps less alike than this are not taken for versions of each other
const LONGEST = 1500; // words of one step; beyond it, all of them count as different

export const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
const solid = (list) => list.filter((word) => word.trim() !== "");

// How alike two lists of words are, 0..1: twice the words they share over all their words (Dice), repeats counted.
export function likeness(a, b) {
  if (!a.length && !b.length) return 1;
  const left = new Map();
  for (const word of a) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of b) {
    const count = left.get(word) ?? 0;
    if (count) { shared += 1; left.set(word, count - 1); }
  }
  return (2 * shared) / (a.length + b.length);
}

// Indices [i, j] of the best order-keeping matching of two lists: the one of most weight, where weight(i, j) is 0 or
// less for what must not match. Needleman and Wunsch without a price for gaps.
function matching(n, m, weight) {
  const best = Array.from({ length: n + 1 }, () => new Float64Array(m + 1));
  const gain = Array.from({ length: n }, (_, i) => Float64Array.from({ length: m }, (__, j) => Math.max(0, weight(i, j))));
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      const together = gain[i][j] ? gain[i][j] + best[i + 1][j + 1] : 0;
      best[i][j] = Math.max(together, best[i + 1][j], best[i][j + 1]);
    }
  }
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < n && j < m) {
    if (gain[i][j] && best[i][j] === gain[i][j] + best[i + 1][j + 1]) { pairs.push([i, j]); i += 1; j += 1; }
    else if (best[i + 1][j] >= best[i][j + 1]) i += 1;
    else j += 1;
  }
  return pairs;
}

// Steps side by side. columns[c] holds the texts of a response's steps; every row has one entry per column, the index
// of the step that stands there or null. Each column keeps its order. Where nothing is alike, what stands between two
// aligned rows is put side by side in turn, so that a rewritten step stands beside the one it replaces.
export function align(columns) {
  const bags = columns.map((steps) => steps.map((text) => solid(words(text))));
  let rows = columns[0].map((_, i) => columns.map((__, c) => (c ? null : i)));
  for (let c = 1; c < columns.length; c += 1) {
    const weight = (r, j) => {
      const known = rows[r].flatMap((i, other) => (i === null ? [] : [likeness(bags[other][i], bags[c][j])]));
      const most = Math.max(...known);
      return most >= ALIKE ? most : 0;
    };
    const pairs = [...matching(rows.length, columns[c].length, weight), [rows.length, columns[c].length]];
    const merged = [];
    let [r, j] = [0, 0];
    for (const [toRow, toStep] of pairs) {
      for (; r < toRow; r += 1) merged.push(rows[r]);
      for (; j < toStep; j += 1) merged.push(columns.map((_, other) => (other === c ? j : null)));
      if (toRow < rows.length) { merged.push(rows[r].with(c, j)); r += 1; j += 1; }
    }
    rows = merged;
  }
  return packed(rows, columns.length);
}

// Rows with a single step, standing together, moved up beside each other.
function packed(rows, width) {
  const done = [];
  let loners = [];
  const flush = () => {
    const stacks = Array.from({ length: width }, (_, c) => loners.map((row) => row[c]).filter((i) => i !== null));
    for (let k = 0; k < Math.max(...stacks.map((s) => s.length)); k += 1) done.push(stacks.map((s) => s[k] ?? null));
    loners = [];
  };
  for (const row of rows) {
    if (row.filter((i) => i !== null).length === 1) { loners.push(row); continue; }
    flush();
    done.push(row);
  }
  flush();
  return done;
}

// Per text a list of booleans, one per word: whether the word has no counterpart in at least one of the other texts.
// Texts that share next to nothing differ as a whole: a word in common is then a coincidence.
export function differing(lists) {
  const found = lists.map((list) => list.map(() => false));
  for (let a = 0; a < lists.length; a += 1) {
    for (let b = a + 1; b < lists.length; b += 1) {
      const kept = [new Set(), new Set()];
      const short = Math.max(lists[a].length, lists[b].length) <= LONGEST;
      if (short && likeness(lists[a], lists[b]) >= ALIKE / 2) {
        for (const [i, j] of matching(lists[a].length, lists[b].length, (i, j) => (lists[a][i] === lists[b][j] ? 1 : 0))) {
          kept[0].add(i);
          kept[1].add(j);
        }
      }
      lists[a].forEach((_, i) => { if (!kept[0].has(i)) found[a][i] = true; });
      lists[b].forEach((_, j) => { if (!kept[1].has(j)) found[b][j] = true; });
    }
  }
  return found;
}

// What the reader compares in one place of the page: its words, with a formula as one of them.
// [{ key, node, start, end }] for words of text nodes, [{ key, place }] for formulas.
function atoms(root) {
  const found = [];
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      let at = 0;
      for (const word of words(node.data)) {
        if (word.trim()) found.push({ key: word, node, start: at, end: at + word.length });
        at += word.length;
      }
    } else if (node.dataset?.tex !== undefined) found.push({ key: `\\(${node.dataset.tex}\\)`, place: node });
    else node.childNodes.forEach(visit);
  };
  visit(root);
  return found;
}

// Marks within the places what differs between them. Words of one text that follow each other get one mark.
export function markDifferences(places) {
  const lists = places.map(atoms);
  differing(lists.map((list) => list.map((atom) => atom.key))).forEach((flags, n) => {
    const ranges = new Map(); // text node -> [[start, end]]
    lists[n].forEach((atom, i) => {
      if (atom.place) atom.place.classList.toggle("differs", flags[i]);
      if (!atom.node || !flags[i]) return;
      if (!ranges.has(atom.node)) ranges.set(atom.node, []);
      const known = ranges.get(atom.node);
      const before = lists[n][i - 1];
      if (known.length && flags[i - 1] && before.node === atom.node) known.at(-1)[1] = atom.end;
      else known.push([atom.start, atom.end]);
    });
    for (const [node, spans] of ranges) wrap(node, spans);
  });
}

function wrap(node, spans) {
  const parts = [];
  let at = 0;
  for (const [start, end] of spans) {
    const mark = document.createElement("mark");
    mark.className = "differs";
    mark.textContent = node.data.slice(start, end);
    parts.push(node.data.slice(at, start), mark);
    at = end;
  }
  node.replaceWith(...parts, node.data.slice(at));
}
