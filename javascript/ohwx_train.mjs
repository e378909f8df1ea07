// The tab "ohwx train". The training is a process of its own; everything here is read again from its files by polling.

/** @import { Recipe, Server, TrainingParts, TrainingRun, TrainingState } from "./ohwx_types" */

/** As in ohwx_compare.mjs: the module under the address that the webui loaded it from. @param {string} name */
function part(name) {
  const loaded = [...document.scripts].map((script) => script.src).find((src) => src.includes(`/ohwx_${name}.mjs`));
  return import(loaded ?? `./ohwx_${name}.mjs`);
}

const NAMES = ["server", "words", "dom", "memory", "polling", "runs", "chart"];
const MORE = ["recipe", "pasted", "dataset", "plan", "recipe_fields", "recipe_form", "events", "samples", "training"];
const [first, ...others] = await Promise.all([...NAMES, ...MORE].map(part));
const server = /** @type {Server} */ (first);
const parts = /** @type {TrainingParts} */ (Object.assign({}, ...others));
const { make, button, setText, setShown } = parts;
const memory = parts.memory("ohwx-train", () => sessionStorage);

const NO_TRAINING = "No trainings yet. Every training that you start is listed here, also after a restart.";
const FIRST = { preset: "corrected", name: "ohwx" };

/** @param {TrainingRun} run @param {() => void} choose */
function trainingRow(run, choose) {
  const words = make("span", { className: "ohwx-grey" });
  const bar = parts.progress(parts, run.id);
  const about = make("span", { className: "ohwx-run-words" }, make("b", {}, run.id), words, bar.node);
  const press = make("button", { type: "button", className: "ohwx-run", onclick: choose }, about);
  return {
    node: press,
    press,
    /** @param {TrainingRun} now */
    show(now) {
      setText(words, parts.trainingStanding(now, parts));
      bar.show(parts.trained(now));
      setShown(bar.node, now.state !== "done");
      press.dataset.state = now.state;
    },
  };
}

function tab() {
  const away = make("p", { className: "ohwx-away", id: "ohwx-train-away", role: "status", hidden: true });
  const place = make("div");
  const fresh = button("New training", () => open(null), { id: "ohwx-train-new" });
  const list = parts.sideList(parts, { label: "Trainings", none: NO_TRAINING }, trainingRow, (id) => open(id));
  const view = parts.trainingView(parts, server, {
    changed: () => poll(),
    change(recipe) {
      draw(recipe);
      open(null);
    },
    compare: (request) => document.dispatchEvent(new CustomEvent("ohwx-draft", { detail: request })),
  });
  const side = make("nav", { className: "ohwx-side", "aria-label": "Trainings" }, fresh, list.node);
  const main = make("div", { className: "ohwx-main" }, place, view.node);
  const top = make("div", { className: "ohwx-line ohwx-top" }, away);
  const node = make("div", { className: "ohwx-tab" }, top, make("div", { className: "ohwx-columns" }, side, main));
  /** @type {TrainingState | null} */
  let state = null;
  /** @type {ReturnType<typeof parts.recipeForm> | null} */
  let form = null;
  /** @type {string | null} */
  let at = memory.get("run");

  const poll = parts.polling({
    ask,
    failed(error) {
      setText(away, error.isAway ? "The webui does not answer. Trying again…" : error.message);
      setShown(away, true);
    },
    isSeen: () => document.visibilityState === "visible" && node.offsetParent !== null,
    isBusy: () => Boolean(state?.runs.some((run) => run.state === "running")),
    pace: { busy: 2000, idle: 5000 },
  });

  async function ask() {
    const isFirst = !state;
    const now = /** @type {TrainingState} */ (await server.get("api/train"));
    state = now;
    setShown(away, false);
    list.show(now.runs);
    form?.follow(now);
    view.others(now.runs);
    if (isFirst) {
      draw(memory.get("recipe") ?? FIRST);
      open(at);
    }
    const run = now.runs.find((one) => one.id === at);
    if (run) {
      view.show(run);
      await view.read();
    } else if (at) open(null);
  }

  /** @param {Recipe} recipe */
  function draw(recipe) {
    if (!state) return;
    form = parts.recipeForm(parts, server, state, recipe, {
      remember: (now) => memory.set("recipe", now),
      started(run) {
        open(run.id, run);
        poll();
      },
    });
    place.replaceChildren(form.node);
  }

  /**
   * Look at a training, or at the recipe with null.
   *
   * @param {string | null} id
   * @param {TrainingRun} [run] what is known of it before the next poll
   */
  function open(id, run = state?.runs.find((one) => one.id === id)) {
    at = run ? id : null;
    memory.set("run", at);
    list.mark(at);
    fresh.setAttribute("aria-current", String(!at));
    setShown(place, !at);
    setShown(view.node, at);
    if (run) {
      view.show(run);
      view.read().catch(() => {});
    } else view.close();
  }

  setShown(view.node, false);
  document.addEventListener("visibilitychange", poll);
  new IntersectionObserver(poll).observe(node);
  return node;
}

const node = tab();
function settle() {
  const root = document.getElementById("ohwx-train");
  if (root && node.parentNode !== root) root.replaceChildren(node);
}
new MutationObserver(settle).observe(document.documentElement, { childList: true, subtree: true });
settle();
