"""Everything this package raises on purpose.

OhwxError
├── InfotextError            a text or picture without usable generation parameters
│   └── UnsupportedKeyError  a key that changes pixels and that this engine does not support yet
├── ExperimentError          an experiment, recipe or command that cannot be run as written
├── PromptError              a prompt that cannot be encoded
├── CheckpointError          a model file that is not what it should be
│   ├── MissingKeysError     tensors missing or left over
│   ├── MissingVaeError      a checkpoint without a VAE, and no VAE file beside it
│   ├── WrongCheckpointError    a file of the right name whose hash is another
│   ├── UnknownCheckpointError  a name or hash for which there is no file
│   └── UnknownNameError        a VAE, LoRA or upscaler for which there is no file
├── DetectorError            a face detector that cannot be found or read
│   ├── MissingDetectorError a name for which there is no file
│   └── UnsafePickleError    a .pt that asks for code outside the allow-list
├── ImageError               a picture or mask that cannot be read or written
├── GeometryError            a box outside its picture, or empty
├── LedgerError              a run folder that cannot be used
│   ├── OtherExperimentError    a run folder with cells that the experiment does not ask for
│   └── ElsewhereError          a run folder that was made elsewhere and is not adopted yet
├── MeasureError             weights or photographs that nothing can be measured with
├── HostError                the host generated something other than what was asked for
│   ├── SkippedError         the user skipped what was being generated
│   ├── OtherBytesError      a checkpoint file that is not the one its sample took it for
│   └── WorkerGoneError      a worker that is no longer there
├── OutOfMemoryError         more was asked for at once than the device has memory for
├── TrainingError            a training that cannot continue
├── NotHereError             a file or run that was requested over HTTP and does not exist
└── Interrupted              the user asked to stop

A message is one sentence or two: what, got, expected, what to do. It names no flag: the command line adds that.
"""

__all__ = [
    "CheckpointError",
    "DetectorError",
    "ElsewhereError",
    "ExperimentError",
    "GeometryError",
    "HostError",
    "ImageError",
    "InfotextError",
    "Interrupted",
    "LedgerError",
    "MeasureError",
    "MissingDetectorError",
    "MissingKeysError",
    "MissingVaeError",
    "NotHereError",
    "OhwxError",
    "OtherBytesError",
    "OtherExperimentError",
    "OutOfMemoryError",
    "PromptError",
    "SkippedError",
    "TrainingError",
    "UnknownCheckpointError",
    "UnknownNameError",
    "UnsafePickleError",
    "UnsupportedKeyError",
    "WorkerGoneError",
    "WrongCheckpointError",
    "sentence_of",
]

_LONGEST = 2_000  # characters of a message


class OhwxError(Exception):
    """Base of all errors of this package; its text is fit to be shown to the user, whoever made what it quotes."""

    def __str__(self) -> str:
        text = super().__str__()
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 400]} ... {text[-380:]}"


class InfotextError(OhwxError):
    """A text or picture without usable generation parameters."""


class UnsupportedKeyError(InfotextError):
    """A key that changes pixels and that this engine does not support yet."""


class ExperimentError(OhwxError):
    """An experiment, recipe or command that cannot be run as written."""


class PromptError(OhwxError):
    """A prompt that cannot be encoded."""


class CheckpointError(OhwxError):
    """A model file that is not what it should be."""


class MissingKeysError(CheckpointError):
    """Tensors missing from a checkpoint, or left over."""


class WrongCheckpointError(CheckpointError):
    """A file of the right name whose hash is another."""


class MissingVaeError(CheckpointError):
    """A checkpoint without a VAE, or a text that names one, and no VAE file is given."""


class UnknownCheckpointError(CheckpointError):
    """A checkpoint name or hash for which there is no file."""


class UnknownNameError(CheckpointError):
    """The name of a VAE, LoRA or upscaler for which there is no file."""


class DetectorError(OhwxError):
    """A face detector that cannot be found or read."""


class MissingDetectorError(DetectorError):
    """A name of a face detector for which there is no file."""


class UnsafePickleError(DetectorError):
    """A .pt that asks for code outside the allow-list; nothing of it ran."""


class ImageError(OhwxError):
    """A picture or mask that cannot be read or written."""


class GeometryError(OhwxError):
    """A box outside its picture, or empty."""


class LedgerError(OhwxError):
    """A run folder that cannot be used."""


class OtherExperimentError(LedgerError):
    """A run folder with cells that the experiment does not ask for."""


class ElsewhereError(LedgerError):
    """A run folder that was made elsewhere and is not adopted yet; it can be looked at."""


class MeasureError(OhwxError):
    """Weights or photographs that nothing can be measured with."""


class HostError(OhwxError):
    """The host generated something other than what was asked for."""


class SkippedError(HostError):
    """The user skipped what was being generated; nothing is recorded of it, and the next run generates it."""


class OtherBytesError(HostError):
    """A checkpoint file that is not the one its sample took it for."""


class WorkerGoneError(HostError):
    """A worker that is no longer there; what it had in hand is given to others."""


class OutOfMemoryError(OhwxError):
    """More was asked for at once than the device has memory for; a smaller request may succeed."""


class TrainingError(OhwxError):
    """A training that cannot continue: numbers that are not finite, the state of another run."""


class NotHereError(OhwxError):
    """A file or run that was requested over HTTP and does not exist."""


class Interrupted(OhwxError):  # noqa: N818  named after the webui's own
    """The user asked to stop; what was committed stays."""


def sentence_of(error: Exception) -> str:
    """What is recorded and shown of an error at a boundary: its text, with its kind where it is not one of ours."""
    return str(error) if isinstance(error, OhwxError) else f"{type(error).__name__}: {error}"
