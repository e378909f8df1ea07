"""What a file asks to be judged, as a request: the `judge` of a whole experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ohwx_compare.judge.run.judging import JudgeRequest
from ohwx_compare.judge.run.measures import Given, folders_given
from ohwx_compare.judge.weights import weights_folders

__all__ = ["judge_asked"]


def judge_asked(
    asked: Mapping[str, str],
    comparison: Path,
    base: Path,
    detectors: Sequence[Path],
    device: str,
    *,
    adopt: bool,
) -> JudgeRequest:
    """The request to judge the folder `comparison`.

    asked: `photos`, `held_out`, `negatives`, whole paths or "", and `class_token`. base: the checkpoint that the
    trainings began from; weights are looked for beside its folder. adopt: as `JudgeRequest` has it.
    """
    photos, held_out, negatives = (
        Path(asked[name]) if asked.get(name) else None for name in ("photos", "held_out", "negatives")
    )
    given = Given(
        photos=folders_given(photos), held_out=held_out, negatives=folders_given(negatives), base=base,
        weights=tuple(weights_folders(base.parent)), device=device,
    )  # fmt: skip
    return JudgeRequest(
        folder=comparison,
        given=given,
        detectors=tuple(detectors),
        class_token=asked.get("class_token") or "",
        adopt=adopt,
    )
