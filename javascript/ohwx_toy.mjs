// The toy model, put into the webui's folders on request; offered until it is there.

const TOY = "ohwx-toy/toy.safetensors";
const TITLE = "A small SDXL checkpoint (40 MB) and its face detector, into the webui's folders of models";

export function toyLine({ make, button, setShown, setText }, server, changed) {
  const words = make("span", { id: "ohwx-toy-said", className: "ohwx-grey", role: "status" });
  const put = button("Put a toy model here", press, { id: "ohwx-toy", className: "ohwx-link ohwx-grey", title: TITLE });
  const node = make("p", {}, words, " ", put);
  let said = "";

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
      tell(error.message);
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
