// One clip: two pictures on canvas, a player with a playhead, a table, links and files.
(() => {
  const S = window.SpectCount;
  const MARGIN = { left: 66, right: 78, top: 8, bottom: 36 };
  const NYQUIST_HZ = 8000, TOKEN_S = 0.04;

  // 256 colours, interpolated between the stops (magma, safe for colour-blind readers).
  const LUT = (() => {
    const stops = S.palette.magma.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
    const lut = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      const at = (i / 255) * (stops.length - 1), k = Math.min(Math.floor(at), stops.length - 2);
      const [r, g, b] = stops[k].map((v, j) => Math.round(v + (stops[k + 1][j] - v) * (at - k)));
      lut[i] = (255 << 24) | (b << 16) | (g << 8) | r;
    }
    return lut;
  })();

  // A picture at its own resolution; the style sheet stretches it.
  function paintPicture(canvas, picture) {
    const levels = S.bytes(picture.levels), { rows, columns } = picture;
    const image = new ImageData(columns, rows), pixels = new Uint32Array(image.data.buffer);
    for (let row = 0; row < rows; row++) {
      const from = row * columns, to = (rows - 1 - row) * columns;
      for (let i = 0; i < columns; i++) pixels[to + i] = LUT[levels[from + i]];
    }
    if (canvas.width !== columns || canvas.height !== rows) { canvas.width = columns; canvas.height = rows; }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // Slaney's mel scale and Whisper's 128 channels, as in spectcount.scales.
  const mel = (hz) => (hz < 1000 ? hz / (200 / 3) : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4));
  const channel = (hz) => mel(hz) / (mel(NYQUIST_HZ) / 129) - 1;

  const HEAR = {
    height: (hz) => hz / NYQUIST_HZ,
    ticks: (small) => (small ? [0, 2000, 4000, 6000, 8000] : [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000]),
    scale: (p) => [[0, `${p.low} dB`], [1, `${p.high} dB`]],
  };
  const MODEL = {
    height: (hz) => (channel(hz) + 0.5) / 128,
    ticks: (small) => (small ? [250, 1000, 2000, 4000] : [125, 250, 500, 1000, 2000, 4000, 7000]),
    scale: () => [[0, "floor"], [0.5, "\u221240 dB"], [1, "loudest"]],
  };

  function niceStep(span, most) {
    const raw = span / most, power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= raw);
  }

  function paintAxes(ctx, area, kind, picture, duration_s) {
    const c = S.colours();
    ctx.font = `12px ${S.font}`;
    ctx.fillStyle = c.faint;
    ctx.strokeStyle = c.grid;
    ctx.lineWidth = 1;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    let last = Infinity;
    for (const hz of kind.ticks(area.height < 170)) {
      const y = area.top + area.height * (1 - kind.height(hz));
      if (last - y < 14) continue;
      last = y;
      ctx.fillText(hz.toLocaleString("en").replace(",", "\u2009"), area.left - 8, Math.min(Math.max(y, area.top + 5), area.top + area.height - 4));
      ctx.beginPath(); ctx.moveTo(area.left - 4, y); ctx.lineTo(area.left, y); ctx.stroke();
    }
    ctx.textAlign = "center";
    ctx.textBaseline = "top";
    const step = niceStep(duration_s, area.width / 70);
    for (let i = 0; i * step <= duration_s + 1e-9; i++) {
      const x = area.left + (area.width * i * step) / duration_s;
      ctx.fillText(String(+(i * step).toFixed(3)), x, area.top + area.height + 7);
      ctx.beginPath(); ctx.moveTo(x, area.top + area.height); ctx.lineTo(x, area.top + area.height + 4); ctx.stroke();
    }
    ctx.fillText("time (s)", area.left + area.width / 2, area.top + area.height + 22);
    ctx.save();
    ctx.translate(9, area.top + area.height / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.textBaseline = "middle";
    ctx.fillText("frequency (Hz)", 0, 0);
    ctx.restore();
    paintScale(ctx, area, kind, picture, c);
  }

  function paintScale(ctx, area, kind, picture, c) {
    const x = area.left + area.width + 10;
    for (let i = 0; i < area.height; i++) {
      const v = LUT[Math.round(255 * (1 - i / (area.height - 1)))];
      ctx.fillStyle = `rgb(${v & 255},${(v >> 8) & 255},${(v >> 16) & 255})`;
      ctx.fillRect(x, area.top + i, 8, 1.5);
    }
    ctx.fillStyle = c.faint;
    ctx.font = `12px ${S.font}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const [at, words] of kind.scale(picture))
      ctx.fillText(words, x + 12, Math.min(Math.max(area.top + area.height * (1 - at), area.top + 6), area.top + area.height - 5));
  }

  // Lines of the token grid, thinned where they would run together; returns tokens per line.
  function paintTokens(ctx, area, duration_s) {
    const width = (area.width * TOKEN_S) / duration_s;
    const every = [1, 5, 25, 125].find((k) => k * width >= 6);
    ctx.strokeStyle = "rgba(255,255,255,0.16)";
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let i = every; i * TOKEN_S < duration_s; i += every) {
      const x = Math.round(area.left + i * width) + 0.5;
      ctx.moveTo(x, area.top); ctx.lineTo(x, area.top + area.height);
    }
    ctx.stroke();
    return every;
  }

  // Light lines with a dark rim, seen on any colour: solid around events, dashed around what sounds
  // whatever the answer; arrows point at a gap without covering it.
  function paintOutlines(ctx, area, kind, outlines, duration_s) {
    const at = (s) => area.left + (area.width * s) / duration_s;
    for (const o of outlines) {
      const x = at(o.from_s), w = Math.max(at(o.to_s) - x, 2);
      const top = area.top + area.height * (1 - Math.min(kind.height(o.high_hz), 1));
      const bottom = area.top + area.height * (1 - Math.max(kind.height(o.low_hz), 0));
      for (const [style, width] of [["rgba(0,0,0,0.45)", 3], ["#ffffff", 1.25]]) {
        ctx.strokeStyle = style;
        ctx.lineWidth = width;
        ctx.setLineDash(o.kind === "background" ? [5, 4] : []);
        ctx.strokeRect(x, top, w, Math.max(bottom - top, 3));
        ctx.setLineDash([]);
      }
      if (o.gap_s) paintGap(ctx, at((o.gap_s[0] + o.gap_s[1]) / 2), top, Math.max(bottom, top + 3), area);
    }
  }

  // What lies beyond the longest clip that the chosen model takes.
  function paintUnheard(ctx, area, duration_s) {
    const from = area.left + (area.width * S.longest_s()) / duration_s;
    if (from >= area.left + area.width) return;
    ctx.fillStyle = "rgba(120,128,136,0.88)";
    ctx.fillRect(from, area.top, area.left + area.width - from, area.height);
    ctx.fillStyle = "#ffffff";
    ctx.font = `600 12px ${S.font}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    ctx.fillText("not heard", area.left + area.width - 8, area.top + area.height / 2);
  }

  // Two arrow heads that meet the outline from outside, or from inside where there is no room.
  function paintGap(ctx, x, top, bottom, area) {
    const size = 8;
    const down = top - area.top > size ? top : top + size, up = area.top + area.height - bottom > size ? bottom : bottom - size;
    ctx.fillStyle = "#ffffff";
    ctx.strokeStyle = "rgba(0,0,0,0.6)";
    ctx.lineWidth = 1;
    for (const [tip, base] of [[down, down - size], [up, up + size]]) {
      ctx.beginPath();
      ctx.moveTo(x, tip); ctx.lineTo(x - size / 2, base); ctx.lineTo(x + size / 2, base); ctx.closePath();
      ctx.fill(); ctx.stroke();
    }
  }

  // A cleared canvas in CSS pixels, or nothing while it is not laid out.
  function context(canvas) {
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width || !height) return null;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    const ctx = canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    return { ctx, width, height };
  }

  // One figure: picture, marks (outlines, token grid, playhead) and axes lie on top of each other,
  // so that each is drawn anew only when it changes.
  function makeFigure(figure, kind) {
    const [picture, marks, axes] = ["picture", "marks", "axes"].map((name) => figure.querySelector(`.${name}`));
    let drawn = "";
    function paintScaleAndAxes(shown, value) {
      const key = [shown.duration_s, value.low, value.high, axes.clientWidth, axes.clientHeight, S.dark()].join();
      if (key === drawn || !axes.clientWidth) return;
      const { ctx, width, height } = context(axes);
      const area = { left: MARGIN.left, top: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
      paintAxes(ctx, area, kind, value, shown.duration_s);
      drawn = key;
    }
    function paintMarks(shown, show) {
      const on = context(marks);
      if (!on) return 0;
      const area = { left: 0, top: 0, width: on.width, height: on.height };
      const tokens = kind === MODEL && show.tokens ? paintTokens(on.ctx, area, shown.duration_s) : 0;
      if (show.outlines) paintOutlines(on.ctx, area, kind, shown.outlines, shown.duration_s);
      if (kind === MODEL) paintUnheard(on.ctx, area, shown.duration_s);
      if (show.at_s > 0) paintPlayhead(on.ctx, area, show.at_s / shown.duration_s);
      return tokens;
    }
    return { paintPicture: (value) => paintPicture(picture, value), paintAxes: paintScaleAndAxes, paintMarks, marks };
  }

  function paintPlayhead(ctx, area, share) {
    ctx.strokeStyle = "#ffffff";
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(area.width * share, 0);
    ctx.lineTo(area.width * share, area.height);
    ctx.stroke();
  }

  function fillTable(table, rows) {
    table.parentElement.hidden = !rows.length;
    const cell = (tag, text, name) => { const c = document.createElement(tag); c.textContent = text; if (name) c.className = name; return c; };
    const line = (cells) => { const tr = document.createElement("tr"); tr.append(...cells); return tr; };
    const body = rows.map((r) => line([cell("th", r.unit ? `${r.quantity} (${r.unit})` : r.quantity), cell("td", r.declared),
      cell("td", r.measured), cell("td", r.ok === null ? "" : r.ok ? "agrees" : "differs", r.ok === false ? "differs" : "agrees")]));
    table.replaceChildren(line([cell("th", "Quantity"), cell("th", "Declared"), cell("th", "Measured"), cell("th", "Agreement")]), ...body);
  }

  function address(query) {
    const url = new URL(window.location.href);
    for (const name of ["family", "design", "task", "side", "seed", "clip"]) url.searchParams.delete(name);
    for (const [name, text] of new URLSearchParams(query)) url.searchParams.set(name, text);
    return url;
  }

  S.clip = (element, props, watch, server) => {
    const find = (name) => element.querySelector(name);
    const root = find(".clip"), audio = find("audio"), hint = find(".clip-hint");
    const figures = [makeFigure(find(".clip-hear"), HEAR), makeFigure(find(".clip-model"), MODEL)];
    let shown = null, track = "", frame = 0, settle = 0;

    function paintMarks() {
      if (!shown) return;
      const show = { outlines: find(".clip-outlines").checked, tokens: find(".clip-tokens").checked, at_s: audio.currentTime };
      const tokens = figures.map((figure) => figure.paintMarks(shown, show))[1];
      const grid = !tokens ? "" : tokens === 1 ? ", grid: one 40 ms token" : `, grid: ${tokens} tokens of 40 ms`;
      find(".clip-model figcaption span").textContent = `log-mel, 128 channels, floor 80 dB below the loudest${grid}${unheard()}`;
    }

    const unheard = () => shown.duration_s <= S.longest_s() ? ""
      : `; the chosen model takes clips of at most ${S.longest_s()} s and refuses this one`;

    function repaint() {
      if (!shown) return;
      figures[0].paintAxes(shown, shown.hear);
      figures[1].paintAxes(shown, shown.model);
      paintMarks();
    }

    // The player's copy of the last clip shown and what is measured in it: one request at a time,
    // none for clips passed over.
    let fetching = false;
    async function follow() {
      if (fetching) return;
      fetching = true;
      try {
        for (let at = null; at !== shown;) {
          at = shown;
          const found = at.table ? JSON.parse(await server.measured(at.stimulus))
            : { wav: at.wav || (await server.player_wav(at.stimulus)), rows: [], cautions: [] };
          if (at !== shown) continue;
          setAudio(found.wav);
          showMeasured(found);
        }
      } finally { fetching = false; }
    }

    function showMeasured({ rows, cautions }) {
      const caution = find(".clip-caution");
      caution.textContent = cautions.map((words) => `Caution: ${words}.`).join(" ");
      caution.hidden = !cautions.length;
      fillTable(find(".clip-table"), rows);
      delete root.dataset.measuring;
    }

    function setAudio(wav) {
      const playing = !audio.paused && !audio.ended;
      if (track) URL.revokeObjectURL(track);
      track = URL.createObjectURL(new Blob([S.bytes(wav)], { type: "audio/wav" }));
      audio.src = track;
      root.dataset.heard = shown.name;
      if (playing) S.play(audio);
    }

    // Live: one drawing at a time; of the moves that come meanwhile only the last is drawn.
    let wanted = null, drawing = false;
    async function move(text) {
      wanted = text;
      if (drawing) return;
      drawing = true;
      try {
        while (wanted) {
          const asked = wanted;
          wanted = null;
          const value = JSON.parse(await server[props.live](asked));
          if (!wanted || !value.error) show(value);
        }
      } catch (error) {
        show({ error: "The server did not answer; check that the app is still running, then move a control again." });
        console.error(error);
      } finally { drawing = false; }
    }
    if (props.live) S.move = (text) => { S.drawing(text); move(text); return text; };

    // What the outlines mean, where there is more than events.
    function explain(outlines) {
      const gaps = outlines.some((o) => o.gap_s), background = outlines.some((o) => o.kind === "background");
      find(".clip-legend").hidden = !gaps && !background;
      find(".legend-background").hidden = !background;
      find(".legend-gap").hidden = !gaps;
    }

    const update = () => show(props.value ? JSON.parse(props.value) : null);

    function show(value) {
      const blank = !value || (!shown && value.error);
      root.classList.toggle("blank", !!blank);
      find(".clip-empty").textContent = props.empty_text;
      find(".clip-empty").hidden = !!value;
      if (!value) { shown = null; audio.pause(); }
      const error = find(".clip-error"), note = find(".clip-note");
      error.textContent = value?.error || "";
      error.hidden = !value?.error;
      root.classList.toggle("refused", !!value?.error);
      if (!value?.note) note.hidden = true;
      if (!value || value.error) { find(".clip-caution").hidden = true; return; }
      note.textContent = value.note;
      note.hidden = !value.note;
      shown = value;
      figures[0].paintPicture(value.hear);
      figures[1].paintPicture(value.model);
      repaint();
      explain(value.outlines);
      root.dataset.measuring = "";
      follow();
      hint.textContent = "player: 16 bit; clip.wav: exact float32";
      find(".clip-files").hidden = !props.files || !value.stimulus;
      find(".clip-link").disabled = !value.query;
      root.dataset.clip = value.name;
      if (props.files && value.query) {
        clearTimeout(settle);
        settle = setTimeout(() => history.replaceState(history.state, "", address(value.query)), 400);
      }
    }

    function playhead() { paintMarks(); frame = audio.paused ? 0 : requestAnimationFrame(playhead); }
    audio.addEventListener("play", () => { frame ||= requestAnimationFrame(playhead); });
    audio.addEventListener("seeked", paintMarks);
    for (const { marks } of figures) marks.addEventListener("click", (event) => {
      if (shown) audio.currentTime = (event.offsetX / marks.clientWidth) * shown.duration_s;
    });
    find(".clip-outlines").addEventListener("change", paintMarks);
    find(".clip-tokens").addEventListener("change", paintMarks);
    find(".clip-link").addEventListener("click", async () => {
      const url = address(shown.query).toString();
      try { await navigator.clipboard.writeText(url); hint.textContent = "link copied"; }
      catch { hint.textContent = url; }
    });
    find(".clip-json").addEventListener("click", () => S.save("stimulus.json", shown.stimulus, "application/json"));
    find(".clip-wav").addEventListener("click", async () => S.save("clip.wav", S.bytes(await server.exact_wav(shown.stimulus)), "audio/wav"));
    find(".clip-measured").open = !window.matchMedia("(max-width: 640px)").matches;
    watch("value", update);
    S.onTheme(repaint);
    S.onBase(paintMarks);
    new ResizeObserver(repaint).observe(root);
    update();
  };
})();
