// From a run or a draft to what the form edits, and what it will cost.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as axes from "../../javascript/ohwx_axes.mjs";
import { asControl, controlForm, matching, toggled } from "../../javascript/ohwx_checkpoints.mjs";
import { costWords, missingWords } from "../../javascript/ohwx_cost.mjs";
import { asForm } from "../../javascript/ohwx_request_form.mjs";
import { isPossible, isRetry, requestOf } from "../../javascript/ohwx_run.mjs";
import * as words from "../../javascript/ohwx_words.mjs";

const COST = {
  cells: 2,
  renders: 1,
  inpaints: 0,
  checkpoints: 2,
  switches: 1,
  missing: [],
  disk_bytes: 2.5e6,
  seconds: 200,
};

test("what a form changes is a copy", () => {
  const request = {
    job: { prompt: "photo" },
    checkpoints: ["a"],
    axes: [{ kind: "seed", values: [1, 2] }],
    faces: [{ model: "face.pt" }],
  };
  const form = asForm(request, axes);
  form.job.prompt = "changed";
  form.checkpoints.push("b");
  form.faces[0].model = "other.pt";
  assert.deepEqual([request.job.prompt, request.checkpoints, request.faces], ["photo", ["a"], [{ model: "face.pt" }]]);
  assert.deepEqual(form.axes, [{ kind: "seed", values: "1, 2", pairs: [] }]);
  assert.deepEqual(asForm({}, axes), { job: {}, checkpoints: [], axes: [], faces: [], styles: [] });
});

test("a control is edited as a copy, and none without a checkpoint", () => {
  const asked = { checkpoint: "base", class_token: "sks dog", class: "dog" };
  const form = controlForm(asked);
  assert.deepEqual(asControl(form), asked);
  form.checkpoint = "";
  assert.equal(asControl(form), null);
  assert.equal(asked.checkpoint, "base");
  assert.deepEqual(controlForm(null), { checkpoint: "", class_token: "ohwx man", class: "" });
});

test("a run's experiment becomes a request: checkpoints without hashes, no notes, a name of its own", () => {
  const experiment = {
    job: { prompt: "photo" },
    axes: [
      { kind: "checkpoint", values: ["sub/a.safetensors [f31347de70]", "b [x].safetensors"] },
      { kind: "seed", values: [1] },
    ],
    faces: [],
    notes: ["an old remark"],
  };
  assert.deepEqual(requestOf({ experiment, request: null }), {
    job: { prompt: "photo" },
    faces: [],
    checkpoints: ["sub/a.safetensors", "b [x].safetensors"],
    axes: [{ kind: "seed", values: [1] }],
    keep_before: true,
    name: "",
  });
});

test("what was asked for goes before the experiment", () => {
  const request = { job: { prompt: "asked" }, checkpoints: ["a"], keep_before: false, name: "first" };
  const found = requestOf({ experiment: { axes: [] }, request });
  assert.deepEqual(found, { ...request, name: "" });
  assert.deepEqual(requestOf({ experiment: null, request: null }).checkpoints, []);
});

test("a run offers what its state allows", () => {
  const run = (state, failed = 0, elsewhere = false) =>
    ["interrupt", "skip", "adopt", "resume"].filter((act) => isPossible(act, { state, failed, elsewhere }));
  assert.deepEqual(run("drawing"), ["interrupt", "skip"]);
  assert.deepEqual(run("queued"), ["interrupt"]);
  assert.deepEqual(run("stopped"), ["resume"]);
  assert.deepEqual(run("done"), []);
  assert.deepEqual(run("done", 1), ["resume"]);
  assert.deepEqual([run("stopped", 0, true), run("done", 1, true)], [["adopt"], ["adopt"]]);
  assert.deepEqual([isRetry({ state: "done", failed: 1 }), isRetry({ state: "stopped", failed: 1 })], [true, false]);
});

test("a filter's words may stand in any order and case", () => {
  const names = ["me/REG-000030.safetensors", "me/noREG-000030.safetensors", "other.safetensors"];
  assert.deepEqual(matching(names, "reg ME/"), names.slice(0, 2));
  assert.deepEqual(matching(names, "  "), names);
  assert.deepEqual(matching(names, "nobody"), []);
});

test("a group is selected as a whole, and deselected as a whole", () => {
  assert.deepEqual(toggled(["b"], ["a", "b", "c"]), ["b", "a", "c"]); // the order of the columns stays
  assert.deepEqual(toggled(["b", "x", "a"], ["a", "b"]), ["x"]);
  assert.deepEqual(toggled(toggled(["x"], ["a"]), ["a"]), ["x"]);
});

test("the cost names what is left, in singular and plural", () => {
  const told = "2 cells · 1 picture to generate · 1 checkpoint load · 3 MB of disk · about 3 min";
  assert.equal(costWords(COST, words), told);
  const faces = { ...COST, cells: 1, renders: 0, inpaints: 2, seconds: null };
  assert.equal(
    costWords(faces, words),
    "1 cell · 0 pictures and 2 faces to generate · 1 checkpoint load · 3 MB of disk",
  );
  assert.equal(costWords({ ...COST, renders: 0, seconds: null }, words), "2 cells · all generated already");
});

test("missing checkpoints are counted", () => {
  assert.equal(missingWords(COST, words), "");
  assert.equal(
    missingWords({ missing: ["a"], checkpoints: 1 }, words),
    "1 of 1 checkpoint is missing. Remove it, or add its file.",
  );
  const two = { missing: ["a", "b"], checkpoints: 3 };
  assert.equal(missingWords(two, words), "2 of 3 checkpoints are missing. Remove them, or add their files.");
});
