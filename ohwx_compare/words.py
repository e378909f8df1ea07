"""Numbers in sentences."""

__all__ = ["counted"]


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """`number` with what it counts: "1 cell", "2 cells", "1,234 cells". plural: of nouns that take more than an "s"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
