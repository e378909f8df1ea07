// The rows of a draft that say what varies besides the checkpoint.

/** @import { AxisRow, Family, Kind, Parts, PromptPair, State, View } from "./ohwx_types" */

/**
 * @typedef {object} Form what a row asks of the form it stands in
 * @property {(row: AxisRow) => string[]} free kinds that it may vary
 * @property {() => readonly Kind[]} kinds
 * @property {() => readonly Family[]} families of styles
 * @property {() => void} reshape show the rows anew
 * @property {() => void} changed
 * @property {(row: AxisRow) => void} remove
 */

/**
 * @param {Parts} parts
 * @param {AxisRow[]} rows what it edits
 * @param {() => void} changed
 * @returns {View<State>}
 */
export function axesForm(parts, rows, changed) {
  const { make, button, keyed, setShown } = parts;
  const list = make("div", { className: "ohwx-axes" });
  const add = button("Add an axis", begin, { id: "ohwx-axis-add" });
  const none = make("p", { className: "ohwx-grey" }, "Only the checkpoint varies.");
  const numbers = new Map();
  /** @type {readonly Kind[]} */
  let kinds = [];
  /** @type {readonly Family[]} */
  let families = [];

  /** @param {AxisRow} row */
  function numberOf(row) {
    if (!numbers.has(row)) numbers.set(row, numbers.size + 1);
    return numbers.get(row);
  }

  const form = { kinds: () => kinds, families: () => families, free, reshape, changed, remove };
  const showRows = keyed(list, numberOf, (row) => axisRow(parts, row, numberOf(row), form));

  /** @param {AxisRow} [row] */
  function free(row) {
    return parts.freeKinds(kinds, rows, row?.kind);
  }

  function draw() {
    showRows(rows);
    setShown(none, !rows.length);
  }

  function reshape() {
    draw();
    changed();
  }

  function begin() {
    const names = free();
    rows.push(parts.blankRow(names.includes("seed") ? "seed" : (names[0] ?? "seed")));
    reshape();
    list.lastElementChild?.querySelector("select")?.focus();
  }

  /** @param {AxisRow} row */
  function remove(row) {
    rows.splice(rows.indexOf(row), 1);
    reshape();
    add.focus();
  }

  return {
    node: make("div", {}, list, none, add),
    show(state) {
      kinds = state.kinds.filter((kind) => kind.name !== "checkpoint");
      families = state.families ?? [];
      draw();
    },
  };
}

/**
 * @param {Parts} parts
 * @param {AxisRow} row
 * @param {number} number
 * @param {Form} form
 * @returns {View<AxisRow>}
 */
function axisRow(parts, row, number, form) {
  const { make, button, textArea, choice, bind, setShown } = parts;
  const kind = choice(`ohwx-axis-${number}`, { "aria-label": "Axis" });
  const values = textArea(`ohwx-values-${number}`, { rows: 1, "aria-label": "Values" });
  const prompts = promptRows(parts, row, form);
  const family = familyLine(parts, number, (text) => {
    values.value = [values.value.trim().replace(/,$/, ""), text].filter(Boolean).join(", ");
    values.dispatchEvent(new Event("input"));
  });
  const round = { className: "ohwx-button ohwx-round", "aria-label": "Remove this axis" };
  const drop = button("×", () => form.remove(row), round);
  bind(kind, row, "kind", () => {
    Object.assign(row, parts.blankRow(row.kind));
    values.value = row.values;
    form.reshape();
  });
  bind(values, row, "values", form.changed);
  return {
    node: make("div", { className: "ohwx-axis" }, kind, values, prompts.node, drop, family.node),
    show() {
      const titles = Object.fromEntries(form.kinds().map((one) => [one.name, one.title]));
      const hint = form.kinds().find((one) => one.name === row.kind)?.hint ?? "";
      const isPrompts = row.kind === "prompt";
      kind.offer(form.free(row), row.kind, titles);
      if (values.placeholder !== hint) values.placeholder = hint;
      setShown(values, !isPrompts);
      setShown(prompts.node, isPrompts);
      if (isPrompts) prompts.show(row.pairs);
      setShown(family.node, row.kind === "styles" && form.families().length);
      family.show(form.families());
    },
  };
}

/**
 * "3 of the photo family": so many styles that suit a portrait, evenly from the webui's.
 *
 * @param {number} count
 * @param {string} name
 */
export const familyWords = (count, name) => `${count} of the ${name} family`;

/**
 * @param {Parts} parts
 * @param {number} number of the axis
 * @param {(text: string) => void} add
 * @returns {View<readonly Family[]>}
 */
function familyLine({ make, button, number: numberInput, choice }, number, add) {
  const count = numberInput(`ohwx-family-count-${number}`, { min: 1, step: 1, value: "3", "aria-label": "How many" });
  const name = choice(`ohwx-family-${number}`, { "aria-label": "Family of styles" });
  const put = button("Add", () => add(familyWords(Math.max(Number(count.value) || 1, 1), name.value)), {
    id: `ohwx-family-add-${number}`,
  });
  return {
    node: make("div", { className: "ohwx-line ohwx-family" }, count, "of the family", name, put),
    show(families) {
      const titles = Object.fromEntries(families.map((one) => [one.name, `${one.name} (${one.count})`]));
      const names = families.map((one) => one.name);
      name.offer(names, names.includes(name.value) ? name.value : names[0], titles);
    },
  };
}

/**
 * @param {Parts} parts
 * @param {AxisRow} row
 * @param {Form} form
 * @returns {View<PromptPair[]>}
 */
function promptRows(parts, row, form) {
  const { make, button, keyed } = parts;
  const list = make("div", { className: "ohwx-pairs" });
  const more = button("Add a prompt", () => {
    row.pairs.push(parts.asPair(""));
    form.reshape();
    list.lastElementChild?.querySelector("textarea")?.focus();
  });
  /** @param {PromptPair} pair */
  function remove(pair) {
    row.pairs.splice(row.pairs.indexOf(pair), 1);
    form.reshape();
  }
  /** @type {(pairs: readonly PromptPair[]) => void} */
  const show = keyed(
    list,
    (pair) => pair,
    (pair) => pairRow(parts, pair, form.changed, () => remove(pair)),
  );
  return { node: make("div", { className: "ohwx-prompts" }, list, more), show };
}

/**
 * @param {Parts} parts
 * @param {PromptPair} pair
 * @param {() => void} changed
 * @param {() => void} remove
 * @returns {View<PromptPair>}
 */
function pairRow({ make, button, textArea, bind }, pair, changed, remove) {
  const prompt = textArea("", { rows: 1, placeholder: "prompt", "aria-label": "Prompt" });
  const words = { placeholder: "negative prompt: the picture's own", "aria-label": "Negative prompt" };
  const negative = textArea("", { rows: 1, ...words, value: pair.negative ?? "" });
  bind(prompt, pair, "prompt", changed);
  negative.addEventListener("input", () => {
    pair.negative = negative.value === "" ? null : negative.value;
    changed();
  });
  const round = { className: "ohwx-button ohwx-round", "aria-label": "Remove this prompt" };
  return { node: make("div", { className: "ohwx-pair" }, prompt, negative, button("×", remove, round)), show() {} };
}
