// What changed between two texts, word by word: [{ op: "same" | "gone" | "new", text }]. Joining "same" and "gone"
// gives the old text, "same" and "new" the new one. Longest common subsequence over words and the space between.
const LONGEST = 600; // words and gaps on either side; beyond it, everything counts as replaced

const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];

function table(a, b) {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      rows[i][j] = a[i] === b[j] ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
    }
  }
  return rows;
}

export function diff(before, after) {
  const [a, b] = [words(before), words(after)];
  const parts = [];
  const put = (op, text) => {
    if (parts.at(-1)?.op === op) parts.at(-1).text += text;
    else if (text) parts.push({ op, text });
  };
  if (Math.max(a.length, b.length) > LONGEST) {
    put("gone", before);
    put("new", after);
    return parts;
  }
  const rows = table(a, b);
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { put("same", a[i]); i += 1; j += 1; }
    else if (j >= b.length || (i < a.length && rows[i + 1][j] >= rows[i][j + 1])) { put("gone", a[i]); i += 1; }
    else { put("new", b[j]); j += 1; }
  }
  return parts;
}

const TAG = { same: "span", gone: "del", new: "ins" };

export function drawDiff(place, before, after) {
  place.replaceChildren(...diff(before, after).map(({ op, text }) => {
    const part = document.createElement(TAG[op]);
    part.textContent = text;
    return part;
  }));
}
