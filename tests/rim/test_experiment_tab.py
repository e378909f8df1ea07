"""Whole experiments in the training tab: a real process, its cost, stop and resume, its pages, what is refused."""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from tab_page import Page, started

from ohwx_compare.engine import detect
from ohwx_compare.judge import face_sight
from ohwx_compare.judge.run import measures
from ohwx_compare.judge.run.asked import judge_asked
from ohwx_compare.judge.run.judging import judge_folder

sys.path.append(str(Path(__file__).parents[1] / "judge"))

from planted_run import ME, STYLES, ColourReader, Planted, SquareDetector, photographs, planted_run, record

API = "/ohwx/api/experiments"


@pytest.fixture
def experiment(webui, mini):
    """Two trainings of three steps and one comparison; the base by its name, the pictures in the webui's data."""
    (webui.folder / "base.safetensors").write_bytes(mini.read_bytes())
    folder = webui.data / "img ü" / "1_ohwx man"
    folder.mkdir(parents=True)
    for i in range(3):
        array = np.random.RandomState(i).randint(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(array).save(folder / f"{i}.png")
    return {
        "recipe": {
            "base": "base.safetensors", "train": "img ü", "resolution": 64, "bucket_min": 64, "epochs": 1,
            "save_every_epochs": 1, "precision": "fp32",
        },
        "arms": {"slow ü": {"lr_unet": 1e-5}, "fast": {"lr_unet": 1e-4}},
        "comparisons": {
            "last": {"job": {"prompt": "ohwx man", "seed": 1, "steps": 2, "width": 64, "height": 64}, "last": 1}
        },
    }  # fmt: skip


def until(page, name, *states, least=0):
    for _ in range(1200):
        told = page.get(f"{API}/{quote(name)}").json()
        if told["state"] in states and told["part"] >= least:
            return told
        time.sleep(0.1)
    raise AssertionError(told)


@pytest.mark.slow
def test_planned_started_stopped_found_by_another_start_of_the_webui_resumed_and_looked_at(
    page, experiment, webui, tmp_path
):
    experiment["recipe"] |= {"epochs": 4, "save_every_epochs": 4, "train": str(webui.data / "img ü")}
    file, folder = tmp_path / "it ü.json", webui.data / "outputs" / "ohwx" / "experiments" / "it ü"
    file.write_text(json.dumps(experiment), encoding="utf-8")
    plan = page.post(f"{API}/plan", {"text": json.dumps(experiment), "name": "it ü"}).json()
    assert (plan["name"], plan["problems"]) == ("it ü", [])
    assert plan["lines"][0].startswith("train slow ü: 12 steps, saved at exposures 4")
    assert plan["lines"][2].startswith("compare last: 3 cells over 3 checkpoints, 3 pictures")
    assert not folder.exists()
    assert page.post(API, {"text": f'"{file}"'}).json()["id"] == "it ü"
    again = page.post(API, {"text": str(file)})
    assert (again.status_code, "at work already" in again.json()["error"]) == (400, True)
    until(page, "it ü", "running", least=1)
    page.post(f"{API}/{quote('it ü')}/stop")
    assert until(page, "it ü", "stopped", "done", "failed")["state"] == "stopped"
    assert not (folder / "stop").exists()
    fresh = Page(started(webui))
    assert [(one["id"], one["state"]) for one in fresh.get(API).json()["experiments"]] == [("it ü", "stopped")]
    assert fresh.post(f"{API}/{quote('it ü')}/start").status_code == 200
    told = until(fresh, "it ü", "done", "failed", "stopped", "killed")
    assert (told["state"], told["error"], told["part"], told["parts"]) == ("done", None, 3, 3)
    assert (told["said"], told["answer"]) == ([], None)  # nothing was to be judged
    (comparison,) = told["comparisons"]
    (folder / "last" / "index.html").write_text("<script>hurt()</script>", encoding="utf-8")
    shown = page.get(f"/{comparison['page']}").text
    assert ("Content-Security-Policy" in shown, "hurt()" in shown) == (True, False)
    at = comparison["page"].removesuffix("index.html")
    (picture, *_) = (folder / "last" / "images").iterdir()
    assert page.get(f"/{at}images/{quote(picture.name)}").headers["content-type"] == "image/png"
    for path in ("run.sqlite", "../experiment.json", "..%2Fexperiment.json", "page/nothing"):
        assert page.get(f"/{at}{path}").status_code == 404, path


def test_another_experiment_of_one_name_gets_a_number(webui):
    webui.load_script()
    from ohwx_compare.hosts.webui.tab.experiment_jobs import _asked

    folder, data = _asked('{"seeds": [1]}', "it")
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(data), encoding="utf-8")
    assert [_asked(text, "it")[0].name for text in ('{"seeds": [1]}', '{"seeds": [2]}')] == ["it", "it 2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first"),
        (5, "first"),
        ("{", "is not JSON"),
        ("[1]", "the whole path of its file"),
        ("here.json", "the whole path of its file"),
        ("/no/where.json", "cannot be read"),
        ("/no\0where.json", "cannot be read"),
        ('{"recipe": {"train": "~nobody-here/a"}}', "write it whole"),
    ],
)
def test_what_is_no_experiment_is_one_sentence(page, text, says):
    for path in (API, f"{API}/plan"):
        answer = page.post(path, {"text": text})
        assert (answer.status_code, says in answer.json()["error"]) == (400, True), answer.json()
        assert "\n" not in answer.json()["error"]
    assert page.get(API).json() == {"experiments": []}


