// One picture at full size, with its details.

/** @typedef {Pass | "wipe"} Show */

const STEP = 1.25; // of the zoom by a key
const SVG = "http://www.w3.org/2000/svg";

class Viewer {
  constructor() {
    this.box = /** @type {HTMLDialogElement} */ ($("viewer"));
    this.stage = $("stage");
    this.layer = $("layer");
    this.handle = $("wipe");
    this.panel = $("panel");
    this.before = /** @type {HTMLImageElement} */ ($("v-before"));
    this.after = /** @type {HTMLImageElement} */ ($("v-after"));
    this.outlines = /** @type {SVGElement} */ (/** @type {unknown} */ ($("v-faces")));
    /** @type {Cell | null} */
    this.cell = null;
    /** @type {Show} */
    this.wish = "after";
    this.wipeAt = 0.5;
    this.face = -1; // the box zoomed to, -1 none
    /** @type {View} */
    this.view = { zoom: 1, x: 0.5, y: 0.5 };
    this.outlines.toggleAttribute("hidden", true);
    for (const image of [this.before, this.after]) image.addEventListener("error", () => this.missing(image));
    new ResizeObserver(() => this.resized()).observe(this.stage);
  }

  /** @param {Cell} cell */
  open(cell) {
    this.wish = passOf(cell, state.view.pass);
    this.face = -1;
    this.view = { zoom: 1, x: 0.5, y: 0.5 };
    tell({ ohwx: "full", on: true });
    document.documentElement.classList.add("viewing"); // the page below neither scrolls nor shows its scrollbars
    this.box.showModal();
    this.stage.focus();
    this.put(cell);
  }

  closed() {
    tell({ ohwx: "full", on: false });
    document.documentElement.classList.remove("viewing");
    if (!this.cell || this.cell.hidden) return;
    grid.reach(this.cell);
    this.cell.nodes?.button.focus();
  }

  /** A cell's picture has arrived. @param {Cell} cell */
  renew(cell) {
    if (this.box.open && cell === this.cell) this.put(cell);
  }

  /** @param {Cell} cell */
  put(cell) {
    this.cell = cell;
    if (!cell.isLoaded) store.want("cells", cell.number).then(() => this.renew(cell), complain);
    setImage(this.after, cell.image, cell.thumb, `${labelOf(cell)}: ${cell.words}`);
    setImage(this.before, cell.before, cell.beforeThumb, `${labelOf(cell)}, before the face pass`);
    $("v-title").replaceChildren(make("b", {}, columnLabelOf(cell)), make("span", {}, rowLabelOf(cell)));
    $("v-none").textContent = cell.image || cell.before ? "" : cell.words;
    this.outlines.setAttribute("viewBox", `0 0 ${cell.width} ${cell.height}`);
    this.outlines.replaceChildren(...cell.faces.map(({ box }) => outline(box)));
    this.details(cell);
    if (this.face >= 0 && cell.faces.length) this.zoomToFace(Math.min(this.face, cell.faces.length - 1));
    else this.apply();
    for (const near of [neighbourOf(grid.places, cell, 1, 0), neighbourOf(grid.places, cell, 0, 1)]) {
      if (near?.image) new Image().src = near.image;
    }
  }

  /** @param {Cell} cell */
  details(cell) {
    const words = $("p-words");
    words.textContent = cell.words;
    words.className = `words ${cell.tone}`;
    const mark = markOf(cell);
    $("p-mark").textContent = [markWords(mark), mark.note].filter(Boolean).join(": ");
    $("p-facts").replaceChildren(...factsOf(cell));
    this.tellText(cell);
    $("send").hidden = !embedded || this.seen(cell) === "none";
    $("copy").textContent = "Copy";
  }

  /** The infotext is read when it can be seen. @param {Cell} cell */
  tellText(cell) {
    const isRead = cell.infotext !== undefined;
    $("p-text").textContent = isRead ? cell.infotext || "This picture has no infotext." : "Reading…";
    /** @type {HTMLButtonElement} */ ($("copy")).disabled = !cell.infotext;
    if (isRead) return;
    store.want("texts", cell.number).then(
      () => this.cell === cell && cell.infotext !== undefined && this.tellText(cell),
      (error) => ($("p-text").textContent = error.message),
    );
  }

  /** What is really seen: the wish, where the cell has it. @param {Cell} cell @returns {Show | "none"} */
  seen(cell) {
    if (has(cell, this.wish)) return this.wish;
    if (has(cell, "after")) return "after";
    return has(cell, "before") ? "before" : "none";
  }

