// What varies besides the checkpoint: axes as a request has them, and rows as a person edits them. Values are a text as
// X/Y/Z plot reads it; only prompts are pairs, whose commas and lines are their own.

/** @import { Axis, AxisRow, AxisValue, Kind, PromptPair } from "./ohwx_types" */

/** @type {Record<string, string>} */
const SWITCHES = { true: "on", false: "off" };

/** A value of a list with commas. @param {string} text */
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Whether its values stand one per line: commas are their own. @param {string} kind */
const isByLine = (kind) => /(prompt|negative)$/.test(kind);

/** @param {AxisValue} value */
function plain(value) {
  if (Array.isArray(value)) return value.map((style) => style.name).join(",") || "None";
  return SWITCHES[String(value)] ?? String(value);
}

/** Values of a kind as one text. @param {string} kind @param {Axis["values"]} values */
export function valuesText(kind, values) {
  if (typeof values === "string") return values;
  if (kind === "prompt order") return JSON.stringify(values); // lists of parts
  const texts = values.map(plain);
  return isByLine(kind) ? texts.join("\n") : texts.map(quoted).join(", ");
}

/** @param {any} value a prompt, or a pair @returns {PromptPair} */
export const asPair = (value) =>
  typeof value === "string" ? { prompt: value, negative: null } : { negative: null, ...value };

/** @param {Axis} axis @returns {AxisRow} */
export function asRow({ kind, values }) {
  if (kind !== "prompt") return { kind, values: valuesText(kind, values), pairs: [] };
  const list = typeof values === "string" ? values.split("\n").filter(Boolean) : values;
  return { kind, values: "", pairs: list.map(asPair) };
}

/** A row to be filled in. @param {string} kind */
export const blankRow = (kind) => asRow({ kind, values: kind === "prompt" ? ["", ""] : "" });

/** Rows as a request has them; one still empty is no axis. @param {readonly AxisRow[]} rows @returns {Axis[]} */
export function asAxes(rows) {
  const axes = rows.map(({ kind, values, pairs }) => ({
    kind,
    values: kind === "prompt" ? pairs.filter(isFilled).map(pairValue) : values.trim(),
  }));
  return axes.filter((axis) => axis.values.length);
}

/** @param {PromptPair} pair */
const isFilled = (pair) => pair.prompt.trim() || pair.negative;

/** @param {PromptPair} pair @returns {string | PromptPair} */
const pairValue = (pair) => (pair.negative === null ? pair.prompt : pair);

/**
 * Kinds that a row may vary: each once, but for Prompt S/R.
 *
 * @param {readonly Kind[]} kinds
 * @param {readonly AxisRow[]} rows
 * @param {string} [own] the row's own kind
 */
export function freeKinds(kinds, rows, own) {
  const taken = new Set(rows.map((row) => row.kind));
  const names = kinds.map((kind) => kind.name);
  return names.filter((name) => name === own || name === "prompt s/r" || !taken.has(name));
}
