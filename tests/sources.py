"""Python files as syntax trees, each read once for all tests of the house."""

import ast
from functools import cache
from pathlib import Path

__all__ = ["nodes", "tree"]


@cache
def tree(path: Path) -> ast.Module:
    """The whole file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All that is in it, as `ast.walk` goes."""
    return list(ast.walk(tree(path)))
