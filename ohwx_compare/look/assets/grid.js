// The grid: columns are checkpoints, rows stand in groups of one prompt. All text goes in as text, never as markup.

/**
 * @typedef {object} Placed where a cell stands in the grid, and its nodes
 * @property {GroupData} group
 * @property {number} row
 * @property {number} column
 * @property {string} rowLabel
 * @property {string} columnLabel
 * @property {string} label
 * @property {string} hay what a filter is looked for in
 * @property {boolean} hidden by the filter
 * @property {boolean} flipped shows the other pass than the page
 * @property {CellNodes} nodes
 */

/**
 * @typedef {object} CellNodes
 * @property {HTMLElement} tile
 * @property {HTMLButtonElement} button opens it
 * @property {HTMLElement} frame
 * @property {HTMLImageElement} img
 * @property {HTMLElement} said in place of a picture
 * @property {HTMLElement} caption
 * @property {HTMLButtonElement} flip the pill that tells the pass, and changes it
 */

/** @typedef {CellData & Placed} Cell */

/** @param {string} id */
function $(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`The page has no #${id}.`);
  return node;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
function make(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

/** @type {PageData} */
const data = JSON.parse($("data").textContent ?? "");
const table = /** @type {HTMLTableElement} */ ($("grid"));
const filterInput = /** @type {HTMLInputElement} */ ($("filter"));
const shortcuts = /** @type {HTMLDialogElement} */ ($("keys"));
const embedded = parent !== window && location.protocol.startsWith("http"); // in the webui's tab

/** @type {Cell[]} */
const cells = []; // row by row
/** @type {Cell[][]} */
const places = []; // places[row][column]
/** @type {{ node: HTMLElement, band: HTMLElement | null }[]} */
const rows = [];
/** @type {HTMLElement[]} */
const heads = []; // of the columns
const state = { pass: /** @type {Pass} */ ("after"), at: /** @type {Cell | null} */ (null) };

// ---- what is made once

/** A name that may break behind its separators. @param {string} text */
function breakable(text) {
  return text.split(/(?<=[_\-/.])/).flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
}

function buildHead() {
  const line = table.tHead?.rows[0];
  line?.append(make("th", { className: "corner" }));
  for (const column of data.columns) {
    const head = make("th", { scope: "col" }, make("b", {}, ...breakable(column.label)), make("code"));
    heads.push(head);
    line?.append(head);
  }
  dressHead();
}

function dressHead() {
  for (const [i, { hash }] of data.columns.entries()) {
    const known = { hidden: !hash, textContent: (hash ?? "").slice(0, 10), title: `sha256 ${hash}` };
    Object.assign(heads[i]?.lastElementChild ?? {}, known);
  }
}

/** @param {GroupData} group */
function buildGroup(group) {
  const body = make("tbody");
  const band = group.prompt || group.negative ? bandOf(group) : null;
  if (band) body.append(band);
  body.append(...group.rows.map((row) => rowOf(group, row, band)));
  table.append(body);
}

/** The texts that a group shares. @param {GroupData} group */
function bandOf({ prompt, negative }) {
  const text = make("div", {}, make("div", { textContent: prompt || "(empty prompt)" }));
  if (negative) text.append(make("div", { className: "negative", textContent: `Negative: ${negative}` }));
  const wide = { className: "band", scope: "rowgroup", colSpan: data.columns.length + 1 };
  return make("tr", {}, make("th", wide, text));
}

/** @param {GroupData} group @param {RowData} row @param {HTMLElement | null} band */
function rowOf(group, row, band) {
  const line = make("tr", {}, make("th", { className: "side", scope: "row" }, ...breakable(row.label)));
  const number = rows.push({ node: line, band }) - 1;
  const placed = row.cells.map((cell, column) => place(cell, group, row.label, number, column));
  places.push(placed);
  cells.push(...placed);
  line.append(...placed.map((cell) => make("td", {}, cell.nodes.tile)));
  return line;
}

/**
 * @param {CellData} made
 * @param {GroupData} group
 * @param {string} rowLabel
 * @param {number} row
 * @param {number} column
 */
function place(made, group, rowLabel, row, column) {
  const columnLabel = data.columns[column]?.label ?? "";
  const label = `${columnLabel}, ${rowLabel}`;
  const where = { group, row, column, rowLabel, columnLabel, label, hay: "", hidden: false, flipped: false };
  const cell = /** @type {Cell} */ (Object.assign(made, where));
  cell.nodes = nodesOf(cell);
  dress(cell);
  return cell;
}

/** A cell's nodes; what depends on the outcome comes in `dress`. @param {Cell} cell @returns {CellNodes} */
function nodesOf(cell) {
  const img = make("img", { loading: "lazy", decoding: "async", width: cell.width, height: cell.height });
  const said = make("span", { className: "said" });
  const caption = make("span", { className: "cap" });
  const frame = make("span", { className: "frame" }, img, said);
  const button = make("button", { type: "button", className: "cell", tabIndex: -1 }, frame, caption);
  const flip = make("button", { type: "button", className: "flip", tabIndex: -1 });
  const tile = make("div", {}, button, flip);
  img.addEventListener("error", () => lost(cell));
  button.addEventListener("click", () => viewer.open(cell));
  button.addEventListener("focus", () => visit(cell));
  const hold = holdable(() => turn(cell));
  flip.addEventListener("pointerdown", (event) => {
    flip.setPointerCapture(event.pointerId);
    hold.down();
  });
  for (const name of ["pointerup", "pointercancel"]) flip.addEventListener(name, hold.up);
  flip.addEventListener("click", (event) => {
    if (!event.detail) turn(cell); // from the keyboard
  });
  return { tile, button, frame, img, said, caption, flip };
}

/** Its file is not there. @param {Cell} cell */
function lost({ nodes: { img, said, tile } }) {
  img.hidden = true;
  said.hidden = false;
  const name = decodeURIComponent(img.getAttribute("src") ?? "");
  said.replaceChildren(make("b", { textContent: "Picture missing" }), name);
  tile.classList.add("bad");
}

// ---- what changes

/** All that the outcome decides: when it is built, and again when its picture arrives. @param {Cell} cell */
function dress(cell) {
  const { tile, said, frame, flip, button } = cell.nodes;
  tile.className = `tile ${cell.tone}`;
  said.replaceChildren(make("b", { textContent: cell.title }), cell.why);
  frame.style.aspectRatio = `${cell.width} / ${cell.height}`;
  flip.hidden = !(cell.before && cell.image);
  button.setAttribute("aria-label", `${cell.label}: ${cell.words}. Open full size`);
  const { prompt, negative } = cell.group;
  const hash = data.columns[cell.column]?.hash ?? "";
  cell.hay = searched(cell, [prompt, negative, cell.rowLabel, cell.columnLabel, hash]);
  paint(cell);
}

/** Show a cell's pass. @param {Cell} cell */
function paint(cell) {
  const { img, said, caption, flip } = cell.nodes;
  const pass = passOf(cell, state.pass);
  const isBefore = pass === "before";
  const href = isBefore ? cell.beforeThumb || cell.before : cell.thumb || cell.image;
  img.hidden = !href;
  said.hidden = Boolean(href);
  if (href && img.getAttribute("src") !== href) img.src = href;
  img.alt = `${cell.label}, ${isBefore ? "before the face pass" : cell.caption || "generated"}`;
  caption.textContent = isBefore ? "before" : cell.caption;
  const words = `Shows ${pass} the face pass. Show ${otherPass(pass)}`;
  flip.setAttribute("aria-label", words);
  Object.assign(flip, { textContent: pass, title: `${words} (Shift+B, hold to peek)` });
  flip.classList.toggle("on", cell.flipped);
}

/** @param {Pass} pass */
function setPass(pass) {
  state.pass = pass;
  for (const button of buttonsIn("passes")) button.setAttribute("aria-pressed", String(button.dataset.pass === pass));
  for (const cell of cells) {
    cell.flipped = false;
    paint(cell);
  }
}

/** @param {string} id @returns {NodeListOf<HTMLButtonElement>} */
const buttonsIn = (id) => $(id).querySelectorAll("button");

/** Show the other pass, of this one alone. @param {Cell | null} cell */
function turn(cell) {
  if (!cell?.before || !cell.image) return;
  cell.flipped = !cell.flipped;
  paint(cell);
}

/** Press: change over; let go after a while: change back. A short press stays. @param {() => void} change */
function holdable(change) {
  let since = 0;
  return {
    down() {
      if (since) return;
      since = performance.now();
      change();
    },
    up() {
      if (since && performance.now() - since > 350) change();
      since = 0;
    },
  };
}

/** One stop for the Tab key: the cell last visited. @param {Cell} cell */
function visit(cell) {
  if (state.at) state.at.nodes.button.tabIndex = -1;
  state.at = cell;
  cell.nodes.button.tabIndex = 0;
}

/** Rows and columns without a hit are left out; other cells are dimmed. */
function filter() {
  const phrases = phrasesOf(filterInput.value);
  const found = filtered(cells, phrases);
  for (const cell of cells) {
    cell.hidden = !found.hits.has(cell);
    cell.nodes.tile.classList.toggle("dim", cell.hidden);
    if (cell.nodes.tile.parentElement) cell.nodes.tile.parentElement.hidden = !found.columns.has(cell.column);
  }
  for (const [i, head] of heads.entries()) head.hidden = !found.columns.has(i);
  const bands = new Set(rows.filter((_, i) => found.rows.has(i)).map((row) => row.band));
  for (const [i, row] of rows.entries()) {
    row.node.hidden = !found.rows.has(i);
    if (row.band) row.band.hidden = !bands.has(row.band);
  }
  $("count").textContent = countWords(found.hits.size, cells.length, phrases.length > 0);
  $("nothing").hidden = found.hits.size > 0;
  table.hidden = !found.hits.size;
  const [first] = found.hits;
  if (first && (!state.at || state.at.hidden)) visit(first);
}

function buildTop() {
  document.title = `${data.folder} · checkpoint comparison`;
  $("folder").textContent = data.folder;
  $("summary").textContent = data.summary;
  $("facts").replaceChildren(...data.facts.map((fact) => make("li", { textContent: fact })));
  buildTroubles();
  const target = embedded ? "_blank" : "";
  const links = data.sheets.map(({ name, href }) => make("a", { href, textContent: name, target, rel: "noopener" }));
  $("sheets").replaceChildren(...links);
  $("passes").hidden = !data.hasBefore;
}

function buildTroubles() {
  const troubles = cells.filter((cell) => cell.tone === "bad" || cell.tone === "warn");
  const items = troubles.map((cell) => {
    const link = make("button", { type: "button", className: "link", textContent: cell.label });
    link.addEventListener("click", () => viewer.open(cell));
    return make("li", {}, link, `: ${cell.words}`);
  });
  const box = $("troubles");
  box.hidden = !troubles.length;
  box.querySelector("summary")?.replaceChildren(data.troubles);
  box.querySelector("ul")?.replaceChildren(...items);
}

/** A newer page of the run goes into the nodes that are there, so the reader's place stays. @param {PageData} next */
function update(next) {
  if (!isSamePlan(next, data)) {
    location.reload(); // another experiment in the same folder
    return;
  }
  const { columns, summary, facts, troubles, hasBefore, sheets } = next;
  for (const [i, column] of columns.entries()) Object.assign(data.columns[i] ?? {}, column);
  dressHead();
  Object.assign(data, { summary, facts, troubles, hasBefore, sheets });
  for (const [i, fresh] of rowsOf(next).flat().entries()) {
    const cell = cells[i];
    if (cell && !isLike(cell, fresh)) renew(cell, fresh);
  }
  buildTop();
  filter();
}

/** @param {Cell} cell @param {CellData} fresh */
function isLike(cell, fresh) {
  const now = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (cell));
  return Object.entries(fresh).every(([name, value]) => JSON.stringify(value) === JSON.stringify(now[name]));
}

/** @param {Cell} cell @param {CellData} fresh */
function renew(cell, fresh) {
  Object.assign(cell, fresh);
  dress(cell);
  viewer.renew(cell);
}
