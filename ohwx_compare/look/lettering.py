"""Labels in any script, drawn with the fonts that a machine happens to have; emoji in colour where a font has them so.

Every character is drawn by the first font that has it: well-known ones are asked first, then all others. What none has
is written: a symbol by its name, "(party popper)", anything else as its code point, `U+661F`. So a label is never empty
and two labels never look alike.
"""

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

__all__ = ["Lettering", "font_files"]

# Well-known files in order of preference: text faces first, then what covers the other scripts, then symbols.
_TEXT = """segoeui.ttf SFNS.ttf HelveticaNeue.ttc NotoSans-Regular.ttf DejaVuSans.ttf LiberationSans-Regular.ttf
arial.ttf"""
_BOLD = "segoeuib.ttf NotoSans-Bold.ttf DejaVuSans-Bold.ttf LiberationSans-Bold.ttf arialbd.ttf Arial Bold.ttf"
_SCRIPTS = """NotoSansCJK-Regular.ttc NotoSansCJKsc-Regular.otf NotoSansSC-Regular.otf SourceHanSans-Regular.ttc
msyh.ttc YuGothM.ttc meiryo.ttc malgun.ttf simsun.ttc msgothic.ttc PingFang.ttc Hiragino Sans GB.ttc
AppleSDGothicNeo.ttc wqy-microhei.ttc wqy-zenhei.ttc DroidSansFallbackFull.ttf DroidSansFallback.ttf ipag.ttf
NanumGothic.ttf Arial Unicode.ttf NotoSansArabic-Regular.ttf NotoSansHebrew-Regular.ttf NotoSansThai-Regular.ttf
NotoSansDevanagari-Regular.ttf tahoma.ttf Nirmala.ttf leelawui.ttf FreeSans.ttf seguisym.ttf
NotoSansSymbols2-Regular.ttf NotoSansMath-Regular.ttf Apple Symbols.ttf seguiemj.ttf NotoColorEmoji.ttf
Apple Color Emoji.ttc Symbola.ttf unifont.ttf"""
_FONT = (".ttf", ".ttc", ".otf")
_UNWANTED = re.compile("last.?resort|adobe.?blank|italic|oblique|bold|condensed|narrow|mono", re.IGNORECASE)
_STRIKES = (109, 160, 137)  # px: the one size that fonts of coloured bitmaps have, Google's, Apple's, Samsung's
_SPLIT = re.compile(r"(?<=\.tt[fc]|\.otf)\s+")
_MISSING = "\U0010fffe"  # a noncharacter: every font draws its "no such glyph" for it
_JOINED = frozenset({"Mn", "Mc", "Me", "Cf", "Sk"})  # marks, joiners, selectors, tones of skin
_INNER = re.compile(r"[_\-/\\.,;:+\s]|[a-z0-9](?=[A-Z])")
_PIECE = re.compile(r"\s+|[^\s_\-/\\.,;:+]*[_\-/\\.,;:+]+|[^\s_\-/\\.,;:+]+")


