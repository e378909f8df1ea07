// A line chart that grows: one plot, one horizontal axis (steps), a line for each series, drawn as SVG.

/** @import { Point, Series, TrainingParts } from "./ohwx_types" */

const NS = "http://www.w3.org/2000/svg";
const SIZE = { width: 560, height: 200, left: 52, right: 6, top: 10, bottom: 22 }; // px of the drawing
const MOST = 600; // points a line is drawn with; more are averaged
const COLOURS = 6;

/**
 * At most `most` points: neighbours become their mean.
 *
 * @param {readonly Point[]} points
 * @returns {readonly Point[]}
 */
export function thinned(points, most = MOST) {
  const size = Math.ceil(points.length / most);
  if (size < 2) return points;
  const groups = Array.from({ length: Math.ceil(points.length / size) }, (_, i) => i * size);
  return groups.map((from) => meanOf(points.slice(from, from + size)));
}

/** @param {readonly Point[]} points @returns {Point} */
function meanOf(points) {
  const sum = points.reduce(([x, y], point) => [x + point[0], y + point[1]], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/**
 * The trend of a noisy line: a moving average that starts at its first value.
 *
 * @param {readonly Point[]} points
 * @returns {Point[]}
 */
export function smoothed(points, keep = 0.97) {
  let sum = 0;
  let weight = 0;
  return points.map(([x, y]) => {
    weight = keep * weight + 1 - keep;
    sum = keep * sum + (1 - keep) * y;
    return [x, sum / weight];
  });
}

/** Round figures between two ends, about three to seven of them. @param {number} least @param {number} most */
export function ticks(least, most) {
  const rough = (most - least) / 3 || Math.abs(most) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [5, 2, 1].map((times) => times * power).find((one) => one <= rough * (1 + 1e-9)) ?? power;
  const found = [];
  for (let value = Math.ceil(least / step) * step; value <= most + step * 1e-9; value += step) {
    found.push(Number(value.toPrecision(12)));
  }
  return found;
}

/** A figure of the chart as text. @param {number} value */
export function figure(value) {
  const isSmall = value !== 0 && Math.abs(value) < 0.001;
  return isSmall ? value.toExponential(1) : String(Number(value.toPrecision(4)));
}

/** Series as they are drawn: thinned, without what is no number, none empty. @param {readonly Series[]} series */
export function plotted(series) {
  const finite = series.map((one) => ({ ...one, points: one.points.filter((point) => Number.isFinite(point[1])) }));
  return finite.map((one) => ({ ...one, points: thinned(one.points) })).filter((one) => one.points.length);
}

/**
 * Where the values of series lie on the plot; `length` is how far the axis reaches at least.
 *
 * @param {readonly Series[]} series each with a point
 * @param {number} length
 */
export function scale(series, length) {
  const all = series.flatMap((one) => one.points);
  const values = all.map((point) => point[1]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = low === high ? (Math.abs(low) || 1) * 0.1 : 0; // a level line lies in the middle
  const [least, most] = [low - room, high + room];
  const end = Math.max(length, ...all.map((point) => point[0]), 1);
  const wide = SIZE.width - SIZE.left - SIZE.right;
  const tall = SIZE.height - SIZE.top - SIZE.bottom;
  return {
    least,
    most,
    end,
    /** @param {number} x px */
    across: (x) => SIZE.left + (x / end) * wide,
    /** @param {number} y px */
    down: (y) => SIZE.top + (1 - (y - least) / (most - least)) * tall,
  };
}

/** @param {string} tag @param {Record<string, string | number>} props */
function svg(tag, props = {}, text = "") {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, String(value));
  if (text) node.textContent = text;
  return node;
}

/** @param {ReturnType<typeof scale>} to */
function rules({ least, most, end, across, down }) {
  const right = SIZE.width - SIZE.right;
  const level = ticks(least, most).flatMap((value) => [
    svg("line", { x1: SIZE.left, x2: right, y1: down(value), y2: down(value), class: "ohwx-rule" }),
    svg("text", { x: SIZE.left - 6, y: down(value) + 3.5, class: "ohwx-figure ohwx-left" }, figure(value)),
  ]);
  const bottom = { y: SIZE.height - 6, class: "ohwx-figure" };
  return [...level, ...ticks(0, end).map((value) => svg("text", { x: across(value), ...bottom }, figure(value)))];
}

/** @param {Series} series @param {number} number @param {ReturnType<typeof scale>} to */
function line({ points, faint }, number, { across, down }) {
  const places = points.map(([x, y]) => `${across(x).toFixed(1)},${down(y).toFixed(1)}`);
  const drawn = places.length > 1 ? places : [...places, ...places]; // one point is a dot
  const colour = faint ? "faint" : number % COLOURS;
  return svg("polyline", { points: drawn.join(" "), class: `ohwx-line-${colour}` });
}

/** A series and its last value. @param {Series} series */
const lastWords = ({ name, points }) => `${name} ${figure(points[points.length - 1]?.[1] ?? 0)}`;

/**
 * @param {Pick<TrainingParts, "make" | "setShown">} parts
 * @param {string} title
 */
export function chart({ make, setShown }, title) {
  const plot = svg("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, class: "ohwx-plot", role: "img" });
  const legend = make("span", { className: "ohwx-legend" });
  const caption = make("figcaption", {}, make("b", {}, title), legend);
  const node = make("figure", { className: "ohwx-chart" }, caption, plot);
  return {
    node,
    /** @param {readonly Series[]} series @param {number} length */
    show(series, length) {
      const drawn = plotted(series);
      setShown(node, drawn.length);
      if (!drawn.length) return;
      const to = scale(drawn, length);
      plot.replaceChildren(...rules(to), ...drawn.map((one, i) => line(one, i, to)));
      plot.setAttribute("aria-label", `${title}: ${drawn.map(lastWords).join(", ")}`);
      const keys = drawn.map((one, i) =>
        one.faint ? "" : make("span", { className: `ohwx-key ohwx-key-${i % COLOURS}` }, lastWords(one)),
      );
      legend.replaceChildren(...keys);
    },
  };
}
