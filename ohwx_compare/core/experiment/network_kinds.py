"""The kinds of axes for what stands beside the checkpoint: the VAE, a LoRA, and a LoRA's weight.

A LoRA is a tag of the prompt, so every host draws it as one.
"""

import re
from dataclasses import replace
from typing import Any

from ohwx_compare.core.experiment.kind import Applied, AxisKind, Form, number, set_field, text
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError

__all__ = ["NETWORK_KINDS"]

_NO_NAME = re.compile(r"[:<>\n]")
_TAG = re.compile(r"<(lora|lyco):([^:>]+)(?::[^>]*)?>")


def _name(value: Any) -> str:
    if _NO_NAME.search(text(value)) or not value.strip():
        raise ValueError("the name of a LoRA file without suffix is needed, or None")
    return str(value).strip()


def _add(job: Job, faces: tuple[FaceSettings, ...], name: str, _: Any) -> Applied:
    return (job if name == "None" else replace(job, prompt=f"{job.prompt.rstrip()} <lora:{name}:1>")), faces


def _weigh(job: Job, faces: tuple[FaceSettings, ...], weight: float, _: Any) -> Applied:
    tags = list(_TAG.finditer(job.prompt))
    if not tags:
        if "<lora" in job.prompt or "<lyco" in job.prompt:
            raise ExperimentError("LoRA weight: the prompt's LoRA tag cannot be read; write it as <lora:name:1>.")
        return job, faces  # the cell without a LoRA, of an axis that has one
    last = tags[-1]
    tag = f"<{last[1]}:{last[2]}:{weight:g}>"
    return replace(job, prompt=f"{job.prompt[: last.start()]}{tag}{job.prompt[last.end() :]}"), faces


# in the order of application: the weight is that of the prompt's last LoRA, which is the axis' where there is one
NETWORK_KINDS = (
    AxisKind(name="vae", form=Form.NAMES, read=text, show=str, xyz="VAE",
             apply=set_field("vae"), fields=("vae",)),
    AxisKind(name="lora", form=Form.NAMES, read=_name, apply=_add,
             show=lambda name: "no LoRA" if name == "None" else name),
    AxisKind(name="lora weight", form=Form.REAL, read=number, apply=_weigh,
             show=lambda weight: f"LoRA {weight:g}"),
)  # fmt: skip
