"""Other people's texts and pictures are read, or named as what they are."""

import json

import pytest
from wild_cases import CASES, HERE, deviations

from ohwx_compare.cli.main import main
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext import infotext as it
from ohwx_compare.errors import UnknownCheckpointError
from ohwx_compare.files.finding import find

BASE = "a\nNegative prompt: b\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64"


@pytest.mark.parametrize("case", [pytest.param(case, id=case["file"]) for case in CASES])
def test_a_case_is_read_as_its_fields_say(case, tmp_path):
    if case["file"].endswith(".avif"):
        pytest.importorskip("PIL.AvifImagePlugin")
    assert deviations(case, tmp_path) == []


def test_pictures_without_infotext_are_no_fault_beside_those_that_have_one(capsys):
    names = ["camera-screenshot.jpg", "camera-oplus.jpg", "comfyui.png", "jpeg-com-segment.jpg", "a1111-itxt.png"]
    assert main(["pnginfo", *(str(HERE / "pictures" / name) for name in names)]) == 0
    said, _ = capsys.readouterr()
    assert "(no infotext) It has ComfyUI's metadata" in said
    assert main(["pnginfo", "--json", str(HERE / "pictures" / "comfyui.png")]) == 0
    assert json.loads(capsys.readouterr()[0])[0]["reason"].startswith("It has ComfyUI's metadata")
    assert main(["pnginfo", str(HERE / "pictures" / "camera-screenshot.jpg")]) == 1


@pytest.mark.parametrize(
    "value", ['{"a": [1, "x, y: z"], "b": {"c": null}}', '["a, b: c", "\\"", 1]', '[{"type": "checkpoint"}]']
)
def test_bare_json_is_one_value_and_comes_back(value):
    text = f"{BASE}, Whatever: {value}, Clip skip: 2"
    assert it.parse(text).get("Whatever") == value
    assert it.parse(text).get("Clip skip") == "2"
    assert it.render(it.parse(text)) == text


@pytest.mark.parametrize("change", [
    lambda text: text.replace("\n", "\n    "),
    lambda text: text.replace("\n", "\n> ").replace("a\n", "> a\n", 1),
    lambda text: text.replace(", Seed", ",\nSeed"),
    lambda text: text.replace("Euler a, CFG", "Euler\na, CFG"),
    lambda text: f"{text}\nTime taken: 3.2 sec.\n\nA: 2.00 GB, R: 2.50 GB, Sys: 3.0/8 GB (37.5%)",
    lambda text: text.replace("CFG scale", "CFG  scale"),
])  # fmt: skip
def test_what_a_page_or_mail_does_to_a_text_is_undone(change):
    read = it.parse(change(BASE))
    assert (read.prompt.strip(), read.negative.strip()) == ("a", "b")
    assert [pair.key for pair in read.pairs] == [pair.key for pair in it.parse(BASE).pairs]
    assert it.unsupported(read) == []


def test_an_old_short_hash_is_said_to_find_no_file(tmp_path):
    (tmp_path / "one.safetensors").write_bytes(b"")
    (case,) = [case for case in CASES if case["file"] == "m21.txt"]
    with pytest.raises(UnknownCheckpointError, match="'7460a6fa' is a checkpoint's old short hash"):
        find(str(Experiment.from_infotext(it.parse(case["text"])).checkpoints[0]), tmp_path)


def test_another_programs_text_says_so_in_a_note():
    said = " ".join(it.notes_of(it.parse(f"{BASE}, Version: ComfyUI")))
    assert said.startswith("ComfyUI wrote this text, not the webui")
    assert it.notes_of(it.parse(f"{BASE}, Version: v1.10.1")) == ()
