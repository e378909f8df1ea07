"""Plans: the article's two runs to the step, saves aligned by exposures, and what stands in the way."""

import io
import json
import shutil
from math import prod
from pathlib import Path

import pytest
from PIL import Image

from ohwx_compare.errors import CheckpointError, ExperimentError
from ohwx_compare.files.checkpoint import Header, Tensor, read_header
from ohwx_compare.train.plan.estimate import RESERVE, WAITING, choose_blocks, estimate_memory, trained_shapes
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe


def picture(size=(64, 64)) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", size, (90, 60, 30)).save(memory, "PNG")
    return memory.getvalue()


def outline(path: Path, manifest: Path) -> Header:
    """A checkpoint file of these names and shapes, its header true, its weights a hole."""
    names, at = {}, 0
    for name, (dtype, shape) in json.loads(manifest.read_text(encoding="utf-8")).items():
        size = prod(shape) * {"F16": 2, "F32": 4, "I64": 8}[dtype]
        names[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(names).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    return read_header(path)


@pytest.fixture(scope="module")
def world(tmp_path_factory, goldens):
    """Recipe values of 15 training and 40 regularization images."""
    root = tmp_path_factory.mktemp("train")
    outline(root / "base.safetensors", goldens / "tiny_manifest.json")
    for folder, count in (("img/1_ohwx man", 15), ("reg/1_man", 40)):
        (root / folder).mkdir(parents=True)
        for number in range(count):
            (root / folder / f"{number:03d}.png").write_bytes(picture())
    return {
        "base": str(root / "base.safetensors"),
        "train": str(root / "img"),
        "output": str(root / "out"),
        "name": "me",
    }


def plan(world, **more):
    return make_plan(Recipe.from_dict({**world, **more}))


def reg(world) -> str:
    return world["train"].replace("img", "reg")


def saves(plan):
    return [(save.name, save.step, round(save.exposures)) for save in plan.saves]


def test_the_article_without_regularization(world):
    made = plan(world, preset="article-no-reg")
    assert made.steps == 2250
    assert saves(made) == [
        ("me-000030", 450, 30), ("me-000060", 900, 60), ("me-000090", 1350, 90), ("me-000120", 1800, 120),
        ("me", 2250, 150),
    ]  # fmt: skip


def test_the_article_with_regularization_aligns_by_exposures(world):
    made = plan(world, preset="article-reg", reg=reg(world))
    assert made.steps == 4500
    assert saves(made) == [
        ("me-step00000901", 901, 30), ("me-step00001802", 1802, 60), ("me-step00002703", 2703, 90),
        ("me-step00003604", 3604, 120), ("me", 4500, 150),
    ]  # fmt: skip
    assert all(save.most - save.least <= 1 for save in made.saves)
    assert sum(made.reg_use().values()) == 40
    assert sum(times * images for times, images in made.reg_use().items()) == 2250


def test_reg_images_are_dealt_or_the_first_ones(world):
    ours = plan(world, reg=reg(world), epochs=8)
    assert ours.reg_use() == {3: 40}
    kohyas = plan(world, reg=reg(world), epochs=8, compat=["reg"])
    assert kohyas.reg_use() == {0: 25, 8: 15}
    assert "25 of 40" in kohyas.notes[-1]
    assert plan(world, reg=reg(world), reg_ratio=2, epochs=8).steps == 8 * 45


def test_the_walk_is_the_plan(world):
    made = plan(world, reg=reg(world), epochs=3, batch=4, fused=False, accumulation=2)
    walked = list(made.walk())
    assert made.steps == len(walked) == 3 * 4
    assert [number for number, _, _ in walked] == list(range(1, 13))
    assert list(made.walk(5)) == walked[5:]
    assert sum(len(batch) for _, _, step in walked for batch in step) == 3 * 30 == sum(made.shown.values())


def test_steps_cut_the_last_epoch_short(world):
    made = plan(world, steps=40, save_every_epochs=1)
    assert (made.steps, made.epochs) == (40, 3)
    assert saves(made) == [("me-000001", 15, 1), ("me-000002", 30, 2), ("me", 40, 3)]


def test_no_step_is_saved_twice_at_the_end(world):
    assert [name for name, *_ in saves(plan(world, steps=30, save_every_steps=15))] == ["me-step00000015", "me"]


def test_keep_last_frees_the_disk(world):
    all_of_them, few = plan(world), plan(world, keep_last=2)
    assert [save.kept for save in few.saves] == [False, False, True, True, True]
    assert all_of_them.disk_bytes - few.disk_bytes == 2 * Path(world["base"]).stat().st_size


def test_uneven_saves_are_remarked(world):
    notes = plan(world, reg=reg(world), repeats=150, epochs=1, save_every_steps=675).notes
    assert "save_every_steps 660 would make that 22" in notes[0]


def test_weights_and_sizes_follow_the_recipe(world):
    made = plan(world, reg=reg(world), prior_loss_weight=0.5)
    assert (made.loss_weight(0), made.loss_weight(15)) == (1.0, 0.5)
    assert plan(world, reg=reg(world), prior_loss_weight=0.5, compat=["prior"]).loss_weight(15) == 1.0
    assert made.sizes(0) == (64, 64, 0, 0, 1024, 1024)


def test_memory_follows_the_shapes(world):
    header = read_header(Path(world["base"]))
    unet = sum(prod(t.shape) for name, t in header.tensors.items() if name.startswith("model.diffusion_model."))

    def memory(**more):
        return estimate_memory(header, Recipe.from_dict({**world, **more}), {(8, 8)}, ())

    assert memory().weights == 2 * unet
    assert memory().gradients <= memory(fused=False).gradients == 2 * unet
    assert memory(optimizer="adamw", optimizer_args={}).optimizer == 8 * unet
    assert memory(precision="fp32-master").masters == 4 * unet
    half = memory(precision="fp16")
    assert (half.weights, half.masters) == (2 * unet, 4 * unet)
    assert memory(preset="lean").optimizer < memory().optimizer < memory(optimizer="adamw").optimizer
    names = trained_shapes(header, Recipe.from_dict({**world, "lr_te1": 3e-6}))
    layers = {name.split("layers.")[1].split(".")[0] for name in names if "encoder.layers." in name}
    assert layers == {"0", "1"}


def test_full_size_memory_is_what_is_known_of_it(world, goldens):
    names = json.loads((goldens / "sdxl_manifest.json").read_text(encoding="utf-8"))
    header = Header(Path("full"), {name: Tensor(dtype, tuple(s), 0, 0) for name, (dtype, s) in names.items()}, {})

    def memory(preset, **more):
        recipe = Recipe.from_dict({**world, "preset": preset, **more})
        return estimate_memory(header, recipe, {(128, 128)}, choose_blocks(header, recipe, {(128, 128)}))

    article = memory("article-no-reg")
    assert article.weights == article.gradients == 2 * 2_567_463_684
    assert article.optimizer == pytest.approx(0.977e9, rel=0.01)  # transformers' factors of 3x3 kernels
    lean = memory("lean")
    assert lean.optimizer == pytest.approx(0.019e9, rel=0.1)
    assert lean.gradients == 2 * (WAITING + 2560 * 1280 * 3 * 3)
    eight = memory("article-no-reg", optimizer="adamw8bit", optimizer_args={}, checkpointing=True)
    assert eight.optimizer == pytest.approx(2 * 2_567_463_684, rel=0.02)
    assert eight.total + RESERVE <= 17e9
    assert lean.total + RESERVE <= 8e9 < memory("10 GB").total + RESERVE <= 9.5e9 < memory("fast").total


def test_small_pictures_without_a_bucket_are_named(world, tmp_path):
    folder = tmp_path / "1_ohwx"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    (folder / "small.png").write_bytes(picture((40, 900)))
    world = {**world, "train": str(tmp_path)}
    assert "small.png is left out" in plan(world, bucket_no_upscale=True).dataset.skipped[0]
    (folder / "a.png").unlink()
    with pytest.raises(ExperimentError, match=r"No training image is usable.*small\.png"):
        plan(world, bucket_no_upscale=True)


def test_another_family_is_refused(world, tmp_path):
    (tmp_path / "not.safetensors").write_text("<html>", encoding="utf-8")
    with pytest.raises(CheckpointError, match="web page"):
        plan(world, base=str(tmp_path / "not.safetensors"))
    with pytest.raises(CheckpointError, match="cannot be read"):
        plan(world, base=str(tmp_path / "none.safetensors"))
    names = ("model.diffusion_model.out.2.bias", "cond_stage_model.transformer.text_model.final_layer_norm.bias")
    (tmp_path / "names.json").write_text(json.dumps({name: ("F16", [4]) for name in names}), encoding="utf-8")
    outline(tmp_path / "old.safetensors", tmp_path / "names.json")
    with pytest.raises(CheckpointError, match=r"is an SD 1\.x checkpoint; expected a single-file SDXL"):
        plan(world, base=str(tmp_path / "old.safetensors"))


def test_what_stands_in_the_way_is_told(world, tmp_path, monkeypatch):
    assert plan(world).problems == ()
    plan(world).require_runnable()
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ExperimentError, match="cannot be a folder"):
        plan(world, output=str(tmp_path / "file" / "out")).require_runnable()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(ExperimentError, match=r"needs 0\.\d GB more"):
        plan(world).require_runnable()


