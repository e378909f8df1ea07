// What was deleted: taken back by one click, or deleted for good.

/** @import { Parts, Server, State, View } from "./ohwx_types" */

/**
 * `undo(name)` offers to take a run back that was deleted just now.
 *
 * @param {Parts} parts
 * @param {Server} server
 * @param {HTMLElement} place of its dialog, in the tab
 * @param {(id: string) => void} restored
 * @returns {View<State> & { undo: (name: string) => void }}
 */
export function binView(parts, server, place, restored) {
  const { make, button, keyed, setShown, setText } = parts;
  const words = make("span", { className: "ohwx-grey" });
  const undo = button("Undo", () => back(last), { id: "ohwx-undo", className: "ohwx-link" });
  const told = make("p", { hidden: true, role: "status", id: "ohwx-deleted" }, words, " ", undo);
  const { node: fault, say } = parts.errorLine();
  const count = make("summary", { className: "ohwx-grey" });
  const list = make("ul", {});
  const empty = button("Delete for good…", askToEmpty, { id: "ohwx-bin-empty", className: "ohwx-link ohwx-grey" });
  const node = make("details", { id: "ohwx-bin", hidden: true }, count, list, empty);
  let last = "";
  let size = 0;
  /** @type {(names: readonly string[]) => void} */
  const show = keyed(
    list,
    (name) => name,
    (name) => {
      const take = button("Restore", () => back(name), { className: "ohwx-link", "aria-label": `Restore ${name}` });
      return { node: make("li", { className: "ohwx-line" }, make("span", {}, name), take), show() {} };
    },
  );

  /** @param {string} name */
  async function back(name) {
    try {
      const { id } = await server.post("api/bin/restore", { name });
      setShown(told, false);
      say("");
      restored(id);
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
  }

  function askToEmpty() {
    const what = `${parts.counted(size, "run")} and all pictures in the bin will be gone. This cannot be undone.`;
    const body = [make("p", {}, what)];
    parts.openDialog(parts, place, { title: "Delete for good", body, accept: "Delete for good" }, async () => {
      await server.post("api/bin/empty", {}, 600);
      setShown(told, false);
      restored("");
    });
  }

  return {
    node: make("div", {}, told, fault, node),
    undo(name) {
      last = name;
      setText(words, `Deleted ${name}.`);
      setShown(told, true);
    },
    show({ deleted = [] }) {
      size = deleted.length;
      setShown(node, size);
      if (told && !deleted.includes(last)) setShown(told, false);
      setText(count, `${parts.counted(size, "deleted run")}`);
      show(deleted);
    },
  };
}
