// Pointers and keys over pictures: on the handle one wipes; on the stage one pans and two pinch; the wheel zooms.

/**
 * @typedef {object} Pointed what pointers move
 * @property {(by: Place) => void} pan px
 * @property {(factor: number, point: Place) => void} zoom
 * @property {(point: Place) => void} near
 * @property {(part: number) => void} setWipe 0..1
 */

/** What keys do wherever pictures are looked at. @type {Record<string, string>} */
const LOOKING_KEYS = {
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
};

/**
 * @param {HTMLElement} stage
 * @param {HTMLElement} handle of the wipe
 * @param {Pointed} target
 * @param {(event: MouseEvent) => Element} paneOf whose px are meant
 */
function followPointers(stage, handle, target, paneOf) {
  /** @type {Map<number, Place>} */
  const down = new Map();
  /** @type {number | null} */
  let wiping = null;

  /** px of the pane @param {MouseEvent} event @returns {Place} */
  const at = (event) => {
    const { left, top } = paneOf(event).getBoundingClientRect();
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
    if (event.pointerId === wiping) target.setWipe(now.x / stage.clientWidth);
    const old = down.get(event.pointerId);
    if (event.pointerId === wiping || !old) return;
    const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
    down.set(event.pointerId, now);
    const part = other ? 0.5 : 1;
    const by = { x: (now.x - old.x) * part, y: (now.y - old.y) * part };
    if (by.x || by.y) target.pan(by);
    if (other) pinch(target, old, now, other);
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
  stage.addEventListener("dblclick", (event) => target.near(at(event)));
  /** @param {WheelEvent} event */
  const wheel = (event) => {
    event.preventDefault();
    const unit = event.deltaMode ? 30 : 1; // px a line
    target.zoom(Math.exp(-event.deltaY * unit * 0.0016), at(event));
  };
  stage.addEventListener("wheel", wheel, { passive: false });
}

/**
 * Two fingers: nearer as they part.
 *
 * @param {Pointed} target
 * @param {Place} old
 * @param {Place} now
 * @param {Place} other
 */
function pinch(target, old, now, other) {
  /** @param {Place} place */
  const apart = (place) => Math.hypot(place.x - other.x, place.y - other.y) || 1;
  target.zoom(apart(now) / apart(old), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
}