def test_a_plan_is_json(world):
    made = json.loads(json.dumps(plan(world, preset="article-reg", reg=reg(world)).to_dict()))
    assert made["steps"] == 4500
    assert made["saves"][0].keys() >= {"name", "step", "exposures"}
    assert made["shown"] == {"train": 2250, "reg": 2250}
    assert sum(made["reg_images"].values()) == 2250
    assert made["buckets"] == [{"size": [64, 64], "train": 15, "reg": 40}]


def test_an_average_that_would_be_the_base_is_refused(world):
    assert plan(world, steps=70, ema=0.99).problems == ()
    (problem,) = plan(world, steps=60, ema=0.99).problems
    assert "leaves 55% of the base" in problem
    advised = float(problem.split("take ema ")[1].split(",")[0])
    assert plan(world, steps=60, ema=advised).problems == ()


@pytest.fixture
def marked(world, tmp_path, goldens):
    """A recipe on a base with these empty markers and metadata."""

    def make(*markers, **more):
        names = json.loads((goldens / "tiny_manifest.json").read_text(encoding="utf-8"))
        path = tmp_path / "names.json"
        path.write_text(json.dumps(names | {name: ("F16", [0]) for name in markers}), encoding="utf-8")
        outline(tmp_path / "marked.safetensors", path)
        return plan(world, base=str(tmp_path / "marked.safetensors"), **more)

    return make


