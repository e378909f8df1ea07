// The list of runs: newest first, what each is doing, and which one is looked at.

export const STATES = { queued: "waiting", drawing: "drawing", stopped: "stopped", done: "done", failed: "failed" };

// One line under a run's name.
export function standing(run, { counted, seconds }) {
  const left = run.state === "drawing" && run.seconds_left !== null ? `${seconds(run.seconds_left)} left` : "";
  const count = run.state === "done" && !run.failed ? counted(run.cells, "cell") : `${run.done} of ${run.cells}`;
  return [STATES[run.state] ?? run.state, count, run.failed ? `${run.failed} failed` : "", left].filter(Boolean).join(" · ");
}

export function progress({ make }) {
  const fill = make("span", {});
  const node = make("span", { className: "ohwx-progress", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
  return {
    node,
    show(run) {
      const percent = Math.round(run.percent);
      if (node.getAttribute("aria-valuenow") === String(percent)) return;
      node.setAttribute("aria-valuenow", String(percent));
      fill.style.width = `${percent}%`;
    },
  };
}

export function runList(parts, choose) {
  const { make, keyed, setText, setShown } = parts;
  const list = make("ul", { className: "ohwx-runs", "aria-label": "Runs" });
  const empty = make("p", { className: "ohwx-grey ohwx-empty", hidden: true }, "No run yet. Each comparison you start stands here, also after a restart.");
  let chosen = null;

  const show = keyed(list, (run) => run.id, (run) => {
    const title = make("span", { className: "ohwx-grey" });
    const thumb = make("img", { alt: "", loading: "lazy", onerror() { setShown(thumb, false); } });
    const name = make("b", {}, run.id);
    const words = make("span", { className: "ohwx-grey ohwx-words" });
    const bar = parts.progress(parts);
    bar.node.setAttribute("aria-label", run.id);
    const press = make("button", { type: "button", className: "ohwx-run", onclick: () => choose(run.id) },
      make("span", { className: "ohwx-thumb" }, thumb), make("span", { className: "ohwx-run-words" }, name, title, words, bar.node));
    const node = make("li", {}, press);
    return {
      node,
      show(now) {
        setText(title, now.title);
        setShown(title, now.title);
        setText(words, parts.standing(now, parts));
        setShown(bar.node, now.state === "drawing" || now.state === "queued" || now.state === "stopped");
        bar.show(now);
        press.dataset.state = now.state;
        press.setAttribute("aria-current", String(now.id === chosen));
        const src = now.thumb ?? "";
        if (thumb.getAttribute("src") !== src && src) { thumb.src = src; setShown(thumb, true); }
        setShown(thumb, src && !(thumb.complete && !thumb.naturalWidth));
      },
    };
  });

  let runs = [];
  const draw = () => { show(runs); setShown(empty, !runs.length); };
  return {
    node: make("div", {}, list, empty),
    show(state) { runs = state.runs; draw(); },
    mark(id) { chosen = id; draw(); },
  };
}
