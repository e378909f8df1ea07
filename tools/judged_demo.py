"""Judge the comparison of a finished demo by the toy world's own reader: the report where the truth is known.

usage: python tools/judged_demo.py DEMO

Writes judge.html and judge.md into DEMO/comparison. A face network sees no people in toy pictures, so the reader
stands in for it: likeness is its mean probability of the subject's traits, style kept whether it names the style asked
for.
"""

import sys
from pathlib import Path

from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.judge.measure import LIKENESS, STYLE_KEPT, Asked, MeasureWords, Score, measure_key
from ohwx_compare.judge.run.judgement import judge_scores
from ohwx_compare.judge.run.pictures import judged_run
from ohwx_compare.judge.run.scoring import score_run
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.style_kept import PHOTOGRAPH
from ohwx_compare.look.report.markdown import judgement_markdown
from ohwx_compare.look.report.page import write_judgement
from ohwx_compare.toy.person import OHWX_MAN
from ohwx_compare.toy.reader import likeness, load_reader
from ohwx_compare.toy.styles import PHOTO, STYLES


class ToyMeasure:
    """What both have in common."""

    version, sha256, licence, needs = 1, "", "MIT", ()
    asked, takes_before, settings = Asked.SUBJECT, False, {}

    def __init__(self) -> None:
        self.key = measure_key(self.name, self.version, reader="toy")

    def score(self, pictures, context):
        """See `PictureMeasure.score`."""
        asked = next((style for style in STYLES if style in context.style), PHOTO)
        if self.name == STYLE_KEPT and asked == PHOTO:
            return [Score(None, PHOTOGRAPH)] * len(pictures)
        return [Score(self.of(reading, asked)) for reading in load_reader().read(pictures)]


class ToyLikeness(ToyMeasure):
    """The subject's traits as the reader sees them."""

    name = LIKENESS
    words = MeasureWords(title="Likeness", subject="likeness", more="more likeness", less="less likeness")

    def of(self, reading, asked):
        """0 to 1."""
        return likeness(reading, OHWX_MAN)


class ToyStyle(ToyMeasure):
    """Whether the reader names the style asked for."""

    name = STYLE_KEPT
    words = MeasureWords(
        title="Style kept", subject="style kept", more="the style asked for kept more often",
        less="the style asked for kept less often", is_share=True,
    )  # fmt: skip

    def of(self, reading, asked):
        """0 or 1."""
        return float(max(reading["style"], key=reading["style"].__getitem__) == asked)


def main(demo: Path) -> None:
    """Judge the demo's comparison."""
    run = judged_run(open_run(demo / "comparison"), "ohwx man")
    trained = trained_in(run, checkpoints=demo)
    found = judge_scores(run, trained, score_run(run, [ToyLikeness(), ToyStyle()]))
    sys.stdout.write("\n".join(map(str, write_judgement(found, judgement_markdown(found)))) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
