"""Whether the webui loads two checkpoints with one configuration: then the second goes into the memory of the first.

Else it builds another model, and on the way (`get_empty_cond` in modules/sd_models.py, 82a973c) it lets go of the LoRAs
of the prompt until the next pass: a refiner of another configuration draws without them.
"""

from pathlib import Path

from ohwx_compare.files.checkpoint import read_header

__all__ = ["has_own_config", "share_config"]

_FIRST = "model.diffusion_model.input_blocks.0.0.weight"
_WIDTH = 320  # of SDXL's first layer


def share_config(one: Path, other: Path) -> bool:
    """Whether both are loaded with the same one. Raises CheckpointError for a file that cannot be read."""
    beside = [path.with_suffix(".yaml") for path in (one, other)]
    if any(path.exists() for path in beside):
        return beside[0] == beside[1]
    return not any(map(has_own_config, (one, other)))


def has_own_config(path: Path) -> bool:
    """Whether it has a file of its own for that, or had one where it was drawn with, since its sizes are not SDXL's."""
    shape = read_header(path).shapes.get(_FIRST, (0,))
    return path.with_suffix(".yaml").exists() or shape[0] != _WIDTH
