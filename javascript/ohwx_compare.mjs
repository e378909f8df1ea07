// The tab "ohwx compare". Everything is read again by polling, so that a reload or a dropped connection loses nothing.

/** @import { CompareRequest, Parts, Run, Server, State } from "./ohwx_types" */

/**
 * A module of this folder. The webui loads every .mjs under an address with its mtime; the same address gives the same
 * module, and never an older one out of the browser's cache.
 *
 * @param {string} name
 */
function part(name) {
  const loaded = [...document.scripts].map((script) => script.src).find((src) => src.includes(`/ohwx_${name}.mjs`));
  return import(loaded ?? `./ohwx_${name}.mjs`);
}

const NAMES = ["server", "send", "words", "dom", "memory", "polling", "views", "dialog", "face", "axes", "axes_form"];
const MORE = ["checkpoints", "toy", "cost", "picture", "request_form", "draft", "runs", "page", "judge", "run"];
const REST = ["faces", "run_menu", "grow", "bin", "pnginfo", "whole_run"];
const [first, second, ...others] = await Promise.all([...NAMES, ...MORE, ...REST].map(part));
const server = /** @type {Server} */ (first);
const send = /** @type {typeof import("./ohwx_send.mjs")} */ (second);
const parts = /** @type {Parts} */ (Object.assign({}, ...others));
const { make, button, setShown, setText } = parts;
const memory = parts.memory("ohwx-compare", () => sessionStorage);

/**
 * @typedef {object} Hooks what the parts of the tab ask of it
 * @property {(id: string | null, run?: Run) => void} open look at a run, or at the draft with null
 * @property {(request: Partial<CompareRequest>) => void} use make a draft of it
 * @property {(infotext: string) => void} read make a draft of it
 * @property {(files: File[]) => void} drop make a draft of them
 * @property {() => void} poll
 * @property {(text: string) => void} say what went wrong
 * @property {() => State | null} state
 * @property {(id: string) => void} follow a run that is called so now
 */

/** @param {Hooks} hooks */
function partsOfTab({ open, use, read, drop, poll, say, state, follow }) {
  const kept = { recall: memory.get, remember: memory.set, changed: poll };
  const place = make("div"); // of the bin's dialog
  const bin = parts.binView(parts, server, place, (id) => (id ? follow(id) : poll()));
  return {
    list: parts.runList(parts, server, open),
    bin,
    place,
    draft: parts.draftView(parts, server, {
      remember: (answer) => memory.set("draft", answer),
      changed: poll,
      started(run) {
        open(run.id, run);
        poll();
      },
    }),
    chosen: parts.runView(parts, server, {
      changed: poll,
      change: (run) => use(parts.requestOf(run)),
      drop,
      state,
      moved: follow,
      deleted(id) {
        bin.undo(id);
        open(null);
        poll();
      },
      send: (sent) => send.sendTo(sent).catch((error) => say(error.message)),
    }),
    faces: parts.facesView(parts, server, kept),
    pnginfo: parts.pnginfoView(parts, server, { ...kept, draft: read }),
  };
}

/** The list beside what it leads to. @param {Node[]} side @param {Node[]} main */
function columns(side, main) {
  const list = make("nav", { className: "ohwx-side", "aria-label": "Runs" }, ...side);
  return make("div", { className: "ohwx-columns" }, list, make("div", { className: "ohwx-main" }, ...main));
}

