"""Odd states in a real webui: each ends in the right pictures or in one clear sentence, and nothing made is lost."""

import base64
import json
import os
import threading
import time
import urllib.error
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from webui_api import NAMES, difference, open_ui, wait

from ohwx_compare.files.ledger.reader import open_run


@contextmanager
def meanwhile(webui, body):
    """Draw in the background; the list holds the answer afterwards."""
    answers = []
    drawing = threading.Thread(target=lambda: answers.append(webui.draw(body)))
    drawing.start()
    try:
        yield answers
    finally:
        drawing.join()


def cells(answer):
    return open_run(Path(answer.more["folder"])).cells


def rename(path, name):
    """Move a checkpoint and its configuration to another name."""
    for suffix in (".safetensors", ".yaml"):
        path.with_suffix(suffix).rename(path.with_name(name + suffix))


def test_interrupted_in_the_middle_of_a_face(webui, ask, tab):
    undisturbed = webui.draw(ask(checkpoints=NAMES[1:], faces=[tab]))
    body = ask(checkpoints=NAMES[1:], faces=[{**tab, "ad_steps": 150}])
    with meanwhile(webui, body) as answers:
        wait(lambda: webui.progress()["state"]["sampling_steps"] >= 70 and webui.progress()["state"]["sampling_step"])
        for _ in range(2):  # the first may mean "after this picture"
            webui.post("/sdapi/v1/interrupt")
    assert answers[0].more["failed"] == []
    assert answers[0].more["drawn"] <= 1
    again = webui.draw(body)
    assert again.more["drawn"] == 2 - answers[0].more["drawn"]
    assert len(again.images) == 5
    for number in (1, 3):  # the pictures before their faces are those of a run that nobody disturbed
        assert difference(again.images[number], undisturbed.images[number])[0] <= 2


def test_runs_asked_for_at_once_are_drawn_one_after_the_other(webui, ask):
    alone = [webui.draw(ask(checkpoints=[name])).images[1] for name in NAMES]
    user = webui.checkpoint
    bodies = [ask(checkpoints=list(names), name=f"queued {time.time_ns()}") for names in (NAMES[:2], NAMES[1:])]
    with meanwhile(webui, bodies[0]) as first, meanwhile(webui, bodies[1]) as second:
        pass
    for answer, pictures in ((first[0], alone[:2]), (second[0], alone[1:])):
        assert len(answer.images) == 3
        assert max(difference(*pair)[0] for pair in zip(answer.images[1:], pictures, strict=True)) <= 2
    assert webui.checkpoint == user


def test_a_checkpoint_deleted_while_another_draws_fails_its_cells_alone(webui, ask, place):
    gone = place("tiny_reg", "ohwx_gone")
    name = f"deleted {time.time_ns()}"
    with meanwhile(webui, ask(name=name, checkpoints=[NAMES[0], gone.name], axes={"seed": "1-3"})) as answers:
        wait(lambda: webui.done(name))
        gone.unlink()
    assert answers[0].more["drawn"] == 3
    assert all("ohwx_gone.safetensors" in text for text in answers[0].more["failed"])
    assert len(answers[0].more["failed"]) == 3


def test_a_checkpoint_deleted_between_two_runs_is_named_and_what_it_drew_is_kept(webui, ask, place):
    gone = place("tiny_reg", "ohwx_gone")
    body = ask(checkpoints=[NAMES[0], gone.name])
    folder = Path(webui.draw(body).more["folder"])
    gone.unlink()
    assert "ohwx_gone" in webui.refused(body)
    assert all((folder / cell.result.image).is_file() for cell in open_run(folder).cells)


def test_a_renamed_checkpoint_is_found_and_the_old_name_no_longer(webui, ask, place):
    path = place("tiny_reg", "ohwx_old")
    old = webui.draw(ask(checkpoints=[path.name])).images[1]
    place("tiny_reg", "ohwx_new")
    path.unlink()
    path.with_suffix(".yaml").unlink()
    answer = webui.draw(ask(checkpoints=["ohwx_new.safetensors"]))
    assert difference(answer.images[1], old)[0] <= 2
    assert "Model: ohwx_new" in answer.infotexts[1]
    assert "ohwx_old" in webui.refused(ask(checkpoints=[path.name]))


