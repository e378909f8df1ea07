// A draft that can be changed in every field.

/** @import { CompareRequest, Draft, FaceSettings, Parts, RequestFields } from "./ohwx_types" */
/** @import { Run, Server, State, View } from "./ohwx_types" */

const COST = {
  path: "api/estimate",
  body: (/** @type {CompareRequest} */ request) => ({ request }),
  label: "Start",
  id: "ohwx",
  nothing: (/** @type {CompareRequest} */ { checkpoints }) =>
    checkpoints.length ? "" : "Select the checkpoints to compare.",
};
const NO_ADETAILER = "ADetailer does not run on these pictures, so no face is inpainted twice.";

/**
 * A request as the form edits it, a copy.
 *
 * @param {Partial<CompareRequest>} request
 * @param {Pick<Parts, "asRow">} parts
 * @returns {RequestFields}
 */
export function asForm(request, { asRow }) {
  return /** @type {RequestFields} */ ({
    ...request,
    job: { ...request.job },
    checkpoints: [...(request.checkpoints ?? [])],
    axes: (request.axes ?? []).map(asRow),
    faces: (request.faces ?? []).map((tab) => ({ ...tab })),
    styles: [...(request.styles ?? [])],
  });
}

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {Draft} draft
 * @param {object} hooks
 * @param {(draft: Draft) => void} hooks.remember
 * @param {() => void} hooks.discard
 * @param {(run: Run) => void} hooks.started
 * @returns {View<State>}
 */
export function requestForm(parts, server, { request, notes = [], missing = [] }, hooks) {
  const { make, button, part, items } = parts;
  const form = asForm(request, parts);
  /** @type {State | null} */
  let state = null;
  const cost = parts.costLine(parts, server, asRequest, begin, { ...COST, mend: leaveOut });
  const picker = parts.checkpointPicker(parts, form.checkpoints, changed);
  const control = parts.controlForm(request.control);
  const base = parts.controlFields(parts, control, changed);
  const axes = parts.axesForm(parts, form.axes, changed);
  const picture = parts.pictureFields(parts, form, changed);
  const faces = facePass(parts, form, changed);
  const remarks = [...notes, ...missing.map((name) => `The webui has no checkpoint ${name}.`)];
  const discard = button("Discard draft", hooks.discard, { id: "ohwx-discard" });
  const node = make(
    "section",
    { className: "ohwx-form", "aria-label": "Draft" },
    make("div", { className: "ohwx-line ohwx-head" }, make("h3", {}, "New comparison"), discard),
    remarks.length ? make("ul", { id: "ohwx-notes", className: "ohwx-notes" }, ...items(remarks)) : null,
    part("Checkpoints", picker.node, base.node),
    picture.node,
    part("Other axes", axes.node),
    faces.node,
    resultFields(parts, form, changed),
    cost.node,
  );

  /** @returns {CompareRequest} */
  function asRequest() {
    const [axes, base] = [parts.asAxes(form.axes), parts.asControl(control)];
    return { ...form, job: parts.asJob(form.job), axes, control: base };
  }

  /** Checkpoints that the webui does not have. @param {readonly string[]} names */
  function leaveOut(names) {
    form.checkpoints.splice(0, Infinity, ...form.checkpoints.filter((name) => !names.includes(name)));
    if (names.includes(control.checkpoint)) control.checkpoint = "";
    if (state) for (const view of [picker, base]) view.show(state);
    changed();
  }

  function changed() {
    hooks.remember({ request: asRequest(), notes, missing });
    cost.ask();
  }

  async function begin() {
    cost.block("Starting…");
    try {
      hooks.started(await server.post("api/runs", { request: asRequest() }, 120));
    } catch (error) {
      cost.block("", /** @type {Error} */ (error).message);
    }
  }

  changed();
  return {
    node,
    show(now) {
      state = now;
      for (const view of [picker, base, axes, picture, faces]) view.show(now);
      cost.freeze(now.freeze);
      cost.again();
    },
  };
}

/**
 * Its switch and its tabs; switched off, the tabs are kept for when it is switched on again.
 *
 * @param {Parts} parts
 * @param {RequestFields} form
 * @param {() => void} changed
 * @returns {View<State>}
 */
function facePass(parts, form, changed) {
  const { make, part, check, setShown } = parts;
  const place = make("div", { className: "ohwx-faces" });
  const isOn = make("input", { id: "ohwx-face-pass", type: "checkbox" });
  const without = make("p", { className: "ohwx-grey" }, NO_ADETAILER);
  /** @type {View<State>[]} */
  let tabs = [];
  /** @type {FaceSettings[]} */
  let kept = [];
  /** @type {State | null} */
  let state = null;

  function draw() {
    isOn.checked = form.faces.length > 0;
    tabs = form.faces.map((tab, i) => parts.faceForm(parts, `ohwx-face-${i + 1}`, tab, changed));
    place.replaceChildren(...tabs.map((tab) => tab.node));
    if (state) show(state);
  }

  /** @param {State} now */
  function show(now) {
    state = now;
    for (const tab of tabs) tab.show(now);
    setShown(without, now.adetailer && form.faces.length > 0);
  }

  isOn.addEventListener("change", () => {
    if (!isOn.checked) kept = form.faces.splice(0);
    else if (kept.length) form.faces.push(...kept);
    else if (state) form.faces.push({ ...state.face });
    draw();
    changed();
  });
  draw();
  return { node: part("Face pass", check("Detect the faces and inpaint each one", isOn), without, place), show };
}

/**
 * @param {Parts} parts
 * @param {RequestFields} form
 * @param {() => void} changed
 */
function resultFields({ make, field, fields, part, check, bind, textInput }, form, changed) {
  const folder = textInput("ohwx-name", { placeholder: "named after the start time" });
  const before = make("input", { id: "ohwx-keep-before", type: "checkbox" });
  return part(
    "Result",
    fields(
      field("Run folder", bind(folder, form, "name", changed), "ohwx-double"),
      check("Keep the pictures before the face pass", bind(before, form, "keep_before", changed), "ohwx-double"),
    ),
  );
}
