// What a recipe will do: steps, saves, disk, memory; what stands in its way; Start.

/** @import { Plan, Save, TrainingParts, Words } from "./ohwx_types" */

const COLUMNS = ["Checkpoint", "Step", "Exposures of each picture"];

/** @param {Plan} plan @param {Words} words */
export function planWords(plan, { counted, bytes, seconds, joined }) {
  const { train, reg } = plan.images;
  return joined([
    counted(plan.steps, "step"),
    counted(train, "training picture") + (reg ? ` and ${counted(reg, "regularization image")}` : ""),
    counted(plan.saves.length, "checkpoint"),
    `${bytes(plan.disk_bytes)} of disk`,
    `${bytes(plan.memory_bytes.total)} of memory`,
    plan.seconds && `about ${seconds(plan.seconds)}`,
  ]);
}

/** @param {TrainingParts} parts @param {() => void} begin */
export function planView(parts, begin) {
  const { make, button, items, setText, setShown } = parts;
  const words = make("p", { id: "ohwx-plan", role: "status" }, "Estimating…");
  const saves = make("tbody");
  const heads = COLUMNS.map((text) => make("th", { scope: "col" }, text));
  const table = make("table", { className: "ohwx-saves" }, make("thead", {}, make("tr", {}, ...heads)), saves);
  const notes = make("ul", { className: "ohwx-notes" });
  const primary = { id: "ohwx-train-start", className: "ohwx-button ohwx-primary", disabled: true };
  const start = button("Start training", begin, primary);
  const summary = make("summary", {}, "Checkpoints and notes");
  const more = make("details", { className: "ohwx-more" }, summary, notes, table);
  const line = make("div", { className: "ohwx-cost" }, words, start);
  const node = make("div", { className: "ohwx-planned" }, line, more);

  /** @param {Save} save */
  function saveRow(save) {
    const name = make("th", { scope: "row" }, save.name);
    return make("tr", {}, name, make("td", {}, String(save.step)), make("td", {}, String(save.exposures)));
  }

  /** Nothing can be started. @param {string} text @param {boolean} [isBad] */
  function say(text, isBad = false) {
    setText(words, text);
    node.classList.toggle("ohwx-bad", isBad);
    start.disabled = true;
    setShown(more, false);
  }

  return {
    node,
    say,
    /** @param {string} text */
    refuse: (text) => say(text, true),
    /** @param {Plan} plan @param {string | null} note */
    show(plan, note) {
      const [problem, ...others] = plan.problems;
      say(problem ?? planWords(plan, parts), Boolean(problem));
      start.disabled = Boolean(problem);
      const remarks = [...others, ...(note ? [note] : []), ...plan.skipped, ...plan.notes];
      notes.replaceChildren(...items(remarks));
      setShown(notes, remarks.length);
      saves.replaceChildren(...plan.saves.map(saveRow));
      setShown(more, true);
    },
    /** @param {string} text */
    busy(text) {
      start.disabled = Boolean(text);
      setText(start, text || "Start training");
    },
  };
}
