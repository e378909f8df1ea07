"""The unit of work: what a batch lacks, as values that whoever draws can be sent."""

import pickle
from dataclasses import replace

import pytest
from drawing_runs import contents, draw
from killed_run import EXPERIMENT

from ohwx_compare.compare import run as run_module
from ohwx_compare.compare.batches import batches, by_checkpoint, cost
from ohwx_compare.compare.cost.plan import Shelved
from ohwx_compare.compare.drawing import HostWorker
from ohwx_compare.compare.work import keys_with, needed
from ohwx_compare.core.experiment.axes import Axis

SWITCHED = replace(EXPERIMENT, axes=(*EXPERIMENT.axes[:2], Axis("face pass", (True, False)), EXPERIMENT.axes[2]))
KEYS = keys_with(lambda job: {}, {"face_yolov8n.pt": "0"}, Shelved(frozenset(), {}, 2.0))
BATCHES = [batch for _, group in by_checkpoint(SWITCHED.cells()) for batch in batches(group, 2)]


def whole(batch, todo=None):
    return needed(batch, todo or batch, {cell.number: KEYS(cell, str(cell.checkpoint)) for cell in batch})


def holding(*keys, lent=()):
    return Shelved(frozenset((*keys, *lent)), {}, 2.0, frozenset(lent))


def keys_of(work):
    return [wanted.key for stage in work.stages for wanted in stage]


def test_every_picture_is_drawn_once():
    """Two checkpoints, three seeds; a face pass at two denoises, and none, which asks for the picture before."""
    works = [whole(batch).lacking(holding(), is_fresh=True) for batch in BATCHES]
    keys = [key for work in works for key in keys_of(work)]
    assert len(keys) == len(set(keys)) == 2 * 3 * (1 + 2)
    assert set(keys) == {key for cell in SWITCHED.cells() for key in vars(KEYS(cell, str(cell.checkpoint))).values()}
    names = [wanted.name for work in works for stage in work.stages for wanted in stage]
    assert len(set(names)) == len(names)
    for batch, work in zip(BATCHES, works, strict=True):
        assert [len({w.cell.faces for w in stage}) for stage in work.stages] == [1, 1, 1]
        assert sum(wanted.cost for stage in work.stages for wanted in stage) == cost(dict.fromkeys(batch))
        assert {wanted.before for wanted in work.afters} == {wanted.key for wanted in work.befores}


@pytest.mark.parametrize("batch", BATCHES)
def test_what_is_there_is_not_drawn_unless_its_batch_never_was_whole(batch):
    work = whole(batch)
    befores, *afters = ([wanted.key for wanted in stage] for stage in work.stages)
    everything = keys_of(work)
    assert keys_of(work.lacking(holding(*everything), is_fresh=True)) == []
    for missing in everything:
        there = holding(*(key for key in everything if key != missing))
        assert keys_of(work.lacking(there, is_fresh=False)) == [missing]
        together = next(stage for stage in (befores, *afters) if missing in stage)
        assert keys_of(work.lacking(there, is_fresh=True)) == together


@pytest.mark.parametrize("is_fresh", [True, False])
def test_what_is_lent_is_nobodys_work(is_fresh):
    everything = keys_of(work := whole(BATCHES[0]))
    for lent in everything:
        assert keys_of(work.lacking(holding(lent=[lent]), is_fresh=is_fresh)) == [k for k in everything if k != lent]


def test_a_cell_left_of_a_batch_asks_for_its_own_pictures_under_the_batchs_names():
    for batch in BATCHES:
        named = {wanted.key: wanted.name for stage in whole(batch).stages for wanted in stage}
        for cell in batch:
            left = whole(batch, [cell])
            assert {w.key: w.name for stage in left.stages for w in stage}.items() <= named.items()
            assert set(keys_of(left)) == set(vars(KEYS(cell, str(cell.checkpoint))).values())


class Distant(HostWorker):
    """A worker to whom and from whom all goes as bytes."""

    def draw(self, loaded, stage, before):
        def fetched(key):
            return pickle.loads(pickle.dumps(before(key)))

        for picture in super().draw(*pickle.loads(pickle.dumps((loaded, stage))), fetched):
            yield pickle.loads(pickle.dumps(picture))


def test_whoever_draws_the_folder_is_the_same(models, tmp_path, monkeypatch):
    draw(EXPERIMENT, models, tmp_path / "here" / "out")
    monkeypatch.setattr(run_module, "HostWorker", Distant)
    draw(EXPERIMENT, models, tmp_path / "away" / "out")
    assert contents(tmp_path / "here" / "out") == contents(tmp_path / "away" / "out")
