// A recipe to train by: the fields that people set, all others folded in groups, its plan beside it.

/** @import { Plan, Recipe, RecipeFields, Server, TrainingParts, TrainingRun, TrainingState } from "./ohwx_types" */
/** @import { Choice } from "./ohwx_types" */

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

  const asRecipe = () => parts.asRecipe(form, presets);

  function changed() {
    try {
      hooks.remember(asRecipe());
    } catch {
      // half-typed
    }
    dataset.concepts(parts.conceptsIn(form.concepts).map(({ folder }) => String(folder ?? "")));
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
      if (!asked.base || !(asked.train || asked.concepts)) {
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
    const kept = { preset, base, train, reg, name, sample_prompts: parts.lines(prompts) };
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

  const dataset = parts.datasetView(parts, server, {
    asked(which) {
      if (typeof which === "string") return { folder: String(form[which] ?? ""), recipe: asRecipe() };
      const concept = parts.conceptsIn(form.concepts)[which] ?? {};
      return { folder: String(concept.folder ?? ""), recipe: parts.sortedAs(asRecipe(), concept) };
    },
    use(which, folder) {
      if (typeof which === "string") form[which] = folder;
      else {
        const told = parts.conceptsIn(form.concepts);
        form.concepts = JSON.stringify(told.map((one, place) => (place === which ? { ...one, folder } : one)));
      }
      draw();
      changed();
    },
  });

  function draw() {
    const { head, pictures, others } = recipeParts(parts, presets, form, { changed, usePreset });
    node.replaceChildren(...head, pasted.node, pictures, dataset.node, ...others, plan.node);
  }

  /** List what came into the folders since. @param {TrainingState} now */
  function follow(now) {
    const isNew = String(now.checkpoints) !== String(presets.checkpoints);
    presets = now;
    const base = /** @type {Choice | null} */ (node.querySelector("#ohwx-base"));
    if (isNew) base?.offer(["", ...now.checkpoints], String(form.base ?? ""));
    dataset.offer(now.detectors);
  }

  dataset.offer(presets.detectors);
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
function recipeParts(parts, presets, form, { changed, usePreset }) {
  const { make, field, fields, part } = parts;
  const { preset, base } = choices(parts, presets, form, { changed, usePreset });
  const { first, groups } = parts.recipeInputs(parts, presets, form, changed);
  /** @param {string} words @param {...string} names */
  const some = (words, ...names) => part(words, fields(...names.map(first)));
  return {
    head: [
      make("div", { className: "ohwx-line ohwx-head" }, make("h3", {}, "New training"), field("Preset", preset)),
      make("p", { className: "ohwx-grey" }, presets.words[String(form.preset)] ?? ""),
    ],
    pictures: part(
      "Checkpoint and pictures",
      fields(field("Base checkpoint", base, "ohwx-double"), ...["train", "reg", "name"].map(first)),
    ),
    others: [
      some("Length and size", "epochs", "repeats", "batch", "width", "height"),
      some("Save a checkpoint", "save_every_epochs", "save_every_steps"),
      some("Learning rates", "lr_unet", "lr_te1", "lr_te2"),
      some("Samples during training", "sample_prompts"),
      groups,
    ],
  };
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
