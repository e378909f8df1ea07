// A cell's picture in the grid: its nodes, made when it comes near the window, and what they show.

/**
 * @typedef {object} TileNodes
 * @property {HTMLElement} tile
 * @property {HTMLButtonElement} button opens it
 * @property {HTMLImageElement} img
 * @property {HTMLElement} said in place of a picture
 * @property {HTMLElement} caption
 * @property {HTMLButtonElement} flip the pill that tells the pass, and changes it
 */

/** A cell's nodes; what depends on the outcome comes in `dress`. @param {Cell} cell @returns {TileNodes} */
function tileOf(cell) {
  const img = make("img", { decoding: "async", draggable: false });
  const said = make("span", { className: "said" });
  const button = make("button", { type: "button", className: "cell", tabIndex: -1 }, img);
  const caption = make("span", { className: "cap" });
  const flip = make("button", { type: "button", className: "flip", tabIndex: -1 });
  const tile = make("div", {}, button, caption);
  told(tile, { role: "gridcell" });
  img.addEventListener("error", () => lost(cell));
  button.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) choose(cell, event.shiftKey);
    else viewer.open(cell);
  });
  button.addEventListener("focus", () => visit(cell));
  listenToPress(button, cell);
  listenToFlip(flip, cell);
  return { tile, button, img, said, caption, flip };
}

/** A finger that rests on a picture chooses it. @param {HTMLButtonElement} button @param {Cell} cell */
function listenToPress(button, cell) {
  let timer = 0;
  let isLong = false;
  const end = () => clearTimeout(timer);
  button.addEventListener("pointerdown", (event) => {
    isLong = false;
    if (event.pointerType !== "touch") return;
    timer = setTimeout(() => {
      isLong = true;
      choose(cell);
    }, 450);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(name, end);
  button.addEventListener("contextmenu", (event) => isLong && event.preventDefault());
  button.addEventListener("click", (event) => isLong && event.stopImmediatePropagation(), { capture: true });
}

/** @param {HTMLButtonElement} flip @param {Cell} cell */
function listenToFlip(flip, cell) {
  const hold = holdable(() => turn(cell));
  flip.addEventListener("pointerdown", (event) => {
    flip.setPointerCapture(event.pointerId);
    hold.down();
  });
  for (const name of ["pointerup", "pointercancel"]) flip.addEventListener(name, hold.up);
  flip.addEventListener("click", (event) => {
    if (!event.detail) turn(cell); // from the keyboard
  });
}

/** Its file is not there. @param {Cell} cell */
function lost({ nodes }) {
  if (!nodes) return;
  const { img, said, tile, button } = nodes;
  img.hidden = true;
  const name = decodeURIComponent(thumbs.hrefOf(img));
  said.replaceChildren(make("b", { textContent: "Picture missing" }), name);
  button.append(said);
  tile.classList.add("bad");
}

/** How a cell is called: its column and its row. @param {Cell} cell */
const labelOf = (cell) => [columnLabelOf(cell), rowLabelOf(cell)].filter(Boolean).join(", ") || `cell ${cell.number}`;

/** All that the outcome decides: when it is made, and again when its picture arrives. @param {Cell} cell */
function dress(cell) {
  if (!cell.nodes) return;
  const { tile, said, flip, button } = cell.nodes;
  const mark = markOf(cell);
  const rejected = mark.star < 0 ? "rejected" : "";
  tile.className = ["tile", cell.tone, cell.isLoaded ? "" : "unread", cell.hidden ? "dim" : "", rejected].join(" ");
  tile.classList.toggle("chosen", cell.chosen);
  tile.classList.toggle("starred", mark.star > 0);
  said.replaceChildren(make("b", { textContent: cell.title }), cell.why);
  if (cell.before && cell.image) tile.append(flip);
  else flip.remove();
  const kept = markWords(mark);
  button.setAttribute("aria-label", `${labelOf(cell)}: ${cell.words}${kept ? `. ${kept}` : ""}. Open full size`);
  button.setAttribute("aria-pressed", String(cell.chosen));
  paint(cell);
}

/** Show a cell's pass. @param {Cell} cell */
function paint(cell) {
  if (!cell.nodes) return;
  const { img, said, caption, flip, button } = cell.nodes;
  const pass = passOf(cell, state.view.pass);
  const isBefore = pass === "before";
  thumbs.show(img, cell, isBefore);
  if (!img.hidden || !cell.isLoaded) said.remove();
  else button.append(said);
  img.alt = `${labelOf(cell)}, ${isBefore ? "before the face pass" : cell.caption || "generated"}`;
  caption.textContent = [isBefore ? "before" : cell.caption, ...markOf(cell).tags].filter(Boolean).join(" · ");
  const words = `Shows ${pass} the face pass. Show ${otherPass(pass)}`;
  flip.setAttribute("aria-label", words);
  Object.assign(flip, { textContent: pass, title: `${words} (Shift+B, hold to peek)` });
  flip.classList.toggle("on", cell.flipped);
}

/** Show the other pass, of this one alone. @param {Cell | null} cell */
function turn(cell) {
  if (!cell?.before || !cell.image) return;
  cell.flipped = !cell.flipped;
  paint(cell);
}

/** One stop for the Tab key: the cell last visited. @param {Cell} cell */
function visit(cell) {
  if (state.at?.nodes) state.at.nodes.button.tabIndex = -1;
  state.at = cell;
  if (cell.nodes) cell.nodes.button.tabIndex = 0;
}
