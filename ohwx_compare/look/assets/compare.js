// Several pictures under one zoom: side by side, wiped, through each other, their difference, in turn, a filmstrip.

/** @typedef {"side" | "wipe" | "onion" | "difference" | "blink"} Mode */
/** @typedef {{ cell: Cell, pass: Pass, note: string }} Shot a picture that is compared */
/** @typedef {{ node: HTMLElement, layer: HTMLElement, tag: HTMLElement, images: HTMLImageElement[],
 *   shots: Shot[] }} Pane */

const BLINK = 600; // ms that each is seen
/** @type {View} */
const WHOLE = { zoom: 1, x: 0.5, y: 0.5 };

class Comparison {
  constructor() {
    this.box = /** @type {HTMLDialogElement} */ ($("compare"));
    this.stage = $("m-stage");
    this.handle = $("m-wipe");
    this.slider = /** @type {HTMLInputElement} */ ($("m-amount"));
    /** @type {Shot[]} */
    this.shots = [];
    /** @type {(Shot | null)[][] | null} */
    this.strips = null;
    /** @type {Mode} */
    this.mode = "side";
    this.pair = [0, 1]; // which two, where two are seen
    this.wipeAt = 0.5;
    /** @type {View} */
    this.view = WHOLE;
    /** @type {View[] | null} */
    this.offsets = null; // of each shot, while the faces are seen
    /** @type {Pane[]} */
    this.panes = [];
    this.timer = 0;
    new ResizeObserver(() => this.resized()).observe(this.stage);
  }

  /** @param {Shot[]} shots two at least @param {(Shot | null)[][] | null} [strips] rows of a filmstrip */
  open(shots, strips = null) {
    Object.assign(this, { shots, strips, pair: [0, 1], view: WHOLE, offsets: null });
    tell({ ohwx: "full", on: true });
    document.documentElement.classList.add("viewing");
    if (!this.box.open) this.box.showModal();
    this.stage.focus();
    this.show("side");
    const numbers = shots.map(({ cell }) => cell.number);
    Promise.all(numbers.map((number) => store.want("cells", number))).then(() => this.build(), complain);
  }

  closed() {
    clearInterval(this.timer);
    tell({ ohwx: "full", on: false });
    document.documentElement.classList.remove("viewing");
    const cell = this.shots[this.pair[0] ?? 0]?.cell;
    if (!cell || cell.hidden) return;
    grid.reach(cell);
    cell.nodes?.button.focus();
  }

  /** The two that are laid over each other. @returns {[Shot, Shot]} */
  get two() {
    const [first = 0, second = 1] = this.pair;
    return /** @type {[Shot, Shot]} */ ([this.shots[first], this.shots[second]]);
  }

  /** @param {Mode} mode */
  show(mode) {
    this.mode = mode;
    for (const button of buttonsIn("m-modes")) told(button, { "aria-pressed": String(button.dataset.mode === mode) });
    clearInterval(this.timer);
    this.build();
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (mode === "blink" && !isCalm) this.timer = setInterval(() => this.blink(), BLINK);
  }

  /** Change which of the two is seen. */
  blink() {
    const [, above] = this.panes[0]?.images ?? [];
    if (above) above.hidden = !above.hidden;
    this.tellTags();
  }

  // ---- nodes

  build() {
    this.stage.replaceChildren(this.handle);
    this.panes = [];
    if (this.mode === "side") for (const row of this.strips ?? [this.shots]) this.buildRow(row);
    else this.pane(this.two);
    const wide = this.strips?.[0]?.length ?? paneColumns(this.shots.length, this.ratio);
    const columns = this.mode === "side" ? wide : 1;
    this.stage.style.gridTemplateColumns = `repeat(${columns}, minmax(${this.strips ? "9rem" : "0"}, 1fr))`;
    this.stage.dataset.mode = this.mode;
    this.handle.hidden = this.mode !== "wipe";
    /** @type {HTMLElement} */ (this.slider.parentElement).hidden = this.mode !== "onion";
    this.buildTitle();
    this.apply();
    if (!$("m-panel").hidden) this.tellDifferences();
  }

