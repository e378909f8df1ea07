// The JSON of the routes under ohwx/, and what the modules hand to each other. For the type checker and for readers:
// no browser loads this file.

/** All modules of a tab as one object: each gets the others this way, see ohwx_compare.mjs. */
export type Parts = typeof import("./ohwx_words.mjs") &
  typeof import("./ohwx_dom.mjs") &
  typeof import("./ohwx_memory.mjs") &
  typeof import("./ohwx_polling.mjs") &
  typeof import("./ohwx_views.mjs") &
  typeof import("./ohwx_dialog.mjs") &
  typeof import("./ohwx_face.mjs") &
  typeof import("./ohwx_axes.mjs") &
  typeof import("./ohwx_axes_form.mjs") &
  typeof import("./ohwx_checkpoints.mjs") &
  typeof import("./ohwx_toy.mjs") &
  typeof import("./ohwx_cost.mjs") &
  typeof import("./ohwx_picture.mjs") &
  typeof import("./ohwx_request_form.mjs") &
  typeof import("./ohwx_draft.mjs") &
  typeof import("./ohwx_runs.mjs") &
  typeof import("./ohwx_page.mjs") &
  typeof import("./ohwx_judge.mjs") &
  typeof import("./ohwx_run.mjs") &
  typeof import("./ohwx_run_menu.mjs") &
  typeof import("./ohwx_grow.mjs") &
  typeof import("./ohwx_bin.mjs") &
  typeof import("./ohwx_whole_run.mjs") &
  typeof import("./ohwx_faces.mjs") &
  typeof import("./ohwx_pnginfo.mjs");

/** The same of the training tab. */
export type TrainingParts = typeof import("./ohwx_words.mjs") &
  typeof import("./ohwx_dom.mjs") &
  typeof import("./ohwx_memory.mjs") &
  typeof import("./ohwx_polling.mjs") &
  typeof import("./ohwx_runs.mjs") &
  typeof import("./ohwx_chart.mjs") &
  typeof import("./ohwx_recipe.mjs") &
  typeof import("./ohwx_plan.mjs") &
  typeof import("./ohwx_pasted.mjs") &
  typeof import("./ohwx_dataset.mjs") &
  typeof import("./ohwx_recipe_fields.mjs") &
  typeof import("./ohwx_recipe_form.mjs") &
  typeof import("./ohwx_events.mjs") &
  typeof import("./ohwx_samples.mjs") &
  typeof import("./ohwx_training.mjs");

export type Words = typeof import("./ohwx_words.mjs");
export type Server = typeof import("./ohwx_server.mjs");

/** A part of the page: its node, and how it follows what is new. */
export interface View<T> {
  node: HTMLElement;
  show: (now: T) => void;
}

/** A select that keeps its value even where the names offered lack it. */
export interface Choice extends HTMLSelectElement {
  offer: (names: readonly string[], value?: string | null, titles?: Record<string, string>) => void;
}

// ---- a comparison

export interface Job {
  prompt: string;
  negative: string;
  seed: number | null;
  steps: number | null;
  cfg: number | null;
  width: number | null;
  height: number | null;
  sampler: string;
  schedule: string;
  [other: string]: unknown;
}

/** One ADetailer tab under our names: core/request/face.py. */
export interface FaceSettings {
  model: string;
  [setting: string]: unknown;
}

export interface PromptPair {
  prompt: string;
  /** null: the picture's own. */
  negative: string | null;
}

export interface Style {
  name: string;
}

export type AxisValue = string | number | boolean | PromptPair | readonly Style[];

/** As a request has it; text is read by the server as X/Y/Z plot reads it. */
export interface Axis {
  kind: string;
  values: string | readonly AxisValue[];
}

/** As a person edits it: a text, or pairs for prompts. */
export interface AxisRow {
  kind: string;
  values: string;
  pairs: PromptPair[];
}

export interface Kind {
  name: string;
  title: string;
  hint: string;
}

/** The base, asked for the class ("man") in place of the class token ("ohwx man"): core/experiment/control.py. */
export interface Control {
  checkpoint: string;
  class_token: string;
  /** "": the class token without its first word. */
  class: string;
}

