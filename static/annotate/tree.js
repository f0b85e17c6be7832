// Arrow keys in a tree of <details>: up and down over what is visible, right opens or goes in, left closes or goes out.
const tree = document.querySelector("[data-tree]");
const visible = () => [...tree.querySelectorAll("[data-node]")].filter((node) => node.checkVisibility());

tree?.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !event.target.matches("[data-node]")) return;
  const nodes = visible();
  const at = nodes.indexOf(event.target);
  const own = event.target.matches("summary") ? event.target.parentElement : null;
  const outer = (own ?? event.target).parentElement.closest("details")?.querySelector("summary");
  let to = null;
  if (event.key === "ArrowDown") to = nodes[at + 1];
  else if (event.key === "ArrowUp") to = nodes[at - 1];
  else if (event.key === "Home") to = nodes[0];
  else if (event.key === "End") to = nodes.at(-1);
  else if (event.key === "ArrowRight" && own) { if (own.open) to = nodes[at + 1]; else own.open = true; }
  else if (event.key === "ArrowLeft") { if (own?.open) own.open = false; else to = outer; }
  else return;
  event.preventDefault();
  to?.focus();
});