  get ratio() {
    return this.stage.clientWidth / Math.max(this.stage.clientHeight, 1);
  }

  /** @param {(Shot | null)[]} row */
  buildRow(row) {
    for (const shot of row) {
      if (shot) this.pane([shot]);
      else this.stage.append(make("div", { className: "pane empty", textContent: "–" }));
    }
  }

  /** @param {Shot[]} shots */
  pane(shots) {
    const images = shots.map((shot) => make("img", { draggable: false, alt: shotWords(shot) }));
    const layer = make("div", { className: "layer" }, ...images);
    const tag = make("span", { className: "m-tag" });
    const node = make("div", { className: "pane" }, layer);
    this.panes.push({ node, layer, tag, images, shots });
    if (this.mode === "side" && this.strips) this.stage.append(make("div", { className: "frame" }, tag, node));
    else this.stage.append(node);
    if (!tag.isConnected) node.append(tag);
  }

  /** The pictures by letters; a press makes one the second of the two. */
  buildTitle() {
    const buttons = this.strips ? [] : this.shots.map((shot, i) => this.letter(shot, i));
    const { cell } = /** @type {Shot} */ (this.shots[0]);
    const strip = [make("b", { textContent: "Filmstrip" }), make("span", { textContent: rowLabelOf(cell) })];
    $("m-title").replaceChildren(...(this.strips ? strip : buttons));
  }

  /** @param {Shot} shot @param {number} at */
  letter(shot, at) {
    const place = this.pair.indexOf(at);
    const name = make("span", { textContent: ` ${labelOf(shot.cell)}${shot.pass === "before" ? ", before" : ""}` });
    const button = make("button", { type: "button", className: "m-shot" });
    button.append(make("b", { textContent: letterOf(at) }), name);
    told(button, { "aria-pressed": String(place >= 0) });
    button.addEventListener("click", () => {
      this.pair = place === 0 ? [this.pair[1] ?? 1, at] : [this.pair[0] ?? 0, at];
      if (this.pair[0] === this.pair[1]) this.pair = [0, 1];
      this.build();
    });
    return button;
  }

  // ---- what is seen

  /** Draw the view in every pane. */
  apply() {
    for (const pane of this.panes) {
      const [shot] = pane.shots;
      if (shot) this.applyPane(pane, shot);
    }
    const percent = Math.round(this.wipeAt * 100);
    this.handle.style.left = `${this.wipeAt * 100}%`;
    told(this.handle, { "aria-valuenow": percent, "aria-valuetext": `${percent} % of ${letterOf(this.pair[0] ?? 0)}` });
    this.tellTags();
    $("m-face").setAttribute("aria-pressed", String(Boolean(this.offsets)));
  }

  /** @param {Pane} pane @param {Shot} shot */
  applyPane({ node, layer, images, shots }, shot) {
    const { cell } = shot;
    const size = { width: node.clientWidth, height: node.clientHeight };
    const { scale, left, top } = layerAt(this.viewOf(shot), size, cell);
    layer.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    Object.assign(layer.style, { width: `${cell.width}px`, height: `${cell.height}px` });
    layer.classList.toggle("near", scale * devicePixelRatio >= 3);
    const isSmall = this.shots.length > 6 && this.view.zoom < 1.05;
    for (const [i, image] of images.entries()) {
      const { image: href, thumb } = hrefsOf(/** @type {Shot} */ (shots[i]));
      setImage(image, isSmall ? thumb : href, thumb, image.alt);
    }
    const above = images[1];
    if (!above) return;
    const cut = within((this.wipeAt * size.width - left) / scale, 0, cell.width);
    above.style.clipPath = this.mode === "wipe" ? `inset(0 0 0 ${cut}px)` : "none";
    above.style.opacity = this.mode === "onion" ? String(Number(this.slider.value) / 100) : "1";
    above.style.mixBlendMode = this.mode === "difference" ? "difference" : "normal";
  }

