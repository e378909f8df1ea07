// A recipe to train by: the fields that people set, everything else as JSON, its plan beside it, Start.

const RATES = [["lr_unet", "UNet rate"], ["lr_te1", "Text encoder 1 rate"], ["lr_te2", "Text encoder 2 rate"]];
const LENGTH = [
  ["epochs", "Epochs", { step: 1, min: 1 }], ["repeats", "Repeats", { step: 1, min: 1, placeholder: "as the folders" }],
  ["batch", "Batch", { step: 1, min: 1 }], ["save_every_epochs", "Epochs a save", { step: 1, min: 1 }], ["save_every_steps", "Steps a save", { step: 1, min: 1 }],
];
const OWN = ["preset", "base", "train", "reg", "name", "resolution", "sample_prompts", ...RATES.map(([name]) => name), ...LENGTH.map(([name]) => name)];

// The JSON of a recipe -> what the form edits; what has no field of its own stands in `rest`.
export function asFields(recipe, presets) {
  const known = { ...presets.defaults, ...presets.values[recipe.preset] };
  const filled = { ...known, ...recipe };
  const fields = Object.fromEntries(OWN.map((name) => [name, filled[name] ?? null]));
  const rest = Object.fromEntries(Object.entries(recipe).filter(([name, value]) => !OWN.includes(name) && JSON.stringify(value) !== JSON.stringify(known[name])));
  return { ...fields, width: filled.resolution[0], height: filled.resolution[1], sample_prompts: (filled.sample_prompts ?? []).join("\n"), rest: Object.keys(rest).length ? JSON.stringify(rest, null, 1) : "" };
}

// Back again. What the preset says already is left out, so that a recipe stays short. Throws a sentence for bad JSON.
export function asRecipe({ width, height, rest, sample_prompts: prompts, ...fields }, presets) {
  let more = {};
  try {
    if (rest.trim()) more = JSON.parse(rest);
  } catch (error) {
    throw new Error(`"Everything else" is no JSON: ${error.message}`);
  }
  if (typeof more !== "object" || more === null || Array.isArray(more)) throw new Error('"Everything else" must be a JSON object, such as {"seed": 1}.');
  const said = { ...fields, resolution: [width, height], sample_prompts: prompts.split("\n").map((line) => line.trim()).filter(Boolean) };
  const known = { ...presets.defaults, ...presets.values[fields.preset] };
  const own = Object.entries(said).filter(([name, value]) => name === "preset" || (value !== "" && JSON.stringify(value) !== JSON.stringify(known[name] ?? null)));
  return { ...Object.fromEntries(own), ...more };
}

