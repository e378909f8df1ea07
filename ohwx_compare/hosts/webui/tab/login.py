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

from ohwx_compare.hosts.webui import features

__all__ = ["Login", "is_other_site", "is_own_page"]


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
        return bool(self._passwords) and not features.gradio_login(self._app)

    def admits(self, request: Request) -> bool:
        """Whether the request carries one of the logins that are asked for; all are admitted where none is."""
        has_sessions = features.gradio_login(self._app)
        if not (has_sessions or self._passwords):
            return True
        is_in_session = has_sessions and features.session_user(self._app, request) is not None
        return is_in_session or self._knows_password(request.headers)

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


def is_other_site(headers: Mapping[str, str]) -> bool:
    """Whether the browser says that a page of another site, or of another port of this machine, asks.

    Browsers say it of every request over HTTPS and to this machine, and of no other: who must know asks `is_own_page`.
    """
    return headers.get("sec-fetch-site") in ("cross-site", "same-site")


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
