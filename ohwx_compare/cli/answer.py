"""What `--json` prints: one JSON document on stdout."""

import json
import sys

__all__ = ["print_json"]


def print_json(value: object) -> None:
    """Print `value`, which is all that a command with --json writes to stdout."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()
