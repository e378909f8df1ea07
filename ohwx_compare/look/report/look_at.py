"""Single pictures that a person should look at: seams of the face pass, and faces that it should have left alone."""

from collections.abc import Iterator
from os.path import relpath
from pathlib import Path

from ohwx_compare.judge.run.judgement import Judgement
from ohwx_compare.judge.run.pictures import JudgedPicture
from ohwx_compare.judge.seams import SEAMS

__all__ = ["relative_path", "to_look_at"]

WRONG = "another face than the largest was inpainted"


def to_look_at(found: Judgement) -> Iterator[tuple[JudgedPicture, str]]:
    """Each once, checkpoint by checkpoint, and why."""
    for point in found.points:
        if point.save and point.passed:
            for each in dict.fromkeys((*point.passed.seams, *point.passed.wrong)):
                share = found.tables[SEAMS].value(each)
                why = [f"{share:.0%} of a face's border shows"] if each in point.passed.seams else []
                why += [WRONG] if each in point.passed.wrong else []
                yield each, f"{point.label}, {each.style}, seed {each.seed}: {' and '.join(why)}"


def relative_path(found: Judgement, picture: JudgedPicture) -> str:
    """A picture's path from the judged folder, "/" between."""
    return Path(relpath(picture.path, found.run.folder)).as_posix()
