"""In a real webui: the pictures are those of X/Y/Z + ADetailer, and the checkpoint asked for is the one that draws."""

import threading
import time

import pytest
from safetensors.numpy import load_file, save_file
from webui_api import NAMES, difference, wait


@pytest.mark.parametrize("batch", [1, 2])
def test_pictures_are_those_of_xyz_and_adetailer(batch, webui, ask, tab, case, theirs):
    user, expected = webui.get("/sdapi/v1/options")["sd_model_checkpoint"], theirs(webui)
    body = ask(checkpoints=NAMES, axes={"seed": "10,11"}, faces=[tab], keep_before=False)
    always_on = {"alwayson_scripts": case["payload"]["alwayson_scripts"]}  # no face is done twice
    answer = webui.draw({**body, **always_on, "batch_size": batch})
    assert len(answer.images) == len(answer.infotexts) == 7
    for number, image in enumerate(answer.images[1:]):
        picture, text = expected[NAMES[number // 2], 10 + number % 2]
        most, mean = difference(image, picture)
        assert most <= 4, (number, most)
        assert mean <= 0.02, (number, mean)
        assert answer.infotexts[1 + number].startswith(text.rpartition(", Version")[0])
    assert webui.get("/sdapi/v1/options")["sd_model_checkpoint"] == user


def test_adetailers_settings_are_taken_over(webui, ask, tab, case):
    always_on = {"alwayson_scripts": case["payload"]["alwayson_scripts"]}
    theirs = webui.draw({**ask(checkpoints=NAMES[:1], faces="adetailer"), **always_on})
    ours = webui.draw(ask(checkpoints=NAMES[:1], faces=[tab]))
    assert len(theirs.images) == 3
    assert [difference(*pair)[0] for pair in zip(theirs.images[1:], ours.images[1:], strict=True)] == [0, 0]
    assert "ADetailer is not on" in webui.refused(ask(checkpoints=NAMES[:1], faces="adetailer"))


def test_the_picture_before_is_drawn_once_along_a_face_axis(webui, ask, tab):
    answer = webui.draw(
        ask(checkpoints=NAMES[:1], axes={"Face denoise": "0.3, 0.6", "face pass": "on, off"}, faces=[tab])
    )
    assert answer.more["drawn"] == 4
    assert len(answer.images) == 6  # the sheet, the picture before, and a last one each
    assert difference(answer.images[1], answer.images[3])[0] == 0


def test_the_same_again_is_not_drawn_again(webui, ask, tab):
    body = ask(checkpoints=NAMES[:1], faces=[tab])
    assert webui.draw(body).more["drawn"] == 1
    assert webui.draw(body).more["drawn"] == 0


def test_a_checkpoint_overwritten_under_its_name_is_read_again(webui, ask, place):
    reg, noreg = (webui.draw(ask(checkpoints=[name])).images[1] for name in NAMES[1:])
    place("tiny_reg", "ohwx_test")
    webui.post("/sdapi/v1/refresh-checkpoints")
    assert difference(webui.draw(ask(checkpoints=["ohwx_test.safetensors"])).images[1], reg)[0] <= 2
    user = webui.get("/sdapi/v1/options")["sd_model_checkpoint"]
    webui.post("/sdapi/v1/options", {"sd_model_checkpoint": "ohwx_test.safetensors"})  # in memory already, as reg
    place("tiny_noreg", "ohwx_test")
    assert difference(webui.draw(ask(checkpoints=["ohwx_test.safetensors"])).images[1], noreg)[0] <= 2
    webui.post("/sdapi/v1/options", {"sd_model_checkpoint": user})


def test_two_files_of_one_stem_are_told_apart(webui, ask, place):
    reg, noreg = (webui.draw(ask(checkpoints=[name])).images[1] for name in NAMES[1:])
    place("tiny_reg", "a/twin")
    place("tiny_noreg", "b/twin")
    answer = webui.draw(ask(checkpoints=["a/twin.safetensors", "b/twin.safetensors"]))
    assert difference(answer.images[1], reg)[0] <= 2
    assert difference(answer.images[2], noreg)[0] <= 2


def test_a_checkpoint_without_vae_is_a_failed_cell_with_the_reason(webui, ask, place):
    path = place("tiny_reg", "ohwx_no_vae")
    save_file({k: v for k, v in load_file(path).items() if not k.startswith("first_stage_model.")}, path)
    answer = webui.draw(ask(checkpoints=[NAMES[0], "ohwx_no_vae.safetensors"]))
    assert len(answer.images) == 2
    assert "ohwx_no_vae.safetensors lacks" in answer.more["failed"][0]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"checkpoints": NAMES[:1], "axis": []}, "'axis'"),
        ({"checkpoints": ["nobody.safetensors"]}, "nobody"),
        ({"checkpoints": []}, "No checkpoint is selected"),
        ({"checkpoints": NAMES[:1], "faces": [{"ad_modell": "x"}]}, "'ad_modell'"),
    ],
)
def test_what_cannot_be_understood_is_named(webui, ask, settings, named):
    assert named in webui.refused(ask(**settings))


def test_an_interrupted_run_is_gone_on_with(webui, ask, tab):
    name = f"interrupted {time.time_ns()}"
    body = ask(name=name, checkpoints=NAMES, axes={"seed": "10,11"}, faces=[tab], keep_before=False)
    answers = []
    drawing = threading.Thread(target=lambda: answers.append(webui.draw(body)))
    drawing.start()
    wait(lambda: webui.done(name))
    webui.post("/sdapi/v1/interrupt")
    drawing.join()
    first = answers[0].more["drawn"]
    assert 1 <= first < 6
    again = webui.draw(body)
    assert len(again.images) == 7
    assert again.more["drawn"] == 6 - first
