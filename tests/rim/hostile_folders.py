"""Folders as a stranger, a full disk or a broken one leaves them: each entry damages a healthy folder in one way.

A change takes the folder and a place outside that nothing may touch.
"""
# ruff: noqa: E501  tables

import json
import os
import shutil
import sqlite3
from contextlib import closing

DEEP = "[" * 100_000
DIGITS = "9" * 5_000
MEGABYTE = "word " * 200_000
ESCAPE = "\x1b]0;owned\x07\x9b31m\u202e"
NAN = '{"a": NaN}'


def writes(name, content):
    """Put `content` in place of the file."""

    def change(folder, outside):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))

    return change


def sparse(name, size):
    def change(folder, outside):
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return change


def updates(name, **values):
    """Change entries of a JSON file."""

    def change(folder, outside):
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), encoding="utf-8")

    return change


def sql(*lines):
    def change(folder, outside):
        with closing(sqlite3.connect(folder / "run.sqlite")) as db:
            db.executescript(";".join(lines))

    return change


def experiment(**values):
    """Change entries of the ledger's experiment."""

    def change(folder, outside):
        with closing(sqlite3.connect(folder / "run.sqlite")) as db:
            found = json.loads(db.execute("SELECT json FROM experiment").fetchone()[0])
            db.execute("UPDATE experiment SET json = ?", (json.dumps({**found, **values}),))
            db.commit()

    return change


def gone(folder, name):
    path = folder / name
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    return path


def pipe(name):
    return lambda folder, outside: os.mkfifo(gone(folder, name))


def directory(name):
    return lambda folder, outside: gone(folder, name).mkdir()


def link(name, target="secret.png"):
    """Put a link out in its place."""
    return lambda folder, outside: gone(folder, name).symlink_to(outside / target)


def loop(name):
    return lambda folder, outside: gone(folder, name).symlink_to(folder / name)


def half(name):
    def change(folder, outside):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return change


def mode(name=""):
    return lambda folder, outside: (folder / name).chmod(0)


def axis(kind, values):
    return {"kind": kind, "values": values}


def whole_elsewhere(folder, outside):
    shutil.move(folder, outside / "moved")
    folder.symlink_to(outside / "moved")


