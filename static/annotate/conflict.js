// Two versions of one item, side by side: nothing is overwritten before a person has seen both.
import { answerOf } from "./dialog.js";
import { element } from "./dom.js";

const dialog = document.getElementById("conflict");
const table = document.getElementById("conflict-rows");

function rows(mine, theirs) {
  const [ours, others] = [new Map(mine), new Map(theirs)];
  return [...new Set([...ours.keys(), ...others.keys()])].map((label) => {
    const [here, there] = [ours.get(label) ?? "", others.get(label) ?? ""];
    const row = element("tr", here === there ? "" : "differs", "");
    const head = element("th", "", label);
    head.scope = "row";
    row.append(head, element("td", "", here || "–"), element("td", "", there || "–"));
    return row;
  });
}

let open = null; // one question at a time; a second conflict meanwhile is the same question with newer words

// "mine" or "theirs".
export function decide(view, mine, theirs) {
  table.replaceChildren(...rows(view.describe(mine), view.describe(theirs)));
  if (!dialog.open) dialog.showModal();
  open ??= answerOf(dialog, false).finally(() => { open = null; }); // both stay until one is chosen
  return open;
}
