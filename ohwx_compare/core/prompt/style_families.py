"""Families of styles by their words, which of them suit a portrait, and a few of each for an axis of styles.

A style's name counts first, then its prompt. The words are those that people's styles use; a style that none of them
fits is of the family "other".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted, did_you_mean

__all__ = ["STYLE_FAMILIES", "chosen_styles", "expanded_styles", "family_name", "suits_portrait"]

_WORDS: Mapping[str, str] = MappingProxyType({  # the first whose words are found is a style's family
    "pixel art": r"pixel[- ]?art|\b(8|16)[- ]?bit\b|voxel|minecraft|pixelated",
    "craft": r"origami|papercraft|paper[- ](cut|quilling|mache|art)|kirigami|felt|clay|plasticine|knit|crochet|"
             r"embroider|stained glass|mosaic|lego|collage|quilling|sculpture|balloon",
    "3d": r"\b3[- ]?d\b|octane|unreal engine|blender|render(ed|ing)?\b|pixar|low[- ]?poly|figurine|isometric|cgi\b",
    "anime": r"anime|manga|ghibli|chibi|visual novel|cel[- ]shad|otaku|waifu|shonen|shoujo|niji",
    "drawing": r"pencil|charcoal|graphite|\bsketch|line[- ]?art|\bink\b|etching|engraving|woodcut|doodle|crayon|"
               r"ballpoint|blueprint|linocut|ukiyo|silhouette",
    "painting": r"paint(ing|ed|erly)?|water ?colou?r|\boil\b|gouache|acrylic|impressionis|impasto|fauvis|cubis|"
                r"pointillis|baroque|renaissance|abstract|expressionis|surrealis|fresco|tempera|constructivis|mural",
    "comic": r"comic|cartoon|graphic novel|pop[- ]art|superhero|disney|simpsons|caricature|sticker|flat design|vector",
    "game": r"\bgame|gaming|rpg\b|pokemon|zelda|mario|gta\b|fortnite|overwatch|street fighter|nintendo|steampunk",
    "photo": r"photo|cinematic|film\b|analog|polaroid|dslr|\b35mm|bokeh|portrait|hdr\b|noir|fashion|editorial|"
             r"tilt[- ]shift|long exposure|infrared|iphone|raw\b|documentary|glamour|realis",
})  # fmt: skip
STYLE_FAMILIES = (*sorted(_WORDS), "other")
_NO_PORTRAIT = re.compile(  # asked for something else than a person
    r"food|real estate|architect|automotive|\bcar\b|logo|typograph|\btext(ure|ile)?\b|tileable|pattern|silhouette|"
    r"landscape|interior|product|icon\b|\bmap\b|blueprint|diagram|infographic|spaceship|dinosaur|building|cityscape|"
    r"kirigami|minimalist logo|seamless|tattoo flash",
    re.IGNORECASE,
)
_ASKED = re.compile(r"(\d{1,4}|all) of (?:the )?(.+?)(?: family)?", re.IGNORECASE)


def family_name(style: Style) -> str:
    """The family of a style, one of `STYLE_FAMILIES`."""
    for text in (style.name, style.prompt or ""):
        for family, words in _WORDS.items():
            if re.search(words, text, re.IGNORECASE):
                return family
    return "other"


def suits_portrait(style: Style) -> bool:
    """Whether a person can be drawn in it; told by the name, and by what the prompt asks for before its place."""
    before, place, _ = (style.prompt or "").partition("{prompt}")
    return not _NO_PORTRAIT.search(style.name) and not (place and _NO_PORTRAIT.search(before))


def chosen_styles(
    library: Iterable[Style], family: str = "", *, count: int | None = None, portraits: bool = False
) -> tuple[Style, ...]:
    """Styles of a family ("" any), that suit a portrait where asked; `count` of them, evenly from the list's order.

    Raises ExperimentError for a family that there is not, and where there are not so many.
    """
    if family and family not in STYLE_FAMILIES:
        raise ExperimentError(f"There is no family of styles {family!r}; {did_you_mean(family, STYLE_FAMILIES)}")
    found = [
        style
        for style in library
        if (not family or family_name(style) == family) and (not portraits or suits_portrait(style))
    ]
    if count is None:
        return tuple(found)
    if count > len(found):
        kind = f" of the family {family}" if family else ""
        raise ExperimentError(
            f"There are {counted(len(found), 'style')}{kind}, expected at least {count}; ask for fewer."
        )
    return tuple(found[place * len(found) // count] for place in range(count))


def expanded_styles(values: Sequence[Any], library: Mapping[str, Style]) -> list[Any]:
    """An axis' values with "3 of the photo family", or "all of photo", in place of so many names that suit a portrait.

    A style of that very name is itself. Raises ExperimentError as `chosen_styles`.
    """
    found: list[Any] = []
    for value in values:
        asked = _ASKED.fullmatch(value.strip()) if isinstance(value, str) and value not in library else None
        if asked is None:
            found.append(value)
            continue
        count = None if asked[1].lower() == "all" else int(asked[1])
        chosen = chosen_styles(library.values(), asked[2].lower(), count=count, portraits=True)
        found += [style.name for style in chosen]
    return found
