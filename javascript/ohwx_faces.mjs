// The face pass on pictures that exist already.

export function facesView(parts, server, hooks) {
  const { make, button, field, textArea, choice, keyed, setShown, setText, counted } = parts;
  const paths = textArea("ohwx-face-paths", { rows: 4, placeholder: "/pictures/holiday\n/pictures/portrait.png", value: hooks.recall("paths") ?? "" });
  const checkpoint = choice("ohwx-face-checkpoint");
  checkpoint.dataset.none = "each picture's own";
  const start = button("Redraw the faces", begin, { id: "ohwx-face-start", className: "ohwx-button ohwx-primary" });
  const stop = button("Interrupt", halt, { id: "ohwx-face-stop" });
  const said = make("p", { className: "ohwx-error", role: "alert", hidden: true });
  const words = make("span", { className: "ohwx-grey", role: "status", id: "ohwx-face-standing" });
  const bar = parts.progress(parts);
  bar.node.setAttribute("aria-label", "Progress");
  const results = make("ul", { className: "ohwx-results", "aria-label": "Results" });
  const settings = make("div");
  const node = make("section", { className: "ohwx-form" },
    make("p", { className: "ohwx-grey" }, "Finds the faces of pictures on the webui's machine and draws them again, with each picture's own prompt and seed. The originals stay."),
    field("Pictures or folders, one a line", paths, "ohwx-wide"),
    make("div", { className: "ohwx-fields" }, field("Checkpoint", checkpoint, "ohwx-double")),
    make("fieldset", { className: "ohwx-part" }, make("legend", {}, "Face pass"), settings),
    make("div", { className: "ohwx-line" }, start, stop, words), said, bar.node, results);
  const tab = {};
  let form = null, job = hooks.recall("job"), last = null;

  const showResults = keyed(results, (one) => one.path, (one) => {
    const image = make("img", { alt: "", loading: "lazy" });
    const link = make("a", { target: "_blank", rel: "noopener" }, image);
    const outcome = make("span", { className: "ohwx-grey" });
    return {
      node: make("li", {}, link, make("span", {}, make("b", {}, one.path.split(/[\\/]/).pop()), outcome)),
      show(now) {
        setText(outcome, [now.outcome, now.error, ...(now.notes ?? [])].filter(Boolean).join("; "));
        if (now.image && image.getAttribute("src") !== now.image) { image.src = now.image; link.href = now.image; }
        setShown(link, now.image);
      },
    };
  });

  const say = (text) => { setText(said, text); setShown(said, text); };

  async function begin() {
    const list = paths.value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (!list.length) { say("Name a picture or a folder first."); paths.focus(); return; }
    start.disabled = true;
    try {
      const answer = await server.post("api/faces", { paths: list, faces: [tab], checkpoint: checkpoint.value || null }, 120);
      say("");
      job = answer.job;
      hooks.remember("job", job);
      hooks.remember("paths", paths.value);
      hooks.changed();
    } catch (error) {
      say(error.message);
    }
    start.disabled = false;
  }

  async function halt() {
    try {
      await server.post(`api/jobs/${encodeURIComponent(job)}/interrupt`);
      hooks.changed();
    } catch (error) {
      say(error.message);
    }
  }

  const isWorking = () => Boolean(job) && (!last || ["queued", "drawing"].includes(last.state));

  function draw() {
    setShown(stop, isWorking());
    setShown(bar.node, isWorking());
    if (!last) return;
    const count = `${last.done} of ${counted(last.total, "picture")}`;
    setText(words, [parts.STATES[last.state] ?? last.state, count].join(" · "));
    bar.show({ percent: last.total ? (100 * last.done) / last.total : 0 });
    if (last.error) say(last.error);
    showResults(last.results ?? []);
  }

  draw();
  return {
    node, isWorking,
    show(state) {
      if (!form) {
        Object.assign(tab, state.face);
        form = parts.faceForm(parts, "ohwx-face-tab", tab, () => {});
        settings.append(form.node);
      }
      form.show(state);
      checkpoint.offer(["", ...state.checkpoints]);
    },
    // Asked after each poll while the job goes on; one that the server forgot is over.
    async poll() {
      if (!job || (last && !isWorking())) return;
      try {
        last = await server.get(`api/jobs/${encodeURIComponent(job)}`);
      } catch (error) {
        if (error.isAway) return;
        if (last) say(error.message);
        job = last = null;
        hooks.remember("job", null);
      }
      draw();
    },
  };
}