@pytest.mark.slow
def test_what_the_command_refuses_is_its_sentence(page, experiment):
    answer = page.post(API, {"text": json.dumps({**experiment, "arm": {}})})
    assert (answer.status_code, answer.json()["error"][:20]) == (400, "the file has no 'arm")
    assert page.get(API).json() == {"experiments": []}


def test_a_hidden_place_is_looked_at_by_nothing(page, experiment, webui, tmp_path):
    sys.modules["modules.shared"].cmd_opts.hide_ui_dir_config = True
    hidden = str(tmp_path / "hidden")
    job = {"photos": "img ü", "held_out": hidden}
    for change in (
        {"recipe": {**experiment["recipe"], "base": f"{hidden}/b.safetensors"}},
        {"recipe": {**experiment["recipe"], "train": hidden}},
        {"recipe": {**experiment["recipe"], "masks": hidden}},
        {"recipe": {**experiment["recipe"], "from_state": hidden}},
        {"recipe": {"base": "b", "concepts": [{"folder": hidden}]}},
        {"arms": {"a": {"reg": hidden}}},
        {"arms": {"a": {"vae": "../../hidden"}}},
        {"judge": job},
    ):
        answer = page.post(f"{API}/plan", {"text": json.dumps({**experiment, **change})})
        assert (answer.status_code, "hide-ui-dir-config" in answer.json()["error"]) == (400, True), change
    for text in (f"{hidden}/e.json", "\\\\host\\share\\e.json"):
        assert page.post(API, {"text": text}).status_code == 400
    folder = webui.data / "outputs" / "ohwx" / "experiments" / "strange"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps({**experiment, "judge": job}), encoding="utf-8")
    assert "hide-ui-dir-config" in page.post(f"{API}/strange/start").json()["error"]


def test_a_strangers_folder_leads_nowhere(page, webui, tmp_path):
    root = webui.data / "outputs" / "ohwx" / "experiments"
    outside = tmp_path / "outside"
    outside.mkdir(parents=True)
    (outside / "experiment.json").write_text("{}", encoding="utf-8")
    (outside / "run.sqlite").write_bytes(b"secret")
    (root / "odd").mkdir(parents=True)
    (root / "odd" / "experiment.json").write_text('{"comparisons": {"a": 1, "../b": 1}}', encoding="utf-8")
    (root / "odd" / "state.json").write_text('{"status": "ended", "said": [1, {}], "judged": "a"}', encoding="utf-8")
    (root / "linked").symlink_to(outside)
    (root / "odd" / "a").symlink_to(outside)
    (one,) = page.get(API).json()["experiments"]
    assert (one["id"], one["state"], one["said"]) == ("odd", "done", ["1", "{}"])
    for path in ("odd/a/index.html", "odd/a/judge.html", "linked/a/index.html", "no/a/index.html", "odd/%2e%2e/x"):
        assert page.get(f"/ohwx/experiments/{path}").status_code == 404, path
    assert page.get(f"{API}/linked").status_code == 404
    assert page.post(f"{API}/linked/stop").status_code == 404


def test_the_answers_page_is_made_of_what_was_measured(page, webui, tmp_path, monkeypatch):
    """Measured as the command does; the tab shows the answer, of the ledger alone."""
    monkeypatch.setattr(measures, "find_face_files", lambda folders: (Path("net"), Path("points")))
    monkeypatch.setattr(face_sight, "FaceReader", SimpleNamespace(load=lambda *files, device: ColourReader()))
    monkeypatch.setattr(detect, "find_detector", lambda name, folders, device: SquareDetector())

    def saves(base):
        return [Planted(f"a-{n}", n / 100, 1.0, record(n, base=base)) for n in (30, 60)]

    folder = webui.data / "outputs" / "ohwx" / "experiments" / "it"
    planted_run(folder, styles=STYLES[:1], seeds=(1, 2), saves=saves)
    judge = {"photos": str(photographs(tmp_path / "photos", ME, ME, ME))}
    base = folder / "models" / "base.safetensors"
    file = {"recipe": {"base": str(base)}, "comparisons": {"run": {}}, "judge": judge}
    (folder / "experiment.json").write_text(json.dumps(file), encoding="utf-8")
    state = {"status": "ended", "said": ["It is so."], "judged": "run"}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / "run" / "judge.html").write_text("<script>hurt()</script>", encoding="utf-8")
    told = page.get(f"{API}/it").json()
    assert (told["said"], told["judged"], told["answer"]) == (["It is so."], "run", None)
    at = "ohwx/experiments/it/run/judge.html"
    assert "press The answer" in page.get(f"/{at}").json()["error"]
    early = page.post(f"{API}/it/answer")
    assert (early.status_code, "press Resume" in early.json()["error"]) == (404, True)
    judge_folder(judge_asked(judge, folder / "run", base, (), "cpu", adopt=True))
    before = (folder / "run" / "run.sqlite").read_bytes()
    assert page.post(f"{API}/it/answer").json()["answer"] == page.get(f"{API}/it").json()["answer"] == at
    shown = page.get(f"/{at}").text
    assert "<h1>After 60 exposures, against 30 exposures: more likeness" in shown
    assert "hurt()" not in shown
    assert (folder / "run" / "run.sqlite").read_bytes() == before
