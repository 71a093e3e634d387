// What every figure of the page shares: theme, colours, numbers as text.
Object.assign(window.SpectCount, {
  dark: () => document.body.classList.contains("dark"),

  // Calls `redraw` whenever the reader switches between light and dark.
  onTheme(redraw) {
    new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  },

  // The longest clip that the chosen base takes, seconds; Whisper's window while it is not loaded.
  longest_s: () => +(document.querySelector("#status [data-longest-s]")?.dataset.longestS || 30),

  // Calls `redraw` whenever another base is chosen or loaded.
  onBase(redraw) {
    const status = document.querySelector("#status");
    if (status) new MutationObserver(redraw).observe(status, { childList: true, subtree: true, attributes: true });
  },

  // The colours of the theme; `palette` is spectcount.figures.style.
  colours() { return this.palette[this.dark() ? "dark" : "light"]; },

  font: 'Inter, system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif',

  // The bytes behind base64 text.
  bytes: Uint8Array.fromBase64?.bind(Uint8Array) ?? ((text) => {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }),

  // Hands the reader a file.
  save(name, data, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(data instanceof Blob ? data : new Blob([data], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  },
});

// The address says what the page shows; a value that is none leaves it. Browsers allow few changes
// of the address in a short time, so those that come together are one.
(() => {
  const S = window.SpectCount, waiting = new Map();
  let settle = 0;
  function write() {
    const url = new URL(window.location.href);
    for (const [name, value] of waiting) value ? url.searchParams.set(name, value) : url.searchParams.delete(name);
    waiting.clear();
    if (url.href !== window.location.href) history.replaceState(history.state, "", url);
  }
  S.keep = (name, value) => {
    waiting.set(name, value === null || value === undefined ? "" : String(value));
    clearTimeout(settle);
    settle = setTimeout(write, 300);
  };
  addEventListener("pagehide", write);

  // The plan of a form, as the server wrote it beside its cost; none while it cannot be read. What
  // comes first may be of the form before the address was read, and takes no plan out of it.
  S.keepPlan = (element, watch, name) => {
    let first = true;
    const read = () => {
      const plan = element.querySelector("[data-kept]");
      if (plan && (plan.dataset.kept || !first)) S.keep(name, plan.dataset.kept);
      if (plan) first = false;
    };
    watch("value", read);
    read();
  };

  // Plays a sound; that another one, or a pause, comes before it began is no fault.
  S.play = (audio) => audio.play().catch((problem) => {
    if (problem.name !== "AbortError") console.warn("the browser did not play a sound", problem);
  });

  // What appears here is read out, once it stands.
  S.live = (element) => element.setAttribute("aria-live", "polite");

  // After a start: the run's progress, where it is out of view.
  S.reveal = (where) => {
    const progress = document.querySelector(`#${where}-progress`);
    if (!progress || document.querySelector(`#${where}-message :is([role="alert"], [data-again])`)) return;
    const { top, bottom } = progress.getBoundingClientRect();
    if (top < 0 || bottom > window.innerHeight) progress.scrollIntoView({ block: "center" });
  };
})();
