// Views of which one is seen, and the row of tabs to choose it by.

/** @import { Parts } from "./ohwx_types" */

/**
 * The view `step` places on, round the ends.
 *
 * @param {readonly string[]} names
 * @param {string} at
 * @param {number} step
 */
export const beside = (names, at, step) => names[(names.indexOf(at) + step + names.length) % names.length] ?? at;

/**
 * `look(name)` shows a view and calls `looked`; names that are none mean the first.
 *
 * @param {Pick<Parts, "make" | "setShown">} parts
 * @param {string} label
 * @param {readonly { name: string, words: string, node: HTMLElement }[]} views
 * @param {(name: string) => void} looked
 */
export function viewSwitch({ make, setShown }, label, views, looked) {
  const names = views.map((view) => view.name);
  let at = names[0] ?? "";
  const tabs = views.map(({ name, words }) => {
    const props = { type: "button", id: `ohwx-tab-${name}`, role: "tab", "aria-controls": `ohwx-view-${name}` };
    return make("button", { ...props, onclick: () => look(name) }, words);
  });
  const panels = views.map(({ name, node }) => {
    const props = { id: `ohwx-view-${name}`, role: "tabpanel", "aria-labelledby": `ohwx-tab-${name}` };
    return make("div", props, node);
  });
  const bar = make("div", { className: "ohwx-tabs", role: "tablist", "aria-label": label }, ...tabs);

  /** @param {string} name */
  function look(name) {
    at = names.includes(name) ? name : (names[0] ?? "");
    looked(at);
    for (const [i, tab] of tabs.entries()) {
      const isSeen = names[i] === at;
      tab.setAttribute("aria-selected", String(isSeen));
      tab.tabIndex = isSeen ? 0 : -1;
      const panel = panels[i];
      if (panel) setShown(panel, isSeen);
    }
  }

  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    look(beside(names, at, step));
    tabs[names.indexOf(at)]?.focus();
  });
  return { bar, panels, look };
}
