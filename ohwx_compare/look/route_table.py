"""Every route of a run's page, in the order in which they are tried: `ohwx view` and the webui's tab serve them all."""

import re
from collections.abc import Mapping
from functools import cache

from ohwx_compare.errors import NotHereError
from ohwx_compare.look.keep_routes import KEEP_ROUTES
from ohwx_compare.look.page_routes import PAGE_ROUTES
from ohwx_compare.look.routes import PageRoute
from ohwx_compare.look.vote_routes import VOTE_ROUTES
from ohwx_compare.words import quoted

__all__ = ["ROUTES", "routed"]

ROUTES: tuple[PageRoute, ...] = (*KEEP_ROUTES, *VOTE_ROUTES, *PAGE_ROUTES)  # the last takes every address left


def routed(method: str, path: str) -> tuple[PageRoute, Mapping[str, str]]:
    """The route that `path` means, and what stood in it for names. Raises NotHereError."""
    for route in ROUTES:
        found = _pattern(route.path).fullmatch(path)
        if found and route.method == method:
            return route, found.groupdict()
    raise NotHereError(f"There is nothing at {quoted(path)} here.")


@cache
def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:path)?\}", path)
    said = [re.escape(parts[0])]
    for name, rest, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        said.append(f"(?P<{name}>{'.+' if rest else '[^/]+'}){re.escape(text)}")
    return re.compile("".join(said))
