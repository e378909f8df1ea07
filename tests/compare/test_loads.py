"""What a run finds out before it draws: no file is read for nothing, each is read ahead, and the look-ups are few."""

from collections import Counter
from dataclasses import replace

from drawing_runs import PLAIN, draw
from killed_run import EXPERIMENT

from ohwx_compare.compare.run import Options
from ohwx_compare.compare.shelf import Shelf
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.keys import PictureKeys
from ohwx_compare.testing.fake_host import FakeHost

ABC = [CheckpointRef(name) for name in "abc"]


def loads(log):
    return [line.removesuffix(".safetensors") for line in log if line.startswith(("use", "expect"))]


def announced(told):
    return next(e for e in told if isinstance(e, events.Started)).cost


class Reading(FakeHost):
    """Counts how often each file is read whole."""

    def __init__(self, folder):
        super().__init__(folder)
        self.reads = Counter()

    def sha256(self, checkpoint):
        self.reads[checkpoint.name] += 1
        return super().sha256(checkpoint)


def test_every_checkpoint_is_read_ahead_while_the_one_before_draws(models, tmp_path):
    _, _, log, _ = draw(PLAIN.with_checkpoints(ABC), models, tmp_path / "out")
    assert loads(log) == ["use a", "expect b", "use b", "expect c", "use c"]


def test_what_is_there_is_not_read_ahead(models, tmp_path):
    draw(PLAIN.with_checkpoints([ABC[1]]), models, tmp_path / "out")
    _, _, log, _ = draw(PLAIN.with_checkpoints(ABC), models, tmp_path / "out")
    assert loads(log) == ["use a", "expect c", "use c"]


def test_a_file_that_must_be_loaded_is_not_hashed_before(models, tmp_path):
    host = Reading(models)
    draw(PLAIN.with_checkpoints(ABC), models, tmp_path / "out", host=host)
    assert set(host.reads.values()) == {1}
    more, host = replace(PLAIN, axes=(PLAIN.axes[0], Axis("seed", (1, 2, 3, 4)))), Reading(models)
    draw(more.with_checkpoints(ABC), models, tmp_path / "out", host=host)
    assert set(host.reads.values()) == {1}


def test_pictures_of_one_checkpoint_are_not_announced_as_anothers(models, tmp_path):
    draw(EXPERIMENT.with_checkpoints(ABC[:1]), models, tmp_path / "out")
    _, _, _, told = draw(EXPERIMENT.with_checkpoints(ABC[:2]), models, tmp_path / "out")
    assert sum(e.count for e in told if isinstance(e, events.Step)) == announced(told) == 3 * 4 + 3 * (2 + 3)


def test_files_that_changed_places_keep_their_pictures(models, tmp_path):
    draw(PLAIN, models, tmp_path / "out")
    a, b, away = (models / f"{name}.safetensors" for name in ("a", "b", "away"))
    for path, there in ((a, away), (b, a), (away, b)):
        path.rename(there)
    result, _, log, _ = draw(PLAIN, models, tmp_path / "out")
    assert (result.drawn, result.reused, log) == (0, 6, [])


class Counting:
    """How often keys are made and pictures looked up."""

    def __init__(self, monkeypatch):
        self.count = 0
        self.patch(monkeypatch, PictureKeys, "of")
        self.patch(monkeypatch, Shelf, "has")
        self.patch(monkeypatch, Shelf, "find")

    def patch(self, monkeypatch, owner, name):
        real = getattr(owner, name)

        def counted(*arguments):
            self.count += 1
            return real(*arguments)

        monkeypatch.setattr(owner, name, counted)

    def during(self, *arguments, **options):
        self.count = 0
        draw(*arguments, **options)
        return self.count


def look_ups(folder, counting, checkpoints):
    """Of a new run, the same again, one with one more seed, and of runs that borrow all and all but one seed."""
    models = folder / "models"
    models.mkdir(parents=True)
    refs = [CheckpointRef(f"{number:03}") for number in range(checkpoints)]
    for ref in refs:
        (models / f"{ref}.safetensors").write_bytes(ref.name.encode() * 20)
    first, more = (replace(PLAIN, axes=(PLAIN.axes[0], Axis("seed", tuple(range(n))))) for n in (3, 4))
    first, more, out = first.with_checkpoints(refs), more.with_checkpoints(refs), folder / "out"
    lent = {"options": Options(batch=2, reuse=(out,))}
    return {
        "new": counting.during(first, models, out),
        "again": counting.during(first, models, out),
        "borrowed": counting.during(first, models, folder / "whole", **lent),
        "in part": counting.during(more, models, folder / "part", **lent),
        "more": counting.during(more, models, out),
    }


def test_look_ups_grow_with_the_cells(tmp_path, monkeypatch):
    counting = Counting(monkeypatch)
    few, many = (look_ups(tmp_path / str(count), counting, count) for count in (3, 12))
    for run, count in few.items():
        assert many[run] <= 4 * count, run
