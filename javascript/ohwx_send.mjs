// "Send to": the webui's own send buttons, hidden in the tab, with a picture and its infotext put before them first.

const TARGETS = ["txt2img", "img2img", "inpaint"];

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// Writes as a person would, so that gradio notices.
function write(id, text) {
  const input = document.querySelector(`#${id} textarea, #${id} input`);
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

export async function sendTo({ run, to, image, infotext }) {
  if (!TARGETS.includes(to)) throw new Error(`Pictures go to ${TARGETS.join(", ")}, not to ${to}.`);
  if (!document.getElementById("ohwx_send_load")) throw new Error("This webui has no buttons to send pictures with.");
  const ticket = String(Math.random());
  write("ohwx_send_done", "");
  write("ohwx_send_what", JSON.stringify({ run, image, infotext, ticket }));
  await wait(60); // gradio takes the text over a moment after its event
  document.getElementById("ohwx_send_load").click();
  for (let left = 200; left; left -= 1) {
    await wait(100);
    if (document.querySelector("#ohwx_send_done textarea")?.value.includes(ticket)) {
      document.getElementById(`ohwx_send_${to}`).click();
      return;
    }
  }
  throw new Error("The webui did not take the picture; try again.");
}
