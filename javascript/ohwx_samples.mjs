// The pictures on the way: a row for each prompt and seed, a column each time that the training was looked at.

/** @import { Sampled, TrainingParts, TrainingRun } from "./ohwx_types" */

/** @typedef {Pick<Sampled, "prompt" | "seed"> & { cells: (Sampled | undefined)[] }} SampleRow */

/**
 * Samples in rows and columns; a cell is undefined where there is none.
 *
 * @param {readonly Sampled[]} samples
 * @returns {{ columns: { step: number, exposures: number }[], rows: SampleRow[] }}
 */
export function sampleTable(samples) {
  const exposures = new Map(samples.map((one) => [one.step, one.exposures]));
  const columns = [...exposures].sort((a, b) => a[0] - b[0]).map(([step, shown]) => ({ step, exposures: shown }));
  /** @type {Map<string, SampleRow>} */
  const rows = new Map();
  for (const one of samples) {
    const key = JSON.stringify([one.prompt, one.seed]);
    const row = rows.get(key) ?? { prompt: one.prompt, seed: one.seed, cells: columns.map(() => undefined) };
    row.cells[columns.findIndex((column) => column.step === one.step)] ??= one;
    rows.set(key, row);
  }
  return { columns, rows: [...rows.values()] };
}

/** @param {TrainingParts} parts */
export function sampleGrid({ make, setShown }) {
  const table = make("table", { className: "ohwx-samples" });
  const node = make("div", { className: "ohwx-table" }, table);
  let shown = "";

  /** @param {TrainingRun} run @param {Sampled | undefined} sample */
  function cell(run, sample) {
    if (!sample) return make("td");
    const path = sample.path.split("/").map(encodeURIComponent).join("/");
    const src = `ohwx/train/${encodeURIComponent(run.id)}/${path}`;
    const alt = `${sample.prompt}, seed ${sample.seed}, step ${sample.step}`;
    const image = make("img", { src, loading: "lazy", alt });
    return make("td", {}, make("a", { href: src, target: "_blank", rel: "noopener" }, image));
  }

  return {
    node,
    /** @param {TrainingRun} run @param {readonly Sampled[]} samples */
    show(run, samples) {
      setShown(node, samples.length);
      const key = `${run.id} ${samples.map((one) => one.path).join()}`;
      if (key === shown) return;
      shown = key;
      const { columns, rows } = sampleTable(samples);
      const heads = columns.map(({ step, exposures }) =>
        make("th", { scope: "col", title: `step ${step}` }, String(exposures)),
      );
      const lines = rows.map(({ prompt, seed, cells }) => {
        const head = make("th", { scope: "row" }, `${prompt} · seed ${seed}`);
        return make("tr", {}, head, ...cells.map((one) => cell(run, one)));
      });
      const head = make("tr", {}, make("th", {}, "Exposures"), ...heads);
      table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...lines));
    },
  };
}
