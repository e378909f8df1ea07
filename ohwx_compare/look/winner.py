"""The checkpoint that won, put into the webui's folder of models with a card that says how it was chosen."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.errors import CheckpointError, ExperimentError
from ohwx_compare.files import atomic
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.ledger.marks import read_marks
from ohwx_compare.files.ledger.measures import read_scores
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.rows import CheckpointRow, Run
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.ledger.votes_kept import read_votes
from ohwx_compare.files.names import is_plain_name
from ohwx_compare.look.settings_words import settings_words
from ohwx_compare.words import counted, on_one_line, quoted

__all__ = ["crown", "model_card"]


def crown(run: Run, place: int, models: Path | None, *, is_link: bool) -> tuple[Path, Path]:
    """Copy or link the checkpoint at `place` of its axis into `models`, with a card beside it; return both files.

    Nothing that lies there is written over: the same bytes under the same name are left as they are. Raises
    ExperimentError where there is no such folder or checkpoint, CheckpointError where its file is gone or another one.
    """
    if models is None or not models.is_dir():
        raise ExperimentError("No folder of checkpoints is known; name one when the page is opened.")
    if not 0 <= place < len(run.experiment.checkpoints):
        raise ExperimentError("The run has no such checkpoint.")
    if not has_own_mark(run.folder / LEDGER_FILE):
        raise ExperimentError("This run was made elsewhere, so its paths lead nowhere here; adopt it first.")
    ref = run.experiment.checkpoints[place]
    row = next((row for row in run.checkpoints if row.ref == str(ref)), None)
    source = Path(row.path) if row else None
    if row is None or source is None or not source.is_file():
        raise CheckpointError(f"The file of {ref} is not where it was when its pictures were generated.")
    name = source.name
    if not is_plain_name(name):
        raise CheckpointError(f"{quoted(name)} is not a name that a file can have on every system; rename it first.")
    if sha256(source) != row.sha256:
        raise CheckpointError(f"{source} is another file than the one that its pictures were generated with.")
    target = models / name
    _put(source, target, row, is_link=is_link)
    card = target.with_suffix(".md")
    atomic.write_text(card, model_card(run, ref))
    return target, card


def model_card(run: Run, ref: CheckpointRef) -> str:
    """Markdown: which checkpoint, what it was compared with and by which numbers it was chosen."""
    own = [cell for cell in run.cells if cell.cell.checkpoint == ref]
    row = next((row for row in run.checkpoints if row.ref == str(ref)), None)
    lines = [
        f"# {_plain(ref.stem)}",
        "",
        f"Chosen on {time.strftime('%Y-%m-%d')} among {counted(len(run.experiment.checkpoints), 'checkpoint')} "
        f"by looking at {counted(len(own), 'picture')} of each.",
        "",
        f"- File: {_plain(ref.name)}",
        *([f"- sha256: `{row.sha256}`"] if row else []),
        f"- Run: {_plain(run.folder.resolve().name)}",
        *(f"- {_plain(fact)}" for fact in settings_words(run.cells)),
        "",
        "| checkpoint | stars | rejected | measures (mean) |",
        "|---|---|---|---|",
        *_rows(run),
    ]
    if votes := len(read_votes(run.folder)):
        lines += ["", f"{counted(votes, 'blind vote')} stand in the run's ledger."]
    return "\n".join(lines) + "\n"


def _rows(run: Run) -> Iterator[str]:
    marks, scores = read_marks(run.folder), read_scores(run.folder)
    for ref in run.experiment.checkpoints:
        keys = [cell.result.key or cell.result.before_key for cell in run.cells if cell.cell.checkpoint == ref]
        stars = Counter(marks[key].star for key in keys if key in marks)
        sums: dict[str, list[float]] = {}
        for key in keys:
            for name, value in scores.get(key or "", {}).items():
                sums.setdefault(name, []).append(value)
        means = ", ".join(f"{name} {sum(values) / len(values):.3f}" for name, values in sorted(sums.items()))
        yield f"| {_plain(ref.stem)} | {stars[1]} | {stars[-1]} | {means or '–'} |"


def _put(source: Path, target: Path, row: CheckpointRow, *, is_link: bool) -> None:
    if target.exists():
        if sha256(target) != row.sha256:
            raise ExperimentError(f"{target} is another file of that name; rename one of them.")
        return
    with atomic.replacing(target) as beside:
        if is_link:
            with suppress(OSError):  # another drive, or a file system without links: copied
                os.link(source, beside)
        if not beside.exists():
            shutil.copyfile(source, beside)


def _plain(text: str) -> str:
    """One line in which nothing is Markdown or HTML."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]<>()#+-!|~" else char for char in on_one_line(text))