def _folders() -> list[Path]:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", "")
        return [Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts"), Path(local, "Microsoft", "Windows", "Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path.home() / "Library" / "Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [*(Path(folder, "fonts") for folder in shared.split(":")), Path.home() / ".local" / "share" / "fonts"]


@lru_cache(maxsize=2)
def font_files(*, bold: bool = False) -> tuple[Path, ...]:
    """The font files of this machine in the order in which they are asked for a character, well-known ones first."""
    found: dict[str, Path] = {}
    for top in _folders():
        for folder, _, names in os.walk(top):
            for name in names:
                found.setdefault(name.casefold(), Path(folder, name))
    wanted = _SPLIT.split(" ".join(([_BOLD] if bold else []) + [_TEXT, _SCRIPTS]).replace("\n", " "))
    known = [found[name.casefold()] for name in wanted if name.casefold() in found]
    others = (found[name] for name in sorted(found) if name.endswith(_FONT) and not _UNWANTED.search(name))
    return tuple(dict.fromkeys((*known, *others)))


class _Strike:
    """A font whose pictures have one size, drawn at another."""

    def __init__(self, path: Path, size: int) -> None:
        self.font, self.scale = _of_any_size(path), size / _STRIKES[0]

    def getlength(self, text: str) -> float:
        return self.font.getlength(text) * self.scale

    def draw(self, image: Image.Image, xy: tuple[float, float], text: str) -> None:
        """`xy` is the left end of the base line."""
        left, top, right, bottom = self.font.getbbox(text, anchor="ls")
        large = Image.new("RGBA", (max(int(right - left), 1), max(int(bottom - top), 1)))
        ImageDraw.Draw(large).text((-left, -top), text, font=self.font, embedded_color=True, anchor="ls")
        size = (max(round(large.width * self.scale), 1), max(round(large.height * self.scale), 1))
        small = large.resize(size, Image.Resampling.LANCZOS)
        at = (round(xy[0] + left * self.scale), round(xy[1] + top * self.scale))
        image.paste(small.convert(image.mode), at, small.getchannel("A"))


_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont | _Strike


class Lettering:
    """One size and weight of text, `size` px tall; `files` are asked for each character in turn."""

    def __init__(self, size: int, *, bold: bool = False, files: Iterable[Path] | None = None) -> None:
        self.size = size
        self.line = round(size * 1.4)  # px from one line to the next
        self._files = list(font_files(bold=bold) if files is None else files)
        self._fonts: list[_Font] = []
        self._choice: dict[str, int | None] = {}

    def width(self, text: str) -> int:
        """Width of one line in px."""
        return -int(-sum(font.getlength(run) for font, run in self._runs(text)) // 1)

    def wrap(self, text: str, width: int, *, lines: int | None = None) -> list[str]:
        """Lines of at most `width` px (one character at least), broken at spaces and behind `_ - / .`, else anywhere.

        Nothing is lost but the spaces at breaks; with `lines` the text ends in an ellipsis where that many are full.
        """
        wrapped: list[str] = []
        for paragraph in text.splitlines() or [""]:
            wrapped += self._wrap(paragraph, width)
        if lines is None or len(wrapped) <= lines:
            return wrapped
        last = wrapped[lines - 1]
        while last and self.width(last + "…") > width:
            last = last[:-1]
        return [*wrapped[: lines - 1], last + "…"]

    def draw(self, image: Image.Image, xy: tuple[int, int], text: str, fill: str) -> None:
        """Write one line; `xy` is the top left corner of its line box."""
        canvas = ImageDraw.Draw(image)
        x, top = float(xy[0]), xy[1] + (self.line - self.size) // 2
        base = top + round(self.size * 0.86)
        for font, run in self._runs(text):
            if isinstance(font, _Strike):
                font.draw(image, (x, base), run)
            elif isinstance(font, ImageFont.FreeTypeFont):
                in_colour = image.mode in ("RGB", "RGBA")
                canvas.text((x, base), run, fill=fill, font=font, anchor="ls", embedded_color=in_colour)
            else:  # Pillow's bitmap font has no baseline and one size
                canvas.text((x, top), run, fill=fill, font=font)
            x += font.getlength(run)

    def _wrap(self, paragraph: str, width: int) -> Iterator[str]:
        line = ""
        for piece in _PIECE.findall(paragraph.strip()):
            if self.width((line + piece).rstrip()) > width and self.width(piece) <= width:
                yield line.rstrip()
                line = ""
            line = (line + piece).lstrip()
            while len(line) > 1 and self.width(line.rstrip()) > width:
                fits = self._fitting(line, width)
                yield line[:fits].rstrip()
                line = line[fits:].lstrip()
        yield line.rstrip()

    def _fitting(self, text: str, width: int) -> int:
        """How many characters go on the line: up to a capital inside a word where that is near, else all that fit."""
        low, high = 1, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(text[:middle]) <= width else (low, middle - 1)
        breaks = [m.end() for m in _INNER.finditer(text, 0, low + 1) if low // 2 <= m.end() <= low]
        return breaks[-1] if breaks else low

    def _runs(self, text: str) -> Iterator[tuple[_Font, str]]:
        shown: list[tuple[int, str]] = []
        for char in unicodedata.normalize("NFC", text):
            at = shown[-1][0] if shown and self._belongs(char, shown[-1][0]) else self._font_of(char)
            if at is None and unicodedata.category(char) in ("Cf", "Mn"):
                continue  # invisible on its own: joiners, variation selectors
            char = " " if char.isspace() else char
            shown += [(at, char)] if at is not None else [(self._font_of(c) or 0, c) for c in _written(char)]
        for at, run in groupby(shown, key=lambda pair: pair[0]):
            yield self._fonts[at], "".join(char for _, char in run)

    def _belongs(self, char: str, at: int) -> bool:
        """Whether it makes one picture with the character before it, by the font of that one."""
        return unicodedata.category(char) in _JOINED and _has(self._fonts[at], char)

    def _font_of(self, char: str) -> int | None:
        if char not in self._choice:
            at = 0
            while (font := self._font(at)) is not None and not _has(font, char):
                at += 1
            self._choice[char] = None if font is None else at
        return self._choice[char]

    def _font(self, at: int) -> _Font | None:
        """The font of that number, opened when first asked for; Pillow's own is the last."""
        while len(self._fonts) <= at and self._files:
            with suppress(OSError):  # not a font after all, or a kind that this FreeType does not read
                self._fonts.append(_opened(self._files.pop(0), self.size))
            if not self._files:
                self._fonts.append(_built_in(self.size))
        if not self._fonts:
            self._fonts.append(_built_in(self.size))
        return self._fonts[at] if at < len(self._fonts) else None


def _opened(path: Path, size: int) -> ImageFont.FreeTypeFont | _Strike:
    """Raises OSError."""
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:
        return _Strike(path, size)


def _of_any_size(path: Path) -> ImageFont.FreeTypeFont:
    """Raises OSError."""
    for size in _STRIKES:
        with suppress(OSError):
            return ImageFont.truetype(str(path), size)
    raise OSError(f"{path} is not a font that can be read")


def _built_in(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1 has only a bitmap of one size
        return ImageFont.load_default()


def _written(char: str) -> str:
    """A character that no font has. Source of the names: the Unicode character database."""
    name = unicodedata.name(char, "").lower() if unicodedata.category(char) == "So" else ""
    return f"({name})" if name else f"U+{ord(char):04X}"


def _has(font: _Font, char: str) -> bool:
    if char.isspace():
        return True
    if isinstance(font, _Strike):
        return _picture(font.font, char) != _picture(font.font, _MISSING)
    if not isinstance(font, ImageFont.FreeTypeFont):
        return " " < char <= "\xff" and char != "\x7f"
    return _picture(font, char) != _picture(font, _MISSING)


def _picture(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes]:
    mask = _unshaped(font).getmask(char)
    return mask.size, bytes(mask)


@lru_cache(maxsize=256)
def _unshaped(font: ImageFont.FreeTypeFont) -> ImageFont.FreeTypeFont:
    """The same font that puts no dotted circle below a mark which stands alone."""
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
