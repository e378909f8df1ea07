"""The page docs/command-line.md, written from the parsers themselves.

`python -m ohwx_compare.cli.reference docs/command-line.md` writes it anew after a command, a flag or its help changed.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ohwx_compare.cli.main import COMMANDS, parsers

__all__ = ["reference"]

_HEAD = """# Command line

<!-- Do not edit: `python -m ohwx_compare.cli.reference docs/command-line.md` writes this page from the parsers. -->

`ohwx --help` lists the commands, `ohwx COMMAND --help` says what stands here, and `ohwx --version` prints the version.
[Without a webui](comparing.md) and [Training](training.md) say what the commands are for, with an example of each.

Results go to stdout, everything else to stderr. With `--json` stdout holds one JSON document: the result, or
`{"error": ..., "kind": ...}` where the command failed.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | failed, or failed in part |
| 2 | wrong usage |
| 130 | stopped by Ctrl-C; the same command resumes |
"""


def reference() -> str:
    """The whole page as Markdown: each command with its usage, its flags and its example."""
    return "\n".join([_HEAD, *_commands()])


def _commands() -> Iterator[str]:
    yield "| command | what it does |"
    yield "|---|---|"
    for name, words in COMMANDS.items():
        yield f"| [`ohwx {name}`](#ohwx-{name}) | {words} |"
    for name, parser in parsers().items():
        yield from ("", f"## ohwx {name}", "", _plain(parser.description), "", "```", _usage(name, parser), "```", "")
        yield "| flag | meaning |"
        yield "|---|---|"
        yield from (f"| `{_called(action)}` | {_words(action)} |" for action in _actions(parser))
        if parser.epilog:
            words, examples = re.split(r"examples?: ", parser.epilog)
            yield from ("", words[:1].upper() + words[1:].strip()) if words else ()
            yield from ("", "```", examples.replace(". ohwx ", "\nohwx "), "```")
    yield ""


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What the command takes without a flag, then its flags; without --help."""
    actions = [action for action in parser._actions if action.dest != "help"]
    return sorted(actions, key=lambda action: bool(action.option_strings))


def _usage(name: str, parser: argparse.ArgumentParser) -> str:
    actions = _actions(parser)
    needed = [_called(action) for action in actions if action.option_strings and action.required]
    bare = [_called(action) for action in actions if not action.option_strings]
    flags = ["[flags]"] if any(action.option_strings and not action.required for action in actions) else []
    return " ".join(["ohwx", name, *flags, *needed, *bare])


def _called(action: argparse.Action) -> str:
    """How it is written: `--out DIR`, `[EXPERIMENT]`, `IMAGE ...`."""
    value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else action.dest.upper())
    if action.option_strings:
        flag = max(action.option_strings, key=len)
        return flag if action.nargs == 0 else f"{flag} {value}"
    return {"?": f"[{value}]", "+": f"{value} ..."}.get(str(action.nargs), str(value))


def _words(action: argparse.Action) -> str:
    needed = " (required)" if action.option_strings and action.required else ""
    return f"{_plain(action.help)}{needed}".replace("|", "\\|")


def _plain(words: str | None) -> str:
    """As Markdown shows them: `<stem>` is not a tag."""
    return (words or "").replace("<", "&lt;")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8", newline="\n")
