"""The webui's styles.csv, read and written as it does, and a Fooocus' own styles as one.

Sources: `StyleDatabase` of the webui 1.10.1, modules/styles.py; Fooocus, sdxl_styles/*.json.
"""

import csv
import errno
import io
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.atomic import write_bytes
from ohwx_compare.files.json_file import parse_json
from ohwx_compare.files.regular import LONGEST_TEXT, require_regular
from ohwx_compare.words import counted

__all__ = ["read_any_styles", "read_fooocus_styles", "read_styles", "styles_csv", "styles_near", "write_styles"]

_MOST = 20_000  # rows


def read_styles(path: Path) -> dict[str, Style]:
    """Every style of a styles.csv (columns name, prompt, negative_prompt; before 2022-10 name, text) by name.

    Rows without name and comments (#) are left out, as in the webui. Raises ExperimentError for a file that cannot be
    read or has other columns.
    """
    try:
        lines = io.StringIO(_text(path), newline="")  # line ends within a style's text are its own
        rows = list(islice(csv.DictReader(lines, skipinitialspace=True), _MOST + 1))
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


def styles_csv(styles: Iterable[Style]) -> bytes:
    """The bytes that the webui saves for these styles, in their order."""
    out = io.StringIO(newline="")
    table = csv.writer(out)  # as csv.DictWriter: quotes where needed, \r\n
    table.writerow(("name", "prompt", "negative_prompt"))
    table.writerows((style.name, style.prompt or "", style.negative or "") for style in styles)
    return out.getvalue().encode("utf-8-sig")


def write_styles(path: Path, styles: Iterable[Style]) -> None:
    """Write them, whole or not at all. What was there is kept beside as `.bak`, as the webui does.

    Raises ExperimentError.
    """
    try:
        if path.exists():
            write_bytes(path.with_name(f"{path.name}.bak"), path.read_bytes())
        write_bytes(path, styles_csv(styles))
    except OSError as error:
        raise ExperimentError(f"{path} cannot be written: {error.strerror or error}; choose another place.") from error


def read_fooocus_styles(folder: Path) -> dict[str, Style]:
    """The styles of a Fooocus' folder `sdxl_styles`, by name, in the order of its files. Raises ExperimentError.

    Only their texts are Fooocus': it gives each style a conditioning of its own, where the webui joins their texts.
    """
    found: dict[str, Style] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            rows = parse_json(_text(path))
        except (OSError, ValueError) as error:
            raise ExperimentError(f"{path} cannot be read as styles: {error}.") from error
        for row in rows if isinstance(rows, list) else ():
            name = row.get("name") if isinstance(row, dict) else None
            if isinstance(name, str) and name:
                texts = [row[key] if isinstance(row.get(key), str) else "" for key in ("prompt", "negative_prompt")]
                found[name] = Style(name, *texts)
    if not found:
        raise ExperimentError(f"{folder} has no styles of Fooocus; choose its folder sdxl_styles.")
    if len(found) > _MOST:
        raise ExperimentError(f"{folder} has {counted(len(found), 'style')}, more than anybody has; choose another.")
    return found


def read_any_styles(path: Path) -> dict[str, Style]:
    """Of a styles.csv, or of a Fooocus' folder `sdxl_styles`. Raises ExperimentError."""
    return read_fooocus_styles(path) if path.is_dir() else read_styles(path)


def _text(path: Path) -> str:
    """UTF-8 without its byte order mark, line ends as they are. Raises OSError, UnicodeDecodeError."""
    if (size := require_regular(path)) > LONGEST_TEXT:
        raise OSError(errno.EFBIG, f"it has {size:,} bytes, expected at most {LONGEST_TEXT:,}")
    return path.read_bytes().decode("utf-8-sig")


def styles_near(checkpoints: Path) -> dict[str, Style]:
    """The styles of the webui that a checkpoint folder belongs to: its styles.csv lies there, or up to three above.

    {} where there is none. Raises what `read_styles` raises.
    """
    folder = checkpoints.absolute()
    files = (parent / "styles.csv" for parent in (folder, *folder.parents[:3]))
    return next((read_styles(file) for file in files if file.is_file()), {})
