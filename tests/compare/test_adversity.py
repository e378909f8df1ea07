"""What a night can bring: full and read-only disks, files that vanish or change, no memory, Ctrl-C."""

import json
import os
import shutil
import subprocess
import sys
import weakref
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawing_runs import PLAIN, contents, draw
from killed_run import EXPERIMENT

from ohwx_compare.cli.main import main
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.compare.shelf import Shelf
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.engine import memory, render
from ohwx_compare.errors import LedgerError, OutOfMemoryError
from ohwx_compare.files import atomic, hashes, identity
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.own import mark
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.testing.fake_host import FakeHost

PAGE = 4096  # bytes, what a tmpfs gives out at least


@contextmanager
def mounted(folder: Path, size: int):
    """A file system of `size` bytes in memory. Skips the test where nobody may mount one."""
    folder.mkdir(parents=True)
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount is not permitted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, free: int) -> Path:
    """Fill the disk but for `free` bytes; the file that does."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(disk).free - free))
    return ballast


def all_whole(out: Path) -> list[Path]:
    """Every picture in `out`, each decoded."""
    pictures = [*out.rglob("*.png"), *out.rglob("*.jpg")]
    for path in pictures:
        load_rgb(path)
    return pictures


def committed_seeds(out: Path) -> set[tuple[str, str]]:
    """Checkpoint hash and seed of every cell that is drawn, as the fake host logs them."""
    try:
        done = [c for c in open_run(out).cells if c.result.key]
    except LedgerError:
        return set()  # full before there was an experiment
    return {(c.checkpoint.sha256[:10], str(c.cell.job.seed)) for c in done}


def test_a_disk_that_fills_up_at_any_moment(models, tmp_path):
    """However much is free, the run ends with one sentence, keeps all, and goes on once there is space."""
    draw(PLAIN, models, tmp_path / "whole" / "out")
    whole = contents(tmp_path / "whole" / "out")
    said, kept = set(), []
    with mounted(tmp_path / "out", 100 * PAGE) as out:
        for pages in range(60):
            ballast = fill(out, pages * PAGE)
            try:
                assert draw(PLAIN, models, out)[0].failed == 0
                break
            except LedgerError as error:
                said.add(str(error).replace(str(out), ""))
            assert not [*out.rglob("*" + atomic.UNFINISHED)]
            kept.append(len(all_whole(out)))
            ballast.unlink()
            committed = committed_seeds(out)
            _, _, log, _ = draw(PLAIN, models, out)
            drawn = {tuple(line.split()[1:3]) for line in log if line.startswith("render")}
            assert not drawn & committed
            assert contents(out) == whole
            for path in out.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    print(f"{len(kept)} sizes, pictures on the full disk: {kept}", *sorted(said), sep="\n")  # noqa: T201
    assert all(sentence.count("\n") == 0 and "Free some space" in sentence for sentence in said)
    assert len(set(kept)) > 3  # full before, between and after batches


def test_a_read_only_folder(models, tmp_path):
    with mounted(tmp_path / "disk", 200 * PAGE) as disk:
        draw(PLAIN, models, disk / "out")
        before = contents(disk / "out")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name in ("out", "new"):
            log = tmp_path / f"{name}.log"
            with pytest.raises(LedgerError, match=r"cannot be used: .*(another folder|ake it writable)") as caught:
                draw_run(
                    PLAIN, FakeHost(models, log=log), {}.get, disk / name, resolve=in_folder(models, {})
                )  # fmt: skip
            assert "\n" not in str(caught.value)
            assert not log.exists()  # nothing was drawn in vain
        assert contents(disk / "out") == before  # it can still be read
        lent = Options(reuse=(disk / "out",))
        result, _, log, _ = draw(PLAIN, models, tmp_path / "out", options=lent)  # and lend: copies, it is another disk
        assert (result.reused, log) == (6, [])


def test_a_checkpoint_that_vanishes_fails_its_cells_alone(tiny, tmp_path):
    """Real engine; the second file goes when the first one's pictures are drawn, and comes back."""
    for name in ("tiny_base", "tiny_reg"):
        shutil.copy(tiny / f"{name}.safetensors", tmp_path)
    gone, away = tmp_path / "tiny_reg.safetensors", tmp_path / "away"
    experiment = real(CheckpointRef("tiny_base"), CheckpointRef("tiny_reg"))
    host = NativeHost([tmp_path], device="cpu")

    def tell(event):
        if isinstance(event, events.Image) and event.number == 2 and gone.exists():
            gone.rename(away)

    def again(tell=lambda event: None, out=tmp_path / "out"):
        result = draw_run(experiment, host, {}.get, out, tell, resolve=resolve)
        return result, [c.result for c in open_run(out).cells]

    resolve = {ref: in_folder(tmp_path, {})(ref) for ref in experiment.checkpoints}.get  # as planned, whatever comes
    result, cells = again(tell)
    assert (result.drawn, result.failed) == (2, 2)
    assert "tiny_reg.safetensors cannot be read: No such file" in cells[2].error
    assert "\n" not in cells[2].error
    away.rename(gone)
    assert again()[0].drawn == 2
    gone.rename(away)
    result, cells = again()  # all is drawn: what is there stays
    assert (result.reused, result.failed) == (4, 0)
    assert {c.outcome for c in cells} == {Outcome.DRAWN}


