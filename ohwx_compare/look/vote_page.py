"""The page on which people vote, `votes/index.html` of a run's page: it holds no name, all else it asks for."""

from importlib.resources import files

from ohwx_compare.look.templating import filled, source_hash

__all__ = ["render_vote_page"]


def render_vote_page() -> str:
    """The page, the same for every run."""
    style, script = _part("vote.css"), _part("vote.js")
    parts = {"STYLE_HASH": source_hash(style), "SCRIPT_HASH": source_hash(script), "STYLE": style, "SCRIPT": script}
    return filled(_part("vote.html"), parts)


def _part(name: str) -> str:
    return (files("ohwx_compare.look") / "assets" / name).read_text(encoding="utf-8")
