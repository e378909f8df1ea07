// A recipe as JSON, and as what the inputs of a form hold: one for each field that the server describes.

/** @import { Presets, Recipe, RecipeField, RecipeFields, RecipeValue } from "./ohwx_types" */

/** Defaults under the values of a preset. @param {Presets} presets @param {RecipeValue | undefined} preset */
export const valuesOf = (presets, preset) => ({ ...presets.defaults, ...presets.values[String(preset)] });

/** @param {unknown} a @param {unknown} b */
const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** @param {RecipeField} field @param {RecipeValue | undefined} value */
function shown({ kind }, value) {
  if (kind === "switch") return Boolean(value);
  if (kind === "whole" || kind === "number") return value ?? null;
  if (value === null || value === undefined) return "";
  if (Array.isArray(value) && kind !== "json") return value.join(kind === "lines" ? "\n" : ", ");
  if (kind === "json") return isSame(value, []) ? "" : JSON.stringify(value);
  return String(value);
}

/** What a form edits. @param {Recipe} recipe @param {Presets} presets @returns {RecipeFields} */
export function asFields(recipe, presets) {
  /** @type {Recipe} */
  const filled = { ...valuesOf(presets, recipe.preset), ...recipe };
  const side = /** @type {number | [number, number]} */ (filled.resolution);
  const [width, height] = typeof side === "number" ? [side, side] : side;
  const names = presets.fields.map((field) => field.name);
  const rest = Object.fromEntries(Object.entries(recipe).filter(([name]) => !names.includes(name)));
  const own = presets.fields.filter(({ kind }) => kind !== "size");
  return /** @type {RecipeFields} */ ({
    ...Object.fromEntries(own.map((field) => [field.name, shown(field, filled[field.name])])),
    width,
    height,
    rest,
  });
}

/**
 * Back again; what the preset says already is left out, so that a recipe stays short. Throws a sentence for bad JSON.
 *
 * @param {RecipeFields} form
 * @param {Presets} presets
 * @returns {Recipe}
 */
export function asRecipe(form, presets) {
  const known = valuesOf(presets, form.preset);
  const said = presets.fields.map((field) => /** @type {const} */ ([field.name, valueIn(form, field)]));
  const wanted = said.filter(([name, value]) => name === "preset" || !isSame(value, known[name] ?? null));
  return { ...Object.fromEntries(wanted), ...form.rest };
}

const SORTING = [
  ...["resolution", "buckets", "bucket_no_upscale", "bucket_min", "bucket_max", "bucket_step"],
  ...["caption_extensions"],
];

/** The concepts that a form's field holds; none while it is half-typed. @param {unknown} text @returns {Recipe[]} */
export function conceptsIn(text) {
  try {
    const told = JSON.parse(String(text ?? "") || "[]");
    return Array.isArray(told) ? told.filter((one) => one && typeof one === "object") : [];
  } catch {
    return [];
  }
}

/** A recipe that sorts pictures as one of its concepts does. @param {Recipe} recipe @param {Recipe} concept */
export function sortedAs(recipe, concept) {
  const own = Object.entries(concept).filter(([name, value]) => SORTING.includes(name) && value !== null);
  return { ...recipe, ...Object.fromEntries(own) };
}

/**
 * Nothing entered is null where that may be, else the default.
 *
 * @param {RecipeFields} form
 * @param {RecipeField} field
 */
function valueIn(form, field) {
  const { name, kind, nullable, choices } = field;
  if (kind === "size") return [form.width, form.height];
  const value = form[name] ?? null;
  if (value === null || value === "") return nullable ? null : field.default;
  const text = String(value);
  if (kind === "choice") return choices?.find((one) => String(one ?? "") === text) ?? text;
  if (kind === "json") return parsed(name, text);
  if (kind === "lines") return parts(text, "\n");
  if (kind === "texts") return parts(text, ",");
  return kind === "numbers" ? parts(text, ",").map((one) => figure(name, one)) : value;
}

/** @param {string} text @param {string} between */
const parts = (text, between) =>
  text
    .split(between)
    .map((one) => one.trim())
    .filter(Boolean);

/** @param {string} name @param {string} text */
function figure(name, text) {
  const value = Number(text);
  if (Number.isNaN(value)) throw new Error(`"${name}" must be numbers between commas, got "${text}".`);
  return value;
}

/** @param {string} name @param {string} text @returns {RecipeValue} */
function parsed(name, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`"${name}" is not valid JSON: ${/** @type {Error} */ (error).message}`);
  }
}
