// A dialog that asks, does, and says what went wrong where it was asked.

/** @import { Parts } from "./ohwx_types" */

/**
 * Ask above the tab; closed, it is gone. What `accept` throws stays in it as a sentence.
 *
 * @param {Pick<Parts, "make" | "button" | "errorLine">} parts
 * @param {HTMLElement} place in the tab
 * @param {object} words
 * @param {string} words.title
 * @param {Node[]} words.body
 * @param {string} [words.accept] of the button that does it; without it there is only Close
 * @param {string} [words.id]
 * @param {() => unknown} [act] what it does
 */
export function openDialog(parts, place, { title, body, accept, id = "ohwx-dialog" }, act = () => undefined) {
  const { make, button } = parts;
  const { node: fault, say } = parts.errorLine();
  const head = make("h3", { id: `${id}-title` }, title);
  const close = button(accept ? "Cancel" : "Close", () => box.close(), { id: `${id}-close` });
  const primary = { id: `${id}-accept`, type: "submit", className: "ohwx-button ohwx-primary" };
  const go = accept ? make("button", primary, accept) : null;
  const line = make("div", { className: "ohwx-line ohwx-dialog-line" }, go, close);
  const form = make("form", { method: "dialog", noValidate: true }, head, ...body, fault, line);
  const box = make("dialog", { id, className: "ohwx-dialog", "aria-labelledby": `${id}-title` }, form);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!go || go.disabled) return;
    go.disabled = true;
    say("");
    try {
      await act();
      box.close();
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
    go.disabled = false;
  });
  box.addEventListener("close", () => box.remove());
  place.append(box);
  box.showModal();
  return box;
}
