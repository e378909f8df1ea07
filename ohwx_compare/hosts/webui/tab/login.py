"""Who may use our routes: whoever the webui itself lets in, and for writing only its own page.

The webui guards neither what an extension adds under `--gradio-auth` nor under `--api-auth`, so both are asked here.
"""

import base64
import binascii
from collections.abc import Mapping
from secrets import compare_digest
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

__all__ = ["Login", "is_own_page"]


class Login:
    """The webui's own login: gradio's session, or the user and password of `--api-auth`; either will do.

    app: the webui's FastAPI application, gradio's or under `--nowebui` a plain one.
    api_auth: the flag's value, "user:password,user:password"; "" or None asks for none.
    """

    def __init__(self, app: Any, api_auth: str | None):
        self._app = app
        pairs = (pair.partition(":") for pair in (api_auth or "").split(",") if pair.strip())
        self._passwords = {user: password for user, _, password in pairs}

    @property
    def asks_password(self) -> bool:
        """Whether HTTP Basic is the only way in, so that a browser shall ask for it."""
        return bool(self._passwords) and not self._has_sessions

    def admits(self, request: Request) -> bool:
        """Whether the request carries one of the logins that are asked for; all are admitted where none is."""
        if not (self._has_sessions or self._passwords):
            return True
        return self._has_session(request) or self._knows_password(request.headers)

    @property
    def _has_sessions(self) -> bool:
        """Gradio asks for a login: `auth`, from gradio 4 `auth_dependency` too (gradio/routes.py, login_check)."""
        return bool(getattr(self._app, "auth", None) or getattr(self._app, "auth_dependency", None))

    def _has_session(self, request: Request) -> bool:
        """As `get_current_user` of gradio/routes.py: 3.41.2 names the cookies plainly, 4 adds the app's `cookie_id`."""
        if not self._has_sessions:
            return False
        if own := getattr(self._app, "auth_dependency", None):
            return own(request) is not None
        suffix = f"-{self._app.cookie_id}" if hasattr(self._app, "cookie_id") else ""
        cookies = (request.cookies.get(name + suffix) for name in ("access-token", "access-token-unsecure"))
        token = next(filter(None, cookies), None)
        return token is not None and getattr(self._app, "tokens", {}).get(token) is not None

    def _knows_password(self, headers: Mapping[str, str]) -> bool:
        scheme, _, code = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, _, password = base64.b64decode(code, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        known = self._passwords.get(user)
        return known is not None and compare_digest(known.encode(), password.encode())


def is_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a page of this very site sends the request, and not another site in the user's browser.

    Origin's host must be Host, or X-Forwarded-Host where a proxy rewrote Host; no page of another site can set either.
    A browser's word "Sec-Fetch-Site: same-origin" counts as well: pages cannot set it either, and it holds behind a
    proxy or tunnel that tells neither host.
    """
    if headers.get("sec-fetch-site") == "same-origin":
        return True
    origin = urlsplit(headers.get("origin", "")).netloc.lower()
    hosts = [headers.get("host", ""), *headers.get("x-forwarded-host", "").split(",")]
    return bool(origin) and origin in (host.strip().lower() for host in hosts)