def test_overwritten_with_the_same_size_and_time_it_is_another_checkpoint(webui, ask, place):
    noreg = webui.draw(ask(checkpoints=[NAMES[2]])).images[1]
    path = place("tiny_reg", "ohwx_same")
    body = ask(checkpoints=[path.name])
    first, stat = webui.draw(body), path.stat()
    place("tiny_noreg", "ohwx_same")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    second = webui.draw(body)
    assert difference(first.images[1], noreg)[0] > 2
    assert difference(second.images[1], noreg)[0] <= 2


def test_a_change_of_few_tensors_under_the_name_of_what_is_loaded_is_seen(webui, ask, place):
    path = place("tiny_reg", "ohwx_touched")
    webui.post("/sdapi/v1/refresh-checkpoints")
    user = webui.checkpoint
    webui.post("/sdapi/v1/options", {"sd_model_checkpoint": path.name})
    before = webui.draw(ask(checkpoints=[path.name])).images[1]
    tensors = load_file(path)
    tensors["model.diffusion_model.out.2.weight"] *= 0.5
    save_file(tensors, path, metadata={"format": "pt"})
    after = webui.draw(ask(checkpoints=[path.name])).images[1]
    webui.post("/sdapi/v1/options", {"sd_model_checkpoint": user})
    assert difference(before, after)[0] > 2


@pytest.mark.parametrize("part", ["first_stage_model.", "conditioner.embedders.1."])
def test_what_the_model_before_would_lend_is_refused_with_the_reason(webui, ask, place, part):
    path = place("tiny_reg", "ohwx_bare")
    tensors = {name: value for name, value in load_file(path).items() if not name.startswith(part)}
    if part.startswith("conditioner"):
        tensors["conditioner.embedders.1.model.ln_final.weight"] = load_file(path)[
            "conditioner.embedders.1.model.ln_final.weight"
        ]
    save_file(tensors, path, metadata={"format": "pt"})
    answer = webui.draw(ask(checkpoints=[NAMES[0], path.name]))
    assert answer.more["drawn"] == 1
    assert "ohwx_bare.safetensors lacks" in answer.more["failed"][0]
    assert part in answer.more["failed"][0]


def test_entries_that_are_no_sdxl_checkpoint_are_a_sentence_each_before_they_are_loaded(webui, ask, place):
    begin = {"model.diffusion_model.input_blocks.0.0.weight": np.zeros((2, 4), np.float32)}
    others = {"double_blocks.0.img_attn.proj.weight": "a Flux", "cond_stage_model.transformer.x": "an SD 1.x"}
    paths = [place("tiny_reg", f"ohwx_other_{number}") for number in range(len(others))]
    for path, tensor in zip(paths, others, strict=True):
        save_file({**begin, tensor: np.zeros(2, np.float32)}, path)
    answer = webui.draw(ask(checkpoints=[*(path.name for path in paths), NAMES[0]]))
    assert answer.more["drawn"] == 1
    for path, kind, told in zip(paths, others.values(), answer.more["failed"], strict=True):
        assert f"{path.name} is {kind} checkpoint; expected a single-file SDXL checkpoint." in told
    quantized = webui.folder / "ohwx_small.gguf"
    quantized.write_bytes(b"GGUF")
    webui.post("/sdapi/v1/refresh-checkpoints")
    told = webui.refused(ask(checkpoints=[quantized.name]))
    quantized.unlink()
    assert "no checkpoint named 'ohwx_small.gguf' here" in told


def test_identical_pixels_of_two_checkpoints_are_told(webui, ask, place):
    copied, renamed = place("tiny_reg", "ohwx_copied"), place("tiny_reg", "ohwx_told")
    save_file(load_file(renamed), renamed, metadata={"format": "pt", "name": "another"})
    answer = webui.draw(ask(checkpoints=[NAMES[1], copied.name, renamed.name]))
    notes = [" ".join(cell.result.notes) for cell in cells(answer)]
    assert "same pixels as cell 1" not in notes[0]
    assert "the files are copies" in notes[1]
    assert "although the checkpoint files differ" in notes[2]


