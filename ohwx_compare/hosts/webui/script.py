"""The entry "ohwx compare" of the webui's Script dropdown.

What draws is imported when it is asked to: the webui's start takes no longer for it.
"""

import sys
from typing import Any

import modules.scripts as scripts
from modules import processing, script_callbacks, sd_models

from ohwx_compare.hosts.webui.folders import checkpoint_names, detector_names
from ohwx_compare.hosts.webui.panel import panel, paste_fields
from ohwx_compare.hosts.webui.paste import is_ours
from ohwx_compare.hosts.webui.request import read_request

__all__ = ["CompareScript", "register"]


class CompareScript(scripts.Script):
    """Draws the chosen checkpoints side by side, before and after the face pass, into a run folder."""

    def title(self) -> str:
        """Its name in the dropdown and in the API's `script_name`."""
        return "ohwx compare"

    def show(self, is_img2img: bool) -> bool:
        """In txt2img and img2img alike."""
        return True

    def ui(self, is_img2img: bool) -> list:
        """The panel; may be called several times."""
        components = panel(self.elem_id, checkpoint_names, detector_names(), sd_models.list_models)
        self.infotext_fields = paste_fields(components, checkpoint_names)
        return components

    def run(self, p: processing.StableDiffusionProcessing, *arguments: Any) -> processing.Processed:
        """Compare, and answer with the sheet first, then the cells, infotexts aligned.

        Raises OhwxError, whose text the webui shows, for what cannot be drawn as asked.
        """
        from ohwx_compare.hosts.webui.comparison import base_job, compare, shown

        request = read_request(arguments, base_job(p), max(p.n_iter, 1) * max(p.batch_size, 1))
        compared = compare(p, request)
        pictures = shown(compared.run, keep_before=request.keep_before)
        summary = compared.summary()
        p.extra_generation_params["ohwx"] = summary  # the API's answer has it
        for line in (*summary["failed"], f"The whole run: {compared.run.folder / 'index.html'}"):
            p.comment(line)
        texts = [picture.infotext for picture in pictures]
        job = request.experiment.job
        p.prompt, p.negative_prompt, p.seed = job.prompt, job.negative, job.seed
        p.all_prompts, p.all_negative_prompts = [job.prompt] * len(texts), [job.negative] * len(texts)
        p.all_seeds, p.all_subseeds = [job.seed] * len(texts), [job.subseed] * len(texts)
        return processing.Processed(
            p,
            [picture.image for picture in pictures],
            seed=job.seed,
            info=texts[0] if texts else "",
            subseed=job.subseed,
            index_of_first_image=1,
            infotexts=texts,
        )


def register() -> None:
    """Tell the webui what it shall call: once each time the entry is loaded."""
    script_callbacks.on_script_unloaded(_forget)
    script_callbacks.on_infotext_pasted(_choose)


def _forget() -> None:
    """Let "Reload UI" import this package anew, which an update would otherwise not get."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "ohwx_compare"]:
        del sys.modules[name]


def _choose(text: str, parameters: dict[str, Any]) -> None:
    """Choose the script in the dropdown where the text is a comparison's."""
    if is_ours(parameters):
        parameters["Script"] = CompareScript().title()
