// The grid: heads above, bands and rows below each other. Only what is near the window is in the document.

const MARGIN = 500; // px around the window that are ready too
const GAP = 10; // px between pictures

/** @typedef {{ group: number, row: number }} Line a row of a group; row -1 is the band above it */

class Grid {
  constructor() {
    this.box = $("grid");
    this.heads = $("heads");
    this.lines = $("lines");
    /** @type {Arrangement} */
    this.arrangement = { columns: [], groups: [] };
    /** @type {Cell[][]} */
    this.places = []; // places[row][column], over all groups
    /** @type {{ group: number, stop: Stop }[]} */
    this.rows = []; // over all groups
    /** @type {Line[]} */
    this.shown = []; // lines that the filter leaves
    /** @type {number[]} */
    this.columns = []; // places of the columns that the filter leaves
    this.starts = begins([]);
    /** @type {Map<string, HTMLElement>} */
    this.nodes = new Map(); // of lines, by group and row
    /** @type {Map<number, HTMLElement>} */
    this.headNodes = new Map();
    this.size = { thumb: 200, side: 140, height: 200, width: 210 }; // px
    this.wanted = false;
  }

  /** Another arrangement of the same cells. @param {Arrangement} arrangement */
  arrange(arrangement) {
    this.arrangement = arrangement;
    for (const cell of cells) Object.assign(cell, { row: -1, column: -1, hidden: true });
    this.rows = arrangement.groups.flatMap(({ rows }, group) => rows.map((stop) => ({ group, stop })));
    const strides = stridesOf(data.axes);
    const across = arrangement.columns.map((stop) => addedBy(strides, stop));
    const above = arrangement.groups.map(({ stop }) => addedBy(strides, stop));
    this.places = this.rows.map(({ group, stop }, row) => {
      const first = 1 + (above[group] ?? 0) + addedBy(strides, stop);
      return across.map((offset, column) => Object.assign(cellOf(first + offset), { row, column, hidden: false }));
    });
    this.short = shortened(arrangement.columns.map((column) => column.label));
    this.shortRows = shortened([...new Set(this.rows.map(({ stop }) => stop.label))]);
  }

  /** Rows and columns without a hit are left out. @param {{ rows: Set<number>, columns: Set<number> } | null} found */
  show(found) {
    this.columns = this.arrangement.columns.map((_, i) => i).filter((i) => !found || found.columns.has(i));
    this.shown = [];
    let above = -1;
    for (const [row, { group }] of this.rows.entries()) {
      if (found && !found.rows.has(row)) continue;
      if (group !== above && this.bandOf(group)) this.shown.push({ group, row: -1 });
      above = group;
      this.shown.push({ group, row });
    }
    this.box.hidden = !this.columns.length || !this.rows.length;
    told(this.box, { "aria-rowcount": this.shown.length + 1, "aria-colcount": this.columns.length + 1 });
    this.measure();
    this.clear();
    this.draw();
  }

  /** The texts above a group, or null. @param {number} group @returns {[prompt: string, negative: string] | null} */
  bandOf(group) {
    const stop = this.arrangement.groups[group]?.stop;
    const texts = promptAt(data, (axis) => stop?.at.get(axis));
    if (!stop || (!stop.label && !texts)) return null;
    const others = [...stop.at.keys()].filter((axis) => !data.prompts.axes.includes(axis));
    const named = others.map((axis) => data.axes[axis]?.values[stop.at.get(axis) ?? 0]?.label).join(" · ");
    if (!texts || (texts[0] === "" && texts[1] === "" && named)) return [stop.label, ""];
    const lead = named && `${named}: `;
    return [`${lead}${texts[0] || "(empty prompt)"}`, texts[1] && `Negative: ${texts[1]}`];
  }

