"""The one route of the webui's server that leads to all of ours. Light: those are made at the first request."""

import threading
from typing import Any

from starlette.concurrency import run_in_threadpool

from ohwx_compare.hosts.webui import features

__all__ = ["Door", "add_door"]

_PATH = "/ohwx/{path:path}"


class Door:
    """An ASGI application that hands each request on to our routes. app: the webui's, whose login they ask for."""

    def __init__(self, app: Any):
        self._app, self._guard = app, threading.Lock()
        self._router: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        router = self._router or await run_in_threadpool(self.router)
        await router({**scope, "path_params": {}}, receive, send)

    def router(self) -> Any:
        """Our routes; made once, for the first requests come together."""
        with self._guard:
            if self._router is None:
                from ohwx_compare.hosts.webui.tab.routes import routes

                self._router = routes(self._app)
        return self._router


def add_door(app: Any) -> None:
    """Add it to a FastAPI application, once; a new one comes after "Reload UI"."""
    if not features.has_route(app, _PATH):
        app.router.add_route(_PATH, Door(app), include_in_schema=False)
