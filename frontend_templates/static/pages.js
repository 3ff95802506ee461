/* What the pages add to HTML and HTMX: dark mode after the system, the focus on the error summary, no form lost offline. All else is HTML. */
(function () {
  "use strict";
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function theme() { document.documentElement.setAttribute("data-bs-theme", dark.matches ? "dark" : "light"); }
  theme();
  dark.addEventListener("change", theme);

  function settle() {
    var summary = document.getElementById("error-summary");
    if (summary) { summary.focus(); }
  }
  document.addEventListener("DOMContentLoaded", settle);
  document.addEventListener("htmx:afterSwap", settle);

  // A link in the summary leads to its field: into it, not only to it.
  document.addEventListener("click", function (event) {
    var link = event.target.closest ? event.target.closest("#error-summary a") : null;
    var field = link && document.getElementById(link.hash.slice(1));
    if (field) { event.preventDefault(); field.focus(); field.scrollIntoView({ block: "center" }); }
  });

  // Without a connection a form stays as it was typed: the browser's own page about it would lose what was filled in.
  document.addEventListener("submit", function (event) {
    var said = document.getElementById("offline");
    if (said && navigator.onLine === false) { event.preventDefault(); said.hidden = false; said.focus(); }
  });
  window.addEventListener("online", function () {
    var said = document.getElementById("offline");
    if (said) { said.hidden = true; }
  });

  // An open account menu closes with Escape and by a click elsewhere.
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") { close(null); } });
  document.addEventListener("click", function (event) { close(event.target); });
  function close(target) {
    document.querySelectorAll("details.account[open]").forEach(function (menu) {
      if (!target || !menu.contains(target)) { menu.removeAttribute("open"); }
    });
  }
})();
