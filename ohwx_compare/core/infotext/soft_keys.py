"""The keys of soft inpainting: extensions-builtin/soft-inpainting of the webui at 82a973c."""

from ohwx_compare.core.infotext.pairs import Infotext, read_real
from ohwx_compare.core.request.job import SoftInpaint

__all__ = ["SOFT", "SOFT_KEYS", "soft_inpaint", "soft_pairs"]

SOFT = "Soft inpainting enabled"
_FIELDS = {
    "Soft inpainting schedule bias": "bias",
    "Soft inpainting preservation strength": "preservation",
    "Soft inpainting transition contrast boost": "boost",
    "Soft inpainting mask influence": "mask_influence",
    "Soft inpainting difference threshold": "threshold",
    "Soft inpainting difference contrast": "contrast",
}
SOFT_KEYS = frozenset((SOFT, *_FIELDS))


def soft_inpaint(infotext: Infotext) -> SoftInpaint | None:
    """What the text says of it, None where it was off. Raises InfotextError for a value that is no number."""
    if (infotext.get(SOFT) or "").strip() != "True":
        return None
    said = {field: text for key, field in _FIELDS.items() if (text := infotext.get(key)) is not None}
    names = {field: key for key, field in _FIELDS.items()}
    return SoftInpaint(**{field: read_real(text, names[field]) for field, text in said.items()})


def soft_pairs(soft: SoftInpaint | None) -> dict[str, object]:
    """Keys and values as the webui writes them; {} where it is off."""
    if soft is None:
        return {}
    return {SOFT: True, **{key: f"{getattr(soft, field):g}" for key, field in _FIELDS.items()}}