LEDGERS = {
    "an empty ledger": writes("run.sqlite", ""), "a ledger of text": writes("run.sqlite", "no database " * 500),
    "half a ledger": half("run.sqlite"), "a ledger of zeros": sparse("run.sqlite", 100_000), "a ledger that is a folder": directory("run.sqlite"),
    "a ledger that is a pipe": pipe("run.sqlite"), "a ledger that leads out": link("run.sqlite"),
    "a ledger in a circle": loop("run.sqlite"), "a ledger of a later version": sql("PRAGMA user_version = 99"),
    "a ledger of version -1": sql("PRAGMA user_version = -1"), "a ledger without tables": sql("DROP TABLE faces", "DROP TABLE cells", "DROP TABLE experiment"),
    "a ledger without cells": sql("DROP TABLE faces", "DROP TABLE cells"), "a ledger of other columns": sql("DROP TABLE faces", "DROP TABLE cells", "CREATE TABLE cells (a)"),
    "a ledger without an experiment": sql("DELETE FROM experiment"), "a journal of nothing": writes("run.sqlite-journal", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 600),
    "an experiment of no JSON": sql("UPDATE experiment SET json = 'no'"), "an experiment of bytes": sql("UPDATE experiment SET json = x'ff00ff'"),
    "an experiment nested deep": sql(f"UPDATE experiment SET json = '{DEEP}'"), "an experiment of digits": sql(f"UPDATE experiment SET json = '{DIGITS}'"),
    "an experiment that is a list": sql("UPDATE experiment SET json = '[]'"), "an experiment that is a number": sql("UPDATE experiment SET json = 7"),
    "an experiment of NaN": sql("UPDATE experiment SET json = '" + NAN + "'"), "an experiment of nothing": sql("UPDATE experiment SET json = '{}'"),
    "axes that are a number": experiment(axes=7), "axes of text": experiment(axes="checkpoint"), "an axis that is text": experiment(axes=["seed"]),
    "an axis without values": experiment(axes=[axis("seed", [])]), "values that are a number": experiment(axes=[axis("seed", 7)]),
    "a kind of a megabyte": experiment(axes=[axis(MEGABYTE, [1, 2])]), "a kind that escapes": experiment(axes=[axis(ESCAPE, [1, 2])]), "a kind that is a list": experiment(axes=[axis([], [1, 2])]),
    "a thousand million cells": experiment(axes=[axis(kind, list(range(1, 1_001))) for kind in ("seed", "cfg", "steps")]),
    "an unknown sampler": experiment(job={"prompt": "a", "seed": 1, "sampler": ESCAPE}), "a job that is a list": experiment(job=[]), "faces that are a number": experiment(faces=7),
    "an unknown outcome": sql("UPDATE cells SET outcome = 'owned'"), "an outcome of bytes": sql("UPDATE cells SET outcome = x'ff'"),
    "an outcome of a megabyte": sql(f"UPDATE cells SET outcome = '{MEGABYTE}'"), "a thumbnail that is a number": sql("UPDATE cells SET before_thumb = 7"),
    "a thumbnail of bytes": sql("UPDATE cells SET before_thumb = x'ff'"), "a thumbnail of a megabyte": sql(f"UPDATE cells SET before_thumb = '{MEGABYTE}'"),
    "a thumbnail that leads out": sql("UPDATE cells SET before_thumb = '../../outside/secret.png'"),
    "an error of bytes": sql("UPDATE cells SET outcome = 'failed', error = x'ff'"), "an error of a megabyte": sql(f"UPDATE cells SET outcome = 'failed', error = '{MEGABYTE}'"),
    "an error that escapes": sql(f"UPDATE cells SET outcome = 'failed', error = '{ESCAPE}'"), "seconds of text": sql("UPDATE cells SET seconds = 'long'"),
    "seconds without end": sql("UPDATE cells SET seconds = 9e999"), "seconds of bytes": sql("UPDATE cells SET seconds = x'00'"), "negative seconds": sql("UPDATE cells SET seconds = -1e300"),
    "notes of no JSON": sql("UPDATE cells SET notes = 'no'"), "notes nested deep": sql(f"UPDATE cells SET notes = '{DEEP}'"), "notes that are a number": sql("UPDATE cells SET notes = '7'"),
    "faces of no JSON": sql("INSERT INTO faces VALUES (1, 0, 'no')"), "faces that are a list": sql("INSERT INTO faces VALUES (1, 0, '[]')"),
    "a box of NaN": sql("""INSERT INTO faces VALUES (1, 0, '{"tab": 0, "box": [NaN, 0, 1, 1], "confidence": 0.5, "detector": "d", "fate": "inpainted"}')"""),
    "a cell of 2^60": sql(f"UPDATE cells SET number = {2**60} WHERE number = 1"), "a thousand cells too many": sql(
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 1009)"
        " INSERT INTO cells SELECT i, 'r' || i, NULL, NULL, NULL, NULL, NULL, NULL, 'drawn', '', '[]', NULL, 1.0 FROM n"),
    "identities of no JSON": sql("INSERT INTO checkpoints VALUES ('one', '', '', 0, 0, 'no')"), "sizes of text": sql("INSERT INTO checkpoints VALUES ('one', x'ff', x'ff', 'a', 'b', '[\"a\"]')"),
    "an infotext of a megabyte": sql(f"UPDATE cells SET infotext = '{MEGABYTE}'"), "an infotext of bytes": sql("UPDATE cells SET infotext = x'ff'"),
    "a prompt of markup": experiment(job={"prompt": "</script><script>hurt()</script>", "seed": 1}),
    "cells that are a view": sql("ALTER TABLE cells RENAME TO c", "CREATE VIEW cells AS SELECT * FROM c"),
    "a view without end": sql("DROP TABLE faces", "DROP TABLE cells", "CREATE VIEW cells AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT i AS number, 'r' AS request, '' AS before_thumb, '' AS after_thumb, 'drawn' AS outcome, NULL AS error, 1.0 AS seconds FROM n"),
    "a trigger": sql("CREATE TRIGGER t AFTER UPDATE ON cells BEGIN DELETE FROM experiment; END"),
    "a ledger that nobody may read": mode("run.sqlite"), "a folder that nobody may read": mode(),
}  # fmt: skip
REQUESTS = {
    "a request that is a list": writes("request.json", "[]"), "a request of nothing": writes("request.json", "{}"), "a request of null": writes("request.json", "null"),
    "a request nested deep": writes("request.json", DEEP), "a request of digits": writes("request.json", '{"request": %s}' % DIGITS),  # noqa: UP031
    "a request of bytes": writes("request.json", b"\xff\xfe\x00"), "a request of 6 MB": writes("request.json", '{"request": {}, "by": "tab", "when": "' + "x" * 6_000_000 + '"}'),
    "a request of 2 GB": sparse("request.json", 2 << 30), "a request that is a pipe": pipe("request.json"), "a request that is a folder": directory("request.json"),
    "a request that leads out": link("request.json"), "a request in a circle": loop("request.json"), "half a request": half("request.json"),
    "a time that is a number": updates("request.json", when=7), "a time that is a list": updates("request.json", when=[]), "a time of a megabyte": updates("request.json", when=MEGABYTE),
    "a reason that is an object": updates("request.json", error={"a": 1}), "a reason of a megabyte": updates("request.json", error=MEGABYTE),
    "a reason that escapes": updates("request.json", error=ESCAPE), "a request that is text": updates("request.json", request="x"),
    "a request for a list": updates("request.json", request=[]), "a job that is text": updates("request.json", request={"job": "x", "checkpoints": ["one.safetensors"]}),
    "a request for nobody": updates("request.json", request={"job": {"prompt": "a", "seed": 1}, "checkpoints": ["nobody"]}),
    "a request nested": updates("request.json", request={"job": {"prompt": "a", "seed": 1}, "axes": json.loads("[" * 500 + "]" * 500)}),
    "who asked, a list": updates("request.json", by=[]), "besides of a megabyte": updates("request.json", besides=MEGABYTE), "more than is known": updates("request.json", more=1),
}  # fmt: skip
RUN_LINKS = {
    "pictures that lead out": link("images", "."), "thumbnails that lead out": link("thumbs", "."), "a picture that leads out": link("images/x.png"),
    "a picture that is a pipe": pipe("images/x.png"), "a picture that is a folder": directory("images/x.png"), "a picture in a circle": loop("images/x.png"),
    "a picture of no picture": writes("images/x.png", "no picture"), "a picture that nobody may read": mode("images/x.png"),
    "a lock that leads out": link("run.lock"), "a lock that is a pipe": pipe("run.lock"), "a journal that leads out": link("run.sqlite-journal"),
    "a whole folder that leads out": whole_elsewhere, "a whole folder in a circle": loop(""),
}  # fmt: skip
RUN_FOLDERS = {**LEDGERS, **REQUESTS, **RUN_LINKS}

