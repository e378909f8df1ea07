"""The training tab's routes over the fake webui: plan, a real child started, followed, stopped, checkpoints used."""

import time
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def recipe(webui, mini, tmp_path):
    """Three pictures, on a base that lies among the webui's checkpoints; four epochs of three steps."""
    (webui.folder / "base.safetensors").write_bytes(mini.read_bytes())
    (tmp_path / "img ü" / "1_ohwx man").mkdir(parents=True)
    for i in range(3):
        array = np.random.RandomState(i).randint(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(array).save(tmp_path / "img ü" / "1_ohwx man" / f"{i}.png")
    return {
        "base": "base.safetensors", "train": str(tmp_path / "img ü"), "name": "me ü", "resolution": 64,
        "bucket_min": 64, "epochs": 4, "save_every_epochs": 1, "precision": "fp32", "lr_unet": 1e-4, "validation": 1,
        "sample_prompts": ["photo of ohwx man"], "sample_steps": 2,
    }  # fmt: skip


def until(page, name, *states):
    for _ in range(600):
        told = page.get(f"/ohwx/api/train/runs/{quote(name)}").json()
        if told["run"]["state"] in states:
            return told
        time.sleep(0.1)
    raise AssertionError(told["run"])


def test_a_training_from_plan_to_comparison(page, recipe, webui):
    plan = page.post("/ohwx/api/train/plan", {"recipe": recipe}).json()
    assert (plan["steps"], len(plan["saves"]), plan["problems"]) == (12, 4, [])
    assert page.post("/ohwx/api/train/runs", {"recipe": recipe}).json()["id"] == "me ü"
    told = until(page, "me ü", "done", "failed")
    assert (told["run"]["state"], told["run"]["step"], told["run"]["error"]) == ("done", 12, None)
    events = page.get(f"/ohwx/api/train/runs/{quote('me ü')}?after=0").json()["events"]
    assert [event["step"] for event in events if event["event"] == "Learned"] == list(range(1, 13))
    sampled = next(event for event in events if event["event"] == "Sampled")
    picture = page.get(f"/ohwx/train/{quote('me ü')}/{quote(sampled['path'])}")
    assert picture.headers["content-type"] == "image/png"
    assert page.get("/ohwx/api/train").json()["runs"][0]["state"] == "done"
    request = page.post(f"/ohwx/api/train/runs/{quote('me ü')}/compare").json()["request"]
    assert request["job"]["prompt"] == "photo of ohwx man"
    names = [f"me ü/me ü{save}.safetensors" for save in ("-000001", "-000002", "-000003", "")]
    assert request["checkpoints"] == names  # by exposures
    assert request["control"] == {"checkpoint": "base.safetensors", "class_token": "ohwx man"}
    assert set(names) <= set(page.get("/ohwx/api/state").json()["checkpoints"])


@pytest.mark.slow(first=True)
def test_stopped_it_goes_on_to_the_end(page, recipe):
    page.post("/ohwx/api/train/runs", {"recipe": {**recipe, "epochs": 20, "save_every_epochs": 20}})
    until(page, "me ü", "running")
    page.post(f"/ohwx/api/train/runs/{quote('me ü')}/stop")
    assert until(page, "me ü", "stopped", "done", "failed")["run"]["state"] == "stopped"
    again = page.post("/ohwx/api/train/runs", {"recipe": {**recipe, "epochs": 20, "save_every_epochs": 20}}).json()
    assert again["id"] == "me ü"  # the same recipe, the same run
    assert until(page, "me ü", "done", "failed")["run"]["step"] == 60


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"base": "nobody.safetensors"}, "There is no base checkpoint 'nobody.safetensors'"),
        ({"base": "one.safetensors"}, "UNet is incomplete"),
        ({"train": "/no/where"}, "does not exist"),
        ({"resolution": 100}, "multiples of 64"),
        ({"leraning_rate": 1}, "did you mean"),
        ({"name": "../up"}, "expected a file name"),
    ],
)
def test_a_wrong_recipe_is_one_sentence_and_starts_nothing(page, recipe, change, says):
    for path in ("plan", "runs"):
        answer = page.post(f"/ohwx/api/train/{path}", {"recipe": {**recipe, **change}})
        assert answer.status_code == 400
        assert says in answer.json()["error"]
        assert "\n" not in answer.json()["error"]
    assert page.get("/ohwx/api/train").json()["runs"] == []


@pytest.mark.parametrize("path", ["../recipe.json", "..%2Frecipe.json", "..%5Crecipe.json", "no.png", "a.txt", ""])
def test_nothing_but_samples_is_given(page, webui, path):
    samples = webui.data / "outputs" / "ohwx" / "train" / "me" / "samples"
    samples.mkdir(parents=True)
    (samples.parent / "recipe.json").write_text("{}", encoding="utf-8")
    (samples / "a.txt").write_text("secret", encoding="utf-8")
    Image.new("RGB", (8, 8)).save(samples / "a.png")
    assert page.get("/ohwx/train/me/samples/a.png").status_code == 200
    assert page.get(f"/ohwx/train/me/samples/{path}").status_code == 404


def test_another_site_starts_nothing(page, recipe):
    answer = page.post("/ohwx/api/train/runs", {"recipe": recipe}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert page.get("/ohwx/api/train").json()["runs"] == []


def test_a_pasted_configuration_is_a_recipe_or_one_sentence(page):
    command = "sdxl_train.py --pretrained_model_name_or_path=b.safetensors --train_data_dir=i --output_dir=o"
    command += " --random_crop"
    refused = page.post("/ohwx/api/train/read", {"text": command})
    assert (refused.status_code, "random_crop" in refused.json()["error"]) == (400, True)
    told = page.post("/ohwx/api/train/read", {"text": command, "without": ["random_crop"]}).json()
    assert (told["recipe"]["train"], "output" in told["recipe"]) == ("i", False)
    assert "Given up" in told["notes"][-1] or any("Given up" in note for note in told["notes"])
    own = page.post("/ohwx/api/train/read", {"text": '{"base": "b.safetensors", "train": "i", "epochs": 3}'}).json()
    assert (own["recipe"]["epochs"], own["notes"]) == (3, [])
    for body in ({}, {"text": ""}, {"text": "no settings"}, {"text": "[1]"}, {"text": "{", "without": 1}):
        assert page.post("/ohwx/api/train/read", body).status_code == 400, body
