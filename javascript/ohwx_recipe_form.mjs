// A recipe to train by: the fields that people set, everything else as JSON, its plan beside it.

/** @import { Plan, Recipe, RecipeFields, Server, TrainingParts, TrainingRun, TrainingState } from "./ohwx_types" */
/** @import { Choice } from "./ohwx_types" */

/** @typedef {[name: string, words: string, props: Record<string, unknown>]} Figure */

const FROZEN = { placeholder: "not trained", min: 0 };
/** @type {Figure[]} */
const RATES = [
  ["lr_unet", "UNet", FROZEN],
  ["lr_te1", "Text encoder 1", FROZEN],
  ["lr_te2", "Text encoder 2", FROZEN],
];
/** @type {Figure[]} */
const LENGTH = [
  ["epochs", "Epochs", { step: 1, min: 1 }],
  ["repeats", "Repeats", { step: 1, min: 1, placeholder: "of the folders" }],
  ["batch", "Batch size", { step: 1, min: 1 }],
  ["width", "Width, px", { step: 64, min: 64 }],
  ["height", "Height, px", { step: 64, min: 64 }],
];
/** @type {Figure[]} */
const SAVES = [
  ["save_every_epochs", "Every N epochs", { step: 1, min: 1 }],
  ["save_every_steps", "Every N steps", { step: 1, min: 1 }],
];
const EXAMPLE = '{"optimizer": "adamw", "precision": "fp32-master", "ema": 0.999}';

/**
 * @param {TrainingParts} parts
 * @param {Server} server
 * @param {TrainingState} first
 * @param {Recipe} recipe
 * @param {object} hooks
 * @param {(recipe: Recipe) => void} hooks.remember
 * @param {(run: TrainingRun) => void} hooks.started
 */
export function recipeForm(parts, server, first, recipe, hooks) {
  let presets = first;
  const plan = parts.planView(parts, begin);
  const node = parts.make("section", { className: "ohwx-form", "aria-label": "Recipe" });
  let form = parts.asFields(recipe, presets);
  let timer = 0;
  let asking = new AbortController(); // the last plan that was asked for

  const asRecipe = () => parts.asRecipe(form, presets, parts);

  function changed() {
    try {
      hooks.remember(asRecipe());
    } catch {
      // half-typed JSON
    }
    clearTimeout(timer);
    asking.abort();
    timer = window.setTimeout(count, 500);
  }

  /** Count again; what was asked for before is not wanted any more, so the server stops counting it. */
  async function count() {
    asking.abort();
    const mine = (asking = new AbortController()).signal;
    try {
      const asked = asRecipe();
      if (!asked.base || !asked.train) {
        plan.say("Select a base checkpoint and enter the folder of your training pictures.");
        return;
      }
      /** @type {Plan} */
      const answer = await server.post("api/train/plan", { recipe: asked }, 600, mine);
      if (!mine.aborted) plan.show(answer, presets.note);
    } catch (error) {
      if (!mine.aborted) plan.refuse(/** @type {Error} */ (error).message);
    }
  }

  async function begin() {
    plan.busy("Starting…");
    try {
      hooks.started(await server.post("api/train/runs", { recipe: asRecipe() }, 600));
    } catch (error) {
      plan.busy("");
      plan.refuse(/** @type {Error} */ (error).message);
    }
  }

  /** Its values for those of the form, but for what goes in. @param {string} preset */
  function usePreset(preset) {
    const { base, train, reg, name, sample_prompts: prompts } = form;
    const kept = { preset, base, train, reg, name, sample_prompts: prompts.split("\n") };
    const toy = preset === "toy" && presets.toy;
    form = parts.asFields(toy ? { ...kept, base: toy.base, train: train || toy.train } : kept, presets);
    draw();
    changed();
    document.getElementById("ohwx-preset")?.focus();
  }

  const pasted = parts.pastedView(parts, server, (told) => {
    form = parts.asFields(told, presets);
    draw();
    changed();
  });

  function draw() {
    const [head, ...others] = recipeFields(parts, presets, form, { changed, usePreset });
    node.replaceChildren(...(head ? [head] : []), pasted.node, ...others, plan.node);
  }

  /** List what came into the folders since. @param {TrainingState} now */
  function follow(now) {
    const isNew = String(now.checkpoints) !== String(presets.checkpoints);
    presets = now;
    const base = /** @type {Choice | null} */ (node.querySelector("#ohwx-base"));
    if (isNew) base?.offer(["", ...now.checkpoints], String(form.base ?? ""));
  }

  draw();
  changed();
  return { node, follow };
}

