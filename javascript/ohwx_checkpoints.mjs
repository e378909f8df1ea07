// Which checkpoints: the selected ones in the order of the columns, and a list with filter and groups to select from.

/** @import { CheckpointGroup, Control, Parts, State, View } from "./ohwx_types" */

/** Names that hold each word of a filter. @param {readonly string[]} names @param {string} filter */
export function matching(names, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return names.filter((name) => words.every((word) => name.toLowerCase().includes(word)));
}

/**
 * What is selected after all of `names` are; where all of them were, after none of them is.
 *
 * @param {readonly string[]} selected
 * @param {readonly string[]} names
 */
export function toggled(selected, names) {
  const isOn = names.every((name) => selected.includes(name));
  return isOn ? selected.filter((name) => !names.includes(name)) : [...new Set([...selected, ...names])];
}

/**
 * `names` with one of them at another place.
 *
 * @param {readonly string[]} names
 * @param {string} name
 * @param {number} to
 */
export function movedTo(names, name, to) {
  const others = names.filter((one) => one !== name);
  return [...others.slice(0, to), name, ...others.slice(to)];
}

/**
 * @param {Parts} parts
 * @param {string[]} selected what it edits
 * @param {() => void} changed
 * @param {string} [id]
 * @returns {View<State>}
 */
export function checkpointPicker(parts, selected, changed, id = "ohwx") {
  const { make, button, textInput, setShown, setText } = parts;
  const empty = make("p", { className: "ohwx-grey" }, "No checkpoint is selected. Select at least one.");
  const filterWords = { type: "search", placeholder: "Filter", "aria-label": "Filter the checkpoints" };
  const filter = textInput(`${id}-checkpoint-filter`, filterWords);
  const all = button("", () => toggle(seen()), { id: `${id}-checkpoints-seen` });
  const nothing = make("p", { className: "ohwx-grey" });
  const columns = columnList(parts, { remove: (name) => toggle([name]), move, otherwise: filter });
  const groups = groupButtons(parts, toggle);
  const list = nameList(parts, (name) => toggle([name]));
  /** @type {Pick<State, "checkpoints" | "groups">} */
  let state = { checkpoints: [], groups: [] };

  const seen = () => matching(state.checkpoints, filter.value);

  /** @param {string} name @param {number} to its place among the selected */
  function move(name, to) {
    selected.splice(0, selected.length, ...movedTo(selected, name, to));
    draw();
    changed();
  }

  /** @param {readonly string[]} names */
  function toggle(names) {
    selected.splice(0, selected.length, ...toggled(selected, names));
    draw();
    changed();
  }

  function draw() {
    const names = seen();
    const isOn = names.every((name) => selected.includes(name));
    columns.show({ selected: [...selected], known: state.checkpoints });
    groups.show({ selected, groups: state.groups });
    list.show({ selected, names });
    setShown(empty, !selected.length);
    setText(all, isOn ? `Deselect all ${names.length}` : `Select all ${names.length}`);
    setShown(all, names.length > 1);
    setText(nothing, state.checkpoints.length ? "No checkpoint matches the filter." : NO_CHECKPOINT);
    setShown(nothing, !names.length);
  }

  filter.addEventListener("input", draw);
  filter.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !filter.value) return;
    filter.value = "";
    draw();
  });
  const line = make("div", { className: "ohwx-line" }, filter, all, groups.node);
  return {
    node: make("div", { className: "ohwx-picker" }, columns.node, empty, line, list.node, nothing),
    show(now) {
      state = now;
      draw();
    },
  };
}

/** A request's control as the form edits it, a copy. @param {Control | null} [asked] @returns {Control} */
export const controlForm = (asked) => ({ checkpoint: "", class_token: "ohwx man", class: "", ...asked });

/** What the form says, as a request has it: nothing without a checkpoint. @param {Control} form */
export const asControl = (form) => (form.checkpoint ? { ...form } : null);

/**
 * The base as control: which checkpoint, and which words of the prompts name the class in place of the subject.
 *
 * @param {Parts} parts
 * @param {Control} control what it edits
 * @param {() => void} changed
 * @returns {View<State>}
 */
export function controlFields({ make, field, fields, bind, choice, textInput, setShown }, control, changed) {
  const words = { placeholder: "as in the class token" };
  const base = bind(choice("ohwx-control", {}, "none"), control, "checkpoint", draw);
  const token = field("Class token", bind(textInput("ohwx-class-token"), control, "class_token", changed));
  const name = field("Class", bind(textInput("ohwx-class", words), control, "class", changed), "ohwx-double");
  const node = make("div", {}, fields(field("Base as control", base, "ohwx-double"), token, name));

  function draw() {
    show();
    changed();
  }

  function show() {
    for (const one of [token, name]) setShown(one, control.checkpoint);
  }

  show();
  return {
    node,
    show(state) {
      base.offer(["", ...state.checkpoints], control.checkpoint);
    },
  };
}

const NO_CHECKPOINT = "The webui has no .safetensors checkpoint. Put one into its models/Stable-diffusion folder.";
const MOVES = "Drag it, or use the arrow keys, to move its column";
const UNKNOWN = "The webui has no checkpoint of this name.";

/**
 * The place that an arrow key moves to, of `count`; null for other keys.
 *
 * @param {string} key
 * @param {number} at
 * @param {number} count
 */
export function placeBy(key, at, count) {
  const [before, after] = [at - 1, at + 1];
  const to = { ArrowLeft: before, ArrowUp: before, ArrowRight: after, ArrowDown: after, Home: 0, End: count - 1 }[key];
  return to === undefined ? null : Math.min(Math.max(to, 0), count - 1);
}