def test_the_users_checkpoint_draws_again_afterwards_also_after_an_error(webui, ask, place):
    plain = {k: v for k, v in ask(checkpoints=NAMES[:1]).items() if not k.startswith("script_")}
    user, before = webui.checkpoint, webui.draw(plain).images[0]
    broken = place("tiny_reg", "ohwx_broken")
    broken.write_bytes(broken.read_bytes()[:-4096])
    answer = webui.draw(ask(checkpoints=[NAMES[2], broken.name]))
    assert "cut short" in answer.more["failed"][0]
    assert webui.checkpoint == user
    assert difference(webui.draw(plain).images[0], before)[0] <= 2


def _tells_version(webui):
    """Whether ADetailer has an API of its own, as the versions that choose by `ad_mask_filter_method` do."""
    try:
        return bool(webui.get("/adetailer/v1/version"))
    except urllib.error.HTTPError:
        return False


def test_the_users_settings_stay_those_too_that_the_webuis_file_lacks(webui, ask):
    before = webui.get("/sdapi/v1/options")
    axes = {"Schedule min sigma": "0.05, 0.1"}
    assert webui.draw(ask(checkpoints=NAMES[:1], axes=axes, faces=[])).more["failed"] == []
    after = webui.get("/sdapi/v1/options")
    assert {name: value for name, value in after.items() if before.get(name) != value} == {}


def test_adetailer_alone_does_its_face_once(webui, ask, case):
    """With our face pass off, ADetailer is the user's own and runs as without us."""
    body = ask(checkpoints=NAMES[:1])
    on, skips, tab = case["payload"]["alwayson_scripts"]["ADetailer"]["args"]
    if not _tells_version(webui):  # then one way to choose, under another key
        tab = {name: value for name, value in tab.items() if not name.startswith("ad_mask_")}
        tab["ad_mask_k_largest"] = 1
    body["alwayson_scripts"] = {"ADetailer": {"args": [on, skips, tab]}}
    plain = webui.draw({k: v for k, v in body.items() if not k.startswith("script_")})
    ours = webui.draw(body)
    assert difference(ours.images[1], plain.images[0])[0] <= 4
    assert ours.infotexts[1].count("ADetailer model") == plain.infotexts[0].count("ADetailer model") == 1
    assert len(ours.images) == 2


def test_img2img_without_a_face_pass_is_the_webuis_own(webui, goldens):
    case = json.loads((goldens / "i2i_050.json").read_text(encoding="utf-8"))
    payload = webui.body(case["payload"])
    payload["init_images"] = [base64.b64encode((goldens / "portrait.png").read_bytes()).decode()]
    plain = webui.draw(payload, "img2img").images[0]
    settings = json.dumps({"checkpoints": [NAMES[0]], "faces": [], "name": f"i2i {time.time_ns()}"})
    ours = webui.draw({**payload, "script_name": "ohwx compare", "script_args": [settings]}, "img2img")
    assert difference(ours.images[1], plain)[0] <= 2
    if not webui.is_fork:
        assert difference(ours.images[1], Image.open(goldens / "i2i_050.png").convert("RGB"))[0] <= 2
    assert "Denoising strength: 0.5" in ours.infotexts[1]


def test_hires_fix_without_a_face_pass_is_the_webuis_own(webui, ask):
    hires = webui.hires(hr_scale=2, denoising_strength=0.7)
    body = {**ask(checkpoints=NAMES[1:2], faces=[]), **hires}
    override = {"override_settings": {"sd_model_checkpoint": NAMES[1]}}
    plain = webui.draw({**{k: v for k, v in body.items() if not k.startswith("script_")}, **override})
    ours = webui.draw(body)
    assert ours.images[1].size == plain.images[0].size == (256, 256)
    assert difference(ours.images[1], plain.images[0])[0] <= 2


@pytest.fixture
def network(webui):
    """Where a LoRA and a VAE of the test may lie; gone at the end."""
    models = webui.folder.parent
    paths = {"Lora": models / "Lora" / "ohwx_lora.safetensors", "VAE": models / "VAE" / "ohwx_vae.safetensors"}
    for path in paths.values():
        path.parent.mkdir(exist_ok=True)
    yield paths
    for path in paths.values():
        path.unlink(missing_ok=True)
    webui.post("/sdapi/v1/refresh-loras")
    webui.post("/sdapi/v1/refresh-vae")


