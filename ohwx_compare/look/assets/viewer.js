// One picture at full size. The view (zoom and centre) is kept in parts of the picture, so it stays while stepping.
const viewer = (() => {
  const box = $("viewer"), stage = $("stage"), layer = $("layer"), handle = $("wipe");
  const images = { before: $("v-before"), after: $("v-after") };
  let cell = null, show = "after", wipeAt = 0.5, face = -1; // face: the box zoomed to, -1 none
  let view = { zoom: 1, x: 0.5, y: 0.5 }; // zoom 1 fits the stage

  const fitScale = () => Math.min(stage.clientWidth / cell.width, stage.clientHeight / cell.height) || 1;
  const scale = () => fitScale() * view.zoom;
  const can = (pass) => Boolean(pass === "before" ? cell.before : pass === "after" ? cell.image : cell.before && cell.image);
  // What is really seen: the wish, where the cell has it.
  const seen = () => (can(show) ? show : can("after") ? "after" : can("before") ? "before" : "none");

  function apply() {
    if (!cell) return;
    const k = scale(), left = stage.clientWidth / 2 - view.x * cell.width * k, top = stage.clientHeight / 2 - view.y * cell.height * k;
    layer.style.transform = `translate(${left}px, ${top}px) scale(${k})`;
    layer.style.width = `${cell.width}px`;
    layer.style.height = `${cell.height}px`;
    layer.classList.toggle("near", k * devicePixelRatio >= 3);
    const now = seen(), cut = (wipeAt * stage.clientWidth - left) / k;
    images.before.hidden = now === "after" || now === "none";
    images.after.hidden = now === "before" || now === "none";
    images.after.style.clipPath = now === "wipe" ? `inset(0 0 0 ${Math.min(Math.max(cut, 0), cell.width)}px)` : "none";
    handle.hidden = now !== "wipe";
    handle.style.left = `${wipeAt * 100}%`;
    handle.setAttribute("aria-valuenow", String(Math.round(wipeAt * 100)));
    handle.setAttribute("aria-valuetext", `${Math.round(wipeAt * 100)} % before`);
    $("tag-left").textContent = now === "after" || now === "none" || !can("wipe") ? "" : "before";
    $("tag-right").textContent = now === "before" || now === "none" || !can("wipe") ? "" : "after";
    for (const button of $("v-passes").children) {
      button.setAttribute("aria-pressed", String(button.dataset.show === now));
      button.disabled = !can(button.dataset.show);
    }
    box.querySelector("[data-do=face]").setAttribute("aria-pressed", String(face >= 0));
    box.querySelector("[data-do=face]").disabled = !cell.faces.length;
    box.querySelector("[data-do=boxes]").disabled = !cell.faces.length;
  }

  function setImage(image, href, thumb, alt) {
    image.alt = alt;
    image.style.backgroundImage = thumb ? `url("${thumb}")` : "none"; // seen until the file is read
    if (!href) image.removeAttribute("src");
    else if (image.getAttribute("src") !== href) image.src = href;
  }

  function put(next) {
    cell = next;
    setImage(images.after, cell.image, cell.thumb, `${cell.label}: ${cell.words}`);
    setImage(images.before, cell.before, cell.beforeThumb, `${cell.label}, before the face pass`);
    const [name, place] = $("v-title").children;
    name.textContent = cell.columnLabel;
    place.textContent = cell.rowLabel;
    $("v-none").textContent = cell.image || cell.before ? "" : cell.words;
    const svg = $("v-faces");
    svg.setAttribute("viewBox", `0 0 ${cell.width} ${cell.height}`);
    svg.replaceChildren(...cell.faces.map((found) => {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const [x1, y1, x2, y2] = found.box;
      for (const [key, value] of Object.entries({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 })) rect.setAttribute(key, value);
      return rect;
    }));
    details();
    if (face >= 0 && cell.faces.length) zoomToFace(Math.min(face, cell.faces.length - 1));
    else apply();
    for (const near of [neighbour(cell, 1, 0), neighbour(cell, 0, 1)]) if (near && near.image) new Image().src = near.image;
  }

  function details() {
    $("p-words").textContent = cell.words;
    $("p-words").className = `words ${cell.tone}`;
    const column = data.columns[cell.column];
    const rows = [["Row", cell.rowLabel], ["Checkpoint", cell.checkpoint], ["sha256", cell.hash, "hash"], ["Size", `${cell.width} × ${cell.height} px`]];
    if (cell.seconds !== null) rows.push(["Drawn in", `${cell.seconds.toFixed(cell.seconds < 10 ? 2 : 0)} s`]);
    if (!column.hash) rows.unshift(["Column", column.label]);
    for (const note of cell.notes) rows.push(["Note", note]);
    const facts = $("p-facts");
    facts.replaceChildren();
    for (const [what, value, kind] of rows) if (value) facts.append(make("dt", { textContent: what }), make("dd", { textContent: value, className: kind || "" }));
    const links = [["after", cell.image], ["before", cell.before]].filter(([, href]) => href);
    if (links.length) {
      const line = make("dd");
      links.forEach(([name, href], i) => line.append(i ? " · " : "", make("a", { href, textContent: links.length > 1 ? name : "picture", target: "_blank", rel: "noopener" })));
      facts.append(make("dt", { textContent: "Files" }), line);
    }
    $("p-text").textContent = cell.infotext || "(none)";
    $("send").hidden = !embedded || seen() === "none";
    $("copy").disabled = !cell.infotext;
    $("copy").textContent = "Copy";
  }

  function zoomToFace(number) {
    face = number;
    const [x1, y1, x2, y2] = cell.faces[number].box;
    view.x = (x1 + x2) / 2 / cell.width;
    view.y = (y1 + y2) / 2 / cell.height;
    const wanted = 0.6 * Math.min(stage.clientWidth / Math.max(x2 - x1, 1), stage.clientHeight / Math.max(y2 - y1, 1));
    view.zoom = Math.max(wanted / fitScale(), 0.2);
    apply();
  }

  function free(change) {
    face = -1;
    change();
    view.zoom = Math.min(Math.max(view.zoom, 0.2), 64 / fitScale());
    view.x = Math.min(Math.max(view.x, 0), 1);
    view.y = Math.min(Math.max(view.y, 0), 1);
    apply();
  }

  // Zoom by a factor, the point (px of the stage) staying where it is.
  function zoomAt(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    free(() => {
      const from = scale();
      view.zoom = Math.min(Math.max(view.zoom * factor, 0.2), 64 / fitScale());
      const shift = 1 / from - 1 / scale();
      view.x += ((x - stage.clientWidth / 2) * shift) / cell.width;
      view.y += ((y - stage.clientHeight / 2) * shift) / cell.height;
    });
  }

  const fit = () => free(() => { view = { zoom: 1, x: 0.5, y: 0.5 }; });
  const full = () => free(() => { view.zoom = 1 / devicePixelRatio / fitScale(); });
  function step(dx, dy) { const next = neighbour(cell, dx, dy); if (next) put(next); }
  function setShow(wish) { if (can(wish)) { show = wish; apply(); } }
  function change() { const now = seen(); setShow(now === "before" ? "after" : "before"); }
  function setWipe(part) { wipeAt = Math.min(Math.max(part, 0), 1); apply(); }

  async function copy() {
    if (!cell.infotext) return;
    try {
      await navigator.clipboard.writeText(cell.infotext);
    } catch {
      const range = document.createRange(); // no clipboard here: select it, and try the old way
      range.selectNodeContents($("p-text"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (!document.execCommand("copy")) { $("copy").textContent = "Press Ctrl C"; return; }
    }
    $("copy").textContent = "Copied";
  }

  const tell = (message) => { if (embedded) parent.postMessage(message, location.origin); };

  // To a tab of the webui: the picture that is seen, with the infotext.
  function send(to) {
    tell({ ohwx: "send", to, image: decodeURIComponent(seen() === "before" ? cell.before : cell.image), infotext: cell.infotext || "" });
    box.close();
  }

  const actions = {
    left: () => step(-1, 0), right: () => step(1, 0), up: () => step(0, -1), down: () => step(0, 1),
    fit, full, copy, closer: () => zoomAt(1.25), farther: () => zoomAt(0.8),
    face() {
      if (!cell.faces.length) return;
      if (face + 1 < cell.faces.length) zoomToFace(face + 1); else fit();
    },
    boxes: () => toggle("boxes", $("v-faces")),
    panel: () => { toggle("panel", $("panel")); apply(); },
    wipe: () => setShow(seen() === "wipe" ? "after" : "wipe"),
    help: () => $("keys").showModal(),
    close: () => box.close(),
  };
  function toggle(name, node) {
    const off = !node.hasAttribute("hidden");
    node.toggleAttribute("hidden", off);
    box.querySelector(`[data-do=${name}]`).setAttribute("aria-pressed", String(!off));
  }

  const keys = {
    ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", 0: "fit", 1: "full", "+": "closer", "=": "closer",
    "-": "farther", f: "face", w: "wipe", o: "boxes", i: "panel", c: "copy", "?": "help",
  };
  const peek = holdable(change);

  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "b") { if (!event.repeat) peek.down(); return; }
    if (event.target === $("p-text") && /^Arrow(Up|Down)$/.test(key)) return;
    if (keys[key]) { event.preventDefault(); actions[keys[key]](); }
  });
  box.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "b") peek.up(); });
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.do) actions[button.dataset.do]();
    else if (button.dataset.show) setShow(button.dataset.show);
    else if (button.dataset.send) send(button.dataset.send);
    else if (button.id === "copy") copy();
  });
  box.addEventListener("close", () => { tell({ ohwx: "full", on: false }); if (!cell.hidden) cell.button.focus(); });

  handle.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setWipe(wipeAt + by * (event.shiftKey ? 5 : 1));
  });

  // Pointers: on the handle they wipe; one on the stage pans, two pinch.
  const down = new Map();
  let wiping = null;
  const at = (event) => { const r = stage.getBoundingClientRect(); return { x: event.clientX - r.left, y: event.clientY - r.top }; };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    stage.setPointerCapture(event.pointerId);
    if (event.target === handle) { wiping = event.pointerId; handle.focus(); }
    else { down.set(event.pointerId, at(event)); stage.classList.add("moving"); }
  });
  stage.addEventListener("pointermove", (event) => {
    const now = at(event);
    if (event.pointerId === wiping) { setWipe(now.x / stage.clientWidth); return; }
    const old = down.get(event.pointerId);
    if (!old) return;
    const other = [...down].find(([id]) => id !== event.pointerId);
    down.set(event.pointerId, now);
    const part = other ? 0.5 : 1;
    const moved = { x: (now.x - old.x) * part, y: (now.y - old.y) * part };
    if (moved.x || moved.y) free(() => { view.x -= moved.x / scale() / cell.width; view.y -= moved.y / scale() / cell.height; });
    if (other) {
      const apart = (p) => Math.hypot(p.x - other[1].x, p.y - other[1].y) || 1;
      zoomAt(apart(now) / apart(old), (now.x + other[1].x) / 2, (now.y + other[1].y) / 2);
    }
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => {
    if (event.pointerId === wiping) wiping = null;
    down.delete(event.pointerId);
    if (!down.size) stage.classList.remove("moving");
  });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const p = at(event), unit = event.deltaMode ? 30 : 1;
    zoomAt(Math.exp(-event.deltaY * unit * 0.0016), p.x, p.y);
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => {
    const p = at(event);
    if (Math.abs(view.zoom - 1) > 0.01) fit(); else zoomAt(Math.max(1 / devicePixelRatio / fitScale(), 2), p.x, p.y);
  });
  for (const image of Object.values(images)) image.addEventListener("error", () => {
    if (image.getAttribute("src")) $("v-none").textContent = `Picture missing: ${decodeURIComponent(image.getAttribute("src"))}`;
  });
  new ResizeObserver(() => (face >= 0 && cell ? zoomToFace(face) : apply())).observe(stage);
  $("v-faces").toggleAttribute("hidden", true);

  return {
    open(next) {
      show = shownPass(next);
      face = -1;
      view = { zoom: 1, x: 0.5, y: 0.5 };
      tell({ ohwx: "full", on: true });
      box.showModal();
      stage.focus();
      put(next);
    },
    renew(changed) { if (box.open && changed === cell) put(cell); },
  };
})();

