// A run's own page in a frame: told of new pictures without losing the reader's place, as large as the window when a
// picture is opened, and listened to when one shall be sent to another tab.

/** @import { Parts, Run, Sent, Server } from "./ohwx_types" */

const PATIENCE = 4000; // ms that a page may take until it is loaded again

/** What the page of a run changes with, and nothing else. @param {Pick<Run, "done" | "failed" | "state">} run */
export const pageState = (run) => [run.done, run.failed, run.state].join();

/** What stands below `node` although nothing is there: px of edges around it. @param {HTMLElement} node */
function spaceBelow(node) {
  let space = 0;
  for (let around = node.parentElement; around; around = around.parentElement) {
    const { paddingBottom, borderBottomWidth, marginBottom } = getComputedStyle(around);
    for (const one of [paddingBottom, borderBottomWidth, marginBottom]) space += parseFloat(one) || 0;
  }
  return space;
}

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {{ send: (sent: Sent) => void, drop: (files: File[]) => void }} hooks
 */
export function pageFrame({ make, setText, setShown }, server, { send, drop }) {
  const hold = make("div", { className: "ohwx-hold" });
  const fault = make("p", { className: "ohwx-grey ohwx-empty", hidden: true });
  /** @type {HTMLIFrameElement | null} */
  let frame = null;
  /** @type {Run | null} */
  let run = null;
  const page = { shown: "", isThere: false, isReading: false, tried: 0, rest: 0 }; // tried and rest: ms

  /** @param {Run} of */
  function load(of) {
    const mine = make("iframe", { className: "ohwx-page", id: "ohwx-page", title: `Pictures of ${of.id}` });
    mine.addEventListener("load", () => {
      if (mine === frame) loaded(mine);
    });
    mine.src = `${of.page}#${document.body.classList.contains("dark") ? "dark" : "light"}`;
    frame = mine;
    Object.assign(page, { isThere: false, shown: pageState(of), tried: performance.now() });
    full(false);
    setShown(hold, true); // before it is attached: lazy frames of hidden boxes would not load
    hold.replaceChildren(mine); // a new frame each time: its address must not become a step of the browser's Back
  }

  /** @param {HTMLIFrameElement} mine */
  function loaded(mine) {
    page.isThere = Boolean(mine.contentDocument?.getElementById("data"));
    setShown(hold, page.isThere);
    setShown(fault, !page.isThere);
    setText(fault, "The page of this run did not load. Trying again…");
  }

  /** @param {Run} of */
  async function refresh(of) {
    const began = performance.now();
    if (page.isReading || page.shown === pageState(of) || began < page.rest) return;
    const [mine, at] = [frame, pageState(of)];
    page.isReading = true;
    try {
      const html = new DOMParser().parseFromString(await server.getText(of.page), "text/html");
      const data = html.getElementById("data");
      if (mine && mine === frame && data) {
        const message = { ohwx: "data", data: JSON.parse(data.textContent ?? "") };
        mine.contentWindow?.postMessage(message, location.origin);
        page.shown = at;
      }
    } catch {
      // the next poll tries again, and that nobody answers is said in one place
    } finally {
      page.isReading = false;
      page.rest = performance.now() + 4 * (performance.now() - began); // large runs are read less often
    }
  }

  /** @param {boolean} isFull */
  function full(isFull) {
    hold.classList.toggle("ohwx-full", isFull);
    document.documentElement.classList.toggle("ohwx-still", isFull); // the page below does not scroll meanwhile
  }

  window.addEventListener("message", (event) => {
    if (!run || !frame || event.source !== frame.contentWindow || event.origin !== location.origin) return;
    const { ohwx, on, to, image, infotext, files } = event.data ?? {};
    if (ohwx === "full") full(Boolean(on));
    if (ohwx === "drop") drop([...files].filter((file) => file instanceof File));
    if (ohwx !== "send") return;
    full(false);
    send({ run: run.id, to, image, infotext });
  });

  /** The page ends where the window does, so that it alone scrolls. */
  function fit() {
    const { top } = hold.getBoundingClientRect();
    if (!top) return;
    hold.style.setProperty("--ohwx-top", `${Math.round(top + window.scrollY)}px`);
    hold.style.setProperty("--ohwx-below", `${Math.ceil(spaceBelow(hold))}px`);
  }

  /** The webui's own footer stays away while the page is seen: its lines would make all of the webui scroll too. */
  function lookOut() {
    document.documentElement.classList.toggle("ohwx-looking", hold.offsetHeight > 0);
  }

  window.addEventListener("resize", fit);
  new ResizeObserver(lookOut).observe(hold);
  new ResizeObserver(fit).observe(document.body);
  return {
    node: make("div", {}, fault, hold),
    /** @param {Run} next */
    show(next) {
      const isOther = run?.id !== next.id;
      run = next;
      if (!hold.classList.contains("ohwx-full")) fit();
      if (isOther) load(next);
      else if (page.isThere) refresh(next);
      else if (performance.now() - page.tried > PATIENCE) load(next);
    },
    close() {
      run = null;
      frame = null;
      full(false);
      setShown(hold, false);
      setShown(fault, false);
      hold.replaceChildren();
    },
  };
}
