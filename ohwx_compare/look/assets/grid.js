// The grid: columns are checkpoints, rows stand in groups of one prompt. All text goes in as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

function make(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

// A name that may break behind its separators.
function breakable(text) {
  return text.split(/(?<=[_\-/.])/).flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
}

const embedded = parent !== window && location.protocol.startsWith("http"); // in the webui's tab
const cells = []; // every cell with its place and its nodes, row by row
const places = []; // places[row][column]
const rows = []; // {node, band}
const state = { pass: "after", terms: [], at: null };

function shownPass(cell) {
  const pass = cell.flipped ? (state.pass === "after" ? "before" : "after") : state.pass;
  return pass === "before" && cell.before ? "before" : "after";
}

function paint(cell) {
  const pass = shownPass(cell);
  const href = pass === "before" ? cell.beforeThumb || cell.before : cell.thumb || cell.image;
  cell.img.hidden = !href;
  cell.said.hidden = Boolean(href);
  if (href && cell.img.getAttribute("src") !== href) cell.img.src = href;
  cell.img.alt = `${cell.label}, ${pass === "before" ? "before the face pass" : cell.caption || "drawn"}`;
  cell.cap.textContent = cell.before && pass === "before" ? "before" : cell.caption;
  cell.flip.textContent = pass === "before" ? "after" : "before";
  cell.flip.classList.toggle("on", Boolean(cell.flipped));
}

function setPass(pass) {
  state.pass = pass;
  for (const button of $("passes").children) button.setAttribute("aria-pressed", String(button.dataset.pass === pass));
  for (const cell of cells) {
    cell.flipped = false;
    paint(cell);
  }
}

const otherPass = () => setPass(state.pass === "after" ? "before" : "after");

function flip(cell) {
  if (!cell || !cell.before || !cell.image) return;
  cell.flipped = !cell.flipped;
  paint(cell);
}

// Press: change over; let go after a while: change back. A short press stays.
function holdable(change) {
  let since = 0;
  return {
    down() { if (!since) { since = performance.now(); change(); } },
    up() { if (since && performance.now() - since > 350) change(); since = 0; },
  };
}

// A cell's nodes; what depends on the outcome comes in `dress`.
function cellNode(cell) {
  cell.img = make("img", { loading: "lazy", decoding: "async", width: cell.width, height: cell.height });
  cell.said = make("span", { className: "said" });
  cell.cap = make("span", { className: "cap" });
  cell.frame = make("span", { className: "frame" }, cell.img, cell.said);
  cell.img.addEventListener("error", () => {
    cell.img.hidden = true;
    cell.said.hidden = false;
    cell.said.replaceChildren(make("b", { textContent: "Picture missing" }), decodeURIComponent(cell.img.getAttribute("src")));
    cell.tile.classList.add("bad");
  });
  cell.button = make("button", { type: "button", className: "cell", tabIndex: -1 }, cell.frame, cell.cap);
  cell.button.addEventListener("click", () => viewer.open(cell));
  cell.button.addEventListener("focus", () => visit(cell));
  cell.flip = make("button", { type: "button", className: "flip", tabIndex: -1, title: "Before or after, this one (Shift B); hold to peek" });
  const hold = holdable(() => flip(cell));
  cell.flip.addEventListener("pointerdown", (event) => { cell.flip.setPointerCapture(event.pointerId); hold.down(); });
  for (const name of ["pointerup", "pointercancel"]) cell.flip.addEventListener(name, hold.up);
  cell.flip.addEventListener("click", (event) => { if (!event.detail) flip(cell); }); // from the keyboard
  cell.tile = make("div", {}, cell.button, cell.flip);
  return make("td", {}, cell.tile);
}

// All that the outcome decides: a cell is dressed when it is built and again when its picture arrives.
function dress(cell) {
  cell.tile.className = `tile ${cell.tone}`;
  cell.said.replaceChildren(make("b", { textContent: cell.title }), cell.why);
  cell.frame.style.aspectRatio = `${cell.width} / ${cell.height}`;
  cell.flip.hidden = !(cell.before && cell.image);
  cell.button.setAttribute("aria-label", `${cell.label}: ${cell.words}. Open full size`);
  cell.hay = [cell.group.prompt, cell.prompt, cell.group.negative, cell.rowLabel, cell.columnLabel, data.columns[cell.column].hash, cell.words, cell.caption, ...cell.notes]
    .join("\n").toLowerCase();
  paint(cell);
}

// One stop for the Tab key: the cell last visited.
function visit(cell) {
  if (state.at) state.at.button.tabIndex = -1;
  state.at = cell;
  cell.button.tabIndex = 0;
}

// The next cell that the filter shows, or null at the edge.
function neighbour(cell, dx, dy) {
  let [column, row] = [cell.column, cell.row];
  for (;;) {
    [column, row] = [column + dx, row + dy];
    const next = places[row] && places[row][column];
    if (!next) return null;
    if (!next.hidden) return next;
  }
}

function buildHead() {
  const line = $("grid").tHead.rows[0];
  line.append(make("th", { className: "corner" }));
  for (const column of data.columns) {
    column.node = make("th", { scope: "col" }, make("b", {}, ...breakable(column.label)), make("code"));
    dressColumn(column);
    line.append(column.node);
  }
}

function dressColumn(column) {
  const hash = column.hash || "";
  Object.assign(column.node.lastElementChild, { hidden: !hash, textContent: hash.slice(0, 10), title: `sha256 ${hash}` });
}

function buildGroup(group) {
  const body = make("tbody");
  let band = null;
  if (group.prompt || group.negative) {
    const text = make("div", {}, make("div", { textContent: group.prompt || "(empty prompt)" }));
    if (group.negative) text.append(make("div", { className: "negative", textContent: `Negative: ${group.negative}` }));
    const head = make("th", { className: "band", scope: "rowgroup", colSpan: data.columns.length + 1 }, text);
    band = make("tr", {}, head);
    body.append(band);
  }
  for (const row of group.rows) {
    const line = make("tr", {}, make("th", { className: "side", scope: "row" }, ...breakable(row.label)));
    const number = rows.push({ node: line, band }) - 1;
    places.push(row.cells);
    row.cells.forEach((cell, column) => {
      Object.assign(cell, { group, row: number, column, rowLabel: row.label, columnLabel: data.columns[column].label });
      cell.label = `${cell.columnLabel}, ${row.label}`;
      cells.push(cell);
      line.append(cellNode(cell));
      dress(cell);
    });
    body.append(line);
  }
  $("grid").append(body);
}

// A cell is shown where each phrase (commas between) stands in its texts; rows and columns without one are left out.
function filter() {
  const terms = $("filter").value.toLowerCase().split(",").map((term) => term.trim()).filter(Boolean);
  const hits = cells.filter((cell) => terms.every((term) => cell.hay.includes(term)));
  const hitRows = new Set(hits.map((cell) => cell.row));
  const hitColumns = new Set(hits.map((cell) => cell.column));
  const hit = new Set(hits);
  for (const cell of cells) {
    cell.hidden = !hit.has(cell);
    cell.tile.classList.toggle("dim", cell.hidden);
    cell.tile.parentNode.hidden = !hitColumns.has(cell.column);
  }
  data.columns.forEach((column, i) => { column.node.hidden = !hitColumns.has(i); });
  const bands = new Set(rows.filter((_, i) => hitRows.has(i)).map((row) => row.band));
  rows.forEach((row, i) => {
    row.node.hidden = !hitRows.has(i);
    if (row.band) row.band.hidden = !bands.has(row.band);
  });
  $("count").textContent = terms.length ? `${hits.length} of ${cells.length}` : `${cells.length} cells`;
  $("nothing").hidden = hits.length > 0;
  $("grid").hidden = !hits.length;
  const stays = state.at && !state.at.hidden;
  if (!stays && hits.length) visit(hits[0]);
}

function buildTop() {
  document.title = `${data.folder} · checkpoint comparison`;
  $("folder").textContent = data.folder;
  $("summary").textContent = data.summary;
  $("facts").replaceChildren(...data.facts.map((fact) => make("li", { textContent: fact })));
  const troubles = cells.filter((cell) => cell.tone === "bad" || cell.tone === "warn"), box = $("troubles");
  box.hidden = !troubles.length;
  box.firstElementChild.textContent = data.troubles;
  box.lastElementChild.replaceChildren(...troubles.map((cell) => {
    const link = make("button", { type: "button", className: "link", textContent: cell.label });
    link.addEventListener("click", () => viewer.open(cell));
    return make("li", {}, link, `: ${cell.words}`);
  }));
  const target = embedded ? "_blank" : "";
  $("sheets").replaceChildren(...data.sheets.map((sheet) => make("a", { href: sheet.href, textContent: sheet.name, target, rel: "noopener" })));
  $("passes").hidden = !data.hasBefore;
}

// What a newer page of the same run holds goes into the nodes that are there, so the reader's place stays.
function update(next) {
  const rowsOf = (some) => some.groups.flatMap((group) => group.rows.map((row) => row.cells));
  const plan = (some) => JSON.stringify([some.columns.map((column) => column.label), rowsOf(some).map((row) => row.map((cell) => cell.number))]);
  if (plan(next) !== plan(data)) { location.reload(); return; } // another experiment in the same folder
  next.columns.forEach((column, i) => { data.columns[i].hash = column.hash; dressColumn(data.columns[i]); });
  for (const name of ["summary", "facts", "troubles", "hasBefore", "sheets"]) data[name] = next[name];
  rowsOf(next).flat().forEach((fresh, i) => {
    if (Object.entries(fresh).every(([name, value]) => JSON.stringify(value) === JSON.stringify(cells[i][name]))) return;
    Object.assign(cells[i], fresh);
    dress(cells[i]);
    viewer.renew(cells[i]);
  });
  buildTop();
  filter();
}

function defaultSize() {
  const side = parseFloat(getComputedStyle(document.documentElement).fontSize) * (innerWidth <= 640 ? 7.4 : 13.5);
  const share = (document.documentElement.clientWidth - side) / data.columns.length - 10;
  const widest = Math.max(...cells.map((cell) => cell.width));
  return Math.round(Math.min(Math.max(share, innerWidth <= 640 ? 84 : 132), 360, Math.max(widest, 160)));
}

function setSize(size) {
  document.documentElement.style.setProperty("--thumb", `${size}px`);
}

function gridKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input");
  if (typing) {
    if (event.key === "Escape" && event.target === $("filter")) { $("filter").value = ""; filter(); $("filter").blur(); }
    return;
  }
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const cell = event.target.closest(".tile") && state.at;
  if (event.key === "/") { event.preventDefault(); $("filter").focus(); }
  else if (event.key === "?") $("keys").showModal();
  else if (event.key === "B") { if (!event.repeat) oneKey.down(); }
  else if (event.key === "b") { if (!event.repeat && data.hasBefore) allKey.down(); }
  else if (cell && moves[event.key]) {
    event.preventDefault();
    const next = neighbour(cell, ...moves[event.key]);
    if (next) next.button.focus();
  }
}

const allKey = holdable(otherPass);
const oneKey = holdable(() => flip(state.at));
