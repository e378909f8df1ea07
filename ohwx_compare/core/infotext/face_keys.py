"""ADetailer's infotext keys, read from every release and written as 25.3.0 writes them.

Source: Bing-su/adetailer, `adetailer/args.py` of every tag from 23.5.4 to 25.3.0. No infotext holds these, so they are
unknown here: sort order (ours stands in the key `ohwx`), same seed for all faces, dynamic denoise, box matching.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from ohwx_compare.core.infotext.pairs import Infotext, read_real, read_whole
from ohwx_compare.core.infotext.sampler_names import Version, read_version, split_sampler
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import InfotextError

__all__ = [
    "ADETAILER_RELEASE", "adetailer_faces", "adetailer_tabs", "is_built_key", "is_denoise_leaked", "is_passed_through",
    "pairs_of",
]  # fmt: skip

_CLEAN_SINCE = (24, 4)

ADETAILER_RELEASE = "25.3.0"  # the release whose text we write

_Value = TypeVar("_Value")
_PREFIX = "ADetailer "
_TAB = re.compile(r"ADetailer (?P<name>.+?)(?: (?P<number>\d{1,3})(?:st|nd|rd|th))?")
_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "conf": "confidence",  # percent, until 23.5.19
        "dilate/erode": "dilate erode",
        "inpaint full": "inpaint only masked",
        "mask merge/invert": "mask merge invert",
        "mask only top k largest": "mask only top k",
        "use inpaint width/height": "use inpaint width height",
    }
)
_CONTROL = re.compile(r"ADetailer ControlNet (?:model|module|weight|guidance start|guidance end)(?P<tab>| \d{1,3}\w\w)")
_SMALL_DEFAULTS_SINCE = (23, 6, 4)  # before: dilate 32, padding 0
_NAMES = frozenset({
    "CFG scale", "CLIP skip", "VAE", "checkpoint", "confidence", "denoising strength", "dilate erode",
    "inpaint height", "inpaint only masked", "inpaint padding", "inpaint width", "mask blur", "mask max ratio",
    "mask merge invert", "mask min ratio", "mask only top k", "method to decide top k masks", "model",
    "model classes", "negative prompt", "noise multiplier", "prompt", "restore face", "sampler", "scheduler", "steps",
    "use inpaint width height", "use separate CFG scale", "use separate CLIP skip", "use separate VAE",
    "use separate checkpoint", "use separate noise multiplier", "use separate sampler", "use separate steps",
    "x offset", "y offset",
})  # fmt: skip


def is_built_key(key: str) -> bool:
    """Whether `key` is one of ADetailer's that `faces` understands (ControlNet's are not)."""
    found = _TAB.fullmatch(key)
    return found is not None and (key == "ADetailer version" or _ALIASES.get(found["name"], found["name"]) in _NAMES)


def is_passed_through(key: str, infotext: Infotext) -> bool:
    """Whether `key` is of a tab that leaves ControlNet to the picture, whose own keys tell it."""
    found = _CONTROL.fullmatch(key)
    return found is not None and infotext.get(f"ADetailer ControlNet model{found['tab']}") == "Passthrough"


def is_denoise_leaked(infotext: Infotext, denoise: float, tabs: Sequence[FaceSettings]) -> bool:
    """Whether the text's "Denoising strength" may be a face pass's: ADetailer before 24.4 wrote its own there."""
    wrote = read_version(infotext.get("ADetailer version"))
    return wrote is not None and wrote < _CLEAN_SINCE and any(tab.denoise == denoise for tab in tabs)


def adetailer_tabs(infotext: Infotext) -> dict[int, dict[str, str]]:
    """ADetailer's values by tab (from 1) and key, under the names of 25.3.0 and without prefix and number."""
    found: dict[int, dict[str, str]] = {}
    for pair in infotext.pairs:
        match = _TAB.fullmatch(pair.key)
        if not match or pair.raw is None or pair.key == "ADetailer version" or not is_built_key(pair.key):
            continue
        name, value = match["name"], pair.value
        if name == "conf":
            value = str(read_real(value, pair.key) / 100)
        found.setdefault(int(match["number"] or 1), {})[_ALIASES.get(name, name)] = value
    return dict(sorted(found.items()))


