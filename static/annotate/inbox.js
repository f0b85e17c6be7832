// The inbox by keyboard: a cursor over the flags.
const cards = [...document.querySelectorAll("[data-flag]")];
const at = () => cards.indexOf(document.activeElement?.closest("[data-flag]"));

function go(i) {
  const card = cards[Math.max(0, Math.min(cards.length - 1, i))];
  card?.focus({ preventScroll: true });
  card?.scrollIntoView({ block: "nearest" });
}

let going = 0; // when "g" was pressed: the key after it belongs to the page frame

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const card = cards[at()];
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.key === "Escape" && card) card.focus();
    return; // Enter in the text resolves: its form's first button
  }
  if (Date.now() - going < 1200) { going = 0; return; }
  if (event.key === "g") { going = Date.now(); return; }
  const acts = {
    j: () => go(at() + 1),
    k: () => go(at() - 1),
    ArrowDown: () => go(at() + 1),
    ArrowUp: () => go(at() - 1),
    e: () => card?.querySelector('input[name="resolution"]')?.focus(),
    o: () => card?.querySelector("[data-open]")?.click(),
    Enter: () => card?.querySelector('button[value="resolve"]')?.click(),
  };
  if (!(event.key in acts) || (event.key === "Enter" && event.target.closest("a, button, summary"))) return;
  event.preventDefault();
  acts[event.key]();
});

if (document.activeElement === document.body) go(0);
