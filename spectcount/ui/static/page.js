// What every figure of the page shares: theme, colours, numbers as text.
window.SpectCount = {
  dark: () => document.body.classList.contains("dark"),

  // Calls `redraw` whenever the reader switches between light and dark.
  onTheme(redraw) {
    new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  },

  colours() {
    return this.dark()
      ? { text: "#dbe3ea", faint: "#8b99a7", grid: "#2a333d", panel: "#151b22", accent: "#7dbccb" }
      : { text: "#1f2933", faint: "#66737f", grid: "#d9e0e7", panel: "#ffffff", accent: "#1f687c" };
  },

  font: 'Inter, system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif',

  // Sequential, for rates: cividis (Nunez, Anderton & Renslow 2018), safe for colour-blind readers.
  sequential: [[0, "#00224e"], [0.125, "#123570"], [0.25, "#3b496c"], [0.375, "#575d6d"],
    [0.5, "#707173"], [0.625, "#8a8678"], [0.75, "#a59c74"], [0.875, "#c3b369"], [1, "#fee838"]],

  // Diverging, for differences: orange below zero, blue above, safe for colour-blind readers.
  diverging() {
    const middle = this.dark() ? "#20272f" : "#f4f5f6";
    return [[0, "#b35806"], [0.25, "#e6a15c"], [0.5, middle], [0.75, "#6aa5cf"], [1, "#145a94"]];
  },

  // Lines: Okabe & Ito (2008), safe for colour-blind readers.
  lines() {
    return this.dark()
      ? ["#56b4e9", "#e69f00", "#2fc39b", "#e79ac4", "#f0e442", "#b7c2cc"]
      : ["#0072b2", "#d55e00", "#009e73", "#b2538d", "#8a7a00", "#5b6670"];
  },
};
