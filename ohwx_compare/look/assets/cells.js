// What the page shows, and which of it: pass, filter, neighbours, size. Nothing here touches the document.

/** @typedef {"before" | "after"} Pass of the face pass */

/**
 * @typedef {object} CellData one cell, as look/page.py writes it; links are relative to the page
 * @property {number} number
 * @property {string} prompt
 * @property {"fine" | "warn" | "bad" | "idle"} tone
 * @property {string} title what stands in place of a picture
 * @property {string} words what came of it
 * @property {string} why
 * @property {string} caption
 * @property {number} width px
 * @property {number} height px
 * @property {string | null} image
 * @property {string | null} thumb
 * @property {string | null} before
 * @property {string | null} beforeThumb
 * @property {{ box: Box, confidence: number }[]} faces
 * @property {string | null} infotext
 * @property {string} checkpoint
 * @property {string | null} hash
 * @property {number | null} seconds
 * @property {string[]} notes
 */

/** @typedef {[x1: number, y1: number, x2: number, y2: number]} Box px of the picture */
/** @typedef {{ label: string, hash: string | null }} ColumnData */
/** @typedef {{ label: string, cells: CellData[] }} RowData */
/** @typedef {{ prompt: string, negative: string, rows: RowData[] }} GroupData */

/**
 * @typedef {object} PageData
 * @property {string} folder
 * @property {string} summary
 * @property {string[]} facts
 * @property {string} troubles
 * @property {boolean} hasBefore
 * @property {ColumnData[]} columns
 * @property {GroupData[]} groups
 * @property {{ name: string, href: string }[]} sheets
 */

/** @param {Pass} pass @returns {Pass} */
const otherPass = (pass) => (pass === "after" ? "before" : "after");

/**
 * The pass that a cell shows: the page's, or the other one where it is flipped; after where it has no before.
 *
 * @param {{ before: string | null, flipped: boolean }} cell
 * @param {Pass} pass
 * @returns {Pass}
 */
function passOf(cell, pass) {
  const wish = cell.flipped ? otherPass(pass) : pass;
  return wish === "before" && cell.before ? "before" : "after";
}

/** The phrases of a filter; commas part them. @param {string} text */
const phrasesOf = (text) =>
  text
    .toLowerCase()
    .split(",")
    .map((phrase) => phrase.trim())
    .filter(Boolean);

/** All texts of a cell that a filter may mean. @param {CellData} cell @param {readonly (string | null)[]} more */
const searched = (cell, more) =>
  [cell.prompt, cell.words, cell.caption, ...cell.notes, ...more].join("\n").toLowerCase();

/**
 * The cells that hold each phrase, and the rows and columns that have one of them.
 *
 * @template {{ hay: string, row: number, column: number }} T
 * @param {readonly T[]} cells
 * @param {readonly string[]} phrases
 */
function filtered(cells, phrases) {
  const hits = cells.filter((cell) => phrases.every((phrase) => cell.hay.includes(phrase)));
  const rows = new Set(hits.map((cell) => cell.row));
  const columns = new Set(hits.map((cell) => cell.column));
  return { hits: new Set(hits), rows, columns };
}

/** "12 cells", or "1 of 12 cells". @param {number} hits @param {number} all @param {boolean} isFiltered */
function countWords(hits, all, isFiltered) {
  const cells = `${all} ${all === 1 ? "cell" : "cells"}`;
  return isFiltered ? `${hits} of ${cells}` : cells;
}

/**
 * The next cell in a direction that is not hidden, or null at the edge.
 *
 * @template {{ row: number, column: number, hidden: boolean }} T
 * @param {readonly (readonly T[])[]} places rows of cells
 * @param {T} cell
 * @param {number} dx
 * @param {number} dy
 * @returns {T | null}
 */
function neighbourOf(places, cell, dx, dy) {
  let [column, row] = [cell.column, cell.row];
  for (;;) {
    [column, row] = [column + dx, row + dy];
    const next = places[row]?.[column];
    if (!next) return null;
    if (!next.hidden) return next;
  }
}

/** @param {PageData} data @returns {CellData[][]} */
const rowsOf = (data) => data.groups.flatMap((group) => group.rows.map((row) => row.cells));

/** Whether two pages show the same cells in the same places. @param {PageData} one @param {PageData} other */
function isSamePlan(one, other) {
  /** @param {PageData} data */
  const plan = (data) => [
    data.columns.map((column) => column.label),
    rowsOf(data).map((row) => row.map((cell) => cell.number)),
  ];
  return JSON.stringify(plan(one)) === JSON.stringify(plan(other));
}

/**
 * A size of the thumbnails, px, at which all columns fit if that is not too small.
 *
 * @param {number} share px that each column has
 * @param {number} widest px of the widest picture
 * @param {boolean} isNarrow as on a phone
 */
function fittingSize(share, widest, isNarrow) {
  const least = isNarrow ? 84 : 132;
  return Math.round(Math.min(Math.max(share, least), 360, Math.max(widest, 160)));
}
