"""The webui's styles.csv."""

import csv
import io
from itertools import islice
from pathlib import Path

from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.regular import read_text

__all__ = ["read_styles", "styles_near"]

_MOST = 20_000  # rows


def read_styles(path: Path) -> dict[str, Style]:
    """Every style of a styles.csv (columns name, prompt, negative_prompt; before 2022-10 name, text) by name.

    Rows without name and comments (#) are left out, as in the webui. Raises ExperimentError for a file that cannot be
    read or has other columns.
    """
    try:
        rows = list(islice(csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True), _MOST + 1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ExperimentError(f"{path} cannot be read as styles: {error}.") from error
    if len(rows) > _MOST:
        raise ExperimentError(f"{path} has over {_MOST:,} rows, more than anybody has styles; choose another file.")
    if rows and not {"name"} < rows[0].keys() & {"name", "prompt", "text"}:
        raise ExperimentError(f"{path} is not a styles.csv: expected the columns name, prompt and negative_prompt.")
    named = (row for row in rows if row["name"] and not row["name"].startswith("#"))
    return {
        row["name"]: Style(row["name"], row.get("prompt") or row.get("text") or "", row.get("negative_prompt") or "")
        for row in named
    }


def styles_near(checkpoints: Path) -> dict[str, Style]:
    """The styles of the webui that a checkpoint folder belongs to: its styles.csv lies there, or up to three above.

    {} where there is none. Raises what `read_styles` raises.
    """
    folder = checkpoints.absolute()
    files = (parent / "styles.csv" for parent in (folder, *folder.parents[:3]))
    return next((read_styles(file) for file in files if file.is_file()), {})
