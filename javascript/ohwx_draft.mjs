// A new comparison: infotexts or pictures in, a draft that can be changed, its cost, Start.

const JOB = [
  ["seed", "Seed", { step: 1, min: -1 }], ["steps", "Steps", { step: 1, min: 1, max: 150 }], ["cfg", "CFG", { step: 0.5, min: 0 }],
  ["width", "Width, px", { step: 8, min: 64 }], ["height", "Height, px", { step: 8, min: 64 }],
];

// Request -> what the form edits; and back.
export function asForm(request, { asRow }) {
  return { ...request, job: { ...request.job }, checkpoints: [...(request.checkpoints ?? [])], axes: (request.axes ?? []).map(asRow), faces: (request.faces ?? []).map((tab) => ({ ...tab })) };
}

export function draftView(parts, server, hooks) {
  const { make, button, setShown, setText, textArea } = parts;
  const said = make("p", { className: "ohwx-error", role: "alert", hidden: true });
  const texts = textArea("ohwx-infotexts", { rows: 7, placeholder: "photo of ohwx man\nNegative prompt: …\nSteps: 20, Sampler: DPM++ 2M SDE Karras, CFG scale: 7, Seed: 1, …", "aria-label": "Infotexts" });
  const files = make("input", { id: "ohwx-pictures", type: "file", multiple: true, accept: "image/*,.txt", className: "ohwx-unseen", tabIndex: -1, "aria-label": "Pictures" });
  const read = button("Read", () => draft([texts.value]), { id: "ohwx-read", className: "ohwx-button ohwx-primary" });
  const choose = button("Choose pictures…", () => files.click(), { id: "ohwx-choose" });
  const blank = button("Start from nothing", () => draft([]), { id: "ohwx-blank" });
  const toy = parts.toyLine(parts, server, hooks.changed);
  const start = make("section", { className: "ohwx-start" },
    make("h3", {}, "New comparison"),
    make("p", { className: "ohwx-grey" }, "Paste one or several infotexts, or drop pictures here. An X/Y/Z grid tells its checkpoints and axes too."),
    texts, make("div", { className: "ohwx-line" }, read, choose, blank, files), toy.node);
  const place = make("div");
  const node = make("div", { className: "ohwx-draft" }, start, said, place);
  let state = null, form = null, isBusy = false;

  const say = (text) => { setText(said, text); setShown(said, text); };

  function busy(words) {
    isBusy = Boolean(words);
    for (const one of [read, choose, blank]) one.disabled = isBusy;
    setText(read, words || "Read");
  }

  async function draft(list, notes = []) {
    if (isBusy) return;
    if (list.length && !list.some((text) => text.trim())) { say("Paste an infotext or drop a picture first."); texts.focus(); return; }
    busy("Reading…");
    try {
      const answer = await server.post("api/draft", { texts: list });
      use({ ...answer, notes: [...notes, ...answer.notes] });
    } catch (error) {
      say([...notes, error.message].join(" "));
    } finally {
      busy("");
    }
  }

  async function readFiles(list) {
    if (isBusy || !list.length) return;
    const found = [], notes = [];
    for (const [i, file] of list.entries()) {
      busy(`Reading ${i + 1} of ${list.length}…`);
      try {
        if (file.type.startsWith("text/") || file.name.endsWith(".txt")) found.push(await file.text());
        else found.push((await server.postFile("api/read", file)).infotext);
      } catch (error) {
        notes.push(`${file.name}: ${error.message}`);
      }
    }
    busy("");
    if (found.length) await draft(found, notes);
    else say(notes.join(" "));
  }

  function use(answer) {
    say("");
    form?.node.remove();
    form = requestForm(parts, server, answer, {
      ...hooks,
      discard() { form.node.remove(); form = null; setShown(start, true); hooks.remember(null); texts.focus(); },
      started(run) { form.node.remove(); form = null; texts.value = ""; setShown(start, true); hooks.remember(null); hooks.started(run); },
    });
    place.append(form.node);
    setShown(start, false);
    if (state) form.show(state);
  }

  function caught(event) {
    const list = [...(event.dataTransfer ?? event.clipboardData)?.files ?? []];
    if (!list.length) return;
    event.preventDefault();
    event.stopPropagation(); // the webui would put it into an image field of its own
    node.classList.remove("ohwx-over");
    readFiles(list);
  }

  node.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    node.classList.add("ohwx-over");
  });
  node.addEventListener("dragleave", (event) => { if (!node.contains(event.relatedTarget)) node.classList.remove("ohwx-over"); });
  node.addEventListener("drop", caught);
  node.addEventListener("paste", caught);
  files.addEventListener("change", () => { const list = [...files.files]; files.value = ""; readFiles(list); });
  texts.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    draft([texts.value]);
  });

  return {
    node, use,
    read: (text) => draft([text]),
    show(now) { state = now; form?.show(now); toy.show(now); },
  };
}

