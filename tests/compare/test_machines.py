"""One run, several workers: the folder is one process's, whoever generated what, and whoever is killed meanwhile."""

from collections import Counter

import pytest
from drawing_runs import PLAIN, contents, draw
from killed_run import EXPERIMENT, Detector

from ohwx_compare.compare.crew import Crew
from ohwx_compare.compare.drawing import StationCard
from ohwx_compare.compare.host import Interruption
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.compare.station import DistantWorker, Station
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.keys import PIXELS
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import CheckpointError, HostError, LedgerError, WorkerGoneError
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.testing.fake_host import FakeHost, Faults

THREE = EXPERIMENT.with_checkpoints([CheckpointRef(name) for name in "abc"])
CARD = StationCard("card", "float32", "torch 2", PIXELS)


class Mortal:
    """A station that is gone after so many calls that generate; each checkpoint that it loads is in `loads`."""

    def __init__(self, station, dies_after=10**9):
        self.station, self.left, self.loads, self.drew = station, dies_after, [], 0

    def __call__(self, what, *given):
        if what == "use":
            self.loads.append(given[0].name)
        if what == "draw":
            self.left -= 1
            if self.left < 0:
                raise WorkerGoneError("It is gone.")
            self.drew += 1
        return getattr(self.station, what)(*given)


def workers(*hosts, dies_after=(), packs=True, cards=()):
    """Workers at stations of their own, each its own name, and what they are asked through."""
    cards = [*cards, *[CARD] * len(hosts)]
    lives = [*dies_after, *[10**9] * len(hosts)]
    asked = [
        Mortal(Station(host, lambda name: Detector(), card, packs=packs), left)
        for host, left, card in zip(hosts, lives, cards, strict=False)
    ]
    return [DistantWorker(f"worker {n}", one, lambda: None) for n, one in enumerate(asked, 1)], asked


def share(experiment, models, out, crew, **options):
    told = []
    options = {"resolve": in_folder(models, {}), "options": Options(batch=2), **options}
    result = draw_run(experiment, crew, lambda name: Detector(), out, told.append, **options)
    return result, told


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_however_many_generate_the_folder_is_the_same(count, packs, models, tmp_path):
    draw(THREE, models, tmp_path / "one" / "out")
    crew, _ = workers(*[FakeHost(models, faults=Faults(seconds=0.002)) for _ in range(count)], packs=packs)
    result, told = share(THREE, models, tmp_path / "many" / "out", Crew(crew))
    assert (result.drawn, result.failed) == (18, 0)
    assert contents(tmp_path / "many" / "out") == contents(tmp_path / "one" / "out")
    assert sorted(e.number for e in told if isinstance(e, events.Image)) == list(range(1, 19))
    assert (
        sum(e.count for e in told if isinstance(e, events.Step))
        == next(e for e in told if isinstance(e, events.Started)).cost
    )


@pytest.mark.parametrize("after", range(6))
def test_one_that_is_gone_leaves_its_batch_to_the_others(after, models, tmp_path):
    draw(THREE, models, tmp_path / "one" / "out")
    crew, asked = workers(*[FakeHost(models) for _ in range(3)], dies_after=[after, after])
    result, told = share(THREE, models, tmp_path / "many" / "out", Crew(crew))
    assert (result.drawn, result.failed) == (18, 0)
    assert contents(tmp_path / "many" / "out") == contents(tmp_path / "one" / "out")
    assert Counter(e.number for e in told if isinstance(e, events.Image)) == Counter(range(1, 19))
    assert [one.drew <= after for one in asked[:2]] == [True, True]


def test_where_all_are_gone_the_run_says_so_and_goes_on_with_others(models, tmp_path):
    draw(THREE, models, tmp_path / "one" / "out")
    crew, _ = workers(*[FakeHost(models) for _ in range(2)], dies_after=[1, 3])
    with pytest.raises(HostError, match="None of the workers is left"):
        share(THREE, models, tmp_path / "many" / "out", Crew(crew))
    crew, _ = workers(*[FakeHost(models) for _ in range(2)])
    result, _ = share(THREE, models, tmp_path / "many" / "out", Crew(crew))
    assert result.failed == 0
    assert contents(tmp_path / "many" / "out") == contents(tmp_path / "one" / "out")


def test_one_without_a_checkpoint_leaves_it_to_those_who_have_it(models, tmp_path):
    draw(THREE, models, tmp_path / "one" / "out")
    broken = FakeHost(models, faults=Faults(wrong=frozenset({"a.safetensors", "b.safetensors"})))
    crew, asked = workers(broken, FakeHost(models))
    result, told = share(THREE, models, tmp_path / "many" / "out", Crew(crew))
    assert (result.drawn, result.failed) == (18, 0)
    assert contents(tmp_path / "many" / "out") == contents(tmp_path / "one" / "out")
    assert {"a.safetensors", "b.safetensors"} <= set(asked[1].loads)
    assert any("worker 1 leaves a to others" in e.words for e in told if isinstance(e, events.Told))


