"""A training's numbers as CSV and in TensorBoard's files, read back by the formats' own rules."""

import csv
import io
import struct
import sys
from pathlib import Path

import pytest

from ohwx_compare.core.events import Learned, Validated
from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train
from ohwx_compare.train.run.tensorboard import crc32c


def records(path: Path):
    """Each record's bytes, its checksums held."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = data[at + 12 : at + 12 + length]
        for inside, crc in ((data[at : at + 8], at + 8), (event, at + 12 + length)):
            own = crc32c(inside)
            assert struct.unpack_from("<I", data, crc)[0] == ((own >> 15 | own << 17) + 0xA282EAD8) & 0xFFFFFFFF
        yield event
        at += 16 + length


def fields(message: bytes):
    """Field number -> values of a protobuf message."""
    found, at = {}, 0

    def varint():
        nonlocal at
        number, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            value, at = message[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def table(path: Path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720


def test_all_numbers_are_in_both_files(small):
    values = {**small, "log": ["csv", "tensorboard"], "validation": 1, "steps": 3, "epochs": None}
    recipe, told = Recipe.from_dict(values), []
    train(make_plan(recipe), told.append)
    learned = [event for event in told if isinstance(event, Learned)]
    looks = [event for event in told if isinstance(event, Validated)]
    output = Path(recipe.output)
    rows = table(output / "losses.csv")
    assert [(int(row["step"]), float(row["loss"])) for row in rows] == [(event.step, event.loss) for event in learned]
    assert float(rows[0]["rate/unet"]) == 1e-4
    checks = table(output / "validation.csv")
    assert len(checks) == 5 * len(looks) > 0
    (path,) = (output / "logs").iterdir()
    first, *events = [fields(event) for event in records(path)]
    assert first[3] == [b"brain.Event:2"]
    losses = {}
    for event in events:
        for summary in event[5]:
            for value in map(fields, fields(summary)[1]):
                losses[value[1][0].decode(), event[2][0]] = struct.unpack("<f", value[2][0])[0]
    for event in learned:
        assert losses["loss", event.step] == pytest.approx(event.loss, rel=1e-6)
    for event in looks:
        for level, loss in event.losses["training"].items():
            assert losses[f"validation/training/{level}", event.step] == pytest.approx(loss, rel=1e-6)


def test_a_log_that_cannot_be_is_one_sentence(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ExperimentError, match="wandb, or take it out"):
        train(make_plan(Recipe.from_dict({**small, "log": ["wandb"]})), lambda event: None)
    with pytest.raises(ExperimentError, match="expected 'csv' or 'tensorboard' or 'wandb'"):
        Recipe.from_dict({**small, "log": ["excel"]})
