// Whole experiments: what one costs, its start, how far each is, and where its answer stands.

/** @import { ExperimentPlan, Server, TrainingParts, WholeExperiment } from "./ohwx_types" */

const HINT =
  "Trains each recipe with each seed, compares the saves at equal exposures and judges, in a process of its own that " +
  "outlives the webui. Paste the file of an experiment, or the whole path of one on the webui's machine. Relative " +
  "paths in pasted text start at the webui's data folder, in a file at that file; a base may be named as in the list " +
  "of checkpoints.";
const WORKING = ["starting", "running"];

/**
 * One line under an experiment's name.
 *
 * @param {WholeExperiment} one
 * @param {Pick<TrainingParts, "TRAINING_STATES" | "joined">} parts
 */
export function experimentStanding(one, { TRAINING_STATES, joined }) {
  const word = TRAINING_STATES[one.state] ?? one.state;
  if (one.state !== "running") return one.error ? `${word}: ${one.error}` : word;
  const far = one.steps && `${one.step} of ${one.steps}`;
  return joined([`part ${one.part} of ${one.parts}`, one.doing, far]);
}

/** How far its part is, for a bar. @param {WholeExperiment} one */
const partDone = ({ step, steps }) => ({ percent: steps ? (100 * step) / steps : 0 });

/** @param {string} name */
const at = (name) => `api/experiments/${encodeURIComponent(name)}`;

/**
 * A folded part of the tab.
 *
 * @param {TrainingParts} parts
 * @param {Server} server
 * @param {{ changed: () => void }} hooks
 */
export function experimentView(parts, server, { changed }) {
  const { make, button, field } = parts;
  const text = parts.textArea("ohwx-experiment-text", { rows: 6, placeholder: "{ or /path/of/experiment.json" });
  const name = parts.textInput("ohwx-experiment-name", { placeholder: "as the file, or experiment" });
  const cost = button("What it costs", () => ask(plan), { id: "ohwx-experiment-plan" });
  const primary = { id: "ohwx-experiment-start", className: "ohwx-button ohwx-primary" };
  const start = button("Start", () => ask(begin), primary);
  const standing = make("span", { className: "ohwx-grey", role: "status" });
  const { node: fault, say } = parts.errorLine();
  const lines = make("ul", { className: "ohwx-notes", id: "ohwx-experiment-lines" });
  const list = make("div", { id: "ohwx-experiments" });
  const show = parts.keyed(list, (one) => one.id, (/** @type {WholeExperiment} */ one) => row(parts, one, press));
  const node = make(
    "details",
    { className: "ohwx-more", id: "ohwx-experiment", ontoggle: () => node.open && changed() },
    make("summary", {}, "A whole experiment"),
    make("p", { className: "ohwx-grey" }, HINT),
    field("Experiment (JSON, or the path of a file)", text, "ohwx-wide"),
    field("Name", name),
    make("div", { className: "ohwx-line" }, cost, start, standing),
    fault,
    lines,
    list,
  );
  let isBusy = false;

  /** @param {() => Promise<void>} way */
  async function ask(way) {
    for (const one of [cost, start]) one.disabled = true;
    parts.setText(standing, "At work…");
    say("");
    try {
      await way();
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
    parts.setText(standing, "");
    for (const one of [cost, start]) one.disabled = false;
  }

  const asked = () => ({ text: text.value, name: name.value });

  async function plan() {
    lines.replaceChildren();
    /** @type {ExperimentPlan} */
    const answer = await server.post("api/experiments/plan", asked(), 600);
    lines.replaceChildren(...parts.items(answer.lines));
    say(answer.problems.join(" "));
  }

  async function begin() {
    await server.post("api/experiments", asked(), 600);
    changed();
  }

  /** @param {string} id @param {"start" | "stop" | "answer"} act */
  const press = (id, act) =>
    ask(async () => {
      await server.post(`${at(id)}/${act}`, {}, 600);
      changed();
    });

  return {
    node,
    isBusy: () => isBusy,
    /** Look at them again, while somebody looks at this part. */
    async follow() {
      if (!node.open) return;
      const { experiments } = await server.get("api/experiments");
      isBusy = experiments.some((/** @type {WholeExperiment} */ one) => WORKING.includes(one.state));
      show(experiments);
    },
  };
}

/**
 * @param {TrainingParts} parts
 * @param {WholeExperiment} first
 * @param {(id: string, act: "start" | "stop" | "answer") => void} press
 */
function row(parts, first, press) {
  const { make, button, setShown, setText } = parts;
  const words = make("span", { className: "ohwx-grey" });
  const bar = parts.progress(parts, first.id);
  const stop = button("Stop", () => press(first.id, "stop"), { title: "End after the current step or pictures" });
  const resume = button("Resume", () => press(first.id, "start"));
  const answer = button("The answer", () => press(first.id, "answer"), { title: "Make its page of what was measured" });
  const told = make("div", {});
  let shown = "";
  return {
    node: make(
      "section",
      { className: "ohwx-experiment", "aria-label": first.id },
      make("div", { className: "ohwx-line" }, make("b", {}, first.id), words, stop, resume, answer),
      bar.node,
      told,
    ),
    /** @param {WholeExperiment} now */
    show(now) {
      const isWorking = WORKING.includes(now.state);
      setText(words, experimentStanding(now, parts));
      bar.show(partDone(now));
      setShown(bar.node, isWorking);
      setShown(stop, isWorking);
      setShown(resume, !isWorking && now.state !== "done");
      setShown(answer, now.judged && !now.answer);
      const next = JSON.stringify([now.said, now.answer, now.comparisons]);
      if (next !== shown) told.replaceChildren(...found(parts, now));
      shown = next;
    },
  };
}

/** What it found, and where that stands. @param {TrainingParts} parts @param {WholeExperiment} one */
function found({ make }, { said, answer, comparisons, folder }) {
  const link = (/** @type {string} */ href, /** @type {string} */ words) =>
    make("a", { href, target: "_blank", rel: "noopener" }, words);
  const pages = comparisons.map(({ name, page }) => link(page, name));
  const links = [...(answer ? [link(answer, "Open the answer")] : []), ...pages];
  return [
    ...said.map((sentence) => make("p", {}, sentence)),
    make("div", { className: "ohwx-line" }, ...links, make("span", { className: "ohwx-grey" }, `in ${folder}`)),
  ];
}
