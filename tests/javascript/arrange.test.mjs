// Which axis stands where, which lines are near the window, and what the address keeps of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pageScripts } from "./page_scripts.mjs";

const ARRANGE = ["usualRoles", "roleOf", "moved", "stopsOf", "arranged", "numberAt", "valuesAt", "shortened"];
const ORDERS = ["ranked", "meanOf", "labelled", "naturally"];
const NAMES = ["promptAt", ...ARRANGE, ...ORDERS, "hashOf", "viewIn", "begins", "reaching", "linesOf"];
const page = pageScripts(["cells.js", "arrange.js", "hash.js", "spans.js"], NAMES);
const axis = (kind, ...labels) => ({ kind, title: kind, values: labels.map((label) => ({ label, hash: null })) });
const AXES = [axis("seed", "1", "2", "3"), axis("checkpoint", "a", "b"), axis("prompt", "p", "q")];
const DATA = { axes: AXES, columns: 1, grouped: [2], prompts: { axes: [2], texts: [["P", "n"], ["Q", "n"]] } };
const NONE = AXES.map(() => new Set());

test("every cell has one place, whatever stands where", () => {
  for (const roles of [page.usualRoles(DATA), { x: [0, 2], y: [1], group: [] }, { x: [], y: [2, 1, 0], group: [] }]) {
    const { columns, groups } = page.arranged(AXES, roles, NONE);
    const numbers = groups.flatMap(({ stop, rows }) =>
      rows.flatMap((row) => columns.map((column) => page.numberAt(AXES, [stop, row, column]))),
    );
    assert.deepEqual(numbers.sort((a, b) => a - b), [...Array(12).keys()].map((i) => i + 1));
  }
});

test("checkpoints vary slowest in the numbers, the other axes keep their order", () => {
  assert.deepEqual(page.valuesAt(AXES, 1), [0, 0, 0]);
  assert.deepEqual(page.valuesAt(AXES, 2), [0, 0, 1]);
  assert.deepEqual(page.valuesAt(AXES, 7), [0, 1, 0]);
  for (let number = 1; number <= 12; number++) {
    const at = new Map(page.valuesAt(AXES, number).entries());
    assert.equal(page.numberAt(AXES, [{ at, label: "" }]), number);
  }
});

test("an axis goes to another role, before another axis or last", () => {
  const roles = page.usualRoles(DATA);
  assert.deepEqual(roles, { x: [1], y: [0], group: [2] });
  assert.deepEqual(page.moved(roles, 0, "x", 1), { x: [0, 1], y: [], group: [2] });
  assert.deepEqual(page.moved(roles, 2, "y"), { x: [1], y: [0, 2], group: [] });
  assert.equal(page.roleOf(roles, 2), "group");
});

test("values that are not shown make no rows", () => {
  const hidden = [new Set([1]), new Set(), new Set([0])];
  const { columns, groups } = page.arranged(AXES, page.usualRoles(DATA), hidden);
  assert.deepEqual([columns.length, groups.length, groups[0].rows.map((row) => row.label)], [2, 1, ["1", "3"]]);
});

test("what long names begin with is said once, up to a whole word", () => {
  const names = ["me_15_Starlight_noREG-000030", "me_15_Starlight_step901", "me_15_Starlight_stop"];
  assert.deepEqual(page.shortened(names), { common: "me_15_Starlight_", rest: ["noREG-000030", "step901", "stop"] });
  for (const plain of [["seed 1", "seed 2"], ["only_one_name_here"], ["abcdefgh_", "abcdefgh_x"], []]) {
    assert.deepEqual(page.shortened(plain), { common: "", rest: plain });
  }
});

test("a prompt is told where all that makes it is fixed", () => {
  assert.deepEqual(page.promptAt(DATA, (i) => ({ 2: 1 })[i]), ["Q", "n"]);
  assert.equal(page.promptAt(DATA, () => undefined), null);
});

test("stops are ranked by a number, the highest first and those without one last", () => {
  const value = { a: 1, b: null, c: 3, d: 1 };
  assert.deepEqual(page.ranked(["a", "b", "c", "d"], (name) => value[name]), ["c", "a", "d", "b"]);
  assert.deepEqual([page.meanOf([1, null, 3]), page.meanOf([null])], [2, null]);
});

test("the address gives the view back, and a strange one gives the usual", () => {
  const usual = page.viewIn("", DATA);
  assert.equal(page.hashOf(usual, DATA), "");
  const view = {
    roles: { x: [0], y: [2, 1], group: [] }, hidden: [new Set([2, 0]), new Set(), new Set()], rows: "star",
    columns: "likeness & more", pass: "before", filter: "seed 1, a=b&c", size: 300,
  };
  const hidden = [new Set([0, 2]), ...NONE.slice(1)];
  assert.deepEqual(page.viewIn(page.hashOf(view, DATA), DATA), { ...view, hidden });
  for (const odd of ["x=nothing", "hide=seed:0.1.2", "hide=seed:9", "size=1e9", "dark", "x=%", "pass=hurt"]) {
    const { roles, hidden, size, pass } = page.viewIn(odd, DATA);
    assert.deepEqual([...roles.x, ...roles.y, ...roles.group].sort(), [0, 1, 2]);
    assert.deepEqual([hidden[0].size, size, pass], [0, 0, "after"]);
  }
});

test("only lines that reach into the window are near it", () => {
  const starts = page.begins([10, 20, 30, 40]);
  assert.deepEqual([...starts], [0, 10, 30, 60, 100]);
  assert.deepEqual(page.reaching(starts, 0, 9), [0, 1]);
  assert.deepEqual(page.reaching(starts, 10, 59), [1, 3]);
  assert.deepEqual(page.reaching(starts, -50, -1), [0, 0]);
  assert.deepEqual(page.reaching(starts, -50, 500), [0, 4]);
  assert.deepEqual(page.reaching(page.begins([]), -5, 5), [0, 0]);
  assert.equal(page.linesOf("x".repeat(25) + "\ny", 10, 9), 4);
});

test("names are sorted as a reader would, numbers as numbers", () => {
  const sorted = ["CFG 10", "CFG 7.5", "CFG 7.25", "CFG -1", "CFG 7"].sort(page.naturally);
  assert.deepEqual(sorted, ["CFG -1", "CFG 7", "CFG 7.25", "CFG 7.5", "CFG 10"]);
  const saves = ["me-step1000", "me-step200", "me", "me-step200b"].sort(page.naturally);
  assert.deepEqual(saves, ["me", "me-step200", "me-step200b", "me-step1000"]);
});

test("groups, rows and columns stand in the order of an axis' labels, up or down", () => {
  const axes = [axis("seed", "10", "9", "100"), axis("checkpoint", "b", "a"), axis("prompt", "q", "p")];
  const first = page.arranged(axes, { x: [1], y: [0], group: [2] }, axes.map(() => new Set()));
  const names = (by, across) => {
    const { columns, groups } = page.labelled(axes, first, by, across);
    const stops = [columns, groups.map(({ stop }) => stop), groups[0].rows];
    return stops.map((each) => each.map(({ label }) => label).join());
  };
  assert.deepEqual(names("", "confidence"), ["b,a", "q,p", "10,9,100"]);
  assert.deepEqual(names("up:seed", "up:checkpoint"), ["a,b", "q,p", "9,10,100"]);
  assert.deepEqual(names("down:seed", ""), ["b,a", "q,p", "100,10,9"]);
  assert.deepEqual(names("up:prompt", ""), ["b,a", "p,q", "10,9,100"]);
});