STATES = {
    "a state of nothing": writes("state.json", "{}"), "a state that is a list": writes("state.json", "[]"), "a state of null": writes("state.json", "null"),
    "a status that is a number": updates("state.json", status=5), "a start that is text": updates("state.json", started="now"), "a start of 10^400": writes("state.json", '{"started": 1%s}' % ("0" * 400)),
    "a start without end": writes("state.json", '{"status": "running", "started": 1e999}'), "steps of digits": writes("state.json", '{"status": "running", "step": 1, "steps": %s}' % ("9" * 4_000)),
    "a state nested deep": writes("state.json", "{" * 100_000), "a state of NaN": writes("state.json", "NaN"), "a loss of NaN": writes("state.json", '{"status": "running", "loss": NaN}'),
    "a state of bytes": writes("state.json", b"\xff\xff"), "a state of 2 GB": sparse("state.json", 2 << 30), "half a state": half("state.json"), "an error of a megabyte": updates("state.json", error=MEGABYTE),
    "an error that escapes": updates("state.json", error=ESCAPE), "an epoch that is an object": updates("state.json", epoch={}), "a step below nothing": updates("state.json", step=-(10**18)),
    "a state that is a pipe": pipe("state.json"), "a state that is a folder": directory("state.json"), "a state that leads out": link("state.json"), "a state in a circle": loop("state.json"),
}  # fmt: skip
RECIPES = {
    "a recipe that is a list": writes("recipe.json", "[]"), "an empty recipe": writes("recipe.json", ""), "a recipe of null": writes("recipe.json", "null"),
    "a recipe nested deep": writes("recipe.json", DEEP), "a recipe of bytes": writes("recipe.json", b"\xff"), "a recipe of 2 GB": sparse("recipe.json", 2 << 30),
    "an output that is a number": updates("recipe.json", output=3), "a recipe of half a pair": updates("recipe.json", train="\ud800"), "a recipe with NUL": updates("recipe.json", base="a\0b"),
    "a base of a megabyte": updates("recipe.json", base=MEGABYTE), "prompts of three megabytes": updates("recipe.json", sample_prompts=[MEGABYTE] * 3), "a resolution of text": updates("recipe.json", resolution=ESCAPE),
    "a recipe that is a folder": directory("recipe.json"), "a recipe that is a pipe": pipe("recipe.json"), "a recipe that leads out": link("recipe.json"), "a folder to train on elsewhere": updates("recipe.json", train="/"),
}  # fmt: skip
LEARNED = '{"event": "Learned", "step": %s, "time": %s}\n'
EVENTS = {
    "events of half lines": writes("events.jsonl", '{"event": "Lea\n{"step": 1\n}\n'), "events nested deep": writes("events.jsonl", DEEP + "\n"), "events of NaN": writes("events.jsonl", LEARNED % ("NaN", "NaN")),
    "events without end": writes("events.jsonl", LEARNED % (1, "1e999") + LEARNED % (2, "-1e999")), "events of digits": writes("events.jsonl", LEARNED % (1, 1) + LEARNED % ("9" * 4_000, 2)),
    "a line without an end": writes("events.jsonl", "x" * 2_000_000), "a line of a megabyte": writes("events.jsonl", '{"event": "Missed", "error": "%s"}\n' % MEGABYTE),  # noqa: UP031
    "events that are lists": writes("events.jsonl", "[]\n" * 1_000), "events of bytes": writes("events.jsonl", b"\xff\xfe\n" * 1_000), "events that escape": writes("events.jsonl", '{"event": "Missed", "error": "\x1b"}\n'),
    "events that are a pipe": pipe("events.jsonl"), "events that are a folder": directory("events.jsonl"), "events that lead out": link("events.jsonl"), "a log of ESC": writes("train.log", ESCAPE * 2_000),
    "a log that is a pipe": pipe("train.log"), "a log that leads out": link("train.log"),
}  # fmt: skip
TRAINING_FILES = {
    "an empty checkpoint": writes("me.safetensors", ""), "a header of 2^63": writes("me.safetensors", b"\xff" * 8), "a header of 90 MB": writes("me.safetensors", (90_000_000).to_bytes(8, "little") + b"[1,1]" * 18_000_000),
    "metadata that is text": writes("me.safetensors", b'\x16\0\0\0\0\0\0\0{"__metadata__": "aaa"}'), "a step of text": writes("me.safetensors", b'\x29\0\0\0\0\0\0\0{"__metadata__": {"ohwx_step": "many!!!"}}'),
    "a checkpoint that is a pipe": pipe("me.safetensors"), "a checkpoint that leads out": link("me.safetensors"), "a checkpoint of bytes": writes(b"m\xff.safetensors".decode("utf-8", "surrogateescape"), "x"),
    "samples that lead out": link("samples", "."), "a sample that leads out": link("samples/a.png"), "a sample that is a pipe": pipe("samples/a.png"), "a sample that is a folder": directory("samples/a.png"),
    "samples in a circle": loop("samples"), "a stop that leads out": link("stop", "made"), "a pause that leads out": link("pause", "made"), "a save that leads out": link("save", "made"),
    "a stop that is a folder": directory("stop"), "a stop that is a pipe": pipe("stop"), "a whole training that leads out": whole_elsewhere, "a training nobody may read": mode(), "a state nobody may read": mode("state.json"),
}  # fmt: skip
TRAINING_FOLDERS = {**STATES, **RECIPES, **EVENTS, **TRAINING_FILES}

NAMES = {
    "of two lines": "new\nline", "of an invalid byte": b"bad\xff".decode("utf-8", "surrogateescape"), "that ends in a blank": "blank ", "that escapes": ESCAPE, "of a backslash": "a\\b",
    "of a drive": "C:", "of a stream": "a::$DATA", "of percents": "100%", "of markup": "<img src=x onerror=hurt()>", "of 255 letters": "x" * 255, "of a tab": "a\tb", "of a query": "a?b#c&d",
    "of Windows' printer": "CON", "of another case": "HEALTHY", "of wildcards": "*",
}  # fmt: skip
