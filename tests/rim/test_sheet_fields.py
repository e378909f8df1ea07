"""The panel's fields of the sheet in a fake webui: what is written, what the gallery shows, what pasting gives back."""

import json

import pytest
from fake_webui import Txt2Img
from panel_parts import FILES, script_with_panel
from PIL import Image
from test_panel import as_the_webui_parses

from ohwx_compare.errors import ExperimentError

USUAL = {"sheet_margin": "", "sheet_legend": True, "sheet_pictures": True, "sheet_each": "Nothing"}
ASKED = {"checkpoints": FILES, "axes": {"seed": "7, 8", "cfg": "5, 6"}, "faces": [], "name": "mine"}


def by_panel(webui, **fields):
    """What the gallery shows, as the webui calls the script: with every argument of the panel."""
    script, components = script_with_panel(webui)
    for name, value in {"checkpoints": list(FILES), "faces": False, "name": "mine", **fields}.items():
        components[name].value = value
    processed = script.run(Txt2Img(seed=7), *[component.value for component in components.values()])
    return processed, webui.data / "outputs" / "ohwx" / "compare" / "mine"


def size(folder):
    with Image.open(folder / "sheet.png") as image:
        return image.size


def test_margin_and_legend_are_the_sheets(webui):
    _, folder = by_panel(webui)
    usual = size(folder)
    _, folder = by_panel(webui, sheet_legend=False, sheet_margin="4")
    with Image.open(next((folder / "images").glob("*.png"))) as image:
        width = image.width
    assert size(folder)[1] < usual[1]
    assert 0 <= size(folder)[0] - (2 * width + 4) <= 2 * 40  # two columns, their margin, the edges
    assert len(webui.calls) == 2  # what was generated stays


def test_lone_pictures_are_left_out_and_each_value_has_a_sheet(webui):
    fields = {"axis_1": "Seed", "values_1": "7, 8", "sheet_each": "Seed", "sheet_pictures": False}
    processed, folder = by_panel(webui, **fields)
    sheets = sorted((folder / "sheets").glob("*.png"))
    assert [path.name.split()[:2] for path in sheets] == [["sheet", "1"], ["sheet", "2"]]
    shown = [image.already_saved_as for image in processed.images]
    assert shown == [str(folder / "sheet.png"), *map(str, sheets)]
    processed, folder = by_panel(webui, **{**fields, "sheet_each": "Nothing", "sheet_pictures": True})
    assert not list((folder / "sheets").glob("*.png"))  # of an earlier wish
    assert len(processed.images) == 1 + 4


def test_pasting_the_sheet_gives_the_fields_back(webui):
    script, _ = script_with_panel(webui)
    from ohwx_compare.hosts.webui.panel.paste import pasted_arguments

    wish = {"margin": 4, "legend": False, "pictures": False, "each": "seed"}
    sheet, *_ = script.run(Txt2Img(seed=7), json.dumps({**ASKED, "sheet": wish})).infotexts
    values = pasted_arguments(as_the_webui_parses(sheet))
    told = {"sheet_margin": "4", "sheet_legend": False, "sheet_pictures": False, "sheet_each": "Seed"}
    assert {name: values[name] for name in USUAL} == told
    sheet, *_ = script.run(Txt2Img(seed=7), json.dumps(ASKED)).infotexts
    values = pasted_arguments(as_the_webui_parses(sheet))
    assert {name: values[name] for name in USUAL} == USUAL


def test_the_folder_keeps_them_and_they_change_no_picture(webui):
    script, _ = script_with_panel(webui)
    from ohwx_compare.hosts.webui.request.record import read_saved_request, shown_of

    script.run(Txt2Img(seed=7), json.dumps(ASKED))
    drawn = len(webui.calls)
    script.run(Txt2Img(seed=7), json.dumps({**ASKED, "sheet": {"margin": 0, "each": "cfg"}}))
    assert len(webui.calls) == drawn
    kept = shown_of(read_saved_request(webui.data / "outputs" / "ohwx" / "compare" / "mine"))
    assert (kept["sheet"].margin, kept["sheet"].each, kept["sheet"].legend) == (0, "cfg", True)


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ({"margin": 401}, "0 to 400 px"),
        ({"margin": "4"}, "whole number"),
        ({"margin": True}, "whole number"),
        ({"legend": 1}, "true or false"),
        ({"each": "steps"}, "no axis 'steps'"),
        ({"edge": 1}, "no 'edge'"),
        ([1], "must be an object"),
    ],
)
def test_what_no_sheet_can_be_is_refused_before_anything_is_generated(webui, sheet, said):
    script, _ = script_with_panel(webui)
    with pytest.raises(ExperimentError, match=said):
        script.run(Txt2Img(seed=7), json.dumps({**ASKED, "sheet": sheet}))
    assert webui.calls == []


@pytest.mark.parametrize("text", ["4 px", "-1", "٤", "12345"])
def test_a_margin_that_is_no_number_is_refused(webui, text):
    with pytest.raises(ExperimentError, match="whole number of px, or empty"):
        by_panel(webui, sheet_margin=text)