  /** All lengths: every line of a kind is as high as any other, so places are known without the nodes. */
  measure() {
    const { thumb } = this.size;
    const root = document.documentElement;
    const rem = parseFloat(getComputedStyle(root).fontSize);
    const wide = Math.min(root.clientWidth - 3.4 * rem, 110 * 0.5 * rem) / (0.5 * rem);
    const bands = this.arrangement.groups.map((_, group) => this.bandOf(group));
    const high = Math.max(0, ...bands.map((band) => (band ? linesOf(band[0], wide, 4) : 0)));
    const low = Math.max(0, ...bands.map((band) => (band?.[1] ? linesOf(band[1], wide * 1.1, 2) : 0)));
    const band = Math.round((high * 1.45 + low * 1.3 + (embedded ? 0.8 : 1.3)) * rem);
    const height = Math.round(thumb * Math.min(data.tallest, 2.5) + 1.35 * rem + 0.7 * rem);
    const names = this.short?.rest.map((name) => name.length) ?? [];
    const labels = Math.min(Math.ceil(Math.max(1, ...names) / Math.max(thumb / (0.56 * rem), 4)), 4);
    const side = rem * (root.clientWidth <= 640 ? 5.6 : 10.2);
    this.size = { thumb, side, height, width: thumb + GAP };
    this.starts = begins(this.shown.map(({ row }) => (row < 0 ? band : height)));
    root.style.setProperty("--lines", `${high}`);
    root.style.setProperty("--frame", `${Math.round(thumb * Math.min(data.tallest, 2.5))}px`);
    root.style.setProperty("--heads", `${Math.round((labels * 1.25 + 2.4) * rem)}px`);
    this.lines.style.height = `${this.starts[this.shown.length]}px`;
    const width = side + this.columns.length * this.size.width;
    for (const node of [this.box, this.lines, this.heads]) node.style.width = `${width}px`;
  }

  clear() {
    for (const node of [...this.nodes.values(), ...this.headNodes.values()]) node.remove();
    this.nodes.clear();
    this.headNodes.clear();
    for (const cell of cells) cell.nodes = null;
    const { common } = this.short ?? { common: "" };
    const corner = make("div", { className: "corner", title: common }, ...(common ? breakable(`${common}…`) : []));
    this.heads.replaceChildren(told(corner, { role: "columnheader", "aria-label": common || "Row" }));
  }

  /** Soon, once for all that happens until then. */
  wish() {
    if (this.wanted) return;
    this.wanted = true;
    requestAnimationFrame(() => {
      this.wanted = false;
      this.draw();
    });
  }

  /** What is near the window comes into the document, the rest leaves it. */
  draw() {
    const box = this.lines.getBoundingClientRect();
    const [first, end] = reaching(this.starts, -box.top - MARGIN, innerHeight - box.top + MARGIN);
    const left = -box.left - this.size.side - MARGIN;
    const from = Math.min(Math.max(Math.floor(left / this.size.width), 0), this.columns.length);
    const to = Math.min(Math.ceil((left + innerWidth + 2 * MARGIN) / this.size.width), this.columns.length);
    const lines = new Set(this.shown.slice(first, end).map(({ group, row }) => `${group}/${row}`));
    for (const [name, node] of this.nodes) {
      if (lines.has(name) || node.contains(document.activeElement)) continue;
      for (const tile of node.querySelectorAll(".tile")) this.leave(tile);
      node.remove();
      this.nodes.delete(name);
    }
    for (let i = first; i < end; i++) this.drawLine(i, from, to);
    this.drawHeads(from, to);
  }

  /** @param {Element} tile */
  leave(tile) {
    const cell = cells[Number(/** @type {HTMLElement} */ (tile).dataset.number) - 1];
    if (cell) cell.nodes = null;
    tile.remove();
  }

  /** @param {number} at in `shown` @param {number} from column @param {number} to */
  drawLine(at, from, to) {
    const line = /** @type {Line} */ (this.shown[at]);
    const name = `${line.group}/${line.row}`;
    let node = this.nodes.get(name);
    if (!node) {
      node = line.row < 0 ? this.bandNode(line.group) : this.rowNode(line.row);
      node.style.top = `${this.starts[at]}px`;
      told(node, { role: "row", "aria-rowindex": at + 2 });
      this.nodes.set(name, node);
      this.lines.append(node);
    }
    if (line.row < 0) return;
    const wanted = new Set(this.columns.slice(from, to));
    for (const tile of node.querySelectorAll(".tile")) {
      const cell = cells[Number(/** @type {HTMLElement} */ (tile).dataset.number) - 1];
      if (cell && !wanted.has(cell.column) && !tile.contains(document.activeElement)) this.leave(tile);
    }
    for (let i = from; i < to; i++) this.drawTile(node, line.row, i);
  }

