"""`ohwx demo` itself: what it prints, and when it opens a browser."""

import json

import pytest
from drawn_demo import SMALL, drawn_parts

from ohwx_compare.cli.main import main
from ohwx_compare.toy.demo.answer import answer
from ohwx_compare.toy.demo.words import headline


@pytest.mark.parametrize(("flags", "is_terminal", "ci", "opens"), [
    ([], True, "", True), ([], False, "", False), ([], True, "true", False), (["--json"], True, "", False),
])  # fmt: skip
def test_the_command_answers_and_opens_the_page_at_a_terminal_only(demo, mini, monkeypatch, capsys, flags, is_terminal,
                                                                     ci, opens):  # fmt: skip
    opened = []
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("ohwx_compare.toy.demo.parts.toy_parts", lambda: drawn_parts(mini))
    monkeypatch.setattr("ohwx_compare.toy.demo.sizes.WHOLE", SMALL)
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
    assert "7/7  reading every picture" in told.err
