// Shell behaviour every page has: data-key shortcuts, the "?" sheet, menus that close.
// A page with keys of its own sets <body data-own-keys>, and this file then leaves the keyboard alone.
(() => {
  let pending = "";
  let timer = 0;
  // The button that gets the focus stands at its foot, and would scroll a long sheet down to itself.
  const openKeys = () => { const sheet = document.getElementById("keys"); if (sheet) { sheet.showModal(); sheet.scrollTop = 0; } };
  const typing = (el) => el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const open = document.querySelector("details.menu[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
      return;
    }
    if (document.body.hasAttribute("data-own-keys") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") { openKeys(); event.preventDefault(); return; }
    const keys = (pending ? `${pending} ` : "") + event.key;
    const target = document.querySelector(`[data-key="${CSS.escape(keys)}"]`);
    clearTimeout(timer);
    pending = "";
    if (target) { event.preventDefault(); target.focus(); if (!typing(target)) target.click(); return; }
    if (event.key === "g") { pending = "g"; timer = setTimeout(() => { pending = ""; }, 1200); }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-keys]")) openKeys();
    document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  // Whoever tabs on past a menu's end has left it.
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    const menu = target.closest("details.menu[open]");
    if (menu && relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
  });

  // On a narrow screen the menu scrolls sideways: where one is must be in sight.
  const here = document.querySelector(".site-nav [aria-current]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;

  // A dangerous action says in words what it does and asks once.
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
})();
