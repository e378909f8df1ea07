"""The pictures of a finished run as the webui's gallery takes them: the sheet first, then the cells."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ohwx_compare.core.infotext.infotext import extra, parse, render
from ohwx_compare.errors import InfotextError
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.ledger.rows import Run
from ohwx_compare.hosts.webui.request.sheets import AS_USUAL, SheetAsked, sheets_of_values

__all__ = ["Shown", "shown"]


@dataclass(frozen=True)
class Shown:
    """A picture for the webui's gallery: opened, not read, with its infotext beside it."""

    image: Image.Image
    infotext: str


def shown(finished: Run, *, keep_before: bool, sheet: SheetAsked = AS_USUAL) -> list[Shown]:
    """The sheet, those of single values, then the cells in order, each after its face pass.

    The picture before it (if wanted) comes once.
    """
    names: list[str | None] = ["sheet.png" if (finished.folder / "sheet.png").is_file() else "sheet-1.png"]
    names += [f"{path.parent.name}/{path.name}" for path in (sheets_of_values(finished.folder) if sheet.each else ())]
    for cell in finished.cells if sheet.pictures else ():
        result = cell.result
        names += [result.before] if keep_before and result.after and result.before not in names else []
        names += [result.image]
    mark: dict[str, Any] = {} if keep_before else {"keep_before": False}
    mark |= {"show": sheet.to_json()} if sheet.to_json() else {}
    return [_open(finished.folder / name, mark) for name in names if name]


def _open(path: Path, mark: dict[str, Any]) -> Shown:
    """The gallery takes the file as it is (`already_saved_as`), so its pixels need not be in memory."""
    image = Image.open(_OnDisk(path))  # type: ignore[arg-type]  # Pillow asks for `read`, `seek` and `tell` alone
    image.already_saved_as = str(path)  # type: ignore[attr-defined]  # the webui's own mark
    return Shown(image, _brief(read_infotext(path) or "", mark))


def _brief(text: str, mark: dict[str, Any]) -> str:
    """The infotext with no more of our own key than pasting needs: the webui shows all of it under the gallery."""
    try:
        infotext = parse(text)
        kept = {
            name: value for name, value in extra(infotext).items() if name in ("run", "cell", "experiment", "face sort")
        }
    except InfotextError:
        return text
    return render(infotext.with_value("ohwx", json.dumps(kept | mark, ensure_ascii=False)))


class _OnDisk(io.RawIOBase):
    """A file that is open only while it is read: a gallery of hundreds would use up the open files."""

    def __init__(self, path: Path):
        self._path, self._at = path, 0

    def read(self, size: int = -1) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read(size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = (0, self._at, self._path.stat().st_size)[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