def test_a_base_that_predicts_v_is_found_in_the_plan(marked):
    assert marked("v_pred").problems == marked("v_pred", "ztsnr").problems == marked().problems == ()
    for markers in (("v_pred",), ("ztsnr",), ("v_pred", "ztsnr")):
        (problem,) = marked(*markers, prediction="eps").problems
        assert 'say "v"' in problem
    assert "names no v-prediction" in marked("ztsnr").problems[0]
    assert "teaches it from the start" in " ".join(marked(prediction="v").notes)
    assert "so this training does too" in " ".join(marked("v_pred", "ztsnr").notes)


def test_what_sd_scripts_would_not_see_is_told(world, tmp_path):
    folder = tmp_path / "1_ohwx"
    folder.mkdir()
    for name in ("a.png", "b.Png"):
        (folder / name).write_bytes(picture())
    (folder / "a.txt").write_text("word " * 76, encoding="utf-8")
    notes = " ".join(plan({**world, "train": str(tmp_path)}, compat="kohya").notes)
    assert "sd-scripts would pass over 1 picture (b.Png)" in notes
    assert "1 caption has more than 75 tokens" in notes
    assert "75 tokens" not in " ".join(plan({**world, "train": str(tmp_path)}).notes)


def test_an_output_whose_name_is_too_long_is_planned_for(small):
    assert make_plan(Recipe.from_dict({**small, "output": "x" * 5_000})).steps