  tellTags() {
    for (const { tag, images, shots } of this.panes) {
      const seen = shots.filter((_, i) => !images[i]?.hidden);
      const last = this.mode === "blink" ? seen.slice(-1) : seen;
      tag.replaceChildren(last.map((shot) => this.tagOf(shot)).join(this.mode === "difference" ? " − " : " | "));
    }
  }

  /** @param {Shot} shot */
  tagOf(shot) {
    return shot.note || letterOf(this.shots.indexOf(shot)) + (shot.pass === "before" ? " before" : "");
  }

  /** @param {Shot} shot */
  viewOf(shot) {
    const offset = this.offsets?.[this.shots.indexOf(shot)];
    return offset ? shiftedBy(this.view, offset) : this.view;
  }

  /** @returns {{ size: Size, picture: Cell } | null} of the first pane */
  get first() {
    const [pane] = this.panes;
    const picture = pane?.shots[0]?.cell;
    return pane && picture ? { size: { width: pane.node.clientWidth, height: pane.node.clientHeight }, picture } : null;
  }

  resized() {
    if (this.box.open) this.apply();
  }

  /** @param {View} view */
  look(view) {
    const { first } = this;
    if (!first) return;
    this.view = bounded(view, fitScale(first.size, first.picture));
    this.apply();
  }

  /** @param {number} factor @param {Place} [point] px of the pane that stays where it is; its middle without */
  zoom(factor, point) {
    const { first } = this;
    if (!first) return;
    const { width, height } = first.size;
    const middle = { x: width / 2, y: height / 2 };
    this.look(zoomedAt(this.view, factor, point ?? middle, first.size, first.picture));
  }

  /** @param {Place} by px */
  pan(by) {
    if (this.first) this.look(panned(this.view, by, this.first.size, this.first.picture));
  }

  fit() {
    this.offsets = null;
    this.look(WHOLE);
  }

  full() {
    const { first } = this;
    if (first) this.look({ ...this.view, zoom: 1 / devicePixelRatio / fitScale(first.size, first.picture) });
  }

  /** Nearer, or back where it is near. @param {Place} point px of the pane */
  near(point) {
    if (Math.abs(this.view.zoom - 1) > 0.01) this.fit();
    else this.zoom(2.5, point);
  }

  /** To the face in each of them at once, or back. */
  face() {
    const { first } = this;
    if (this.offsets || !first) {
      this.fit();
      return;
    }
    const own = this.shots.map(({ cell }) => (cell.faces[0] ? viewOfBox(cell.faces[0].box, first.size, cell) : null));
    const known = own.filter((view) => view !== null);
    if (!known.length) {
      say("No face was found in these pictures.");
      return;
    }
    const shared = known[0] ?? WHOLE;
    this.offsets = own.map((view) => offsetOf(shared, view ?? shared));
    this.look(shared);
  }

  // ---- which pictures

  /**
   * The second of the two, or the first, goes to the next column; up and down all go to the next row.
   *
   * @param {number} dx
   * @param {number} dy
   * @param {boolean} isFirst
   */
  step(dx, dy, isFirst) {
    const moving = dy ? this.shots : [this.shots[this.pair[isFirst ? 0 : 1] ?? 0]];
    const found = moving.map((shot) => shot && neighbourOf(grid.places, shot.cell, dx, dy));
    if (found.some((cell) => !cell) || (dx && this.strips)) return;
    for (const [i, shot] of moving.entries()) if (shot) shot.cell = /** @type {Cell} */ (found[i]);
    Promise.all(this.shots.map(({ cell }) => store.want("cells", cell.number))).then(() => this.build(), complain);
  }

