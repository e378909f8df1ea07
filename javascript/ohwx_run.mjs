// The chosen run: how it stands and what can be done with it; below it its page.

/** @import { Axis, CompareRequest, Parts, Run, RunState, Sent, Server, State } from "./ohwx_types" */

/** @typedef {"interrupt" | "skip" | "adopt" | "resume"} Action */

/** @type {Record<Action, { label: string, title: string, states: readonly RunState[] }>} */
const ACTIONS = {
  interrupt: {
    label: "Interrupt",
    title: "Works like the webui's own Interrupt button",
    states: ["drawing", "queued"],
  },
  skip: { label: "Skip", title: "Skip the current picture", states: ["drawing"] },
  adopt: {
    label: "Adopt",
    title: "Check its rows and pictures, and take it over; nothing is generated yet",
    states: ["stopped", "failed", "done"],
  },
  resume: { label: "Resume", title: "Generate the missing pictures", states: ["stopped", "failed"] },
};
const NAMES = /** @type {Action[]} */ (Object.keys(ACTIONS));

/** Whether it is done, and some of its cells can be tried again. @param {Pick<Run, "state" | "failed">} run */
export const isRetry = (run) => run.state === "done" && run.failed > 0;

/** @param {Action} name @param {Pick<Run, "state" | "failed" | "elsewhere">} run */
export const isPossible = (name, run) =>
  (ACTIONS[name].states.includes(run.state) || (name === "resume" && isRetry(run))) &&
  (name === "adopt" ? Boolean(run.elsewhere) : name !== "resume" || !run.elsewhere);

const ELSEWHERE =
  "This run was made elsewhere, or by an earlier version. You can look at it. Adopt it to resume it here: its rows " +
  "and pictures are checked first.";

/**
 * What a run was asked for, or its experiment, as the request of a new draft.
 *
 * @param {Pick<Run, "request" | "experiment">} run
 * @returns {Partial<CompareRequest>}
 */
export function requestOf({ request: asked, experiment }) {
  const { axes = [], notes, ...rest } = experiment ?? {}; // an experiment's remarks are no wish
  const named = axes.find((axis) => axis.kind === "checkpoint");
  const others = axes.filter((axis) => axis !== named);
  /** @type {Partial<CompareRequest>} */
  const request = asked ?? { ...rest, checkpoints: namesOf(named), axes: others, keep_before: true };
  return { ...request, checkpoints: (request.checkpoints ?? []).map(withoutHash), name: "" };
}

/** The checkpoints of an axis. @param {Axis | undefined} axis */
const namesOf = (axis) => (typeof axis?.values === "string" ? [axis.values] : (axis?.values ?? [])).map(String);

/** @param {string} name */
const withoutHash = (name) => name.replace(/ \[[0-9a-f]{10,64}\]$/, "");

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {object} hooks
 * @param {() => void} hooks.changed
 * @param {(run: Run) => void} hooks.change make a draft of it
 * @param {(sent: Sent) => void} hooks.send
 * @param {(files: File[]) => void} hooks.drop
 * @param {() => State | null} hooks.state
 * @param {(id: string) => void} hooks.moved the run is called so now
 * @param {(id: string) => void} hooks.deleted it lies in the bin, under this name
 */
