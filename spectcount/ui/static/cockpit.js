// Answers that follow the sound and the question: they stand back the instant either changes, and are
// asked for anew, at once where that is quick, after a rest where it is not, by a button where it is slow.
(() => {
  const S = window.SpectCount, QUICK_MS = 250, SLOW_MS = 2000, REST_MS = 300, page = Math.random().toString(36).slice(2), asks = [];
  let now = null, drawn = [], changed = () => {}; // now: the values of ask.Panel.about; drawn: sounds that are not yet among them

  // What is asked, whoever wrote the values down: how far the sliders go does not matter.
  function meaning([, hide, , ...question]) {
    const { full, pinned, ...sound } = JSON.parse(question.pop());
    return JSON.stringify([hide, ...question]) + (pinned || JSON.stringify(sound, [...Object.keys(sound), ...Object.keys(sound.params)].sort()));
  }

  // A control of the question was changed, or of the sound, whose text is the last of the values.
  S.asking = (...values) => {
    drawn = drawn.slice(drawn.indexOf(values.at(-1)) + 1 || drawn.length);
    now = [...values.slice(0, -1), drawn.at(-1) ?? values.at(-1)];
    changed();
  };
  S.drawing = (sound) => { drawn.push(sound); if (now) { now = [...now.slice(0, -1), sound]; changed(); } };

  // The button: about what is shown, also where its text is on its way.
  S.ask = (number) => [String(asks.push(meaning(now)) - 1), ...now.slice(2)];

  S.answers = (element, props, watch, server) => {
    const [root, tally, age, button, body] = ["answers", "tally", "age", "ask-now", "answers-body"].map((name) => element.querySelector(`.${name}`));
    const took_ms = {}, typical_ms = () => Math.min(...(took_ms[now.slice(3, 5)] ?? [0])); // a model that was loaded meanwhile is no slow one
    let about = "", at = 0, rest = 0, clock = 0;

    function show(html, meant) {
      [about, at, body.innerHTML] = [meant, Date.now(), html];
      tally.textContent = body.querySelector("[data-tally]")?.dataset.tally ?? "";
      if (now) changed();
    }
    const ask = S.lastOf(async (values) => {
      const meant = meaning(values), who = values.slice(3, 5), start = performance.now();
      if (meant === about) return;
      root.dataset.asking = "";
      const html = await server.live_answer(JSON.stringify({ page, values })).catch(() => "");
      took_ms[who] = [took_ms[who]?.[1] ?? 0, performance.now() - start];
      delete root.dataset.asking;
      if (html && meaning(now) === meant) show(html, meant);
    });
    changed = () => {
      const [live, hide] = now, stale = about !== meaning(now), by_hand = !live || hide || typical_ms() > SLOW_MS;
      if (stale && hide && about) return show("", ""); // a page that hides answers holds none
      root.toggleAttribute("data-stale", stale && !!about);
      button.hidden = !stale || !by_hand || !!now[9];
      button.textContent = hide ? "Show the answers" : "Ask";
      [rest, clock].forEach(clearTimeout);
      const tell = () => { age.textContent = stale && about ? `of an earlier sound or question, ${Math.round((Date.now() - at) / 1000)} s old` : ""; };
      tell();
      if (stale) clock = setInterval(tell, 1000);
      if (stale && !by_hand && !now[9] && element.checkVisibility()) rest = setTimeout(ask, +root.dataset.restMs || (typical_ms() > QUICK_MS ? REST_MS : 0), now);
    };
    button.addEventListener("click", () => ask(now));
    watch("value", () => show(props.value, asks[/data-ask="(\d+)"/.exec(props.value)?.[1]] ?? meaning(now)));
    new ResizeObserver(() => { if (now) changed(); }).observe(element); // its tab is opened
  };
})();