  swap() {
    this.pair = [this.pair[1] ?? 1, this.pair[0] ?? 0];
    if (this.mode === "side") [this.shots[0], this.shots[1]] = this.two;
    if (this.mode === "side") this.pair = [0, 1];
    this.build();
  }

  /** Before or after the face pass, all of them. */
  passes() {
    const next = otherPass(this.shots[0]?.pass ?? "after");
    for (const shot of this.shots) shot.pass = passOf({ before: shot.cell.before, flipped: false }, next);
    this.build();
  }

  /** @param {number} part of the pane's width, 0..1 */
  setWipe(part) {
    this.wipeAt = within(part, 0, 1);
    this.apply();
  }

  async tellDifferences() {
    const { shots } = this;
    await Promise.all(shots.map(({ cell }) => store.want("texts", cell.number))).catch(complain);
    if (shots !== this.shots) return;
    const found = differences(shots.map(({ cell }) => parametersOf(cell.infotext ?? "")));
    const lines = found.flatMap(({ name, values }) => [
      make("dt", { textContent: name }),
      ...values.map((value, i) => make("dd", {}, make("b", { textContent: letterOf(i) }), ` ${value || "–"}`)),
    ]);
    const same = make("dd", { textContent: "All their parameters are the same." });
    $("m-table").replaceChildren(...(lines.length ? lines : [same]));
  }
}

/** @param {number} at */
const letterOf = (at) => String.fromCharCode(65 + at);

/** @param {Shot} shot */
const shotWords = ({ cell, pass }) =>
  `${labelOf(cell)}${pass === "before" ? ", before the face pass" : ""}: ${cell.words}`;

/** @param {Shot} shot */
const hrefsOf = ({ cell, pass }) =>
  pass === "before" ? { image: cell.before, thumb: cell.beforeThumb } : { image: cell.image, thumb: cell.thumb };

/** A cell as it is seen in the grid. @param {Cell} cell @returns {Shot} */
const shotOf = (cell) => ({ cell, pass: passOf(cell, state.view.pass), note: "" });

/** Compare cells, two to six. @param {Cell[]} these */
function compareCells(these) {
  if (these.length < 2 || these.length > 6) say("Choose two to six pictures to compare (Space).");
  else comparison.open(these.map(shotOf));
}

/** A cell before and after its face pass. @param {Cell} cell */
function comparePasses(cell) {
  if (!cell.before || !cell.image) return;
  comparison.open([{ ...shotOf(cell), pass: "before" }, { ...shotOf(cell), pass: "after" }]);
}

/**
 * One prompt and seed over all checkpoints: a strip for each training, saves of equal exposures above each other.
 *
 * @param {Cell} cell
 */
function openStrip(cell) {
  const at = data.axes.findIndex((axis) => axis.kind === "checkpoint");
  const values = valuesOf(cell);
  const { columns, strips } = data.filmstrip;
  const rows = strips.map(({ name, values: saves }) =>
    saves.map((save, i) => (save === null ? null : strippedShot(at, values, save, stripNote(name, columns[i], saves)))),
  );
  const wide = Math.max(...rows.map((row) => row.length));
  const even = rows.map((row) => [...row, ...Array(wide - row.length).fill(null)]);
  const shots = even.flat().filter((shot) => shot !== null);
  if (shots.length > 1) comparison.open(shots, even);
  else say("The filmstrip needs two checkpoints at least.");
}

/** @param {string} name @param {string | undefined} column @param {(number | null)[]} saves */
const stripNote = (name, column, saves) => (column && saves.length > 1 ? `${name} · ${column}` : name);

/**
 * @param {number} at the axis of the checkpoints
 * @param {readonly number[]} values of the cell
 * @param {number} save in the place of its checkpoint
 * @param {string} note
 * @returns {Shot}
 */
function strippedShot(at, values, save, note) {
  const stop = { at: new Map(values.map((value, i) => [i, i === at ? save : value])), label: "" };
  return { ...shotOf(cellOf(numberAt(data.axes, [stop]))), note };
}

const comparison = new Comparison();
