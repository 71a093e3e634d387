// A listening session: level check, practice, questions with keys, breaks, the end.
(() => {
  const S = window.SpectCount;

  // The key of an answer: its digit, else its first letter, else its place.
  function keysOf(answers) {
    const initials = answers.map((a) => a[0].toLowerCase());
    const distinct = new Set(initials).size === answers.length;
    return answers.map((a, i) => (/^\d$/.test(a) ? a : a === "10" ? "t" : distinct ? initials[i] : String(i + 1)));
  }

  S.you = (element, props, watch, server, trigger) => {
    const find = (name) => element.querySelector(name);
    const stage = find(".you"), ask = find(".you-ask"), answers = find(".you-answers");
    const words = find(".you-words"), place = find(".you-place"), told = find(".you-told"), error = find(".you-error");
    const audio = new Audio();
    let run = "", state = "idle", asked = null, practised = 0, startedAt = 0, track = "", keys = [], resting = null;

    const say = (text) => { words.textContent = text; };
    const fail = (text) => { error.textContent = text || ""; error.hidden = !text; };

    function buttons(entries) {
      answers.replaceChildren(...entries.map(({ label, key, act }) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
        if (key) button.append(" ", Object.assign(document.createElement("kbd"), { textContent: key === "Enter" ? "↵" : key }));
        button.addEventListener("click", act);
        return button;
      }));
      keys = entries.filter((e) => e.key);
    }

    async function call(name, value) {
      try {
        const found = JSON.parse(await server[name](value));
        fail(found.error);
        return found.error ? null : found;
      } catch (problem) {
        fail("The server did not answer; check that the app is still running, then press the key again.");
        console.error(problem);
        return null;
      }
    }

    function play(wav) {
      if (track) URL.revokeObjectURL(track);
      track = URL.createObjectURL(new Blob([S.bytes(wav)], { type: "audio/wav" }));
      audio.src = track;
      startedAt = performance.now();
      return audio.play().catch((problem) => { fail(`The browser did not play the sound (${problem.message}); press Begin again.`); });
    }

    function enter(name) { state = name; stage.dataset.state = name; }

    async function open(value) {
      audio.pause();
      asked = null; practised = 0; resting = null; run = value?.run || "";
      if (!run) {
        enter("idle");
        place.textContent = told.textContent = "";
        say(props.empty_text);
        return buttons([]);
      }
      enter("ready");
      place.textContent = value.about;
      say("Put on headphones, in a quiet room. Turn the volume down first: loud sounds can hurt your ears. Play the sample and raise the volume until it is comfortable, then leave it.");
      told.textContent = "Each sound is played once. Answer with the keys shown; guess when you are not sure.";
      buttons([{ label: "Play the sample", key: "p", act: sample }, { label: "Begin", key: "Enter", act: () => next() }]);
    }

    async function sample() {
      const found = await call("sample", run);
      if (found) play(found.wav);
    }

    async function next() {
      if (state === "waiting") return;
      enter("waiting");
      const found = await call("question", { run, practised });
      if (!found) { enter("ready"); buttons([{ label: "Try again", key: "Enter", act: () => next() }]); return; }
      if (found.ended) return finish(found);
      if (found.pause && resting !== found.answered) return rest(found);
      show(found);
    }

    function rest(found) {
      resting = found.answered;
      enter("pause");
      place.textContent = `${found.answered} of at most ${found.most} answered`;
      say("A break. Rest your ears, and go on when you like. You may also close this page: every answer is kept.");
      buttons([{ label: "Go on", key: "Enter", act: () => next() }]);
    }

    function show(found) {
      asked = found;
      enter("asking");
      place.textContent = found.practice ? `Practice, ${found.answered + 1} of ${found.most}` : `${found.answered + 1} of at most ${found.most}`;
      say(found.prompt);
      const marks = keysOf(found.answers);
      buttons(found.answers.map((answer, i) => ({ label: answer, key: marks[i], act: () => give(answer) })));
      play(found.wav);
      stage.focus({ preventScroll: true });
    }

    async function give(answer) {
      if (state !== "asking") return;
      enter("answering");
      const seconds = (performance.now() - startedAt) / 1000;
      audio.pause();
      const found = await call("answer", { run, key: asked.key, answer, seconds, practice: asked.practice, practised });
      if (!found) { enter("asking"); return; }
      practised += asked.practice ? 1 : 0;
      told.textContent = found.told;
      told.dataset.right = found.right;
      enter("told");
      setTimeout(() => next(), found.told ? 900 : 350);
    }

    function finish(found) {
      enter("done");
      place.textContent = `${found.answered} answers`;
      say("That was the last one. Thank you for listening. Your results are below; ask the models the same questions to see them beside yours.");
      told.textContent = "";
      buttons([]);
      trigger("submit");
    }

    element.addEventListener("keydown", (event) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return;
      const hit = keys.find((k) => k.key.toLowerCase() === event.key.toLowerCase());
      if (hit) { event.preventDefault(); hit.act(); }
    });
    watch("value", () => open(props.value ? JSON.parse(props.value) : null));
    open(props.value ? JSON.parse(props.value) : null);
  };
})();
