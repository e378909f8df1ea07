"""The face pass's settings: ADetailer's, tab by tab, under our names.

`None` means "as the picture itself". The infotext keys, their historic aliases and omission rules live in
`core/infotext/face_keys.py`.
"""

from dataclasses import dataclass

__all__ = ["FaceSettings"]


@dataclass(frozen=True, kw_only=True)
class FaceSettings:
    """One ADetailer tab; defaults are ADetailer 25.3.0's. Lengths are px of the whole picture."""

    model: str = "face_yolov8n.pt"
    classes: str = ""
    prompt: str = ""  # "" the picture's own; [SEP] separates faces, [SKIP] leaves one, [PROMPT] stands for the own
    negative: str = ""
    confidence: float = 0.3  # 0..1, detections below are dropped
    top_k: int = 0  # 0 keeps all
    top_k_by: str = "Area"  # "Area" or "Confidence"
    min_ratio: float = 0.0  # box area / picture area
    max_ratio: float = 1.0
    sort: str = "None"  # "None", "Left to right", "Center to edge", "Large to small"
    x_offset: int = 0  # + moves the mask right
    y_offset: int = 0  # + moves the mask up
    dilate: int = 4  # kernel side; negative erodes
    merge: str = "None"  # "None", "Merge", "Merge and Invert"
    blur: int = 4
    denoise: float = 0.4
    only_masked: bool = True
    padding: int = 32
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg: float | None = None
    sampler: str | None = None
    schedule: str | None = None
    noise_multiplier: float | None = None
    clip_skip: int | None = None
    checkpoint: str | None = None
    vae: str | None = None
    restore_face: bool = False
    exact_masks: bool = False  # of a segmentation detector, in their place instead of where ADetailer puts them
    same_seed: bool = False  # every face has the picture's own; else face j has seed + j
    denoise_power: float = 0.0  # denoise is multiplied by (1 - share of the box in the picture) to this power
    match_size: str = "Off"  # "Strict" (SDXL's sizes), "Free": drawn in the box's shape, where it has no size
