// One tab of face pass settings; used by a comparison and by the face pass on existing pictures.

export function faceForm({ make, field, check, bind, number, choice, textArea }, id, tab, changed) {
  const detector = choice(`${id}-model`);
  const figure = (name, words, props) => field(words, bind(number(`${id}-${name}`, props), tab, name, changed));
  const masked = make("input", { id: `${id}-only_masked`, type: "checkbox" });
  const text = (name, words) => field(words, bind(textArea(`${id}-${name}`, { rows: 1, placeholder: "as the picture" }), tab, name, changed), "ohwx-wide");
  const node = make("div", { className: "ohwx-fields" },
    field("Detector", detector, "ohwx-double"),
    figure("confidence", "Confidence", { min: 0, max: 1, step: 0.01 }),
    figure("top_k", "Top k (0: all)", { min: 0, max: 10, step: 1 }),
    figure("dilate", "Mask dilation, px", { min: -128, max: 128, step: 4 }),
    figure("blur", "Mask blur, px", { min: 0, max: 64, step: 1 }),
    figure("denoise", "Denoise", { min: 0, max: 1, step: 0.01 }),
    figure("steps", "Steps", { min: 1, max: 150, step: 1, placeholder: "as the picture" }),
    figure("padding", "Padding, px", { min: 0, max: 256, step: 4 }),
    check("Only masked", bind(masked, tab, "only_masked", changed)),
    text("prompt", "Face prompt"),
    text("negative", "Face negative prompt"),
  );
  bind(detector, tab, "model", changed);
  return { node, show: (state) => detector.offer(state.detectors, tab.model) };
}
