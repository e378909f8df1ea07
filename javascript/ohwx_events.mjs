// A training's events as the charts want them.

/** @import { Learned, Losses, Point, Sampled, Series, TrainingEvent, Validated } from "./ohwx_types" */

/** @param {{ step: number }} a @param {{ step: number }} b */
const byStep = (a, b) => a.step - b.step;

/** Events by step, or by file. A run that went back to an older state told some twice: the last word counts. */
export function gathered() {
  /** @type {Map<number, Learned>} */
  const learned = new Map();
  /** @type {Map<number, Validated>} */
  const validated = new Map();
  /** @type {Map<string, Sampled>} */
  const samples = new Map();
  /** @type {string[]} */
  const missed = [];

  /** @param {TrainingEvent} event */
  function add(event) {
    if (event.event === "Learned") learned.set(event.step, event);
    else if (event.event === "Validated") validated.set(event.step, event);
    else if (event.event === "Sampled") samples.set(event.path, event);
    else if (event.event === "Missed") missed.push(`Step ${event.step}: the ${event.what} failed: ${event.error}`);
  }

  const steps = () => [...learned.values()].sort(byStep);
  return {
    /** @param {readonly TrainingEvent[]} events */
    add: (events) => events.forEach(add),
    /** @param {"loss" | "rate" | "norm"} name @returns {Point[]} */
    line: (name) => steps().map((one) => [one.step, one[name]]),
    /** GB @returns {Point[]} */
    memory: () => steps().flatMap((one) => (one.memory ? [[one.step, one.memory / 1e9]] : [])),
    validation: () => validationSeries([...validated.values()].sort(byStep)),
    samples: () => [...samples.values()],
    missed: () => missed,
  };
}

/**
 * The loss of each kind of picture relative to its first look: 1 is where it began.
 *
 * @param {readonly Validated[]} looks in the order of their steps
 * @returns {Series[]}
 */
export function validationSeries(looks) {
  return Object.entries(looks[0]?.losses ?? {}).map(([name, first]) => ({
    name,
    points: looks.flatMap(({ step, losses }) => {
      const levels = losses[name];
      return levels ? [/** @type {Point} */ ([step, meanRatio(levels, first)])] : [];
    }),
  }));
}

/** @param {Losses[string]} losses @param {Losses[string]} first */
function meanRatio(losses, first) {
  const ratios = Object.entries(first).map(([level, loss]) => Number(losses[level]) / loss);
  return ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
}