export function recipeForm(parts, server, presets, recipe, hooks) {
  const { make, button, field, bind, number, choice, textArea, textInput } = parts;
  let form = asFields(recipe, presets), timer = 0, turn = 0, refusal = "";
  const plan = parts.planView(parts, () => begin());
  const node = make("section", { className: "ohwx-form", "aria-label": "Recipe" });
  const bases = () => presets.checkpoints;

  function changed() {
    hooks.remember(form);
    refusal = "";
    clearTimeout(timer);
    timer = setTimeout(count, 500);
  }

  async function count() {
    const mine = ++turn;
    try {
      const asked = asRecipe(form, presets);
      if (!asked.base || !asked.train) { plan.say("Choose a base checkpoint and the folder of your pictures."); return; }
      const answer = await server.post("api/train/plan", { recipe: asked }, 120);
      if (mine === turn) plan.show(answer, presets.note);
    } catch (error) {
      if (mine === turn) plan.refuse(error.message);
    }
  }

  async function begin() {
    plan.busy("Starting…");
    try {
      const run = await server.post("api/train/runs", { recipe: asRecipe(form, presets) }, 180);
      hooks.started(run);
    } catch (error) {
      refusal = error.message;
      plan.busy("");
      plan.refuse(refusal);
    }
  }

  const part = (words, ...children) => make("fieldset", { className: "ohwx-part" }, make("legend", {}, words), ...children);

  function draw() {
    const preset = choice("ohwx-preset");
    const base = choice("ohwx-base");
    preset.offer(Object.keys(presets.values), form.preset);
    base.offer(["", ...bases()], form.base ?? "");
    preset.addEventListener("change", () => {
      const { base: from, train, reg, name, sample_prompts: prompts } = form;
      form = asFields({ preset: preset.value, base: from, train, reg, name, sample_prompts: prompts.split("\n") }, presets);
      draw();
      changed();
      document.getElementById("ohwx-preset").focus();
    });
    bind(base, form, "base", changed);
    const text = (name, words, props = {}) => field(words, bind(textInput(`ohwx-recipe-${name}`, props), form, name, changed), "ohwx-double");
    const figure = (name, words, props = {}) => field(words, bind(number(`ohwx-recipe-${name}`, props), form, name, changed));
    node.replaceChildren(
      make("div", { className: "ohwx-line ohwx-head" }, make("h3", {}, "New training"), field("Preset", preset)),
      make("p", { className: "ohwx-grey" }, presets.words[form.preset] ?? ""),
      part("What goes in", make("div", { className: "ohwx-fields" },
        field("Base checkpoint", base, "ohwx-double"),
        text("train", "Folder of your pictures", { placeholder: "holds 1_ohwx man" }),
        text("reg", "Folder of regularization images", { placeholder: "none; or holds 1_man" }),
        text("name", "Name of the checkpoints"))),
      part("How long", make("div", { className: "ohwx-fields" }, ...LENGTH.map(([name, words, props]) => figure(name, words, props)),
        figure("width", "Width, px", { step: 64, min: 64 }), figure("height", "Height, px", { step: 64, min: 64 }))),
      part("How fast", make("div", { className: "ohwx-fields" }, ...RATES.map(([name, words]) => figure(name, words, { placeholder: "frozen", min: 0 })))),
      part("On the way", field("Sample prompts, one a line", bind(textArea("ohwx-recipe-sample_prompts", { placeholder: "photo of ohwx man" }), form, "sample_prompts", changed), "ohwx-wide")),
      make("details", { className: "ohwx-more", open: Boolean(form.rest) }, make("summary", {}, "Everything else"),
        field("Any other field of a recipe, as JSON", bind(textArea("ohwx-recipe-rest", { placeholder: '{"optimizer": "adamw", "precision": "fp32-master", "ema": 0.999}' }), form, "rest", changed), "ohwx-wide")),
      plan.node,
    );
  }

  draw();
  changed();
  return { node };
}

// What the recipe will do: steps, saves, disk, memory; what stands in its way; Start.
export function planView({ make, button, setText, setShown, bytes, counted, seconds }, begin) {
  const words = make("p", { id: "ohwx-plan", role: "status" }, "Counting…");
  const saves = make("tbody");
  const table = make("table", { className: "ohwx-saves" }, make("thead", {}, make("tr", {}, ...["Checkpoint", "Step", "Exposures of each picture"].map((text) => make("th", { scope: "col" }, text)))), saves);
  const notes = make("ul", { className: "ohwx-notes" });
  const start = button("Start training", begin, { id: "ohwx-train-start", className: "ohwx-button ohwx-primary", disabled: true });
  const more = make("details", { className: "ohwx-more" }, make("summary", {}, "Checkpoints and notes"), notes, table);
  const node = make("div", { className: "ohwx-planned" }, make("div", { className: "ohwx-cost" }, words, start), more);

  function say(text, isBad = false) {
    setText(words, text);
    node.classList.toggle("ohwx-bad", isBad);
    start.disabled = true;
    setShown(more, false);
  }

  function show(plan, note) {
    const { train, reg } = plan.images;
    const facts = [counted(plan.steps, "step"), counted(train, "picture") + (reg ? ` and ${counted(reg, "regularization image")}` : ""), counted(plan.saves.length, "checkpoint"),
      `${bytes(plan.disk_bytes)} of disk`, `${bytes(plan.memory_bytes.total)} of memory`, plan.seconds && `about ${seconds(plan.seconds)}`];
    say(plan.problems[0] ?? facts.filter(Boolean).join(" · "), plan.problems.length > 0);
    start.disabled = plan.problems.length > 0;
    const remarks = [...plan.problems.slice(1), ...(note ? [note] : []), ...plan.skipped, ...plan.notes];
    notes.replaceChildren(...remarks.map((text) => make("li", {}, text)));
    setShown(notes, remarks.length);
    saves.replaceChildren(...plan.saves.map((save) => make("tr", {}, make("th", { scope: "row" }, save.name), make("td", {}, String(save.step)), make("td", {}, String(save.exposures)))));
    setShown(more, true);
  }

  return {
    node, show, say,
    refuse: (text) => say(text, true),
    busy(text) { start.disabled = Boolean(text); setText(start, text || "Start training"); },
  };
}
