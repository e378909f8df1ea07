// The tab "ohwx train". The training is a process of its own; everything here is read again from its files by polling.

// As in ohwx_compare.mjs: the module under the address that the webui loaded it from.
function part(name) {
  const loaded = [...document.scripts].map((script) => script.src).find((src) => src.includes(`/ohwx_${name}.mjs`));
  return import(loaded ?? `./ohwx_${name}.mjs`);
}

const [server, ...rooms] = await Promise.all(["server", "dom", "runs", "chart", "recipe", "training"].map(part));
const parts = Object.assign({}, ...rooms);
const { make, button, keyed, setText, setShown } = parts;
const KEY = "ohwx-train";

function memory() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function remember(values) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ ...memory(), ...values }));
  } catch {
    // full or forbidden: a reload forgets
  }
}

function trainingList(choose) {
  const list = make("ul", { className: "ohwx-runs", "aria-label": "Trainings" });
  const empty = make("p", { className: "ohwx-grey ohwx-empty", hidden: true }, "No training yet. Each one you start stands here, also after a restart.");
  const show = keyed(list, (run) => run.id, (run) => {
    const words = make("span", { className: "ohwx-grey" });
    const bar = parts.progress(parts);
    bar.node.setAttribute("aria-label", run.id);
    const press = make("button", { type: "button", className: "ohwx-run", onclick: () => choose(run.id) }, make("span", { className: "ohwx-run-words" }, make("b", {}, run.id), words, bar.node));
    return {
      node: make("li", {}, press),
      show(now) {
        setText(words, parts.trainingStanding(now, parts));
        bar.show({ percent: now.steps ? (100 * now.step) / now.steps : 0 });
        setShown(bar.node, now.state !== "done");
        press.dataset.state = now.state;
        press.setAttribute("aria-current", String(now.id === at));
      },
    };
  });
  let at = null, runs = [];
  const draw = () => { show(runs); setShown(empty, !runs.length); };
  return { node: make("div", {}, list, empty), show(now) { runs = now; draw(); }, mark(id) { at = id; draw(); } };
}

function tab() {
  const away = make("p", { className: "ohwx-away", id: "ohwx-train-away", role: "status", hidden: true });
  const place = make("div");
  const fresh = button("New training", () => open(null), { id: "ohwx-train-new" });
  const list = trainingList((id) => open(id));
  const view = parts.trainingView(parts, server, {
    changed: () => poll(),
    change(recipe) { draw(recipe); open(null); },
    compare: (request) => document.dispatchEvent(new CustomEvent("ohwx-draft", { detail: request })),
  });
  const node = make("div", { className: "ohwx-tab" }, make("div", { className: "ohwx-line ohwx-top" }, away),
    make("div", { className: "ohwx-columns" }, make("nav", { className: "ohwx-side", "aria-label": "Trainings" }, fresh, list.node), make("div", { className: "ohwx-main" }, place, view.node)));
  let state = null, at = memory().run ?? null, misses = 0, timer = 0, isAsking = false;

  function draw(recipe) {
    const form = parts.recipeForm(parts, server, state, recipe, {
      remember: (fields) => { try { remember({ recipe: parts.asRecipe(fields, state) }); } catch { /* half-typed JSON */ } },
      started(run) { open(run.id, run); poll(); },
    });
    place.replaceChildren(form.node);
  }

  function open(id, run = state?.runs.find((one) => one.id === id)) {
    at = run ? id : null;
    remember({ run: at });
    list.mark(at);
    fresh.setAttribute("aria-current", String(!at));
    setShown(place, !at);
    setShown(view.node, at);
    if (run) view.show(run);
    else view.close();
    if (run) view.read().catch(() => {});
  }

  const isSeen = () => document.visibilityState === "visible" && node.offsetParent !== null;
  const pace = () => (misses ? Math.min(1000 * 2 ** misses, 20_000) : state?.runs.some((run) => run.state === "running") ? 2000 : 5000);

  // Only while somebody looks; to look again asks at once.
  async function poll() {
    clearTimeout(timer);
    if (isAsking || !isSeen()) return;
    isAsking = true;
    try {
      const first = !state;
      state = await server.get("api/train");
      misses = 0;
      setShown(away, false);
      list.show(state.runs);
      view.others(state.runs);
      if (first) {
        draw(memory().recipe ?? { preset: "corrected", name: "ohwx" });
        open(at);
      }
      const run = state.runs.find((one) => one.id === at);
      if (at && !run) open(null);
      else if (run) { view.show(run); await view.read(); }
    } catch (error) {
      misses += 1;
      setText(away, error.isAway ? "The webui does not answer; it is asked again." : error.message);
      setShown(away, true);
    }
    isAsking = false;
    timer = setTimeout(poll, pace());
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
