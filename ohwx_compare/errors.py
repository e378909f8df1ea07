"""Everything this package raises on purpose.

OhwxError
├── InfotextError            a text or picture without usable generation parameters
│   └── UnsupportedKeyError  a key that changes pixels and that this engine does not draw yet
├── ExperimentError          an experiment, recipe or command that cannot be run as written
├── PromptError              a prompt that cannot be encoded
├── CheckpointError          a model file that is not what it should be
│   ├── MissingKeysError     tensors missing or left over
│   └── UnknownCheckpointError  a name or hash that no file answers to
├── DetectorError            a face detector that cannot be found or read
│   └── UnsafePickleError    a .pt that asks for code outside the allow-list
├── ImageError               a picture or mask that cannot be read or written
├── GeometryError            a box outside its picture, or empty
├── LedgerError              a run folder that cannot be used
├── MeasureError             weights or photographs that nothing can be measured with
├── HostError                the host drew something else than was asked for
├── OutOfMemoryError         more was asked for at once than the device has memory for
├── TrainingError            a training that cannot go on
├── NotHereError             a file or run that is asked for over HTTP and does not exist
└── Interrupted              the user asked to stop

A message is one sentence or two: what, got, expected, what to do.
"""

__all__ = [
    "CheckpointError",
    "DetectorError",
    "ExperimentError",
    "GeometryError",
    "HostError",
    "ImageError",
    "InfotextError",
    "Interrupted",
    "LedgerError",
    "MeasureError",
    "MissingKeysError",
    "NotHereError",
    "OhwxError",
    "OutOfMemoryError",
    "PromptError",
    "TrainingError",
    "UnknownCheckpointError",
    "UnsafePickleError",
    "UnsupportedKeyError",
]


class OhwxError(Exception):
    """Base of all errors of this package; its text is fit to be shown to the user."""


class InfotextError(OhwxError):
    """A text or picture without usable generation parameters."""


class UnsupportedKeyError(InfotextError):
    """A key that changes pixels and that this engine does not draw yet."""


class ExperimentError(OhwxError):
    """An experiment, recipe or command that cannot be run as written."""


class PromptError(OhwxError):
    """A prompt that cannot be encoded."""


class CheckpointError(OhwxError):
    """A model file that is not what it should be."""


class MissingKeysError(CheckpointError):
    """Tensors missing from a checkpoint, or left over."""


class UnknownCheckpointError(CheckpointError):
    """A checkpoint name or hash that no file answers to."""


class DetectorError(OhwxError):
    """A face detector that cannot be found or read."""


class UnsafePickleError(DetectorError):
    """A .pt that asks for code outside the allow-list; nothing of it ran."""


class ImageError(OhwxError):
    """A picture or mask that cannot be read or written."""


class GeometryError(OhwxError):
    """A box outside its picture, or empty."""


class LedgerError(OhwxError):
    """A run folder that cannot be used."""


class MeasureError(OhwxError):
    """Weights or photographs that nothing can be measured with."""


class HostError(OhwxError):
    """The host drew something else than was asked for."""


class OutOfMemoryError(OhwxError):
    """More was asked for at once than the device has memory for; less may go."""


class TrainingError(OhwxError):
    """A training that cannot go on: numbers that are not finite, a state that is not its own."""


class NotHereError(OhwxError):
    """A file or run that is asked for over HTTP and does not exist."""


class Interrupted(OhwxError):  # noqa: N818  named after the webui's own
    """The user asked to stop; what is committed stays."""
