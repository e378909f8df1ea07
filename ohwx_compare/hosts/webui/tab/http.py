"""What a route is asked and what it answers, without the details of HTTP."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ohwx_compare.errors import ExperimentError

__all__ = ["Handler", "HttpRequest"]


@dataclass(frozen=True)
class HttpRequest:
    """One request as the answering functions see it."""

    path: Mapping[str, str]  # the route's own parameters, percent-decoded
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ExperimentError."""
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise ExperimentError(f"The request is not JSON: {error}.") from error
        if not isinstance(data, dict):
            raise ExperimentError(f"The request must be a JSON object, got {str(data)[:80]!r}.")
        return data


Handler = Callable[[HttpRequest], Any]  # JSON values, or a whole Response
