// The toy model, put into the webui's folders on request; offered until it is there.

/** @import { Parts, Server, State, View } from "./ohwx_types" */

const TOY = "ohwx-toy/toy.safetensors";
const TITLE = "Puts a small SDXL checkpoint (42 MB) and its face detector into the webui's model folders";

/**
 * @param {Pick<Parts, "make" | "button" | "setShown" | "setText">} parts
 * @param {Server} server
 * @param {() => void} changed
 * @returns {View<Pick<State, "checkpoints">>}
 */
export function toyLine({ make, button, setShown, setText }, server, changed) {
  const words = make("span", { id: "ohwx-toy-said", className: "ohwx-grey", role: "status" });
  const link = { id: "ohwx-toy", className: "ohwx-link ohwx-grey", title: TITLE };
  const put = button("Put a toy model here", press, link);
  const node = make("p", {}, words, " ", put);
  let said = "";

  /** @param {string} text */
  function tell(text) {
    said = text;
    setText(words, said || "No checkpoint to try with?");
  }

  async function press() {
    put.disabled = true;
    try {
      tell((await server.post("api/toy", {}, 120)).said);
      changed();
    } catch (error) {
      tell(/** @type {Error} */ (error).message);
    }
    put.disabled = false;
  }

  tell("");
  return {
    node,
    show({ checkpoints }) {
      const isThere = checkpoints.includes(TOY);
      setShown(put, !isThere);
      setShown(node, said || !isThere);
    },
  };
}
