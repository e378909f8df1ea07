// Another trainer's settings, or a recipe, as pasted text: it fills the form, or says why it cannot.

/** @import { Recipe, Server, TrainingParts } from "./ohwx_types" */

const HINT =
  "Settings that kohya_ss or OneTrainer saved (JSON), arguments of sd-scripts (TOML), a command line that starts " +
  "sdxl_train.py, or a recipe of ohwx train.";

/**
 * @param {TrainingParts} parts
 * @param {Server} server
 * @param {(recipe: Recipe) => void} take
 */
export function pastedView(parts, server, take) {
  const { make, button, field, textArea, textInput, items, setShown } = parts;
  const text = textArea("ohwx-pasted", { rows: 4, placeholder: "accelerate launch sdxl_train.py --config_file …" });
  const without = textInput("ohwx-without", { placeholder: "none; random_crop, max_token_length" });
  const { node: error, say } = parts.errorLine();
  const notes = make("ul", { className: "ohwx-notes", hidden: true });
  const read = button("Read", begin, { id: "ohwx-pasted-read" });

  async function begin() {
    read.disabled = true;
    say("");
    try {
      const names = without.value.split(",").map((name) => name.trim());
      /** @type {{ recipe: Recipe, notes: string[] }} */
      const answer = await server.post("api/train/read", { text: text.value, without: names.filter(Boolean) });
      take(answer.recipe);
      notes.replaceChildren(...items(answer.notes));
      setShown(notes, answer.notes.length);
    } catch (fault) {
      say(/** @type {Error} */ (fault).message);
    }
    read.disabled = false;
  }

  const node = make(
    "details",
    { className: "ohwx-more", id: "ohwx-from-others" },
    make("summary", {}, "Read another trainer's settings"),
    make("p", { className: "ohwx-grey" }, HINT),
    field("Settings", text, "ohwx-wide"),
    field("Settings to give up", without, "ohwx-double"),
    make("div", { className: "ohwx-line" }, read),
    error,
    notes,
  );
  return { node };
}
