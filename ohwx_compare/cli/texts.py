"""What a person means by IMAGE_OR_INFOTEXT: a picture, a text file, or the text itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ohwx_compare.core.infotext.infotext import Infotext, split
from ohwx_compare.core.infotext.vae import HIRES_MODULE, OWN_VAE, hires_vae_of, vae_of
from ohwx_compare.errors import ImageError, InfotextError, MissingVaeError, UnknownNameError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.gallery import PICTURES
from ohwx_compare.files.infotexts import find_infotext
from ohwx_compare.files.named import NamedFiles
from ohwx_compare.files.regular import read_text
from ohwx_compare.words import quoted

__all__ = ["InputText", "is_file", "named_hashes", "require_embeddings", "texts_of", "with_vae"]


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


def with_vae(text: Infotext, vae: Path | None, vaes: NamedFiles) -> tuple[Infotext, tuple[str, ...]]:
    """`text` without the VAE that it names, where the file `vae` is given for it; a note where that is another file.

    vaes: in which the host finds one by its name. A text that has a hash alone gets the name of the file that has it.
    Raises MissingVaeError where the text names one that is neither given nor there, or where there is no file `vae`.
    """
    if vae is not None and not vae.is_file():
        raise MissingVaeError(f"There is no VAE {vae}; give an existing file.")
    short = (text.get("VAE hash") or "").strip().lower()
    names = [name for name in (vae_of(text), hires_vae_of(text)) if name not in (None, *OWN_VAE)]
    if vae is None:
        if short and not names and (same := _named_like(short, vaes)):
            return text.with_value("VAE", same), ()
        for name in names:
            _require_vae(name, vaes)
        return text, ()
    named = text.get("VAE") or text.get("Module 1") or next(iter(names), short and "of its hash")
    if not named or text.get("Module 2"):
        return text, ()
    rest, given = text.without("VAE", "VAE hash", "Module 1", HIRES_MODULE), sha256(vae)[:10]
    if short and given.startswith(short):
        return rest, ()
    asked = f"{named.strip()} [{short}]" if short else named.strip()
    return rest, (f"the text names the VAE {asked}; {vae.name} [{given}] was used",)


def _named_like(short: str, vaes: NamedFiles) -> str | None:
    """The name of the VAE whose hash begins so."""
    found = (vaes.find(name) for name in vaes.names())
    return next((path.name for path in found if sha256(path).startswith(short)), None)


def _require_vae(name: str, vaes: NamedFiles) -> None:
    try:
        vaes.find(name)
    except UnknownNameError as error:
        raise MissingVaeError(f"The text names the VAE {quoted(name)}; give its file, or another one.") from error


def require_embeddings(text: Infotext, folders: Sequence[Path]) -> None:
    """Raise InfotextError where the text was drawn with an embedding that is in none of `folders`.

    In a prompt it is a word like any other: without its file the picture would be another one without a sign of it.
    """
    if not (named := named_hashes(text, "TI hashes")):
        return
    here = {name.casefold() for name in NamedFiles("embedding", folders, sha256).names()}
    if lost := [name for name in named if name.casefold() not in here]:
        where = " or ".join(map(str, folders)) or "the folder of --embeddings"
        raise InfotextError(
            f"The text was drawn with the embedding {quoted(lost[0])}; put its .safetensors file into {where}."
        )


def named_hashes(text: Infotext, key: str) -> dict[str, str]:
    """Name -> hash, as the webui lists LoRAs ("Lora hashes") and embeddings ("TI hashes")."""
    pairs = (one.rpartition(":") for one in (text.get(key) or "").split(","))
    return {name.strip(): short.strip().lower() for name, colon, short in pairs if colon}


def is_file(path: Path) -> bool:
    """Whether there is such a file; a prompt given in a path's place is none, however long it is."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name longer than the system's names: a prompt given in its place
        return False
