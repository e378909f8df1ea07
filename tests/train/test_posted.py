"""Configurations that people posted, against what sd-scripts 48d368fa and kohya_ss 45088f04 make of them.

posted/configurations.json holds the settings (no paths), their source, and the answers of those programs' own functions
on five small datasets: steps, epochs, pictures shown an epoch in each bucket, rates, shares of the rate at some steps,
saves (how many, the first two, the last four). "made" cases are drawn for this test. kohya_ss' numbers in quotes, on
which this version of it fails, were given to it as numbers; of its tab Finetuning only the box for encoders counts.
"""

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from ohwx_compare.errors import ExperimentError
from ohwx_compare.train.learn.schedule import rate_scale
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.forms import read_pasted
from ohwx_compare.train.recipe.kohya import Imported

POSTED = json.loads((Path(__file__).parent / "posted" / "configurations.json").read_text(encoding="utf-8"))
REFUSED = [case for case in POSTED["cases"] if "said" in case]
READ = [case for case in POSTED["cases"] if "answers" in case]


def toml(settings) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def read(case, base="b.safetensors", train="img", reg=None, without=()) -> Imported:
    """The configuration in its own form, with these paths."""
    paths = {"pretrained_model_name_or_path": base, "train_data_dir": train, "output_dir": "out"}
    paths |= {"reg_data_dir": reg} if reg else {}
    settings = case["settings"]
    if case["form"] == "command":
        script = "" if ".py" in settings else "sdxl_train.py"
        given = " ".join(f'--{key}="{value}"' for key, value in paths.items())
        return read_pasted(f"accelerate launch --num_processes=1 {script} {settings} {given}", without)
    if case["form"] == "dataset":
        return read_pasted('[[datasets]]\n[[datasets.subsets]]\nimage_dir = "x"\n', without)
    return read_pasted(json.dumps(paths | settings) if case["form"] == "gui" else toml(paths | settings), without)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    root = tmp_path_factory.mktemp("posted")
    for name, kinds in POSTED["datasets"].items():
        for kind, folders in kinds.items():
            for folder, sizes in folders.items():
                (root / name / kind / folder).mkdir(parents=True)
                for number, size in enumerate(sizes):
                    Image.new("L", tuple(size)).save(root / name / kind / folder / f"{number:03}.png")
    return root


def test_there_are_sixty_and_each_names_its_source():
    posted = [case for case in POSTED["cases"] if not case["id"].startswith("made/")]
    assert len(posted) >= 60
    assert all(case["source"] for case in posted)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["id"])
def test_what_cannot_be_trained_is_refused_by_name(case):
    with pytest.raises(ExperimentError) as told:
        read(case, without=case.get("without", ()))
    assert case["said"] in str(told.value)


@pytest.mark.parametrize("case", READ, ids=lambda case: case["id"])
def test_nothing_differs_in_silence(case, mini, datasets):
    if case["without"]:
        is_file = "dataset_config" in case["without"]  # of which nothing but the name was posted
        with pytest.raises(ExperimentError, match="dataset_config is" if is_file else "change the training") as told:
            read(case)
        assert is_file or all(f"{key} = " in str(told.value) for key in case["without"])
    for name, answer in case["answers"].items():
        regs = datasets / name / "reg"
        reg = str(regs) if case["reg"] and regs.is_dir() else None
        imported = read(case, str(mini), str(datasets / name / "train"), reg, case["without"])
        assert ours(imported, answer) == answer, name


def ours(imported: Imported, answer) -> dict:
    recipe = imported.recipe
    plan = make_plan(recipe)
    shown: dict[str, list[int]] = {}
    course = plan.course
    for i, times in Counter(course.exposures(course.epoch(1))).items():
        one = course.pictures[i]
        shown.setdefault(f"{one.bucket[0]}x{one.bucket[1]}", [0, 0])[one.reg] += times
    names = [save.name for save in plan.saves if save.kept]
    at_end = f"last-step{plan.steps:08d}"
    if at_end in answer["saves"]:  # sd-scripts writes the last step twice; here it is the result alone
        names.insert(len(names) - 1, at_end)
        names = names[1:] if recipe.keep_last and len(names) > recipe.keep_last + 1 else names
    rates = [recipe.lr_unet or 0.0, recipe.lr_te1 or 0.0, recipe.lr_te2 or 0.0]
    return {
        "steps": plan.steps,
        "epochs": plan.epochs,
        "buckets": dict(sorted(shown.items())),
        "rates": rates,
        "scales": {step: round(rate_scale(recipe, int(step), plan.steps), 7) for step in answer["scales"]},
        "saves": [len(names), *names[:2], *names[-4:]],
    }
