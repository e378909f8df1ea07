// A recipe as fields, its plan, and what a training told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gathered, validationSeries } from "../../javascript/ohwx_events.mjs";
import { planWords } from "../../javascript/ohwx_plan.mjs";
import { asFields, asRecipe, conceptsIn, sortedAs } from "../../javascript/ohwx_recipe.mjs";
import { sampleTable } from "../../javascript/ohwx_samples.mjs";
import * as words from "../../javascript/ohwx_words.mjs";

const DEFAULTS = {
  ...{ name: "ohwx", resolution: [1024, 1024], epochs: 150, sample_prompts: [], lr_unet: 3e-6, seed: 42, ema: null },
  ...{ flip: false, sample_seeds: [1], optimizer_args: { eps: 1 }, zero_snr: null, log: [], concepts: [] },
};
const KINDS = {
  ...{ preset: "text", base: "text", train: "text", name: "text", resolution: "size", epochs: "whole" },
  ...{ sample_prompts: "lines", lr_unet: "number", seed: "whole", ema: "number", flip: "switch" },
  ...{ sample_seeds: "numbers", optimizer_args: "json", zero_snr: "choice", log: "texts", concepts: "json" },
};
const NULLABLE = ["preset", "train", "epochs", "lr_unet", "ema", "zero_snr"];
const PRESETS = {
  defaults: DEFAULTS,
  values: { corrected: {}, short: { epochs: 1, lr_unet: 1e-5 } },
  fields: Object.entries(KINDS).map(([name, kind]) => ({
    ...{ name, kind, group: "all", meaning: "it", nullable: NULLABLE.includes(name) },
    ...{ choices: kind === "choice" ? [null, true, false] : null, default: DEFAULTS[name] ?? null },
  })),
};
const RECIPE = { preset: "short", base: "b.safetensors", train: "img", name: "me" };
const back = (fields) => asRecipe(fields, PRESETS);

test("a look at a concept sorts its pictures as the concept does", () => {
  const concepts = [{ folder: "me", resolution: 768, buckets: null, repeats: 10 }, { folder: "class" }];
  const told = conceptsIn(asFields({ ...RECIPE, concepts }, PRESETS).concepts);
  assert.deepEqual(told, concepts);
  assert.deepEqual(sortedAs({ resolution: 512, buckets: false }, told[0]), { resolution: 768, buckets: false });
  assert.deepEqual([conceptsIn("[{"), conceptsIn(""), conceptsIn("3"), conceptsIn("[1]")], [[], [], [], []]);
});

test("a recipe goes through the form unchanged", () => {
  assert.deepEqual(back(asFields(RECIPE, PRESETS)), RECIPE);
  const rich = { ...RECIPE, lr_unet: 0.5, resolution: [768, 512], sample_prompts: ["a", "b"], seed: 7, ema: 0.999 };
  assert.deepEqual(back(asFields(rich, PRESETS)), rich);
  const lists = { sample_seeds: [1, 2], log: ["csv", "wandb"], concepts: [{ folder: "é, ü" }] };
  const odd = { ...RECIPE, ...lists, optimizer_args: { eps: 2 }, zero_snr: false, flip: true, lr_unet: null, sede: 1 };
  assert.deepEqual(back(asFields(odd, PRESETS)), odd);
});

test("what the preset says already is left out", () => {
  const fields = asFields({ ...RECIPE, epochs: 1, seed: 42 }, PRESETS);
  assert.deepEqual(fields.rest, {});
  assert.deepEqual(back(fields), RECIPE);
  assert.deepEqual(back({ ...fields, epochs: 2 }), { ...RECIPE, epochs: 2 });
  assert.equal(back({ ...fields, preset: "corrected" }).epochs, 1); // which is not that preset's
});

test("one number stands for both sides", () => {
  const { width, height } = asFields({ ...RECIPE, resolution: 128 }, PRESETS);
  assert.deepEqual([width, height], [128, 128]);
});

test("what is empty is null where that may be, else the default; what cannot be read is a sentence", () => {
  const fields = asFields({ ...RECIPE, seed: 7, log: ["csv"] }, PRESETS);
  const empty = { ...fields, seed: null, log: " ", lr_unet: null, optimizer_args: "", name: "" };
  const { name, ...others } = RECIPE;
  assert.deepEqual(back(empty), { ...others, lr_unet: null });
  assert.throws(() => back({ ...fields, optimizer_args: "{" }), /^Error: "optimizer_args" is not valid JSON: /);
  assert.throws(() => back({ ...fields, sample_seeds: "1, x" }), /"sample_seeds" must be numbers .* got "x"/);
});

test("a plan in one line, in singular and plural", () => {
  const plan = {
    steps: 1,
    images: { train: 1, reg: 2 },
    saves: [1],
    disk_bytes: 7e9,
    memory_bytes: { total: 9.4e9 },
    seconds: 7200,
  };
  const told =
    "1 step · 1 training picture and 2 regularization images · 1 checkpoint · 7.0 GB of disk · 9.4 GB of memory";
  assert.equal(planWords(plan, words), `${told} · about 2 h`);
  assert.match(
    planWords({ ...plan, images: { train: 2, reg: 0 }, seconds: null }, words),
    /· 2 training pictures · .* of memory$/,
  );
});

test("a step that is told again after a resume counts once, the last time", () => {
  const told = gathered();
  const step = (number, loss, memory) => ({ event: "Learned", step: number, loss, rate: 1, norm: 2, memory });
  told.add([step(1, 0.1, 1e9), step(2, 0.2, null), step(3, 0.3, 3e9)]);
  told.add([
    step(2, 0.25, 2e9),
    { event: "Paused", step: 2 },
    { event: "Missed", step: 2, what: "sample", error: "no memory" },
  ]);
  assert.deepEqual(told.line("loss"), [
    [1, 0.1],
    [2, 0.25],
    [3, 0.3],
  ]);
  assert.deepEqual(told.memory(), [
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  assert.deepEqual(told.missed(), ["Step 2: the sample failed: no memory"]);
});

test("a validation loss is relative to its first look, level by level", () => {
  const look = (step, training, more = {}) => ({ step, losses: { training, ...more } });
  const looks = [look(0, { 100: 0.1, 500: 0.4 }), look(10, { 100: 0.05, 500: 0.4 }, { "held out": { 100: 1 } })];
  assert.deepEqual(validationSeries(looks), [
    {
      name: "training",
      points: [
        [0, 1],
        [10, 0.75],
      ],
    },
  ]);
  assert.deepEqual(validationSeries([]), []);
});

test("samples stand in a row for each prompt and seed, in the order of their steps", () => {
  const sample = (step, prompt, seed) => ({
    step,
    exposures: step / 4,
    path: `${step}-${prompt}-${seed}`,
    prompt,
    seed,
  });
  const [late, early, other] = [sample(20, "a", 1), sample(0, "a", 1), sample(20, "a", 2)];
  assert.deepEqual(sampleTable([late, early, other]), {
    columns: [
      { step: 0, exposures: 0 },
      { step: 20, exposures: 5 },
    ],
    rows: [
      { prompt: "a", seed: 1, cells: [early, late] },
      { prompt: "a", seed: 2, cells: [undefined, other] },
    ],
  });
  assert.deepEqual(sampleTable([]), { columns: [], rows: [] });
});
