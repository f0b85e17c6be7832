// Runs in the head, before the first paint. Whoever is signed in has their theme in the page already; others
// have it in this browser. Then it wires the toggle (system, light, dark).
(() => {
  const root = document.documentElement;
  const order = ["system", "light", "dark"];
  const account = root.dataset.settings; // the address of the person's settings, when signed in
  const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const remember = (key, value) => { try { if (value) localStorage.setItem(key, value); else localStorage.removeItem(key); } catch { /* private window */ } };

  // "theme-chosen" is a choice on its way to the account, as "dark" or, once confirmed, "dark@time". It still
  // holds for a moment then: a page that was asked for meanwhile is rendered with the choice before it.
  const [choice, confirmed] = (account && remembered("theme-chosen") || "").split("@");
  const holds = choice && !(confirmed && Date.now() - Number(confirmed) > 10000);
  let theme = (holds && choice) || (account ? root.dataset.theme || "system" : remembered("theme") || "system");

  const apply = () => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
      button.hidden = false;
      const label = button.dataset[`label${theme[0].toUpperCase()}${theme.slice(1)}`] ?? theme;
      button.setAttribute("aria-label", label);
      button.title = label;
    });
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  let sending = false;
  const send = async () => {
    if (sending) return; // one at a time: two could arrive in the other order
    sending = true;
    const headers = JSON.parse(document.body.getAttribute("hx-headers:inherited") ?? "{}");
    const chosen = theme;
    try {
      const reply = await fetch(account, {
        method: "PUT", keepalive: true, headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify({ theme: chosen }),
      });
      if (reply.ok && theme === chosen) remember("theme-chosen", `${chosen}@${Date.now()}`);
      sending = false;
      if (theme !== chosen) send();
    } catch { sending = false; /* sent with the next page */ }
  };

  apply();
  remember("theme", theme); // the sign-in page looks the same
  document.addEventListener("DOMContentLoaded", () => { apply(); if (holds && !confirmed) send(); });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    theme = order[(order.indexOf(theme) + 1) % order.length];
    remember("theme", theme);
    if (account) { remember("theme-chosen", theme); send(); }
    apply();
  });
})();
