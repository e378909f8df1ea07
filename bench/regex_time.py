"""CPU time of every regular expression and of every reader of text: twice the input may take 2.5 times as long.

usage: python bench/regex_time.py [--length 8000] [--only WORD]

The package is read as source: each `re.METHOD("...")` and each `_NAME.METHOD(...)` of a compiled pattern is tried as it
is used. Attacks are built from the pattern's own parts (its literals, samples of its classes), each alone and in pairs,
repeated, between beginnings that it likes and ends that it does not. The readers get the parts of all patterns. What is
slower than it may be is printed, and the exit status is then 1.
"""

import argparse
import ast
import importlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import ohwx_compare
from ohwx_compare.errors import OhwxError

MOST = 2.5  # times as long for twice the input
NOTICED = 0.004  # seconds of CPU below which nothing is measured
METHODS = ("match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split")
ENDS = ("", "\0")
Use = tuple[str, Callable[[str], object], list[str]]  # name, what to call, parts of attacks


def uses() -> Iterator[Use]:
    """Every use of a regular expression in the package."""
    root = Path(ohwx_compare.__file__).parent
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = ".".join(("ohwx_compare", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        if not any(isinstance(node, ast.Attribute) and node.attr in METHODS for node in ast.walk(tree)):
            continue
        try:
            module = importlib.import_module(name)
        except ImportError:  # the webui's own modules are not here
            continue
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                continue
            if not isinstance(node.func.value, ast.Name):
                continue
            owner = getattr(module, node.func.value.id, None)
            if owner is re and node.args and isinstance(node.args[0], ast.Constant):
                owner = re.compile(node.args[0].value)
            if isinstance(owner, re.Pattern):
                yield f"{path.relative_to(root)}:{node.lineno} {node.func.attr}", *_call(owner, node)


def _call(pattern: re.Pattern[str], node: ast.Call) -> tuple[Callable[[str], object], list[str]]:
    method = node.func.attr
    count = next((word.value.value for word in node.keywords if word.arg == "count"), 0)

    def run(text: str) -> object:
        if method in ("sub", "subn"):
            return pattern.sub("", text, count=count)
        found = getattr(pattern, method)(text)
        return list(found) if method == "finditer" else found

    return run, sorted(_parts(pattern.pattern))


def _parts(pattern: str) -> set[str]:
    """Samples of what a pattern is made of."""
    plain = re.sub(r"\(\?(?:P<\w+>|[:=!]|<[=!])", "(", pattern)
    words = set(re.findall(r"[\w:/`-]{2,}", re.sub(r"\\.", " ", plain)))
    marks = {mark for mark in plain.replace("\\", "") if not mark.isalnum()}
    return {*words, *marks, " ", "a", "1", "\\", '"', "\n"} - {""}


def readers() -> Iterator[Use]:
    """What reads a person's or a stranger's text."""
    from ohwx_compare.compare.face_pass import segment
    from ohwx_compare.core.experiment.axes import CheckpointRef
    from ohwx_compare.core.experiment.axis_text import read_values
    from ohwx_compare.core.experiment.experiment import Experiment
    from ohwx_compare.core.experiment.groups import groups
    from ohwx_compare.core.infotext import infotext
    from ohwx_compare.core.prompt.editing import edits
    from ohwx_compare.core.prompt.emphasis import emphasis
    from ohwx_compare.core.prompt.parts import parts, strip_comments, strip_tags
    from ohwx_compare.files.finding import find
    from ohwx_compare.files.gallery import befores
    from ohwx_compare.train.recipe.kohya import from_kohya
    from ohwx_compare.train.recipe.toml import parse_toml

    text = "a\nSteps: 1, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Model: m, Script: X/Y/Z plot, "
    kohya = {"pretrained_model_name_or_path": "b", "train_data_dir": "t", "output_dir": "o", "optimizer": "Adafactor"}
    here = Path(__file__).parent
    pool = [" ", "a", "1", "-", "- ", "[", "]", "[SEP]", "a=", "a=( ", '"', "\\", '\\"', "{", "<a:", "("]
    pool += [":", ": ", ","]
    pool += ["\n", "\r", "```\n", "---\n", "Steps: 1, ", "Hashes: {", "#", "|", "[a|b]", "1-", "e1-", "-before"]
    tried = {
        "infotext.parse": infotext.parse,
        "infotext.split": infotext.split,
        "Experiment of a prompt": lambda one: Experiment.from_infotext(infotext.parse(one + text)),
        "Experiment of keys": lambda one: Experiment.from_infotext(infotext.parse(text + one)),
        "X Values": lambda one: infotext.xyz(infotext.parse(f"{text}X Type: Seed, X Values: {infotext.quote(one)}")),
        "X names": lambda one: infotext.xyz(
            infotext.parse(f"{text}X Type: Checkpoint name, X Values: {infotext.quote(one)}")
        ),
        "CheckpointRef.parse": CheckpointRef.parse,
        "files.finding.find": lambda one: find(one, here),
        "groups": lambda one: groups([one, one + "1"]),
        "befores": lambda one: befores([Path(one), Path(one + "-before")]),
        "edits": lambda one: edits(one, 20),
        "emphasis": emphasis,
        "parts": parts,
        "strip_comments": strip_comments,
        "strip_tags": strip_tags,
        "segment": lambda one: segment(one, 3, "own"),
        "parse_toml": lambda one: parse_toml(f"a = {one}"),
        "optimizer_args": lambda one: from_kohya({**kohya, "optimizer_args": one}),
        "max_resolution": lambda one: from_kohya({**kohya, "max_resolution": one}),
        **{f"axis {kind}": (lambda one, kind=kind: read_values(kind, one)) for kind in ("seed", "cfg", "prompt s/r")},
    }
    for name, run in tried.items():
        yield name, run, pool


def attacks(parts: Iterable[str], length: int) -> Iterator[tuple[str, Callable[[int], str]]]:
    """What each attack repeats, and the text of a given length."""
    parts = list(parts)
    for pump, end in product((*parts, *map("".join, product(parts, parts))), ENDS):
        yield repr(pump + end), lambda n, pump=pump, end=end: (pump * (n // len(pump) + 1))[:n] + end
    for start, pump in product(parts, parts):  # an end that nothing likes
        yield repr(start + pump), lambda n, start=start, pump=pump: start + (pump * (n // len(pump) + 1))[:n] + "\0"


def seconds(run: Callable[[str], object], text: str) -> float:
    """CPU time of one call, the least of three."""
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        with suppress(OhwxError, ValueError):
            run(text)
        least = min(least, time.process_time() - started)
        if least < NOTICED:
            break
    return least


def growth(run: Callable[[str], object], parts: list[str], length: int) -> tuple[float, float, str]:
    """The worst (times as long, seconds, attack) of all attacks; (0, 0, "") where none is noticed."""
    worst = (0.0, 0.0, "")
    for name, text in attacks(parts, length):
        long = seconds(run, text(2 * length))
        if long > NOTICED:
            times = long / max(seconds(run, text(length)), 1e-6)
            if times > MOST:  # another program's cache misses count too: the least of more runs
                long, short = (min(seconds(run, text(size)) for _ in range(10)) for size in (2 * length, length))
                times = long / max(short, 1e-6)
            worst = max(worst, (times, long, name))
    return worst


def main() -> int:
    """Try all; returns 1 where one grows faster than it may."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--length", type=int, default=8000, help="characters; the double is tried too")
    parser.add_argument("--only", default="", help="a word in the name of what is tried")
    options = parser.parse_args()
    tried = bad = 0
    for name, run, parts in (*uses(), *readers()):
        if options.only in name:
            tried += 1
            times, spent, attack = growth(run, parts, options.length)
            if times > MOST:
                bad += 1
                print(f"{name}: {times:.1f} times as long, {spent:.3f} s, with {attack} again and again", flush=True)
    print(f"{tried} tried, {bad} take more than {MOST} times as long for twice the input")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
