"""What went wrong in a run without anybody saying so: pictures that are not what their place in the grid says.

Each rule looks at what the run folder recorded; the pictures themselves are looked at only as thumbnails, and where one
is of a single colour. No model is needed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.infotext.infotext import Infotext, extra, parse
from ohwx_compare.core.prompt.chunks import chunks
from ohwx_compare.core.prompt.editing import edits
from ohwx_compare.core.prompt.parts import parts, strip_tags
from ohwx_compare.errors import ImageError, InfotextError, LedgerError
from ohwx_compare.files.images import is_one_colour, load_rgb
from ohwx_compare.files.ledger.reader import read_pictures
from ohwx_compare.files.ledger.rows import PictureRow, Run, RunCell
from ohwx_compare.files.tokenizer import tokenizer_l
from ohwx_compare.words import counted

__all__ = ["Finding", "found_in"]

_STEADY = (  # keys of an infotext that no axis varies, and that change pixels
    "VAE", "VAE hash", "Clip skip", "RNG", "Version", "Lora hashes", "TI hashes", "Hypernet", "NGMS", "Refiner",
    "Token merging ratio", "Token merging ratio hr", "Eta", "ENSD", "Schedule rho", "Sigma min", "Sigma max",
    "Tiling", "Emphasis", "Downcast alphas_cumprod", "Pad conds", "Hires upscale", "Hires steps", "Hires upscaler",
)  # fmt: skip
_NAMED = 3  # cells that a sentence names


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, and where."""

    kind: str  # "same pixels", "wrong hash", "drift", "cut prompt", "other prompt", "missing style", "one colour", ...
    cells: tuple[int, ...]  # numbers
    sentence: str


def found_in(run: Run) -> tuple[Finding, ...]:
    """All findings of a run, finished or not; () where nothing is wrong."""
    recorded = _recorded(run)
    told = [_Told(cell, text, recorded) for cell in run.cells if (text := _infotext(cell)) is not None]
    rules: tuple[Callable[[], Iterable[Finding]], ...] = (
        lambda: _same_pixels(told),
        lambda: _same_files(run),
        lambda: _wrong_hashes(run, told),
        lambda: _drifts(told),
        lambda: _other_prompts(told),
        lambda: _idle_values(run),
        lambda: _cut_prompts(run),
        lambda: _one_colour(run),
    )
    return tuple(finding for rule in rules for finding in rule())


@dataclass(frozen=True)
class _Told:
    """A cell and what its last picture says of itself."""

    cell: RunCell
    text: Infotext
    recorded: Mapping[str, PictureRow]  # by path

    @property
    def number(self) -> int:
        return self.cell.cell.number

    @property
    def pixels(self) -> str:
        """Digest of the picture before its face pass; "" where it is not recorded. Earlier versions' texts have it."""
        if row := self.recorded.get(self.cell.result.before or ""):
            return row.pixels
        with suppress(InfotextError):
            return str(extra(self.text).get("pixels") or "")
        return ""


def _recorded(run: Run) -> Mapping[str, PictureRow]:
    try:
        return read_pictures(run.folder)
    except LedgerError:  # values without a folder
        return {}


def _infotext(cell: RunCell) -> Infotext | None:
    with suppress(InfotextError):
        return parse(cell.result.infotext) if cell.result.infotext and not cell.result.error else None
    return None


def _same_pixels(told: Sequence[_Told]) -> Iterator[Finding]:
    """Two checkpoints that drew the same picture: one of them was not loaded, or they are equal."""
    groups: dict[tuple[object, str], list[_Told]] = {}
    for one in told:
        if one.pixels:
            groups.setdefault((one.cell.cell.job, one.pixels), []).append(one)
    pairs: dict[tuple[str, ...], list[_Told]] = {}
    for group in groups.values():
        if len(names := tuple(dict.fromkeys(str(one.cell.cell.checkpoint) for one in group))) > 1:
            pairs.setdefault(names, []).extend(group)
    for names, group in pairs.items():
        is_control = any(one.cell.cell.is_control for one in group)
        why = "a checkpoint that equals its base" if is_control else "they are equal, or one of them was never loaded"
        sentence = f"{' and '.join(names)} drew the same pixels in {_where(group)}: {why}."
        yield _finding("same pixels", group, sentence)


def _same_files(run: Run) -> Iterator[Finding]:
    """Two names of the same bytes."""
    by_hash: dict[str, list[str]] = {}
    for row in run.checkpoints:
        by_hash.setdefault(row.sha256, []).append(row.ref)
    for digest, names in by_hash.items():
        if len(names) > 1:
            cells = [cell.cell.number for cell in run.cells if str(cell.cell.checkpoint) in names]
            sentence = f"{' and '.join(names)} are the same file [{digest[:10]}]: their columns compare nothing."
            yield Finding(kind="same file", cells=tuple(cells), sentence=sentence)