export interface CompareRequest {
  job: Job;
  checkpoints: string[];
  axes: Axis[];
  faces: FaceSettings[];
  /** In every prompt; a name, or a style with its texts. */
  styles?: (string | Style)[];
  control?: Control | null;
  keep_before: boolean;
  name: string;
}

export type RequestFields = Omit<CompareRequest, "axes"> & { axes: AxisRow[]; styles: (string | Style)[] };

/** What pasted infotexts ask for. missing: checkpoints that no file stands for. */
export interface Draft {
  request: Partial<CompareRequest>;
  notes?: string[];
  missing?: string[];
}

export interface Cost {
  cells: number;
  renders: number;
  inpaints: number;
  checkpoints: number;
  switches: number;
  missing: string[];
  disk_bytes: number;
  seconds: number | null;
}

export interface Experiment {
  axes?: Axis[];
  notes?: string[];
  [other: string]: unknown;
}

export type RunState = "queued" | "drawing" | "adopting" | "merging" | "stopped" | "done" | "failed";

export interface Run {
  id: string;
  state: RunState;
  cells: number;
  done: number;
  failed: number;
  noted: number;
  percent: number;
  seconds_left: number | null;
  now: string;
  error: string | null;
  title: string;
  thumb: string | null;
  page: string;
  /** Made on another machine, by another user or an earlier version, or a copy: it is adopted before it is resumed. */
  elsewhere?: boolean;
  /** What became of a run that was adopted or merged just now. */
  said?: string;
  /** Only where one run was asked for. */
  experiment?: Experiment | null;
  request?: Partial<CompareRequest> | null;
}

/** What is added to a run, by kind: POST ohwx/api/runs/{run}/growth, grow. */
export interface Growth {
  checkpoint: string[];
  seed: string;
  prompt: string;
}

/** A family of styles, and how many of the webui's suit a portrait. */
export interface Family {
  name: string;
  count: number;
}

export interface CheckpointGroup {
  name: string;
  checkpoints: string[];
}

/** What the tab shows before anything is chosen: GET ohwx/api/state. */
export interface State {
  checkpoints: string[];
  groups: CheckpointGroup[];
  detectors: string[];
  samplers: string[];
  schedules: string[];
  styles?: string[];
  families?: Family[];
  vaes?: string[];
  loras?: string[];
  upscalers?: string[];
  kinds: Kind[];
  face: FaceSettings;
  adetailer: boolean;
  /** Why no checkpoint can be switched. */
  freeze: string | null;
  runs: Run[];
  /** Names in the bin. */
  deleted?: string[];
  /** Whether the webui opens folders of its machine. */
  opens?: boolean;
}

export interface FaceResult {
  path: string;
  outcome: string;
  image: string | null;
  error?: string | null;
  notes?: string[];
}

export interface FaceJob {
  state: RunState;
  done: number;
  total: number;
  results: FaceResult[];
  error: string | null;
}

/** GET ohwx/api/runs/{run}/judge. */
export interface JudgeJob {
  /** "": not judged since the webui started. */
  state: RunState | "";
  done: number;
  total: number;
  error: string | null;
  headline: string[];
  page: string;
  markdown: string;
  /** A styles.csv for each checkpoint that was judged, of what it still draws. */
  styles?: { name: string; href: string }[];
}

/** GET ohwx/api/judge: whether the face network is there, what its fetch would do, why it cannot be used. */
export interface Weights {
  there: boolean;
  said: string;
  reason: string;
}

export interface InfoRow {
  path: string;
  program?: string;
  told?: string;
  infotext: string | null;
  pair: string | null;
  values: Record<string, string> | null;
  error?: string | null;
}

export interface FolderInfo {
  rows: InfoRow[];
  columns: string[];
  total: number;
}

/** What a run's page asks to be sent to a tab of the webui. */
export interface Sent {
  run: string;
  to: string;
  image: string;
  infotext: string;
}

export * from "./ohwx_training_types";
