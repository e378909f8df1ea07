"""What `fuzz.py` reads of a stranger's folder: runs, trainings and recipes, healthy but for one file or one value.

The first byte of an input says which file, or which value in one, the rest takes the place of.
"""

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

from ohwx_compare.errors import ExperimentError, OhwxError, TrainingError

TESTS = Path(__file__).parents[1] / "tests"
Read = Callable[[bytes], None]
NUMBERS = [
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"9" * 400,
    b"9" * 5000,
    b"18446744073709551616",
    b"0.5",
    b"2e308",
]
VALUES = [
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b'"\\ud800"',
    b'"../x"',
    b'"a\\u0000b"',
    b'"a\\nb"',
    b"[[" * 5000,
    b'{"a":' * 5000,
]
WORDS = [
    *NUMBERS,
    *VALUES,
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b",",
    b":",
    b"\n",
    b"\xff",
    b"\0",
    b"\x1b[2J",
    "ß日本\u2028".encode(),
]


@contextmanager
def runs(folder: Path) -> Iterator[tuple[list[bytes], list[bytes], Read]]:
    """A copy of a run: the tab's list, its page and view, the plan, and adopting it."""
    sys.path[:0] = [str(TESTS / "rim"), str(TESTS / "compare"), str(TESTS)]
    healthy, copy = folder / "healthy", folder / "runs" / "copy"
    copy.parent.mkdir()
    _draw(folder, healthy)
    files = ["run.sqlite", "request.json", *(path.relative_to(healthy).as_posix() for path in healthy.rglob("*.*g"))]
    columns = list(_columns(healthy / "run.sqlite"))
    seeds = [bytes([number]) + (healthy / file).read_bytes() for number, file in enumerate(files)]
    seeds += [bytes([len(files) + number]) + str(value).encode() for number, (*_, value) in enumerate(columns)] * 4
    from conftest import faking

    with faking(folder / "webui") as start:
        start()
        listed = import_module("ohwx_compare.hosts.webui.tab.run_list").Runs(lambda: copy.parent)

        def read(data: bytes) -> None:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(healthy, copy)
            number = data[0] if data else 0
            if number < len(files):
                (copy / files[number]).write_bytes(data[1:])
            else:
                _put(copy / "run.sqlite", columns[number % len(columns)][:2], data[1:])
            rows = listed.all(())
            assert [row["id"] for row in rows] == ["copy"], "the list has no row for it"
            json.dumps(rows, allow_nan=False)
            for use in (_view, _plan, _adopt):
                with suppress(OhwxError):
                    use(copy)

        yield seeds, WORDS, read


def _draw(folder: Path, healthy: Path) -> None:
    from drawing_runs import draw
    from killed_run import EXPERIMENT

    models = folder / "models"
    models.mkdir()
    for name in "ab":
        (models / f"{name}.safetensors").write_bytes(name.encode() * 40)
    draw(EXPERIMENT, models, healthy)
    asked = {
        "request": EXPERIMENT.to_dict(),
        "by": "tab",
        "when": "2026-01-01T00:00:00+00:00",
        "besides": "",
        "error": None,
    }
    (healthy / "request.json").write_text(json.dumps(asked), encoding="utf-8")


def _columns(path: Path) -> Iterator[tuple[str, str, object]]:
    """Every column of the ledger with a value of it."""
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            found = db.execute(f"SELECT * FROM {table} LIMIT 1")
            row = found.fetchone() or [None] * len(found.description)
            yield from ((table, name[0], value) for name, value in zip(found.description, row, strict=True))


def _put(path: Path, column: tuple[str, str], data: bytes) -> None:
    """The value in all rows, or the first where it must be the only one: as text, or a number where it is one."""
    value: object = data.decode("utf-8", "replace")
    with suppress(ValueError):
        value = float(data) if len(data) % 2 else int(data[:18])
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        for where in ("", f" WHERE rowid = (SELECT min(rowid) FROM {column[0]})"):
            with suppress(sqlite3.Error):
                db.execute(f"UPDATE {column[0]} SET {column[1]} = ?{where}", [value])
                db.commit()
                return


def _view(folder: Path) -> None:
    from ohwx_compare.files.ledger.reader import open_run, read_cells
    from ohwx_compare.look.page import page_data, render_page

    read_cells(folder, 0, 3)
    render_page(page_data(open_run(folder)))


def _plan(folder: Path) -> None:
    from ohwx_compare.compare.cost.plan import keys_in, plan, shelved
    from ohwx_compare.files.ledger.reader import open_run

    run = open_run(folder)

    def resolve(ref: object) -> object:
        return SimpleNamespace(name="a", path=folder.parent.parent / "models" / "a.safetensors")

    plan(run.experiment, resolve, keys=keys_in(run), there=shelved(run))


def _adopt(folder: Path) -> None:
    from ohwx_compare.files.ledger.writer import Ledger

    with Ledger(folder, adopt=True) as ledger:
        ledger.results()
        ledger.pictures()