def adetailer_faces(infotext: Infotext) -> tuple[FaceSettings, ...]:
    """The face pass that the infotext names, tab by tab; () without ADetailer.

    Keys left out have the defaults of the release that wrote the text. Raises InfotextError for a value that the key
    cannot have, and for a tab without model.
    """
    wrote = read_version(infotext.get("ADetailer version"))
    webui = read_version(infotext.get("Version"))
    found = [_Tab(number, values) for number, values in adetailer_tabs(infotext).items()]
    return tuple(tab.settings(wrote, webui) for tab in found if tab.text("model", None) != "None")


class _Tab:
    """Typed access to one tab's values."""

    def __init__(self, number: int, values: Mapping[str, str]) -> None:
        self._number, self._values = number, values

    def settings(self, wrote: Version | None, webui: Version | None) -> FaceSettings:
        old = wrote is not None and wrote < _SMALL_DEFAULTS_SINCE
        sampler, schedule = self._sampler(webui)
        resized = "use inpaint width height"
        return FaceSettings(
            model=self.text("model", None),
            classes=self.text("model classes", ""),
            prompt=self.text("prompt", ""),
            negative=self.text("negative prompt", ""),
            confidence=self.real("confidence", 0.3),
            top_k=self.whole("mask only top k", 0),
            top_k_by=self._choice("method to decide top k masks", ("Area", "Confidence")),
            min_ratio=self.real("mask min ratio", 0.0),
            max_ratio=self.real("mask max ratio", 1.0),
            x_offset=self.whole("x offset", 0),
            y_offset=self.whole("y offset", 0),
            dilate=self.whole("dilate erode", 32 if old else 4),
            merge=self._choice("mask merge invert", ("None", "Merge", "Merge and Invert")),
            blur=self.whole("mask blur", 4),
            denoise=self.real("denoising strength", 0.4),
            only_masked=self.switch("inpaint only masked", True),
            padding=self.whole("inpaint padding", 0 if old else 32),
            width=self._own(resized, "inpaint width", self.whole, 512),
            height=self._own(resized, "inpaint height", self.whole, 512),
            steps=self._own("use separate steps", "steps", self.whole, 28),
            cfg=self._own("use separate CFG scale", "CFG scale", self.real, 7.0),
            sampler=sampler,
            schedule=schedule,
            noise_multiplier=self._own("use separate noise multiplier", "noise multiplier", self.real, 1.0),
            clip_skip=self._own("use separate CLIP skip", "CLIP skip", self.whole, 1),
            checkpoint=self._file("checkpoint", "Use same checkpoint"),
            vae=self._file("VAE", "Use same VAE"),
            restore_face=self.switch("restore face", False),
        )

    def text(self, name: str, default: str | None) -> str:
        value = self._values.get(name, default)
        if value is None:
            raise InfotextError(f"ADetailer's tab {self._number} has no {name!r}; was the text cut?")
        return value

    def whole(self, name: str, default: int) -> int:
        return read_whole(self._values[name], self._key(name)) if name in self._values else default

    def real(self, name: str, default: float) -> float:
        return read_real(self._values[name], self._key(name)) if name in self._values else default

    def switch(self, name: str, default: bool) -> bool:
        return self._choice(name, (str(default), str(not default))) == "True"

    def _own(self, switch: str, name: str, read: Callable[[str, _Value], _Value], default: _Value) -> _Value | None:
        """The tab's own value, None where its switch is off; before 23.5.11 some values came without a switch."""
        if not self.switch(switch, name in self._values):
            return None
        return read(name, default)

    def _sampler(self, webui: Version | None) -> tuple[str | None, str | None]:
        name = self._own("use separate sampler", "sampler", self.text, "DPM++ 2M Karras")
        schedule = self.text("scheduler", "Use same scheduler")
        given = None if schedule == "Use same scheduler" else schedule
        if name is None:
            return None, None
        if name == "Use same sampler":
            return None, given
        sampler, split = split_sampler(name, given, webui)
        return sampler, None if given is None and split == "Automatic" else split

    def _file(self, name: str, same: str) -> str | None:
        value = self._own(f"use separate {name}", name, self.text, "None")
        return None if value in ("None", same) else value

    def _choice(self, name: str, known: Sequence[str]) -> str:
        value = self._values.get(name, known[0])
        if value not in known:
            raise InfotextError(f"{self._key(name)} is {value[:40]!r}, expected one of {', '.join(known)}.")
        return value

    def _key(self, name: str) -> str:
        return f"{_PREFIX}{name}{_suffix(self._number)}"