  /** @param {HTMLElement} node @param {number} row @param {number} at in `columns` */
  drawTile(node, row, at) {
    const cell = this.places[row]?.[this.columns[at] ?? -1];
    if (!cell || cell.nodes) return;
    cell.nodes = tileOf(cell);
    const { tile, button } = cell.nodes;
    tile.dataset.number = String(cell.number);
    tile.style.left = `${this.size.side + at * this.size.width}px`;
    told(tile, { "aria-colindex": at + 2 });
    button.tabIndex = cell === state.at ? 0 : -1;
    dress(cell);
    node.append(tile);
    if (!cell.isLoaded) store.want("cells", cell.number).catch((error) => complain(error));
  }

  /** @param {number} group */
  bandNode(group) {
    const [prompt, negative] = this.bandOf(group) ?? ["", ""];
    const text = make("div", { title: [prompt, negative].filter(Boolean).join("\n") });
    text.append(make("div", { className: "prompt", textContent: prompt }));
    if (negative) text.append(make("div", { className: "negative", textContent: negative }));
    return make("div", { className: "band" }, told(text, { role: "rowheader" }));
  }

  /** @param {number} row */
  rowNode(row) {
    const label = this.rowLabel(row);
    const { common } = this.shortRows ?? { common: "" };
    const text = common && label.startsWith(common) ? `…${label.slice(common.length)}` : label;
    const side = make("div", { className: "side", title: label }, ...breakable(text));
    return make("div", { className: "row" }, told(side, { role: "rowheader" }));
  }

  /** @param {number} row */
  rowLabel(row) {
    const said = this.rows[row]?.stop.label ?? "";
    return said || (data.axes.some((axis) => axis.kind === "seed") ? "" : `seed ${data.seed}`);
  }

  /** @param {number} from @param {number} to */
  drawHeads(from, to) {
    const wanted = new Set(this.columns.slice(from, to));
    for (const [column, node] of this.headNodes) {
      if (wanted.has(column)) continue;
      node.remove();
      this.headNodes.delete(column);
    }
    for (let i = from; i < to; i++) {
      const column = this.columns[i] ?? -1;
      if (this.headNodes.has(column)) continue;
      const node = this.headNode(column);
      node.style.left = `${this.size.side + i * this.size.width}px`;
      told(node, { role: "columnheader", "aria-colindex": i + 2 });
      this.headNodes.set(column, node);
      this.heads.append(node);
    }
  }

  /** @param {number} column */
  headNode(column) {
    const stop = this.arrangement.columns[column];
    const text = this.short?.common ? `…${this.short.rest[column]}` : (stop?.label ?? "");
    const hash = hashOfStop(stop);
    const code = make("code", { textContent: hash.slice(0, 10), title: `sha256 ${hash}`, hidden: !hash });
    return make("div", { className: "head", title: stop?.label ?? "" }, make("b", {}, ...breakable(text)), code);
  }

  /** Bring a cell into the window, and into the document. @param {Cell} cell */
  reach(cell) {
    const at = this.shown.findIndex(({ row }) => row === cell.row);
    const column = this.columns.indexOf(cell.column);
    if (at < 0 || column < 0) return;
    const box = this.lines.getBoundingClientRect();
    const bars = this.heads.getBoundingClientRect().bottom;
    const top = box.top + (this.starts[at] ?? 0);
    const left = box.left + this.size.side + column * this.size.width;
    const down = top < bars ? top - bars : Math.max(top + this.size.height - innerHeight, 0);
    const side = Math.min(this.size.side, innerWidth / 3);
    const over = left < side ? left - side : Math.max(left + this.size.width - document.documentElement.clientWidth, 0);
    if (down || over) scrollBy({ top: down, left: over, behavior: "instant" });
    this.draw();
  }
}

/** The hash of the checkpoint among a column's values. @param {Stop | undefined} stop */
function hashOfStop(stop) {
  for (const [axis, value] of stop?.at ?? []) {
    const hash = data.axes[axis]?.values[value]?.hash;
    if (hash) return hash;
  }
  return "";
}

const grid = new Grid();

/** @param {Cell} cell */
const columnLabelOf = (cell) => grid.arrangement.columns[cell.column]?.label ?? "";
/** @param {Cell} cell */
const rowLabelOf = (cell) => (cell.row < 0 ? "" : grid.rowLabel(cell.row));
