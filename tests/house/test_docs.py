"""The documentation cannot drift: flags, fields, defaults, axes, labels and links are those of the program."""

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from ohwx_compare import __version__
from ohwx_compare.cli.main import parsers
from ohwx_compare.cli.reference import reference
from ohwx_compare.core.experiment.axes import KINDS
from ohwx_compare.core.infotext.face_payload import from_payload
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.train.recipe.meanings import MEANINGS
from ohwx_compare.train.recipe.presets import COMPAT, PRESETS
from ohwx_compare.train.recipe.recipe import Recipe

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text: str) -> list[tuple[list[str], list[str]]]:
    """The rows of all tables: the code words of the first cell, and the other cells as they are."""
    lines = (line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `"))
    return [(re.findall(r"`([^`]+)`", first), [cell.strip() for cell in rest]) for first, *rest in lines]


def test_the_command_lines_page_is_what_the_parsers_say():
    assert read("command-line.md") == reference(), "run: python -m ohwx_compare.cli.reference docs/command-line.md"


def test_every_flag_has_help():
    for name, parser in parsers().items():
        assert parser.description, name
        assert all(action.help for action in parser._actions), name


def test_the_command_line_stays_small():
    for name, parser in parsers().items():
        # besides --help; six name folders of a webui's, two a running one, three a cluster, five how it is computed
        assert len(parser._actions) - 1 <= 28, name


def test_the_readme_has_two_screens():
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize("mark", ["demo", "tests"])
def test_the_readmes_commands_stand_right_behind_their_marks(mark):
    assert re.search(rf"^<!-- {mark} -->\n```\npython3 -m venv .*\n```\n$", README, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith(("http", "#")):
            path = (page.parent / target.partition("#")[0]).resolve()
            assert path.is_file(), target
            assert page.parent != DOCS or path.is_relative_to(DOCS), f"{target} is not part of the site"


def test_every_page_is_in_the_sites_menu():
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f": {page.name}" not in menu] == []


@pytest.mark.parametrize(
    ("kind", "page", "hidden"),
    [
        (Recipe, "training.md", ()),
        (Job, "comparing.md", ("checkpoint",)),
        (FaceSettings, "face-pass.md", ("classes", "restore_face")),
    ],
)
def test_every_field_stands_with_its_default(kind, page, hidden):
    told = rows(read(page))
    for field in fields(kind):
        if field.name not in hidden:  # refused by name
            said = [rest[0].replace("`", "") for names, rest in told if field.name in names]
            assert any(default(field) in (text, *text.split(", ")) for text in said), (field.name, default(field), said)


def test_every_field_of_a_recipe_means_in_the_tab_what_the_page_says():
    links = re.compile(r"\[([^\]]*)\]\([^)]*\)")
    page = {name: rest[-1] for names, rest in rows(read("training.md").split("## Every field")[1]) for name in names}
    told = {name: links.sub(r"\1", page[name]).replace("`", "") for name in (field.name for field in fields(Recipe))}
    assert told == MEANINGS


def default(field: Any) -> str:
    """As the tables write it."""
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    return "(needed)" if value is MISSING else json.dumps(value)


def test_every_face_setting_has_adetailers_name():
    switches = (
        "inpaint_width_height",
        "steps",
        "cfg_scale",
        "sampler",
        "clip_skip",
        "vae",
        "checkpoint",
        "noise_multiplier",
    )
    on = {"ad_sampler": "Euler a", **{f"ad_use_{switch}": True for switch in switches}}
    for names, rest in rows(read("face-pass.md")):
        for name, key in zip(names, re.findall(r"ad_\w+", rest[1] if len(rest) > 1 else ""), strict=False):
            assert from_payload({**on, key: "Heun"})[name] == "Heun", key


def test_every_kind_of_axis_preset_and_fault_stands_in_its_table():
    def named(page: str) -> set[str]:
        return {name for names, _ in rows(read(page)) for name in names}

    assert set(KINDS) <= named("comparing.md")
    assert {*PRESETS, *COMPAT} <= named("training.md")


def test_labels_in_bold_are_those_of_the_interface():
    """Of our own fields and buttons; the webui's own are in italics."""
    places = [*(ROOT / "javascript").glob("*.mjs"), *(ROOT / "ohwx_compare").rglob("*.py")]
    places += (ROOT / "ohwx_compare" / "look" / "assets").glob("*")
    source = "\n".join(path.read_text(encoding="utf-8") for path in places)
    for label in re.findall(r"\*\*([^*]+)\*\*", read("webui.md")):
        parts = re.split(r"\d+$", label.replace("\n", " "))  # "Axis 1" is made of a word and a number
        assert parts[0] in source, label


def test_the_newest_version_has_its_changes():
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", log, re.MULTILINE)[:2] == ["Unreleased", __version__]


def test_one_version_of_ruff():
    files = ("pyproject.toml", "constraints.txt", ".pre-commit-config.yaml")
    texts = [(ROOT / file).read_text(encoding="utf-8") for file in files]
    assert len({frozenset(re.findall(r"ruff==([\d.]+)", text)) for text in texts}) == 1
