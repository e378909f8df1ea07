// What the tab "ohwx train" hands around and its routes answer: for the type checker and for readers.

export type RecipeValue = string | number | boolean | null | readonly unknown[] | Record<string, unknown>;
export type Recipe = Record<string, RecipeValue>;

/** A field of a recipe: ohwx_compare/train/recipe/described.py. */
export interface RecipeField {
  name: string;
  group: string;
  kind: "switch" | "whole" | "number" | "text" | "choice" | "size" | "texts" | "numbers" | "lines" | "json";
  choices: readonly (string | boolean | null)[] | null;
  nullable: boolean;
  default: RecipeValue;
  meaning: string;
}

/** What a recipe is filled up with: defaults, and over them the values of each preset. */
export interface Presets {
  fields: readonly RecipeField[];
  defaults: Recipe;
  values: Record<string, Recipe>;
}

/** What the recipe form edits: lists and JSON as text; `rest` is what has no field, for the server to refuse. */
export interface RecipeFields {
  preset: RecipeValue;
  base: RecipeValue;
  train: RecipeValue;
  reg: RecipeValue;
  name: RecipeValue;
  width: number | null;
  height: number | null;
  sample_prompts: string;
  rest: Recipe;
  [field: string]: RecipeValue;
}

export interface Save {
  name: string;
  step: number;
  exposures: number;
}

export interface Plan {
  steps: number;
  images: { train: number; reg: number };
  saves: Save[];
  disk_bytes: number;
  memory_bytes: { total: number };
  seconds?: number | null;
  skipped: string[];
  notes: string[];
  problems: string[];
}

export type TrainingRunState = "starting" | "running" | "paused" | "stopped" | "done" | "failed" | "killed";

export interface TrainingRun {
  id: string;
  state: TrainingRunState;
  step: number;
  steps: number;
  seconds_left: number | null;
  error: string | null;
  checkpoints: Save[];
  recipe: Recipe;
}

/** GET ohwx/api/train. */
export interface TrainingState extends Presets {
  words: Record<string, string>;
  checkpoints: string[];
  detectors: string[];
  toy: { base: string; train: string } | null;
  note: string | null;
  runs: TrainingRun[];
}

/** What is wrong with a set of pictures: ohwx_compare/doctor/findings.py. */
export interface DatasetFound {
  pictures: number;
  detector: string;
  shots: Record<string, number>;
  set: string[];
  problems: { name: string; meaning: string; count: number; files: string[]; sheet: string }[];
}

/** GET ohwx/api/datasets/{job}. */
export interface DatasetJob {
  job: string;
  state: "drawing" | "stopped" | "done" | "failed";
  done: number;
  total: number;
  error: string | null;
  report: string;
  /** The folder of the crops, as a recipe names it. */
  crops: string | null;
  found: DatasetFound | null;
}

/** Kind of picture -> timestep -> mean loss. */
export type Losses = Record<string, Record<string, number>>;

export interface Learned {
  event: "Learned";
  step: number;
  loss: number;
  rate: number;
  norm: number;
  memory?: number | null;
}

export interface Sampled {
  event: "Sampled";
  step: number;
  exposures: number;
  path: string;
  prompt: string;
  seed: number;
}

export interface Validated {
  event: "Validated";
  step: number;
  losses: Losses;
}

export interface Missed {
  event: "Missed";
  step: number;
  what: string;
  error: string;
}

export interface Other {
  event: "Started" | "Entered" | "Saved" | "Skipped" | "Failed" | "Image" | "Paused";
}

/** A line of a training's events.jsonl: core/events.py. */
export type TrainingEvent = Learned | Sampled | Validated | Missed | Other;

export type Point = readonly [x: number, y: number];

export interface Series {
  name: string;
  points: readonly Point[];
  /** Drawn thin and without a key. */
  faint?: boolean;
}
