// The toy model, put into the webui's folders on request; offered until it is there.

/** @import { Parts, Server, State, View } from "./ohwx_types" */

const TOY = "ohwx-toy/toy.safetensors";
const TITLE = "Puts a small SDXL checkpoint (42 MB) and its face detector into the webui's model folders";

const REFRESH = "[id$='ohwx_compare_files_refresh']"; // the script's, in txt2img and img2img
const NO_REFRESH = "In the script, press \u{1f504} beside its checkpoints first.";

/** Have the script read its lists again, as its own button does; false where that is not in the page. */
export function refreshScript() {
  const found = [...document.querySelectorAll(REFRESH)].filter((one) => one instanceof HTMLElement);
  for (const one of found) one.click();
  return found.length > 0;
}

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
      const { said: told } = await server.post("api/toy", {}, 120);
      tell(refreshScript() ? told : `${told} ${NO_REFRESH}`);
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
