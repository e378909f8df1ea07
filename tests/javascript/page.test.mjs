// What the page shows, and where.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pageScripts } from "./page_scripts.mjs";

const CELLS = ["passOf", "phrasesOf", "searched", "filtered", "countWords", "neighbourOf", "fittingSize"];
const ZOOM = ["fitScale", "bounded", "layerAt", "zoomedAt", "panned", "viewOfBox"];
const page = pageScripts(["cells.js", "zoom.js"], [...CELLS, ...ZOOM]);
const STAGE = { width: 1000, height: 800 };
const PICTURE = { width: 1024, height: 1024 };
const FIT = { zoom: 1, x: 0.5, y: 0.5 };

/** A grid of 2 columns; `hidden` are row-column names. */
function grid(rows, hidden = []) {
  const cell = (row, column) => ({
    row,
    column,
    hidden: hidden.includes(`${row}${column}`),
    hay: `row ${row}, col ${column}`,
  });
  return Array.from({ length: rows }, (_, row) => [cell(row, 0), cell(row, 1)]);
}

/** Where a point of the picture (0..1) lies on the stage. */
function seenAt(view, x, y) {
  const { scale, left, top } = page.layerAt(view, STAGE, PICTURE);
  return { x: left + x * PICTURE.width * scale, y: top + y * PICTURE.height * scale };
}

const near = (a, b) => assert.ok(Math.hypot(a.x - b.x, a.y - b.y) < 1e-6, JSON.stringify([a, b]));

test("a cell shows the page's pass; flipped, the other; without a before, what it has", () => {
  const pass = (before, flipped, wish) => page.passOf({ before, flipped }, wish);
  assert.deepEqual([pass("b", false, "after"), pass("b", true, "after")], ["after", "before"]);
  assert.deepEqual([pass("b", false, "before"), pass("b", true, "before")], ["before", "after"]);
  assert.deepEqual([pass(null, false, "before"), pass(null, true, "after")], ["after", "after"]);
});

test("a filter's phrases are parted by commas and must all be there", () => {
  assert.deepEqual(page.phrasesOf(" No Face, seed 10 ,, "), ["no face", "seed 10"]);
  const found = page.filtered(grid(2).flat(), ["row 1"]);
  assert.deepEqual([found.hits.size, [...found.rows], [...found.columns]], [2, [1], [0, 1]]);
  assert.equal(page.filtered(grid(2).flat(), []).hits.size, 4);
  assert.equal(page.filtered(grid(2).flat(), ["row 1", "col 0", "row 0"]).hits.size, 0);
  const cell = { words: "No face", caption: "", notes: ["a Note"] };
  assert.ok(
    ["photo", "no face", "a note", "seed 10"].every((text) =>
      page.searched(cell, ["Photo", "Seed 10", null]).includes(text),
    ),
  );
});

test("cells are counted", () => {
  const count = (hits, all, isFiltered) => page.countWords(hits, all, isFiltered);
  assert.deepEqual(
    [count(1, 1, false), count(12, 12, false), count(1, 12, true)],
    ["1 cell", "12 cells", "1 of 12 cells"],
  );
});

test("a step goes to the next cell that is shown, in its direction", () => {
  const places = grid(3, ["10"]);
  assert.equal(page.neighbourOf(places, places[0][0], 0, 1), places[2][0]);
  assert.equal(page.neighbourOf(places, places[0][0], 1, 0), places[0][1]);
  assert.equal(page.neighbourOf(places, places[0][0], -1, 0), null);
  assert.equal(page.neighbourOf(grid(2, ["10"]), grid(2)[0][0], 0, 1), null);
});

test("thumbnails are as large as fits, but not too small to see nor larger than the picture", () => {
  assert.deepEqual([page.fittingSize(250.4, 1024, false), page.fittingSize(20, 1024, false)], [250, 132]);
  assert.deepEqual([page.fittingSize(900, 1024, false), page.fittingSize(900, 64, false)], [360, 160]);
  assert.equal(page.fittingSize(20, 1024, true), 84);
});

test("zoom 1 fits the stage, in its middle", () => {
  const { scale, left, top } = page.layerAt(FIT, STAGE, PICTURE);
  assert.deepEqual([scale, left, top], [800 / 1024, 100, 0]);
  near(seenAt(FIT, 0.5, 0.5), { x: 500, y: 400 });
});

test("the point under the pointer stays where it is, near or far", () => {
  for (const factor of [1.25, 0.8, 3]) {
    const point = { x: 700, y: 300 };
    const part = { x: (700 - 100) / 800, y: 300 / 800 };
    const view = page.zoomedAt(FIT, factor, point, STAGE, PICTURE);
    assert.equal(view.zoom, factor);
    near(seenAt(view, part.x, part.y), point);
  }
});

test("nearer and back is where it was", () => {
  const point = { x: 650, y: 420 };
  const there = page.zoomedAt(FIT, 4, point, STAGE, PICTURE);
  const back = page.zoomedAt(there, 1 / 4, point, STAGE, PICTURE);
  for (const name of ["zoom", "x", "y"]) assert.ok(Math.abs(back[name] - FIT[name]) < 1e-12);
});

test("a picture moves with the pointer, and never off the stage", () => {
  const view = page.panned({ zoom: 2, x: 0.5, y: 0.5 }, { x: 30, y: -20 }, STAGE, PICTURE);
  near(seenAt(view, 0.5, 0.5), { x: 530, y: 380 });
  const far = page.panned(FIT, { x: 1e6, y: -1e6 }, STAGE, PICTURE);
  assert.deepEqual([far.x, far.y], [0, 1]);
});

test("zoom has its ends", () => {
  const fit = page.fitScale(STAGE, PICTURE);
  assert.equal(page.bounded({ zoom: 1e9, x: 0, y: 0 }, fit).zoom, 64 / fit);
  assert.equal(page.bounded({ zoom: 0, x: 0, y: 0 }, fit).zoom, 0.2);
  assert.equal(page.fitScale({ width: 0, height: 0 }, PICTURE), 1); // a stage not laid out yet
});

test("a face lies in the middle and takes 0.6 of the stage", () => {
  const view = page.viewOfBox([100, 200, 200, 350], STAGE, PICTURE);
  near(seenAt(view, 150 / 1024, 275 / 1024), { x: 500, y: 400 });
  const [head, foot] = [seenAt(view, 0, 200 / 1024), seenAt(view, 0, 350 / 1024)];
  assert.ok(Math.abs(foot.y - head.y - 0.6 * 800) < 1e-6);
});