  /** The stage's size. @returns {Size} */
  get size() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  /** Draw the view. */
  apply() {
    const cell = this.cell;
    if (!cell) return;
    const { scale, left, top } = layerAt(this.view, this.size, cell);
    const { style, classList } = this.layer;
    style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    style.width = `${cell.width}px`;
    style.height = `${cell.height}px`;
    style.setProperty("--scale", String(scale)); // outlines stay as thin as they are
    classList.toggle("near", scale * devicePixelRatio >= 3);
    this.applyPass(cell, (this.wipeAt * this.size.width - left) / scale);
    this.applyButtons(cell);
  }

  /** @param {Cell} cell @param {number} cut where the wipe stands, px of the picture */
  applyPass(cell, cut) {
    const now = this.seen(cell);
    const [isBefore, isAfter] = [now === "before" || now === "wipe", now === "after" || now === "wipe"];
    this.before.hidden = !isBefore;
    this.after.hidden = !isAfter;
    this.after.style.clipPath = now === "wipe" ? `inset(0 0 0 ${within(cut, 0, cell.width)}px)` : "none";
    const percent = String(Math.round(this.wipeAt * 100));
    this.handle.hidden = now !== "wipe";
    this.handle.style.left = `${this.wipeAt * 100}%`;
    this.handle.setAttribute("aria-valuenow", percent);
    this.handle.setAttribute("aria-valuetext", `${percent} % before`);
    $("tag-left").textContent = isBefore && has(cell, "wipe") ? "before" : "";
    $("tag-right").textContent = isAfter && has(cell, "wipe") ? "after" : "";
  }

  /** @param {Cell} cell */
  applyButtons(cell) {
    for (const button of buttonsIn("v-passes")) {
      const show = /** @type {Show} */ (button.dataset.show);
      button.setAttribute("aria-pressed", String(show === this.seen(cell)));
      button.disabled = !has(cell, show);
    }
    this.button("face").setAttribute("aria-pressed", String(this.face >= 0));
    for (const name of ["face", "boxes"]) this.button(name).disabled = !cell.faces.length;
  }

  /** @param {string} name @returns {HTMLButtonElement} */
  button(name) {
    return /** @type {HTMLButtonElement} */ (this.box.querySelector(`[data-do=${name}]`));
  }

  /** @param {HTMLImageElement} image */
  missing(image) {
    const name = image.getAttribute("src");
    if (name) $("v-none").textContent = `Picture missing: ${decodeURIComponent(name)}`;
  }

  resized() {
    if (this.cell && this.face >= 0) this.zoomToFace(this.face);
    else this.apply();
  }

  // ---- the view

  /** @param {number} number of the face */
  zoomToFace(number) {
    const found = this.cell?.faces[number];
    if (!this.cell || !found) return;
    this.face = number;
    this.view = viewOfBox(found.box, this.size, this.cell);
    this.apply();
  }

  /** A view of its own, away from any face. @param {View} view */
  look(view) {
    if (!this.cell) return;
    this.face = -1;
    this.view = bounded(view, fitScale(this.size, this.cell));
    this.apply();
  }

  /** @param {number} factor @param {Place} [point] px of the stage that stays where it is; its middle without */
  zoom(factor, point = { x: this.size.width / 2, y: this.size.height / 2 }) {
    if (this.cell) this.look(zoomedAt(this.view, factor, point, this.size, this.cell));
  }

  /** @param {Place} by px of the stage */
  pan(by) {
    if (this.cell) this.look(panned(this.view, by, this.size, this.cell));
  }

  fit() {
    this.look({ zoom: 1, x: 0.5, y: 0.5 });
  }

  /** A pixel of the picture on a pixel of the screen. */
  get fullZoom() {
    return this.cell ? 1 / devicePixelRatio / fitScale(this.size, this.cell) : 1;
  }

  full() {
    this.look({ ...this.view, zoom: this.fullZoom });
  }

  /** Nearer, or back where it is near. @param {Place} point px of the stage */
  near(point) {
    if (Math.abs(this.view.zoom - 1) > 0.01) this.fit();
    else this.zoom(Math.max(this.fullZoom, 2), point);
  }

  nextFace() {
    const count = this.cell?.faces.length ?? 0;
    if (!count) return;
    if (this.face + 1 < count) this.zoomToFace(this.face + 1);
    else this.fit();
  }

  // ---- what is shown

  /** @param {number} dx @param {number} dy */
  step(dx, dy) {
    const next = this.cell && neighbourOf(grid.places, this.cell, dx, dy);
    if (next) this.put(next);
  }

  /** @param {Show} wish */
  show(wish) {
    if (!this.cell || !has(this.cell, wish)) return;
    this.wish = wish;
    this.apply();
  }

  change() {
    if (this.cell) this.show(this.seen(this.cell) === "before" ? "after" : "before");
  }

