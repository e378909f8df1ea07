// The list of runs: newest first, what each is doing, and which one is looked at.

/** @import { Parts, Run, Server, State, Words } from "./ohwx_types" */

/** @type {Record<string, string>} */
export const STATES = {
  queued: "waiting",
  drawing: "generating",
  adopting: "adopting",
  merging: "merging",
  stopped: "stopped",
  done: "done",
  failed: "failed",
};

/** One line under a run's name. @param {Run} run @param {Words} words */
export function standing(run, { counted, seconds, joined }) {
  const left = run.state === "drawing" && run.seconds_left !== null && `${seconds(run.seconds_left)} left`;
  const count = run.state === "done" && !run.failed ? counted(run.cells, "cell") : `${run.done} of ${run.cells}`;
  const notes = run.noted && `${run.noted} with notes`;
  return joined([STATES[run.state] ?? run.state, count, run.failed && `${run.failed} failed`, notes, left]);
}

/** A bar. @param {Pick<Parts, "make">} parts @param {string} label */
export function progress({ make }, label) {
  const fill = make("span", {});
  const range = { "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": label };
  const node = make("span", { className: "ohwx-progress", role: "progressbar", ...range }, fill);
  return {
    node,
    /** @param {{ percent: number }} now */
    show(now) {
      const percent = Math.round(now.percent);
      if (node.getAttribute("aria-valuenow") === String(percent)) return;
      node.setAttribute("aria-valuenow", String(percent));
      fill.style.width = `${percent}%`;
    },
  };
}

/**
 * Names in a column, one of them marked as looked at.
 *
 * @template {{ id: string }} T
 * @param {Pick<Parts, "make" | "keyed" | "setShown">} parts
 * @param {{ label: string, none: string }} words
 * @param {(item: T, choose: () => void) => { node: HTMLElement, press: HTMLElement, show: (item: T) => void }} row
 * @param {(id: string) => void} choose
 */
export function sideList({ make, keyed, setShown }, words, row, choose) {
  const list = make("ul", { className: "ohwx-runs", "aria-label": words.label });
  const empty = make("p", { className: "ohwx-grey ohwx-empty", hidden: true }, words.none);
  /** @type {readonly T[]} */
  let all = [];
  /** @type {string | null} */
  let chosen = null;
  /** @type {(items: readonly T[]) => void} */
  const show = keyed(
    list,
    (item) => item.id,
    (item) => {
      const { node, press, show: showRow } = row(item, () => choose(item.id));
      return {
        node: make("li", {}, node),
        show(now) {
          showRow(now);
          press.setAttribute("aria-current", String(now.id === chosen));
        },
      };
    },
  );
  const draw = () => {
    show(all);
    setShown(empty, !all.length);
  };
  return {
    node: make("div", {}, list, empty),
    /** @param {readonly T[]} now */
    show(now) {
      all = now;
      draw();
    },
    /** @param {string | null} id */
    mark(id) {
      chosen = id;
      draw();
    },
  };
}

const SEARCHED = "In names, prompts, checkpoints, values of axes, tags and notes";
const NO_RUN = "No runs yet. Every comparison that you start is listed here, also after a restart.";

/**
 * The list, and a field that looks for runs by what they hold.
 *
 * @param {Parts} parts
 * @param {Server} server
 * @param {(id: string) => void} choose
 */
export function runList(parts, server, choose) {
  const { make, textInput, setShown } = parts;
  const props = { type: "search", placeholder: "Search", "aria-label": "Search the runs", title: SEARCHED };
  const search = textInput("ohwx-runs-search", props);
  /** @type {ReturnType<typeof sideList<Run>>} */
  const list = sideList(parts, { label: "Runs", none: NO_RUN }, (run, press) => runRow(parts, run, press), choose);
  const nothing = make("p", { className: "ohwx-grey ohwx-empty", hidden: true }, "No run holds these words.");
  /** @type {readonly Run[]} */
  let runs = [];
  const now = { timer: 0, asked: "", found: /** @type {Set<string> | null} */ (null) };

  function draw() {
    const { found } = now;
    const shown = found ? runs.filter((run) => found.has(run.id)) : runs;
    setShown(search, runs.length > 1 || search.value);
    setShown(nothing, runs.length && !shown.length);
    setShown(list.node, shown.length || !runs.length);
    list.show(shown);
  }

  /** What is looked for, and in which runs: asked again when either changes. */
  const question = () => JSON.stringify([search.value.trim(), runs.map((run) => run.id)]);

  async function look() {
    const asked = question();
    if (asked === now.asked) return;
    now.asked = asked;
    const words = search.value.trim();
    const found = words ? new Set((await server.post("api/search", { words })).ids) : null;
    if (asked !== now.asked) return;
    now.found = found;
    draw();
  }

  search.addEventListener("input", () => {
    clearTimeout(now.timer);
    now.timer = window.setTimeout(() => look().catch(() => {}), 200); // that nobody answers is said in one place
  });
  return {
    node: make("div", {}, search, list.node, nothing),
    mark: list.mark,
    show(/** @type {State} */ state) {
      ({ runs } = state);
      draw();
      if (search.value) look().catch(() => {});
    },
  };
}

/** @param {Parts} parts @param {Run} run @param {() => void} choose */
function runRow(parts, run, choose) {
  const { make, setText, setShown } = parts;
  const title = make("span", { className: "ohwx-grey" });
  const thumb = make("img", { alt: "", loading: "lazy", onerror: () => setShown(thumb, false) });
  const words = make("span", { className: "ohwx-grey ohwx-words" });
  const bar = progress(parts, run.id);
  const press = make(
    "button",
    { type: "button", className: "ohwx-run", onclick: choose },
    make("span", { className: "ohwx-thumb" }, thumb),
    make("span", { className: "ohwx-run-words" }, make("b", {}, run.id), title, words, bar.node),
  );
  return {
    node: press,
    press,
    /** @param {Run} now */
    show(now) {
      setText(title, now.title);
      setShown(title, now.title);
      setText(words, standing(now, parts));
      setShown(bar.node, ["drawing", "queued", "adopting", "merging", "stopped"].includes(now.state));
      bar.show(now);
      press.dataset.state = now.state;
      const src = now.thumb ?? "";
      if (src && thumb.getAttribute("src") !== src) thumb.src = src;
      setShown(thumb, src && !(thumb.complete && !thumb.naturalWidth));
    },
  };
}