function requestForm(parts, server, { request, notes = [], missing = [] }, hooks) {
  const { make, button, field, check, bind, number, choice, textArea, textInput, setShown, setText } = parts;
  const form = asForm(request, parts);
  const before = make("input", { id: "ohwx-keep-before", type: "checkbox" });
  const cost = costLine(parts, server, asked, () => begin());
  const changed = () => { hooks.remember({ request: asked(), notes, missing }); cost.ask(); };
  const picker = parts.checkpointPicker(parts, form.checkpoints, changed);
  const axes = parts.axesForm(parts, form.axes, changed);
  const sampler = bind(choice("ohwx-job-sampler"), form.job, "sampler", changed);
  const schedule = bind(choice("ohwx-job-schedule"), form.job, "schedule", changed);
  const figures = JOB.map(([name, words, props]) => field(words, bind(number(`ohwx-job-${name}`, props), form.job, name, changed)));
  const faces = make("div", { className: "ohwx-faces" });
  const faceSwitch = make("input", { id: "ohwx-face-pass", type: "checkbox" });
  let tabs = [], state = null;

  function asked() {
    return { ...form, axes: parts.asked(form.axes) };
  }

  function drawFaces() {
    faceSwitch.checked = form.faces.length > 0;
    tabs = form.faces.map((tab, i) => parts.faceForm(parts, `ohwx-face-${i + 1}`, tab, changed));
    faces.replaceChildren(...tabs.map((tab) => tab.node));
    if (state) for (const tab of tabs) tab.show(state);
  }

  let put = []; // the tabs while the face pass is switched off
  faceSwitch.addEventListener("change", () => {
    if (faceSwitch.checked) form.faces.splice(0, 0, ...(put.length ? put : [{ ...state?.face }]));
    else put = form.faces.splice(0);
    drawFaces();
    changed();
  });

  async function begin() {
    cost.block("Starting…");
    try {
      const run = await server.post("api/runs", { request: asked() }, 120);
      hooks.started(run);
    } catch (error) {
      cost.block("", error.message);
    }
  }

  const part = (words, ...children) => make("fieldset", { className: "ohwx-part" }, make("legend", {}, words), ...children);
  const remarks = [...notes, ...missing.map((name) => `No file here answers to ${name}.`)];
  const ada = make("p", { className: "ohwx-grey" }, "ADetailer is left out of these pictures, so that no face is done twice.");
  const node = make("section", { className: "ohwx-form", "aria-label": "Draft" },
    make("div", { className: "ohwx-line ohwx-head" }, make("h3", {}, "New comparison"), button("Start over", hooks.discard, { id: "ohwx-discard" })),
    remarks.length ? make("ul", { id: "ohwx-notes", className: "ohwx-notes" }, ...remarks.map((text) => make("li", {}, text))) : null,
    part("Checkpoints", picker.node),
    part("Picture",
      field("Prompt", bind(textArea("ohwx-job-prompt"), form.job, "prompt", changed), "ohwx-wide"),
      field("Negative prompt", bind(textArea("ohwx-job-negative", { rows: 1 }), form.job, "negative", changed), "ohwx-wide"),
      make("div", { className: "ohwx-fields" }, field("Sampler", sampler, "ohwx-double"), field("Schedule", schedule), ...figures)),
    part("What else varies", axes.node),
    part("Face pass", check("Find each face and draw it again", faceSwitch), ada, faces),
    part("Result", make("div", { className: "ohwx-fields" },
      field("Run folder", bind(textInput("ohwx-name", { placeholder: "named by its time" }), form, "name", changed), "ohwx-double"),
      check("Keep the pictures before the face pass", bind(before, form, "keep_before", changed), "ohwx-double"))),
    cost.node);
  drawFaces();
  changed();
  return {
    node,
    show(now) {
      state = now;
      picker.show(now);
      axes.show(now);
      sampler.offer(now.samplers, form.job.sampler);
      schedule.offer(now.schedules, form.job.schedule);
      for (const tab of tabs) tab.show(now);
      setShown(ada, now.adetailer && form.faces.length > 0);
      cost.freeze(now.freeze);
      cost.again();
    },
  };
}

