// Which cells are chosen, and what is thought of them.

/** @type {Mark} */
const UNMARKED = { star: 0, tags: [], note: "" };

/** @param {Cell} cell @returns {Mark} */
const markOf = (cell) => data.marks[cell.number] ?? UNMARKED;

/** @param {Mark} mark */
const markWords = ({ star, tags }) =>
  [star > 0 ? "starred" : star < 0 ? "rejected" : "", ...tags].filter(Boolean).join(", ");

/** Choose a cell, or no longer; with all between it and the one before. @param {Cell} cell @param {boolean} [isRange] */
function choose(cell, isRange = false) {
  const last = state.at;
  if (isRange && last && last.row >= 0) {
    for (const each of rectangle(last, cell)) setChosen(each, true);
  } else setChosen(cell, !cell.chosen);
  visit(cell);
  showChosen();
}

/** The cells of the grid between two corners. @param {Cell} one @param {Cell} other */
function rectangle(one, other) {
  const [top, bottom] = [Math.min(one.row, other.row), Math.max(one.row, other.row)];
  const [left, right] = [Math.min(one.column, other.column), Math.max(one.column, other.column)];
  const inside = grid.places.slice(top, bottom + 1).flatMap((row) => row.slice(left, right + 1));
  return inside.filter((cell) => !cell.hidden);
}

/** @param {Cell} cell @param {boolean} isChosen */
function setChosen(cell, isChosen) {
  cell.chosen = isChosen;
  if (cell.nodes) dress(cell);
}

const chosen = () => cells.filter((cell) => cell.chosen);

function showChosen() {
  const count = chosen().length;
  $("chosen").hidden = !count;
  $("c-count").textContent = `${count} chosen`;
  /** @type {HTMLButtonElement} */ ($("c-compare")).disabled = count < 2 || count > 6;
}

function chooseNone() {
  for (const cell of chosen()) setChosen(cell, false);
  showChosen();
}
