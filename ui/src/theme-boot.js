// Runs before the first paint, so that a chosen theme does not flash. Kept apart from the bundle for that reason.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("st-theme");
  } catch (error) {
    // Storage may be forbidden; the system's preference then decides.
  }
  var dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