def pairs_of(settings: Sequence[FaceSettings], *, version: str = ADETAILER_RELEASE) -> tuple[tuple[str, str], ...]:
    """Key and value of all tabs as ADetailer 25.3.0 writes them, its version last; () for no tab."""
    if not settings:
        return ()
    pairs = [
        (f"{_PREFIX}{name}{_suffix(number)}", str(value))
        for number, tab in enumerate(settings, 1)
        for name, value in (*_detection(tab), *_inpaint(tab), *_overrides(tab))
    ]
    return (*pairs, ("ADetailer version", version))


def _suffix(number: int) -> str:
    if number == 1:
        return ""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f" {number}{'th' if 11 <= number % 100 <= 13 else ending}"


Named = Iterator[tuple[str, object]]


def _detection(tab: FaceSettings) -> Named:
    yield "model", tab.model
    if tab.classes:
        yield "model classes", tab.classes
    if tab.prompt:
        yield "prompt", tab.prompt
    if tab.negative:
        yield "negative prompt", tab.negative
    yield "confidence", float(tab.confidence)
    if tab.top_k:
        yield "method to decide top k masks", tab.top_k_by
        yield "mask only top k", tab.top_k
    if tab.min_ratio:
        yield "mask min ratio", float(tab.min_ratio)
    if tab.max_ratio != 1:
        yield "mask max ratio", float(tab.max_ratio)


def _inpaint(tab: FaceSettings) -> Named:
    if tab.x_offset:
        yield "x offset", tab.x_offset
    if tab.y_offset:
        yield "y offset", tab.y_offset
    yield "dilate erode", tab.dilate
    if tab.merge != "None":
        yield "mask merge invert", tab.merge
    yield "mask blur", tab.blur
    yield "denoising strength", float(tab.denoise)
    yield "inpaint only masked", tab.only_masked
    if tab.only_masked:
        yield "inpaint padding", tab.padding


def _overrides(tab: FaceSettings) -> Named:
    if tab.width is not None or tab.height is not None:
        if tab.width is None or tab.height is None:
            raise InfotextError("ADetailer writes the width and height of a face together; set both or neither.")
        yield from (("use inpaint width height", True), ("inpaint width", tab.width), ("inpaint height", tab.height))
    if tab.steps is not None:
        yield from (("use separate steps", True), ("steps", tab.steps))
    if tab.cfg is not None:
        yield from (("use separate CFG scale", True), ("CFG scale", float(tab.cfg)))
    if tab.checkpoint is not None:
        yield from (("use separate checkpoint", True), ("checkpoint", tab.checkpoint))
    if tab.vae is not None:
        yield from (("use separate VAE", True), ("VAE", tab.vae))
    if tab.sampler is not None or tab.schedule is not None:
        yield from (("use separate sampler", True), ("sampler", tab.sampler or "Use same sampler"))
        if tab.schedule is not None:
            yield "scheduler", tab.schedule
    if tab.noise_multiplier is not None:
        yield from (("use separate noise multiplier", True), ("noise multiplier", float(tab.noise_multiplier)))
    if tab.clip_skip is not None:
        yield from (("use separate CLIP skip", True), ("CLIP skip", tab.clip_skip))
    if tab.restore_face:
        yield "restore face", True
