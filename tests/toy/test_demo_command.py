"""`ohwx demo` itself: what it prints, and when it opens a browser."""

import json

import pytest
from drawn_demo import SMALL, drawn_parts
from slow_after import slow_after

from ohwx_compare.cli.main import main
from ohwx_compare.demo.answer import answer
from ohwx_compare.demo.words import headline


@pytest.mark.slow
def test_what_it_trained_is_put_into_a_webui(demo, mini, monkeypatch, tmp_path):
    monkeypatch.setattr("ohwx_compare.demo.parts.toy_parts", lambda: drawn_parts(mini))
    monkeypatch.setattr("ohwx_compare.demo.sizes.WHOLE", SMALL)
    (tmp_path / "models").mkdir()
    folder, *_ = demo
    assert main(["demo", "--out", str(folder), "--json", "--webui", str(tmp_path)]) == 0
    there = tmp_path / "models" / "Stable-diffusion" / "ohwx-toy"
    for one in SMALL.trained():
        path = folder / one.file
        assert (there / path.name).read_bytes() == path.read_bytes()
        assert (there / path.name).with_suffix(".yaml").is_file()
    assert (tmp_path / "models" / "adetailer" / "toy_face_yolov8.pt").is_file()


def test_a_folder_that_is_no_webuis_is_told_before_anything_is_done(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "out"), "--webui", str(tmp_path)]) == 1
    assert "there is no folder models in it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("flags", "is_terminal", "ci", "opens"), slow_after(1, [
    ([], True, "", True), ([], False, "", False), ([], True, "true", False), (["--json"], True, "", False),
]))  # fmt: skip
def test_the_command_answers_and_opens_the_page_at_a_terminal_only(demo, mini, monkeypatch, capsys, flags, is_terminal,
                                                                     ci, opens):  # fmt: skip
    opened = []
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("ohwx_compare.demo.parts.toy_parts", lambda: drawn_parts(mini))
    monkeypatch.setattr("ohwx_compare.demo.sizes.WHOLE", SMALL)
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    folder, readings, _ = demo
    assert main(["demo", "--out", str(folder), *flags]) == 0
    told = capsys.readouterr()
    assert opened == ([(folder / "index.html").as_uri()] if opens else [])
    if flags:
        numbers = json.loads(told.out)
        assert numbers["headline"] == headline(answer(readings))
        assert numbers["base"]["values"]["likeness"]["n"] == len(SMALL.styles) * len(SMALL.seeds)
    else:
        assert told.out.startswith(headline(answer(readings)))
    assert "4/4  reading every picture" in told.err
