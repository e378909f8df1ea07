"""The demo's mechanics, on drawn weights: its pictures are noise, its files, counts and words are those of any demo."""

import shutil
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
import torch
from drawn_demo import SMALL, drawn_parts

from ohwx_compare.core.events import Entered, Started, Step
from ohwx_compare.demo.answer import answer
from ohwx_compare.demo.sizes import ARMS, QUICK, WHOLE
from ohwx_compare.demo.words import headline
from ohwx_compare.demo.work import work
from ohwx_compare.errors import TrainingError
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.train.plan.plan import make_plan


@pytest.mark.parametrize("sizes", [WHOLE, QUICK, SMALL])
@pytest.mark.parametrize("arm", ARMS)
def test_the_trainer_plans_what_the_sizes_say(demo, sizes, arm):
    """Both arms show every training image equally often by each save, at its own 96 px."""
    plan = make_plan(sizes.recipe(demo[0], arm))
    assert plan.steps == sizes.steps(arm)
    saves = {f"{arm}/{save.name}.safetensors": (save.least, save.most) for save in plan.saves}
    assert saves == {one.file: (one.exposures,) * 2 for one in sizes.trained() if one.arm == arm}
    assert set(plan.buckets()) == {(96, 96)}
    assert bool(plan.dataset.reg) == (arm == "reg")


def test_every_cell_is_drawn_and_read(demo):
    folder, readings, _ = demo
    for name, read in (("comparison", readings.subject), ("class", readings.drift), ("faces", readings.small)):
        assert len(read) == len(open_run(folder / name).cells) > 0
        assert all((folder / picture.image).is_file() for picture in read)
    assert len(readings.subject) == 5 * len(SMALL.styles) * len(SMALL.seeds)
    assert {one.trained for one in readings.drift} == set(SMALL.trained())
    assert len(readings.truths) == 2 * SMALL.truths


def test_one_progress_counts_the_whole(demo):
    started, *rest = demo[2]
    assert isinstance(started, Started)
    stages = [event.number for event in rest if isinstance(event, Entered)]
    assert stages == list(range(1, started.total + 1))
    assert not any(isinstance(event, Started) for event in rest)
    assert sum(event.count for event in rest if isinstance(event, Step)) == pytest.approx(started.cost, rel=0.02)


def test_again_it_draws_nothing_and_says_the_same(demo, mini):
    folder, readings, events = demo
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    times |= {path: path.stat().st_mtime_ns for path in folder.rglob("images/*.png")}
    more = []
    assert work(folder, SMALL, drawn_parts(mini), more.append, lambda: False) == readings
    assert more[0].cost < events[0].cost / 3  # what is left is to read
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in times.items())


@pytest.mark.slow
def test_it_computes_on_one_thread(demo, mini, tmp_path):
    """In each lane: the other threads are for whoever else computes, and no byte depends on how many there are."""
    folder, threads = tmp_path / "demo", {}
    shutil.copytree(demo[0], folder)
    shutil.rmtree(folder / "faces")  # so that something is drawn

    def listen(event):
        threads[threading.current_thread()] = torch.get_num_threads()

    torch.set_num_threads(2)
    try:
        work(folder, SMALL, drawn_parts(mini), listen, lambda: False)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert len(threads) > 1
    assert set(threads.values()) == {1}


@pytest.mark.slow
def test_where_one_training_fails_the_other_stops_and_the_cause_is_told(mini, tmp_path, monkeypatch):
    stopped = []

    def train(plan, listen, asked, device):
        if plan.recipe.name == "reg":
            raise TrainingError("the disk is full")
        while not asked():
            time.sleep(0.01)
        stopped.append(plan.recipe.name)
        return SimpleNamespace(is_finished=False)

    monkeypatch.setattr("ohwx_compare.study.work.train", train)
    with pytest.raises(TrainingError, match="the disk is full"):
        work(tmp_path, SMALL, drawn_parts(mini), lambda event: None, lambda: False)
    assert stopped == ["no-reg"]


class Links(HTMLParser):
    """What a page names, and its tags."""

    def __init__(self, text: str):
        super().__init__()
        self.names, self.tags, self.text = [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names += [value for name, value in attrs if name in ("href", "src") and not value.startswith("data:")]

    def handle_data(self, data):
        self.text += data


def test_the_page_tells_the_answer_and_links_to_what_is_there(demo):
    folder, readings, _ = demo
    page = Links((folder / "index.html").read_text(encoding="utf-8"))
    assert headline(answer(readings)) in page.text
    assert "@@" not in page.text
    assert "script" not in page.tags
    assert len([name for name in page.names if name.endswith(".jpg")]) >= 5 + 5  # the subject and "a man"
    assert {"comparison/index.html", "class/index.html", "faces/index.html", "reg/recipe.json"} <= set(page.names)
    for name in page.names:
        assert (folder / unquote(name)).is_file(), name
    assert not Path(page.names[0]).is_absolute()
