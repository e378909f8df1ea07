"""The flags for webuis that draw over their API, and what they become."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.compare.resolve import Resolve, standing_in
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import quoted

if TYPE_CHECKING:
    from ohwx_compare.compare.host import Checkpoint
    from ohwx_compare.hosts.api.crew import ApiCrew

__all__ = ["add_api_flags", "crew_of", "resolve_there"]

_LOGIN = "OHWX_API_LOGIN"


def add_api_flags(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    parser.add_argument(
        "--api",
        metavar="URL[,URL...]",
        help="have running webuis draw, started with their flag --api, as in http://127.0.0.1:7860; several share the "
        "run. Checkpoints, LoRAs, VAEs and upscalers are theirs; faces are found here",
    )
    parser.add_argument(
        "--api-login",
        metavar="FILE",
        type=Path,
        help=f"text file with user:password, as the webuis' --api-auth has it (or in the environment: {_LOGIN})",
    )


def crew_of(options: argparse.Namespace) -> "ApiCrew | None":
    """The webuis of --api; None without it.

    Raises ExperimentError for flags that cannot hold there, HostError for webuis that do not answer or would not draw
    the same.
    """
    if not options.api:
        return None
    for flag, given in (("--vae", options.vae), ("--dtype", options.dtype)):
        if given:
            raise ExperimentError(f"{flag} is for pictures drawn here; over --api the webuis use their own.")
    from ohwx_compare.hosts.api.client import Client
    from ohwx_compare.hosts.api.crew import ApiCrew
    from ohwx_compare.hosts.api.host import ApiHost

    login = _login(options.api_login)
    urls = dict.fromkeys(url.strip().rstrip("/") for url in options.api.split(",") if url.strip())
    if not urls:
        raise ExperimentError(f"--api {quoted(options.api)} names no webui; expected one like http://127.0.0.1:7860.")
    return ApiCrew([ApiHost(Client(url, login)) for url in urls])


def resolve_there(crew: "ApiCrew", stand_ins: dict[str, str]) -> Resolve:
    """Look references up among the checkpoints of the webuis; stand_ins: what the experiment calls one -> its name."""

    def resolve(ref: CheckpointRef) -> "Checkpoint":
        return crew.resolve(CheckpointRef.parse(standing_in(ref, stand_ins) or str(ref)))

    return resolve


def _login(file: Path | None) -> str:
    """The user's name and password with a colon between; "" for none. Raises ExperimentError."""
    if file is None:
        return os.environ.get(_LOGIN, "")
    try:
        with file.open(encoding="utf-8") as opened:
            login = opened.readline(1000).strip()
    except (OSError, ValueError) as error:
        raise ExperimentError(f"--api-login {file} cannot be read: {error}.") from error
    if ":" not in login:
        raise ExperimentError(f"--api-login {file} holds no user:password in its first line.")
    return login
