"""What a person means by IMAGE_OR_INFOTEXT: a picture, a text file, or the text itself."""

from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.core.infotext import split
from ohwx_compare.errors import ImageError, InfotextError
from ohwx_compare.files.images import read_infotext

__all__ = ["Given", "text_of"]

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


@dataclass(frozen=True)
class Given:
    """One infotext and where it came from."""

    text: str
    stem: str  # for file names
    image: Path | None = None


def text_of(given: str) -> Given:
    """Read one argument; of a text file with several infotexts, the first.

    Raises ImageError for a file that is missing or cannot be read, InfotextError for one without infotext.
    """
    if "\n" in given or "Steps: " in given:
        return Given(given, "infotext")
    path = Path(given)
    if not path.is_file():
        raise ImageError(f"There is no file {path}; give a picture, a text file, or the infotext itself in quotes.")
    if path.suffix.lower() in PICTURES:
        text = read_infotext(path)
        if text is None:
            raise InfotextError(f"{path} carries no infotext; it was saved without, or by a program that drops it.")
        return Given(text, path.stem, path)
    try:
        found = split(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    if not found:
        raise InfotextError(f"{path} holds no infotext; paste the text as the webui shows it under a picture.")
    return Given(found[0], path.stem)