def test_a_checkpoint_that_nobody_can_use_is_a_failure_of_its_cells(models, tmp_path):
    hosts = [FakeHost(models, faults=Faults(wrong=frozenset({"b.safetensors"}))) for _ in range(2)]
    result, _ = share(THREE, models, tmp_path / "out", Crew(workers(*hosts)[0]))
    assert (result.drawn, result.failed) == (12, 6)
    failed = [c.cell.checkpoint for c in open_run(tmp_path / "out").cells if c.result.outcome is Outcome.FAILED]
    assert set(failed) == {CheckpointRef("b")}


class Elsewhere(FakeHost):
    """One machine whose file of the name "b" is another."""

    def sha256(self, checkpoint):
        other = checkpoint.name == "b.safetensors"
        return "0" * 64 if other else super().sha256(checkpoint)


def test_another_file_of_one_name_is_not_mixed_in(models, tmp_path):
    result, _ = share(THREE, models, tmp_path / "out", Crew(workers(FakeHost(models), Elsewhere(models))[0]))
    used = {c.checkpoint.sha256 for c in open_run(tmp_path / "out").cells if c.cell.checkpoint == CheckpointRef("b")}
    assert result.failed == 0
    assert len(used) == 1


class OtherPrecision(FakeHost):
    def fingerprint(self, job):
        return {**super().fingerprint(job), "dtype": "float16"}


def test_one_that_would_generate_other_pictures_is_left_out(models, tmp_path):
    draw(THREE, models, tmp_path / "one" / "out")
    crew, asked = workers(FakeHost(models), OtherPrecision(models))
    _, told = share(THREE, models, tmp_path / "many" / "out", Crew(crew))
    assert contents(tmp_path / "many" / "out") == contents(tmp_path / "one" / "out")
    assert asked[1].loads == []
    says = "worker 2 is left out: it would generate another picture; dtype is None and 'float16'."
    assert says in [e.words for e in told if isinstance(e, events.Told)]


def test_what_the_workers_are_is_in_the_keys_not_what_the_head_is(models, tmp_path):
    share(PLAIN, models, tmp_path / "out", Crew(workers(OtherPrecision(models))[0]))
    result, *_ = draw(PLAIN, models, tmp_path / "out", host=OtherPrecision(models))
    assert result.reused == 6
    result, *_ = draw(PLAIN, models, tmp_path / "out")
    assert result.drawn == 6


def test_a_version_whose_pixels_are_others_is_left_out(models, tmp_path):
    other = StationCard("card", "float32", "ohwx 0.0.1", PIXELS + 1)
    crew, asked = workers(FakeHost(models), FakeHost(models), cards=[CARD, other])
    _, told = share(THREE, models, tmp_path / "out", Crew(crew))
    assert asked[1].loads == []
    says = "worker 2 is left out: its version (ohwx 0.0.1) generates other pictures; install this one there."
    assert says in [e.words for e in told if isinstance(e, events.Told)]


def test_cells_say_which_card_generated_them_where_there_are_several(models, tmp_path):
    """The keys are the same, so a run may be continued on another card; its pictures may differ in the last bits."""
    cards = [StationCard("card 1", "float32", "torch 2", PIXELS), StationCard("card 2", "float32", "torch 2", PIXELS)]
    hosts = [FakeHost(models, faults=Faults(seconds=0.01)) for _ in cards]
    _, told = share(THREE, models, tmp_path / "out", Crew(workers(*hosts, cards=cards)[0]))
    notes = Counter(note for cell in open_run(tmp_path / "out").cells for note in cell.result.notes if "card" in note)
    assert {*notes} == {"generated on card 1, torch 2", "generated on card 2, torch 2"}
    assert notes.total() == 18
    assert any("card 1, torch 2; card 2, torch 2" in e.words for e in told if isinstance(e, events.Told))
    result, *_ = draw(THREE, models, tmp_path / "out")
    assert result.reused == 18


def test_errors_cross_as_they_are(models):
    class Failing(FakeHost):
        def use(self, checkpoint, **more):
            raise CheckpointError("It has no VAE.")

    (worker,), _ = workers(Failing(models))
    with pytest.raises(CheckpointError, match="It has no VAE"):
        worker.use(FakeHost(models).checkpoints()[0])


def test_a_full_disk_stops_all(models, tmp_path, monkeypatch):
    from ohwx_compare.compare.commit import Commits

    def full(self, wanted, drawn, loaded):
        raise LedgerError("The disk is full.")

    monkeypatch.setattr(Commits, "keep", full)
    crew, asked = workers(*[FakeHost(models, faults=Faults(seconds=0.01)) for _ in range(3)])
    with pytest.raises(LedgerError, match="full"):
        share(THREE, models, tmp_path / "out", Crew(crew))
    assert sum(one.drew for one in asked) < 18


def test_a_stop_ends_all_after_what_they_have_in_hand(models, tmp_path):
    crew, _ = workers(*[FakeHost(models, faults=Faults(seconds=0.01)) for _ in range(2)])
    wanted = iter([Interruption.RUN_ON] * 3)
    result, _ = share(THREE, models, tmp_path / "out", Crew(crew, lambda: next(wanted, Interruption.FINISH_CELL)))
    assert result.is_interrupted
    assert 0 < result.drawn < 18
    draw(THREE, models, tmp_path / "one" / "out")
    share(THREE, models, tmp_path / "out", Crew(workers(FakeHost(models), FakeHost(models))[0]))
    assert contents(tmp_path / "out") == contents(tmp_path / "one" / "out")
