"""The `ohwx` command: results on stdout, messages on stderr.

Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

import argparse
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from types import MappingProxyType

from ohwx_compare import __version__
from ohwx_compare.cli.answer import print_json, words_of
from ohwx_compare.cli.streams import OutputError, Plain, open_missing, silence
from ohwx_compare.errors import Interrupted, OhwxError
from ohwx_compare.words import quoted

__all__ = ["COMMANDS", "build_parser", "main", "parsers"]

logger = logging.getLogger(__name__)
COMMANDS = MappingProxyType(  # a module here, and what `ohwx --help` says of it
    {
        "compare": "compare checkpoints: generate every picture, a sheet and a page",
        "plan": "count what a comparison will cost",
        "view": "look at a run in the browser, and keep what you decide",
        "runs": "list, rename, delete, restore and merge runs, add to one",
        "sheet": "write other sheets of a run: other columns and rows, some values, for paper",
        "check": "look for what went wrong in a run without saying so",
        "replay": "generate pictures again from their infotexts",
        "face": "run the face pass on existing pictures",
        "detect": "find the faces in pictures",
        "pnginfo": "read how pictures were generated",
        "strip": "copy pictures without their metadata",
        "styles": "list styles by family, convert Fooocus' styles",
        "judge": "say which checkpoint to keep",
        "votes": "say what blind votes on a run add up to",
        "sort": "sort pictures by likeness to photographs",
        "dataset": "look for what is wrong with a set of training pictures, and crop it",
        "train": "train SDXL with DreamBooth from a recipe",
        "extract": "take a LoRA out of a fine-tuned checkpoint",
        "weights": "fetch the weights that a measure needs",
        "demo": "see the whole job in a toy world, from training to the answer",
        "completion": "print a script that completes commands and flags in your shell",
    }
)


def build_parser(*commands: str) -> argparse.ArgumentParser:
    """Return the parser: `commands` with their flags, the others with their names alone.

    So `ohwx --help` and each command load no more than they need.
    """
    parser = argparse.ArgumentParser(
        prog="ohwx", description="Compare SDXL DreamBooth checkpoints: an infotext in, the comparison out."
    )
    parser.add_argument("--version", action="version", version=f"ohwx {__version__}")
    added = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, words in COMMANDS.items():
        command = added.add_parser(name, help=words)
        if name in commands:
            import_module(f"ohwx_compare.cli.{name}").add_flags(command)
    return parser


def parsers() -> Mapping[str, argparse.ArgumentParser]:
    """Every command's own parser, with all its flags, in the order of `COMMANDS`."""
    parser = build_parser(*COMMANDS)
    return next(each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status; never raises for what a user can cause."""
    open_missing()
    out, talk = sys.stdout, sys.stderr
    for stream in (out, talk):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    with redirect_stdout(Plain(out)), redirect_stderr(Plain(talk, is_talk=True)):
        try:
            status = _run(sys.argv[1:] if arguments is None else arguments)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read our output has enough of it
            silence(out)
            return 1
        except OutputError as error:
            print(f"ohwx: {error} Free some space, or write it elsewhere.", file=sys.stderr)
            silence(out)
            return 1
    try:
        talk.flush()
    except (OSError, ValueError):  # nobody hears it
        silence(talk)
    return status


def _run(arguments: Sequence[str]) -> int:
    parser = build_parser(*arguments[:1])
    for argument in arguments:
        if re.fullmatch(r"(--[\w-]+=)?", argument):
            parser.error(f"{argument or 'an argument'} is empty; give a value, or leave the flag out")
        if "\0" in argument:
            parser.error("an argument holds a NUL character, which nothing here can have")
    options = parser.parse_args(arguments)
    try:
        if hasattr(options, "models"):
            from ohwx_compare.cli.options import settle

            settle(options)
        return int(options.run(options))
    except (Interrupted, KeyboardInterrupt):
        print("ohwx: stopped; what is finished is kept, and the same command resumes from there.", file=sys.stderr)
        return 130
    except (BrokenPipeError, OutputError):
        raise
    except OhwxError as error:
        print(f"ohwx: {words_of(error)}", file=sys.stderr)
        return _failed(options, error)
    except OSError as error:  # of the disk or a folder, not of the program
        where = f"{quoted(str(error.filename))}: " if error.filename else ""
        print(f"ohwx: {where}{error.strerror or error}.", file=sys.stderr)
        return _failed(options, error)
    except Exception as error:
        logger.exception("ohwx: this is a fault of the program; report the lines below.")
        return _failed(options, error)


def _failed(options: argparse.Namespace, error: Exception) -> int:
    if getattr(options, "json", False):
        print_json({"error": words_of(error), "kind": type(error).__name__})
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
