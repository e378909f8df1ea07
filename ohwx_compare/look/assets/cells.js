// What the page shows, and which of it: pass, filter, neighbours, size. Nothing here touches the document.

/** @typedef {"before" | "after"} Pass of the face pass */

/**
 * @typedef {object} CellData one cell, as look/page_cells.py writes it; links are relative to the page
 * @property {number} number from 1
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
 * @property {number | null} seconds
 * @property {string[]} notes
 * @property {Record<string, number>} scores by measure
 */

/**
 * @typedef {object} Placed where a cell stands in the grid now, and its nodes while it is near the window
 * @property {boolean} isLoaded its part of the data is here
 * @property {string | undefined} infotext undefined until it is asked for
 * @property {number} row -1 where its values are not shown
 * @property {number} column
 * @property {boolean} hidden by the filter, or not shown
 * @property {boolean} flipped shows the other pass than the page
 * @property {boolean} chosen for what is done with several
 * @property {TileNodes | null} nodes
 */

/** @typedef {CellData & Placed} Cell */
/** @typedef {[x1: number, y1: number, x2: number, y2: number]} Box px of the picture */
/** @typedef {{ label: string, hash: string | null, name?: string }} AxisValue */
/** @typedef {{ kind: string, title: string, values: AxisValue[] }} AxisData */

/**
 * @typedef {object} PageData what the page begins with, as look/page.py writes it
 * @property {string} folder
 * @property {string} summary
 * @property {string[]} facts
 * @property {{ words: string, cells: number[], more: number }} troubles
 * @property {boolean} hasBefore
 * @property {boolean} isDone
 * @property {AxisData[]} axes
 * @property {number} columns the axis that is X at first
 * @property {number[][]} [hidden] values of each axis that are not shown at first
 * @property {number[]} grouped the axes that make groups at first
 * @property {{ axes: number[], texts: [prompt: string, negative: string][] }} prompts by the product of those axes
 * @property {{ columns: string[], strips: { name: string, values: (number | null)[] }[] }} filmstrip
 * @property {number} seed of the first cell
 * @property {number} widest px
 * @property {number} tallest height by width
 * @property {number} chunk cells of one part
 * @property {string} plan digits that are others when other cells stand behind the numbers
 * @property {number[]} stamps of the parts
 * @property {{ name: string, href: string }[]} sheets
 * @property {Record<string, Mark>} marks by the cell's number
 */

/** @typedef {{ star: number, tags: string[], note: string }} Mark star: 1 yes, -1 rejected, 0 neither */

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
const searched = (cell, more) => [cell.words, cell.caption, ...cell.notes, ...more].join("\n").toLowerCase();

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
