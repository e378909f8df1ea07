"""The routes of blind votes, below `votes/` of a run's page."""

from collections.abc import Callable, Mapping
from typing import Any

from ohwx_compare.files.named_folder import named_folder
from ohwx_compare.judge.run.booth import Booth
from ohwx_compare.look.routes import Handled, PageAnswer, PageRequest, PageRoute
from ohwx_compare.look.vote_page import render_vote_page

__all__ = ["VOTE_ROUTES"]

_BOOTH = "votes"
_KEPT = {"Cache-Control": "private, max-age=3600"}  # a picture's address is of this start of the server alone


def _page(asked: PageRequest) -> PageAnswer:
    return PageAnswer(render_vote_page().encode(), "text/html; charset=utf-8")


def _opening(asked: PageRequest) -> Handled:
    """The run is read anew: it may have grown."""
    with asked.lock:
        known = asked.session.get(_BOOTH)
        found = asked.session[_BOOTH] = _made(asked, known)
    return found.opening()


def _posted(answer: Callable[[Booth, Mapping[str, Any]], dict[str, Any]]) -> Callable[[PageRequest], Handled]:
    return lambda asked: answer(_booth(asked), asked.json())


def _booth(asked: PageRequest) -> Booth:
    with asked.lock:
        if _BOOTH not in asked.session:
            asked.session[_BOOTH] = _made(asked)
        found: Booth = asked.session[_BOOTH]
        return found


def _made(asked: PageRequest, known: Booth | None = None) -> Booth:
    if known is None:
        return Booth(asked.folder, photos=asked.photos)
    return Booth(asked.folder, secret=known.secret, photos=known.photos)


def _picture(asked: PageRequest) -> PageAnswer:
    return PageAnswer(*_booth(asked).picture(asked.path["address"]), _KEPT)


def _photo(asked: PageRequest) -> PageAnswer:
    return PageAnswer(*_booth(asked).photo(asked.path["place"]), _KEPT)


def _photographs(asked: PageRequest) -> Handled:
    """Show those of `{"folder"}` from now on."""
    folder = named_folder("folder", asked.json().get("folder"), asked.allow)
    return {"photos": _booth(asked).show_photos(folder)}


def _csv(asked: PageRequest) -> PageAnswer:
    return PageAnswer(_booth(asked).csv().encode("utf-8", "replace"), "text/csv; charset=utf-8")


VOTE_ROUTES = (
    PageRoute("GET", "votes/index.html", _page),
    PageRoute("GET", "votes/opening", _opening, is_heavy=True),
    PageRoute("GET", "votes/pictures/{address}", _picture),
    PageRoute("GET", "votes/photos/{place}", _photo),
    PageRoute("GET", "votes/votes.csv", _csv),
    PageRoute("POST", "votes/photos", _photographs),
    PageRoute("POST", "votes/next", _posted(Booth.following)),
    PageRoute("POST", "votes/answer", _posted(Booth.answer)),
    PageRoute("POST", "votes/undo", _posted(Booth.undo)),
    PageRoute("POST", "votes/reveal", _posted(Booth.reveal)),
)
