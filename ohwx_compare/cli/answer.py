"""What a command answers: one JSON document on stdout with `--json`, and errors with the flag that helps."""

from types import MappingProxyType

from ohwx_compare.errors import (
    ElsewhereError,
    MissingDetectorError,
    MissingVaeError,
    OtherExperimentError,
    UnknownCheckpointError,
    UnknownNameError,
    WrongCheckpointError,
    sentence_of,
)
from ohwx_compare.files.json_file import json_text

__all__ = ["print_json", "words_of"]

_MAP = "Or use another file in its place: --checkpoint-map NAME=FILE."
_ADVICE = MappingProxyType(
    {
        MissingVaeError: "The flag for that: --vae FILE.",
        UnknownCheckpointError: _MAP,
        WrongCheckpointError: _MAP,
        UnknownNameError: "Flags for their folders: --models, --loras, --upscalers; for a VAE: --vae FILE.",
        MissingDetectorError: "The flag for that: --detectors with its folder, or opencv-frontalface "
        "(where there is --detector: --detector opencv-frontalface).",
        ElsewhereError: "The flag for that: --adopt.",
        OtherExperimentError: "Flags for that: --out for the other folder, --reuse for this one.",
    }
)


def words_of(error: Exception) -> str:
    """The text of an error, and which flag helps; with the error's kind where it is not one of ours."""
    return " ".join([sentence_of(error), *(advice for kind, advice in _ADVICE.items() if isinstance(error, kind))])


def print_json(value: object) -> None:
    """Print `value`, which is all that a command with --json writes to stdout."""
    print(json_text(value, indent=2))
