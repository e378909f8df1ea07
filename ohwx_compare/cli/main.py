"""The `ohwx` command: results on stdout, talk on stderr.

Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

import argparse
import logging
import os
import sys

from ohwx_compare import __version__
from ohwx_compare.cli import compare, demo, detect, face, plan, pnginfo, replay, train
from ohwx_compare.errors import Interrupted, OhwxError

__all__ = ["build_parser", "main"]

logger = logging.getLogger(__name__)
COMMANDS = (compare, plan, replay, face, detect, pnginfo, train, demo)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each command's module adds its own."""
    parser = argparse.ArgumentParser(
        prog="ohwx", description="Compare SDXL DreamBooth checkpoints: an infotext in, the comparison out."
    )
    parser.add_argument("--version", action="version", version=f"ohwx {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status; never raises for what a user can cause."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except (Interrupted, KeyboardInterrupt):
        print("ohwx: stopped; what is finished is kept, the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OhwxError as error:
        print(f"ohwx: {error}", file=sys.stderr)
        return 1
    except Exception:
        logger.exception("ohwx: this is a fault of the program; please report the lines below.")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