/**
 * @param {TrainingParts} parts
 * @param {TrainingState} presets
 * @param {RecipeFields} form
 * @param {{ changed: () => void, usePreset: (preset: string) => void }} hooks
 */
function recipeFields(parts, presets, form, { changed, usePreset }) {
  const { make, field, fields, part, bind, number, textArea, textInput } = parts;
  /** @param {string} name @param {string} words @param {Record<string, unknown>} [props] */
  const text = (name, words, props) =>
    field(words, bind(textInput(`ohwx-recipe-${name}`, props), form, name, changed), "ohwx-double");
  /** @param {string} name @param {string} words @param {string} placeholder */
  const area = (name, words, placeholder) =>
    field(words, bind(textArea(`ohwx-recipe-${name}`, { placeholder }), form, name, changed), "ohwx-wide");
  /** @param {Figure} figure */
  const figure = ([name, words, props]) =>
    field(words, bind(number(`ohwx-recipe-${name}`, props), form, name, changed));
  const { preset, base } = choices(parts, presets, form, { changed, usePreset });
  const others = area("rest", "Other fields of the recipe, as JSON", EXAMPLE);
  return [
    make("div", { className: "ohwx-line ohwx-head" }, make("h3", {}, "New training"), field("Preset", preset)),
    make("p", { className: "ohwx-grey" }, presets.words[String(form.preset)] ?? ""),
    part(
      "Checkpoint and pictures",
      fields(
        field("Base checkpoint", base, "ohwx-double"),
        text("train", "Folder of training pictures", { placeholder: "contains 1_ohwx man" }),
        text("reg", "Folder of regularization images", { placeholder: "optional; contains 1_man" }),
        text("name", "Name of the checkpoints"),
      ),
    ),
    part("Length and size", fields(...LENGTH.map(figure))),
    part("Save a checkpoint", fields(...SAVES.map(figure))),
    part("Learning rates", fields(...RATES.map(figure))),
    part("Samples during training", area("sample_prompts", "Sample prompts, one per line", "photo of ohwx man")),
    make(
      "details",
      { className: "ohwx-more", open: Boolean(form.rest) },
      make("summary", {}, "Other settings"),
      others,
      fieldTable(parts, presets),
    ),
  ];
}

/**
 * Every field of a recipe with its default and meaning, to look up.
 *
 * @param {TrainingParts} parts
 * @param {TrainingState} presets
 */
function fieldTable({ make }, { defaults, meanings }) {
  const rows = Object.entries(defaults).map(([name, value]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("code", {}, name)),
      make("td", {}, make("code", {}, JSON.stringify(value))),
      make("td", {}, meanings[name] ?? ""),
    ),
  );
  const titles = ["Field", "Default", "Meaning"].map((title) => make("th", { scope: "col" }, title));
  return make(
    "details",
    { className: "ohwx-more", id: "ohwx-recipe-meanings" },
    make("summary", {}, "Every field, its default and meaning"),
    make(
      "table",
      { className: "ohwx-fields" },
      make("thead", {}, make("tr", {}, ...titles)),
      make("tbody", {}, ...rows),
    ),
  );
}

/**
 * @param {TrainingParts} parts
 * @param {TrainingState} presets
 * @param {RecipeFields} form
 * @param {{ changed: () => void, usePreset: (preset: string) => void }} hooks
 */
function choices({ bind, choice }, presets, form, { changed, usePreset }) {
  const preset = choice("ohwx-preset");
  preset.offer(Object.keys(presets.values), String(form.preset ?? ""));
  preset.addEventListener("change", () => usePreset(preset.value));
  const base = choice("ohwx-base");
  base.offer(["", ...presets.checkpoints], String(form.base ?? ""));
  return { preset, base: bind(base, form, "base", changed) };
}
