// The rows of a draft that say what varies besides the checkpoint. Values are text as X/Y/Z reads it; prompts are pairs.

const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const switches = { true: "on", false: "off" };

const isLines = (kind) => /(prompt|negative)$/.test(kind); // one a line, commas are their own
const plain = (value) => (Array.isArray(value) ? value.map((style) => style.name).join(",") || "None" : switches[value] ?? String(value));

export function valuesText(kind, values) {
  if (typeof values === "string") return values;
  return isLines(kind) ? values.map(plain).join("\n") : values.map((value) => quoted(plain(value))).join(", ");
}

const pairOf = (value) => (typeof value === "string" ? { prompt: value, negative: null } : { negative: null, ...value });

// What the server reads: a text for all kinds but prompts, whose commas and lines are their own. A row still empty is none.
export function asked(axes) {
  const read = axes.map((axis) => ({ kind: axis.kind, values: axis.kind === "prompt" ? prompts(axis.pairs) : axis.values.trim() }));
  return read.filter((axis) => axis.values.length);
}

const prompts = (pairs) => pairs.filter((pair) => pair.prompt.trim() || pair.negative).map((pair) => (pair.negative === null ? pair.prompt : pair));

export function asRow(axis) {
  const list = typeof axis.values === "string" ? axis.values.split("\n").filter(Boolean) : axis.values;
  return axis.kind === "prompt" ? { kind: axis.kind, pairs: list.map(pairOf) } : { kind: axis.kind, values: valuesText(axis.kind, axis.values) };
}

const blank = (kind) => asRow({ kind, values: kind === "prompt" ? ["", ""] : "" });

export function axesForm({ make, button, textArea, choice, bind, keyed, setShown, setText }, axes, changed) {
  const list = make("div", { className: "ohwx-axes" });
  const add = button("Add an axis", () => { axes.push(blank(free().includes("seed") ? "seed" : free()[0])); reshape(); list.lastElementChild.querySelector("select").focus(); }, { id: "ohwx-axis-add" });
  let kinds = [];
  const hint = (kind) => kinds.find((one) => one.name === kind)?.hint ?? "";
  const free = (own) => kinds.map((kind) => kind.name).filter((name) => name === own || name === "prompt s/r" || !axes.some((axis) => axis.kind === name));
  const ids = new Map();
  const idOf = (axis) => { if (!ids.has(axis)) ids.set(axis, ids.size + 1); return ids.get(axis); };
  const show = keyed(list, idOf, row);

  function reshape() {
    show(axes);
    changed();
  }

  function row(axis) {
    const number = idOf(axis);
    const kind = choice(`ohwx-axis-${number}`, { "aria-label": "What varies" });
    const values = textArea(`ohwx-values-${number}`, { rows: 1, "aria-label": "Values" });
    const pairs = make("div", { className: "ohwx-pairs" });
    const drop = button("×", () => { axes.splice(axes.indexOf(axis), 1); reshape(); add.focus(); }, { className: "ohwx-button ohwx-round", "aria-label": "Remove this axis" });
    bind(kind, axis, "kind", () => {
      Object.assign(axis, blank(axis.kind));
      values.value = axis.values ?? "";
      reshape();
    });
    bind(values, axis, "values", changed);
    const showPairs = keyed(pairs, (pair) => pair, pairRow);

    function pairRow(pair) {
      const prompt = bind(textArea("", { rows: 1, placeholder: "prompt", "aria-label": "Prompt" }), pair, "prompt", changed);
      const negative = textArea("", { rows: 1, placeholder: "negative prompt: as above", "aria-label": "Negative prompt", value: pair.negative ?? "" });
      negative.addEventListener("input", () => { pair.negative = negative.value === "" ? null : negative.value; changed(); });
      const remove = button("×", () => { axis.pairs.splice(axis.pairs.indexOf(pair), 1); reshape(); }, { className: "ohwx-button ohwx-round", "aria-label": "Remove this prompt" });
      return { node: make("div", { className: "ohwx-pair" }, prompt, negative, remove), show() {} };
    }

    const more = button("Add a prompt", () => { axis.pairs.push(pairOf("")); reshape(); pairs.lastElementChild.querySelector("textarea").focus(); });
    const prompts = make("div", { className: "ohwx-prompts" }, pairs, more);
    return {
      node: make("div", { className: "ohwx-axis" }, kind, values, prompts, drop),
      show() {
        kind.offer(free(axis.kind), axis.kind, Object.fromEntries(kinds.map((one) => [one.name, one.title])));
        if (values.placeholder !== hint(axis.kind)) values.placeholder = hint(axis.kind);
        setShown(values, axis.kind !== "prompt");
        setShown(prompts, axis.kind === "prompt");
        if (axis.kind === "prompt") showPairs(axis.pairs);
      },
    };
  }

  const none = make("p", { className: "ohwx-grey" });
  return {
    node: make("div", {}, list, none, add),
    show(state) {
      kinds = state.kinds.filter((kind) => kind.name !== "checkpoint");
      show(axes);
      setShown(none, !axes.length);
      setText(none, "Nothing but the checkpoint varies.");
    },
  };
}
