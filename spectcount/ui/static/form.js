// Forms from declarations: one parameter becomes one control of the browser's own.
(() => {
  const S = window.SpectCount;

  function node(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, text] of Object.entries(attributes || {})) if (text !== undefined && text !== null) made.setAttribute(name, text);
    made.append(...children);
    return made;
  }

  // The pieces of a control: what holds it, its label, its help, shown on hover and focus.
  function frame(spec, id, ...fields) {
    const help = spec.help ? [node("span", { class: "param-help", role: "tooltip", id: `${id}-help` }, spec.help)] : [];
    for (const field of fields) if (help.length) field.setAttribute("aria-describedby", `${id}-help`);
    return (...inside) => node("div", { class: "param", id }, ...inside, ...help);
  }

  const head = (spec, id, ...more) => node("div", { class: "param-head" }, node("label", { for: `${id}-field` }, spec.title), ...more);

  // A number with limits: a field, and a slider up to its usual end or, beyond that, to the limit.
  function sliderControl(spec, id, changed) {
    const step = spec.step ?? (spec.kind === "int" ? 1 : "any");
    const number = node("input", { type: "number", id: `${id}-field`, step, min: spec.low, max: spec.high, "aria-label": `number input for ${spec.title}` });
    const range = node("input", { type: "range", step, min: spec.low, "aria-label": `range slider for ${spec.title}` });
    const end = node("span", { class: "param-end" });
    let value = spec.value;
    function stretch(full) {
      const top = full || value > spec.usual ? spec.high : spec.usual;
      if (+range.max !== top || end.textContent === "") { range.max = top; end.textContent = top; }
      range.value = value;
    }
    function set(next) { value = next; changed(); }
    range.addEventListener("input", () => { number.value = range.value; set(+range.value); });
    number.addEventListener("input", () => {
      if (number.value === "") return;
      value = +number.value;
      stretch(+range.max === spec.high);
      changed();
    });
    number.addEventListener("blur", () => { if (number.value === "") number.value = value; });
    const build = frame(spec, id, number, range);
    return {
      element: build(head(spec, id, number), node("div", { class: "param-range" }, node("span", { class: "param-end" }, spec.low), range, end)),
      get: () => value,
      set(next, full) { value = next; number.value = next; stretch(full); },
    };
  }

  function fieldControl(spec, id, changed, field, read, write) {
    field.addEventListener(field.type === "checkbox" || field.tagName === "SELECT" ? "change" : "input", changed);
    const build = frame(spec, id, field);
    const element = field.type === "checkbox" ? build(node("label", { class: "param-check" }, field, spec.title)) : build(head(spec, id), field);
    return { element, get: read, set: write };
  }

  // A choice; `allow(names)` offers only these, and takes the first where another was chosen.
  function selectControl(spec, id, changed, select) {
    let offered = "";
    function allow(names) {
      if (names.join() === offered) return;
      const chosen = select.value;
      offered = names.join();
      select.replaceChildren(...names.map((name) => node("option", { value: name }, name)));
      select.value = names.includes(chosen) ? chosen : names[0];
    }
    allow(spec.choices);
    const made = fieldControl(spec, id, changed, select, () => select.value, (value) => { select.value = value; });
    return { ...made, allow };
  }

  function control(spec, id, changed) {
    const common = { id: `${id}-field` };
    if (spec.kind === "bool") {
      const box = node("input", { ...common, type: "checkbox" });
      return fieldControl(spec, id, changed, box, () => box.checked, (value) => { box.checked = value; });
    }
    if (spec.choices.length) return selectControl(spec, id, changed, node("select", common));
    if (spec.kind === "lines") {
      const area = node("textarea", { ...common, rows: 4, spellcheck: "false" });
      return fieldControl(spec, id, changed, area, () => area.value, (value) => { area.value = value; });
    }
    if (spec.usual !== null) return sliderControl(spec, id, changed);
    const number = spec.kind !== "str" && !spec.optional;
    const field = node("input", { ...common, type: number ? "number" : "text", step: number ? spec.step ?? "any" : null, placeholder: spec.optional ? "empty" : null,
      inputmode: spec.kind === "str" ? null : "decimal", autocomplete: "off", spellcheck: "false" });
    return fieldControl(spec, id, changed, field, () => (number && field.value !== "" ? +field.value : field.value), (value) => { field.value = value ?? ""; });
  }

  // The form of one declared class: its groups in the order of declaration. A choice with `limits`
  // offers what `sets` holds for the chosen family, and whatever no family limits.
  function makeForm(groups, prefix, sets, changed) {
    const controls = {}, limited = [];
    function narrow(family) {
      for (const spec of limited) {
        const set = sets[spec.limits], known = new Set(Object.values(set).flat());
        const free = spec.choices.filter((name) => !known.has(name)), own = set[family].filter((name) => spec.choices.includes(name));
        controls[spec.name].allow([...free, ...own]);
      }
    }
    function edited() {
      if (limited.length) narrow(controls.family.get());
      changed();
    }
    const parts = groups.map((group) => {
      const grid = node("div", { class: "group-grid" }, ...group.params.map((spec) => {
        controls[spec.name] = control(spec, `${prefix}-${spec.name}`, edited);
        if (spec.limits) limited.push(spec);
        return controls[spec.name].element;
      }));
      const made = node("details", { class: "group" }, node("summary", {}, group.title), grid);
      made.open = group.open;
      return made;
    });
    return {
      element: node("div", { class: "declared" }, ...parts),
      values: () => Object.fromEntries(Object.entries(controls).map(([name, one]) => [name, one.get()])),
      fill(values, full) {
        if (limited.length) narrow(values.family);
        for (const [name, one] of Object.entries(controls)) if (name in values) one.set(values[name], full);
      },
    };
  }

  // Forms of which one is shown: the value is JSON of {[key]: its name, params, full} and more. A
  // form is made when it is first shown, and keeps its values while another one is. `moved` gets
  // the new value after a reader's change, and gives what is kept of it.
  S.forms = (element, props, watch, { key, forms, sets }, moved) => {
    const holder = element.querySelector(".forms"), made = {};
    function show(name) {
      return (made[name] ??= makeForm(forms[name].groups, forms[name].prefix, sets, () => {
        props.value = moved({ ...JSON.parse(props.value), [key]: name, params: made[name].values() });
      }));
    }
    function fill() {
      const said = JSON.parse(props.value), form = show(said[key]);
      form.fill(said.params, said.full);
      if (holder.firstChild !== form.element) holder.replaceChildren(form.element);
    }
    watch("value", fill);
    fill();
    const defaults = (name) => Object.fromEntries(forms[name].groups.flatMap((group) => group.params.map((spec) => [spec.name, spec.value])));
    return { values: (name) => made[name]?.values() ?? defaults(name) };
  };

  // A form whose changes are an event of its component.
  S.form = (element, props, watch, trigger, said) => {
    S.forms(element, props, watch, said, (value) => {
      setTimeout(() => trigger("input"));
      return JSON.stringify(value);
    });
  };

  // The forms of all families, whose value is what the Design page shows.
  S.familyForms = (element, props, watch, said) => {
    const forms = S.forms(element, props, watch, said, ({ pinned, ...value }) => S.move(JSON.stringify(value)));

    // What the page shows once another family is chosen: its form's values, its own task.
    S.otherFamily = (text, name) => {
      const { pinned, ...value } = JSON.parse(text), tasks = said.forms[name].tasks;
      const task = tasks.includes(value.task) ? value.task : tasks[0];
      return JSON.stringify({ ...value, family: name, params: forms.values(name), task, side: "signal" });
    };
  };
})();
