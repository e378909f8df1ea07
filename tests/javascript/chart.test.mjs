// The arithmetic of a chart.

import assert from "node:assert/strict";
import { test } from "node:test";
import { figure, plotted, scale, smoothed, thinned, ticks } from "../../javascript/ohwx_chart.mjs";

const line = (count, y = (x) => x) => Array.from({ length: count }, (_, x) => [x, y(x)]);

test("a long line is thinned to its means, a short one stays", () => {
  assert.deepEqual(thinned(line(600)), line(600));
  const thin = thinned(line(1201));
  assert.ok(thin.length <= 600);
  assert.deepEqual(thin[0], [1, 1]); // of 0, 1 and 2
  assert.deepEqual(thin[thin.length - 1], [1200, 1200]); // the rest that is left over
});

test("a level line is its own trend, and a trend begins at the first value", () => {
  for (const [, y] of smoothed(line(50, () => 3))) assert.ok(Math.abs(y - 3) < 1e-12);
  assert.deepEqual(smoothed([[0, 5]])[0], [0, 5]);
  const trend = smoothed(line(400, (x) => (x % 2 ? 1 : 0)));
  assert.ok(Math.abs(trend[399][1] - 0.5) < 0.02);
});

test("ticks are round, inside, and three to eight", () => {
  for (const [least, most] of [
    [0, 1],
    [0, 2250],
    [0.0931, 0.1142],
    [-3, 7],
    [1e-7, 4e-6],
    [0.9, 1.1],
  ]) {
    const found = ticks(least, most);
    assert.ok(found.length >= 3 && found.length <= 8, `${least} to ${most}: ${found}`);
    for (const value of found) assert.ok(value >= least - 1e-12 && value <= most * (1 + 1e-9), String(value));
  }
  assert.deepEqual(ticks(0, 40), [0, 10, 20, 30, 40]);
});

test("figures are short", () => {
  assert.deepEqual([0, 1, 0.123456, 12345.678, 0.000012, -2].map(figure), [
    "0",
    "1",
    "0.1235",
    "12350",
    "1.2e-5",
    "-2",
  ]);
});

test("what is no number is not plotted, and a series without any is none", () => {
  const series = [
    {
      name: "a",
      points: [
        [1, 2],
        [2, NaN],
        [3, null],
        [4, Infinity],
      ],
    },
    { name: "b", points: [] },
  ];
  assert.deepEqual(plotted(series), [{ name: "a", points: [[1, 2]] }]);
});

test("the lowest value lies at the bottom, the highest at the top, the last step at the right", () => {
  const { across, down, end } = scale(
    [
      {
        points: [
          [0, 10],
          [5, 30],
        ],
      },
    ],
    20,
  );
  assert.equal(end, 20);
  assert.deepEqual([down(30), down(10)], [10, 178]);
  assert.deepEqual([across(0), across(20)], [52, 554]);
  assert.equal(scale([{ points: [[50, 1]] }], 20).end, 50); // never off the plot
});

test("a level line lies in the middle", () => {
  for (const value of [0, 3, -3]) assert.equal(scale([{ points: [[0, value]] }], 1).down(value), 94);
});