/**
 * The selected ones, in the order of the columns: dragged into another by mouse or finger, or moved by arrow keys. Each
 * has a button that removes it; the focus goes to its neighbour then, or to `otherwise`.
 *
 * @param {Parts} parts
 * @param {object} hooks
 * @param {(name: string) => void} hooks.remove
 * @param {(name: string, to: number) => void} hooks.move
 * @param {HTMLElement} hooks.otherwise
 * @returns {View<{ selected: readonly string[], known: readonly string[] }>}
 */
function columnList({ make, button, keyed }, { remove, move, otherwise }) {
  const node = make("ul", { className: "ohwx-chips", "aria-label": "Selected checkpoints" });
  /** @type {readonly string[]} */
  let known = [];
  /** @type {readonly string[]} */
  let order = [];
  let dragged = "";

  /** @param {HTMLElement} chip @param {string} name */
  function follow(chip, name) {
    chip.addEventListener("keydown", (event) => {
      const to = event.target === chip ? placeBy(event.key, order.indexOf(name), order.length) : null;
      if (to === null) return;
      event.preventDefault();
      move(name, to);
      chip.focus();
    });
    chip.addEventListener("dragstart", (event) => {
      dragged = name;
      event.dataTransfer?.setData("text/plain", name); // without it Firefox drags nothing
    });
    chip.addEventListener("dragend", () => {
      dragged = "";
    });
    chip.addEventListener("dragover", (event) => {
      if (dragged) event.preventDefault();
    });
    chip.addEventListener("drop", (event) => {
      if (!dragged) return;
      event.preventDefault();
      move(dragged, order.indexOf(name));
    });
  }

  /**
   * A finger drags too: browsers' own dragging is the mouse's on most.
   *
   * @param {HTMLElement} chip
   * @param {string} name
   */
  function followFinger(chip, name) {
    let isHeld = false;
    chip.addEventListener("pointerdown", (event) => {
      isHeld = event.pointerType !== "mouse";
    });
    chip.addEventListener("pointercancel", () => {
      isHeld = false;
    });
    chip.addEventListener("pointerup", (event) => {
      const under = document.elementFromPoint(event.clientX, event.clientY)?.closest(".ohwx-chip");
      const to = under ? [...node.children].indexOf(under) : -1;
      if (isHeld && to >= 0 && under !== chip) move(name, to);
      isHeld = false;
    });
  }

  /** @type {(names: readonly string[]) => void} */
  const show = keyed(
    node,
    (name) => name,
    (name) => {
      const drop = button("×", leave, { className: "ohwx-drop", "aria-label": `Remove ${name}` });
      const props = { className: "ohwx-chip", draggable: true, tabIndex: 0 };
      const chip = make("li", props, make("span", {}, name), drop);
      follow(chip, name);
      followFinger(chip, name);
      function leave() {
        const next = chip.nextElementSibling ?? chip.previousElementSibling;
        remove(name);
        (next?.querySelector("button") ?? otherwise).focus();
      }
      return {
        node: chip,
        show() {
          const isMissing = !known.includes(name);
          chip.classList.toggle("ohwx-missing", isMissing);
          const title = isMissing ? UNKNOWN : MOVES;
          const place = `${name}, ${order.indexOf(name) + 1} of ${order.length}`;
          if (chip.getAttribute("aria-label") !== place) chip.setAttribute("aria-label", place);
          if (chip.title !== title) chip.title = title;
        },
      };
    },
  );
  return {
    node,
    show(now) {
      known = now.known;
      order = now.selected;
      show(now.selected);
    },
  };
}

/**
 * @param {Parts} parts
 * @param {(names: readonly string[]) => void} toggle
 * @returns {View<{ selected: readonly string[], groups: readonly CheckpointGroup[] }>}
 */
function groupButtons({ make, button, keyed, setShown }, toggle) {
  const node = make("div", { className: "ohwx-groups", role: "group", "aria-label": "Groups" });
  /** @type {readonly string[]} */
  let selected = [];
  /** @type {(groups: readonly CheckpointGroup[]) => void} */
  const show = keyed(
    node,
    (group) => group.name,
    (group) => {
      let names = group.checkpoints;
      const pill = button(group.name, () => toggle(names), { className: "ohwx-button ohwx-pill" });
      return {
        node: pill,
        show(now) {
          names = now.checkpoints;
          pill.setAttribute("aria-pressed", String(names.every((name) => selected.includes(name))));
        },
      };
    },
  );
  return {
    node,
    show(now) {
      selected = now.selected;
      show(now.groups);
      setShown(node, now.groups.length);
    },
  };
}

/**
 * @param {Parts} parts
 * @param {(name: string) => void} toggle
 * @returns {View<{ selected: readonly string[], names: readonly string[] }>}
 */
function nameList({ make, check, keyed }, toggle) {
  const node = make("div", { className: "ohwx-list", role: "group", "aria-label": "Checkpoints", tabIndex: -1 });
  /** @type {readonly string[]} */
  let selected = [];
  /** @type {(names: readonly string[]) => void} */
  const show = keyed(
    node,
    (name) => name,
    (name) => {
      const box = make("input", { type: "checkbox", onchange: () => toggle(name) });
      return {
        node: check(name, box),
        show() {
          box.checked = selected.includes(name);
        },
      };
    },
  );
  return {
    node,
    show(now) {
      selected = now.selected;
      show(now.names);
    },
  };
}
