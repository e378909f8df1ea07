"""Where the file system proves nothing: each checkpoint is read whole once a process, and before anything is written.

Another process goes by size, time and a sample. What it does not see, the run notices before the first commit.
"""

import io
import json
import os
import shutil
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing_runs import PLAIN, draw

from ohwx_compare.cli.main import main
from ohwx_compare.compare.cost.plan import keys_in, plan, shelved
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options
from ohwx_compare.core.events import Saved
from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files import identity
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.contents import read_contents
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.infotexts import read_record
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.testing.fake_host import FakeHost, Faults

SIZE = 1_000_000  # of a stand-in for a checkpoint; a sample is of 64 blocks of 4096
INSIDE, OUTSIDE = SIZE - 5, 4096 + 999  # of the sample
MORE = replace(PLAIN, axes=(PLAIN.axes[0], Axis("seed", (1, 2, 3, 4))))


@pytest.fixture(autouse=True)
def _nothing_is_proof(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "SETTLED", 0)
    monkeypatch.setattr(identity, "_MOUNTS", tmp_path / "no table")


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "modèles"
    folder.mkdir()
    for seed, name in enumerate("ab"):
        (folder / f"{name}.safetensors").write_bytes(np.random.default_rng(seed).bytes(SIZE))
    return folder


class Process:
    """What a process of its own knows: hashes that only the cache folder shares with others."""

    def __init__(self, models, **options):
        self.reads = Counter()
        self.hashes = Hashes(models.parent / "cache", read=self.read, **options)
        self.host = FakeHost(models, hashes=self.hashes)

    def read(self, path, on_block):
        self.reads[path.stem] += 1
        return read_contents(path, on_block)

    def draw(self, experiment, models, out, **options):
        return draw(experiment, models, out, host=self.host, **options)


def change(path, place):
    """Another byte there; size and time stay."""
    stat = path.stat()
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def planned(experiment, models, out, process):
    own = open_run(out)
    resolve = in_folder(models, {}, process.hashes, reads=False)
    return plan(experiment, resolve, batch=2, there=shelved(own, (), process.hashes), keys=keys_in(own)).renders


def test_a_first_run_reads_each_file_once_and_what_follows_reads_none(models, tmp_path):
    first = Process(models)
    first.draw(PLAIN, models, tmp_path / "out")
    first.draw(MORE, models, tmp_path / "other")
    assert first.reads == {"a": 1, "b": 1}
    later = Process(models)
    assert planned(PLAIN, models, tmp_path / "out", later) == 0
    result, _, log, _ = later.draw(PLAIN, models, tmp_path / "out")
    assert (result.reused, result.sampled, log, later.reads) == (6, 2, [], {})
    result, *_ = later.draw(MORE, models, tmp_path / "out")
    assert (result.drawn, result.reused, result.sampled, later.reads) == (2, 6, 0, {"a": 1, "b": 1})


