"""What a webui noted of its checkpoints' hashes: where to look first, never what a file's hash is.

The webui's `cache.json`, beside its folder of models, names a file and its sha256 under `hashes` (modules/cache.py and
modules/hashes.py of AUTOMATIC1111's, until 1.9). It goes by time and by name, so a file may be another by now.
"""

from pathlib import Path

from ohwx_compare.files.regular import load_json

__all__ = ["told_first"]

_PREFIX = "checkpoint/"


def told_first(names: list[str], folder: Path, wanted: str) -> list[str]:
    """`names` of checkpoints in `folder`, those first that the webui noted with a hash that begins with `wanted`.

    A note that is missing or cannot be read changes nothing.
    """
    if not wanted:
        return names
    try:
        noted = load_json(folder.resolve().parent.parent / "cache.json")["hashes"]
        told = {
            key.removeprefix(_PREFIX).replace("\\", "/"): str(note["sha256"])
            for key, note in noted.items()
            if key.startswith(_PREFIX)
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return names
    return sorted(names, key=lambda name: not told.get(name, "").startswith(wanted))
