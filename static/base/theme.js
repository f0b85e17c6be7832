// Runs in the head, before the first paint: applies the remembered theme, then wires the toggle (system, light, dark).
(() => {
  const root = document.documentElement;
  const order = ["system", "light", "dark"];
  let theme = "system";
  try { theme = localStorage.getItem("theme") || "system"; } catch { /* private window: the system's theme */ }

  const apply = () => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
      button.hidden = false;
      button.setAttribute("aria-label", `Theme: ${theme}. Change`);
      button.title = `Theme: ${theme}`;
    });
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  apply();
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    theme = order[(order.indexOf(theme) + 1) % order.length];
    try { localStorage.setItem("theme", theme); } catch { /* holds for this page only */ }
    apply();
  });
})();