// What it costs, in words, and Start beside it.
function costLine({ make, button, setShown, setText, counted, bytes, seconds }, server, asked, begin) {
  const words = make("span", { id: "ohwx-cost", role: "status" }, "Counting…");
  const start = button("Start", begin, { id: "ohwx-start", className: "ohwx-button ohwx-primary" });
  const node = make("div", { className: "ohwx-cost" }, words, start);
  let timer = 0, turn = 0, isStale = false, isEmpty = false, fault = "", refusal = "", frozen = null, starting = "";

  function draw(text) {
    const trouble = frozen || fault || refusal;
    if (trouble || text !== undefined) setText(words, trouble || text);
    node.classList.toggle("ohwx-bad", Boolean(trouble));
    start.disabled = Boolean(frozen || fault || starting || isEmpty); // a refused start may be tried again
    setText(start, starting || "Start");
  }

  function told(plan) {
    const drawn = plan.renders || plan.inpaints;
    const work = [counted(plan.renders, "picture"), plan.inpaints && counted(plan.inpaints, "face")].filter(Boolean).join(" and ");
    const facts = [counted(plan.cells, "cell"), drawn ? `${work} to draw` : "all there already",
      drawn && counted(plan.switches, "checkpoint load"), drawn && bytes(plan.disk_bytes), plan.seconds && `about ${seconds(plan.seconds)}`];
    return facts.filter(Boolean).join(" · ");
  }

  function absent({ missing, checkpoints }) {
    const rest = missing.length > 1 ? "are not here; leave them out, or add their files." : "is not here; leave it out, or add its file.";
    return `${missing.length} of ${counted(checkpoints, "checkpoint")} ${rest}`;
  }

  async function estimate() {
    const mine = ++turn, request = asked();
    isEmpty = !request.checkpoints.length;
    if (isEmpty) {
      [isStale, fault, refusal] = [false, "", ""];
      draw("Tick the checkpoints to compare.");
      return;
    }
    try {
      const plan = await server.post("api/estimate", { request });
      if (mine !== turn) return;
      [isStale, fault, refusal] = [false, plan.missing.length ? absent(plan) : "", ""];
      draw(told(plan));
    } catch (error) {
      if (mine !== turn) return;
      isStale = error.isAway;
      fault = error.isAway ? "" : error.message;
      draw(error.isAway ? "The cost is not known while the webui does not answer." : undefined);
    }
  }

  return {
    node,
    ask() { clearTimeout(timer); timer = setTimeout(estimate, 350); },
    again() { if (isStale) { isStale = false; estimate(); } },
    freeze(sentence) { if (frozen !== sentence) { frozen = sentence; draw(); if (!frozen) estimate(); } },
    block(text, sentence = "") { starting = text; refusal = sentence; draw(); },
  };
}
