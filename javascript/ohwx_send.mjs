// "Send to": the webui's own send buttons, hidden in the tab, with a picture and its infotext put before them first.

/** @import { Sent } from "./ohwx_types" */

const TARGETS = ["txt2img", "img2img", "inpaint"];
const PAUSE = 100; // ms between two looks
const LOOKS = 600; // a minute

/** @param {number} ms */
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Write as a person would, so that gradio notices. @param {string} id @param {string} text */
function write(id, text) {
  const input = document.querySelector(`#${id} textarea, #${id} input`);
  if (!(input instanceof HTMLInputElement || input instanceof HTMLTextAreaElement)) return;
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** @param {string} ticket whether the webui has given it back, and so has the picture */
function hasArrived(ticket) {
  const done = document.querySelector("#ohwx_send_done textarea");
  return done instanceof HTMLTextAreaElement && done.value.includes(ticket);
}

/** Put a picture of a run into a tab of the webui. Throws a sentence. @param {Sent} sent */
export async function sendTo({ run, to, image, infotext }) {
  if (!TARGETS.includes(to)) throw new Error(`Pictures can be sent to txt2img, img2img and inpaint, not to ${to}.`);
  const load = document.getElementById("ohwx_send_load");
  if (!load) throw new Error('This webui has no "Send to" buttons, so the picture cannot be sent.');
  const ticket = String(Math.random());
  write("ohwx_send_done", "");
  write("ohwx_send_what", JSON.stringify({ run, image, infotext, ticket }));
  await wait(60); // gradio takes the text over a moment after its event
  load.click();
  for (let left = LOOKS; left; left -= 1) {
    await wait(PAUSE);
    if (hasArrived(ticket)) {
      document.getElementById(`ohwx_send_${to}`)?.click();
      return;
    }
  }
  throw new Error("The webui did not receive the picture. Send it again.");
}
