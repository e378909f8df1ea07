// A line chart that grows: one plot, one horizontal axis (steps), a line a series. Drawn as SVG; figures come as numbers.

const NS = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [560, 200, 52, 22, 10];
const MOST = 600; // points a line is drawn with; more are averaged

const svg = (tag, props = {}) => {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  return node;
};

// At most MOST points: neighbours become their mean.
export function thinned(points, most = MOST) {
  const size = Math.ceil(points.length / most);
  if (size < 2) return points;
  const mean = (part, at) => part.reduce((sum, point) => sum + point[at], 0) / part.length;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => points.slice(i * size, (i + 1) * size)).map((part) => [mean(part, 0), mean(part, 1)]);
}

// The trend of a noisy line: a moving average that starts at its first value.
export function smoothed(points, keep = 0.97) {
  let at = null, weight = 0;
  return points.map(([x, y]) => {
    weight = keep * weight + 1 - keep;
    at = keep * (at ?? 0) + (1 - keep) * y;
    return [x, at / weight];
  });
}

// Round figures between two ends, about three to seven of them.
export function ticks(least, most) {
  const rough = (most - least) / 3 || Math.abs(most) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [5, 2, 1].map((times) => times * power).find((one) => one <= rough * (1 + 1e-9));
  const found = [];
  for (let value = Math.ceil(least / step) * step; value <= most + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

const words = (value) => (value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(4))));

export function chart({ make, setText, setShown }, title) {
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "ohwx-plot", role: "img" });
  const legend = make("span", { className: "ohwx-legend" });
  const node = make("figure", { className: "ohwx-chart" }, make("figcaption", {}, make("b", {}, title), legend), plot);

  // series: [{name, points: [[x, y], ...], faint}]
  return {
    node,
    show(series, length) {
      const lines = series.map((one) => ({ ...one, points: thinned(one.points.filter((point) => Number.isFinite(point[1]))) })).filter((one) => one.points.length);
      setShown(node, lines.length);
      if (!lines.length) return;
      const all = lines.flatMap((one) => one.points.map((point) => point[1]));
      let [least, most] = [Math.min(...all), Math.max(...all)];
      if (least === most) [least, most] = [least - (Math.abs(least) || 1) * 0.1, most + (Math.abs(most) || 1) * 0.1];
      const end = Math.max(length, ...lines.map((one) => one.points.at(-1)[0]), 1);
      const across = (x) => LEFT + (x / end) * (WIDTH - LEFT - 6);
      const down = (y) => TOP + (1 - (y - least) / (most - least)) * (HEIGHT - TOP - BOTTOM);
      const parts = [];
      for (const value of ticks(least, most)) {
        const text = svg("text", { x: LEFT - 6, y: down(value) + 3.5, class: "ohwx-figure ohwx-left" });
        text.textContent = words(value);
        parts.push(svg("line", { x1: LEFT, x2: WIDTH - 6, y1: down(value), y2: down(value), class: "ohwx-rule" }), text);
      }
      for (const value of ticks(0, end)) {
        const text = svg("text", { x: across(value), y: HEIGHT - 6, class: "ohwx-figure" });
        text.textContent = words(value);
        parts.push(text);
      }
      lines.forEach((one, i) => {
        const at = one.points.map(([x, y]) => `${across(x).toFixed(1)},${down(y).toFixed(1)}`);
        parts.push(svg("polyline", { points: (at.length > 1 ? at : [at[0], at[0]]).join(" "), class: `ohwx-line-${one.faint ? "faint" : i % 6}` }));
      });
      plot.replaceChildren(...parts);
      plot.setAttribute("aria-label", `${title}: ${lines.map((one) => `${one.name} ${words(one.points.at(-1)[1])}`).join(", ")}`);
      legend.replaceChildren(...lines.map((one, i) => ({ one, i })).filter(({ one }) => !one.faint).map(({ one, i }) => {
        const key = make("span", { className: `ohwx-key ohwx-key-${i % 6}` });
        setText(key, `${one.name} ${words(one.points.at(-1)[1])}`);
        return key;
      }));
    },
  };
}
