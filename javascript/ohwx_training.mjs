// One training: how far it is, what it learned, its pictures on the way, and what can be asked of it.

const STATES = { starting: "starting", running: "training", paused: "paused", stopped: "stopped", done: "done", failed: "failed", killed: "cut off" };
const ACTIONS = {
  pause: ["Pause", "Wait after the step in hand", ["running"]],
  resume: ["Go on", "Go on with the next step", ["paused"]],
  save: ["Save now", "Write a checkpoint after the step in hand", ["running", "paused"]],
  stop: ["Stop", "Keep its state and end", ["starting", "running", "paused"]],
  start: ["Go on", "From its last state", ["stopped", "failed", "killed"]],
};

export function trainingStanding(run, { seconds }) {
  const left = run.state === "running" && run.seconds_left ? `${seconds(run.seconds_left)} left` : "";
  return [STATES[run.state] ?? run.state, run.steps ? `step ${run.step} of ${run.steps}` : "", left].filter(Boolean).join(" · ");
}

// Events as the charts want them. A run that went back to an older state told some steps twice: the last word counts.
export function gathered() {
  const learned = new Map(), looks = new Map(), memory = new Map(), samples = new Map(), saved = new Map();
  const missed = [];
  return {
    add(events) {
      for (const one of events) {
        if (one.event === "Learned") {
          learned.set(one.step, one);
          if (one.memory) memory.set(one.step, one.memory);
        } else if (one.event === "Validated") looks.set(one.step, one);
        else if (one.event === "Sampled") samples.set(one.path, one);
        else if (one.event === "Saved") saved.set(one.path, one);
        else if (one.event === "Missed") missed.push(`Step ${one.step}: no ${one.what}: ${one.error}`);
      }
    },
    line: (name) => [...learned.values()].sort((a, b) => a.step - b.step).map((one) => [one.step, one[name]]),
    memory: () => [...memory].sort((a, b) => a[0] - b[0]).map(([step, value]) => [step, value / 1e9]),
    // each kind of picture against its first look: 1 is where it began
    validation() {
      const all = [...looks.values()].sort((a, b) => a.step - b.step);
      const mean = (losses, first) => { const levels = Object.keys(first); return levels.reduce((sum, level) => sum + losses[level] / first[level], 0) / levels.length; };
      const kinds = all.length ? Object.keys(all[0].losses) : [];
      return kinds.map((kind) => ({ name: kind, points: all.filter((one) => one.losses[kind]).map((one) => [one.step, mean(one.losses[kind], all[0].losses[kind])]) }));
    },
    samples: () => [...samples.values()],
    missed: () => missed,
  };
}

