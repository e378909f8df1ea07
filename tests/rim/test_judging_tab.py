"""The tab judges a run: its sentence and report, what stops it, and the fetch of the face network, said beforehand."""

import shutil
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from tab_page import OWN

from ohwx_compare.engine import detect
from ohwx_compare.judge import face_sight
from ohwx_compare.judge.run import measures

sys.path.append(str(Path(__file__).parents[1] / "judge"))

from planted_run import ME, STYLES, ColourReader, Planted, SquareDetector, photographs, planted_run, record

JUDGE = "/ohwx/api/runs/run/judge"


@pytest.fixture
def run(webui, page, monkeypatch):
    """A planted run among the webui's; faces are squares, and the network is said to be there."""
    monkeypatch.setattr(measures, "find_face_files", lambda folders: (Path("net"), Path("points")))
    monkeypatch.setattr(face_sight, "FaceReader", SimpleNamespace(load=lambda *files, device: ColourReader()))
    monkeypatch.setattr(detect, "find_detector", lambda name, folders, device: SquareDetector())

    def saves(base):
        return [Planted(f"a-{n}", n / 100, 1.0, record(n, base=base)) for n in (30, 60)]

    return planted_run(webui.data / "outputs" / "ohwx" / "compare", styles=STYLES[:1], seeds=(1, 2), saves=saves)


@pytest.fixture
def photos(tmp_path):
    return str(photographs(tmp_path / "photos", ME, ME, ME))


def until(page, *states):
    for _ in range(1000):
        found = page.get(JUDGE).json()
        if found["state"] in states:
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def test_a_run_is_judged_and_its_report_is_shown(page, run, photos):
    assert page.get(JUDGE).json()["state"] == ""
    assert page.post(JUDGE, {"photos": photos}).json()["state"] in ("queued", "drawing", "done")
    found = until(page, "done", "failed")
    assert (found["error"], found["done"]) == (None, found["total"])
    assert found["headline"][0].startswith("After 60 exposures, against 30 exposures: more likeness")
    shown = page.get(f"/{found['page']}")
    assert shown.headers["content-type"].startswith("text/html")
    assert "Content-Security-Policy" in shown.text
    assert f"<h1>{found['headline'][0]}</h1>" in shown.text
    assert page.get(f"/{found['markdown']}").text.startswith(f"# {found['headline'][0]}")
    assert (run / "judge.html").is_file()


def test_a_folders_own_report_is_never_given(page, run):
    (run / "judge.html").write_text("<script>hurt()</script>")
    answer = page.get("/ohwx/runs/run/judge.html")
    assert (answer.status_code, "press Judge" in answer.json()["error"]) == (404, True)


def test_judging_waits_for_its_turn_and_can_be_taken_back(page, run, photos, webui):
    with webui.lock:
        assert page.post(JUDGE, {"photos": photos}).json()["state"] == "queued"
        assert page.post(f"{JUDGE}/interrupt").json()["state"] == "stopped"
    assert page.post(JUDGE, {"photos": photos}).status_code == 200
    assert until(page, "done", "failed")["state"] == "done"


def test_what_is_wrong_is_a_sentence(page, run, photos, tmp_path):
    for body, sentence in (
        ({"photos": str(tmp_path / "nowhere")}, "There is no folder"),
        ({"photos": "photos/me"}, "must be a whole path"),
        ({"photos": ["a"]}, "must be a whole path"),
    ):
        answer = page.post(JUDGE, body)
        assert (answer.status_code, sentence in answer.json()["error"]) == (400, True), body
    assert page.post(JUDGE, {"photos": photos}, headers={"Origin": "http://elsewhere"}).status_code == 403
    assert page.post("/ohwx/api/runs/nobody/judge").status_code == 404
    page.post(JUDGE)
    assert "No photographs of the person were given" in until(page, "failed", "done")["error"]


def test_a_run_from_elsewhere_is_not_judged(page, run, photos):
    run.rename(run.parent / "was")
    shutil.copytree(run.parent / "was", run)
    answer = page.post(JUDGE, {"photos": photos})
    assert (answer.status_code, "press Adopt" in answer.json()["error"]) == (400, True)


def test_the_fetch_is_said_before_and_other_bytes_are_refused(page, monkeypatch):
    found = page.get("/ohwx/api/judge").json()
    assert found["there"] is False
    for told in ("100 MB", "sha256", "CC0", "setup.py", "models/ohwx"):
        assert told in found["said"]
    wrong = SimpleNamespace(returncode=1, stderr="ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE FILE.")
    monkeypatch.setattr(subprocess, "run", lambda *command, **how: wrong)
    answer = page.post("/ohwx/api/judge/weights", headers=OWN)
    assert (answer.status_code, "another hash than expected" in answer.json()["error"]) == (400, True)
    assert page.post("/ohwx/api/judge/weights", headers={"Origin": "http://elsewhere"}).status_code == 403
    assert page.get("/ohwx/api/judge").json()["there"] is False


@pytest.mark.usefixtures("webui")
def test_many_judgements_that_wait_are_all_kept():
    from ohwx_compare.hosts.webui.tab import judge_jobs

    class Waiting:
        in_hand = None

        def add(self, *given):
            """Nothing begins."""

    names = [f"run {number}" for number in range(2 * judge_jobs._KEPT)]
    runs = SimpleNamespace(path=Path, seen=lambda name: SimpleNamespace(is_elsewhere=False))
    jobs = judge_jobs.JudgeJobs(Waiting(), runs)
    for name in names:
        jobs.add(name, {"photos": ""})
    assert {jobs.job(name)["state"] for name in names} == {"queued"}


def test_a_judged_run_gives_each_checkpoint_the_styles_that_it_still_draws(page, run, photos, monkeypatch):
    from ohwx_compare.core.prompt.styles import Style
    from ohwx_compare.files.styles import styles_csv

    still_drawn = import_module("ohwx_compare.judge.run.still_drawn")  # as the tab imports it
    assert page.get("/ohwx/runs/run/judge-styles-0.csv").status_code == 404
    kept = {"a-30": (Style("Film, old", "film of {prompt}", ""),), "a-60": ()}
    monkeypatch.setattr(still_drawn, "styles_still_drawn", lambda found, axes: kept)
    page.post(JUDGE, {"photos": photos})
    links = until(page, "done", "failed")["styles"]
    assert [link["name"] for link in links] == list(kept)
    for link, styles in zip(links, kept.values(), strict=True):
        assert page.get(f"/{link['href']}").content == styles_csv(styles)
    assert page.get("/ohwx/runs/run/judge-styles-2.csv").status_code == 404
