// Keeps <div id="live" data-live="/events/…" data-src="fragment address"> fresh. An event says that something
// changed; the page then fetches its own fragment and morphs it in, so focus stays where it is.
// Without a stream (a proxy, a lost connection, a ticket that ran out) it looks every five seconds instead.
(() => {
  const box = document.getElementById("live");
  if (!box) return;
  const GAP = 400;
  const POLL = 5000;
  let last = 0;
  let timer = 0;
  let stale = false;
  let source = null;

  const refresh = async () => {
    timer = 0;
    if (document.hidden) { stale = true; return; }
    stale = false;
    last = Date.now();
    await window.htmx.ajax("GET", box.dataset.src, { target: box, swap: "innerMorph" });
    const finished = box.querySelector("[data-finished]");
    if (finished) { source?.close(); window.location.reload(); }
  };
  const soon = () => { timer ||= setTimeout(refresh, Math.max(0, last + GAP - Date.now())); };

  const listen = () => {
    source?.close();
    source = new EventSource(box.dataset.live);
    source.addEventListener("news", soon);
  };
  listen();
  setInterval(() => { if (!source || source.readyState !== EventSource.OPEN) soon(); }, POLL);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (source.readyState === EventSource.CLOSED) listen();
    if (stale) soon();
  });
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) { listen(); soon(); } });
})();