def _wrong_hashes(run: Run, told: Sequence[_Told]) -> Iterator[Finding]:
    """Pictures of another file than the experiment names, or than the run recorded for that checkpoint."""
    for ref in run.experiment.checkpoints:
        own = [one for one in told if one.cell.cell.checkpoint == ref]
        row = next((row for row in run.checkpoints if row.ref == str(ref)), None)
        if row and ref.short_hash and not row.sha256.startswith(ref.short_hash) and own:
            sentence = f"{ref} was drawn with a file of hash [{row.sha256[:10]}] in {_where(own)}."
            yield _finding("wrong hash", own, sentence)
        drawn: dict[str, list[_Told]] = {}
        for one in own:
            if row and not row.sha256.startswith(short := one.text.get("Model hash") or ""):
                drawn.setdefault(short, []).append(one)
        for short, others in drawn.items():
            recorded = row.sha256[:10] if row else ""
            sentence = f"The hash in {_where(others)} of {ref} is [{short}], and the file's is [{recorded}]."
            yield _finding("wrong hash", others, sentence)


def _drifts(told: Sequence[_Told]) -> Iterator[Finding]:
    """Settings that nobody varied and that changed all the same."""
    for key in _STEADY:
        values: dict[str, list[_Told]] = {}
        for one in told:
            values.setdefault(one.text.get(key) or "", []).append(one)
        if len(values) < 2:
            continue
        most = max(values, key=lambda value: len(values[value]))
        others = [one for value, group in values.items() if value != most for one in group]
        shown = ", ".join(value or "none" for value in values if value != most)
        yield _finding("drift", others, f"{key} is {shown} in {_where(others)}, and {most or 'none'} in the others.")


def _other_prompts(told: Sequence[_Told]) -> Iterator[Finding]:
    """Wildcards, a style that was not merged, another script's hand."""
    others = [one for one in told if _plain(one.text.prompt) != _plain(one.cell.cell.job.prompt)]
    if others:
        sentence = f"The prompt in the infotext of {_where(others)} is another one than the experiment asks for."
        yield _finding("other prompt", others, sentence)


def _idle_values(run: Run) -> Iterator[Finding]:
    """A style without text, or any other value that asks for what its neighbour asks for."""
    for at, axis in enumerate(run.experiment.axes):
        if axis.kind not in ("styles", "prompt", "prompt s/r"):
            continue
        for one, other in _alike(run, at, axis):
            same = (one, other)
            cells = [cell.cell.number for cell in run.cells if cell.cell.coordinates[at] in same]
            names = " and ".join(repr(axis.labels[i]) for i in same)
            kind = "missing style" if axis.kind == "styles" else "idle value"
            yield Finding(
                kind=kind, cells=tuple(cells), sentence=f"{names} ask for the same picture: one adds nothing."
            )


def _alike(run: Run, at: int, axis: Axis) -> Iterator[tuple[int, int]]:
    asked: dict[tuple[object, ...], int] = {}
    for value in range(len(axis.values)):
        cells = [c.cell for c in run.cells if c.cell.coordinates[at] == value and not c.cell.is_control]
        first = asked.setdefault(tuple((cell.checkpoint, cell.job, cell.faces) for cell in cells), value)
        if first != value:
            yield first, value


def _cut_prompts(run: Run) -> Iterator[Finding]:
    """What SDXL's pooled text never sees: all behind the first chunk of 75 tokens."""
    for what in ("prompt", "negative"):
        long = [cell for cell in run.cells if _chunks(getattr(cell.cell.job, what), cell.cell.job.steps) > 1]
        if long:
            name = "prompt" if what == "prompt" else "negative prompt"
            numbers = tuple(cell.cell.number for cell in long)
            sentence = (
                f"The {name} of {_cells(numbers)} is longer than one chunk of 75 tokens: SDXL's pooled text vector "
                "sees the first chunk only, so what stands behind it counts less."
            )
            yield Finding(kind="cut prompt", cells=numbers, sentence=sentence)


@lru_cache(maxsize=4096)
def _chunks(prompt: str, steps: int) -> int:
    """Of the longest text that a prompt means at any step."""
    plain, _ = strip_tags(prompt)
    texts = (edit.text for part in parts(plain) for edit in edits(part.text, steps))
    return max(len(chunks(text, tokenizer_l())) for text in texts)


def _one_colour(run: Run) -> Iterator[Finding]:
    """Black pictures: what NaN becomes, and what a safety filter gives."""
    flat = [cell for cell in run.cells if _is_flat(run, cell.result.thumb) and _is_flat(run, cell.result.image)]
    if flat:
        numbers = tuple(cell.cell.number for cell in flat)
        sentence = f"Only one colour is in {_cells(numbers)}: the VAE gave NaN, or a filter made it black."
        yield Finding(kind="one colour", cells=numbers, sentence=sentence)


def _is_flat(run: Run, name: str | None) -> bool:
    if name is None:
        return False
    try:
        return is_one_colour(load_rgb(run.folder / name))
    except ImageError:  # it is gone: the page says so
        return False


def _finding(kind: str, told: Sequence[_Told], sentence: str) -> Finding:
    return Finding(kind=kind, cells=_numbers(told), sentence=sentence)


def _numbers(told: Sequence[_Told]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(one.number for one in told))


def _where(told: Sequence[_Told]) -> str:
    return _cells(_numbers(told))


def _cells(numbers: Sequence[int]) -> str:
    """As a sentence names them: cell 3; 4 cells (3, 5, 8, ...)."""
    if len(numbers) == 1:
        return f"cell {numbers[0]}"
    shown = ", ".join(map(str, numbers[:_NAMED]))
    return f"{counted(len(numbers), 'cell')} ({shown}{', ...' if len(numbers) > _NAMED else ''})"


def _plain(text: str) -> str:
    return " ".join(text.split())