if (embedded) document.documentElement.classList.add("embedded", ...location.hash === "#dark" ? ["dark"] : location.hash === "#light" ? ["light"] : []);
buildHead();
for (const group of data.groups) buildGroup(group);
buildTop();
filter();
setPass("after");
$("size").value = defaultSize();
setSize($("size").value);

$("size").addEventListener("input", () => setSize($("size").value));
$("filter").addEventListener("input", filter);
$("clear").addEventListener("click", () => { $("filter").value = ""; filter(); $("filter").focus(); });
$("help").addEventListener("click", () => $("keys").showModal());
$("k-close").addEventListener("click", () => $("keys").close());
$("keys").addEventListener("keydown", (event) => event.stopPropagation());
$("passes").addEventListener("click", (event) => { if (event.target.dataset.pass) setPass(event.target.dataset.pass); });
document.addEventListener("keydown", gridKey);
addEventListener("message", (event) => {
  if (embedded && event.source === parent && event.origin === location.origin && event.data?.ohwx === "data") update(event.data.data);
});
document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "b") { allKey.up(); oneKey.up(); } });
new ResizeObserver(() => {
  const root = document.documentElement;
  root.style.setProperty("--bar", `${document.querySelector(".bar").offsetHeight}px`);
  root.style.setProperty("--view", `${root.clientWidth}px`);
}).observe(document.querySelector(".bar"));
addEventListener("resize", () => document.documentElement.style.setProperty("--view", `${document.documentElement.clientWidth}px`));
document.documentElement.style.setProperty("--view", `${document.documentElement.clientWidth}px`);
