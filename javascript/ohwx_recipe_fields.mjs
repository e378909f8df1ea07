// The inputs of a recipe's fields, each with its meaning and default; those that are seldom set are folded in groups.

/** @import { Presets, RecipeField, RecipeFields, TrainingParts } from "./ohwx_types" */

/** @typedef {{ words: string, props?: Record<string, unknown>, className?: string }} Look */

const FROZEN = { placeholder: "not trained", min: 0 };

/** @type {Record<string, Look>} What stands above the groups, in the words of the form. */
const FIRST = {
  train: {
    words: "Folder of training pictures",
    props: { placeholder: "contains 1_ohwx man" },
    className: "ohwx-double",
  },
  reg: {
    words: "Folder of regularization images",
    props: { placeholder: "optional; contains 1_man" },
    className: "ohwx-double",
  },
  name: { words: "Name of the checkpoints", className: "ohwx-double" },
  epochs: { words: "Epochs", props: { min: 1 } },
  repeats: { words: "Repeats", props: { min: 1, placeholder: "of the folders" } },
  batch: { words: "Batch size", props: { min: 1 } },
  width: { words: "Width, px", props: { step: 64, min: 64 } },
  height: { words: "Height, px", props: { step: 64, min: 64 } },
  save_every_epochs: { words: "Every N epochs", props: { min: 1 } },
  save_every_steps: { words: "Every N steps", props: { min: 1 } },
  lr_unet: { words: "UNet", props: FROZEN },
  lr_te1: { words: "Text encoder 1", props: FROZEN },
  lr_te2: { words: "Text encoder 2", props: FROZEN },
  sample_prompts: { words: "Sample prompts, one per line", props: { placeholder: "photo of ohwx man" } },
};
const ELSEWHERE = ["preset", "base", "resolution"]; // a choice each, and two figures
const HINT = "An empty field means null where its meaning names null, else the default.";

/** What a field says of itself. @param {RecipeField} field */
export const fieldTitle = ({ meaning, default: value }) => `${meaning} (default: ${JSON.stringify(value)})`;

/**
 * `first(name)` is the input of a field that stands above, `groups` are all others, folded.
 *
 * @param {TrainingParts} parts
 * @param {Presets} presets
 * @param {RecipeFields} form
 * @param {() => void} changed
 */
export function recipeInputs(parts, presets, form, changed) {
  const { make, field } = parts;
  /** @param {string} name */
  const described = (name) => presets.fields.find((one) => one.name === name);

  /** @param {string} name */
  function first(name) {
    const look = FIRST[name] ?? { words: name };
    const about = described(name) ?? described("resolution");
    if (!about) return null;
    const kind = name === "width" || name === "height" ? "whole" : about.kind;
    const input = inputFor(parts, { ...about, name, kind }, form, changed, look.props);
    const label = field(look.words, input, look.className ?? (kind === "lines" ? "ohwx-wide" : ""));
    return Object.assign(label, { title: fieldTitle(about) });
  }

  /** @param {RecipeField} one */
  function other(one) {
    const input = inputFor(parts, one, form, changed);
    const about = make("span", { className: "ohwx-grey" }, fieldTitle(one));
    const isSwitch = one.kind === "switch";
    const label = isSwitch ? parts.check(one.name, input) : field(one.name, input);
    return make("div", { className: "ohwx-about ohwx-double" }, label, about);
  }

  const others = presets.fields.filter(({ name }) => !(name in FIRST) && !ELSEWHERE.includes(name));
  const titles = [...new Set(others.map(({ group }) => group))];
  const known = parts.asFields({ preset: form.preset ?? null }, presets);
  const groups = titles.map((title) => {
    const own = others.filter(({ group }) => group === title);
    const open = own.some(({ name }) => form[name] !== known[name]); // what was set is seen
    const inside = parts.fields(...own.map(other));
    return make("details", { className: "ohwx-more ohwx-group", open }, make("summary", {}, title), inside);
  });
  const hint = make("p", { className: "ohwx-grey" }, HINT);
  return { first, groups: parts.part("All other fields", hint, ...groups) };
}

/**
 * @param {TrainingParts} parts
 * @param {RecipeField} about
 * @param {RecipeFields} form
 * @param {() => void} changed
 * @param {Record<string, unknown>} [props]
 */
function inputFor(parts, { name, kind, choices }, form, changed, props = {}) {
  const id = `ohwx-recipe-${name}`;
  const bound = /** @type {const} */ ([form, name, changed]);
  if (kind === "switch") return parts.bind(parts.make("input", { id, type: "checkbox" }), ...bound);
  if (kind === "choice") {
    const select = parts.choice(id, props);
    select.offer((choices ?? []).map((one) => String(one ?? "")));
    return parts.bind(select, ...bound);
  }
  if (kind === "whole") return parts.bind(parts.number(id, { step: 1, ...props }), ...bound);
  if (kind === "number") return parts.bind(parts.number(id, props), ...bound);
  if (kind === "lines" || kind === "json") return parts.bind(parts.textArea(id, props), ...bound);
  const placeholder = choices ? choices.join(", ") : "";
  return parts.bind(parts.textInput(id, { placeholder, ...props }), ...bound);
}