function tab() {
  const away = make("p", { className: "ohwx-away", id: "ohwx-away", role: "status" });
  const fresh = button("New comparison", begin, { id: "ohwx-new" });
  const hooks = { open, use, read, drop, poll: () => poll(), say, state: () => state, follow };
  const { list, bin, place, draft, chosen, faces, pnginfo } = partsOfTab(hooks);
  const side = [fresh, list.node, bin.node, place];
  const views = [
    { name: "compare", words: "Compare", node: columns(side, [draft.node, chosen.node]) },
    { name: "faces", words: "Faces of existing pictures", node: faces.node },
    { name: "pnginfo", words: "PNG info of a folder", node: pnginfo.node },
  ];
  const { bar, panels, look } = parts.viewSwitch(parts, "ohwx compare", views, (name) => memory.set("view", name));
  const top = make("div", { className: "ohwx-line ohwx-top" }, bar, away);
  const node = make("div", { className: "ohwx-tab" }, top, ...panels);
  /** @type {State | null} */
  let state = null;
  /** @type {string | null} */
  let at = memory.get("run");
  let lost = 0;

  const poll = parts.polling({
    ask,
    failed: (error) => say(error.isAway ? "The webui does not answer. Trying again…" : error.message),
    isSeen: () => document.visibilityState === "visible" && node.offsetParent !== null,
    isBusy: () => Boolean(state?.runs.some(isWorking)) || faces.isWorking() || chosen.isJudging(),
    pace: { busy: 1000, idle: 4000 },
  });

  async function ask() {
    const isFirst = !state;
    state = /** @type {State} */ (await server.get("api/state"));
    setShown(away, false);
    if (isFirst) open(at);
    show(state);
    await faces.poll();
    await chosen.poll();
  }

  /** @param {string} text */
  function say(text) {
    setText(away, text);
    setShown(away, true);
  }

  function begin() {
    open(null);
    draft.node.querySelector("textarea")?.focus();
  }

  /** @param {string} infotext */
  function read(infotext) {
    look("compare");
    open(null);
    draft.read(infotext);
  }

  /** Wherever they fell. @param {File[]} files */
  function drop(files) {
    look("compare");
    open(null);
    draft.readFiles(files);
  }

  /** @param {Partial<CompareRequest>} request */
  function use(request) {
    draft.use({ request });
    open(null);
  }

  /** From the training tab. @param {Partial<CompareRequest>} request */
  function bring(request) {
    use(request);
    look("compare");
    bringForward(node);
  }

  /** @param {string | null} id @param {Run} [run] what is known of it before the next poll */
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

  /** @param {string} id of a run that the next answer tells */
  function follow(id) {
    at = id;
    memory.set("run", id);
    list.mark(id);
    poll();
  }

  /** @param {State} now */
  function show(now) {
    const run = now.runs.find((one) => one.id === at);
    lost = at && !run ? lost + 1 : 0;
    if (lost > 1)
      open(null); // once may be an answer from before it was started
    else if (run && chosen.node.hidden) open(at, run);
    else if (run) chosen.show(run);
    for (const view of [list, bin, draft, faces]) view.show(now);
  }

  /** As a reload of the page left it. */
  function restore() {
    const kept = memory.get("draft");
    if (kept) draft.use(kept);
    look(memory.get("view") ?? "compare");
    setShown(away, false);
    setShown(chosen.node, false);
    setShown(draft.node, !at);
  }

  keepKeys(node);
  parts.catchFiles(node, drop);
  document.addEventListener("visibilitychange", poll);
  document.addEventListener("ohwx-draft", (event) => bring(/** @type {CustomEvent} */ (event).detail));
  new IntersectionObserver(poll).observe(node);
  restore();
  return node;
}

/**
 * The webui's own keys (Ctrl+Enter, Escape) look for Generate and Interrupt in the tab that is open; here are none.
 *
 * @param {HTMLElement} node
 */
function keepKeys(node) {
  node.addEventListener("keydown", (event) => {
    const isGenerate = event.key === "Enter" && (event.ctrlKey || event.metaKey || event.altKey);
    if (event.key === "Escape" || isGenerate) event.stopPropagation();
  });
}

/** @param {Run} run */
const isWorking = (run) => !parts.isIdle(run);

/** Press the button of the webui's tab that holds `node`. @param {Node} node */
function bringForward(node) {
  const at = [...document.querySelectorAll("#tabs > .tabitem")].findIndex((panel) => panel.contains(node));
  const press = document.querySelectorAll("#tabs > .tab-nav > button")[at];
  if (press instanceof HTMLElement) press.click();
}

// The webui draws its tabs later than it loads this, and may draw them again.
const node = tab();
function settle() {
  const root = document.getElementById("ohwx-compare");
  if (root && node.parentNode !== root) root.replaceChildren(node);
  parts.linkRuns(parts);
}
new MutationObserver(settle).observe(document.documentElement, { childList: true, subtree: true });
settle();
