// The chosen run: how it stands and what can be done with it; below it its page.

const ACTIONS = {
  interrupt: ["Interrupt", "Finish the picture in hand, then stop; again: stop at once", ["drawing", "queued"]],
  skip: ["Skip", "Leave out the picture in hand", ["drawing"]],
  resume: ["Resume", "Draw what is missing", ["stopped", "failed"]],
};

// What a run was asked for, or its experiment, as the request of a new draft.
export function requestOf(run) {
  const { axes, ...rest } = run.experiment ?? {};
  const named = axes?.find((axis) => axis.kind === "checkpoint");
  const asked = run.request ?? { ...rest, checkpoints: named?.values, axes: axes?.filter((axis) => axis !== named), keep_before: true };
  const { notes, ...request } = asked; // an experiment's remarks are no wish
  const withoutHash = (name) => name.replace(/ \[[0-9a-f]{10,64}\]$/, "");
  return { ...request, checkpoints: (request.checkpoints ?? []).map(withoutHash), name: "" };
}

export function runView(parts, server, hooks) {
  const { make, button, setShown, setText } = parts;
  const name = make("h3");
  const words = make("span", { className: "ohwx-grey", id: "ohwx-standing" });
  const now = make("span", { className: "ohwx-grey ohwx-now", id: "ohwx-now" });
  const bar = parts.progress(parts);
  bar.node.setAttribute("aria-label", "Progress");
  const fault = make("p", { className: "ohwx-error", id: "ohwx-fault", role: "alert" });
  const buttons = Object.fromEntries(Object.entries(ACTIONS).map(([act, [label, title]]) =>
    [act, button(label, () => press(act), { id: `ohwx-${act}`, title })]));
  const change = button("Change…", () => told(async () => hooks.change(await server.get(at()))), { id: "ohwx-change", title: "A new draft with these settings" });
  const alone = make("a", { id: "ohwx-alone", target: "_blank", rel: "noopener", className: "ohwx-button" }, "Open alone");
  const page = parts.pageFrame(parts, server, hooks.send);
  const node = make("section", { className: "ohwx-chosen", "aria-label": "Run" },
    make("div", { className: "ohwx-line ohwx-head" }, name, words, now,
      make("span", { className: "ohwx-buttons" }, ...Object.values(buttons), change, alone)),
    bar.node, fault, page.node);
  let run = null, refused = "", busy = "";

  const at = () => `api/runs/${encodeURIComponent(run.id)}`;

  // What goes wrong on the way is said where the run's own errors stand.
  async function told(way) {
    const mine = run.id;
    let sentence = "";
    try {
      await way();
    } catch (error) {
      sentence = error.message;
    }
    if (run?.id === mine) refused = sentence;
    draw();
  }

  async function press(act) {
    const mine = run.id;
    busy = act;
    await told(async () => {
      draw();
      const next = await server.post(`${at()}/${act}`);
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
    setText(now, run.state === "drawing" ? run.now : "");
    bar.show(run);
    bar.node.classList.toggle("ohwx-idle", run.state === "done");
    setText(fault, refused || run.error || "");
    setShown(fault, refused || run.error);
    const isRetry = run.state === "done" && run.failed > 0;
    for (const [act, [, , states]] of Object.entries(ACTIONS)) {
      setShown(buttons[act], states.includes(run.state) || (act === "resume" && isRetry));
      buttons[act].disabled = busy === act;
    }
    setText(buttons.resume, isRetry ? "Try the failed again" : "Resume");
    buttons.resume.classList.toggle("ohwx-primary", !isRetry);
    if (alone.getAttribute("href") !== run.page) alone.href = run.page;
  }

  function show(next) {
    if (run?.id !== next.id) refused = "";
    run = next;
    draw();
    page.show(run);
  }

  return { node, show, close() { run = null; page.close(); } };
}
