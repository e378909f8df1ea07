// Which cells are chosen, and what is thought of them: stars, rejections, tags and notes, by one key each.

/** @type {Mark} */
const UNMARKED = { star: 0, tags: [], note: "" };
const SHELF = `ohwx-marks-${data.plan}`; // where a page from disk keeps them

/** @param {Cell} cell @returns {Mark} */
const markOf = (cell) => data.marks[cell.number] ?? UNMARKED;

/** @param {Mark} mark */
const markWords = ({ star, tags }) =>
  [star > 0 ? "starred" : star < 0 ? "rejected" : "", ...tags].filter(Boolean).join(", ");

/** The tags that somebody typed. @param {string} text */
function tagsIn(text) {
  const tags = text.split(",").map((tag) => tag.trim().slice(0, 60));
  return [...new Set(tags)].filter(Boolean).slice(0, 20);
}

class Keeper {
  constructor() {
    /** @type {Record<number, Mark>[]} */
    this.past = []; // what each change replaced, the last one last
    this.saving = Promise.resolve();
    this.isBeside = false;
    if (!isServed) Object.assign(data.marks, shelved());
  }

  /** Think so of cells. @param {Cell[]} these @param {(mark: Mark) => Mark} change */
  think(these, change) {
    const marked = these.filter((cell) => cell.image || cell.before);
    if (!marked.length) return;
    this.past.push(Object.fromEntries(marked.map((cell) => [cell.number, markOf(cell)])));
    this.put(Object.fromEntries(marked.map((cell) => [cell.number, change(markOf(cell))])));
  }

  /** Star them all, or none where all are; the same for -1. @param {Cell[]} these @param {1 | -1} star */
  star(these, star) {
    const next = these.every((cell) => markOf(cell).star === star) ? 0 : star;
    this.think(these, (mark) => ({ ...mark, star: next }));
  }

  undo() {
    const last = this.past.pop();
    if (last) this.put(last);
    say(last ? "Taken back." : "There is nothing to take back.");
  }

  /** @param {Record<number, Mark>} marks */
  put(marks) {
    for (const [number, mark] of Object.entries(marks)) {
      data.marks[Number(number)] = mark;
      const cell = cellOf(Number(number));
      if (cell.nodes) dress(cell);
      viewer.renew(cell);
    }
    this.saving = this.saving.then(() => this.save(marks)).catch(complain);
  }

  /** @param {Record<number, Mark>} marks */
  async save(marks) {
    if (!isServed) {
      shelve();
      return;
    }
    const said = await postJson("marks", { plan: data.plan, marks });
    if (said.isBeside && !this.isBeside) say(said.words);
    this.isBeside = said.isBeside;
  }
}

/** What a page from disk kept here before. @returns {Record<string, Mark>} */
function shelved() {
  try {
    return JSON.parse(localStorage.getItem(SHELF) ?? "{}");
  } catch {
    return {}; // no such place: kept until the page is closed
  }
}

function shelve() {
  try {
    localStorage.setItem(SHELF, JSON.stringify(data.marks));
  } catch {
    say("This browser keeps nothing for pages from disk. Save your selection before you close the page.");
  }
}

// ---- choosing

/** Choose a cell, or no longer; or all up to it. @param {Cell} cell @param {boolean} [isRange] */
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

/** What a key is about: the chosen, else the cell at hand. @returns {Cell[]} */
function meant() {
  const these = viewer.box.open ? [] : chosen();
  const here = viewer.box.open ? viewer.cell : state.at;
  return these.length ? these : here ? [here] : [];
}

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

const keeper = new Keeper();