  wipe() {
    if (this.cell) this.show(this.seen(this.cell) === "wipe" ? "after" : "wipe");
  }

  /** @param {number} part of the stage's width, 0..1 */
  setWipe(part) {
    this.wipeAt = within(part, 0, 1);
    this.apply();
  }

  /** Show or hide a part of the viewer. @param {string} name of its button @param {Element} node */
  toggle(name, node) {
    const isOff = node.toggleAttribute("hidden");
    this.button(name).setAttribute("aria-pressed", String(!isOff));
    this.apply();
  }

  /** Look at the cell in another way. @param {(cell: Cell) => void} open */
  leave(open) {
    const { cell } = this;
    if (!cell) return;
    this.box.close();
    open(cell);
  }

  // ---- what goes out

  async copy() {
    if (!this.cell?.infotext) return;
    try {
      await navigator.clipboard.writeText(this.cell.infotext);
      $("copy").textContent = "Copied";
    } catch {
      $("copy").textContent = copySelected($("p-text")) ? "Copied" : "Press Ctrl+C";
    }
  }

  /** To a tab of the webui: the picture that is seen, with the infotext. @param {string} to */
  async send(to) {
    if (!this.cell) return;
    await store.want("texts", this.cell.number).catch(complain);
    const { before, image, infotext } = this.cell;
    const name = (this.seen(this.cell) === "before" ? before : image) ?? "";
    tell({ ohwx: "send", to, image: decodeURIComponent(name), infotext: infotext || "" });
    this.box.close();
  }
}

/** Whether a cell has it. @param {CellData} cell @param {Show} show */
function has({ before, image }, show) {
  if (show === "wipe") return Boolean(before && image);
  return Boolean(show === "before" ? before : image);
}

/**
 * @param {HTMLImageElement} image
 * @param {string | null} href
 * @param {string | null} thumb seen until the file is read
 * @param {string} alt
 */
function setImage(image, href, thumb, alt) {
  image.alt = alt;
  image.style.backgroundImage = thumb ? `url("${thumb}")` : "none";
  if (!href) image.removeAttribute("src");
  else if (image.getAttribute("src") !== href) image.src = href;
}

/** @param {Box} box */
function outline([x1, y1, x2, y2]) {
  const rect = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 })) {
    rect.setAttribute(name, String(value));
  }
  return rect;
}

/** Terms and what stands behind each. @param {Cell} cell */
function factsOf(cell) {
  const values = valuesOf(cell);
  const at = data.axes.findIndex((axis) => axis.kind === "checkpoint");
  const checkpoint = data.axes[at]?.values[values[at] ?? 0];
  const seconds = cell.seconds === null ? "" : `${cell.seconds.toFixed(cell.seconds < 10 ? 2 : 0)} s`;
  /** @type {[what: string, value: string, kind?: string][]} */
  const facts = [
    ["Checkpoint", checkpoint?.name ?? ""],
    ["sha256", checkpoint?.hash ?? "", "hash"],
    ...data.axes.map((axis, i) => /** @type {[string, string]} */ ([axis.title, i === at ? "" : labelAt(i, values)])),
    ["Size", `${cell.width} × ${cell.height} px`],
    ["Generated in", seconds],
    ...Object.entries(cell.scores).map((score) => /** @type {[string, string]} */ ([score[0], score[1].toFixed(3)])),
    ...cell.notes.map((note) => /** @type {[string, string]} */ (["Note", note])),
  ];
  const known = facts.filter(([, value]) => value);
  const lines = known.flatMap(([what, value, kind = ""]) => [
    make("dt", { textContent: what }),
    make("dd", { textContent: value, className: kind }),
  ]);
  return [...lines, ...filesOf(cell)];
}

/** How the value of an axis is called. @param {number} axis @param {readonly number[]} values */
const labelAt = (axis, values) => data.axes[axis]?.values[values[axis] ?? 0]?.label ?? "";

/** Links to its files. @param {Cell} cell */
function filesOf({ image, before }) {
  const files = [
    { name: "after", href: image },
    { name: "before", href: before },
  ].filter(({ href }) => href);
  if (!files.length) return [];
  const links = files.flatMap(({ name, href }, i) => {
    const textContent = files.length > 1 ? name : "picture";
    return [i ? " · " : "", make("a", { href, textContent, target: "_blank", rel: "noopener" })];
  });
  return [make("dt", { textContent: "Files" }), make("dd", {}, ...links)];
}

/** Where there is no clipboard: select a text and try the old way. @param {Node} node */
function copySelected(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  getSelection()?.removeAllRanges();
  getSelection()?.addRange(range);
  return document.execCommand("copy");
}

const viewer = new Viewer();
