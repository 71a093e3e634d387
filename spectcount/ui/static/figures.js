// Plotly inside gr.HTML: heat maps and line charts that keep their zoom while values arrive, and
// can be saved as SVG, PNG or an HTML file of their own.
(() => {
  const S = window.SpectCount;
  let plotly;

  // Plotly is 4.6 MB: fetched when the first figure has something to show. A file that holds
  // Plotly itself gives no address.
  function load(url) {
    plotly ??= !url ? Promise.resolve(window.Plotly) : new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error(`cannot load ${url}`));
      document.head.appendChild(script);
    });
    return plotly;
  }

  // Nothing leaves the machine: Plotly's own "Share chart" uploads to its maker's cloud.
  const config = { displaylogo: false, responsive: true, plotlyServerURL: "",
    modeBarButtonsToRemove: ["select2d", "autoScale2d", "sendChartToCloud", "sendDataToCloud"] };

  function axis(label, extra = {}) {
    const c = S.colours();
    return { title: { text: label, standoff: 10, font: { size: 13 } }, automargin: true, gridcolor: c.grid,
      linecolor: c.grid, zeroline: false, ticks: "outside", tickcolor: c.grid, tickfont: { size: 12 }, ...extra };
  }

  const titleStyle = { font: { size: 14 }, x: 0, xanchor: "left", xref: "paper", y: 1, yref: "container", yanchor: "top", pad: { t: 10 } };

  function layout(value, extra) {
    const c = S.colours();
    return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", uirevision: value.key || "same",
      font: { family: S.font, size: 12, color: c.text }, margin: { l: 10, r: 10, t: value.title ? 58 : 12, b: 10 },
      title: value.title ? { ...titleStyle, text: value.title } : undefined,
      hoverlabel: { font: { family: S.font } }, showlegend: false, ...extra };
  }

  function cellText(value, row, column) {
    const z = value.z[row][column];
    const shown = z === null ? "not measured" : `${value.z_label}: ${(+z).toPrecision(3)}`;
    const lines = [`${value.x_label}: ${value.x_ticks?.[column] ?? value.x[column]}`,
      `${value.y_label}: ${value.y_ticks?.[row] ?? value.y[row]}`, shown];
    const note = value.hover?.[row]?.[column];
    return (note ? [...lines, note] : lines).join("<br>");
  }

  function box(region, c) {
    return { type: "rect", x0: region.columns[0] - 0.5, x1: region.columns[1] + 0.5,
      y0: region.rows[0] - 0.5, y1: region.rows[1] + 0.5, line: { color: c, width: 2, dash: region.dashed ? "dash" : "solid" }, fillcolor: "rgba(0,0,0,0)" };
  }

  const SYMBOLS = { changed: "circle-open", confounded: "x-thin-open", weak: "square-open" };

  function marks(value) {
    return Object.entries(value.marks || {}).filter(([, cells]) => cells.length).map(([name, cells]) => ({
      type: "scatter", mode: "markers", name, hoverinfo: "skip", showlegend: true,
      x: cells.map((cell) => cell[1]), y: cells.map((cell) => cell[0]),
      marker: { symbol: SYMBOLS[value.symbols?.[name] || name] || value.symbols?.[name] || "circle-open", size: 8,
        color: S.colours().mark, line: { width: 1.5, color: S.colours().mark } } }));
  }

  // Axes count cells (so that uneven steps look even); tick labels carry the values.
  function ticks(values, labels, most) {
    const every = Math.max(1, Math.ceil(values.length / most));
    const at = values.map((_, i) => i).filter((i) => i % every === 0);
    return { tickmode: "array", tickvals: at, ticktext: at.map((i) => labels?.[i] ?? values[i]) };
  }

  function heatmapFigure(value, cursor, width) {
    const c = S.colours();
    const [low, high] = value.z_range || [0, 1];
    const text = value.z.map((line, row) => line.map((_, column) => cellText(value, row, column)));
    const trace = { type: "heatmap", z: value.z, zmin: low, zmax: high, hoverinfo: "text", text,
      x: value.x.map((_, i) => i), y: value.y.map((_, i) => i), xgap: 1, ygap: 1, hoverongaps: true,
      colorscale: value.diverging ? c.diverging : S.palette.sequential,
      colorbar: { title: { text: value.z_label, side: "right", font: { size: 12 } }, thickness: 12, outlinewidth: 0,
        len: 1, tickfont: { size: 12 } } };
    const points = { type: "scatter", mode: "markers", hoverinfo: "skip", showlegend: false, name: "cells",
      x: value.z.flatMap((line) => line.map((_, column) => column)), y: value.z.flatMap((line, row) => line.map(() => row)),
      marker: { opacity: 0, size: 4 }, selected: { marker: { opacity: 0.9, color: c.accent, size: 7 } },
      unselected: { marker: { opacity: 0 } } };
    const shapes = (value.regions || []).map((region) => box(region, c.accent));
    if (cursor) shapes.push(box({ rows: [cursor[0], cursor[0]], columns: [cursor[1], cursor[1]] }, c.mark));
    const annotations = (value.regions || []).map((region, i) => ({ x: region.columns[0] - 0.4, y: region.rows[1] + 0.4,
      text: region.label ?? String(i + 1), showarrow: false, xanchor: "left", yanchor: "top", font: { size: 12, color: "#ffffff" },
      bgcolor: "rgba(10,20,28,0.75)", borderpad: 2 }));
    return { data: [trace, points, ...marks(value)],
      layout: layout(value, { dragmode: "zoom", shapes, annotations, showlegend: true,
        legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 } },
        xaxis: axis(value.x_label, { showgrid: false, range: [-0.5, value.x.length - 0.5], ...ticks(value.x, value.x_ticks, width < 500 ? 5 : 12) }),
        yaxis: axis(value.y_label, { showgrid: false, range: [-0.5, value.y.length - 0.5], ...ticks(value.y, value.y_ticks, 12) }) }) };
  }

  // Height of a legend above the plot: its entries stand in columns as wide as the longest one.
  function legendHeight(value, width) {
    const names = value.series.filter((line) => line.named ?? true).map((line) => line.name.length);
    const columns = Math.max(1, Math.floor((width - 70) / (6.8 * Math.max(0, ...names) + 48)));
    return 21 * Math.ceil(names.length / columns);
  }

  function lineFigure(value, width) {
    const c = S.colours(), palette = c.lines;
    const data = value.series.flatMap((line, i) => {
      const colour = palette[(line.colour ?? i) % palette.length];
      const bars = line.low && line.bars && { type: "data", symmetric: false, width: 0, thickness: 1.2, color: colour + "99",
        array: line.high.map((v, k) => v - line.y[k]), arrayminus: line.low.map((v, k) => line.y[k] - v) };
      const band = line.low && !line.bars && { type: "scatter", mode: "lines", x: [...line.x, ...[...line.x].reverse()],
        y: [...line.high, ...[...line.low].reverse()], fill: "toself", fillcolor: colour + "33", line: { width: 0 },
        hoverinfo: "skip", showlegend: false };
      const curve = { type: "scatter", mode: line.mode || "lines+markers", name: line.name, x: line.x, y: line.y,
        line: { color: colour, width: line.width ?? 2, dash: line.dash || "solid" }, showlegend: line.named ?? true,
        marker: { size: line.sizes || 7, color: colour, opacity: 1, symbol: line.symbol || "circle", line: markerEdge(line, colour) },
        customdata: line.picks, error_y: bars || undefined,
        text: line.hover, hovertemplate: `${line.name}<br>${value.x_label}: %{x}<br>${value.y_label}: %{y:.3g}`
          + (line.hover ? "<br>%{text}" : "") + "<extra></extra>" };
      return band ? [band, curve] : [curve];
    });
    const shapes = (value.levels || []).map((level) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: level.y, y1: level.y,
      line: { color: c.faint, width: 1, dash: "dot" } }));
    const annotations = (value.levels || []).map((level) => ({ xref: "paper", x: 1, xanchor: "right", y: level.y,
      yanchor: value.y_range && level.y > 0.9 * value.y_range[1] ? "top" : "bottom", text: level.label, showarrow: false, font: { size: 12, color: c.faint } }));
    const top = legendHeight(value, width) + (value.title ? 38 : 10);
    return { data, layout: layout(value, { shapes, annotations, hovermode: "closest", showlegend: true,
      margin: { l: 10, r: 10, t: top, b: 10 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 } },
      xaxis: axis(value.x_label, { ...scale(value.x_log, value.series.flatMap((s) => s.x), value.x_range), range: ends(value.x_range, value.x_log),
        ...(value.x_ticks ? ticks(value.x_ticks, value.x_ticks, value.x_ticks.length) : {}) }),
      yaxis: axis(value.y_label, { ...scale(value.y_log, value.series.flatMap((s) => s.y), value.y_range), range: ends(value.y_range, value.y_log),
        rangemode: value.y_range ? undefined : "tozero" }) }) };
  }

  // Open symbols are drawn by their edge.
  function markerEdge(line, colour) {
    return (line.symbol || "").endsWith("open") ? { width: 1.6, color: colour } : { width: 0 };
  }

  // Plain numbers on a logarithmic axis; Plotly takes its range in decades.
  function scale(log, values, range) {
    if (!log) return { type: "-" };
    const known = (range || values).filter((v) => v > 0);
    const wide = Math.max(...known) > 8 * Math.min(...known);
    return { type: "log", tickformat: "~g", exponentformat: "none", ...(wide ? { tickmode: "linear", tick0: 0, dtick: "D2" } : {}) };
  }
  const ends = (range, log) => !range ? undefined : log ? range.map(Math.log10) : range;

  // One figure: draws when it has a value and a width, redraws on new values, theme and size.
  function mount(element, props, watch, makeFigure, onReady) {
    const holder = element.querySelector(".figure");
    let ready = false, busy = Promise.resolve();
    async function draw() {
      const value = props.value;
      holder.classList.toggle("empty", !value);
      element.querySelector(".figure-files")?.toggleAttribute("hidden", !value);
      const note = element.querySelector(".figure-note");
      if (note) note.textContent = value?.note || "";
      if (!value) return;
      if (!holder.clientWidth) return;
      const Plotly = await load(holder.dataset.plotly);
      const figure = makeFigure(value, holder.clientWidth);
      figure.layout.height = holder.clientHeight;
      await Plotly.react(holder, figure.data, figure.layout, config);
      if (!ready) { ready = true; onReady?.(holder); }
    }
    const redraw = () => { busy = busy.then(draw).catch((error) => console.error(error)); return busy; };
    watch("value", redraw);
    S.onTheme(redraw);
    new ResizeObserver(redraw).observe(holder);
    offerFiles(element, props, holder, makeFigure);
    redraw();
    return redraw;
  }

  const FORMATS = { svg: "image/svg+xml", png: "image/png", html: "text/html" };
  const PAPER = { width: 900, height: 600 };

  // Files are drawn on white, whatever the theme of the page.
  let onWhite = false;
  const pageIsDark = S.dark;
  S.dark = () => !onWhite && pageIsDark();

  // The menu under a figure.
  function offerFiles(element, props, holder, makeFigure) {
    for (const button of element.querySelectorAll("[data-save]")) {
      button.addEventListener("click", async () => {
        const Plotly = await load(holder.dataset.plotly);
        const figure = onPaper(() => makeFigure(props.value, PAPER.width));
        const kind = button.dataset.save;
        if (kind !== "html") tellNote(figure.layout, props.value.note || "");
        S.save(fileName(props.value, holder) + "." + kind, await fileOf(kind, figure, props.value, holder, Plotly));
      });
    }
  }

  function onPaper(make) {
    onWhite = true;
    try {
      const figure = make();
      Object.assign(figure.layout, { ...PAPER, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff",
        margin: { ...figure.layout.margin, l: 24, r: 24, b: 24 } });
      return figure;
    } finally {
      onWhite = false;
    }
  }

  // Nothing can be hovered in a picture: trials per cell, rule and level stand under its title.
  function tellNote(layout, note) {
    const lines = note.match(/.{1,120}(?:\s|$)/g) || [];
    layout.title = { ...titleStyle, ...layout.title, text: layout.title?.text || " ",
      subtitle: { text: lines.join("<br>"), font: { size: 12, color: S.colours().faint } } };
    layout.margin = { ...layout.margin, t: 66 + 16 * lines.length };
  }

  async function fileOf(kind, figure, value, holder, Plotly) {
    if (kind === "html") return new Blob([await page(figure, value, holder)], { type: FORMATS.html });
    const address = await Plotly.toImage(figure, { format: kind, ...PAPER, scale: kind === "png" ? 2 : 1 });
    return (await fetch(address)).blob();
  }

  // One file with Plotly, data and layout in it: it needs no network.
  async function page(figure, value, holder) {
    const script = (await (await fetch(holder.dataset.plotly)).text()).replaceAll("</script", "<\\/script");
    const json = JSON.stringify({ ...figure, config }).replaceAll("<", "\\u003c");
    const words = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
    const title = words(value.title || holder.getAttribute("aria-label"));
    return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><script>${script}</script></head>
<body style="font-family: system-ui, sans-serif; background: #fff"><div id="figure"></div><p style="color: ${S.palette.light.faint}">${words(value.note || "")}</p>
<script>const f = ${json}; delete f.layout.width; Plotly.newPlot("figure", f.data, f.layout, f.config);</script></body></html>`;
  }

  function fileName(value, holder) {
    const words = [holder.getAttribute("aria-label"), value.title].filter(Boolean).join(" ");
    return words.normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "").toLowerCase() || "figure";
  }

  S.heatmap = (element, props, watch, trigger) => {
    const holder = element.querySelector(".figure");
    let cursor = null;
    const select = (row, column) => {
      cursor = [row, column];
      redraw();
      trigger("select", { index: [row, column], value: props.value.z[row][column] });
    };
    const redraw = mount(element, props, watch, (value, width) => heatmapFigure(value, cursor, width), () => {
      holder.on("plotly_click", (event) => {
        const point = event.points.find((p) => p.data.type === "heatmap") || event.points[0];
        select(Math.round(point.y), Math.round(point.x));
      });
    });
    const steps = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
    holder.addEventListener("keydown", (event) => {
      const value = props.value;
      if (!value) return;
      if (event.key === "Enter" && cursor) select(...cursor);
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      const from = cursor || [0, -1];
      cursor = [Math.min(Math.max(from[0] + step[0], 0), value.y.length - 1), Math.min(Math.max(from[1] + step[1], 0), value.x.length - 1)];
      element.querySelector(".figure-cell").textContent = cellText(value, ...cursor).replaceAll("<br>", ", ");
      redraw();
    });
  };

  // What a click on a point picks: a line that has no picks may lie over the mark that is meant.
  function pickAt(value, point) {
    const same = (near) => {
      for (const [i, line] of value.series.entries()) {
        const k = line.picks ? line.x.findIndex((x, j) => near(x, line.y[j])) : -1;
        if (k >= 0) return { index: [i, k], value: line.picks[k] };
      }
    };
    return same((x, y) => x === point.x && y === point.y) || same((x) => x === point.x);
  }

  S.lineChart = (element, props, watch, trigger) => mount(element, props, watch, lineFigure, (holder) => {
    holder.on("plotly_click", (event) => {
      const found = event.points.map((point) => pickAt(props.value, point)).find(Boolean);
      if (found) trigger?.("select", found);
    });
  });
})();