export function runView(parts, server, hooks) {
  const { make, button, setShown, setText } = parts;
  const name = make("h3");
  const words = make("span", { className: "ohwx-grey", id: "ohwx-standing" });
  const now = make("span", { className: "ohwx-grey ohwx-now", id: "ohwx-now" });
  const bar = parts.progress(parts, "Progress");
  const fault = make("p", { className: "ohwx-error", id: "ohwx-fault", role: "alert" });
  const note = make("p", { className: "ohwx-grey", id: "ohwx-elsewhere", role: "status" });
  const buttons = new Map(
    NAMES.map((act) => {
      const { label, title } = ACTIONS[act];
      return [act, button(label, () => press(act), { id: `ohwx-${act}`, title })];
    }),
  );
  const change = button("Copy to a new draft", copy, { id: "ohwx-change" });
  const link = { id: "ohwx-alone", target: "_blank", rel: "noopener", className: "ohwx-button" };
  const alone = make("a", link, "Open in a new tab");
  const vote = make("a", { ...link, id: "ohwx-vote" }, "Vote");
  const place = make("div"); // of dialogs
  const page = parts.pageFrame(parts, server, hooks);
  const judge = parts.judgeView(parts, server);
  const menu = parts.runMenu(parts, server, place, {
    run: () => run,
    state: hooks.state,
    show(next) {
      show(next);
      hooks.changed();
    },
    moved: hooks.moved,
    deleted: hooks.deleted,
  });
  const acts = make("span", { className: "ohwx-buttons" }, ...buttons.values(), change, vote, alone, menu.node);
  const head = make("div", { className: "ohwx-line ohwx-head" }, name, words, now, acts, judge.node);
  const inside = [head, bar.node, note, fault, page.node, place];
  const node = make("section", { className: "ohwx-chosen", "aria-label": "Run" }, ...inside);
  /** @type {Run | null} */
  let run = null;
  let refused = "";
  /** @type {Action | ""} */
  let busy = "";

  /** @param {string} id */
  const at = (id) => `api/runs/${encodeURIComponent(id)}`;

  /** What goes wrong on the way is said where the run's own errors stand. @param {(id: string) => Promise<void>} way */
  async function told(way) {
    if (!run) return;
    const mine = run.id;
    let sentence = "";
    try {
      await way(mine);
    } catch (error) {
      sentence = /** @type {Error} */ (error).message;
    }
    if (run?.id === mine) refused = sentence;
    draw();
  }

  function copy() {
    return told(async (id) => hooks.change(await server.get(at(id))));
  }

  /** @param {Action} act */
  async function press(act) {
    busy = act;
    await told(async (mine) => {
      draw();
      const next = await server.post(`${at(mine)}/${act}`);
      if (run?.id === mine) show(next);
      hooks.changed();
    });
    busy = "";
    draw();
  }

  function draw() {
    if (!run) return;
    setText(name, run.id);
    setText(words, parts.standing(run, parts));
    setText(now, ["drawing", "adopting", "merging"].includes(run.state) ? run.now : "");
    bar.show(run);
    setShown(bar.node, run.state !== "done");
    setText(fault, refused || run.error || "");
    setShown(fault, refused || run.error);
    setText(note, run.elsewhere ? ELSEWHERE : run.said || "");
    setShown(note, run.elsewhere || run.said);
    for (const [act, one] of buttons) {
      setShown(one, isPossible(act, run));
      one.disabled = busy === act;
    }
    drawResume(isRetry(run));
    setShown(alone, run.page);
    setShown(judge.node, run.done > 0 && !run.elsewhere);
    if (alone.getAttribute("href") !== run.page) alone.href = run.page;
    setShown(vote, run.page && run.done > 0 && !run.elsewhere);
    const theme = document.body.classList.contains("dark") ? "dark" : "light";
    vote.href = run.page.replace(/index\.html$/, `votes/index.html#${theme}`);
  }

  /** @param {boolean} isAgain */
  function drawResume(isAgain) {
    const resume = buttons.get("resume");
    if (!resume) return;
    setText(resume, isAgain ? "Retry failed cells" : ACTIONS.resume.label);
    resume.classList.toggle("ohwx-primary", !isAgain);
  }

  /** @param {Run} next */
  function show(next) {
    if (run?.id !== next.id) refused = "";
    run = next;
    draw();
    judge.show(run);
    menu.show(run);
    if (run.page) page.show(run);
    else page.close(); // a damaged folder has none
  }

  return {
    node,
    show,
    isJudging: judge.isWorking,
    poll: judge.poll,
    close() {
      run = null;
      page.close();
    },
  };
}