@pytest.mark.parametrize("is_new", [True, False])
def test_a_picture_that_vanishes_after_any_look_ends_no_run(is_new, models, tmp_path, monkeypatch):
    axes = (Axis("checkpoint", (CheckpointRef("a"),)), Axis("seed", (1,)), EXPERIMENT.axes[2])
    experiment = replace(EXPERIMENT, axes=axes)
    draw(experiment, models, tmp_path / "whole" / "out")
    whole, find, left = contents(tmp_path / "whole" / "out"), Shelf.find, 0

    def look(shelf, key):
        nonlocal left
        found = find(shelf, key)
        left -= found is not None
        if found and left == 0:
            (shelf.folder / found.path).unlink()
        return found

    monkeypatch.setattr(Shelf, "find", look)
    for moment in range(1, 200):
        out, left = tmp_path / str(moment) / "out", 0
        if not is_new:
            shutil.copytree(tmp_path / "whole" / "out", out)
            mark(out / "run.sqlite")
        left = moment
        draw(experiment, models, out)
        if left > 0:
            break
        assert draw(experiment, models, out)[0].failed == 0
        assert contents(out) == whole
    assert moment > 8


def real(*refs: CheckpointRef, seeds=(1, 2)):
    """An experiment that the engine draws in no time."""
    job = replace(PLAIN.job, steps=1, sampler="Euler", rng="CPU")
    return replace(PLAIN, job=job, axes=(Axis("checkpoint", refs), Axis("seed", seeds)))


OVERWRITTEN = {"where the file system tells": True, "where it does not, as on Windows": False}


@pytest.mark.parametrize("tells", OVERWRITTEN)
def test_a_file_overwritten_under_its_name_size_and_time_is_noticed(tells, models, tmp_path, monkeypatch):
    tells, path = OVERWRITTEN[tells], models / "b.safetensors"
    monkeypatch.setattr(identity, "SETTLED", 0)
    if not tells:
        monkeypatch.setattr(identity, "_MOUNTS", tmp_path / "none")
    elif not identity.FileIdentity.of(path).is_proof:
        pytest.skip("the temporary folder's file system does not tell changes")

    class Reading(FakeHost):
        reads = 0

        def sha256(self, checkpoint):
            self.reads += 1
            return super().sha256(checkpoint)

    draw(PLAIN, models, tmp_path / "out")
    stat, host = path.stat(), Reading(models)
    result, *_ = draw(PLAIN, models, tmp_path / "out", host=host)
    assert (result.reused, host.reads) == (6, 0 if tells else 2)
    path.write_bytes(b"z" * stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    result, opened, log, _ = draw(PLAIN, models, tmp_path / "out")
    assert (result.drawn, result.reused, log[0]) == (3, 3, "use b.safetensors")
    assert opened.cells[5].checkpoint.sha256 == hashes.Hashes()(path)


OUT_OF_MEMORY = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)


class Device:
    """The engine's drawing on a device with room for `room` pictures; seed `greedy` has none even alone."""

    def __init__(self, draw, room: int, greedy: int | None = None):
        self.draw, self.room, self.greedy = draw, room, greedy
        self.batches: list[int] = []
        self.held = lambda: None

    def __call__(self, model, jobs, *more, **named):
        assert self.held() is None, "the failed batch is still in memory"
        self.batches.append(len(jobs))
        if len(jobs) > self.room or jobs[0].seed == self.greedy == jobs[-1].seed:
            tensor = torch.zeros(1)
            self.held = weakref.ref(tensor)
            raise OUT_OF_MEMORY("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")
        return self.draw(model, jobs, *more)


