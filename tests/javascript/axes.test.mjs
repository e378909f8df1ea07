// Axes as text and back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asAxes, asRow, blankRow, freeKinds, valuesText } from "../../javascript/ohwx_axes.mjs";

test("a list is written as X/Y/Z plot reads it", () => {
  assert.equal(valuesText("seed", [10, 11]), "10, 11");
  assert.equal(
    valuesText("sampler", ["Euler a", "DPM++ 2M, Karras", 'the "best"']),
    'Euler a, "DPM++ 2M, Karras", "the ""best"""',
  );
  assert.equal(valuesText("face pass", [true, false]), "on, off");
  assert.equal(valuesText("styles", [[{ name: "one" }, { name: "two" }], []]), '"one,two", None');
  assert.equal(valuesText("seed", "5-9 (+2)"), "5-9 (+2)"); // a text stays as it was typed
});

test("commas of a prompt are its own", () => {
  assert.equal(valuesText("face prompt", ["smiling, eyes closed", "stern"]), "smiling, eyes closed\nstern");
});

test("prompts go from a request into rows and back unchanged", () => {
  const axis = { kind: "prompt", values: ["one, with a comma", { prompt: "two", negative: "its own" }] };
  const row = asRow(axis);
  assert.deepEqual(row.pairs, [
    { prompt: "one, with a comma", negative: null },
    { prompt: "two", negative: "its own" },
  ]);
  assert.deepEqual(asAxes([row]), [axis]);
  assert.deepEqual(
    asRow({ kind: "prompt", values: "a\n\nb" }).pairs.map((pair) => pair.prompt),
    ["a", "b"],
  );
});

test("an empty negative prompt of its own is kept, one as the picture's is left out", () => {
  const axis = { kind: "prompt", values: [{ prompt: "two", negative: "" }] };
  assert.deepEqual(asAxes([asRow(axis)]), [axis]);
});

test("a row that is not filled in yet is no axis", () => {
  assert.deepEqual(asAxes([blankRow("seed"), blankRow("prompt")]), []);
  assert.deepEqual(asAxes([{ kind: "seed", values: " 10 ", pairs: [] }]), [{ kind: "seed", values: "10" }]);
});

test("a kind varies once, Prompt S/R any number of times, and a row keeps its own", () => {
  const kinds = ["seed", "cfg", "prompt s/r"].map((name) => ({ name, title: name, hint: "" }));
  const rows = ["seed", "prompt s/r"].map(blankRow);
  assert.deepEqual(freeKinds(kinds, rows), ["cfg", "prompt s/r"]);
  assert.deepEqual(freeKinds(kinds, rows, "seed"), ["seed", "cfg", "prompt s/r"]);
});
