// pytest-html's table answers to the mouse alone; this lets a keyboard reach and press the same things.
(() => {
  const targets = ".appendix .sortable, .appendix .collapsible .col-result, .appendix .logexpander, #environment-header h2";
  const reach = () => document.querySelectorAll(targets).forEach((element) => {
    element.tabIndex = 0;
    if (!element.matches("th, td")) element.setAttribute("role", "button");
  });
  const place = (element) => {
    const row = element.closest("[data-id]");
    if (row) return `[data-id="${row.dataset.id}"] .col-result`;
    return element.dataset.columnType ? `th[data-column-type="${element.dataset.columnType}"]` : null;
  };
  document.addEventListener("keydown", (event) => {
    if (!["Enter", " "].includes(event.key) || !event.target.matches(targets)) return;
    event.preventDefault();
    const again = place(event.target);
    event.target.click();
    reach();
    if (again) document.querySelector(again)?.focus(); // the table was drawn anew
  });
  new MutationObserver(reach).observe(document.getElementById("tests"), { childList: true, subtree: true });
  window.addEventListener("beforeprint", () => document.querySelectorAll("main details").forEach((part) => { part.open = true; }));
  reach();
})();
