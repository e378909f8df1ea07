// One training: how far it is, what it learned, its pictures on the way, and what can be asked of it.

/** @import { CompareRequest, Recipe, Server, TrainingParts, TrainingRun, TrainingRunState } from "./ohwx_types" */
/** @import { Words } from "./ohwx_types" */

/** @typedef {"pause" | "resume" | "save" | "stop" | "start"} Action */

/** @type {Record<TrainingRunState, string>} */
export const TRAINING_STATES = {
  starting: "starting",
  running: "training",
  paused: "paused",
  stopped: "stopped",
  done: "done",
  failed: "failed",
  killed: "ended unexpectedly",
};

/** @type {Record<Action, { label: string, title: string, states: readonly TrainingRunState[] }>} */
const ACTIONS = {
  pause: { label: "Pause", title: "Wait after the current step", states: ["running"] },
  resume: { label: "Resume", title: "Continue with the next step", states: ["paused"] },
  save: { label: "Save now", title: "Write a checkpoint after the current step", states: ["running", "paused"] },
  stop: { label: "Stop", title: "Save the state and end", states: ["starting", "running", "paused"] },
  start: { label: "Resume", title: "Continue from the last state", states: ["stopped", "failed", "killed"] },
};
const NAMES = /** @type {Action[]} */ (Object.keys(ACTIONS));

const CHARTS = {
  loss: "Loss",
  validation: "Validation loss, relative to the start",
  norm: "Gradient norm",
  rate: "Learning rate, share of the full rate",
  memory: "Memory, GB",
};

/** One line under a training's name. @param {TrainingRun} run @param {Words} words */
export function trainingStanding(run, { seconds, joined }) {
  const step = run.steps && `step ${run.step} of ${run.steps}`;
  const left = run.state === "running" && run.seconds_left && `${seconds(run.seconds_left)} left`;
  return joined([TRAINING_STATES[run.state] ?? run.state, step, left]);
}

/** How far it is, for a bar. @param {Pick<TrainingRun, "step" | "steps">} run */
export const trained = ({ step, steps }) => ({ percent: steps ? (100 * step) / steps : 0 });

/**
 * @param {TrainingParts} parts
 * @param {Server} server
 * @param {object} hooks
 * @param {() => void} hooks.changed
 * @param {(recipe: Recipe) => void} hooks.change make a new training of it
 * @param {(request: Partial<CompareRequest>) => void} hooks.compare
 */
export function trainingView(parts, server, hooks) {
  const { make, setText, setShown } = parts;
  const name = make("h3", { tabIndex: -1 });
  const words = make("span", { className: "ohwx-grey", id: "ohwx-training-standing" });
  const bar = parts.progress(parts, "Progress");
  const fault = make("p", { className: "ohwx-error", id: "ohwx-training-fault", role: "alert" });
  const acts = trainingActions(parts, { press, hand, copy: () => run && hooks.change(run.recipe) });
  const curves = trainingCharts(parts);
  const head = make("div", { className: "ohwx-line ohwx-head" }, name, words, acts.node);
  const node = make(
    "section",
    { className: "ohwx-chosen", "aria-label": "Training" },
    head,
    bar.node,
    fault,
    ...curves.nodes,
  );
  /** @type {TrainingRun | null} */
  let run = null;
  /** @type {readonly TrainingRun[]} */
  let all = [];
  let told = parts.gathered();
  const now = { next: 0, refused: "", isReading: false }; // next: byte of its events

  /** @param {string} id */
  const at = (id) => `api/train/runs/${encodeURIComponent(id)}`;

  /** What is refused is said where the training's own errors stand. @param {(id: string) => Promise<void>} way */
  async function asking(way) {
    if (!run) return;
    try {
      await way(run.id);
      now.refused = "";
    } catch (error) {
      now.refused = /** @type {Error} */ (error).message;
    }
    draw();
  }

  /** @param {Action} act */
  function press(act) {
    return asking(async (mine) => {
      const answer = await server.post(`${at(mine)}/${act}`, {}, 120);
      if (run?.id === mine) show(answer);
      hooks.changed();
    });
  }

  /** Its checkpoints, and those of others, to the comparison. @param {string[]} others */
  function hand(others) {
    return asking(async (mine) => {
      const { request } = await server.post(`${at(mine)}/compare`, { with: others });
      hooks.compare(request);
    });
  }

  /** New lines of its events; asked again while there are more. */
  async function read() {
    if (!run || now.isReading) return;
    now.isReading = true;
    const mine = run.id;
    try {
      for (let more = true; more && run?.id === mine; ) {
        const answer = await server.get(`${at(mine)}?after=${now.next}`);
        if (run?.id !== mine) break;
        told.add(answer.events);
        now.next = answer.next;
        more = answer.more;
        show(answer.run);
      }
      if (run) curves.show(run, told);
    } finally {
      now.isReading = false;
    }
  }

  function draw() {
    if (!run) return;
    setText(name, run.id);
    setText(words, trainingStanding(run, parts));
    bar.show(trained(run));
    bar.node.classList.toggle("ohwx-idle", run.state === "done");
    setText(fault, now.refused || run.error || "");
    setShown(fault, now.refused || run.error);
    acts.show(run, all);
  }

  /** @param {TrainingRun} next */
  function show(next) {
    const isOther = run?.id !== next.id;
    run = next;
    if (isOther) {
      told = parts.gathered();
      Object.assign(now, { next: 0, refused: "" });
      curves.show(run, told);
    }
    draw();
  }

  return {
    node,
    show,
    read,
    close() {
      run = null;
    },
    /** @param {readonly TrainingRun[]} runs */
    others(runs) {
      all = runs;
    },
  };
}

