"""Which faces are inpainted together: the next of each picture, and what lies apart from it while there is room.

A face is inpainted after those before it in its picture, because its crop may show what they became. Where its crop
does not, waiting changes nothing.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from PIL import Image

from ohwx_compare.core.geometry import Box, CropPaste
from ohwx_compare.core.request.job import InpaintJob
from ohwx_compare.files import masks

__all__ = ["FaceArea", "FaceTurn", "rounds"]


class FaceArea:
    """A face to inpaint in a picture of a mask's size."""

    def __init__(self, job: InpaintJob, mask: Image.Image) -> None:
        self.job, self.mask = job, mask

    @cached_property
    def changed(self) -> Box | None:
        """The px that it changes, whole px; None where that may be all of them."""
        if not self.job.only_masked or self.job.soft:
            return None
        return masks.bounding_box(masks.gaussian_blur(self.mask, self.job.mask_blur))

    def sees(self, other: "FaceArea") -> bool:
        """Whether its crop shows what `other` changed."""
        if self.changed is None or other.changed is None:
            return True
        canvas = self.job.job.width, self.job.job.height
        crop = CropPaste.around(self.changed, padding=self.job.padding, picture=self.mask.size, canvas=canvas).crop
        return _meet(crop, other.changed)

    def placed(self, drawn: Image.Image, picture: Image.Image) -> Image.Image:
        """What it changed in `drawn`, in a picture that others of its round were put into before."""
        if self.changed is None:
            return drawn
        x1, y1, x2, y2 = self.changed.xyxy
        at = int(x1), int(y1), int(x2), int(y2)
        whole = picture.copy()
        whole.paste(drawn.crop(at), at)
        return whole


class FaceTurn(NamedTuple):
    """A face's place: the picture's among the pictures, its own among the picture's."""

    picture: int
    face: int


def rounds(faces: Sequence[Sequence[FaceArea]]) -> Iterator[list[FaceTurn]]:
    """Each picture's faces in rounds that hold at most as many faces as there are pictures; canvases of a size adjoin.

    After each round in turn, every picture is as if its faces had been inpainted one by one.
    """
    done = [0] * len(faces)
    while waiting := [i for i, own in enumerate(faces) if done[i] < len(own)]:
        taken = [FaceTurn(i, done[i]) for i in waiting]
        for i in waiting:
            own, first = faces[i], done[i]
            done[i] += 1
            while len(taken) < len(faces) and done[i] < len(own):
                if any(own[done[i]].sees(before) for before in own[first : done[i]]):
                    break
                taken.append(FaceTurn(i, done[i]))
                done[i] += 1
        yield sorted(taken, key=lambda turn: _canvas(faces[turn.picture][turn.face]))


def _canvas(face: FaceArea) -> tuple[int, int]:
    return face.job.job.width, face.job.job.height


def _meet(one: Box, other: Box) -> bool:
    return one.x1 < other.x2 and other.x1 < one.x2 and one.y1 < other.y2 and other.y1 < one.y2
