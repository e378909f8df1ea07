"""Styles: written as the webui writes them, a Fooocus' own converted, their families, and found again in a prompt."""

import csv
import json

import pytest

from ohwx_compare.cli.compare import read_experiment
from ohwx_compare.cli.main import main
from ohwx_compare.core.prompt.style_families import STYLE_FAMILIES, chosen_styles, family_name, suits_portrait
from ohwx_compare.core.prompt.styles import Style, recovered_styles, styled
from ohwx_compare.core.request.job import Job
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.styles import read_any_styles, read_fooocus_styles, read_styles, styles_csv, write_styles

STYLES = (
    Style("sai-photographic", "cinematic photo {prompt} . 35mm photograph, film", "drawing, painting"),
    Style("film, noir", 'film noir style "{prompt}"', ""),
    Style("sai-anime", "anime artwork {prompt} . anime style", "photo, realism"),
    Style("sai-3d-model", "professional 3d model of {prompt} . octane render", ""),
    Style("ads-food photography", "food photography style {prompt} . appetizing", ""),
    Style("mre-oil", "oil painting of {prompt}\r\nthick strokes", "photo"),
    Style("mre-gouache", "gouache of {prompt}", ""),
    Style("plain", "", "blurry, übel"),
    Style("quality", "masterpiece", ""),
)


def as_the_webui_saves(styles, path):
    """`StyleDatabase.save_styles` of 1.10.1 does this: DictWriter over the fields, utf-8-sig, newline=""."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, fieldnames=["name", "prompt", "negative_prompt"])
        table.writeheader()
        for each in styles:
            table.writerow({"name": each.name, "prompt": each.prompt, "negative_prompt": each.negative})
    return path


def test_a_file_that_the_webui_wrote_comes_back_byte_for_byte(tmp_path):
    path = as_the_webui_saves(STYLES, tmp_path / "styles.csv")
    read = read_styles(path)
    assert tuple(read.values()) == STYLES
    assert styles_csv(read.values()) == path.read_bytes()
    before = path.read_bytes()
    write_styles(path, STYLES[:2])
    assert (tmp_path / "styles.csv.bak").read_bytes() == before
    assert tuple(read_styles(path).values()) == STYLES[:2]


def test_a_fooocus_folder_becomes_a_styles_csv(tmp_path, capsys):
    folder = tmp_path / "sdxl_styles"
    folder.mkdir()
    rows = [{"name": s.name, "prompt": s.prompt, "negative_prompt": s.negative} for s in STYLES]
    (folder / "sdxl_styles_sai.json").write_text(json.dumps(rows[:5]), encoding="utf-8")
    (folder / "sdxl_styles_mre.json").write_text(json.dumps([*rows[5:], {"name": "Fooocus Negative"}, 7]), "utf-8")
    found = read_fooocus_styles(folder)
    assert set(STYLES) < set(found.values())
    assert found["Fooocus Negative"] == Style("Fooocus Negative", "", "")
    out = tmp_path / "styles.csv"
    assert main(["styles", str(folder), "--portraits", "--out", str(out)]) == 0
    assert "ads-food photography" not in read_styles(out)
    assert read_any_styles(out).keys() < read_any_styles(folder).keys()
    (folder / "sdxl_styles_mre.json").write_text("[[", "utf-8")
    assert main(["styles", str(folder)]) == 1
    assert "cannot be read as styles" in capsys.readouterr().err
    with pytest.raises(ExperimentError, match="has no styles of Fooocus"):
        read_fooocus_styles(tmp_path)


def test_families_and_what_suits_a_portrait():
    families = {style.name: family_name(style) for style in STYLES}
    assert families == {
        "sai-photographic": "photo", "film, noir": "photo", "sai-anime": "anime", "sai-3d-model": "3d",
        "ads-food photography": "photo", "mre-oil": "painting", "mre-gouache": "painting", "plain": "other",
        "quality": "other",
    }  # fmt: skip
    assert set(families.values()) <= set(STYLE_FAMILIES)
    assert [style.name for style in STYLES if not suits_portrait(style)] == ["ads-food photography"]
    assert [style.name for style in chosen_styles(STYLES, "photo", portraits=True)] == [
        "sai-photographic", "film, noir",
    ]  # fmt: skip
    with pytest.raises(ExperimentError, match="ask for fewer"):
        chosen_styles(STYLES, "anime", count=2)


def test_an_axis_takes_some_of_a_family(tmp_path):
    library = {style.name: style for style in STYLES}
    asked = {"job": {"prompt": "ohwx man", "seed": 1}, "axes": [
        {"kind": "checkpoint", "values": ["a"]}, {"kind": "styles", "values": ["None", "2 of the painting family"]},
    ]}  # fmt: skip
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps(asked), "utf-8")
    axis = read_experiment(path, None, library).axes[1]
    assert [[style.name for style in value] for value in axis.values] == [[], ["mre-oil"], ["mre-gouache"]]
    path.write_text(json.dumps(asked).replace("2 of the painting", "9 of the painting"), "utf-8")
    with pytest.raises(ExperimentError, match="There are 2 styles of the family painting, expected at least 9"):
        read_experiment(path, None, library)


@pytest.mark.parametrize("style", [style for style in STYLES if style.prompt or style.negative], ids=lambda s: s.name)
def test_a_style_is_found_again_in_the_prompt_that_it_made(style):
    job = styled(Job(prompt="portrait of ohwx man", negative="hat", seed=1), [style])
    assert recovered_styles(job.prompt, job.negative, STYLES) == ((style.name,), "portrait of ohwx man", "hat")


def test_two_styles_are_found_in_their_order_and_none_where_there_is_none(tmp_path, capsys):
    job = styled(Job(prompt="ohwx man", negative="hat", seed=1), [STYLES[2], STYLES[8]])
    assert recovered_styles(job.prompt, job.negative, STYLES)[0] == ("sai-anime", "quality")
    assert recovered_styles("ohwx man", "hat", STYLES) == ((), "ohwx man", "hat")
    twice = Style("twice", "{prompt} and {prompt}", "")
    assert recovered_styles("a and a", "", [twice]) == ((), "a and a", "")
    path = as_the_webui_saves(STYLES, tmp_path / "styles.csv")
    (tmp_path / "one.txt").write_text(
        f"{job.prompt}\nNegative prompt: {job.negative}\nSteps: 4, Sampler: Euler a, CFG scale: 5, Seed: 7", "utf-8"
    )
    assert main(["styles", str(path), "--in", str(tmp_path / "one.txt")]) == 0
    assert capsys.readouterr().out.splitlines() == ["Styles: sai-anime, quality", "ohwx man", "Negative prompt: hat"]