/**
 * What can be asked of a training.
 *
 * @param {TrainingParts} parts
 * @param {object} hooks
 * @param {(act: Action) => Promise<void>} hooks.press
 * @param {(others: string[]) => Promise<void>} hooks.hand
 * @param {() => void} hooks.copy
 */
function trainingActions({ make, button, choice, setShown }, { press, hand, copy }) {
  const buttons = NAMES.map((act) => {
    const { label, title, states } = ACTIONS[act];
    const node = button(label, () => pressed(), { id: `ohwx-training-${act}`, title });
    async function pressed() {
      node.disabled = true;
      await press(act);
      node.disabled = false;
    }
    return { node, states };
  });
  const title = "Opens a draft in the tab ohwx compare, with the columns in the order of exposures";
  const primary = { id: "ohwx-training-compare", className: "ohwx-button ohwx-primary", title };
  const compare = button("Compare its checkpoints", () => hand(other.value ? [other.value] : []), primary);
  const other = choice("ohwx-training-with", { "aria-label": "Compare with another training" }, "this training only");
  const again = button("Copy to a new training", copy, { id: "ohwx-training-change" });
  const node = make("span", { className: "ohwx-buttons" }, ...buttons.map((one) => one.node), compare, other, again);
  return {
    node,
    /** @param {TrainingRun} run @param {readonly TrainingRun[]} all */
    show(run, all) {
      for (const one of buttons) setShown(one.node, one.states.includes(run.state));
      const others = all.filter((one) => one.id !== run.id && one.checkpoints.length).map((one) => one.id);
      other.offer(["", ...others], others.includes(other.value) ? other.value : "");
      setShown(compare, run.checkpoints.length);
      setShown(other, run.checkpoints.length && others.length);
      setShown(again, run.recipe);
    },
  };
}

/** What it told: what went wrong beside it, charts, samples. @param {TrainingParts} parts */
function trainingCharts(parts) {
  const { make, items, setShown } = parts;
  const missed = make("ul", { className: "ohwx-notes" });
  const [loss, validation, norm, rate, memory] = [
    parts.chart(parts, CHARTS.loss),
    parts.chart(parts, CHARTS.validation),
    parts.chart(parts, CHARTS.norm),
    parts.chart(parts, CHARTS.rate),
    parts.chart(parts, CHARTS.memory),
  ];
  const plots = [loss, validation, norm, rate, memory].map((one) => one.node);
  const gallery = parts.sampleGrid(parts);
  return {
    nodes: [missed, make("div", { className: "ohwx-charts" }, ...plots), gallery.node],
    /** @param {TrainingRun} run @param {ReturnType<TrainingParts["gathered"]>} told */
    show(run, told) {
      const losses = told.line("loss");
      const trend = { name: "moving average", points: parts.smoothed(losses) };
      loss.show([{ name: "every step", points: losses, faint: true }, trend], run.steps);
      validation.show(told.validation(), run.steps);
      norm.show([{ name: "norm", points: told.line("norm") }], run.steps);
      rate.show([{ name: "share", points: told.line("rate") }], run.steps);
      memory.show([{ name: "GB", points: told.memory() }], run.steps);
      gallery.show(run, told.samples());
      const remarks = told.missed();
      if (missed.childElementCount !== remarks.length) missed.replaceChildren(...items(remarks));
      setShown(missed, remarks.length);
    },
  };
}
