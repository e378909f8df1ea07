// What is told of pictures that are compared, and how they lie beside each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pageScripts } from "./page_scripts.mjs";

const NAMES = ["parametersOf", "differences", "ownPhrases", "offsetOf", "shiftedBy", "paneColumns"];
const page = pageScripts(["zoom.js", "differ.js"], NAMES);
const LAST = 'Steps: 20, Sampler: Euler a, X Values: "a,b \\"c\\"", Seed: 1';
const TEXT = `a man, anime\nstyle\nNegative prompt: blurry\n${LAST}`;

test("an infotext's parameters are read, quoted ones too", () => {
  const found = page.parametersOf(TEXT);
  assert.equal(found.get("Prompt"), "a man, anime\nstyle");
  assert.equal(found.get("Negative prompt"), "blurry");
  assert.deepEqual([found.get("Steps"), found.get("X Values"), found.get("Seed")], ["20", 'a,b "c"', "1"]);
  assert.deepEqual([...page.parametersOf("only, a: prompt").keys()], ["Prompt", "Negative prompt"]);
});

test("only what differs is told, of prompts the phrases that not all have", () => {
  const other = page.parametersOf(TEXT.replace("anime", "photo").replace("Seed: 1", "Seed: 2"));
  assert.deepEqual(page.differences([page.parametersOf(TEXT), other]), [
    { name: "Prompt", values: ["anime\nstyle", "photo\nstyle"] },
    { name: "Seed", values: ["1", "2"] },
  ]);
  assert.deepEqual(page.differences([other, other]), []);
  assert.deepEqual(page.differences([new Map([["A", "1"]]), new Map()]), [{ name: "A", values: ["1", ""] }]);
});

test("a view of one's own moves with the one that all share", () => {
  const [shared, own] = [{ zoom: 2, x: 0.5, y: 0.4 }, { zoom: 3, x: 0.6, y: 0.3 }];
  const offset = page.offsetOf(shared, own);
  const back = page.shiftedBy(shared, offset);
  for (const name of ["zoom", "x", "y"]) assert.ok(Math.abs(back[name] - own[name]) < 1e-12);
  assert.equal(page.shiftedBy({ ...shared, zoom: 4 }, offset).zoom, 6);
});

test("panes are as large as they can be", () => {
  assert.deepEqual([page.paneColumns(2, 1.6), page.paneColumns(2, 0.5), page.paneColumns(6, 1.6)], [2, 1, 3]);
  assert.equal(page.paneColumns(1, 1), 1);
});
