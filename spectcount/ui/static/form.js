// Forms from declarations: reads and writes the controls that the server laid out.
(() => {
  const S = window.SpectCount;

  // One control: a box, a choice, text, or a number with a slider beside it, which runs up to its
  // usual end or, beyond that, to the limit.
  function control(param) {
    const [field, range] = param.querySelectorAll("input, select, textarea");
    const names = [...(field.options ?? [])].map((option) => option.value);
    function stretch(full) {
      const { usual, high } = range.dataset;
      range.nextElementSibling.textContent = range.max = full || +field.value > +usual ? high : usual;
      range.value = field.value;
    }
    field.addEventListener("blur", () => { if (range && field.value === "") field.value = range.value; });
    return {
      names,
      limits: param.dataset.limits,
      get() {
        const text = field.value || range?.value || "";
        return field.type === "checkbox" ? field.checked : field.type === "number" && text !== "" ? +text : text;
      },
      set(value, full) {
        if (field.type === "checkbox") field.checked = value;
        else field.value = value ?? "";
        if (range) stretch(full);
      },
      // The control was touched: its two parts follow each other.
      follow(target) {
        if (target === range) field.value = range.value;
        else if (range && field.value !== "") stretch(range.max === range.dataset.high);
      },
      // Offers only these choices, and takes the first where another was chosen.
      offer(allowed) {
        if ([...field.options].map((option) => option.value).join() === allowed.join()) return;
        const chosen = field.value;
        field.replaceChildren(...allowed.map((name) => new Option(name)));
        field.value = allowed.includes(chosen) ? chosen : allowed[0];
      },
    };
  }

  // The form of one declared class. A choice with `limits` offers what `sets` holds for the chosen
  // family, and whatever no family limits.
  function makeForm(html, sets, changed) {
    const element = document.createRange().createContextualFragment(html).firstElementChild;
    const controls = Object.fromEntries([...element.querySelectorAll(".param")].map((param) => [param.dataset.name, control(param)]));
    const all = Object.entries(controls), limited = all.map(([, part]) => part).filter((part) => part.limits);
    function narrow(family) {
      for (const { limits, names, offer } of limited) {
        const known = new Set(Object.values(sets[limits]).flat());
        offer([...names.filter((name) => !known.has(name)), ...sets[limits][family].filter((name) => names.includes(name))]);
      }
    }
    element.addEventListener("input", ({ target }) => {
      controls[target.closest(".param").dataset.name].follow(target);
      if (limited.length) narrow(controls.family.get());
      changed();
    });
    return {
      element,
      values: () => Object.fromEntries(all.map(([name, part]) => [name, part.get()])),
      fill(values, full) {
        if (limited.length) narrow(values.family);
        for (const [name, part] of all) if (name in values) part.set(values[name], full);
      },
    };
  }

  // Forms of which one is shown: the value is JSON of {[key]: its name, params, full} and more. A
  // form is made when it is first shown, and keeps its values while another one is. `moved` gets
  // the new value after a reader's change, and gives what is kept of it.
  S.forms = (element, props, watch, { key, forms, sets }, moved) => {
    const holder = element.querySelector(".forms"), made = {};
    function show(name) {
      return (made[name] ??= makeForm(forms[name].html, sets, () => {
        props.value = moved({ ...JSON.parse(props.value), [key]: name, params: made[name].values() });
      }));
    }
    function fill() {
      const { [key]: name, params, full } = JSON.parse(props.value), form = show(name);
      form.fill(params, full);
      if (holder.firstChild !== form.element) holder.replaceChildren(form.element);
    }
    watch("value", fill);
    fill();
    return (name) => show(name).values();
  };

  // A form whose changes are an event of its component.
  S.form = (element, props, watch, trigger, data) => {
    S.forms(element, props, watch, data, (value) => {
      setTimeout(() => trigger("input"));
      return JSON.stringify(value);
    });
  };

  // The forms of all families, whose value is what the Design page shows.
  S.familyForms = (element, props, watch, data) => {
    const valuesOf = S.forms(element, props, watch, data, ({ pinned, ...value }) => S.move(JSON.stringify(value)));

    // What the page shows once another family is chosen: its form's values, its own task.
    S.otherFamily = (text, family) => {
      const { pinned, ...value } = JSON.parse(text), { tasks } = data.forms[family];
      const task = tasks.includes(value.task) ? value.task : tasks[0];
      return JSON.stringify({ ...value, family, params: valuesOf(family), task, side: "signal" });
    };
  };
})();
