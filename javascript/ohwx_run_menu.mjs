// What can be done with a run as a whole: add to it, merge, rename, download, open its folder, delete.

/** @import { Parts, Run, Server, State } from "./ohwx_types" */

const MERGE =
  "Its pictures, measures, votes and marks come into this run; a cell that both have keeps this run's pictures. The " +
  "other run stays as it is. Both must be of one experiment: all but checkpoints, seeds and other axes is alike.";

const BUSY = "This run is being worked on. Wait for it, or interrupt it.";

/** Whether nothing works on a run. @param {Pick<Run, "state">} run */
export const isIdle = (run) => !["drawing", "queued", "adopting", "merging"].includes(run.state);

/**
 * @param {Parts} parts
 * @param {Server} server
 * @param {HTMLElement} place of its dialogs, in the tab
 * @param {object} hooks
 * @param {() => Run | null} hooks.run the chosen one
 * @param {() => State | null} hooks.state
 * @param {(run: Run) => void} hooks.show what became of it
 * @param {(id: string) => void} hooks.moved it is called so now
 * @param {(id: string) => void} hooks.deleted it lies in the bin, under this name
 */
export function runMenu(parts, server, place, hooks) {
  const { make, button, setShown } = parts;
  const grow = button("Add to this run…", () => open(addTo), { id: "ohwx-grow-open" });
  const merge = button("Merge another run…", () => open(mergeInto), { id: "ohwx-merge" });
  const rename = button("Rename…", () => open(renameTo), { id: "ohwx-rename" });
  const zip = make("a", { id: "ohwx-zip", className: "ohwx-button", download: "" }, "Download as zip");
  const folder = button("Open its folder", () => open(openFolder), { id: "ohwx-folder-open" });
  const binned = { id: "ohwx-delete", title: "Into the bin; one click brings it back" };
  const remove = button("Delete", () => open(bin), binned);
  const list = make("div", { className: "ohwx-menu-list" }, grow, merge, rename, zip, folder, remove);
  const more = make("summary", { className: "ohwx-button" }, "More");
  const node = make("details", { className: "ohwx-menu", id: "ohwx-menu" }, more, list);

  /** @param {Run} run */
  const at = (run) => `api/runs/${encodeURIComponent(run.id)}`;

  /**
   * Close the menu, and do it with the chosen run; a run that is worked on says so.
   *
   * @param {(run: Run) => unknown} act
   */
  async function open(act) {
    node.open = false;
    const run = hooks.run();
    if (!run) return;
    try {
      if (act !== openFolder && !isIdle(run)) throw new Error(BUSY);
      await act(run);
    } catch (error) {
      const body = [make("p", {}, /** @type {Error} */ (error).message)];
      parts.openDialog(parts, place, { title: run.id, body });
    }
  }

  /** @param {Run} run */
  async function addTo(run) {
    const state = hooks.state();
    if (!state) return;
    parts.growDialog(parts, server, place, { run: await server.get(at(run)), state, started: hooks.show });
  }

  /** @param {Run} run */
  function mergeInto(run) {
    const others = (hooks.state()?.runs ?? []).filter((one) => one.id !== run.id && one.page && isIdle(one));
    if (!others.length) throw new Error("Make another run first: there is none to merge with.");
    const other = parts.choice("ohwx-merge-other");
    const titles = Object.fromEntries(others.map((one) => [one.id, parts.joined([one.id, one.title])]));
    other.offer(others.map((one) => one.id), others[0]?.id, titles);
    const body = [make("p", { className: "ohwx-grey" }, MERGE), parts.field("The other run", other)];
    parts.openDialog(parts, place, { title: `Merge into ${run.id}`, body, accept: "Merge" }, async () => {
      hooks.show(await server.post(`${at(run)}/merge`, { other: other.value }, 120));
    });
  }

  /** @param {Run} run */
  function renameTo(run) {
    const name = parts.textInput("ohwx-rename-name", { value: run.id });
    const body = [parts.field("Name of its folder", name)];
    parts.openDialog(parts, place, { title: "Rename the run", body, accept: "Rename" }, async () => {
      hooks.moved((await server.post(`${at(run)}/rename`, { name: name.value })).id);
    });
    name.select();
  }

  /** @param {Run} run */
  const openFolder = (run) => server.post(`${at(run)}/open`);

  /** @param {Run} run */
  async function bin(run) {
    hooks.deleted((await server.post(`${at(run)}/delete`)).id);
  }

  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Node && !node.contains(event.target)) node.open = false;
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    node.open = false;
    node.querySelector("summary")?.focus();
  });
  return {
    node,
    /** @param {Run} run */
    show(run) {
      setShown(grow, run.page && !run.elsewhere);
      setShown(merge, run.page && !run.elsewhere);
      setShown(zip, run.page);
      setShown(folder, hooks.state()?.opens);
      const href = `ohwx/${at(run)}/zip`;
      if (zip.getAttribute("href") !== href) zip.href = href;
    },
  };
}
