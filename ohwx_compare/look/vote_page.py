"""The page on which people vote, `votes/index.html` of a run's page: it holds no name, all else it asks for."""

from ohwx_compare.look.templating import asset, filled, source_hash

__all__ = ["render_vote_page"]


def render_vote_page() -> str:
    """The page, the same for every run."""
    style, script = asset("palette.css") + asset("vote.css"), asset("vote.js")
    parts = {"STYLE_HASH": source_hash(style), "SCRIPT_HASH": source_hash(script), "STYLE": style, "SCRIPT": script}
    return filled(asset("vote.html"), parts)
