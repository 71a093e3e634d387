// A tab's sign of life: looks for changes on the server, and tells the page only of those.
(() => {
  const S = window.SpectCount, UNREAD = "?";

  S.pulse = (element, props, watch, server, trigger) => {
    let last = "", timer = 0, looking = false;
    const seen = () => !document.hidden && element.isConnected && element.getClientRects().length > 0;

    async function beat() {
      clearTimeout(timer);
      if (looking || props.value === UNREAD || !seen()) return;
      looking = true;
      let wait_s = 5;
      try {
        const [stamp, next_s] = JSON.parse(await server.beat(props.value ?? ""));
        wait_s = next_s;
        if (last !== stamp) { last = stamp; trigger("input"); }
      } catch (error) {
        console.warn("no answer to a look", error); // the banner of an app that is away says it
      } finally { looking = false; }
      clearTimeout(timer);
      timer = setTimeout(beat, 1000 * wait_s);
    }

    watch("value", beat);
    document.addEventListener("visibilitychange", beat);
    new ResizeObserver(beat).observe(element); // its tab is opened
    beat();
  };
})();
