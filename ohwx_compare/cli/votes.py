"""`ohwx votes`: what blind votes on a run add up to, of one person or several, and the raw votes as CSV."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ohwx_compare.cli.answer import print_json
from ohwx_compare.errors import LedgerError

if TYPE_CHECKING:
    from ohwx_compare.files.ledger.measures import VoteRow

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Say what the blind votes on a run add up to: who was preferred, how surely, and whether the raters agree with "
        "themselves. You vote in the browser: `ohwx view RUN`, then Vote; or the tab of the webui."
    )
    parser.epilog = "example: ohwx votes my-comparison --with hers.csv --with his.csv"
    parser.add_argument("folder", metavar="RUN", type=Path, help="run folder")
    parser.add_argument(
        "--with",
        dest="others",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="votes of others on the same run: a CSV file of theirs, or their copy of the run folder; repeatable",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print all votes as they were given instead")
    form.add_argument("--json", action="store_true", help="print the numbers as JSON instead")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print; the status is 1 where nobody voted."""
    from ohwx_compare.files.ledger.reader import open_run
    from ohwx_compare.files.ledger.votes_kept import read_votes
    from ohwx_compare.judge.run.pictures import judged_run
    from ohwx_compare.judge.run.pools import pools_of
    from ohwx_compare.judge.run.trained import trained_in
    from ohwx_compare.judge.votes.reveal import reveal_json
    from ohwx_compare.judge.votes.vote_files import merged_votes, write_vote_file

    opened = open_run(options.folder)
    votes = merged_votes(read_votes(options.folder), *map(_votes_of, options.others))
    if options.csv:
        write_vote_file(sys.stdout, votes, {key: str(c.cell.checkpoint) for c in opened.cells if (key := c.result.key)})
        return 0 if votes else 1
    judged = judged_run(opened)
    pools = pools_of(judged, trained_in(judged))
    asked = dict.fromkeys(vote.question for vote in votes)
    told = [reveal_json(pool, question, votes) for pool in pools for question in asked]
    found = [each for each in told if each["raters"]]
    if options.json:
        print_json(found)
    else:
        for each in found:
            print(each["pool"], *(f"- {line}" for line in each["sentences"]), "", sep="\n")
    if not found:
        print("ohwx: nobody voted on this run yet. `ohwx view RUN` shows its page; Vote is there.", file=sys.stderr)
    return 0 if found else 1


def _votes_of(path: Path) -> "tuple[VoteRow, ...]":
    from ohwx_compare.files.ledger.votes_kept import read_votes
    from ohwx_compare.judge.votes.vote_files import read_vote_file

    if not path.exists():
        raise LedgerError(f"There is no {path}; give a CSV file of votes, or a copy of the run folder.")
    return read_votes(path) if path.is_dir() else read_vote_file(path)
