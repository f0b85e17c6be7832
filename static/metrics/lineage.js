// Links with data-trace open in a drawer at the side of any page. The links are plain addresses: without this
// file, with a modifier key, or where the server refuses, they open a page of their own.
(() => {
  let box = null;

  const drawer = () => {
    if (box) return box;
    box = document.createElement("dialog");
    box.className = "drawer";
    box.id = "trace";
    box.setAttribute("aria-labelledby", "trace-title");
    const close = document.createElement("form");
    close.method = "dialog";
    close.className = "drawer-close";
    const sample = document.querySelector("#keys form[method=dialog] button");
    const button = document.createElement("button");
    button.className = "button small quiet";
    button.textContent = sample ? sample.textContent : "Close";
    const key = document.createElement("kbd");
    key.className = "key";
    key.textContent = "Esc";
    button.append(" ", key);
    close.append(button);
    const body = document.createElement("div");
    body.className = "drawer-body";
    box.append(close, body);
    // A click beside the drawer lands on the dialog itself.
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    // Its steps are in the history: Back goes a step back, and closing takes them all out again.
    box.addEventListener("close", () => {
      body.replaceChildren();
      if (history.state?.depth) history.go(-history.state.depth);
    });
    document.body.append(box);
    return box;
  };

  const show = async (href) => {
    const dialog = drawer();
    const body = dialog.querySelector(".drawer-body");
    body.setAttribute("aria-busy", "true");
    if (!dialog.open) dialog.showModal();
    try { await window.htmx.ajax("GET", href, { target: body, swap: "innerHTML" }); } catch { body.replaceChildren(); }
    body.removeAttribute("aria-busy");
    const content = body.querySelector("[data-trace-content]");
    if (!content) { window.location.assign(href); return; }
    dialog.scrollTop = 0;
    body.scrollTop = 0;
    content.querySelector("#trace-title").focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-trace]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.closest("[data-trace-page]")) return; // on its own page a link is a link
    event.preventDefault();
    const depth = (box?.open && history.state?.depth) || 0;
    history.pushState({ trace: link.href, depth: depth + 1 }, "");
    show(link.href);
  });

  window.addEventListener("popstate", ({ state }) => {
    if (state?.trace) show(state.trace);
    else if (box?.open) box.close();
  });
  // After a reload, as of a page that follows a run, the drawer is where it was.
  if (history.state?.trace) show(history.state.trace);
})();
