"""What the box of a face changes of its inpaint: the size that it is drawn at, and how far it may move.

ADetailer's settings "match inpainting size to bounding box size" and "power for dynamic denoising":
`dynamic_denoise_strength` and `_OptimalCropSize` of `adetailer/opts.py`, Bing-su/adetailer 25.3.0.
"""

from ohwx_compare.core.geometry import Box
from ohwx_compare.core.request.face import FaceSettings

__all__ = ["fitted_denoise", "fitted_size"]

_TRAINED = (
    (1024, 1024), (1152, 896), (896, 1152), (1216, 832), (832, 1216), (1344, 768), (768, 1344), (1536, 640),
    (640, 1536),
)  # fmt: skip


def fitted_size(size: tuple[int, int], tab: FaceSettings, box: Box) -> tuple[int, int]:
    """Width and height, px, at which a face is drawn in place of `size`.

    Strict: the one of SDXL's sizes whose shape is the box's, of those that are no smaller than the box and than a side
    of `size`; Free: the longer side of `size`, and the other by the box's shape. A tab with a size of its own keeps it.
    """
    if tab.match_size == "Off" or (tab.width, tab.height) != (None, None):
        return size
    shape = box.width / box.height
    if tab.match_size == "Free":
        longest = max(size)
        width, height = (longest, longest / shape) if shape > 1 else (longest * shape, longest)
        return max(8, int((width + 7) // 8 * 8)), max(8, int((height + 7) // 8 * 8))
    room = [
        one
        for one in _TRAINED
        if one[0] >= box.width and one[1] >= box.height and (one[0] >= size[0] or one[1] >= size[1])
    ]
    return min(room, key=lambda one: abs(one[0] / one[1] - shape), default=size)


def fitted_denoise(tab: FaceSettings, box: Box, size: tuple[int, int]) -> float:
    """The tab's denoising strength times (1 - share of the picture that the box has) to its power; 0 to 1.

    size: (width, height) px of the picture.
    """
    rest = 1 - box.area / (size[0] * size[1])
    if not tab.denoise_power:
        return tab.denoise
    return 1.0 if rest <= 0 and tab.denoise_power < 0 else min(1.0, tab.denoise * max(rest, 0.0) ** tab.denoise_power)
