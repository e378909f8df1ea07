// The pictures looked at before anything is trained: what is wrong with them, in sentences and on contact sheets.

/** @import { DatasetFound, DatasetJob, Recipe, Server, TrainingParts } from "./ohwx_types" */

/** @typedef {"train" | "reg" | number} Which a field of the recipe, or a concept by its place */

const HINT =
  "Names files that cannot be read, faces that the crop cuts, small faces, blur, near-duplicates, long captions, and " +
  "what the whole set lacks or repeats. A process of its own looks at them; the pictures stay as they are.";
const NO_DETECTOR = "face_yolov8n.pt, else OpenCV's";

/** @type {readonly (readonly ["train" | "reg", string])[]} */
const SETS = [
  ["train", "Look at the training pictures"],
  ["reg", "Look at the regularization images"],
];

/** How far a look is, in words. @param {DatasetJob | null} job */
export function lookWords(job) {
  if (!job) return "";
  if (job.state === "drawing") return job.total ? `${job.done} of ${job.total} pictures` : "Looking for pictures";
  return job.state === "stopped" ? "Stopped; the same button resumes" : "";
}

/** The set in one line. @param {DatasetFound} found @param {{ counted: TrainingParts["counted"] }} words */
export function setWords({ pictures, shots, detector }, { counted }) {
  const each = Object.entries(shots).map(([shot, count]) => `${count} ${shot}`);
  return `${counted(pictures, "picture")}: ${each.join(", ") || "no face"} (faces found by ${detector})`;
}

/**
 * @param {TrainingParts} parts
 * @param {Server} server
 * @param {object} hooks
 * @param {(which: Which) => { folder: string, recipe: Recipe }} hooks.asked
 * @param {(which: Which, folder: string) => void} hooks.use train on this folder instead
 */
export function datasetView(parts, server, { asked, use }) {
  const { make, button, field, choice, setShown, setText } = parts;
  const detector = choice("ohwx-dataset-detector", {}, NO_DETECTOR);
  const buttons = SETS.map(([which, words]) => button(words, () => begin(which), { id: `ohwx-dataset-${which}` }));
  const concept = choice("ohwx-dataset-concept", { "aria-label": "Concept" });
  const place = () => Number.parseInt(concept.value, 10) - 1;
  const ofConcept = button("Look at its pictures", () => begin(place()), { id: "ohwx-dataset-its" });
  const stop = button("Stop", halt, { id: "ohwx-dataset-stop", hidden: true });
  const standing = make("span", { className: "ohwx-grey", role: "status", id: "ohwx-dataset-standing" });
  const { node: fault, say } = parts.errorLine();
  const result = make("div", { id: "ohwx-dataset-found" });
  const crop = button("Write crops that keep faces", () => begin(set, true), { id: "ohwx-dataset-crop" });
  const cropped = make("span", { className: "ohwx-grey", id: "ohwx-dataset-crops" });
  const take = button("Train on them", () => use(set, job?.crops ?? ""), { id: "ohwx-dataset-use" });
  const crops = make("div", { className: "ohwx-line", hidden: true }, crop, cropped, take);
  const node = make(
    "details",
    { className: "ohwx-more", id: "ohwx-dataset" },
    make("summary", {}, "Look at the pictures first"),
    make("p", { className: "ohwx-grey" }, HINT),
    field("Face detector", detector, "ohwx-double"),
    make("div", { className: "ohwx-line" }, ...buttons, concept, ofConcept, stop, standing),
    fault,
    result,
    crops,
  );
  /** @type {DatasetJob | null} */
  let job = null;
  /** @type {Which} */
  let set = "train";
  let count = 0; // of concepts

  /** @param {() => Promise<DatasetJob>} way */
  async function told(way) {
    try {
      job = await way();
      say(job.error ?? "");
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
    draw();
    if (job?.state === "drawing") window.setTimeout(follow, 500);
  }

  /** @param {Which} which @param {boolean} [isCropping] */
  function begin(which, isCropping = false) {
    set = which;
    return told(() => {
      const { folder, recipe } = asked(which);
      return server.post("api/datasets", { folder, recipe, detector: detector.value, crops: isCropping });
    });
  }

  const at = () => `api/datasets/${encodeURIComponent(job?.job ?? "")}`;
  const follow = () => (job?.state === "drawing" ? told(() => server.get(at())) : undefined);

  async function halt() {
    job = await server.post(`${at()}/stop`).catch(() => job);
    draw();
  }

  function draw() {
    const isWorking = job?.state === "drawing";
    for (const one of buttons) setShown(one, !isWorking && !count);
    for (const one of [concept, ofConcept]) setShown(one, !isWorking && count > 0);
    setShown(stop, isWorking);
    setText(standing, lookWords(job));
    const found = job?.found;
    if (!isWorking) result.replaceChildren(...(found ? findings(parts, found) : []));
    setShown(crops, found);
    setText(cropped, job?.crops ? `They lie in ${job.crops}.` : "");
    setShown(take, job?.crops);
  }

  draw();
  return {
    node,
    /** Those to choose from, in place of both folders. @param {readonly string[]} folders */
    concepts(folders) {
      count = folders.length;
      const names = folders.map((folder, place) => `${place + 1}: ${folder}`);
      concept.offer(names, names[place()] ?? names[0] ?? "");
      draw();
    },
    /** Those to choose from. @param {readonly string[]} names */
    offer: (names) => detector.offer(["", ...names]),
  };
}

/** @param {TrainingParts} parts @param {DatasetFound} found */
function findings(parts, found) {
  const { make, items } = parts;
  const each = found.problems.map(({ name, meaning, count, files, sheet }) => {
    const more = count > files.length ? [`and ${count - files.length} more`] : [];
    return make(
      "details",
      {},
      make("summary", {}, `${name}: ${count} (${meaning})`),
      make("img", { className: "ohwx-contact", loading: "lazy", src: sheet, alt: `Contact sheet: ${name}` }),
      make("ul", { className: "ohwx-notes" }, ...items([...files, ...more])),
    );
  });
  const nothing = found.problems.length ? null : make("p", {}, "Nothing is wrong with any picture.");
  const sentences = make("ul", { className: "ohwx-notes" }, ...items(found.set));
  return [make("p", {}, parts.setWords(found, parts)), sentences, ...each, ...(nothing ? [nothing] : [])];
}
