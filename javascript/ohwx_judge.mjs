// Judging the chosen run: photographs, the button, the sentence, the report; and the fetch of the face network.

/** @import { JudgeJob, Parts, Run, Server, Weights } from "./ohwx_types" */

const HINT =
  "Measures every picture against your photographs and says which checkpoint to keep. The folders are on the machine " +
  "that runs the webui. Without photographs those are taken that the recipe beside the checkpoints trains on; " +
  "photographs of others are needed only where the run has no picture of the base.";

const FOLDERS = /** @type {const} */ ([
  ["photos", "Photographs of the person", "/photos/me"],
  ["held_out", "Photographs that were not trained on", ""],
  ["negatives", "Photographs of others", ""],
]);

/** @param {Pick<JudgeJob, "state"> | null} job */
export const isJudging = (job) => job?.state === "queued" || job?.state === "drawing";

/** How far it is, in words. @param {JudgeJob | null} job */
export function judgeWords(job) {
  if (!job || !job.state) return "";
  if (job.state === "queued") return "Waiting for its turn";
  if (job.state === "drawing") return job.total ? `${job.done} of ${job.total} pictures measured` : "Reading the run";
  return job.state === "stopped" ? "Stopped; what was measured is kept" : "";
}

/**
 * @param {Parts} parts
 * @param {Server} server
 */
export function judgeView(parts, server) {
  const { make, button, field, fields, textInput, setShown, setText } = parts;
  /** @type {Record<string, HTMLInputElement>} */
  const inputs = {};
  const rows = FOLDERS.map(([name, words, placeholder]) => {
    const input = textInput(`ohwx-judge-${name}`, { placeholder });
    inputs[name] = input;
    return field(words, input, "ohwx-double");
  });
  const start = button("Judge", begin, { id: "ohwx-judge-start", className: "ohwx-button ohwx-primary" });
  const stop = button("Interrupt", halt, { id: "ohwx-judge-stop" });
  const words = make("span", { className: "ohwx-grey", role: "status", id: "ohwx-judge-standing" });
  const { node: fault, say } = parts.errorLine();
  const headline = make("p", { id: "ohwx-judge-headline" });
  const link = { target: "_blank", rel: "noopener", className: "ohwx-button" };
  const page = make("a", { ...link, id: "ohwx-judge-page" }, "Open the report");
  const markdown = make("a", { ...link, id: "ohwx-judge-markdown" }, "Markdown");
  const report = make("p", { className: "ohwx-line" }, page, markdown);
  const styles = make("p", { className: "ohwx-line", id: "ohwx-judge-styles", hidden: true });
  const network = weightsLine(parts, server, say);
  const line = make("div", { className: "ohwx-line" }, start, stop, words);
  const hint = make("p", { className: "ohwx-grey" }, HINT);
  const inside = [hint, network.node, fields(...rows), line, fault, headline, report, styles];
  const node = make("details", { id: "ohwx-judge" }, make("summary", { className: "ohwx-button" }, "Judge"), ...inside);
  let run = "";
  /** @type {JudgeJob | null} */
  let job = null;

  const at = () => `api/runs/${encodeURIComponent(run)}/judge`;

  /** @param {() => Promise<JudgeJob>} way */
  async function asked(way) {
    const mine = run;
    try {
      const answer = await way();
      if (mine !== run) return;
      job = answer;
      say(job.error ?? "");
    } catch (error) {
      if (mine === run) say(/** @type {Error} */ (error).message);
    }
    draw();
  }

  async function begin() {
    start.disabled = true;
    const body = Object.fromEntries(FOLDERS.map(([name]) => [name, inputs[name]?.value.trim() ?? ""]));
    await asked(() => server.post(at(), body));
    start.disabled = false;
  }

  function halt() {
    return asked(() => server.post(`${at()}/interrupt`));
  }

  function draw() {
    setShown(stop, isJudging(job));
    setShown(start, !isJudging(job));
    setText(words, judgeWords(job));
    setText(headline, (job?.headline ?? []).join(" "));
    setShown(report, job?.page);
    if (job?.page) Object.assign(page, { href: job.page });
    if (job?.page) Object.assign(markdown, { href: job.markdown });
    drawStyles();
  }

  function drawStyles() {
    const files = job?.styles ?? [];
    setShown(styles, files.length);
    const links = files.map(({ name, href }) => make("a", { href, download: `styles of ${name}.csv` }, name));
    styles.replaceChildren("Styles that it keeps, as styles.csv:", ...links);
  }

  node.addEventListener("toggle", () => {
    if (!node.open) return;
    network.ask();
    asked(() => server.get(at()));
  });

  return {
    node,
    isWorking: () => isJudging(job),
    /** Asked after each poll while it is measured. */
    poll: async () => (isJudging(job) ? asked(() => server.get(at())) : undefined),
    /** @param {Run} next */
    show(next) {
      if (next.id === run) return;
      run = next.id;
      job = null;
      say("");
      draw();
      if (node.open) asked(() => server.get(at()));
    },
  };
}

/**
 * What the fetch of the face network does is said before it can be pressed.
 *
 * @param {Pick<Parts, "make" | "button" | "setShown" | "setText">} parts
 * @param {Server} server
 * @param {(text: string) => void} say
 */
function weightsLine({ make, button, setShown, setText }, server, say) {
  const what = make("pre", { id: "ohwx-weights-said", className: "ohwx-grey" });
  const fetch = button("Fetch the face network", press, { id: "ohwx-weights" });
  const node = make("div", { hidden: true }, what, fetch);

  /** @param {Weights} weights */
  function show(weights) {
    setText(what, `${weights.reason}\n\n${weights.said}`);
    setShown(node, !weights.there);
  }

  /** @param {() => Promise<Weights>} way */
  async function asked(way) {
    try {
      show(await way());
      say("");
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
  }

  async function press() {
    fetch.disabled = true;
    setText(fetch, "Fetching…");
    await asked(() => server.post("api/judge/weights", {}, 1800));
    setText(fetch, "Fetch the face network");
    fetch.disabled = false;
  }

  return { node, ask: () => asked(() => server.get("api/judge")) };
}
