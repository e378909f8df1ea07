// What a comparison will cost, in words, and Start beside it.

/** @import { Cost, Parts, Server, Words } from "./ohwx_types" */

/** @param {Cost} cost @param {Words} words */
export function costWords(cost, { counted, bytes, seconds, joined }) {
  const pictures = counted(cost.renders, "picture");
  const faces = cost.inpaints && counted(cost.inpaints, "face");
  const left = cost.renders || cost.inpaints;
  return joined([
    counted(cost.cells, "cell"),
    left ? `${[pictures, faces].filter(Boolean).join(" and ")} to generate` : "all generated already",
    left && counted(cost.switches, "checkpoint load"),
    left && `${bytes(cost.disk_bytes)} of disk`,
    cost.seconds && `about ${seconds(cost.seconds)}`,
  ]);
}

/**
 * Why it cannot start, "" where no checkpoint is missing.
 *
 * @param {Pick<Cost, "missing" | "checkpoints">} cost
 * @param {Pick<Words, "counted">} words
 */
export function missingWords({ missing, checkpoints }, { counted }) {
  if (!missing.length) return "";
  const [are, them, files] = missing.length > 1 ? ["are", "them", "their files"] : ["is", "it", "its file"];
  return `${missing.length} of ${counted(checkpoints, "checkpoint")} ${are} missing. Remove ${them}, or add ${files}.`;
}

const AWAY = "The webui does not answer, so the cost is unknown.";

/**
 * `ask` estimates a moment after the last change, `again` where the webui did not answer; `freeze` and `block` keep it
 * from starting.
 *
 * @template T
 * @param {Parts} parts
 * @param {Server} server
 * @param {() => T} request
 * @param {() => void} begin
 * @param {object} how
 * @param {string} how.path which tells the cost
 * @param {(asked: T) => unknown} how.body what it is asked
 * @param {string} how.label of the button
 * @param {string} how.id
 * @param {(asked: T) => string} how.nothing why nothing can be estimated yet; "" where it can
 * @param {(missing: readonly string[]) => void} [how.mend] leave out checkpoints that are missing
 */
export function costLine(parts, server, request, begin, { path, body, label, id, nothing, mend }) {
  const { make, button, setText } = parts;
  const words = make("span", { id: `${id}-cost`, role: "status" }, "Estimating…");
  const start = button(label, press, { id: `${id}-start`, className: "ohwx-button ohwx-primary" });
  const node = make("div", { className: "ohwx-cost" }, words, start);
  const now = { timer: 0, asking: new AbortController(), isStale: false, isEmpty: false }; // asking: the last estimate
  /** frozen: for good; fault: of the estimate; refusal: of the last start, which may be tried again */
  /** @type {readonly string[]} */
  let missing = [];
  const said = { frozen: /** @type {string | null} */ (null), fault: "", refusal: "", starting: "" };

  /** Begin, or say why not, and help where that can be helped. */
  function press() {
    const why = said.frozen || said.fault || (now.isEmpty && words.textContent);
    if (!why) {
      begin();
      return;
    }
    const canMend = mend && missing.length && !said.frozen;
    /** @type {Node[]} */
    const body = [make("p", {}, why), ...(canMend ? [make("ul", {}, ...parts.items(missing))] : [])];
    const accept = canMend ? "Remove what is missing" : undefined;
    const asks = { title: "This cannot start yet", body, accept, id: `${id}-why` };
    parts.openDialog(parts, node, asks, () => mend?.(missing));
  }

  /** @param {string} [text] */
  function draw(text) {
    const trouble = said.frozen || said.fault || said.refusal;
    if (trouble || text !== undefined) setText(words, trouble || text || "");
    node.classList.toggle("ohwx-bad", Boolean(trouble));
    start.disabled = Boolean(said.starting);
    setText(start, said.starting || label);
  }

  /** @param {string} text @param {string} [fault] */
  function tell(text, fault = "") {
    now.isStale = false;
    Object.assign(said, { fault, refusal: "" });
    draw(text);
  }

  async function estimate() {
    now.asking.abort();
    now.asking = new AbortController();
    const mine = now.asking.signal;
    const asked = request();
    const empty = nothing(asked);
    now.isEmpty = Boolean(empty);
    missing = [];
    if (empty) {
      tell(empty);
      return;
    }
    try {
      /** @type {Cost} */
      const cost = await server.post(path, body(asked), 30, mine);
      if (mine.aborted) return;
      missing = cost.missing;
      tell(costWords(cost, parts), missingWords(cost, parts));
    } catch (error) {
      if (!mine.aborted) failed(error);
    }
  }

  /** @param {any} error */
  function failed(error) {
    now.isStale = error.isAway;
    said.fault = error.isAway ? "" : error.message;
    draw(error.isAway ? AWAY : undefined);
  }

  return {
    node,
    ask() {
      said.fault = ""; // of what was asked before
      now.isEmpty = false;
      clearTimeout(now.timer);
      now.timer = window.setTimeout(estimate, 350);
    },
    again() {
      if (!now.isStale) return;
      now.isStale = false;
      estimate();
    },
    /** @param {string | null} sentence */
    freeze(sentence) {
      if (said.frozen === sentence) return;
      said.frozen = sentence;
      draw();
      if (!sentence) estimate();
    },
    /** @param {string} starting @param {string} [refusal] */
    block(starting, refusal = "") {
      Object.assign(said, { starting, refusal });
      draw();
    },
  };
}
