// The face pass on pictures that exist already.

/** @import { FaceJob, FaceResult, FaceSettings, Parts, Server, State, View } from "./ohwx_types" */

const HINT =
  "Detects the faces in existing pictures and inpaints them with each picture's own prompt and seed. " +
  "The pictures must be on the machine that runs the webui. The originals stay unchanged.";

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {object} hooks
 * @param {(name: string) => any} hooks.recall
 * @param {(name: string, value: unknown) => void} hooks.remember
 * @param {() => void} hooks.changed
 */
export function facesView(parts, server, hooks) {
  const { make, button, field, fields, part, textArea, choice, setShown, setText } = parts;
  const example = { placeholder: "/pictures/holiday\n/pictures/portrait.png", value: hooks.recall("paths") ?? "" };
  const paths = textArea("ohwx-face-paths", { rows: 4, ...example });
  const checkpoint = choice("ohwx-face-checkpoint", {}, "each picture's own");
  const start = button("Inpaint the faces", begin, { id: "ohwx-face-start", className: "ohwx-button ohwx-primary" });
  const stop = button("Interrupt", halt, { id: "ohwx-face-stop" });
  const { node: error, say } = parts.errorLine();
  const words = make("span", { className: "ohwx-grey", role: "status", id: "ohwx-face-standing" });
  const bar = parts.progress(parts, "Progress");
  const results = resultList(parts);
  const settings = make("div");
  const node = make(
    "section",
    { className: "ohwx-form" },
    make("p", { className: "ohwx-grey" }, HINT),
    field("Pictures or folders, one per line", paths, "ohwx-wide"),
    fields(field("Checkpoint", checkpoint, "ohwx-double")),
    part("Face pass", settings),
    make("div", { className: "ohwx-line" }, start, stop, words),
    error,
    bar.node,
    results.node,
  );
  const tab = /** @type {FaceSettings} */ ({});
  /** @type {View<State> | null} */
  let form = null;
  /** @type {string | null} */
  let job = hooks.recall("job");
  /** @type {FaceJob | null} */
  let last = null;

  async function begin() {
    const list = parts.lines(paths.value);
    if (!list.length) {
      say("Enter a picture or a folder first.");
      paths.focus();
      return;
    }
    start.disabled = true;
    try {
      const body = { paths: list, faces: [tab], checkpoint: checkpoint.value || null };
      job = (await server.post("api/faces", body, 120)).job;
      last = null;
      say("");
      hooks.remember("job", job);
      hooks.remember("paths", paths.value);
      hooks.changed();
    } catch (fault) {
      say(/** @type {Error} */ (fault).message);
    }
    start.disabled = false;
  }

  /** @param {string} name */
  const at = (name) => `api/jobs/${encodeURIComponent(name)}`;

  async function halt() {
    if (!job) return;
    try {
      await server.post(`${at(job)}/interrupt`);
      hooks.changed();
    } catch (fault) {
      say(/** @type {Error} */ (fault).message);
    }
  }

  const isWorking = () => Boolean(job) && (!last || ["queued", "drawing"].includes(last.state));

  function draw() {
    setShown(stop, isWorking());
    setShown(bar.node, isWorking());
    if (!last) return;
    const count = `${last.done} of ${parts.counted(last.total, "picture")}`;
    setText(words, parts.joined([parts.STATES[last.state] ?? last.state, count]));
    bar.show({ percent: last.total ? (100 * last.done) / last.total : 0 });
    if (last.error) say(last.error);
    results.show(last.results ?? []);
  }

  /** Asked after each poll while the job goes on; one that the server forgot is over. */
  async function poll() {
    if (!job || (last && !isWorking())) return;
    const mine = job;
    try {
      const now = await server.get(at(mine));
      if (mine !== job) return; // another was begun meanwhile
      last = now;
    } catch (fault) {
      const { isAway, message } = /** @type {InstanceType<Server["ServerError"]>} */ (fault);
      if (isAway) return;
      if (last) say(message);
      job = null;
      last = null;
      hooks.remember("job", null);
    }
    draw();
  }

  draw();
  return {
    node,
    isWorking,
    poll,
    /** @param {State} state */
    show(state) {
      if (!form) {
        Object.assign(tab, state.face);
        form = parts.faceForm(parts, "ohwx-face-tab", tab, () => {});
        settings.append(form.node);
      }
      form.show(state);
      checkpoint.offer(["", ...state.checkpoints]);
    },
  };
}

/** What came of each picture. @param {Parts} parts @returns {View<readonly FaceResult[]>} */
function resultList({ make, keyed, setShown, setText, fileName }) {
  const node = make("ul", { className: "ohwx-results", "aria-label": "Results" });
  /** @type {(results: readonly FaceResult[]) => void} */
  const show = keyed(
    node,
    (one) => one.path,
    (one) => {
      const image = make("img", { alt: "", loading: "lazy" });
      const link = make("a", { target: "_blank", rel: "noopener" }, image);
      const outcome = make("span", { className: "ohwx-grey" });
      return {
        node: make("li", {}, link, make("span", {}, make("b", {}, fileName(one.path)), outcome)),
        show(now) {
          setText(outcome, [now.outcome, now.error, ...(now.notes ?? [])].filter(Boolean).join("; "));
          if (now.image && image.getAttribute("src") !== now.image) {
            image.src = now.image;
            link.href = now.image;
          }
          setShown(link, now.image);
        },
      };
    },
  );
  return { node, show };
}
