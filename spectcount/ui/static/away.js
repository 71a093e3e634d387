// When the app goes away: the page stays and says so, and comes back by itself, on the same tab.
(() => {
  const PLACE = "tab", LOOK_MS = 5000, AWAY_MS = 2000, PATIENCE_MS = 10000;
  const WORDS = "The app does not answer; this page reconnects by itself. Runs that were started go on.";

  const tabs = () => [...document.querySelectorAll('#places [role="tab"]')];
  const words = (tab) => tab.textContent.trim();

  // A new page shows the first tab; the address keeps another one.
  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.('#places [role="tab"]');
    if (tab) window.SpectCount.keep(PLACE, tab === tabs()[0] ? "" : words(tab));
  });

  function reopen(place) {
    const observer = new MutationObserver(() => {
      const tab = tabs().find((one) => words(one) === place);
      if (!tab) return;
      observer.disconnect();
      tab.click();
    });
    observer.observe(document.documentElement, { childList: true, subtree: true });
  }
  const place = new URLSearchParams(location.search).get(PLACE);
  if (place) reopen(place);

  // The name of the running app, which is another one after each start; null where none answers.
  async function nameOfApp({ root, api_prefix }) {
    try {
      const answer = await fetch(`${root}${api_prefix}/app_id`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      return answer.ok ? (await answer.json()).app_id : null;
    } catch { return null; } // whatever the reason, the app does not answer
  }

  const banner = Object.assign(document.createElement("p"), { id: "away", role: "alert", textContent: WORDS });

  // Loads the page again only from an app that has just answered.
  async function look() {
    const mine = window.gradio_config, name = await nameOfApp(mine);
    if (name !== null && name !== mine.app_id) { location.reload(); return; }
    if (name === null && !banner.isConnected) document.body.append(banner);
    if (name !== null) banner.remove();
    setTimeout(look, name === null ? AWAY_MS : LOOK_MS);
  }
  setTimeout(look, LOOK_MS);
})();
