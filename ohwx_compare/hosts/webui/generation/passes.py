"""One call of the webui's `process_images`: what is asked for, on a copy of the user's own processing object.

The copies share no dictionary with each other (the webui's own plots leak settings from cell to cell that way), and
what would change a face pass behind the user's back is pinned through `override_settings`.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules import processing, scripts, sd_samplers, shared
from PIL import Image

from ohwx_compare.core.infotext.sampler_names import one_name
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.overrides import PINNED
from ohwx_compare.hosts.webui import features
from ohwx_compare.hosts.webui.generation.sampling import (
    hires_fields,
    refiner_fields,
    refiner_overrides,
    sampling_overrides,
    set_sampling,
)
from ohwx_compare.hosts.webui.settings import NESTED_SCRIPTS, setting

__all__ = ["Template", "nested_scripts", "txt2img_processing"]


def nested_scripts() -> frozenset[str]:
    """File stems of the always-on scripts that run in a face pass too: the user's setting."""
    names = str(setting(NESTED_SCRIPTS)).split(",")
    return frozenset(filter(None, (name.strip().removesuffix(".py") for name in names)))


@dataclass
class Template:
    """The user's processing object, of which only copies are used, and what they override of the settings."""

    p: processing.StableDiffusionProcessing
    own_faces: bool  # the comparison does the faces, so ADetailer must not
    alias: Callable[[str], str] = str  # the webui's own name of a checkpoint
    told: frozenset[str] = frozenset()  # fields of jobs that an axis sets: theirs count, never the user's
    overrides: Mapping[str, Any] | None = None  # the user's own, and what the checkpoint in use needs
    _conds: list[list[Any]] = field(default_factory=list)

    def use(self, overrides: Mapping[str, Any]) -> None:
        """Override these settings from now on, with empty caches of conditioning: they know a model by name only."""
        self.overrides = overrides
        self._conds = [[None, None] for _ in range(6)]

    def picture(self, jobs: Sequence[Job]) -> processing.StableDiffusionProcessing:
        """Generate jobs that differ in the seed only, as one batch."""
        p, job = copy(self.p), jobs[0]
        p.extra_generation_params = dict(p.extra_generation_params)
        p.override_settings = {**self._settings(job), **refiner_overrides(job)}
        p.override_settings_restore_afterwards = True
        p.comments = {}
        p.prompt, p.negative_prompt, p.styles = job.prompt, job.negative, []
        p.seed, p.subseed, p.subseed_strength = [j.seed for j in jobs], job.subseed, job.subseed_strength
        p.batch_size, p.n_iter = len(jobs), 1
        p.steps, p.cfg_scale, p.width, p.height = job.steps, job.cfg, job.width, job.height
        if job.denoise is not None:
            p.denoising_strength = job.denoise
        p.do_not_save_samples = p.do_not_save_grid = True
        p.cached_c, p.cached_uc = self._conds[0], self._conds[1]
        if features.has_hires_conds(p):
            p.cached_hr_c, p.cached_hr_uc = self._conds[2], self._conds[3]
        second, refiner = hires_fields(job, self.alias), refiner_fields(job, self.alias, self.told)
        for name, value in {**second, **refiner, **_sampler(job, p)}.items():
            setattr(p, name, value)
        set_sampling(p, job, self.told)
        if self.own_faces:
            p._ad_disabled = True  # ADetailer's own mark for passes it must leave alone
        return p

    def face(
        self, asked: InpaintJob, image: Image.Image, mask: Image.Image
    ) -> processing.StableDiffusionProcessingImg2Img:
        """Inpaint the white of `mask` in `image` as ADetailer does, without the user's other hooks."""
        job, user = asked.job, self.p
        p = processing.StableDiffusionProcessingImg2Img(
            sd_model=shared.sd_model,
            outpath_samples=user.outpath_samples,
            outpath_grids=user.outpath_grids,
            prompt=job.prompt,
            negative_prompt=job.negative,
            styles=[],
            seed=job.seed,
            subseed=job.subseed,
            subseed_strength=job.subseed_strength,
            seed_resize_from_h=user.seed_resize_from_h,
            seed_resize_from_w=user.seed_resize_from_w,
            batch_size=1,
            n_iter=1,
            steps=job.steps,
            cfg_scale=job.cfg,
            width=job.width,
            height=job.height,
            restore_faces=False,
            tiling=user.tiling,
            do_not_save_samples=True,
            do_not_save_grid=True,
            override_settings={
                **self._settings(job),
                **{name: value for name, value in PINNED.items() if features.has_option(name)},
                **sampling_overrides(job, self.told),
                **({"sd_model_checkpoint": self.alias(job.checkpoint)} if job.checkpoint else {}),
            },
            init_images=[image],
            resize_mode=0,
            denoising_strength=job.denoise,
            mask=mask,
            mask_blur=asked.mask_blur,
            inpainting_fill=1,
            inpaint_full_res=asked.only_masked,
            inpaint_full_res_padding=asked.padding,
            inpainting_mask_invert=0,
            initial_noise_multiplier=job.noise_multiplier,
            **_sampler(job, user),
        )
        set_sampling(p, job)
        p.cached_c, p.cached_uc = ([None, None], [None, None]) if job.checkpoint else (self._conds[4], self._conds[5])
        p._ad_disabled = p._ad_inner = True
        if user.scripts is not None:
            p.scripts, p.script_args = _nested(user.scripts), copy(user.script_args)
        return p

    def _settings(self, job: Job) -> dict[str, Any]:
        if self.overrides is None:
            raise HostError("No checkpoint is loaded; call use() first.")
        wanted: dict[str, Any] = {"randn_source": job.rng, "CLIP_stop_at_last_layers": job.clip_skip}
        if job.vae is not None:
            wanted["sd_vae"] = job.vae
        own = {name: value for name, value in wanted.items() if features.has_option(name)}
        return {**self.overrides, **own, **sampling_overrides(job, self.told)}


def _nested(users: Any) -> Any:
    """The user's script runner, with the scripts of face passes only."""
    runner, allowed = copy(users), nested_scripts()
    runner.alwayson_scripts = [script for script in users.alwayson_scripts if Path(script.filename).stem in allowed]
    if features.has_callback_map(runner):
        runner.callback_map = {}  # made from the scripts, and told apart by their number only
    return runner


def _sampler(job: Job, p: processing.StableDiffusionProcessing) -> dict[str, str]:
    """The fields that name sampler and schedule. Raises HostError for a sampler that this webui does not have."""
    known = sd_samplers.all_samplers_map
    if features.has_scheduler(p):
        fields = {"sampler_name": job.sampler, "scheduler": job.schedule}
    else:
        fields = {"sampler_name": one_name(job.sampler, job.schedule)}
    if fields["sampler_name"] not in known:
        raise HostError(f"This webui has no sampler {fields['sampler_name']!r}; choose one of {', '.join(known)}.")
    return fields


def txt2img_processing(job: Job | None = None) -> processing.StableDiffusionProcessingTxt2Img:
    """A processing object of `job` (None: the webui's own picture), every script's arguments at their defaults.

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
        outpath_samples=features.option("outdir_txt2img_samples", ""),
        outpath_grids=features.option("outdir_txt2img_grids", ""),
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


def _default_arguments(runner: Any) -> tuple[Any, ...]:
    """What each script's components hold at start; the first says that no selectable script runs."""
    return (0, *map(features.component_value, runner.inputs[1:]))


def _default_sampler() -> str:
    return next(iter(sd_samplers.all_samplers_map))
