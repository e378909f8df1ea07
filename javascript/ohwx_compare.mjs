// The tab "ohwx compare". Everything is read again by polling, so that a reload or a dropped connection loses nothing.

// The webui loads every .mjs of this folder under an address with its mtime; the same address gives the same module, and
// never an older one out of the browser's cache.
function part(name) {
  const loaded = [...document.scripts].map((script) => script.src).find((src) => src.includes(`/ohwx_${name}.mjs`));
  return import(loaded ?? `./ohwx_${name}.mjs`);
}

const NAMES = ["dom", "face", "axes", "checkpoints", "toy", "draft", "runs", "page", "run", "faces", "pnginfo"];
const [server, send, ...rooms] = await Promise.all(["server", "send", ...NAMES].map(part));
const parts = Object.assign({}, ...rooms);
const { make, button, setShown, setText } = parts;

const KEY = "ohwx-compare";
const VIEWS = [["compare", "Compare"], ["faces", "Faces of existing pictures"], ["pnginfo", "PNG info of a folder"]];

// What a reload of the page shall find again.
const memory = (() => {
  let kept = {};
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    // no storage here, or another's words in it: nothing is remembered
  }
  return {
    get: (name) => kept[name] ?? null,
    set(name, value) {
      kept[name] = value;
      try {
        sessionStorage.setItem(KEY, JSON.stringify(kept));
      } catch {
        // full or forbidden
      }
    },
  };
})();

function tab() {
  const away = make("p", { className: "ohwx-away", id: "ohwx-away", role: "status" });
  const tabs = Object.fromEntries(VIEWS.map(([name, words]) => [name,
    make("button", { type: "button", id: `ohwx-tab-${name}`, role: "tab", "aria-controls": `ohwx-view-${name}`, onclick: () => look(name) }, words)]));
  const fresh = button("New comparison", () => { open(null); draft.node.querySelector("textarea")?.focus(); }, { id: "ohwx-new" });
  const list = parts.runList(parts, (id) => open(id));
  const draft = parts.draftView(parts, server, {
    remember: (answer) => memory.set("draft", answer),
    changed: () => poll(),
    started(run) { open(run.id, run); poll(); },
  });
  const chosen = parts.runView(parts, server, {
    changed: poll,
    change(run) { draft.use({ request: parts.requestOf(run) }); open(null); },
    send: (what) => send.sendTo(what).catch((error) => { setText(away, error.message); setShown(away, true); }),
  });
  const recall = { recall: memory.get, remember: memory.set, changed: () => poll() };
  const faces = parts.facesView(parts, server, recall);
  const pnginfo = parts.pnginfoView(parts, server, { ...recall, draft(text) { look("compare"); open(null); draft.read(text); } });
  const main = make("div", { className: "ohwx-main" }, draft.node, chosen.node);
  const views = {
    compare: make("div", { className: "ohwx-columns" }, make("nav", { className: "ohwx-side", "aria-label": "Runs" }, fresh, list.node), main),
    faces: faces.node,
    pnginfo: pnginfo.node,
  };
  const bar = make("div", { className: "ohwx-tabs", role: "tablist", "aria-label": "ohwx compare" }, ...Object.values(tabs));
  const node = make("div", { className: "ohwx-tab" }, make("div", { className: "ohwx-line ohwx-top" }, bar, away),
    ...VIEWS.map(([name]) => make("div", { id: `ohwx-view-${name}`, role: "tabpanel", "aria-labelledby": `ohwx-tab-${name}` }, views[name])));
  let state = null, at = memory.get("run"), view = memory.get("view") ?? "compare", misses = 0, lost = 0, timer = 0, isAsking = false, isWanted = false;

  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const names = VIEWS.map(([name]) => name);
    look(names[(names.indexOf(view) + step + names.length) % names.length]);
    tabs[view].focus();
  });

  function look(name) {
    view = tabs[name] ? name : "compare";
    memory.set("view", view);
    for (const [one] of VIEWS) {
      tabs[one].setAttribute("aria-selected", String(one === view));
      tabs[one].tabIndex = one === view ? 0 : -1;
      setShown(node.querySelector(`#ohwx-view-${one}`), one === view);
    }
  }

  // Look at a run, or at the draft with null. `run` is what is known of it before the next poll.
  function open(id, run = state?.runs.find((one) => one.id === id)) {
    at = run ? id : null;
    memory.set("run", at);
    list.mark(at);
    fresh.setAttribute("aria-current", String(!at));
    setShown(draft.node, !at);
    setShown(chosen.node, at);
    if (run) chosen.show(run);
    else chosen.close();
  }

  function show() {
    const run = state.runs.find((one) => one.id === at);
    lost = at && !run ? lost + 1 : 0;
    if (lost > 1) open(null); // once may be an answer from before it was started
    else if (run) chosen.show(run);
    list.show(state);
    draft.show(state);
    faces.show(state);
  }

  const isSeen = () => document.visibilityState === "visible" && node.offsetParent !== null;

  function pace() {
    const works = state?.runs.some((run) => ["drawing", "queued"].includes(run.state)) || faces.isWorking();
    return misses ? Math.min(1000 * 2 ** misses, 20_000) : works ? 1000 : 4000;
  }

  // Only while somebody looks; to look again asks at once.
  async function poll() {
    isWanted = isAsking;
    if (isAsking || !isSeen()) return;
    clearTimeout(timer);
    isAsking = true;
    try {
      const first = !state;
      state = await server.get("api/state");
      misses = 0;
      setShown(away, false);
      if (first) open(at);
      show();
      await faces.poll();
    } catch (error) {
      misses += 1;
      setText(away, error.isAway ? "The webui does not answer; it is asked again." : error.message);
      setShown(away, true);
    }
    isAsking = false;
    timer = setTimeout(poll, isWanted && !misses ? 0 : pace());
  }

  // The webui's own keys (Ctrl+Enter, Escape) look for Generate and Interrupt in the tab that is open; here are none.
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.altKey))) event.stopPropagation();
  });
  document.addEventListener("visibilitychange", poll);
  document.addEventListener("ohwx-draft", ({ detail }) => { // from the training tab
    draft.use({ request: detail });
    look("compare");
    open(null);
    bringForward(node);
  });
  new IntersectionObserver(poll).observe(node);
  const kept = memory.get("draft");
  if (kept) draft.use(kept);
  look(view);
  setShown(away, false);
  setShown(chosen.node, false);
  setShown(draft.node, !at);
  return node;
}

// Press the button of the webui's tab that holds `node`.
function bringForward(node) {
  const at = [...document.querySelectorAll("#tabs > .tabitem")].findIndex((panel) => panel.contains(node));
  if (at >= 0) document.querySelectorAll("#tabs > .tab-nav > button")[at]?.click();
}

// The webui draws its tabs later than it loads this, and may draw them again.
const node = tab();
function settle() {
  const root = document.getElementById("ohwx-compare");
  if (root && node.parentNode !== root) root.replaceChildren(node);
}
new MutationObserver(settle).observe(document.documentElement, { childList: true, subtree: true });
settle();
