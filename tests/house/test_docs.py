"""The README names every command and every flag, and its figures of speech stay true to --help."""

import argparse
from pathlib import Path

from ohwx_compare.cli.main import COMMANDS, build_parser

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> dict[str, argparse.ArgumentParser]:
    parser = build_parser(*COMMANDS)
    return next(a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))


def test_every_command_and_flag_is_in_the_readme():
    for name, parser in commands().items():
        assert f"ohwx {name}" in README
        for action in parser._actions:
            for flag in action.option_strings:
                if flag.startswith("--") and flag != "--help":
                    assert f"`{flag}" in README, f"{flag} of ohwx {name} is not in the README"


def test_every_flag_has_help():
    for name, parser in commands().items():
        assert parser.description, name
        assert all(action.help for action in parser._actions), name


def test_the_command_line_stays_small():
    for name, parser in commands().items():
        assert len(parser._actions) - 1 <= 14, name  # besides --help


def test_every_picture_of_the_readme_exists():
    import re

    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path
