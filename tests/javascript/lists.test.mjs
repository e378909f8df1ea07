// Runs, trainings and folders in a line, and how often they are asked for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memory } from "../../javascript/ohwx_memory.mjs";
import { pageState } from "../../javascript/ohwx_page.mjs";
import { countWords, matchingRows, sortedRows } from "../../javascript/ohwx_pnginfo.mjs";
import { pause } from "../../javascript/ohwx_polling.mjs";
import { standing } from "../../javascript/ohwx_runs.mjs";
import { sentence } from "../../javascript/ohwx_server.mjs";
import { trained, trainingStanding } from "../../javascript/ohwx_training.mjs";
import { beside } from "../../javascript/ohwx_views.mjs";
import { aroundRun, readable } from "../../javascript/ohwx_whole_run.mjs";
import * as words from "../../javascript/ohwx_words.mjs";

const RUN = { state: "drawing", cells: 12, done: 3, failed: 0, noted: 0, seconds_left: 150 };
const PACE = { busy: 1000, idle: 4000 };

test("the address of a run is found in what the webui shows as text, and nothing else is", () => {
  const line = "1 cell: a note\nThe whole run: ohwx/runs/a%20run/index.html\nmore";
  const found = { before: "1 cell: a note\nThe whole run: ", place: "ohwx/runs/a%20run/index.html", after: "\nmore" };
  assert.deepEqual(aroundRun(line), found);
  for (const other of ["", "ohwx/runs/", "ohwx/runs/a run/index.html", "ohwx/runs/a/b/index.html"]) {
    assert.equal(aroundRun(other), null);
  }
  assert.deepEqual(["a%20run", "100%", "%ff"].map(readable), ["a run", "100%", "%ff"]);
});

test("a run stands in one line", () => {
  assert.equal(standing(RUN, words), "generating · 3 of 12 · 3 min left");
  assert.equal(standing({ ...RUN, state: "stopped" }, words), "stopped · 3 of 12");
  assert.equal(standing({ ...RUN, state: "done", cells: 1, done: 1 }, words), "done · 1 cell");
  assert.equal(standing({ ...RUN, state: "done", done: 12, failed: 2 }, words), "done · 12 of 12 · 2 failed");
  assert.equal(standing({ ...RUN, state: "done", done: 12, noted: 3 }, words), "done · 12 cells · 3 with notes");
});

test("a training stands in one line", () => {
  const run = { state: "running", step: 7, steps: 40, seconds_left: 60 };
  assert.equal(trainingStanding(run, words), "training · step 7 of 40 · 60 s left");
  assert.equal(trainingStanding({ ...run, state: "killed" }, words), "ended unexpectedly · step 7 of 40");
  assert.equal(trainingStanding({ state: "starting", step: 0, steps: 0 }, words), "starting");
  assert.deepEqual([trained(run), trained({ step: 0, steps: 0 })], [{ percent: 17.5 }, { percent: 0 }]);
});

test("the page is read again when a cell is done, failed, or the run changes its state, and only then", () => {
  const states = [RUN, { ...RUN, done: 4 }, { ...RUN, failed: 1 }, { ...RUN, state: "done" }].map(pageState);
  assert.equal(new Set(states).size, 4);
  assert.equal(pageState({ ...RUN, seconds_left: 1 }), states[0]);
});

test("who does not answer is asked less and less often, but at least every 20 s", () => {
  assert.deepEqual(
    [1, 2, 4, 5, 40].map((misses) => pause(misses, true, PACE)),
    [2000, 4000, 16_000, 20_000, 20_000],
  );
  assert.deepEqual([pause(0, true, PACE), pause(0, false, PACE)], [1000, 4000]);
});

test("tabs follow each other round the ends", () => {
  const names = ["compare", "faces", "pnginfo"];
  assert.deepEqual(
    [beside(names, "pnginfo", 1), beside(names, "compare", -1), beside(names, "compare", 1)],
    ["compare", "pnginfo", "faces"],
  );
});

test("rows hold every phrase of a filter, in path or infotext", () => {
  const rows = [
    { path: "/p/a.png", infotext: "Photo\nSeed: 10, Schedule type: Karras" },
    { path: "/p/Karras.png", infotext: null },
  ];
  assert.deepEqual(matchingRows(rows, "seed: 10, KARRAS"), rows.slice(0, 1));
  assert.deepEqual(matchingRows(rows, "karras"), rows);
  assert.deepEqual(matchingRows(rows, " , "), rows);
});

test("rows are counted, and those that a page is not sent", () => {
  const info = (rows, total) => ({ rows: Array(rows).fill({}), columns: [], total });
  assert.equal(countWords(0, info(0, 0), words), "");
  assert.equal(countWords(1, info(1, 1), words), "1 picture");
  assert.equal(countWords(1, info(300, 300), words), "1 of 300 pictures");
  assert.equal(countWords(5000, info(5000, 6000), words), "5000 pictures, the first of 6000; the CSV has all of them");
});

test("a reload finds what was kept; without a storage it forgets and nothing breaks", () => {
  const kept = new Map();
  const storage = () => ({ getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) });
  memory("tab", storage).set("run", "läufe 1");
  assert.deepEqual([memory("tab", storage).get("run"), memory("tab", storage).get("view")], ["läufe 1", null]);
  assert.equal(memory("other", storage).get("run"), null);
  kept.set("tab", "{half");
  assert.equal(memory("tab", storage).get("run"), null);
  const forbidden = memory("tab", () => {
    throw new Error("SecurityError");
  });
  forbidden.set("run", "a");
  assert.equal(forbidden.get("run"), "a"); // until the reload
});

test("an answer that is no success is one sentence", async () => {
  const answer = (status, statusText, body) => ({ status, statusText, json: async () => JSON.parse(body) });
  assert.equal(
    await sentence(answer(400, "Bad Request", '{"error": "No checkpoint is chosen."}')),
    "No checkpoint is chosen.",
  );
  assert.equal(await sentence(answer(404, "Not Found", '{"detail": "Not Found"}')), "Not Found");
  assert.equal(await sentence(answer(502, "Bad Gateway", "<html>")), "The webui answered 502 Bad Gateway.");
  assert.equal(await sentence(answer(502, "", "<html>")), "The webui answered 502.");
  assert.match(await sentence(answer(401, "", "{}")), /logged out/);
});

test("rows of pictures are sorted by a column, numbers by their value, and those without one last", () => {
  const row = (path, values, program = "") => ({ path, values, program, infotext: "", pair: null });
  const rows = [row("b", { Steps: "20" }), row("a", {}), row("c", { Steps: "9" }, "ComfyUI")];
  const paths = (column, isDown) => sortedRows(rows, column, isDown).map(({ path }) => path).join("");
  assert.deepEqual([paths("Steps", false), paths("Steps", true), paths("Picture", false)], ["cba", "bca", "abc"]);
  assert.deepEqual([paths("Program", true), paths("", false)], ["cba", "bac"]);
});