@contextmanager
def trainings(folder: Path) -> Iterator[tuple[list[bytes], list[bytes], Read]]:
    """A training's folder: the list, its row, its events and its checkpoints."""
    from ohwx_compare.core.events import Missed, Paused, Saved, Started
    from ohwx_compare.train.outside.runs import Trainings

    one = folder / "trainings" / "one"
    one.mkdir(parents=True)
    recipe = {"base": "b.safetensors", "train": "t", "output": "o", "name": "me", "epochs": 2, "lr_unet": 1e-4}
    state = {
        "status": "ended", "pid": 7, "step": 4, "steps": 6, "epoch": 1, "loss": 0.1, "started": 1.0, "time": 2.0,
        "saved": ["o/me.safetensors"], "name": "me", "error": "a sentence",
    }  # fmt: skip
    told = [Started("training", 6, 6), Missed(1, "state", "why"), Saved("o/me.safetensors"), Paused(3, waits=True)]
    lines = [{"event": type(event).__name__, "time": 1.0, **asdict(event)} for event in told]
    lines += [{"event": "Learned", "time": 1.0 + step, "step": step, "epoch": 1, "loss": 0.1} for step in range(5)]
    events = "".join(json.dumps(line) + "\n" for line in lines)
    texts = {
        "recipe.json": json.dumps(recipe),
        "state.json": json.dumps(state),
        "events.jsonl": events,
        "train.log": "a\nohwx: b\n",
    }
    values = [(file, key) for file, held in (("recipe.json", recipe), ("state.json", state)) for key in held]
    values += [("events.jsonl", key) for key in lines[-1]]
    seeds = [bytes([number]) + text.encode() for number, text in enumerate(texts.values())]
    seeds += [bytes([len(texts) + number]) + b"1" for number in range(len(values))]
    kept = Trainings(one.parent)

    def read(data: bytes) -> None:
        number, content = (data[0], data[1:]) if data else (0, b"")
        changed = dict.fromkeys([list(texts)[number % len(texts)]], content)
        if number >= len(texts):
            name, key = values[number % len(values)]
            last = texts[name].splitlines()[-1]
            changed = {name: texts[name].replace(last, json.dumps({**json.loads(last), key: _value(content)})).encode()}
        for name, text in texts.items():
            (one / name).write_bytes(changed.get(name, text.encode()))
        rows = kept.all()
        assert [row["id"] for row in rows] == ["one"], "the list has no row for it"
        json.dumps(rows, allow_nan=False)
        after, more = 0, True
        while more:
            found, end, more = kept.events("one", after)
            json.dumps(found, allow_nan=False)
            assert end > after or not more, "the events end nowhere"
            after = end
        for use in (kept.one, kept.kept):
            with suppress(TrainingError):
                json.dumps(use("one"), allow_nan=False, default=asdict)

    yield seeds, WORDS, read


@contextmanager
def recipes(folder: Path) -> Iterator[tuple[list[bytes], list[bytes], Read]]:
    """Recipes of ours and of other trainers, read and planned over two pictures."""
    from PIL import Image

    from ohwx_compare.testing.tiny import draw_tiny
    from ohwx_compare.train.plan.plan import make_plan
    from ohwx_compare.train.recipe.forms import read_any
    from ohwx_compare.train.recipe.recipe import Recipe

    base = draw_tiny(folder / "drawn")[0]
    pictures = folder / "img" / "1_ohwx man"
    pictures.mkdir(parents=True)
    for number in range(2):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(pictures / f"{number}.png")
    paths = {"base": str(base), "train": str(folder / "img"), "output": str(folder / "out")}
    ours = Recipe.from_dict({**paths, "resolution": 64, "bucket_min": 64, "epochs": 2}).to_dict()
    posted = json.loads((TESTS / "train" / "posted" / "configurations.json").read_text(encoding="utf-8"))
    texts = [json.dumps(ours), json.dumps({**paths, "steps": 9, "resolution": 64}), *_configurations(posted)]
    keys = {f'"{key}": '.encode() for key in ours}
    seeds = [bytes([0 if text.lstrip().startswith("{") else 1]) + text.encode() for text in texts]
    seeds += seeds[:2] * (len(seeds) // 2)
    seeds += [bytes([2 + number]) + json.dumps(value).encode() for number, value in enumerate(ours.values())] * 4
    tables = [
        b"[a]\n",
        b"[[a]]\n",
        b"a = ",
        b'"""',
        b"'''",
        b"# x\n",
        b"1979-05-27T07:32:00Z",
        b"--a ",
        b"accelerate launch ",
    ]

    def read(data: bytes) -> None:
        number, content = (data[0], data[1:]) if data else (0, b"")
        path = folder / ("given.toml" if number == 1 else "given.json")
        if number > 1:
            content = json.dumps({**ours, list(ours)[number % len(ours)]: _value(content)}).encode()
        path.write_bytes(content)
        recipe = read_any(path).recipe
        if recipe.base == paths["base"]:
            with suppress(ExperimentError):
                make_plan(recipe).to_dict()

    yield seeds, [*WORDS, *tables, *sorted(keys)], read


def _value(content: bytes) -> object:
    """What stands there as JSON, or as text."""
    with suppress(ValueError, RecursionError):
        return json.loads(content)
    return content.decode("utf-8", "replace")


def _configurations(found: object) -> Iterator[str]:
    """The texts in what was posted; an object that holds no such text is one itself."""
    values = list(found.values() if isinstance(found, dict) else found if isinstance(found, list) else ())
    for value in values:
        if isinstance(value, str) and len(value) > 200:
            yield value
        elif isinstance(value, dict) and len(value) > 20:
            yield json.dumps(value)
        else:
            yield from _configurations(value)
