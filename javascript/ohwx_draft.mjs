// A new comparison: infotexts or pictures in, a draft out that can be changed.

/** @import { Draft, Parts, Run, Server, State, View } from "./ohwx_types" */

const EXAMPLE = `photo of ohwx man
Negative prompt: …
Steps: 20, Sampler: DPM++ 2M SDE Karras, CFG scale: 7, Seed: 1, …`;
const HINT =
  "Paste one or more infotexts, or drop pictures here. The infotext of an X/Y/Z grid brings its checkpoints and axes.";

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {object} hooks
 * @param {(draft: Draft | null) => void} hooks.remember
 * @param {() => void} hooks.changed
 * @param {(run: Run) => void} hooks.started
 */
export function draftView(parts, server, hooks) {
  const { make, setShown } = parts;
  const input = infotextInput(parts, { read: (texts) => draft(texts), readFiles: (files) => readFiles(files) });
  const toy = parts.toyLine(parts, server, hooks.changed);
  const { node: error, say } = parts.errorLine();
  const place = make("div");
  const start = make(
    "section",
    { className: "ohwx-start" },
    make("h3", {}, "New comparison"),
    make("p", { className: "ohwx-grey" }, HINT),
    ...input.nodes,
    toy.node,
  );
  const node = make("div", { className: "ohwx-draft" }, start, error, place);
  /** @type {State | null} */
  let state = null;
  /** @type {View<State> | null} */
  let form = null;

  /** @param {readonly string[]} texts @param {readonly string[]} [notes] */
  async function draft(texts, notes = []) {
    if (input.isBusy()) return;
    if (texts.length && !texts.some((text) => text.trim())) {
      say("Paste an infotext or drop a picture first.");
      input.focus();
      return;
    }
    input.busy("Reading…");
    try {
      const answer = await server.post("api/draft", { texts });
      use({ ...answer, notes: [...notes, ...answer.notes] });
    } catch (fault) {
      say([...notes, /** @type {Error} */ (fault).message].join(" "));
    } finally {
      input.busy("");
    }
  }

  /** @param {readonly File[]} files */
  async function readFiles(files) {
    if (input.isBusy() || !files.length) return;
    const texts = [];
    const notes = [];
    for (const [i, file] of files.entries()) {
      input.busy(`Reading ${i + 1} of ${files.length}…`);
      try {
        texts.push(await infotextOf(server, file));
      } catch (fault) {
        notes.push(`${file.name}: ${/** @type {Error} */ (fault).message}`);
      }
    }
    input.busy("");
    if (texts.length) await draft(texts, notes);
    else say(notes.join(" "));
  }

  function discard() {
    form?.node.remove();
    form = null;
    setShown(start, true);
    hooks.remember(null);
  }

  /** @param {Draft} answer */
  function use(answer) {
    say("");
    form?.node.remove();
    form = parts.requestForm(parts, server, answer, {
      remember: hooks.remember,
      discard() {
        discard();
        input.focus();
      },
      started(run) {
        discard();
        input.clear();
        hooks.started(run);
      },
    });
    place.append(form.node);
    setShown(start, false);
    if (state) form.show(state);
  }

  return {
    node,
    use,
    readFiles,
    /** @param {string} text */
    read: (text) => draft([text]),
    /** @param {State} now */
    show(now) {
      state = now;
      form?.show(now);
      toy.show(now);
    },
  };
}

/** @param {Server} server @param {File} file @returns {Promise<string>} */
async function infotextOf(server, file) {
  const isText = file.type.startsWith("text/") || file.name.endsWith(".txt");
  return isText ? file.text() : (await server.postFile("api/read", file)).infotext;
}

/**
 * The field for infotexts, and buttons that read it, read files, or begin without either.
 *
 * @param {Parts} parts
 * @param {{ read: (texts: readonly string[]) => void, readFiles: (files: readonly File[]) => void }} hooks
 */
function infotextInput({ make, button, setText, textArea }, { read, readFiles }) {
  const texts = textArea("ohwx-infotexts", { rows: 7, placeholder: EXAMPLE, "aria-label": "Infotexts" });
  const unseen = { className: "ohwx-unseen", tabIndex: -1, "aria-label": "Pictures" };
  const files = make("input", { id: "ohwx-pictures", type: "file", multiple: true, accept: "image/*,.txt", ...unseen });
  const primary = { id: "ohwx-read", className: "ohwx-button ohwx-primary" };
  const begin = button("Read", () => read([texts.value]), primary);
  const choose = button("Choose pictures…", () => files.click(), { id: "ohwx-choose" });
  const blank = button("Start from the defaults", () => read([]), { id: "ohwx-blank" });
  let isBusy = false;

  files.addEventListener("change", () => {
    const list = [...(files.files ?? [])];
    files.value = "";
    readFiles(list);
  });
  texts.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    read([texts.value]);
  });
  return {
    nodes: [texts, make("div", { className: "ohwx-line" }, begin, choose, blank, files)],
    isBusy: () => isBusy,
    focus: () => texts.focus(),
    clear() {
      texts.value = "";
    },
    /** @param {string} words */
    busy(words) {
      isBusy = Boolean(words);
      for (const one of [begin, choose, blank]) one.disabled = isBusy;
      setText(begin, words || "Read");
    },
  };
}

/**
 * Files dropped anywhere while `node` is seen, or pasted on it, but for what has a way of its own with them.
 *
 * @param {HTMLElement} node
 * @param {(files: File[]) => void} take
 */
export function catchFiles(node, take) {
  const isOurs = (/** @type {DragEvent} */ event) =>
    node.offsetParent !== null &&
    Boolean(event.dataTransfer?.types.includes("Files")) &&
    !(event.target instanceof Element && event.target.closest("[data-takes-files]"));

  /** @param {Event} event @param {DataTransfer | null} brought */
  function caught(event, brought) {
    const files = [...(brought?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation(); // the webui would put it into an image field of its own
    take(files);
  }

  /** @param {DragEvent} event */
  function over(event) {
    event.preventDefault();
    event.stopPropagation();
  }

  for (const kind of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
    document.addEventListener(
      kind,
      (event) => {
        if (!isOurs(event)) return;
        node.classList.toggle("ohwx-over", kind === "dragenter" || kind === "dragover");
        if (kind === "dragover") over(event);
        if (kind === "drop") caught(event, event.dataTransfer);
      },
      true, // before the webui, which looks at the whole document too
    );
  }
  node.addEventListener("paste", (event) => caught(event, event.clipboardData));
}
