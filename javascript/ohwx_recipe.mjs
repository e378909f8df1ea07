// A recipe as JSON, and as the fields of a form: what has no field of its own stands in `rest`.

/** @import { Presets, Recipe, RecipeFields, RecipeValue } from "./ohwx_types" */

/** Fields of the form under their names in a recipe. */
const OWN = [
  "preset",
  "base",
  "train",
  "reg",
  "name",
  "resolution",
  "sample_prompts",
  "lr_unet",
  "lr_te1",
  "lr_te2",
  "epochs",
  "repeats",
  "batch",
  "save_every_epochs",
  "save_every_steps",
];

/** Defaults under the values of a preset. @param {Presets} presets @param {RecipeValue | undefined} preset */
const valuesOf = (presets, preset) => ({ ...presets.defaults, ...presets.values[String(preset)] });

/** @param {unknown} a @param {unknown} b */
const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** What a form edits. @param {Recipe} recipe @param {Presets} presets @returns {RecipeFields} */
export function asFields(recipe, presets) {
  const known = valuesOf(presets, recipe.preset);
  /** @type {Recipe} */
  const filled = { ...known, ...recipe };
  const own = /** @type {RecipeFields} */ (Object.fromEntries(OWN.map((name) => [name, filled[name] ?? null])));
  const others = Object.entries(recipe).filter(([name, value]) => !OWN.includes(name) && !isSame(value, known[name]));
  const side = /** @type {number | [number, number]} */ (filled.resolution);
  const [width, height] = typeof side === "number" ? [side, side] : side;
  const prompts = /** @type {string[]} */ (filled.sample_prompts ?? []);
  const rest = others.length ? JSON.stringify(Object.fromEntries(others), null, 1) : "";
  return { ...own, width, height, sample_prompts: prompts.join("\n"), rest };
}

/**
 * Back again; what the preset says already is left out, so that a recipe stays short. Throws a sentence for bad JSON.
 *
 * @param {RecipeFields} form
 * @param {Presets} presets
 * @param {{ lines: (text: string) => string[] }} words
 * @returns {Recipe}
 */
export function asRecipe({ width, height, rest, sample_prompts: prompts, ...own }, presets, { lines }) {
  const more = parsed(rest);
  const known = valuesOf(presets, own.preset);
  /** @type {Recipe} */
  const said = { ...own, resolution: [width, height], sample_prompts: lines(prompts) };
  const wanted = Object.entries(said).filter(
    ([name, value]) => name === "preset" || (value !== "" && !isSame(value, known[name] ?? null)),
  );
  return { ...Object.fromEntries(wanted), ...more };
}

/** @param {string} rest @returns {Recipe} */
function parsed(rest) {
  if (!rest.trim()) return {};
  let value;
  try {
    value = JSON.parse(rest);
  } catch (error) {
    throw new Error(`"Other settings" is not valid JSON: ${/** @type {Error} */ (error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error('"Other settings" must be a JSON object, such as {"seed": 1}.');
  }
  return value;
}
