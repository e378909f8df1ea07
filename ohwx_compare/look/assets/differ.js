// What differs in the parameters of several pictures, and only that. Nothing here touches the document.

/** @typedef {{ name: string, values: string[] }} Difference one value for each picture */

const PAIR = /\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)/g;

/** The parameters of an infotext, its two texts among them. @param {string} text @returns {Map<string, string>} */
function parametersOf(text) {
  const lines = text.trim().split("\n");
  const last = lines.at(-1) ?? "";
  /** @type {[name: string, value: string][]} */
  const pairs = [...last.matchAll(PAIR)].map(([, name = "", value = ""]) => [name, unquoted(value)]);
  const isTold = pairs.length >= 3;
  const texts = (isTold ? lines.slice(0, -1) : lines).join("\n");
  const [prompt = "", ...negative] = texts.split(/^Negative prompt:\s*/m);
  return new Map([
    ["Prompt", prompt.trim()],
    ["Negative prompt", negative.join(" ").trim()],
    ...(isTold ? pairs : []),
  ]);
}

/** @param {string} value */
function unquoted(value) {
  if (!value.startsWith('"')) return value.trim();
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}

/**
 * The parameters that are not the same in all; of long texts the phrases that not all have.
 *
 * @param {readonly Map<string, string>[]} pictures
 * @returns {Difference[]}
 */
function differences(pictures) {
  const names = [...new Set(pictures.flatMap((picture) => [...picture.keys()]))];
  const all = names.map((name) => ({ name, values: pictures.map((picture) => picture.get(name) ?? "") }));
  const told = all.filter(({ name }) => name !== "ohwx"); // a picture's record is not a parameter
  const other = told.filter(({ values }) => new Set(values).size > 1);
  return other.map(({ name, values }) => ({ name, values: /rompt/.test(name) ? ownPhrases(values) : values }));
}

/** Of each text the phrases that not all have. @param {readonly string[]} texts */
function ownPhrases(texts) {
  const phrases = texts.map((text) => text.split(",").map((phrase) => phrase.trim()).filter(Boolean));
  /** @param {string} phrase */
  const isShared = (phrase) => phrases.every((each) => each.includes(phrase));
  return phrases.map((each) => each.filter((phrase) => !isShared(phrase)).join(", "));
}

/**
 * How far a picture's own view is from the one that all share.
 *
 * @param {View} shared
 * @param {View} own
 * @returns {View}
 */
const offsetOf = (shared, own) => ({ zoom: own.zoom / shared.zoom, x: own.x - shared.x, y: own.y - shared.y });

/** @param {View} shared @param {View} offset @returns {View} */
const shiftedBy = (shared, offset) => ({
  zoom: shared.zoom * offset.zoom,
  x: shared.x + offset.x,
  y: shared.y + offset.y,
});

/**
 * Columns for so many panes, so that pictures are as large as they can be.
 *
 * @param {number} count
 * @param {number} ratio width by height of the stage
 */
function paneColumns(count, ratio) {
  let [best, most] = [1, 0];
  for (let columns = 1; columns <= count; columns++) {
    const side = Math.min(ratio / columns, 1 / Math.ceil(count / columns));
    if (side > most + 1e-9) [best, most] = [columns, side];
  }
  return best;
}
