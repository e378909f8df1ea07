"""`--init IMAGE --mask IMAGE`: what img2img and inpaint start from, which no infotext holds."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ohwx_compare.core.infotext.infotext import Infotext, is_img2img, is_inpaint
from ohwx_compare.errors import ExperimentError, ImageError, InfotextError
from ohwx_compare.files.images import flattened, load_mask, load_rgba

__all__ = ["FROM_NOISE", "StartPictures", "add_start_flags", "read_start"]


@dataclass(frozen=True)
class StartPictures:
    """What img2img starts from (RGB or RGBA) and the mask of an inpaint ("L", its size, white is inpainted)."""

    image: Image.Image | None = None
    mask: Image.Image | None = None

    def for_text(self, text: Infotext) -> tuple["StartPictures", tuple[str, ...]]:
        """What of them the text's picture is drawn from, and a note where it is none.

        Raises InfotextError for an img2img text without a picture, and for one of an inpaint without a mask.
        """
        if not is_img2img(text):
            unused = "it is a txt2img picture: --init is left aside"
            return FROM_NOISE, (unused,) if self.image else ()
        if self.image is None:
            raise InfotextError(
                "It is an img2img picture (it has a Denoising strength), and its infotext does not hold the picture it "
                "started from; give that with --init IMAGE, and the mask of an inpaint with --mask IMAGE."
            )
        if self.mask is None and is_inpaint(text):
            raise InfotextError("It is an inpaint, and its infotext does not hold the mask; give it with --mask IMAGE.")
        return self, ()

    def on(self, colour: str) -> "StartPictures":
        """With the picture as "RGB", on `colour` where it is transparent."""
        return replace(self, image=flattened(self.image, colour)) if self.image else self


FROM_NOISE = StartPictures()
"""No picture to start from."""


def add_start_flags(parser: argparse.ArgumentParser) -> None:
    """Add both flags."""
    parser.add_argument(
        "--init", metavar="IMAGE", type=Path, help="the picture that img2img and inpaint texts start from"
    )
    parser.add_argument(
        "--mask", metavar="IMAGE", type=Path, help="the mask of an inpaint, of --init's size: white is inpainted"
    )


def read_start(options: argparse.Namespace) -> StartPictures:
    """Load what the flags name. Raises ImageError for a file, ExperimentError for a mask without a picture."""
    if options.mask and not options.init:
        raise ExperimentError("--mask needs the picture that it belongs to; give it with --init IMAGE.")
    image = load_rgba(options.init) if options.init else None
    mask = load_mask(options.mask) if options.mask else None
    if image and mask and image.size != mask.size:
        raise ImageError(
            f"--mask {options.mask} is {mask.width}x{mask.height} px, expected --init's {image.width}x{image.height}."
        )
    return StartPictures(image, mask)
