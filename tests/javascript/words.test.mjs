// Figures in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isJudging, judgeWords } from "../../javascript/ohwx_judge.mjs";
import { bytes, counted, fileName, joined, lines, seconds } from "../../javascript/ohwx_words.mjs";

test("a time is told in the unit a person would take", () => {
  const told = { 0: "1 s", 0.4: "1 s", 89.4: "89 s", 90: "2 min", 3600: "60 min", 5399: "90 min", 5400: "1 h 30 min" };
  for (const [value, words] of Object.entries(told)) assert.equal(seconds(Number(value)), words);
  assert.equal(seconds(7200), "2 h");
  assert.equal(seconds(7170), "2 h"); // rounded to minutes first: never "1 h 60 min"
});

test("a size has three figures at most", () => {
  const told = { 0: "0 KB", 1500: "2 KB", 999_999: "1000 KB", 42e6: "42 MB", 1.25e9: "1.3 GB", 41e9: "41 GB" };
  for (const [value, words] of Object.entries(told)) assert.equal(bytes(Number(value)), words);
});

test("plurals are plurals", () => {
  assert.deepEqual(
    [0, 1, 2].map((count) => counted(count, "cell")),
    ["0 cells", "1 cell", "2 cells"],
  );
  assert.equal(counted(2, "batch", "batches"), "2 batches");
});

test("facts that are nothing leave no gap", () => {
  assert.equal(joined(["done", "", null, 0, false, undefined, "2 cells"]), "done · 2 cells");
});

test("the last name of a path of either system", () => {
  assert.deepEqual(["/a/b ü.png", "C:\\a\\b.png", "b.png", null].map(fileName), ["b ü.png", "b.png", "b.png", ""]);
  assert.deepEqual(lines(" a \n\n b\n"), ["a", "b"]);
});

test("how far judging is", () => {
  const job = { done: 3, total: 9, error: null, headline: [], page: "", markdown: "" };
  const said = (state, more = {}) => judgeWords({ ...job, state, ...more });
  assert.deepEqual(
    ["", "queued", "drawing", "stopped", "done"].map((state) => isJudging({ state })),
    [false, true, true, false, false],
  );
  assert.equal(said("drawing"), "3 of 9 pictures measured");
  assert.equal(said("drawing", { total: 0 }), "Reading the run");
  assert.equal(said("stopped"), "Stopped; what was measured is kept");
  assert.deepEqual([said(""), said("done"), judgeWords(null)], ["", "", ""]);
});
