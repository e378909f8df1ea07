// One tab of face pass settings: for a comparison, and for the face pass on existing pictures.

/** @import { FaceSettings, Parts, State, View } from "./ohwx_types" */

const FIGURES = /** @type {const} */ ([
  ["confidence", "Confidence", { min: 0, max: 1, step: 0.01 }],
  ["top_k", "Top k (0: all)", { min: 0, max: 10, step: 1 }],
  ["dilate", "Mask dilation, px", { min: -128, max: 128, step: 4 }],
  ["blur", "Mask blur, px", { min: 0, max: 64, step: 1 }],
  ["denoise", "Denoise", { min: 0, max: 1, step: 0.01 }],
  ["steps", "Steps", { min: 1, max: 150, step: 1, placeholder: "picture's own" }],
  ["padding", "Padding, px", { min: 0, max: 256, step: 4 }],
]);

/**
 * @param {Pick<Parts, "field" | "fields" | "check" | "bind" | "number" | "choice" | "textArea" | "make" | "button"> &
 *   Pick<Parts, "setShown">} parts
 * @param {string} id where the ids of its inputs begin
 * @param {FaceSettings} tab what it edits
 * @param {() => void} changed
 * @returns {View<State>}
 */
export function faceForm(parts, id, tab, changed) {
  const { make, field, fields, check, bind, number, choice, textArea, button, setShown } = parts;
  const detector = bind(choice(`${id}-model`), tab, "model", changed);
  const masked = make("input", { id: `${id}-only_masked`, type: "checkbox" });
  const figures = FIGURES.map(([name, words, props]) =>
    field(words, bind(number(`${id}-${name}`, props), tab, name, changed)),
  );
  /** @param {string} name @param {string} words */
  const text = (name, words) => {
    const area = textArea(`${id}-${name}`, { rows: 1, placeholder: "the picture's own" });
    return field(words, bind(area, tab, name, changed), "ohwx-wide");
  };
  const missing = make("p", { id: `${id}-missing`, className: "ohwx-bad ohwx-wide ohwx-line", role: "status" });
  const node = fields(
    field("Detector", detector, "ohwx-double"),
    missing,
    ...figures,
    check("Only masked", bind(masked, tab, "only_masked", changed)),
    text("prompt", "Face prompt"),
    text("negative", "Face negative prompt"),
  );
  let said = "";
  /** @param {readonly string[]} names */
  function offer(names) {
    detector.offer([...names], tab.model);
    const isMissing = Boolean(tab.model) && !names.includes(tab.model);
    setShown(missing, isMissing);
    const now = JSON.stringify([isMissing, tab.model, names]);
    if (!isMissing || said === now) return;
    said = now;
    const take = names.map((name) =>
      button(`Use ${name}`, () => {
        tab.model = name;
        offer(names);
        changed();
      }),
    );
    missing.replaceChildren(`The detector ${tab.model} is missing. `, ...take);
  }
  return { node, show: (state) => offer(state.detectors) };
}
