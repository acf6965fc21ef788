// Keeps a page up to date. Without this script every page works, and shows what was when it loaded.
(function () {
  "use strict";

  // Log lines come as HTML that the server has escaped; `changed` asks htmx to fetch the live part.
  var page = document.querySelector("[data-events]");
  if (page) {
    var source = new EventSource(page.dataset.events);
    source.addEventListener("changed", function () {
      document.body.dispatchEvent(new CustomEvent("changed"));
    });
    source.addEventListener("log", function (event) {
      var log = document.getElementById("log");
      var following = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
      log.insertAdjacentHTML("beforeend", JSON.parse(event.data));
      var empty = document.getElementById("log-empty");
      if (empty) { empty.hidden = true; }
      while (log.children.length > 5000) { log.firstElementChild.remove(); }
      if (following) { log.scrollTop = log.scrollHeight; }
    });
    var light = document.getElementById("live");
    if (light) {
      source.addEventListener("open", function () { light.dataset.on = "yes"; light.title = "Live"; });
      source.addEventListener("error", function () { delete light.dataset.on; light.title = "Not connected"; });
    }
    window.addEventListener("pagehide", function () { source.close(); });
  }

  // Which log levels are shown.
  document.addEventListener("change", function (event) {
    if (event.target.id === "log-level") {
      document.getElementById("log").dataset.level = event.target.value;
    }
  });

  // Copy buttons.
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-copy]");
    if (!button || !navigator.clipboard) { return; }
    navigator.clipboard.writeText(button.dataset.copy).then(function () {
      var text = button.textContent;
      button.textContent = "Copied";
      setTimeout(function () { button.textContent = text; }, 1200);
    });
  });
})();
