"""Another trainer's settings, taken one by one; what is left at the end was not used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.recipe.recipe import Recipe

__all__ = ["GivenSettings", "Imported"]


@dataclass(frozen=True)
class Imported:
    """A recipe and what to know about where it came from."""

    recipe: Recipe
    notes: tuple[str, ...] = ()


class GivenSettings:
    """GivenSettings, taken one by one; what is left at the end was not used."""

    def __init__(self, values: Mapping[str, Any], notes: list[str], defaults: Mapping[str, Any]):
        """defaults: what the other trainer takes where a setting is left out."""
        self.left, self.defaults = dict(values), defaults
        self.notes = notes
        self.beyond: dict[str, str] = {}  # settings that are honoured mostly, but not with these values, and why

    def text(self, key: str) -> str | None:
        """The value as text; None where it is empty."""
        value = self.left.pop(key, None)
        value = self.defaults.get(key) if value in ("", None) else value
        return str(value).strip() if value not in ("", None) else None

    def number(self, key: str, kind: Callable[[Any], Any] = int) -> Any:
        """The value as a number; None where it is empty or 0."""
        value = self.text(key)
        try:
            return (kind(float(value)) or None) if value is not None else None
        except (ValueError, OverflowError) as error:
            raise ExperimentError(f"{key} is {value!r}, expected a number.") from error

    def flag(self, key: str) -> bool:
        """The value as yes or no."""
        return str(self.left.pop(key, self.defaults.get(key, False))).lower() in ("true", "1")

    def note(self, text: str) -> None:
        """Something the user should know."""
        self.notes.append(text)
