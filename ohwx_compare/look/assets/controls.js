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
  } else if (event.key === "a") axesPanel.toggle();
  else if (event.key === "Escape") chooseNone();
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
  help: () => shortcuts.showModal(),
  close: () => viewer.box.close(),
};

/** @type {Record<string, string>} */
const KEYS = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  0: "fit",
  1: "full",
  "+": "closer",
  "=": "closer",
  "-": "farther",
  f: "face",
  w: "wipe",
  o: "boxes",
  i: "panel",
  c: "copy",
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
  if (!act) return;
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

/** @param {KeyboardEvent} event */
function wipeKey(event) {
  const part = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01 }[event.key];
  const far = { PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
  const by = part ?? far;
  if (by === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  viewer.setWipe(viewer.wipeAt + by * (event.shiftKey ? 5 : 1));
}

/** On the handle a pointer wipes; on the stage one pans and two pinch. */
function followPointers() {
  const { stage, handle } = viewer;
  /** @type {Map<number, Place>} */
  const down = new Map();
  /** @type {number | null} */
  let wiping = null;

  /** px of the stage @param {MouseEvent} event @returns {Place} */
  const at = (event) => {
    const { left, top } = stage.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };

  /** @param {PointerEvent} event */
  function pressed(event) {
    if (event.button) return;
    stage.setPointerCapture(event.pointerId);
    if (event.target === handle) {
      wiping = event.pointerId;
      handle.focus();
      return;
    }
    down.set(event.pointerId, at(event));
    stage.classList.add("moving");
  }

  /** @param {PointerEvent} event */
  function moved(event) {
    const now = at(event);
    if (event.pointerId === wiping) viewer.setWipe(now.x / stage.clientWidth);
    const old = down.get(event.pointerId);
    if (event.pointerId === wiping || !old) return;
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    down.set(event.pointerId, now);
    const part = other ? 0.5 : 1;
    const by = { x: (now.x - old.x) * part, y: (now.y - old.y) * part };
    if (by.x || by.y) viewer.pan(by);
    if (other) pinch(old, now, other);
  }

  /** @param {PointerEvent} event */
  function released(event) {
    if (event.pointerId === wiping) wiping = null;
    down.delete(event.pointerId);
    if (!down.size) stage.classList.remove("moving");
  }

  stage.addEventListener("pointerdown", pressed);
  stage.addEventListener("pointermove", moved);
  stage.addEventListener("pointerup", released);
  stage.addEventListener("pointercancel", released);
  stage.addEventListener("dblclick", (event) => viewer.near(at(event)));
  /** @param {WheelEvent} event */
  const wheel = (event) => {
    event.preventDefault();
    const unit = event.deltaMode ? 30 : 1; // px a line
    viewer.zoom(Math.exp(-event.deltaY * unit * 0.0016), at(event));
  };
  stage.addEventListener("wheel", wheel, { passive: false });
}

/** Two fingers: nearer as they part. @param {Place} old @param {Place} now @param {Place} other */
function pinch(old, now, other) {
  /** @param {Place} place */
  const apart = (place) => Math.hypot(place.x - other.x, place.y - other.y) || 1;
  viewer.zoom(apart(now) / apart(old), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
}

function listenToViewer() {
  const { box, handle } = viewer;
  box.addEventListener("keydown", viewerKey);
  box.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() === "b") peek.up();
  });
  box.addEventListener("click", viewerClick);
  box.addEventListener("close", () => viewer.closed());
  handle.addEventListener("keydown", wipeKey);
  followPointers();
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
  if (embedded) document.documentElement.classList.add("embedded");
  for (const theme of ["dark", "light"]) document.documentElement.classList.toggle(theme, themes.includes(theme));
  buildTop();
  measure();
  grid.arrange(arranged(data.axes, state.view.roles, state.view.hidden));
  setSize(state.view.size);
  arrange();
  setPass(state.view.pass);
  listenToGrid();
  listenToViewer();
  follow();
  poll();
}

start();
