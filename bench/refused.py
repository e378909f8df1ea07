"""Which texts our engine draws again, and which keys of the others it refuses.

    python bench/refused.py FOLDER [FOLDER ...] [--json FILE] [--before FILE] [--write docs/parity.md]

FOLDER: pictures and text files with infotexts. Drawn is what `ohwx replay` would begin: that needs the files named.
--before: what --json wrote for an earlier version, [[name, [key, ...]], ...]; keys that refuse less are then named.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

from ohwx_compare.cli.texts import texts_of
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.errors import OhwxError

START, END = "<!-- refused -->\n", "<!-- end of refused -->\n"


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each infotext in `folder`; what holds none is left out."""
    for path in sorted(folder.iterdir()):
        try:
            found = list(texts_of(str(path))) if path.is_file() else []
        except OhwxError:
            continue
        for one in found:
            yield path.name, one.text


def reasons(text: str) -> list[str]:
    """Why a text is not drawn: the keys, or what is wrong with it; [] for a text that is."""
    try:
        parsed = infotext.parse(text)
        refused = [said.partition(":")[0].partition(" (")[0] for said in infotext.unsupported(parsed)]
        if not refused and not infotext.xyz(parsed):
            require_valid(infotext.to_job(parsed))
    except OhwxError as error:
        return [f"({type(error).__name__})"]
    return list(dict.fromkeys(refused))


def since(before: Sequence[tuple[str, Sequence[str]]], kept: Counter[str]) -> str:
    """What an earlier version drew, and the keys that it refused in more texts."""
    then = Counter(key for _, why in before for key in why)
    fewer = [f"`{key[:60]}` ({count}, now {kept[key]})" for key, count in then.most_common() if count > kept[key]]
    drawn = sum(not why for _, why in before)
    return f"Before, {drawn} of {len(before)} were, and these keys refused more texts: {', '.join(fewer)}."


def main() -> None:
    """Print a line a text, and the keys by how many texts they keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each text's name and keys")
    parser.add_argument("--before", type=Path, metavar="FILE", help="the same of an earlier version")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the marks of this page")
    options = parser.parse_args()
    kept: Counter[str] = Counter()
    drawn = total = 0
    all_of_them: list[tuple[str, list[str]]] = []
    for folder in options.folders:
        for name, text in texts(folder):
            why = reasons(text)
            kept.update(why)
            all_of_them.append((name, why))
            total, drawn = total + 1, drawn + (not why)
            print(f"{name:<32} {', '.join(why) or 'drawn'}"[:160])
    named = ", ".join(f"`{key[:60]}` ({count})" for key, count in kept.most_common())
    said = f"{drawn} of {total} texts are drawn. The others are refused by these keys (in so many texts): {named}."
    if options.before:
        said += " " + since(json.loads(options.before.read_text(encoding="utf-8")), kept)
    print(said)
    if options.json:
        options.json.write_text(json.dumps(all_of_them), encoding="utf-8")
    if options.write:
        head, rest = options.write.read_text(encoding="utf-8").split(START)
        lines = "\n".join(wrap(said, 120, break_on_hyphens=False))
        options.write.write_text(f"{head}{START}{lines}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
