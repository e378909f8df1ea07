"""What a person means by IMAGE_OR_INFOTEXT: a picture, a text file, or the text itself."""

from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.core.infotext.infotext import split
from ohwx_compare.errors import ImageError, InfotextError
from ohwx_compare.files.gallery import PICTURES
from ohwx_compare.files.infotexts import find_infotext
from ohwx_compare.files.regular import read_text

__all__ = ["InputText", "is_file", "texts_of"]


@dataclass(frozen=True)
class InputText:
    """One infotext and where it came from."""

    text: str
    stem: str  # for file names
    image: Path | None = None


def texts_of(given: str) -> tuple[InputText, ...]:
    """Read one argument, at least one infotext; a text may hold several.

    Raises ImageError for a file that is missing or cannot be read, InfotextError for one without infotext.
    """
    if "\n" in given or "Steps: " in given:
        return tuple(InputText(text.strip(), "infotext") for text in split(given))
    path = Path(given)
    if not is_file(path):
        given = given if len(given) < 160 else f"{given[:77]}...{given[-77:]}"  # a path is known by its end
        raise ImageError(f"There is no file {given}; give a picture, a text file, or the infotext itself in quotes.")
    if path.suffix.lower() in PICTURES:
        found = find_infotext(path)
        if found.text is None:
            raise InfotextError(f"{path}: {found.reason}")
        return (InputText(found.text, path.stem, path),)
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    return tuple(InputText(part.strip(), path.stem) for part in split(text))


def is_file(path: Path) -> bool:
    """Whether there is such a file; a prompt given in a path's place is none, however long it is."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name longer than the system's names: a prompt given in its place
        return False
