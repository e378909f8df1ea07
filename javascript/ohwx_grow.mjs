// "Add to this run": checkpoints, seeds and prompts; what is there is kept, and only the new is generated.

/** @import { Growth, Parts, Run, Server, State } from "./ohwx_types" */

const HINT = "What is there stays as it is. Only the new pictures are generated.";

/**
 * What the fields ask for, by kind; empty ones ask for nothing.
 *
 * @param {readonly string[]} checkpoints
 * @param {string} seeds
 * @param {string} prompts
 * @returns {Growth}
 */
export function growthOf(checkpoints, seeds, prompts) {
  return { checkpoint: [...checkpoints], seed: seeds.trim(), prompt: prompts.trim() };
}

/** @param {Growth} more */
export const isNothing = (more) => !more.checkpoint.length && !more.seed && !more.prompt;

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {HTMLElement} place in the tab
 * @param {{ run: Run, state: State, started: (run: Run) => void }} how
 */
export function growDialog(parts, server, place, { run, state, started }) {
  const { make, field, textInput, textArea } = parts;
  const at = `api/runs/${encodeURIComponent(run.id)}`;
  /** @type {string[]} */
  const checkpoints = [];
  const has = new Set(parts.requestOf(run).checkpoints);
  const others = state.checkpoints.filter((name) => !has.has(name));
  const groups = state.groups.map((group) => ({
    ...group,
    checkpoints: group.checkpoints.filter((name) => !has.has(name)),
  }));
  const seeds = textInput("ohwx-more-seeds", { placeholder: "12, 13, 20-29" });
  const prompts = textArea("ohwx-more-prompts", { rows: 2, placeholder: "one per line" });
  const more = () => growthOf(checkpoints, seeds.value, prompts.value);
  const cost = parts.costLine(parts, server, more, begin, {
    path: `${at}/growth`,
    body: (asked) => ({ more: asked }),
    label: "Add",
    id: "ohwx-more",
    nothing: (asked) => (isNothing(asked) ? "Choose what to add." : ""),
  });
  const picker = parts.checkpointPicker(parts, checkpoints, cost.ask, "ohwx-more");
  const body = [
    make("p", { className: "ohwx-grey" }, HINT),
    field("Checkpoints", picker.node),
    field("Seeds", seeds),
    field("Prompts", prompts),
    cost.node,
  ];
  const box = parts.openDialog(parts, place, { title: `Add to ${run.id}`, body, id: "ohwx-grow" });
  for (const input of [seeds, prompts]) input.addEventListener("input", cost.ask);

  async function begin() {
    cost.block("Starting…");
    try {
      started(await server.post(`${at}/grow`, { more: more() }, 120));
      box.close();
    } catch (error) {
      cost.block("", /** @type {Error} */ (error).message);
    }
  }

  picker.show({ ...state, checkpoints: others, groups: groups.filter((group) => group.checkpoints.length) });
  cost.ask();
}
