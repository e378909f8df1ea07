"""Make the pictures of the judge's report in the docs, in Debian's Chromium: of the run whose truth the tests planted.

usage: python tools/judge_pictures.py docs/pictures     (needs the `test` extra)
"""

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "judge"))

from planted_run import ME, ColourReader, CornerStyle, SquareDetector, photographs, planted_run

from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.likeness import Likeness
from ohwx_compare.judge.references import FaceSight, read_references
from ohwx_compare.judge.run.judgement import judge_scores
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.scoring import score_run
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.seams import Seams
from ohwx_compare.look.report.markdown import judgement_markdown
from ohwx_compare.look.report.page import write_judgement

COLOURS = 64
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def report(folder: Path) -> Path:
    """Write the planted run, judge it, and return its page."""
    run = judged_run(open_run(planted_run(folder, has_face_pass=True)), "ohwx man")
    sight = FaceSight(SquareDetector(), ColourReader())
    mine = read_references([photographs(folder / "photos", ME, ME, ME, ME)], sight)
    trained = trained_in(run)
    scored = score_run(run, [Likeness(sight, mine), CornerStyle(), Seams()])
    found = judge_scores(run, trained, scored)
    return next(path for path in write_judgement(found, judgement_markdown(found)) if path.suffix == ".html")


def main(out: Path) -> None:
    """Write judge.png, the report's beginning, and judge-styles.png, one measure style by style."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1020, "height": 700})
        page.goto(report(Path(folder)).as_uri())
        page.screenshot(path=out / "judge.png")
        page.locator("section", has_text="Likeness by style").first.screenshot(path=out / "judge-styles.png")
        browser.close()
    for path in (out / "judge.png", out / "judge-styles.png"):
        Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
