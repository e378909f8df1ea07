// What each picture of a draft is asked for: prompts, sampler, size; styles, LoRAs and VAE; hires fix.

/** @import { Parts, RequestFields, State, Style, View } from "./ohwx_types" */

const FIGURES = /** @type {const} */ ([
  ["seed", "Seed", { step: 1, min: -1 }],
  ["steps", "Steps", { step: 1, min: 1, max: 150 }],
  ["cfg", "CFG", { step: 0.5, min: 0 }],
  ["width", "Width, px", { step: 8, min: 64 }],
  ["height", "Height, px", { step: 8, min: 64 }],
  ["clip_skip", "Clip skip", { step: 1, min: 1, max: 12 }],
]);
const SECOND = /** @type {const} */ ([
  ["hires_scale", "Scale", { step: 0.05, min: 1, max: 4, placeholder: "2" }],
  ["hires_steps", "Steps (0: as above)", { step: 1, min: 0, max: 150, placeholder: "0" }],
  ["hires_denoise", "Denoise", { step: 0.05, min: 0, max: 1, placeholder: "0.7" }],
]);
const OPTIONAL = ["vae", "hires_upscaler", "hires_scale", "hires_steps", "hires_denoise", "clip_skip"];

/**
 * A job as a request has it: what is left empty is not asked for.
 *
 * @template {Record<string, unknown>} T
 * @param {T} job
 */
export function asJob(job) {
  const isLeft = (/** @type {[string, unknown]} */ [name, value]) =>
    OPTIONAL.includes(name) && (value === "" || value === null || value === undefined);
  return /** @type {T} */ (Object.fromEntries(Object.entries(job).filter((field) => !isLeft(field))));
}

/** A prompt with a LoRA behind it. @param {string} prompt @param {string} name @param {number | null} weight */
export const withLora = (prompt, name, weight) =>
  [prompt.trimEnd(), `<lora:${name}:${weight ?? 1}>`].filter(Boolean).join(" ");

/** @param {string | Style} style */
const styleName = (style) => (typeof style === "string" ? style : style.name);

/**
 * @param {Parts} parts
 * @param {RequestFields} form
 * @param {() => void} changed
 * @returns {View<State>}
 */
export function pictureFields(parts, form, changed) {
  const { field, fields, part, bind, number, choice, textArea } = parts;
  const { job } = form;
  const sampler = bind(choice("ohwx-job-sampler"), job, "sampler", changed);
  const schedule = bind(choice("ohwx-job-schedule"), job, "schedule", changed);
  const vae = bind(choice("ohwx-job-vae", {}, "the webui's choice"), job, "vae", changed);
  const prompt = bind(textArea("ohwx-job-prompt"), job, "prompt", changed);
  const figures = FIGURES.map(([name, words, props]) =>
    field(words, bind(number(`ohwx-job-${name}`, props), job, name, changed)),
  );
  const lora = loraFields(parts, prompt);
  const styles = styleFields(parts, form.styles, changed);
  const second = hiresFields(parts, job, changed);
  const node = part(
    "Picture",
    field("Prompt", prompt, "ohwx-wide"),
    field("Negative prompt", bind(textArea("ohwx-job-negative", { rows: 1 }), job, "negative", changed), "ohwx-wide"),
    fields(field("Sampler", sampler, "ohwx-double"), field("Schedule", schedule), ...figures),
    fields(field("VAE", vae, "ohwx-double"), ...lora.nodes, ...second.nodes),
    styles.node,
  );
  return {
    node,
    show(state) {
      sampler.offer(state.samplers, job.sampler);
      schedule.offer(state.schedules, job.schedule);
      vae.offer(["", ...(state.vaes ?? [])], /** @type {string} */ (job.vae ?? ""));
      for (const view of [lora, styles, second]) view.show(state);
    },
  };
}

/** A LoRA is part of the prompt, as in the webui. @param {Parts} parts @param {HTMLTextAreaElement} prompt */
function loraFields({ field, number, choice, button, make }, prompt) {
  const name = choice("ohwx-lora", {}, "choose one");
  const weight = number("ohwx-lora-weight", { step: 0.05, value: "1" });
  const add = button("Add LoRA", put, { id: "ohwx-lora-add" });

  function put() {
    if (!name.value) {
      name.focus();
      return;
    }
    prompt.value = withLora(prompt.value, name.value, weight.value === "" ? null : Number(weight.value));
    prompt.dispatchEvent(new Event("input"));
    name.value = "";
  }

  return {
    nodes: [field("LoRA", name, "ohwx-double"), field("Weight", weight), make("div", {}, add)],
    show: (/** @type {State} */ state) => name.offer(["", ...(state.loras ?? [])], name.value),
  };
}

/**
 * The second pass; its figures only where there is one.
 *
 * @param {Parts} parts
 * @param {any} job
 * @param {() => void} changed
 */
function hiresFields({ field, bind, number, choice, setShown }, job, changed) {
  const upscaler = bind(choice("ohwx-hires", {}, "off"), job, "hires_upscaler", draw);
  const figures = SECOND.map(([name, words, props]) =>
    field(words, bind(number(`ohwx-${name.replace("_", "-")}`, props), job, name, changed)),
  );

  function show() {
    for (const figure of figures) setShown(figure, job.hires_upscaler);
  }

  function draw() {
    show();
    changed();
  }

  show();
  return {
    nodes: [field("Hires fix, upscaler", upscaler, "ohwx-double"), ...figures],
    show: (/** @type {State} */ state) => upscaler.offer(["", ...(state.upscalers ?? [])], job.hires_upscaler ?? ""),
  };
}

/**
 * The styles that are merged into every prompt.
 *
 * @param {Parts} parts
 * @param {(string | Style)[]} chosen what it edits
 * @param {() => void} changed
 * @returns {View<State>}
 */
function styleFields({ make, button, choice, field, keyed }, chosen, changed) {
  const list = make("ul", { className: "ohwx-chips", "aria-label": "Styles" });
  const add = choice("ohwx-style", {}, "add one");
  /** @type {readonly string[]} */
  let known = [];
  /** @type {(names: readonly string[]) => void} */
  const show = keyed(
    list,
    (name) => name,
    (name) => {
      const drop = button("×", remove, { className: "ohwx-drop", "aria-label": `Remove ${name}` });
      function remove() {
        const at = chosen.findIndex((style) => styleName(style) === name);
        chosen.splice(at, 1);
        draw();
        changed();
        add.focus();
      }
      return { node: make("li", { className: "ohwx-chip" }, make("span", {}, name), drop), show() {} };
    },
  );

  function draw() {
    const names = chosen.map(styleName);
    show(names);
    add.offer(["", ...known.filter((name) => !names.includes(name))], "");
  }

  add.addEventListener("change", () => {
    if (add.value) chosen.push(add.value);
    draw();
    changed();
  });
  return {
    node: make("div", { className: "ohwx-line" }, field("Styles in every prompt", add), list),
    show(state) {
      known = state.styles ?? [];
      draw();
    },
  };
}
