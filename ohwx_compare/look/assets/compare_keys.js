// Keys and buttons of the comparison.

/** @type {Record<string, (event: KeyboardEvent | MouseEvent) => unknown>} */
const COMPARE_ACTIONS = {
  left: (event) => comparison.step(-1, 0, event.shiftKey),
  right: (event) => comparison.step(1, 0, event.shiftKey),
  up: (event) => comparison.step(0, -1, event.shiftKey),
  down: (event) => comparison.step(0, 1, event.shiftKey),
  fit: () => comparison.fit(),
  full: () => comparison.full(),
  closer: () => comparison.zoom(STEP),
  farther: () => comparison.zoom(1 / STEP),
  face: () => comparison.face(),
  passes: () => comparison.passes(),
  panel: () => toggleDifferences(),
  help: () => shortcuts.showModal(),
  close: () => comparison.box.close(),
};

/** @type {Record<string, string>} */
const COMPARE_KEYS = {
  ...LOOKING_KEYS,
  p: "passes",
  i: "panel",
  "?": "help",
};

/** @type {Record<string, Mode>} */
const MODES = { s: "side", w: "wipe", o: "onion", d: "difference", b: "blink" };

const swapping = holdable(() => comparison.swap());

/** @param {KeyboardEvent} event */
function compareKey(event) {
  event.stopPropagation();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === comparison.slider) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isButton = event.target instanceof Element && event.target.closest("button");
  if (key === " " && !isButton) {
    event.preventDefault();
    if (!event.repeat) swapping.down();
    return;
  }
  const mode = MODES[key];
  const act = COMPARE_ACTIONS[COMPARE_KEYS[key] ?? ""];
  if (!mode && !act) return;
  event.preventDefault();
  if (mode) changeMode(mode);
  else act?.(event);
}

/** A mode's key again goes back to side by side; where motion is unwanted, B shows the other one. @param {Mode} mode */
function changeMode(mode) {
  if (mode !== comparison.mode) comparison.show(mode);
  else if (mode === "blink" && !comparison.timer) comparison.blink();
  else comparison.show("side");
}

function toggleDifferences() {
  const isOff = $("m-panel").toggleAttribute("hidden");
  $("m-details").setAttribute("aria-pressed", String(!isOff));
  comparison.apply();
  if (!isOff) comparison.tellDifferences();
}

/** @param {MouseEvent} event */
function compareClick(event) {
  const button = event.target instanceof Element && event.target.closest("button");
  if (!button) return;
  const { mode, do: act } = button.dataset;
  if (mode) comparison.show(/** @type {Mode} */ (mode));
  if (act) COMPARE_ACTIONS[act]?.(event);
}

/**
 * The keys of a wipe's handle.
 *
 * @param {KeyboardEvent} event
 * @param {{ wipeAt: number, setWipe: (part: number) => void }} target
 */
function wipeBy(event, target) {
  const part = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01 }[event.key];
  const far = { PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
  const by = part ?? far;
  if (by === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  target.setWipe(target.wipeAt + by * (event.shiftKey ? 5 : 1));
}

function listenToComparison() {
  const { box, handle, stage, slider } = comparison;
  box.addEventListener("keydown", compareKey);
  box.addEventListener("keyup", (event) => {
    if (event.key === " ") swapping.up();
  });
  box.addEventListener("click", compareClick);
  box.addEventListener("close", () => comparison.closed());
  slider.addEventListener("input", () => comparison.apply());
  handle.addEventListener("keydown", (event) => wipeBy(event, comparison));
  followPointers(stage, handle, comparison, (event) => {
    const under = document.elementFromPoint(event.clientX, event.clientY);
    return under?.closest("#m-stage .pane") ?? comparison.panes[0]?.node ?? stage;
  });
}
