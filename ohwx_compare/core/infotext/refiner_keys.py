"""The keys by which an infotext tells the refiner: a checkpoint that takes over on the way.

Source: `apply_refiner` in `modules/sd_samplers_common.py` and `modules/infotext_versions.py` of the webui at 82a973c.
It writes them where the refiner took over, and no share where that was at once.
"""

from typing import Any

from ohwx_compare.core.infotext.pairs import Infotext, read_real
from ohwx_compare.core.infotext.sampler_names import read_version
from ohwx_compare.core.request.hires import REFINED_PASSES
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import InfotextError

__all__ = ["REFINER_KEYS", "refiner_pairs", "refiner_settings"]

_NAME, _AT, _STEPS, _PASSES = "Refiner", "Refiner switch at", "Refiner switch by sampling steps", "Hires refiner"
REFINER_KEYS = frozenset({_NAME, _AT, _STEPS, _PASSES})
_BY_TIMESTEPS_SINCE = (1, 8)


def refiner_settings(infotext: Infotext) -> dict[str, Any]:
    """Fields of `Job` and what the text says of them; {} without a refiner. Raises InfotextError."""
    name = (infotext.get(_NAME) or "").strip()
    if name in ("", "None"):
        return {}
    wrote = read_version(infotext.get("Version"))
    by_steps = (infotext.get(_STEPS) or str(wrote is not None and wrote < _BY_TIMESTEPS_SINCE)).strip()
    passes = (infotext.get(_PASSES) or "second pass").strip()
    for key, text, known in ((_STEPS, by_steps, ("True", "False")), (_PASSES, passes, REFINED_PASSES)):
        if text not in known:
            raise InfotextError(f"{key} is {text[:40]!r}, expected one of {', '.join(known)}.")
    share = read_real(infotext.get(_AT) or "0", _AT)
    return {"refiner": name, "refiner_at": share, "refiner_by_steps": by_steps == "True", "refiner_passes": passes}


def refiner_pairs(job: Job) -> dict[str, object]:
    """Keys and values of a job's refiner, in the order in which the webui writes them."""
    if not job.refiner:
        return {}
    pairs: dict[str, object] = {_STEPS: True} if job.refiner_by_steps else {}
    if job.hires_upscaler is not None and job.refiner_passes != "second pass":
        pairs[_PASSES] = job.refiner_passes
    return pairs | {_NAME: job.refiner, _AT: float(job.refiner_at)}
