"""The report: its page runs nothing that a prompt brings, slider and nine pictures work, its words are its numbers."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from accessible import SHOWN, WIDTHS, serious
from planted_run import CornerStyle

from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.measure import LIKENESS
from ohwx_compare.judge.run.judgement import judge_scores
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.scoring import score_run
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.look.report.charts import short_styles
from ohwx_compare.look.report.markdown import judgement_markdown
from ohwx_compare.look.report.numbers import judgement_json
from ohwx_compare.look.report.page import render_judgement, write_judgement


@pytest.fixture(scope="module")
def judgement(planted, square_sight, my_photographs):
    run = judged_run(open_run(planted), "ohwx man")
    trained = trained_in(run)
    measures = [Likeness(square_sight, my_photographs), CornerStyle()]
    return judge_scores(run, trained, score_run(run, measures))


class Scripts(HTMLParser):
    """The tags of a page and the text of its scripts."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, text):
        if self.cdata_elem == "script":
            self.scripts[-1] += text


def test_the_page_loads_nothing_from_elsewhere(judgement):
    tags = Scripts(render_judgement(judgement)).tags
    assert [attrs for tag, attrs in tags if {"src", "srcset"} & attrs.keys()] == []
    assert [attrs["href"] for tag, attrs in tags if tag == "link"] == ["data:,"]
    assert not [attrs for _, attrs in tags if any(name.startswith("on") for name in attrs)]
    policy = next(attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_a_prompt_is_text_wherever_it_stands(judgement):
    nasty = "</script><img src=x onerror=alert(1)>&'\""
    run = judgement.run
    pictures = tuple(replace(each, style=nasty + each.style) for each in run.pictures)
    columns = tuple(replace(each, label=nasty + each.label) for each in run.columns)
    nasty_run = replace(run, pictures=pictures, columns=columns)
    trained = trained_in(nasty_run)
    scored = [
        replace(table.scored, scores=dict(zip(pictures, table.scored.scores.values(), strict=True)))
        for table in judgement.tables.values()
    ]
    page = Scripts(render_judgement(judge_scores(nasty_run, trained, scored)))
    assert [tag for tag, _ in page.tags if tag == "img"] == []
    assert len(page.scripts) == 2
    assert any(nasty in picture["words"] for picture in json.loads(page.scripts[0])["pictures"])


def test_the_sentence_is_the_same_everywhere(judgement):
    headline = judgement_json(judgement)["headline"][0]
    assert judgement_markdown(judgement).startswith(f"# {headline}\n")
    assert f"<h1>{headline}</h1>" in render_judgement(judgement)
    words = [clause["word"] for clause in judgement_json(judgement)["answer"]]
    assert words == ["more", "less"]


def test_the_json_is_json_and_its_numbers_are_numbers(judgement):
    told = json.dumps(judgement_json(judgement), allow_nan=False)
    found = json.loads(told)
    refused = {style["style"] for style in found["styles"] if style["refused"]}
    assert refused == {"pencil of ohwx man", "3d render of ohwx man"}
    assert found["answer"][0]["matched"]["raw"]["estimate"] == found["answer"][0]["estimate"]
    assert {each["style"] for each in found["keep_by_weight"]} == {step / 10 for step in range(11)}


def test_hashes_and_settings_are_told(judgement):
    """Of each checkpoint's file, and of whatever a measure's numbers rest on."""
    page, text = render_judgement(judgement), judgement_markdown(judgement)
    for column, point in zip(judgement.run.columns, judgement_json(judgement)["checkpoints"], strict=True):
        assert point["sha256"] == column.sha256
        assert f"<code>{column.sha256[:10]}</code>" in page
        assert f"| {column.sha256[:10]} |" in text
    for told in (page, text):
        assert "detector 5555555555, confidence 0.3, photographs " in told


def test_pictures_are_linked_from_the_folder(judgement, planted):
    for path in write_judgement(judgement, judgement_markdown(judgement)):
        assert path.parent == planted
    data = json.loads(Scripts((planted / "judge.html").read_text(encoding="utf-8")).scripts[0])
    assert all((planted / picture[kind]).is_file() for picture in data["pictures"] for kind in ("image", "thumb"))


@pytest.mark.parametrize(
    ("styles", "short"),
    [
        (["photo of ohwx man", "ink of ohwx man"], ["photo", "ink"]),
        (["picture of ohwx man, ink style", "picture of ohwx man, oil style"], ["ink", "oil"]),
        (["a", "a b"], ["a", "a b"]),
        (["alone"], ["alone"]),
        ([], []),
    ],
)
def test_styles_are_called_by_what_tells_them_apart(styles, short):
    assert short_styles(styles) == short


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs `pip install playwright`")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("the browser test needs Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("shown", SHOWN, ids="-".join)
def test_the_report_is_for_everybody(judgement, planted, chromium, shown):
    """axe-core finds nothing serious."""
    width, theme = shown
    write_judgement(judgement, judgement_markdown(judgement))
    context = chromium.new_context(viewport=WIDTHS[width], color_scheme=theme)
    page = context.new_page()
    page.goto((planted / "judge.html").as_uri())
    assert serious(page) == []
    context.close()


def test_the_slider_weighs_and_the_button_shows_another_nine(judgement, planted, chromium):
    write_judgement(judgement, judgement_markdown(judgement))
    page = chromium.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.goto((planted / "judge.html").as_uri())
    kept = {each.style: {save.checkpoint for save in each.saves} for each in judgement.kept}
    for place, weight in ((0, 0.0), (10, 1.0), (5, 0.5)):
        page.locator("#weight").evaluate(f"n => {{ n.value = {place}; n.dispatchEvent(new Event('input')); }}")
        marked = page.locator("svg .kept").evaluate_all("all => all.map(n => n.dataset.checkpoint)")
        assert set(marked) == kept[weight]
        assert re.search(r"keep|cannot be told", page.locator("#kept").inner_text())
    first = page.locator("#pictures a").evaluate_all("all => all.map(n => n.href)")
    page.locator("#another").click()
    again = page.locator("#pictures a").evaluate_all("all => all.map(n => n.href)")
    assert len(set(first)) == len(set(again)) == 9
    assert first != again
    page.locator("#order").select_option("most likeness first")
    table = judgement.tables[LIKENESS]
    last = [each for each in judgement.run.pictures if each.is_last and each.checkpoint not in judgement.trained.bases]
    ranked = sorted((value for each in last if (value := table.value(each)) == table.value(each)), reverse=True)
    for start in (0, 9):
        shown = page.locator("#pictures small").all_inner_texts()
        said = [float(re.search(r"likeness (\S+)", text)[1].replace("−", "-")) for text in shown]
        assert said == pytest.approx(ranked[start : start + 9], abs=0.006)
        page.locator("#another").click()
    page.close()
    assert wrong == []
