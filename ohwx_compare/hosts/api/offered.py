"""The names that a webui knows, as its API lists them; each list is asked for once."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from ohwx_compare.core.infotext.sampler_names import one_name
from ohwx_compare.core.infotext.vae import OWN_VAE
from ohwx_compare.core.prompt.networks import networks
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import HostError, UnknownNameError
from ohwx_compare.hosts.api.client import Client
from ohwx_compare.words import did_you_mean

__all__ = ["Offered"]


class Offered:
    """What one webui has besides checkpoints."""

    def __init__(self, client: Client):
        self._client = client

    def require(self, job: Job, tabs: Sequence[FaceSettings] = ()) -> None:
        """Raise UnknownNameError for the first name of a picture or its face passes that the webui does not have,
        HostError for a second checkpoint in one picture.
        """
        others = (job.refiner, job.hires_checkpoint, *(tab.checkpoint for tab in tabs))
        if other := next(filter(None, others), None):
            raise HostError(f"A comparison over a webui's API draws with one checkpoint a picture; leave {other} out.")
        named = [*_named(job), *(one for tab in tabs for one in _of_face(job, tab))]
        for what, name in dict.fromkeys(one for given in named for one in self._as_here(*given)):
            known = self._names(what)
            if name not in known:
                hint = did_you_mean(name, known) if known else "it has none."
                raise UnknownNameError(f"The webui at {self._client.url} has no {what} {name!r}; {hint}")

    def lora(self, name: str) -> str:
        """What its file says of itself, as a digest."""
        return self._loras.get(name, "")

    @property
    def splits_samplers(self) -> bool:
        """Whether schedules are named apart, as since 1.9."""
        return bool(self._schedules)

    def _as_here(self, what: str, *names: str) -> Iterator[tuple[str, str]]:
        """What a sampler and its schedule are called here; anything else is called what it is."""
        if what != "sampler":
            yield what, names[0]
        elif self.splits_samplers:
            yield from zip(("sampler", "schedule"), names, strict=True)
        else:
            yield "sampler", one_name(*names)

    def _names(self, what: str) -> Sequence[str]:
        if what == "schedule":
            return self._schedules
        return {
            "sampler": lambda: self._samplers,
            "VAE": lambda: self._vaes,
            "LoRA": lambda: [*self._loras],
            "upscaler": lambda: self._upscalers,
        }[what]()

    @cached_property
    def _samplers(self) -> list[str]:
        return self._list("samplers", "name")

    @cached_property
    def _schedules(self) -> list[str]:
        return self._list("schedulers", "label")

    @cached_property
    def _vaes(self) -> list[str]:
        return [*OWN_VAE, *self._list("sd-vae", "model_name")]

    @cached_property
    def _upscalers(self) -> list[str]:
        return [*self._list("latent-upscale-modes", "name"), *self._list("upscalers", "name")]

    @cached_property
    def _loras(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for entry in self._client.look("/sdapi/v1/loras") or []:
            told = json.dumps(entry.get("metadata"), sort_keys=True)
            digest = hashlib.sha256(told.encode("utf-8")).hexdigest()[:16]
            for name in (entry.get("name"), entry.get("alias")):
                if name:
                    found.setdefault(str(name), digest)
        return found

    def _list(self, path: str, field: str) -> list[str]:
        entries: Any = self._client.look(f"/sdapi/v1/{path}") or []
        try:
            return [str(entry[field]) for entry in entries]
        except (KeyError, TypeError) as error:
            raise HostError(f"{self._client.url} lists its {path} in a form that is not known here.") from error


def _named(job: Job) -> Iterator[tuple[str, ...]]:
    yield "sampler", job.sampler, job.schedule
    if job.vae is not None:
        yield "VAE", job.vae
    prompts = [job.prompt]
    if job.hires_upscaler is not None:
        yield "upscaler", job.hires_upscaler
        yield "sampler", job.hires_sampler or job.sampler, job.hires_schedule or job.schedule
        prompts.append(job.hires_prompt)
    if job.img2img_upscaler != "None":
        yield "upscaler", job.img2img_upscaler
    for prompt in prompts:
        yield from (("LoRA", tag.name) for tag in networks(prompt))


def _of_face(job: Job, tab: FaceSettings) -> Iterator[tuple[str, ...]]:
    yield "sampler", tab.sampler or job.sampler, tab.schedule or job.schedule
    if tab.vae is not None:
        yield "VAE", tab.vae
    yield from (("LoRA", tag.name) for tag in networks(tab.prompt))