@pytest.fixture
def setting(webui):
    """Change a setting as the user does; as it was again at the end."""
    before = {}

    def change(name, value):
        before.setdefault(name, webui.get("/sdapi/v1/options")[name])
        webui.post("/sdapi/v1/options", {name: value})

    yield change
    webui.post("/sdapi/v1/options", before)


def write_lora(webui, path, seed):
    layer = "output_blocks.1.1.transformer_blocks.0.attn1.to_q"
    shape = load_file(webui.folder / NAMES[1])[f"model.diffusion_model.{layer}.weight"].shape
    draw = np.random.RandomState(seed)
    name = "lora_unet_" + layer.replace(".", "_")
    save_file(
        {
            f"{name}.lora_down.weight": draw.standard_normal((4, shape[1])).astype(np.float32),
            f"{name}.lora_up.weight": draw.standard_normal((shape[0], 4)).astype(np.float32),
            f"{name}.alpha": np.asarray([4.0], np.float32),
        },
        path,
    )


def own(webui, body, checkpoint):
    """What the webui's own API draws of this request."""
    override = {"override_settings": {"sd_model_checkpoint": checkpoint}}
    return webui.draw({**{k: v for k, v in body.items() if not k.startswith("script_")}, **override}).images[0]


def test_a_lora_in_the_prompt_is_the_webuis_own_and_so_is_one_that_replaced_it(webui, ask, network):
    write_lora(webui, network["Lora"], 1)
    webui.post("/sdapi/v1/refresh-loras")
    without = webui.draw(ask(checkpoints=NAMES[:2], faces=[])).images
    body = ask(checkpoints=NAMES[:2], faces=[])
    body["prompt"] += " <lora:ohwx_lora:1>"
    ours = webui.draw(body)
    assert ours.more["failed"] == []
    for number, checkpoint in enumerate(NAMES[:2], 1):
        assert difference(ours.images[number], own(webui, body, checkpoint))[0] <= 2
        assert difference(ours.images[number], without[number])[0] > 4
    write_lora(webui, network["Lora"], 2)
    webui.post("/sdapi/v1/refresh-loras")
    again = webui.draw(body)
    assert again.more["drawn"] == 2
    assert difference(again.images[1], own(webui, body, NAMES[0]))[0] <= 2
    assert difference(again.images[1], ours.images[1])[0] > 4
    after = webui.draw(ask(checkpoints=NAMES[:2], faces=[])).images
    assert all(difference(*pair)[0] <= 2 for pair in zip(after[1:], without[1:], strict=True))


def test_a_vae_that_was_chosen_is_drawn_with(webui, ask, network, setting, request):
    body, path = ask(checkpoints=NAMES[1:2], faces=[]), network["VAE"]
    plain = webui.draw(body).images[1]
    start = "first_stage_model."
    vae = {
        name.removeprefix(start): value for name, value in load_file(webui.folder / NAMES[1]).items() if start in name
    }
    save_file({**vae, "decoder.conv_out.weight": vae["decoder.conv_out.weight"] * 0.5}, path)
    if webui.takes_modules:
        open_ui(request.getfixturevalue("browser"), webui).close()  # its page reads the folder
        setting("forge_additional_modules", [str(path)])
    else:
        webui.post("/sdapi/v1/refresh-vae")
        setting("sd_vae", path.name)
    chosen = webui.draw(body)
    assert chosen.more["drawn"] == 1
    assert difference(chosen.images[1], plain)[0] > 4
    assert difference(chosen.images[1], own(webui, body, NAMES[1]))[0] <= 2


def test_a_storage_type_that_was_chosen_is_drawn_with(webui, ask, setting):
    if "forge_unet_storage_dtype" not in webui.get("/sdapi/v1/options"):
        pytest.skip("this webui has no storage type that can be chosen while it runs")
    body = ask(checkpoints=NAMES[1:2], faces=[])
    plain = webui.draw(body).images[1]
    setting("forge_unet_storage_dtype", "float8-e4m3fn")
    chosen = webui.draw(body)
    assert chosen.more["drawn"] == 1
    assert difference(chosen.images[1], plain)[0] > 4
