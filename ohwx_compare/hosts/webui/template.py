"""The processing object of a run that the tab draws: made as the webui's own API makes one for txt2img."""

from typing import Any

from modules import processing, scripts, sd_samplers, shared

from ohwx_compare.core.job import Job

__all__ = ["txt2img"]


def txt2img(job: Job | None = None) -> processing.StableDiffusionProcessingTxt2Img:
    """Ready to be drawn with, every other script's arguments at their defaults; `job` None: the webui's own defaults.

    `modules/api/api.py:text2imgapi` at 82a973c does the same. It loads a checkpoint where none is loaded, so it is
    made while the queue lock is held, and closed by its user.
    """
    asked: dict[str, Any] = {}
    if job:
        asked = {
            "prompt": job.prompt,
            "negative_prompt": job.negative,
            "seed": job.seed,
            "steps": job.steps,
            "cfg_scale": job.cfg,
            "width": job.width,
            "height": job.height,
        }
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        outpath_samples=getattr(shared.opts, "outdir_txt2img_samples", ""),
        outpath_grids=getattr(shared.opts, "outdir_txt2img_grids", ""),
        sampler_name=_default_sampler(),
        denoising_strength=None,  # as the webui's page has it without hires fix; before 1.10 infotexts would name it
        **asked,
    )
    p.is_api = True  # scripts that only read the user interface stay out of it
    runner = _runner()
    p.scripts = runner
    p.script_args = _default_arguments(runner)
    return p


def _runner() -> Any:
    runner = scripts.scripts_txt2img
    if not runner.scripts:  # --nowebui before its first picture
        from modules import ui

        ui.create_ui()
    return runner


def _default_arguments(runner: Any) -> tuple:
    """What each script's components hold at start; the first says that no selectable script runs."""
    return (0, *(getattr(component, "value", None) for component in runner.inputs[1:]))


def _default_sampler() -> str:
    return next(iter(sd_samplers.all_samplers_map))
