"""The entry "ohwx compare" of the webui's Script dropdown.

What generates is imported when it is needed, so that the webui starts as fast as before.
"""

import inspect
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote

import modules.scripts as scripts
from modules import processing, script_callbacks

from ohwx_compare.errors import HostError, OhwxError
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.folders import as_shown, checkpoint_files
from ohwx_compare.hosts.webui.generation.toy import register_encoder
from ohwx_compare.hosts.webui.panel.choices import choices
from ohwx_compare.hosts.webui.panel.panel import ScriptPanel, paste_fields, script_panel
from ohwx_compare.hosts.webui.settings import add_settings
from ohwx_compare.hosts.webui.tab.door import add_door
from ohwx_compare.hosts.webui.tab.place import ui_tabs

__all__ = ["CompareScript", "register"]

_FIELDS = (
    "prompt", "neg_prompt", "styles", "steps", "width", "height", "batch_count", "batch_size", "seed", "cfg_scale",
    "sampling", "scheduler",
)  # fmt: skip


class CompareScript(scripts.Script):
    """Compares the selected checkpoints side by side, before and after the face pass, in a run folder."""

    def __init__(self) -> None:
        """Ask for the components of its tab that the estimate needs; which tab that is, is said later."""
        super().__init__()
        self._panel: ScriptPanel | None = None  # before `ui` was called
        self._fields: dict[str, Any] = {}  # the tab's own components that were seen so far
        for tab, more in (("txt2img", ()), ("img2img", ("denoising_strength",))):
            for name in (*_FIELDS, *more):
                features.when_made(self, f"{tab}_{name}", partial(self._see, name))
            features.when_made(self, f"{tab}_gallery", self._tell)  # the last one

    def title(self) -> str:
        """Its name in the dropdown and in the API's `script_name`."""
        return "ohwx compare"

    def show(self, is_img2img: bool) -> bool:
        """In txt2img and img2img alike."""
        return True

    def ui(self, is_img2img: bool) -> list[Any]:
        """The panel, built once: the webui's API asks twice more for the values that it begins with."""
        if self._panel is None:
            offered = choices()
            self._panel = script_panel(partial(str.__add__, self.elem_id("")), offered)
            fresh = offered._replace(checkpoints=lambda: list(checkpoint_files()))  # what is pasted may be new
            self.infotext_fields = paste_fields(self._panel.arguments, fresh)
        return self._panel.arguments

    def _see(self, name: str, made: Any) -> None:
        self._fields[name] = made.component

    def _tell(self, made: Any) -> None:
        if self._panel:
            runner = scripts.scripts_img2img if self.is_img2img else scripts.scripts_txt2img
            theirs = features.adetailer_arguments(runner, runner.inputs)
            fields = dict(self._fields)
            self._panel.show_estimate(_teller(list(fields), len(theirs)), [*fields.values(), *theirs])

    def run(self, p: processing.StableDiffusionProcessing, *arguments: Any) -> processing.Processed:
        """Compare, and answer with the sheet first, then the cells, infotexts aligned.

        Raises OhwxError, whose text the webui shows, for what cannot be generated as requested. Where the webui would
        lose it, the text is the answer's comment.
        """
        try:
            return self._compared(p, arguments)
        except OhwxError as error:
            error.args = (as_shown(str(error)),)
            if not features.loses_errors(p):
                raise
            p.comment(str(error))
            return processing.Processed(p, [])

    def _compared(self, p: processing.StableDiffusionProcessing, arguments: tuple[Any, ...]) -> processing.Processed:
        if why := features.refusal():
            raise HostError(why)
        from ohwx_compare.hosts.webui.request.comparison import base_job, compare
        from ohwx_compare.hosts.webui.request.gallery import shown
        from ohwx_compare.hosts.webui.request.given import given_by
        from ohwx_compare.hosts.webui.request.request import read_request

        request = read_request(arguments, base_job(p), max(p.n_iter, 1) * max(p.batch_size, 1), given_by(p))
        compared = compare(p, request)
        pictures = shown(compared.run, keep_before=request.keep_before, sheet=request.sheet)
        summary = compared.summary()
        p.extra_generation_params["ohwx"] = summary  # the API's answer has it
        for line in (
            *summary["failed"],
            *compared.notes(),
            f"The whole run: ohwx/runs/{quote(compared.run.folder.name)}/index.html",  # the page makes a link of it
        ):
            p.comment(as_shown(line))
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
    """Register the webui's callbacks: once each time the entry is loaded.

    In a thread: for each callback the webui looks for its caller through the whole stack, and for frames of an import
    and of the entry, which is not a module, through all modules: 20 ms each. A thread's stack has none of them, and
    whose file this one is, is told before it is searched.
    """
    register_encoder()
    inspect.modulesbyfile[__file__] = __name__
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_register).result()


def _register() -> None:
    script_callbacks.on_script_unloaded(_forget)
    script_callbacks.on_infotext_pasted(_choose)
    script_callbacks.on_ui_settings(add_settings)
    script_callbacks.on_ui_tabs(ui_tabs)
    script_callbacks.on_app_started(_serve)


def _serve(demo: Any, app: Any) -> None:
    """Let the webui's server lead to the tab's routes; `demo` is None under --nowebui."""
    add_door(app)


def _forget() -> None:
    """Let "Reload UI" import this package anew, which an update would otherwise not get."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "ohwx_compare"]:
        del sys.modules[name]


def _choose(text: str, parameters: dict[str, Any]) -> None:
    """Choose the script in the dropdown where the text asks for a comparison, and set what its first cell lacks."""
    from ohwx_compare.hosts.webui.panel.paste import corrections, is_comparison

    if is_comparison(parameters):
        parameters |= {"Script": CompareScript().title(), **corrections(parameters)}


def _teller(fields: list[str], theirs: int) -> Any:
    """The estimate as a function of the values of the tab's fields, of ADetailer's components, and of ours."""

    def tell(*values: Any) -> str:
        from ohwx_compare.hosts.webui.request.cost import estimate_html

        known, rest = values[: len(fields)], values[len(fields) :]
        return estimate_html(dict(zip(fields, known, strict=True)), rest[theirs:], rest[:theirs])

    return tell
