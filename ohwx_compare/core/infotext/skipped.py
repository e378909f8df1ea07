"""ADetailer's "skip img2img": the faces of the picture given are drawn again, and nothing else.

Its text tells 1 step, Euler and 128x128 in place of what the faces were drawn with. Source: Bing-su/adetailer 25.3.0,
`set_skip_img2img` and `get_i2i_p` of scripts/!adetailer.py.
"""

from collections.abc import Sequence

from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import UnsupportedKeyError

__all__ = ["SKIPPED_SIZE", "seems_skipped"]

SKIPPED_SIZE = (128, 128)  # px


def seems_skipped(job: Job, tabs: Sequence[FaceSettings]) -> bool:
    """Whether what a text tells is what such a picture's would.

    Raises UnsupportedKeyError where it is and a tab leaves open what the text does not tell.
    """
    told = (job.steps, job.sampler, (job.width, job.height))
    if job.denoise is None or not tabs or told != (1, "Euler", SKIPPED_SIZE):
        return False
    for number, tab in enumerate(tabs, 1):
        open_ = [name for name in ("steps", "sampler", "width", "height") if getattr(tab, name) is None]
        if open_:
            raise UnsupportedKeyError(
                f"The text is of ADetailer's 'skip img2img' and does not tell the {', '.join(open_)} of its tab "
                f"{number}. Give the picture that it began with to `ohwx face`, with settings that tell them."
            )
    return True
