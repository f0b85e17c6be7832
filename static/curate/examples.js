// The list of examples: tick a whole page at once, and "all that fit" is a button where scripts run.
(() => {
  const form = document.querySelector("[data-examples]");
  const head = form?.querySelector("[data-tick-all]");
  if (!head) return;
  const boxes = [...form.querySelectorAll('input[name="pk"]')];
  const means = form.querySelector("[data-means-all]");
  const ticked = form.querySelector("[data-ticked]");
  const show = () => {
    const count = boxes.filter((box) => box.checked).length;
    head.checked = count === boxes.length;
    head.indeterminate = count > 0 && count < boxes.length;
    ticked.disabled = count === 0;
  };
  head.hidden = false;
  means.closest("label").hidden = true;
  head.addEventListener("change", () => { for (const box of boxes) box.checked = head.checked; show(); });
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => { means.checked = event.submitter?.hasAttribute("data-all") ?? false; });
  form.addEventListener("keydown", (event) => {
    // The shell leaves keys alone while an input has the focus, and a tick box is one.
    if (event.key === "r" && event.target.type === "checkbox" && !event.ctrlKey && !event.metaKey && !event.altKey) ticked.click();
  });
  window.addEventListener("pageshow", show);
  show();
})();
