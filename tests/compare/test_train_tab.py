"""The training tab's page in a real browser: recipe, plan, start, progress, charts, pause, and on to a comparison."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
import tab_server
from conftest import NAMES, experiment_of, picture_of
from train_server import EXPERIMENT, FOUND, PLAN, learned

from ohwx_compare.core.events import Missed, Paused
from ohwx_compare.train.recipe.described import described_fields

NAME = "ich ü #1 & co"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "runs").mkdir()
    tab = tab_server.Tab(tmp_path / "runs", NAMES, tmp_path)
    server = tab_server.serve(tab)
    tab.url = f"http://127.0.0.1:{server.server_port}/?train"
    yield tab
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(chromium, server):
    """The training tab; at the end no error was left uncaught."""
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    look(page, server)
    yield page
    assert errors == []
    context.close()


def look(page, server):
    """As a person comes to the tab, also after a reload."""
    page.goto(server.url)
    page.click(".tab-nav > button:text('ohwx train')")
    page.wait_for_selector("#ohwx-train .ohwx-tab")


def plans(page, words):
    page.wait_for_function("(words) => document.querySelector('#ohwx-plan').textContent === words", arg=words)


def stands(page, words):
    page.wait_for_function(
        "(words) => document.querySelector('#ohwx-training-standing').textContent === words", arg=words
    )


def fill(page, **fields):
    for name, value in fields.items():
        page.fill(f"#ohwx-recipe-{name}", value)


def last(server, path):
    """What was asked there last; {} before."""
    return next((body for asked, body in reversed(server.training.asked) if asked == path), {})


def test_a_recipe_is_planned_while_it_is_typed_and_started(page, server):
    plans(page, "Select a base checkpoint and enter the folder of your training pictures.")
    assert page.locator("#ohwx-train-start").is_disabled()
    page.select_option("#ohwx-base", "base.safetensors")
    fill(page, train="/bilder/ich", name=NAME, epochs="60", save_every_epochs="20")
    plans(page, "2250 steps · 15 training pictures · 2 checkpoints · 41 GB of disk · 9.4 GB of memory")
    page.click("summary:text('Checkpoints and notes')")
    assert page.locator(".ohwx-saves tbody tr").all_inner_texts() == ["me-000030\t450\t30", "me\t900\t60"]
    recipe = {"preset": "corrected", "base": "base.safetensors", "train": "/bilder/ich", "name": NAME, "epochs": 60}
    assert last(server, "ohwx/api/train/plan")["recipe"] == {**recipe, "save_every_epochs": 20}
    server.training.plan["problems"] = ["The disk has 3 GB free.", "No picture fits."]
    page.click("summary:text('Checkpoints, states, averages, logs')")
    page.fill("#ohwx-recipe-ema", "0.999")
    plans(page, "The disk has 3 GB free.")
    assert page.locator(".ohwx-planned .ohwx-notes li").first.inner_text() == "No picture fits."
    assert page.locator("#ohwx-train-start").is_disabled()
    server.training.plan |= {
        "problems": [],
        "seconds": 7200,
        "images": {"train": 1, "reg": 1},
        "saves": PLAN["saves"][:1],
    }
    page.fill("#ohwx-recipe-ema", "0.99")
    pictures = "1 training picture and 1 regularization image"
    plans(page, f"2250 steps · {pictures} · 1 checkpoint · 41 GB of disk · 9.4 GB of memory · about 2 h")
    page.click("summary:text('Optimizer, precision, memory')")
    page.fill("#ohwx-recipe-optimizer_args", '{"sede": 1}')
    planned = "(words) => document.querySelector('#ohwx-plan').textContent.includes(words)"
    page.wait_for_function(planned, arg="optimizer_args of adafactor has no 'sede'")
    page.fill("#ohwx-recipe-optimizer_args", "{")
    page.wait_for_function(planned, arg='"optimizer_args" is not valid JSON')
    page.fill("#ohwx-recipe-optimizer_args", "")
    page.wait_for_selector("#ohwx-train-start:enabled")
    look(page, server)  # a reload keeps what was typed
    page.wait_for_selector("#ohwx-train-start:enabled")
    assert page.input_value("#ohwx-recipe-name") == NAME
    assert page.locator(".ohwx-group[open] > summary").all_inner_texts() == ["Checkpoints, states, averages, logs"]
    page.click("#ohwx-train-start")
    page.wait_for_selector("#ohwx-training-standing:visible")
    assert last(server, "ohwx/api/train/runs")["recipe"] == {**recipe, "save_every_epochs": 20, "ema": 0.99}
    assert page.locator(".ohwx-run[aria-current=true] b").inner_text() == NAME


@pytest.mark.slow
def test_every_field_has_an_input_that_says_what_it_means(page, server):
    page.wait_for_selector("#ohwx-base")
    ids = {"resolution": "ohwx-recipe-width", "base": "ohwx-base", "preset": "ohwx-preset"}
    for one in described_fields():
        node = page.locator(f"#{ids.get(one['name'], 'ohwx-recipe-' + one['name'])}")
        assert node.count() == 1, one["name"]
        if one["name"] in ("base", "preset"):
            continue
        told = node.evaluate("n => n.closest('.ohwx-about')?.textContent ?? n.closest('label').title")
        assert one["meaning"] in told, one["name"]
        assert "default: " in told
    assert page.locator(".ohwx-group[open]").count() == 0
    page.select_option("#ohwx-preset", "toy")
    assert page.input_value("#ohwx-recipe-ema") == "0.95"
    page.evaluate("document.querySelectorAll('.ohwx-group').forEach((group) => { group.open = true; })")
    page.select_option("#ohwx-base", "base.safetensors")
    fill(page, train="", sample_seeds="3, 4", concepts='[{"folder": "a"}]', ema="", log="csv, wandb")
    page.check("#ohwx-recipe-flip")
    page.select_option("#ohwx-recipe-zero_snr", "false")
    wanted = {
        "preset": "toy", "base": "base.safetensors", "sample_seeds": [3, 4], "concepts": [{"folder": "a"}], "ema": None,
        "log": ["csv", "wandb"], "flip": True, "zero_snr": False,
    }  # fmt: skip
    for _ in range(100):
        if last(server, "ohwx/api/train/plan").get("recipe") == wanted:
            break
        page.wait_for_timeout(100)
    assert last(server, "ohwx/api/train/plan")["recipe"] == wanted


def test_a_preset_brings_its_values_and_keeps_the_pictures(page, server):
    page.wait_for_selector("#ohwx-base")
    fill(page, train="/bilder/ich", lr_unet="0.5")
    page.select_option("#ohwx-preset", "article-reg")
    assert page.input_value("#ohwx-recipe-train") == "/bilder/ich"
    assert page.input_value("#ohwx-recipe-lr_unet") == "0.00001"
    assert (page.input_value("#ohwx-recipe-save_every_steps"), page.input_value("#ohwx-recipe-epochs")) == ("901", "1")


def test_the_toy_fills_the_form_and_typed_pictures_stay(page):
    page.wait_for_selector("#ohwx-base")
    page.select_option("#ohwx-preset", "toy")
    assert page.input_value("#ohwx-base") == "ohwx-toy/toy.safetensors"
    assert page.input_value("#ohwx-recipe-train") == "models/ohwx-toy/pictures"
    assert (page.input_value("#ohwx-recipe-width"), page.input_value("#ohwx-recipe-lr_unet")) == ("128", "0.001")
    fill(page, train="/bilder/ich")
    page.select_option("#ohwx-preset", "corrected")
    page.select_option("#ohwx-preset", "toy")
    assert page.input_value("#ohwx-recipe-train") == "/bilder/ich"


@pytest.mark.slow
def test_the_pictures_are_looked_at_and_their_crops_trained_on(page, server):
    page.wait_for_selector("#ohwx-base")
    fill(page, train="/bilder/ich", width="768", height="768")
    page.click("#ohwx-dataset summary >> nth=0")
    page.select_option("#ohwx-dataset-detector", "opencv-frontalface")
    page.click("#ohwx-dataset-train")
    page.wait_for_selector("#ohwx-dataset-stop:visible")
    asked = last(server, "ohwx/api/datasets")
    assert (asked["folder"], asked["detector"], asked["crops"]) == ("/bilder/ich", "opencv-frontalface", False)
    assert asked["recipe"]["resolution"] == [768, 768]
    server.training.look |= {"done": 3, "total": 15}
    page.wait_for_selector("#ohwx-dataset-standing:text('3 of 15 pictures')")
    page.click("#ohwx-dataset-stop")
    page.wait_for_selector("#ohwx-dataset-standing:text('Stopped; the same button resumes')")
    page.click("#ohwx-dataset-train")
    server.training.look |= {"state": "done", "found": FOUND}
    page.wait_for_selector("#ohwx-dataset-found:has-text('15 pictures: 9 head, 6 bust (faces found by face_yolov8n')")
    assert "half, full." in page.locator("#ohwx-dataset-found > ul").inner_text()
    page.click("summary:text('faces cut: 61')")
    seen = "document.querySelector('.ohwx-contact').naturalWidth > 100"
    page.wait_for_function(seen)
    assert page.locator("#ohwx-dataset-found li:has-text('<b>.png'), li:has-text('and 60 more')").count() == 2
    page.click("#ohwx-dataset-crop")
    page.wait_for_selector("#ohwx-dataset-stop:visible")
    assert last(server, "ohwx/api/datasets")["crops"] is True
    server.training.look |= {"state": "done", "crops": "outputs/r/crops 1"}
    page.click("#ohwx-dataset-use")
    assert page.input_value("#ohwx-recipe-train") == "outputs/r/crops 1"
    server.faults["ohwx/api/datasets"] = (400, "There is no folder <b>.")
    page.click("#ohwx-dataset-reg")
    page.wait_for_selector("#ohwx-dataset .ohwx-error:text('There is no folder <b>.')")


def test_each_concept_is_looked_at_as_it_is_sorted(page, server):
    page.wait_for_selector("#ohwx-base")
    page.evaluate("for (const one of document.querySelectorAll('.ohwx-form details')) one.open = true")
    assert not page.is_visible("#ohwx-dataset-its")
    fill(page, concepts='[{"folder": "ich"}, {"folder": "klasse <b>", "resolution": 768, "reg": true}]')
    page.wait_for_selector("#ohwx-dataset-its:visible")
    assert not page.is_visible("#ohwx-dataset-train")
    page.select_option("#ohwx-dataset-concept", "2: klasse <b>")
    page.click("#ohwx-dataset-its")
    page.wait_for_selector("#ohwx-dataset-stop:visible")
    asked = last(server, "ohwx/api/datasets")
    assert (asked["folder"], asked["recipe"]["resolution"]) == ("klasse <b>", 768)
    server.training.look |= {"state": "done", "found": FOUND, "crops": "outputs/r/crops 1"}
    page.click("#ohwx-dataset-use")
    told = json.loads(page.input_value("#ohwx-recipe-concepts"))
    assert [one["folder"] for one in told] == ["ich", "outputs/r/crops 1"]
    assert told[1]["reg"] is True


COMMAND = (
    "accelerate launch sdxl_train.py --pretrained_model_name_or_path=base.safetensors --train_data_dir=/img "
    "--output_dir=/out --output_name=kohya --max_train_epochs=7 --learning_rate=1e-5 --train_batch_size=2"
)


def test_another_trainers_settings_fill_the_form_or_are_refused_by_name(page, server):
    page.wait_for_selector("#ohwx-base")
    page.click("#ohwx-from-others summary")
    page.fill("#ohwx-pasted", f"{COMMAND} --random_crop")
    page.click("#ohwx-pasted-read")
    page.wait_for_selector("#ohwx-from-others >> text=random_crop = True")
    page.fill("#ohwx-without", "random_crop")
    page.click("#ohwx-pasted-read")
    page.wait_for_selector("#ohwx-from-others li >> text=Given up, though set: random_crop = True")
    assert page.input_value("#ohwx-base") == "base.safetensors"
    assert (page.input_value("#ohwx-recipe-epochs"), page.input_value("#ohwx-recipe-batch")) == ("7", "2")
    plans(page, "2250 steps · 15 training pictures · 2 checkpoints · 41 GB of disk · 9.4 GB of memory")
    asked = last(server, "ohwx/api/train/plan")["recipe"]
    assert (asked["name"], asked["lr_unet"], asked["train"]) == ("kohya", 1e-5, "/img")
    page.fill("#ohwx-pasted", "accelerate launch sdxl_train_network.py --network_module=networks.lora")
    page.click("#ohwx-pasted-read")
    page.wait_for_selector("#ohwx-from-others >> text=trains a LoRA or LyCORIS")


@pytest.mark.slow
def test_a_training_is_followed_paused_and_resumed(page, server):
    with server.training.process(NAME, sample_prompts=["photo of ohwx man"]) as tell:
        for event in learned(range(1, 21)):
            tell(event)
        samples = server.training.folder / NAME / "samples"
        samples.mkdir()
        for step in (1, 20):
            picture_of(experiment_of(64).cells()[0], 64, after=step > 1).save(samples / f"{step:08d}-0-1.png")
        page.click(f".ohwx-run:has-text('{NAME}')")
        page.wait_for_function("document.querySelectorAll('.ohwx-plot polyline').length === 7")
        page.wait_for_selector("#ohwx-training-standing:has-text('training · step 20 of 40')")
        assert page.locator(".ohwx-samples thead th").all_inner_texts() == ["Exposures", "0.25", "5"]
        seen = "[...document.querySelectorAll('.ohwx-samples img')].filter((image) => image.naturalWidth).length"
        page.wait_for_function(f"{seen} === 2")
        validation = page.locator(".ohwx-plot").nth(1).get_attribute("aria-label")
        assert validation.endswith("training 0.05, held out 1")
        with page.expect_response("**/pause"):
            page.click("#ohwx-training-pause")
        assert (server.training.folder / NAME / "pause").exists()
        tell(Paused(20, waits=True))
        page.wait_for_selector("#ohwx-training-resume:visible")
        stands(page, "paused · step 20 of 40")
        page.click("#ohwx-training-resume")
        page.wait_for_function("document.querySelector('#ohwx-training-resume').disabled === false")
        assert not (server.training.folder / NAME / "pause").exists()
        tell(Paused(20, waits=False))
        tell(Missed(20, "sample", "no memory <b>"))
        page.wait_for_selector("#ohwx-training-save:visible")
        page.wait_for_selector(".ohwx-chosen .ohwx-notes li")
        assert "no memory <b>" in page.locator(".ohwx-chosen .ohwx-notes li").inner_text()
        page.click("#ohwx-training-save")
        page.click("#ohwx-training-stop")
        page.wait_for_function("document.querySelector('#ohwx-training-stop').disabled === false")
        assert all((server.training.folder / NAME / word).exists() for word in ("save", "stop"))
    stands(page, "stopped · step 20 of 40")
    page.wait_for_selector("#ohwx-training-start:visible")
    look(page, server)
    page.wait_for_function("document.querySelectorAll('.ohwx-plot polyline').length === 7")  # the run is found again
    server.faults[f"ohwx/api/train/runs/{quote(NAME)}/start"] = (400, "Another run is writing <b>here</b>.")
    page.click("#ohwx-training-start")
    page.wait_for_selector("#ohwx-training-fault:text('Another run is writing <b>here</b>.')")


@pytest.mark.slow
def test_checkpoints_of_two_trainings_become_a_draft(page, server):
    for name in (NAME, "other"):
        with server.training.process(name, 20) as tell:
            for event in learned(range(1, 21), 20):
                tell(event)
            server.training.checkpoint(name, "me-000001.safetensors", 10, 5.0)
    page.click(f".ohwx-run:has-text('{NAME}')")
    stands(page, "done · step 20 of 20")
    page.select_option("#ohwx-training-with", "other")
    page.click("#ohwx-training-compare")
    page.wait_for_selector("#ohwx-compare .ohwx-chip >> nth=1")
    assert page.locator(".ohwx-chip > span").all_inner_texts() == [
        f"{NAME}/me-000001.safetensors",
        "other/me-000001.safetensors",
    ]
    page.click(".tab-nav > button:text('ohwx train')")
    page.click("#ohwx-training-change")
    page.wait_for_selector("#ohwx-recipe-train:visible")
    assert page.input_value("#ohwx-recipe-train") == str(Path("img").absolute())  # as it stands with the training


@pytest.mark.slow
def test_an_error_of_the_list_is_its_sentence(page, server):
    server.faults["ohwx/api/train"] = (500, "The folder of trainings <b>is gone</b>.")
    page.wait_for_selector("#ohwx-train-away:visible", timeout=10_000)
    assert page.locator("#ohwx-train-away").inner_text() == "The folder of trainings <b>is gone</b>."
    server.faults.clear()
    page.wait_for_selector("#ohwx-train-away", state="hidden", timeout=10_000)


@pytest.mark.slow
def test_a_whole_experiment_is_planned_started_stopped_and_its_answer_found(page, server):
    page.click("#ohwx-experiment > summary")
    page.fill("#ohwx-experiment-text", '{"arms": {}}')
    page.fill("#ohwx-experiment-name", "it ü")
    page.click("#ohwx-experiment-plan")
    page.wait_for_selector("#ohwx-experiment-lines li:text('train <b>: 9 steps')")
    assert page.locator("#ohwx-experiment .ohwx-error").inner_text() == "The disk has 3 GB free."
    page.click("#ohwx-experiment-start")
    page.wait_for_selector("#ohwx-experiments:has-text('part 2 of 4 · training reg · 3 of 9')")
    assert last(server, "ohwx/api/experiments") == {"text": '{"arms": {}}', "name": "it ü"}
    page.click("#ohwx-experiments button:text('Stop')")
    page.wait_for_selector("#ohwx-experiments:has-text('stopped')")
    assert last(server, f"ohwx/api/experiments/{quote('it ü')}/stop") == {}
    page.click("#ohwx-experiments button:text('Resume')")
    page.wait_for_selector("#ohwx-experiments button:text('Stop')")
    done = {"state": "done", "said": ["<b>It</b> is so."], "judged": "run"}
    pages = [{"name": "run", "page": "ohwx/experiments/it/run/index.html"}]
    server.training.experiments = [{**EXPERIMENT, **done, "comparisons": pages}]
    page.wait_for_selector("#ohwx-experiments p:text('<b>It</b> is so.')")
    page.click("#ohwx-experiments button:text('The answer')")
    page.wait_for_selector("#ohwx-experiments a:text('Open the answer')")
    links = page.locator("#ohwx-experiments a").all()
    assert [link.get_attribute("href") for link in links] == ["ohwx/experiments/it/run/judge.html", pages[0]["page"]]
    assert page.locator("#ohwx-experiments button:visible").count() == 0
