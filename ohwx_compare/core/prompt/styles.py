"""The webui's styles: named texts that are merged into a prompt and taken out of it again.

Rules: AUTOMATIC1111 stable-diffusion-webui 82a973c, `modules/styles.py`. There an unknown style is ignored silently;
here it is an error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted, did_you_mean, quoted

__all__ = ["Style", "known", "recovered_styles", "styled", "substituted", "unstyled"]

_PLACE = "{prompt}"
LONGEST_PROMPT = 500_000  # characters


@dataclass(frozen=True)
class Style:
    """A style's texts; `{prompt}` in one stands for the prompt. None: known by its name only."""

    name: str
    prompt: str | None = None
    negative: str | None = None


def substituted(text: str, old: str, new: str) -> str:
    """`text` with `new` for each `old`. Raises ExperimentError before it grows longer than a prompt may be."""
    length = len(text) + text.count(old) * (len(new) - len(old))
    if length > LONGEST_PROMPT:
        raise ExperimentError(
            f"With {quoted(new)} for {quoted(old)} a prompt has {counted(length, 'character')}, expected at "
            f"most {LONGEST_PROMPT:,}; shorten one of them."
        )
    return text.replace(old, new)


def known(styles: Iterable[Style], library: Mapping[str, Style]) -> tuple[Style, ...]:
    """`styles` with the texts of `library` where they have none. Raises ExperimentError for a name it lacks."""
    return tuple(style if style.prompt is not None else _found(style.name, library) for style in styles)


def styled(job: Job, styles: Iterable[Style]) -> Job:
    """`job` with the styles merged into its prompts, one after the other.

    Raises ExperimentError for one known by name only.
    """
    for style in known(styles, {}):
        job = replace(
            job, prompt=_merged(style.prompt or "", job.prompt), negative=_merged(style.negative or "", job.negative)
        )
    return job


def unstyled(job: Job, styles: Iterable[Style]) -> Job:
    """`job` with the styles taken out of its prompts, the last first; styles that are not in them are left out."""
    for style in reversed(known(styles, {})):
        prompt, negative = _rest(style.prompt or "", job.prompt), _rest(style.negative or "", job.negative)
        if prompt is not None and negative is not None:
            job = replace(job, prompt=prompt, negative=negative)
    return job


def recovered_styles(prompt: str, negative: str, library: Iterable[Style]) -> tuple[tuple[str, ...], str, str]:
    """The names of the styles that are in a prompt and its negative one, the first applied first, and what is left.

    `extract_styles_from_prompt` of the webui: again and again the first style of the library whose both texts enclose
    or end them. A style without texts, and one with its place twice, is in none.
    """
    left = list(library)
    found: list[str] = []
    while True:
        for style in left:
            inner, outer = _rest_of(style.prompt or "", prompt), _rest_of(style.negative or "", negative)
            if (style.prompt or style.negative) and inner is not None and outer is not None:
                break
        else:
            return tuple(reversed(found)), prompt, negative
        prompt, negative = inner, outer
        left.remove(style)
        found.append(style.name)


def _rest_of(style: str, prompt: str) -> str | None:
    """What `unwrap_style_text_from_prompt` of the webui leaves of the prompt; None where the style is not in it."""
    if _PLACE in style:
        if style.count(_PLACE) > 1:
            return None
        before, _, behind = style.partition(_PLACE)
        is_in = prompt.startswith(before) and prompt.endswith(behind)
        return prompt[len(before) : len(prompt) - len(behind)] if is_in else None
    return prompt[: len(prompt) - len(style)].removesuffix(", ") if prompt.endswith(style) else None


def _found(name: str, library: Mapping[str, Style]) -> Style:
    if name in library:
        return library[name]
    hint = did_you_mean(name, library) if library else "no styles.csv was found, or it has no styles."
    raise ExperimentError(f"There is no style {quoted(name)}; {hint}")


def _merged(style: str, prompt: str) -> str:
    if _PLACE in style:
        return substituted(style, _PLACE, prompt)
    return ", ".join(filter(None, (prompt.strip(), style.strip())))


def _rest(style: str, prompt: str) -> str | None:
    """The text from which `_merged` made `prompt`; None where the style is not in it."""
    style, whole = style.strip(), prompt.strip()
    left, has_place, right = style.partition(_PLACE)
    if has_place:
        is_in = len(whole) >= len(left) + len(right) and whole.startswith(left) and whole.endswith(right)
        return whole[len(left) : len(whole) - len(right)] if is_in else None
    return whole[: len(whole) - len(style)].removesuffix(", ") if whole.endswith(style) else None
