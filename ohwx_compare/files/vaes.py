"""VAE files that the webui takes for one checkpoint alone, where its setting says "Automatic", its default.

`resolve_vae` in modules/sd_vae.py, 82a973c: what the user noted for the checkpoint goes before a file that is named as
it. Of several files whose names begin as the checkpoint's the webui takes whichever the disk lists first; here that
is `NAME.vae.safetensors`, then the first by name.
"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path

from ohwx_compare.files.listing import VAE_BESIDE, list_files
from ohwx_compare.files.named import NamedFiles
from ohwx_compare.numerals import decode_json

__all__ = ["VaesBeside", "named_vaes"]

_KINDS = (".safetensors", ".pt", ".ckpt")
_MOST_NOTED = 1_000_000  # bytes of what the webui notes for a checkpoint


def named_vaes(vaes: Sequence[Path], checkpoints: Sequence[Path], digest: Callable[[Path], str]) -> NamedFiles:
    """The VAEs that a text or a job may name: in folders of VAEs, and among checkpoints those named as VAEs."""

    def among() -> list[Path]:
        names = ((folder, name) for folder in checkpoints if folder.is_dir() for name in list_files(folder, _KINDS[:1]))
        return [folder / name for folder, name in names if name.lower().endswith(VAE_BESIDE)]

    return NamedFiles("VAE", vaes, digest, more=among)


class VaesBeside:
    """The VAEs of checkpoints, looked for in their folders and in those of VAEs; listed at the first question."""

    def __init__(self, checkpoints: Sequence[Path], vaes: Sequence[Path]):
        self._checkpoints, self._vaes = tuple(checkpoints), tuple(vaes)
        self.of = cache(self._of)

    def _of(self, checkpoint: Path) -> Path | None:
        """The file for `checkpoint`; None is the checkpoint's own. A file that cannot be read is given all the same."""
        noted = _noted(checkpoint)
        if noted == "None":
            return None
        if noted in self._files:
            return self._files[noted]
        near = [path for name, path in self._files.items() if name.startswith(checkpoint.stem)]
        own = [path for path in near if path.stem in (checkpoint.stem, f"{checkpoint.stem}.vae")]
        return next(iter(own or near), None)

    @cached_property
    def _files(self) -> dict[str, Path]:
        """By name, the safetensors first; of two of one name the one in a folder of VAEs, as in the webui."""
        beside = [(folder, VAE_BESIDE) for folder in self._checkpoints]
        found: dict[str, Path] = {}
        for folder, suffixes in (*beside, *((folder, _KINDS) for folder in self._vaes)):
            for name in list_files(folder, _KINDS) if folder.is_dir() else ():
                if name.lower().endswith(suffixes):
                    found[Path(name).name] = folder / name
        return dict(sorted(found.items(), key=lambda item: (_KINDS.index(item[1].suffix.lower()), item[0])))


def _noted(checkpoint: Path) -> str | None:
    """The VAE that the webui's page for models noted beside the checkpoint."""
    path = checkpoint.with_suffix(".json")
    try:
        if path.stat().st_size > _MOST_NOTED:
            return None
        noted = decode_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    named = noted.get("vae") if isinstance(noted, dict) else None
    return named if isinstance(named, str) else None
