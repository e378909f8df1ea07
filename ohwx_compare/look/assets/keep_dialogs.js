// Dialogs of what is kept: tags and notes are typed, the chosen are exported, a checkpoint is made the winner.

const askBox = /** @type {HTMLDialogElement} */ ($("ask"));
const askText = /** @type {HTMLTextAreaElement} */ ($("a-text"));
const keepBox = /** @type {HTMLDialogElement} */ ($("keep"));

/** @type {(text: string) => void} */
let asking = () => {};

/** @param {string} title @param {string} text @param {(text: string) => void} done */
function ask(title, text, done) {
  asking = done;
  $("a-title").textContent = title;
  askText.value = text;
  askBox.showModal();
  askText.select();
}

function answerAsked() {
  askBox.close();
  asking(askText.value);
}

/** @param {Cell[]} these */
function askTags(these) {
  const shared = these.map((cell) => markOf(cell).tags);
  const text = (shared[0] ?? []).filter((tag) => shared.every((tags) => tags.includes(tag))).join(", ");
  const was = tagsIn(text);
  ask("Tags, separated by commas", text, (typed) => {
    const now = tagsIn(typed);
    keeper.think(these, (mark) => {
      const own = mark.tags.filter((tag) => !was.includes(tag));
      return { ...mark, tags: [...new Set([...own, ...now])].slice(0, 20) };
    });
  });
}

/** @param {Cell[]} these */
function askNote(these) {
  const [first] = these;
  ask("Note", first ? markOf(first).note : "", (note) =>
    keeper.think(these, (mark) => ({ ...mark, note: note.trim().slice(0, 2000) })),
  );
}

/** Keys of what is kept; whether it was one. @param {string} key @returns {boolean} */
function keepKey(key) {
  const these = meant();
  if (key === "s" && these.length) keeper.star(these, 1);
  else if (key === "x" && these.length) keeper.star(these, -1);
  else if (key === "t" && these.length) askTags(these);
  else if (key === "n" && these.length) askNote(these);
  else if (key === "z") keeper.undo();
  else if (key === "e") openKeep();
  else return false;
  return true;
}

/** What is exported: the chosen, else what has a star. */
function kept() {
  const these = chosen();
  return these.length ? these : cells.filter((cell) => markOf(cell).star > 0);
}

function openKeep() {
  const count = kept().length;
  const stars = cells.filter((cell) => markOf(cell).star > 0).length;
  $("k-count").textContent = count
    ? `${count} ${count === 1 ? "picture" : "pictures"}: ${chosen().length ? "the chosen" : "those with a star"}.`
    : "Nothing is chosen and nothing has a star yet.";
  $("k-stars").textContent = `Choose the ${stars} with a star`;
  $("k-stars").hidden = !stars;
  $("k-served").hidden = !isServed;
  $("k-disk").hidden = isServed;
  $("k-said").textContent = "";
  const at = data.axes.findIndex((axis) => axis.kind === "checkpoint");
  const options = (data.axes[at]?.values ?? []).map(({ label }, i) => make("option", { value: i, textContent: label }));
  $("k-winner").replaceChildren(...options);
  keepBox.showModal();
}

/** @param {string} path @param {Record<string, unknown>} body */
async function doKept(path, body) {
  $("k-said").textContent = "Working…";
  try {
    const { said, href } = await postJson(path, { plan: data.plan, ...body });
    const link = href ? [" ", make("a", { href, textContent: "Download", download: "" })] : [];
    $("k-said").replaceChildren(said, ...link);
  } catch (error) {
    $("k-said").textContent = error instanceof Error ? error.message : String(error);
  }
}

function exportKept() {
  /** @type {NodeListOf<HTMLInputElement>} */
  const boxes = keepBox.querySelectorAll("input[data-part]:checked");
  const as = /** @type {HTMLInputElement} */ ($("k-zip")).checked ? "zip" : "folder";
  const parts = [...boxes].map((box) => box.dataset.part);
  doKept("export", { cells: kept().map((cell) => cell.number), parts, as });
}

const PAPERS = ["a4", "a3", "a5", "letter", "legal"].flatMap((paper) => [paper, `${paper} landscape`]);

/** A sheet of what the grid shows: its columns and rows, in their order, as far as the filter leaves them. */
function makeSheet() {
  const { x, y, group } = state.view.roles;
  const rows = grid.shown.filter(({ row }) => row >= 0).map(({ row }) => grid.places[row] ?? []);
  const lines = rows.map((places) => grid.columns.map((i) => places[i]?.number));
  /** @param {string} id */
  const input = (id) => /** @type {HTMLInputElement} */ ($(id));
  const margin = input("k-margin").value;
  doKept("sheet", {
    columns: x, rows: [...group, ...y], by: input("k-each").checked ? group : [], lines, pass: state.view.pass,
    legend: input("k-legend").checked, pictures: input("k-lone").checked, margin: margin ? Number(margin) : null,
    paper: input("k-paper").value, as: input("k-zip").checked ? "zip" : "folder",
  });
}

function crownChosen() {
  const select = /** @type {HTMLSelectElement} */ ($("k-winner"));
  const how = /** @type {HTMLInputElement} */ ($("k-link")).checked ? "link" : "copy";
  doKept("winner", { place: Number(select.value), how });
}

/** From disk: what was decided, as a file that `ohwx view` and the tab read. */
function saveSelection() {
  const marks = Object.fromEntries(Object.entries(data.marks).filter(([, mark]) => markWords(mark) || mark.note));
  const text = JSON.stringify({ ohwx: "selection", folder: data.folder, plan: data.plan, marks }, null, 1);
  const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href, download: "selection.json" }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
}

/** @param {File | undefined} file */
async function readSelection(file) {
  try {
    const { plan, marks } = JSON.parse((await file?.text()) ?? "");
    await postJson("marks", { plan, marks });
    for (const [number, mark] of Object.entries(marks)) data.marks[Number(number)] = { ...UNMARKED, ...mark };
    for (const cell of cells) if (cell.nodes) dress(cell);
    const count = Object.keys(marks).length;
    $("k-said").textContent = `Read ${count} ${count === 1 ? "mark" : "marks"}.`;
  } catch (error) {
    $("k-said").textContent = `This selection cannot be read: ${error instanceof Error ? error.message : error}`;
  }
}

/** @type {Record<string, () => void>} */
const KEEP_ACTIONS = {
  star: () => keeper.star(meant(), 1),
  reject: () => keeper.star(meant(), -1),
  tag: () => askTags(meant()),
  note: () => askNote(meant()),
  keep: openKeep,
  stars: () => {
    for (const cell of cells) setChosen(cell, markOf(cell).star > 0);
    showChosen();
    keepBox.close();
  },
  export: exportKept,
  sheet: makeSheet,
  winner: crownChosen,
  save: saveSelection,
  done: () => keepBox.close(),
  asked: answerAsked,
  unasked: () => askBox.close(),
};

function listenToKeeping() {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-keep]");
    if (button) KEEP_ACTIONS[/** @type {HTMLElement} */ (button).dataset.keep ?? ""]?.();
  });
  for (const box of [askBox, keepBox]) box.addEventListener("keydown", (event) => event.stopPropagation());
  askText.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    answerAsked();
  });
  $("k-paper").append(...PAPERS.map((paper) => make("option", { value: paper, textContent: paper })));
  const file = /** @type {HTMLInputElement} */ ($("k-file"));
  file.addEventListener("change", () => readSelection(file.files?.[0]));
}
