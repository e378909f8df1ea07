// "The whole run: ohwx/runs/NAME/index.html" below the webui's gallery, as a link.

const LOGS = "#html_log_txt2img, #html_log_img2img";
const PLACE = /ohwx\/runs\/[^\s/]+\/index\.html/;

/** The text around a run's address, and the address; null for a text without one. @param {string} text */
export function aroundRun(text) {
  const found = PLACE.exec(text);
  if (!found) return null;
  const [place] = found;
  return { before: text.slice(0, found.index), place, after: text.slice(found.index + place.length) };
}

/** A name out of an address; as it stands where it is none of ours. @param {string} coded */
export function readable(coded) {
  try {
    return decodeURIComponent(coded);
  } catch {
    return coded;
  }
}

/** @import { Parts } from "./ohwx_types" */

/** Make a link of each address that the webui shows as text. @param {Pick<Parts, "make">} parts */
export function linkRuns({ make }) {
  for (const log of document.querySelectorAll(LOGS)) {
    if (!PLACE.test(log.textContent ?? "") || log.querySelector(".ohwx-whole-run")) continue;
    const walker = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const found = aroundRun(node.nodeValue ?? "");
      if (!found) continue;
      const { before, place, after } = found;
      const name = readable(place.split("/")[2] ?? "");
      const link = { className: "ohwx-whole-run", href: place, target: "_blank", rel: "noopener" };
      /** @type {Text} */ (node).replaceWith(before, make("a", link, name), after);
      break;
    }
  }
}