@pytest.mark.parametrize(("place", "foretold"), [(INSIDE, 3), (OUTSIDE, 0)], ids=["in the sample", "outside of it"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_changed_file_gets_no_picture_under_its_old_hash(place, foretold, fails, models, tmp_path):
    Process(models).draw(PLAIN, models, tmp_path / "out")
    change(models / "b.safetensors", place)
    process = Process(models)
    assert planned(PLAIN, models, tmp_path / "out", process) == foretold
    process.host.faults = Faults(fails=lambda job: fails and job.seed == 4)
    result, opened, _, _ = process.draw(MORE, models, tmp_path / "out")
    assert process.reads == {"a": 1, "b": 1}
    assert (result.drawn, result.reused, result.failed) == (3 if fails else 5, 3, 2 if fails else 0)
    new = sha256(models / "b.safetensors")
    for c in opened.cells[4:]:
        assert c.checkpoint.sha256 == new
        assert (
            c.result.outcome is Outcome.FAILED or read_record(tmp_path / "out" / c.result.image)[1]["checkpoint"] == new
        )
    assert {path.stem[:4] for path in (tmp_path / "out" / "images").glob("*.png")} <= {f"{n:04}" for n in range(9)}


def test_borrowed_pictures_are_written_only_for_the_file_that_they_are_of(models, tmp_path):
    Process(models).draw(PLAIN, models, tmp_path / "out")
    change(models / "b.safetensors", OUTSIDE)
    process = Process(models)
    options = Options(batch=2, reuse=(tmp_path / "out",))
    result, opened, *_ = process.draw(PLAIN, models, tmp_path / "borrowing", options=options)
    assert (result.drawn, result.reused, result.sampled) == (3, 3, 0)
    assert opened.cells[5].checkpoint.sha256 == sha256(models / "b.safetensors")


def test_a_run_with_nothing_left_ends_by_the_sample_and_writes_nothing(models, tmp_path):
    Process(models).draw(PLAIN, models, tmp_path / "out")
    before = open_run(tmp_path / "out")
    change(models / "b.safetensors", OUTSIDE)
    result, *_ = Process(models).draw(PLAIN, models, tmp_path / "out")
    assert (result.drawn, result.reused, result.sampled) == (0, 6, 2)
    assert open_run(tmp_path / "out") == before


def test_whoever_trusts_the_sample_reads_a_known_file_no_more(models, tmp_path):
    first = Process(models, trusts_samples=True)
    first.draw(PLAIN, models, tmp_path / "out")
    assert first.reads == {"a": 1, "b": 1}
    later = Process(models, trusts_samples=True)
    assert later.draw(MORE, models, tmp_path / "out")[0].drawn == 2
    assert later.reads == {}
    change(models / "b.safetensors", INSIDE)
    later.draw(MORE, models, tmp_path / "out")
    assert later.reads == {"b": 1}


def test_the_whole_is_read_while_the_first_batch_is_generated(models, tmp_path):
    Process(models).draw(PLAIN, models, tmp_path / "out")
    process, is_generating, told = Process(models), threading.Event(), []
    render, read = process.host.render, process.read

    def reading(path, on_block):
        assert is_generating.wait(60), "the file is read before anything is generated"
        is_generating.clear()
        assert sum(isinstance(event, Saved) for event in told) <= process.reads.total()  # of the file before alone
        return read(path, on_block)

    def waiting(jobs):
        pictures = list(render(jobs))
        is_generating.set()
        yield from pictures

    process.host.render, process.hashes._read = waiting, reading
    result, *_ = process.draw(MORE, models, tmp_path / "out", told=told)
    assert (result.drawn, process.reads) == (2, {"a": 1, "b": 1})


class Reading(io.FileIO):
    """A file whose bytes are counted as they are read."""

    counts: Counter

    def __init__(self, path):
        super().__init__(path)
        self.path = Path(path)

    def readinto(self, view):
        count = super().readinto(view)
        self.counts[self.path.stem] += count
        return count

    def read(self, size=-1):
        data = super().read(size)
        self.counts[self.path.stem] += len(data)
        return data

    readall = read


@pytest.fixture
def counts(monkeypatch):
    """Bytes read of each .safetensors file."""
    counts, opened = Counter(), Path.open
    monkeypatch.setattr(Reading, "counts", counts, raising=False)

    def counting(path, mode="r", buffering=-1, **options):
        if path.suffix != ".safetensors" or mode != "rb":
            return opened(path, mode, buffering, **options)
        return Reading(path) if buffering == 0 else io.BufferedReader(Reading(path))

    monkeypatch.setattr(Path, "open", counting)
    return counts


def test_bytes_read_by_the_command_line(mini, tmp_path, counts, capsys):
    """3 checkpoints: once for the hash and once to be loaded; to plan, and where nothing is left, a sample each."""
    folder, names = tmp_path / "models", ["a", "b", "c"]
    folder.mkdir()
    for name in names:
        shutil.copy(mini, folder / f"{name}.safetensors")
        change(folder / f"{name}.safetensors", mini.stat().st_size - ord(name))
    size = mini.stat().st_size
    job = {"prompt": "ohwx man", "seed": 1, "steps": 1, "width": 64, "height": 64, "sampler": "Euler", "rng": "CPU"}
    axes = [{"kind": "checkpoint", "values": names}, {"kind": "cfg", "values": [1, 7]}]
    (tmp_path / "e.json").write_text(json.dumps({"job": job, "axes": axes}), encoding="utf-8")
    flags = [str(tmp_path / "e.json"), "--checkpoints", str(folder), "--device", "cpu", "--out", str(tmp_path / "out")]

    def read_by(*arguments):
        counts.clear()
        assert main([*arguments, *flags]) == 0
        return {name: counts[name] for name in names}, capsys.readouterr().out

    read, said = read_by("compare")
    assert all(size <= count < 2 * size + 3_000_000 for count in read.values())
    assert "not read whole" not in said
    read, said = read_by("plan")
    assert all(count < 1_500_000 < size / 4 for count in read.values()), (read, size)
    assert "0 pictures" in said
    read, said = read_by("compare")
    assert all(count < 3_000_000 < size / 4 for count in read.values()), (read, size)
    assert "3 checkpoints not read whole" in said
