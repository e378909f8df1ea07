"""LoRA files by the names that prompts call them: the file's own, or the alias that its trainer wrote into it.

https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c/extensions-builtin/Lora/networks.py
"""

import hashlib
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.checkpoint import header_length, read_header
from ohwx_compare.files.named import NamedFiles

__all__ = ["Loras", "network_hash"]

_BLOCK = 1 << 20


class Loras(NamedFiles):
    """The LoRAs of some folders, also by their aliases; an alias that several different files share is nobody's."""

    def names(self) -> list[str]:
        """All that a prompt may name, sorted."""
        return sorted({*super().names(), *self._aliases}, key=str.casefold)

    def find(self, name: str) -> Path:
        """The file that <lora:name:1> means. Raises as `NamedFiles.find`."""
        if name not in self._stems and (found := self._aliases.get(name)):
            return found
        return super().find(name)

    @cached_property
    def _aliases(self) -> dict[str, Path]:
        found: dict[str, list[Path]] = {}
        for path in (path for paths in self._stems.values() for path in paths):
            with suppress(CheckpointError):  # a damaged file has no alias; asked for by name it is told
                if alias := read_header(path).metadata.get("ss_output_name"):
                    found.setdefault(alias, []).append(path)
        return {alias: paths[0] for alias, paths in found.items() if len(paths) == 1}


def network_hash(path: Path) -> str:
    """The twelve digits by which the webui's "Lora hashes" know the file: of what follows its header.

    Where its trainer wrote them into the metadata (`sshs_model_hash`), those. Raises CheckpointError.
    """
    if told := read_header(path).metadata.get("sshs_model_hash"):
        return told[:12]
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            file.seek(8 + header_length(path))
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()[:12]