export function trainingView(parts, server, hooks) {
  const { make, button, setText, setShown } = parts;
  const name = make("h3", { tabIndex: -1 });
  const words = make("span", { className: "ohwx-grey", id: "ohwx-training-standing" });
  const bar = parts.progress(parts);
  bar.node.setAttribute("aria-label", "Progress");
  const fault = make("p", { className: "ohwx-error", id: "ohwx-training-fault", role: "alert" });
  const buttons = Object.fromEntries(Object.entries(ACTIONS).map(([act, [label, title]]) => [act, button(label, () => press(act), { id: `ohwx-training-${act}`, title })]));
  const compare = button("Compare its checkpoints", () => hand(), { id: "ohwx-training-compare", className: "ohwx-button ohwx-primary", title: "A draft in the tab ohwx compare, columns aligned by exposures" });
  const other = parts.choice("ohwx-training-with", { "aria-label": "Another training to compare with" });
  other.dataset.none = "alone";
  const again = button("Change…", () => hooks.change(run.recipe), { id: "ohwx-training-change", title: "A new training with this recipe" });
  const charts = Object.fromEntries([["loss", "Loss"], ["validation", "Loss at fixed noise, against the start"], ["norm", "Norm of the gradient"], ["rate", "Share of the learning rate"], ["memory", "Memory, GB"]]
    .map(([key, title]) => [key, parts.chart(parts, title)]));
  const gallery = sampleGrid(parts);
  const missed = make("ul", { className: "ohwx-notes" });
  const node = make("section", { className: "ohwx-chosen", "aria-label": "Training" },
    make("div", { className: "ohwx-line ohwx-head" }, name, words, make("span", { className: "ohwx-buttons" }, ...Object.values(buttons), compare, other, again)),
    bar.node, fault, missed, make("div", { className: "ohwx-charts" }, ...Object.values(charts).map((one) => one.node)), gallery.node);
  let run = null, all = [], told = gathered(), next = 0, refused = "", isReading = false;

  async function press(act) {
    const mine = run.id;
    buttons[act].disabled = true;
    try {
      const answer = await server.post(`api/train/runs/${encodeURIComponent(mine)}/${act}`, {}, 120);
      refused = "";
      if (run?.id === mine) show(answer);
      hooks.changed();
    } catch (error) {
      refused = error.message;
    }
    buttons[act].disabled = false;
    draw();
  }

  async function hand() {
    try {
      const { request } = await server.post(`api/train/runs/${encodeURIComponent(run.id)}/compare`, { with: other.value ? [other.value] : [] });
      hooks.compare(request);
      refused = "";
    } catch (error) {
      refused = error.message;
    }
    draw();
  }

  // New lines of its events; asked again while there are more.
  async function read() {
    if (!run || isReading) return;
    isReading = true;
    const mine = run.id;
    try {
      for (let more = true; more && run?.id === mine;) {
        const answer = await server.get(`api/train/runs/${encodeURIComponent(mine)}?after=${next}`);
        if (run?.id !== mine) break;
        told.add(answer.events);
        next = answer.next;
        more = answer.more;
        show(answer.run);
      }
      plot();
    } finally {
      isReading = false;
    }
  }

  function plot() {
    const loss = told.line("loss");
    charts.loss.show([{ name: "each step", points: loss, faint: true }, { name: "trend", points: parts.smoothed(loss) }], run.steps);
    charts.validation.show(told.validation(), run.steps);
    charts.norm.show([{ name: "norm", points: told.line("norm") }], run.steps);
    charts.rate.show([{ name: "share", points: told.line("rate") }], run.steps);
    charts.memory.show([{ name: "GB", points: told.memory() }], run.steps);
    gallery.show(run, told.samples());
    const remarks = told.missed();
    if (missed.childElementCount !== remarks.length) missed.replaceChildren(...remarks.map((text) => make("li", {}, text)));
    setShown(missed, remarks.length);
  }

  function draw() {
    if (!run) return;
    setText(name, run.id);
    setText(words, parts.trainingStanding(run, parts));
    bar.show({ percent: run.steps ? (100 * run.step) / run.steps : 0 });
    bar.node.classList.toggle("ohwx-idle", run.state === "done");
    setText(fault, refused || run.error || "");
    setShown(fault, refused || run.error);
    for (const [act, [, , states]] of Object.entries(ACTIONS)) setShown(buttons[act], states.includes(run.state));
    const others = all.filter((one) => one.id !== run.id && one.checkpoints.length).map((one) => one.id);
    other.offer(["", ...others], others.includes(other.value) ? other.value : "");
    setShown(compare, run.checkpoints.length);
    setShown(other, run.checkpoints.length && others.length);
    setShown(again, run.recipe);
  }

  function show(now) {
    if (run?.id !== now.id) {
      [told, next, refused] = [gathered(), 0, ""];
      run = now;
      plot();
    }
    run = now;
    draw();
  }

  return { node, show, read, close() { run = null; }, others(runs) { all = runs; } };
}

// The pictures on the way: a row a prompt and seed, a column each time it was looked at.
function sampleGrid({ make, setShown }) {
  const table = make("table", { className: "ohwx-samples" });
  const node = make("div", { className: "ohwx-table" }, table);
  let shown = "";
  return {
    node,
    show(run, samples) {
      setShown(node, samples.length);
      const key = `${run.id} ${samples.map((one) => one.path).join()}`;
      if (key === shown) return;
      shown = key;
      const steps = [...new Set(samples.map((one) => one.step))].sort((a, b) => a - b);
      const rows = [...new Set(samples.map((one) => JSON.stringify([one.prompt, one.seed])))];
      const exposures = (step) => samples.find((one) => one.step === step).exposures;
      const head = make("tr", {}, make("th", {}, "Exposures"), ...steps.map((step) => make("th", { scope: "col", title: `step ${step}` }, String(exposures(step)))));
      const body = rows.map((row) => {
        const [prompt, seed] = JSON.parse(row);
        const cells = steps.map((step) => {
          const one = samples.find((sample) => sample.step === step && sample.prompt === prompt && sample.seed === seed);
          if (!one) return make("td");
          const src = `ohwx/train/${encodeURIComponent(run.id)}/${one.path.split("/").map(encodeURIComponent).join("/")}`;
          const image = make("img", { src, loading: "lazy", alt: `${prompt}, seed ${seed}, step ${step}` });
          return make("td", {}, make("a", { href: src, target: "_blank", rel: "noopener" }, image));
        });
        return make("tr", {}, make("th", { scope: "row" }, `${prompt} · ${seed}`), ...cells);
      });
      table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
    },
  };
}
