// One clip: two pictures on canvas, a player with a playhead, a table, links and files. Axes, outlines
// and token grid are elements that the style sheet places.
(() => {
  const S = window.SpectCount;
  const TOKEN_S = 0.04;

  // 256 colours, interpolated between the stops (magma, safe for colour-blind readers).
  const LUT = Uint32Array.from({ length: 256 }, (_, i) => {
    const stops = S.palette.magma.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
    const at = (i / 255) * (stops.length - 1), k = Math.min(Math.floor(at), stops.length - 2);
    const [r, g, b] = stops[k].map((v, j) => Math.round(v + (stops[k + 1][j] - v) * (at - k)));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });

  // A picture at its own resolution; the style sheet stretches it.
  function paintPicture(canvas, { levels, rows, columns }) {
    const bytes = S.bytes(levels), image = new ImageData(columns, rows), pixels = new Uint32Array(image.data.buffer);
    for (let row = 0; row < rows; row++) {
      const from = row * columns, to = (rows - 1 - row) * columns;
      for (let i = 0; i < columns; i++) pixels[to + i] = LUT[bytes[from + i]];
    }
    if (canvas.width !== columns || canvas.height !== rows) { canvas.width = columns; canvas.height = rows; }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function address(query) {
    const url = new URL(window.location.href);
    for (const name of ["family", "design", "task", "side", "seed", "clip"]) url.searchParams.delete(name);
    for (const [name, text] of new URLSearchParams(query)) url.searchParams.set(name, text);
    return url;
  }

  // Does `work` with one value at a time; of the values that come meanwhile only the last is taken.
  S.lastOf = (work) => {
    let waiting = [], busy = false;
    return async (value) => {
      waiting = [value];
      if (busy) return;
      busy = true;
      try {
        while (waiting.length) await work(waiting.pop(), () => waiting.length > 0);
      } finally { busy = false; }
    };
  };

  S.clip = (element, props, watch, server) => {
    const find = (name) => element.querySelector(name);
    const write = (name, text) => { find(name).textContent = text ?? ""; };
    const root = find(".clip"), audio = find("audio"), hint = find(".clip-hint");
    const kinds = ["hear", "model"], part = (kind, name) => find(`.clip-${kind} ${name}`);
    let shown = null, settle = 0;

    // Where the token grid, the playhead and the end of what the chosen model takes stand.
    function place() {
      if (!shown) return;
      const { duration_s } = shown, width = (part("model", ".marks").clientWidth * TOKEN_S) / duration_s;
      const tokens = [1, 5, 25].find((k) => k * width >= 6) ?? 125, longest_s = S.longest_s();
      root.style.setProperty("--token", (tokens * TOKEN_S) / duration_s);
      root.style.setProperty("--heard", longest_s / duration_s);
      root.style.setProperty("--played", audio.currentTime / duration_s || -1);
      const grid = !find(".clip-tokens").checked ? "" : tokens === 1 ? ", grid: one 40 ms token" : `, grid: ${tokens} tokens of 40 ms`;
      const beyond = duration_s <= longest_s ? "" : `the chosen model takes clips of at most ${longest_s} s and refuses this one; `;
      write(".clip-model figcaption span", `${beyond}log-mel, 128 channels, floor 80 dB below the loudest${grid}`);
    }

    // The player's copy of the last clip shown and what is measured in it.
    const follow = S.lastOf(async (clip) => {
      const { wav, table, caution, agree } = clip.table ? JSON.parse(await server.measured(clip.stimulus))
        : { wav: clip.wav || (await server.player_wav(clip.stimulus)), table: "" };
      if (clip !== shown) return;
      const playing = !audio.paused && !audio.ended;
      audio.src = `data:audio/wav;base64,${wav}`;
      root.dataset.heard = clip.name;
      if (playing) S.play(audio);
      write(".clip-caution", caution);
      write(".clip-agree", agree);
      find(".clip-table").innerHTML = table;
      delete root.dataset.measuring;
    });

    const move = S.lastOf(async (text, late) => {
      try {
        const value = JSON.parse(await server[props.live](text));
        if (!late() || !value.error) show(value);
      } catch (error) {
        show({ error: "The server did not answer; check that the app is still running, then move a control again." });
        console.error(error);
      }
    });
    if (props.live) S.move = (text) => { S.drawing(text); move(text); return text; };

    const update = () => show(props.value ? JSON.parse(props.value) : null);

    function show(value) {
      root.classList.toggle("blank", !value || (!shown && !!value.error));
      root.classList.toggle("refused", !!value?.error);
      write(".clip-empty", value ? "" : props.empty_text);
      write(".clip-error", value?.error);
      write(".clip-note", value?.note);
      if (!value) { shown = null; audio.pause(); }
      if (!value || value.error) return write(".clip-caution", "");
      shown = value;
      for (const kind of kinds) {
        paintPicture(part(kind, ".picture"), value[kind]);
        part(kind, ".marks").innerHTML = value[kind].marks;
        part(kind, ".axis-x").innerHTML = value.ticks;
      }
      place();
      root.dataset.measuring = "";
      follow(value);
      hint.textContent = "player: 16 bit; clip.wav: exact float32";
      find(".clip-files").hidden = !props.files || !value.stimulus;
      find(".clip-link").disabled = !value.query;
      root.dataset.clip = value.name;
      if (!props.files || !value.query) return;
      clearTimeout(settle);
      settle = setTimeout(() => history.replaceState(history.state, "", address(value.query)), 400);
    }

    function playhead() { place(); if (!audio.paused) requestAnimationFrame(playhead); }
    audio.addEventListener("play", playhead);
    audio.addEventListener("seeked", place);
    for (const kind of kinds) part(kind, ".marks").addEventListener("click", (event) => {
      if (shown) audio.currentTime = (event.offsetX / event.target.clientWidth) * shown.duration_s;
    });
    find(".clip-tokens").addEventListener("change", place);
    find(".clip-link").addEventListener("click", async () => {
      const url = address(shown.query).toString();
      try { await navigator.clipboard.writeText(url); hint.textContent = "link copied"; }
      catch { hint.textContent = url; }
    });
    find(".clip-json").addEventListener("click", () => S.save("stimulus.json", shown.stimulus, "application/json"));
    find(".clip-wav").addEventListener("click", async () => S.save("clip.wav", S.bytes(await server.exact_wav(shown.stimulus)), "audio/wav"));
    watch("value", update);
    S.onBase(place);
    new ResizeObserver(place).observe(root);
    update();
  };
})();
