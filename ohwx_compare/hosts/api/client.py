"""Questions to a running webui's API (`modules/api/api.py` at 82a973c): JSON in, JSON out, every failure a sentence."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from ohwx_compare.errors import ExperimentError, HostError, OutOfMemoryError, WorkerGoneError
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import quoted

__all__ = ["Client", "NoAnswerError"]

_LONGEST = 1 << 30  # bytes of an answer
_PATIENCE = 30.0  # s for what needs no drawing
_LONGEST_DRAWING = 3600.0  # s; a machine that lost its power says nothing
_MEMORY = ("OutOfMemoryError", "out of memory")


class Client:
    """One webui. Its address holds neither name nor password; these are sent to it alone, and follow no redirect."""

    def __init__(self, url: str, login: str = ""):
        """url: "http://127.0.0.1:7860". login: "user:password", as its --api-auth has it; "" for none.

        Raises ExperimentError for what is no such address.
        """
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address or parts.query or parts.fragment:
            raise ExperimentError(
                f"{quoted(url)} is not an address of a webui; expected one like http://127.0.0.1:7860."
            )
        if parts.username is not None or parts.password is not None:
            raise ExperimentError("An address with a name and password in it is not used; give those apart from it.")
        self.url = url.rstrip("/")
        self._has_login = bool(login)
        self._headers = {"Content-Type": "application/json"}
        if login:
            self._headers["Authorization"] = f"Basic {base64.b64encode(login.encode('utf-8')).decode('ascii')}"
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str) -> Any:
        """The answer to a question. Raises HostError; NoAnswerError where nobody answers."""
        return self._ask(path, None, _PATIENCE)

    def look(self, path: str, seconds: float = _PATIENCE) -> Any | None:
        """The answer to a question that not every webui knows; None where this one does not. Raises HostError."""
        try:
            return self._ask(path, None, seconds)
        except _NotThereError:
            return None

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a request, which may take an hour. Raises HostError, OutOfMemoryError, NoAnswerError."""
        return self._ask(path, json.dumps(body).encode("ascii"), _LONGEST_DRAWING)

    def _ask(self, path: str, body: bytes | None, seconds: float) -> Any:
        asked = urllib.request.Request(self.url + path, body, self._headers)
        try:
            with self._opener.open(asked, timeout=seconds) as answer:
                text = answer.read(_LONGEST + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(path, error.code, error.read(100_000)) from error
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise NoAnswerError(
                f"No webui answers at {self.url}: {str(why).rstrip('.')}. Start it there, with its API, or give its "
                "right address."
            ) from error
        if len(text) > _LONGEST:
            raise HostError(f"{self.url} answers {path} with more than {_LONGEST:,} bytes, which no picture has.")
        try:
            return decode_json(text)
        except ValueError as error:
            raise HostError(f"{self.url} answers {path} with something else than JSON; is it a webui?") from error

    def _refused(self, path: str, status: int, body: bytes) -> HostError | OutOfMemoryError:
        if status in (401, 403):
            why = "refuses this name and password" if self._has_login else "wants a name and a password"
            return HostError(f"{self.url} {why}; give those that its API was started with.")
        if status == 404:
            return _NotThereError(f"{self.url} has no {path}; start the webui with its API.")
        if 300 <= status < 400:
            return HostError(f"{self.url} leads to another address; give that one.")
        said = _said(body)
        if any(word in said for word in _MEMORY):
            return OutOfMemoryError(f"{self.url} has no memory for this: {said}")
        return HostError(f"{self.url} answers {path} with an error ({status}): {said or 'it does not say which'}")


class NoAnswerError(WorkerGoneError):
    """A webui that is not there, or no longer."""


class _NotThereError(HostError):
    """A path that the webui does not have."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Following one would take name and password along."""

    def redirect_request(self, *asked: Any, **more: Any) -> None:
        """None: it is an error."""


def _said(body: bytes) -> str:
    """What a webui's error says: `{"error", "detail", "body", "errors"}`."""
    try:
        said = decode_json(body)
    except ValueError:
        return quoted(body[:200].decode("utf-8", "replace"))
    if not isinstance(said, dict):
        return quoted(str(said))
    parts = [str(said[name]) for name in ("error", "errors", "detail") if said.get(name)]
    return quoted(": ".join(dict.fromkeys(parts)))
