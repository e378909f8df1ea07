"""Pictures measured by several workers: the numbers of one process, whoever goes meanwhile."""

import pickle
from functools import partial

import pytest
import torch
from PIL import Image
from planted_run import STYLES, planted_run

from ohwx_compare.core.events import Step, Told
from ohwx_compare.engine.detect import Cascade, find_detector
from ohwx_compare.errors import HostError, Interrupted, MeasureError, WorkerGoneError
from ohwx_compare.files.ledger.measures import MeasureLedger
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.machines.judging_station import JudgingStation
from ohwx_compare.hosts.machines.replying import reply, value_of
from ohwx_compare.hosts.machines.scorers import DistantScorer, taught
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.scoring import score_run
from ohwx_compare.judge.run.travel import packed_measures, unpacked_measures
from ohwx_compare.judge.seams import Seams
from ohwx_compare.judge.style_kept import StyleKept
from ohwx_compare.judge.vae_sight import VaeSight
from ohwx_compare.models.vae import VAE, VAEConfig


class Process:
    """A station that is asked by values alone; gone after so many batches."""

    def __init__(self, dies_after=10**9):
        self.station, self.left = JudgingStation("cpu"), dies_after

    def __call__(self, what, *given):
        self.left -= what == "score"
        if self.left < 0:
            raise WorkerGoneError("It is gone.")
        return value_of(sent(reply(lambda: self.station, what, sent(given))))


def sent(value):
    return pickle.loads(pickle.dumps(value))


def crew(*processes):
    return partial(taught, [DistantScorer(f"worker {n}", one) for n, one in enumerate(processes, 1)])


def made(judged, sight, photographs):
    """Measures that hold pictures against photographs and the base's own pictures."""
    torch.manual_seed(0)
    encoder = VaeSight(VAE(VAEConfig(widths=(32, 32, 32, 32), blocks=1, latent=4)))
    controls = {style: [] for style in judged.styles}
    for each in judged.pictures:
        if each.checkpoint.startswith("base"):
            controls[each.style].append(each.path)
    return [Likeness(sight, photographs), StyleKept(encoder, controls), Seams()]


@pytest.fixture
def measures(judged, square_sight, my_photographs):
    return made(judged, square_sight, my_photographs)


def kept(judged, measures):
    with MeasureLedger(judged.folder) as ledger:
        return [{key: (row.value, row.outcome, dict(row.details)) for key, row in ledger.scores(each.key).items()}
                for each in measures]  # fmt: skip


@pytest.fixture(scope="module")
def alone(square_sight, my_photographs, tmp_path_factory):
    """What one process says of the same pictures elsewhere."""
    folder = planted_run(tmp_path_factory.mktemp("alone"), styles=STYLES[:3], seeds=(1, 2), has_face_pass=True)
    judged = judged_run(open_run(folder), "ohwx man")
    measures = made(judged, square_sight, my_photographs)
    score_run(judged, measures)
    return kept(judged, measures)


@pytest.mark.slow
def test_several_give_the_numbers_of_one_process(judged, measures, alone):
    told = []
    score_run(judged, measures, told.append, scorers=crew(Process(), Process(dies_after=1)))
    assert kept(judged, measures) == alone
    assert sum(event.count for event in told if isinstance(event, Step)) == len(judged.pictures)
    assert "Another one measures" in " ".join(event.words for event in told if isinstance(event, Told))


def test_where_none_is_left_the_scores_so_far_are_kept(judged, measures, alone):
    with pytest.raises(HostError, match="None of the workers is left"):
        score_run(judged, measures, scorers=crew(Process(dies_after=1), Process(dies_after=1)))
    some = sum(map(len, kept(judged, measures)))
    assert 0 < some < sum(map(len, alone))
    score_run(judged, measures)
    assert kept(judged, measures) == alone


def test_a_stop_keeps_what_is_in_hand(judged, measures, alone):
    told = []
    with pytest.raises(Interrupted):
        score_run(judged, measures, told.append, lambda: any(isinstance(e, Step) for e in told),
                  scorers=crew(Process(), Process()))  # fmt: skip
    assert 0 < sum(map(len, kept(judged, measures))) < sum(map(len, alone))


def test_one_of_another_version_is_left_out(judged, measures, alone, monkeypatch):
    told, old = [], Process()
    learn = old.station.learn
    old.station.learn = lambda content, version: learn(content, "0.0.1")
    score_run(judged, measures, told.append, scorers=crew(old, Process()))
    assert kept(judged, measures) == alone
    assert "worker 1 does not measure: It has version" in " ".join(e.words for e in told if isinstance(e, Told))
    with pytest.raises(HostError, match="expected"):
        crew(old)(measures, told.append)


def test_who_scores_nothing_is_sent_nothing(judged, measures):
    score_run(judged, measures)
    score_run(judged, measures, scorers=lambda measures, tell: pytest.fail("asked"))


def test_detectors_travel(goldens, tmp_path):
    picture = Image.open(goldens / "astronaut.png").convert("RGB")
    for found in (Cascade("a note"), find_detector("drawn.safetensors", [drawn(tmp_path)])):
        (there,) = unpacked_measures(packed_measures([found]), "cpu")
        assert (there.name, there.note, there.sha256) == (found.name, found.note, found.sha256)
        (seen,), (said,) = (one.detect([picture]) for one in (found, there))
        assert [(face.box, face.confidence) for face in said] == [(face.box, face.confidence) for face in seen]


def drawn(folder):
    from ohwx_compare.testing.drawn_detector import draw_detector

    draw_detector(folder / "drawn.safetensors")
    return folder


def test_what_cannot_travel_is_a_sentence(measures):
    measures[2].lock = (each for each in ())
    with pytest.raises(MeasureError, match="measure in this one alone"):
        packed_measures(measures)
