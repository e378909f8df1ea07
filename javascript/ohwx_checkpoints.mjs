// Which checkpoints: the chosen ones in the order of the columns, and a list with filter and groups to choose from.

export function checkpointPicker({ make, button, check, textInput, keyed, setShown, setText, counted }, chosen, changed) {
  const columns = make("ul", { className: "ohwx-chips", "aria-label": "Chosen checkpoints" });
  const empty = make("p", { className: "ohwx-grey" }, "None chosen yet; tick at least one.");
  const groups = make("div", { className: "ohwx-groups", role: "group", "aria-label": "Groups" });
  const filter = textInput("ohwx-checkpoint-filter", { type: "search", placeholder: "Filter", "aria-label": "Filter the checkpoints" });
  const all = button("", () => toggle(seen()), { id: "ohwx-checkpoints-seen" });
  const list = make("div", { className: "ohwx-list", role: "group", "aria-label": "Checkpoints", tabIndex: -1 });
  const nothing = make("p", { className: "ohwx-grey" });
  let state = { checkpoints: [], groups: [] };

  const has = (name) => chosen.includes(name);
  const seen = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    return state.checkpoints.filter((name) => words.every((word) => name.toLowerCase().includes(word)));
  };

  // All of them, or where all are chosen already, none.
  function toggle(names) {
    const isOn = names.every(has);
    for (const name of names) {
      if (isOn) chosen.splice(chosen.indexOf(name), 1);
      else if (!has(name)) chosen.push(name);
    }
    draw();
    changed();
  }

  const showColumns = keyed(columns, (name) => name, (name) => {
    const drop = button("×", () => { const next = node.nextElementSibling ?? node.previousElementSibling; toggle([name]); (next?.querySelector("button") ?? filter).focus(); }, { className: "ohwx-drop", "aria-label": `Leave out ${name}` });
    const node = make("li", { className: "ohwx-chip" }, make("span", {}, name), drop);
    return {
      node,
      show() {
        const isMissing = !state.checkpoints.includes(name);
        node.classList.toggle("ohwx-missing", isMissing);
        if (isMissing && !node.title) node.title = "No file here answers to this name.";
        else if (!isMissing && node.title) node.title = "";
      },
    };
  });

  const showGroups = keyed(groups, (group) => group.name, (group) => {
    let names = [];
    const node = button(group.name, () => toggle(names), { className: "ohwx-button ohwx-pill" });
    return { node, show(now) { names = now.checkpoints; node.setAttribute("aria-pressed", String(names.every(has))); } };
  });

  const showList = keyed(list, (name) => name, (name) => {
    const box = make("input", { type: "checkbox", onchange: () => toggle([name]) });
    return { node: check(name, box), show() { box.checked = has(name); } };
  });

  function draw() {
    showColumns([...chosen]);
    setShown(empty, !chosen.length);
    showGroups(state.groups);
    setShown(groups, state.groups.length);
    const names = seen();
    showList(names);
    setText(all, names.length && names.every(has) ? `Untick the ${names.length}` : `Tick all ${names.length}`);
    setShown(all, names.length > 1);
    setText(nothing, state.checkpoints.length ? "No checkpoint has these words." : "The webui has no .safetensors checkpoint; put one into its models folder.");
    setShown(nothing, !names.length);
  }

  filter.addEventListener("input", draw);
  filter.addEventListener("keydown", (event) => { if (event.key === "Escape" && filter.value) { filter.value = ""; draw(); } });
  return {
    node: make("div", { className: "ohwx-picker" }, columns, empty, make("div", { className: "ohwx-line" }, filter, all, groups), list, nothing),
    show(now) { state = now; draw(); },
    count: () => counted(chosen.length, "checkpoint"),
  };
}
