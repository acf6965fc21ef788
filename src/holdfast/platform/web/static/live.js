// Keeps a page up to date. Without this script every page works, and shows what was when it loaded.
(function () {
  "use strict";

  // Log lines come as HTML that the server has escaped; `changed` asks htmx to fetch the live part.
  // Hidden tabs let go of their connection: browsers allow six for each host.
  var page = document.querySelector("[data-events]");
  var light = document.getElementById("live");
  var source = null;
  var last = null;

  function show(event) {
    var log = document.getElementById("log");
    var following = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    last = event.lastEventId;
    log.insertAdjacentHTML("beforeend", JSON.parse(event.data));
    while (log.children.length > 5000) { log.firstElementChild.remove(); }
    var empty = document.getElementById("log-empty");
    if (empty) { empty.hidden = true; }
    if (following) { log.scrollTop = log.scrollHeight; }
  }

  function connect() {
    var address = page.dataset.events;
    if (last !== null) { address = address.replace(/after=\d+/, "after=" + last); }
    source = new EventSource(address);
    source.addEventListener("log", show);
    source.addEventListener("changed", function () {
      document.body.dispatchEvent(new CustomEvent("changed"));
    });
    source.addEventListener("open", function () { light.dataset.on = "yes"; light.title = "Live"; });
    source.addEventListener("error", function () { delete light.dataset.on; light.title = "Not connected"; });
  }

  function disconnect() {
    if (source) { source.close(); source = null; delete light.dataset.on; }
  }

  if (page) {
    if (!document.hidden) { connect(); }
    document.addEventListener("visibilitychange", function () {
      disconnect();
      if (!document.hidden) { connect(); }
    });
    window.addEventListener("pagehide", disconnect);
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