@pytest.mark.parametrize(
    ("room", "greedy", "batches"),
    [
        (4, None, [4, 4]),
        (2, None, [4, 1, 1, 1, 1, 2, 2]),
        (1, None, [4, 1, 1, 1, 1, 2, 1, 1, 1, 1]),
        (2, 3, [4, 1, 1, 1, 1, 2, 2]),
    ],
)
def test_out_of_memory_is_one_smaller_batch(room, greedy, batches, tiny, tmp_path, monkeypatch):
    device = Device(render.draw_batch, room, greedy)
    monkeypatch.setattr(render, "draw_batch", device)
    host = NativeHost([tiny], device="cpu")
    experiment = real(CheckpointRef("tiny_base"), seeds=range(1, 9))
    result = draw_run(experiment, host, {}.get, tmp_path, resolve=in_folder(tiny, {}), options=Options(batch=4))
    assert device.batches == batches
    assert (result.drawn, result.failed) == ((7, 1) if greedy else (8, 0))
    cells = [c.result for c in open_run(tmp_path).cells]
    assert [bool(c.notes) for c in cells] == [room < 4 and c.outcome is Outcome.DRAWN for c in cells]
    if greedy:
        assert cells[2].error.startswith("There is not enough memory on cpu for 1 picture, 64x64 px; ")
    monkeypatch.undo()
    assert draw_run(experiment, host, {}.get, tmp_path, resolve=in_folder(tiny, {})).failed == 0


def test_out_of_memory_in_the_face_pass_keeps_the_pictures_before(models, tmp_path):
    class Small(FakeHost):
        def inpaint(self, jobs, images, masks):
            if len(jobs) > 1:
                raise OutOfMemoryError("Not enough memory")
            return super().inpaint(jobs, images, masks)

    host = Small(models)
    result, _, log, _ = draw(EXPERIMENT, models, tmp_path / "out", host=host)
    renders = [line for line in log if line.startswith("render")]
    assert (result.drawn, result.failed, len(renders), len(set(renders))) == (12, 0, 6, 6)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (OUT_OF_MEMORY("x"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_the_ways_to_be_out_of_memory(error, is_memory):
    def fail():
        raise error

    assert memory.is_out_of_memory(error) == is_memory
    with pytest.raises(OutOfMemoryError if is_memory else RuntimeError) as caught:
        memory.within_memory(fail, "a picture", torch.device("cpu"))
    if is_memory:
        assert caught.value.__context__ is None  # whose frames would hold the tensors


HOLDER = """
import sys, time
from pathlib import Path
from ohwx_compare.files.ledger.writer import Ledger
held = Ledger(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(tiny, tmp_path, capsys):
    text = (
        "a\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64, Model: tiny_base, RNG: CPU, Version: 1.10.1"
    )
    flags = ["--from", text, "--checkpoints", str(tiny), "--device", "cpu", "--out", str(tmp_path / "out")]
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        assert main(["compare", *flags]) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("ohwx: Another run is writing to ")
    finally:
        holder.kill()
        holder.communicate()
    assert main(["compare", *flags]) == 0


def test_a_second_ctrl_c_stops_at_once_and_loses_nothing(tiny, tmp_path, capsys, monkeypatch):
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps(real(CheckpointRef("tiny_base"), seeds=(1, 2, 3)).to_dict()), encoding="utf-8")
    flags = ["compare", str(file), "--checkpoints", str(tiny), "--device", "cpu", "--out", str(tmp_path / "out")]
    drawn = render.draw_batch

    def interrupted(model, jobs, *more, **named):
        if jobs[0].seed == 2:
            raise KeyboardInterrupt
        return drawn(model, jobs, *more, **named)

    monkeypatch.setattr(render, "draw_batch", interrupted)
    assert main([*flags, "--batch", "1"]) == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("ohwx: stopped; what is finished is kept")
    monkeypatch.undo()
    assert main([*flags, "--batch", "1", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["drawn"], summary["reused"]) == (2, 1)
