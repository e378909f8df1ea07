// Keys, pointers and buttons, of the grid and of the viewer; then the page is built.

// ---- the grid

const holdAll = holdable(() => setPass(otherPass(state.view.pass)));
const holdOne = holdable(() => turn(state.at));

/** @type {Record<string, [dx: number, dy: number]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {KeyboardEvent} event */
function gridKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof Element)) return;
  if (event.target.closest("input, select, textarea")) {
    inputKey(event);
    return;
  }
  const move = MOVES[event.key];
  const cell = event.target.closest(".tile") && state.at;
  if (event.key === "/") {
    event.preventDefault();
    filterInput.focus();
  } else if (event.key === "?") shortcuts.showModal();
  else if (event.key === "B" && !event.repeat) holdOne.down();
  else if (event.key === "b" && !event.repeat && data.hasBefore) holdAll.down();
  else if (cell && move) {
    event.preventDefault();
    go(neighbourOf(grid.places, cell, ...move));
  } else if (cell && event.key === " ") {
    event.preventDefault(); // Enter opens
    choose(cell, event.shiftKey);
  } else gridAct(event, cell || null);
}

/** Keys that mean the same wherever the focus is. @param {KeyboardEvent} event @param {Cell | null} cell that has it */
function gridAct(event, cell) {
  const { key } = event;
  if (key === "a") axesPanel.toggle();
  else if (key === "r") axesPanel.nextOrder("rows");
  else if (key === "R") axesPanel.nextOrder("columns");
  else if (key === "c") compareCells(chosen());
  else if (key === "l" && cell) openStrip(cell);
  else if (key === "Escape") chooseNone();
  else if (keepKey(key)) event.preventDefault();
}

/** @param {Cell | null} cell */
function go(cell) {
  if (!cell) return;
  grid.reach(cell);
  cell.nodes?.button.focus({ preventScroll: true });
}

/** @param {KeyboardEvent} event */
function inputKey(event) {
  if (event.key !== "Escape" || event.target !== filterInput) return;
  clearFilter();
  filterInput.blur();
}

function clearFilter() {
  filterInput.value = "";
  state.view.filter = "";
  filter();
  keepView();
}

function listenToGrid() {
  filterInput.value = state.view.filter;
  sizeInput.addEventListener("input", () => {
    setSize(Number(sizeInput.value));
    grid.measure();
    grid.clear();
    grid.draw();
    keepView();
  });
  filterInput.addEventListener("input", () => {
    state.view.filter = filterInput.value;
    filter();
    keepView();
  });
  $("arrange").addEventListener("click", () => axesPanel.toggle());
  $("c-none").addEventListener("click", chooseNone);
  $("c-compare").addEventListener("click", () => compareCells(chosen()));
  $("troubles").addEventListener("toggle", () => tellTroubles());
  $("clear").addEventListener("click", () => {
    clearFilter();
    filterInput.focus();
  });
  $("help").addEventListener("click", () => shortcuts.showModal());
  $("k-close").addEventListener("click", () => shortcuts.close());
  shortcuts.addEventListener("keydown", (event) => event.stopPropagation());
  for (const button of buttonsIn("passes")) {
    button.addEventListener("click", () => setPass(/** @type {Pass} */ (button.dataset.pass)));
  }
  document.addEventListener("keydown", gridKey);
  document.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() !== "b") return;
    holdAll.up();
    holdOne.up();
  });
}

/** Lengths that the style sheet cannot know. */
function measure() {
  const root = document.documentElement;
  const bar = /** @type {HTMLElement} */ (document.querySelector(".bar"));
  root.style.setProperty("--bar", `${bar.offsetHeight}px`);
  if (!root.classList.contains("viewing")) root.style.setProperty("--view", `${root.clientWidth}px`);
}

// ---- the viewer

/** @type {Record<string, () => unknown>} */
const ACTIONS = {
  left: () => viewer.step(-1, 0),
  right: () => viewer.step(1, 0),
  up: () => viewer.step(0, -1),
  down: () => viewer.step(0, 1),
  fit: () => viewer.fit(),
  full: () => viewer.full(),
  closer: () => viewer.zoom(STEP),
  farther: () => viewer.zoom(1 / STEP),
  face: () => viewer.nextFace(),
  boxes: () => viewer.toggle("boxes", viewer.outlines),
  panel: () => viewer.toggle("panel", viewer.panel),
  wipe: () => viewer.wipe(),
  copy: () => viewer.copy(),
  passes: () => viewer.leave(comparePasses),
  strip: () => viewer.leave(openStrip),
  help: () => shortcuts.showModal(),
  close: () => viewer.box.close(),
};

/** @type {Record<string, string>} */
const KEYS = {
  ...LOOKING_KEYS,
  w: "wipe",
  o: "boxes",
  i: "panel",
  c: "copy",
  d: "passes",
  l: "strip",
  "?": "help",
};

const peek = holdable(() => viewer.change());

/** @param {KeyboardEvent} event */
function viewerKey(event) {
  event.stopPropagation();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "b") {
    if (!event.repeat) peek.down();
    return;
  }
  if (event.target === $("p-text") && /^Arrow(Up|Down)$/.test(key)) return; // they scroll it
  const act = ACTIONS[KEYS[key] ?? ""];
  if (!act) {
    if (key !== "e" && keepKey(key)) event.preventDefault();
    return;
  }
  event.preventDefault();
  act();
}

/** @param {Event} event */
function viewerClick(event) {
  const button = event.target instanceof Element && event.target.closest("button");
  if (!button) return;
  const { do: act, show, send } = button.dataset;
  if (act) ACTIONS[act]?.();
  if (show) viewer.show(/** @type {Show} */ (show));
  if (send) viewer.send(send);
}

function listenToViewer() {
  const { box, handle } = viewer;
  box.addEventListener("keydown", viewerKey);
  box.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() === "b") peek.up();
  });
  box.addEventListener("click", viewerClick);
  box.addEventListener("close", () => viewer.closed());
  handle.addEventListener("keydown", (event) => wipeBy(event, viewer));
  followPointers(viewer.stage, handle, viewer, () => viewer.stage);
}

// ---- the page

function follow() {
  addEventListener("message", (event) => {
    const isTold = embedded && event.source === parent && event.origin === location.origin;
    if (isTold && event.data?.ohwx === "data") update(event.data.data);
  });
  store.listeners.push((changed) => {
    for (const cell of changed) {
      if (cell.nodes) dress(cell);
      viewer.renew(cell);
    }
  });
  addEventListener("scroll", () => grid.wish(), { passive: true });
  addEventListener("resize", () => {
    measure();
    setSize(state.view.size);
    grid.show(null);
    filter();
  });
  addEventListener("hashchange", () => {
    state.view = viewIn(location.hash.slice(1), data);
    filterInput.value = state.view.filter;
    setPass(state.view.pass);
    arrange();
  });
  new ResizeObserver(measure).observe(/** @type {HTMLElement} */ (document.querySelector(".bar")));
  measure();
}

function start() {
  const themes = location.hash.slice(1).split("&");
  for (const theme of ["dark", "light"]) document.documentElement.classList.toggle(theme, themes.includes(theme));
  const theme = themes.find((name) => name === "dark" || name === "light");
  if (theme) told($("vote"), { href: `votes/index.html#${theme}` });
  if (embedded) settleIn();
  buildTop();
  measure();
  grid.arrangement = planned(); // its columns share the width
  setSize(state.view.size);
  arrange();
  setPass(state.view.pass);
  listenToGrid();
  listenToViewer();
  listenToComparison();
  listenToKeeping();
  follow();
  poll();
}

start();
