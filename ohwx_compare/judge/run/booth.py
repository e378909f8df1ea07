"""A run folder while people vote on it: what they are shown, without saying what it is, and what they answer.

Pictures have addresses that say nothing, other ones each time the program starts, and are sent without metadata. All
that is known of a vote stands in the ledger, so whoever comes back resumes there.
"""

import hashlib
import io
import secrets
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.errors import ExperimentError, ImageError, MeasureError, NotHereError
from ohwx_compare.files.bare import bare_picture
from ohwx_compare.files.dataset import ReadingRules, load_picture
from ohwx_compare.files.gallery import pictures
from ohwx_compare.files.ledger.measures import VoteRow
from ohwx_compare.files.ledger.own import has_own_mark
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Run, RunCell
from ohwx_compare.files.ledger.schema import LEDGER_FILE
from ohwx_compare.files.ledger.votes_kept import read_votes, votes_kept
from ohwx_compare.files.regular import require_regular
from ohwx_compare.judge.run.measures import Given, folders_given, given_by_recipe
from ohwx_compare.judge.run.pictures import JudgedRun, judged_run, with_class_token
from ohwx_compare.judge.run.pools import pools_of
from ohwx_compare.judge.run.trained import trained_in
from ohwx_compare.judge.votes.flow import CHOSEN, SKIPPED, Progress, Trial, VoteRule, progress, upcoming
from ohwx_compare.judge.votes.pool import QUESTIONS
from ohwx_compare.judge.votes.reveal import reveal_json
from ohwx_compare.judge.votes.vote_files import write_vote_file
from ohwx_compare.words import quoted

__all__ = ["Booth"]

_ANSWERS = frozenset({*CHOSEN, SKIPPED, "the same", "all bad"})
_AHEAD = 3  # votes whose pictures the page loads beforehand
_LONGEST_NAME = 60  # characters of a rater's
_MOST = 10_000  # votes
_LARGEST = 400_000_000  # bytes of a picture
_PHOTOS, _PHOTO_SIDE = 12, 1024  # photographs of the person, their longer side in px
_NOTHING = (
    "There is nothing to vote on in {}: it takes pictures of two checkpoints at the same prompt and seed, none of "
    "them the base."
)


@dataclass(frozen=True, kw_only=True)
class _Voter:
    """Who votes on what."""

    rater: str
    question: str
    pool: int
    rule: VoteRule


class Booth:
    """One run folder. Every method takes and gives JSON values, but for pictures; several may be called at once."""

    def __init__(self, folder: Path, *, secret: bytes | None = None, photos: Path | None = None):
        """Read the run. secret: another booth's, so that its addresses stay; photos: of the person, else the recipe's.

        Raises LedgerError, ImageError, and MeasureError where there is nothing to vote on.
        """
        run = open_run(folder)
        judged = judged_run(run)
        trained = trained_in(judged)
        judged = with_class_token(judged, trained.class_token)
        self._judged = judged
        self.folder, self.secret, self._guard = folder, secret or secrets.token_bytes(16), threading.Lock()
        self.pools = pools_of(judged, trained)
        if not self.pools:
            raise MeasureError(_NOTHING.format(folder))
        self._cells = {key: cell for cell in run.cells if (key := cell.result.key)}
        self._labels = _labels(run)
        self._of = {self._address(key): key for pool in self.pools for key in pool.side_of}
        self.photos, self._photos = photos, _photographs(judged, photos)

    def opening(self) -> dict[str, Any]:
        """What can be voted on, and who voted already."""
        votes = read_votes(self.folder)
        return {
            "questions": list(QUESTIONS),
            "pools": [
                {"name": pool.name, "pairs": pool.is_pairs, "most": VoteRule.of([], pool).most} for pool in self.pools
            ],
            "isElsewhere": not has_own_mark(self.folder / LEDGER_FILE),
            "raters": list(dict.fromkeys(vote.rater for vote in votes)),
            "photos": self._addresses(),
        }

    def show_photos(self, folder: Path | None) -> list[str]:
        """Addresses of that folder's photographs, of the recipe's for None. Raises ImageError where it has none."""
        found = _photographs(self._judged, folder)
        with self._guard:
            self.photos, self._photos = folder, found
        return self._addresses()

    def following(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The next pictures of `{"rater", "question", "pool", "most", "untilClear"}`."""
        with self._guard:
            return self._state(self._voter(body), read_votes(self.folder))

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Record `{"number", "answer", "best", "worst", "seconds"}` of that voter; the next pictures.

        An answer to what is not shown any more changes nothing. A run that was made elsewhere is taken over first where
        "adopt" says so; else the vote lies beside it.
        """
        voter = self._voter(body)
        with self._guard, votes_kept(self.folder, adopt=body.get("adopt") is True) as kept:
            votes = tuple(kept.votes().values())
            own = self._own(voter, votes)
            trial = upcoming(self.pools[voter.pool], own, _seed(voter))[0]
            if body.get("number") == trial.number:
                rule = VoteRule.of(own, self.pools[voter.pool]) if own else voter.rule
                vote = _vote(voter, trial, rule, body)
                kept.vote(vote)
                votes = (*votes, vote)
        return self._state(voter, votes)

    def undo(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take this voter's last vote back; its pictures come again."""
        voter = self._voter(body)
        with self._guard, votes_kept(self.folder) as kept:
            votes = kept.votes()
            own = [number for number, vote in votes.items() if self._own(voter, [vote])]
            if own:
                kept.take_back(own[-1])
                del votes[own[-1]]
        return self._state(voter, tuple(votes.values()))

    def reveal(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """What all votes on this question add up to, with names."""
        voter = self._voter(body)
        return reveal_json(self.pools[voter.pool], voter.question, read_votes(self.folder))

    def csv(self) -> str:
        """All votes as they were given."""
        out = io.StringIO()
        write_vote_file(out, read_votes(self.folder), self._labels)
        return out.getvalue()

    def picture(self, address: str) -> tuple[bytes, str]:
        """A picture as it was drawn, without metadata, and its type. Raises NotHereError, ImageError."""
        key = self._of.get(address)
        image = self._cells[key].result.image if key else None
        if image is None:
            raise NotHereError("There is no such picture in this vote.")
        return bare_picture(_read(self.folder / image)), "image/png"

    def photo(self, place: str) -> tuple[bytes, str]:
        """A photograph of the person, and its type. Raises NotHereError, ImageError."""
        if not (place.isascii() and place.isdecimal() and len(place) < 4 and int(place) < len(self._photos)):
            raise NotHereError("There is no such photograph.")
        image = load_picture(self._photos[int(place)], ReadingRules())  # upright, as a phone's may not be stored
        image.thumbnail((_PHOTO_SIDE, _PHOTO_SIDE))
        memory = io.BytesIO()
        image.save(memory, "JPEG", quality=90)
        return memory.getvalue(), "image/jpeg"

    def _addresses(self) -> list[str]:
        """They tell the folder: a browser keeps what it was sent under an address."""
        of = hashlib.sha256(str(self.photos or "").encode("utf-8", "replace")).hexdigest()[:8]
        return [f"photos/{place}?of={of}" for place in range(len(self._photos))]

    def _state(self, voter: _Voter, votes: Sequence[VoteRow]) -> dict[str, Any]:
        pool, own = self.pools[voter.pool], self._own(voter, votes)
        found: Progress = progress(pool, own)
        trials = upcoming(pool, own, _seed(voter), 1 + _AHEAD)
        rule = found.rule if own else voter.rule
        return {
            "answered": found.answered,
            "most": rule.most,
            "ending": found.ending.value if found.ending else None,
            "trial": self._shown(trials[0], voter.question),
            "ahead": [self._source(key) for trial in trials[1:] for key in trial.shown],
        }

    def _own(self, voter: _Voter, votes: Sequence[VoteRow]) -> list[VoteRow]:
        pool = self.pools[voter.pool]
        return [v for v in votes if v.rater == voter.rater and v.question == voter.question and pool.holds(v.shown)]

    def _shown(self, trial: Trial, question: str) -> dict[str, Any]:
        """Style and prompt stand beside the pictures where they are asked for, and nowhere else."""
        job = self._cells[trial.shown[0]].cell.job
        told = {QUESTIONS[1]: trial.style, QUESTIONS[2]: job.prompt}.get(question, "")
        return {
            "number": trial.number,
            "told": told,
            "pictures": [{"src": self._source(key), "face": self._face(self._cells[key])} for key in trial.shown],
        }

    def _face(self, cell: RunCell) -> list[float] | None:
        """The first face as shares of the picture's sides."""
        if not cell.result.faces or not cell.result.image:
            return None
        width, height = _size(self.folder / cell.result.image)
        box = list(cell.result.faces[0].box)
        return [box[0] / width, box[1] / height, box[2] / width, box[3] / height]

    def _source(self, key: str) -> str:
        return f"pictures/{self._address(key)}"

    def _address(self, key: str) -> str:
        return hashlib.blake2b(key.encode(), key=self.secret, digest_size=12).hexdigest()

    def _voter(self, body: Mapping[str, Any]) -> _Voter:
        rater, question, pool = body.get("rater"), body.get("question"), body.get("pool")
        if not isinstance(rater, str) or not (rater := rater.strip()) or len(rater) > _LONGEST_NAME:
            raise ExperimentError(f"`rater` must be a name of at most {_LONGEST_NAME} letters, got {quoted(rater)}.")
        if question not in QUESTIONS:
            raise ExperimentError(f"`question` must be one of {', '.join(QUESTIONS)}, got {quoted(question)}.")
        if type(pool) is not int or not 0 <= pool < len(self.pools):
            raise ExperimentError(f"`pool` must be a number below {len(self.pools)}, got {quoted(pool)}.")
        most = body.get("most", usual := VoteRule.of([], self.pools[pool]).most)
        if most is None:
            most = usual
        if type(most) is not int or not 1 <= most <= _MOST:
            raise ExperimentError(f"`most` must be a number of votes from 1 to {_MOST:,}, got {quoted(most)}.")
        until_clear = self.pools[pool].is_pairs and body.get("untilClear", True) is True
        return _Voter(rater=rater, question=question, pool=pool, rule=VoteRule(most, until_clear=until_clear))


def _photographs(judged: JudgedRun, folder: Path | None) -> list[Path]:
    found = given_by_recipe(judged, Given(photos=folders_given(folder))).photos
    return pictures(found)[:_PHOTOS] if found else []


def _seed(voter: _Voter) -> str:
    return f"{voter.rater}\n{voter.question}"


def _vote(voter: _Voter, trial: Trial, rule: VoteRule, body: Mapping[str, Any]) -> VoteRow:
    answer, seconds = body.get("answer"), body.get("seconds")
    if answer not in _ANSWERS:
        raise ExperimentError(f"`answer` must be one of {', '.join(sorted(_ANSWERS))}, got {quoted(answer)}.")
    best, worst = (_place(body, name, trial) for name in ("best", "worst"))
    if (best is None) is (answer in CHOSEN):
        raise ExperimentError("`best` must be the place of the chosen picture where one was chosen, and none else.")
    is_time = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 1e6
    return VoteRow(
        rater=voter.rater, question=voter.question, style=trial.style, shown=trial.shown, answer=str(answer),
        best=best, worst=worst, seconds=float(seconds or 0) if is_time else None, time=time.time(), rule=rule.text,
        is_repeat=trial.is_repeat,
    )  # fmt: skip


def _place(body: Mapping[str, Any], name: str, trial: Trial) -> int | None:
    place = body.get(name)
    if place is None:
        return None
    if type(place) is not int or not 0 <= place < len(trial.shown):
        raise ExperimentError(f"`{name}` must be a place below {len(trial.shown)}, got {quoted(place)}.")
    return place


def _labels(run: Run) -> Mapping[str, str]:
    return {cell.result.key: str(cell.cell.checkpoint) for cell in run.cells if cell.result.key}


def _read(path: Path) -> bytes:
    try:
        if require_regular(path) > _LARGEST:
            raise ImageError(f"{path} is over {_LARGEST:,} bytes, larger than any picture of a run.")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from error


def _size(path: Path) -> tuple[int, int]:
    """Width and height by a PNG's header; 1 and 1 of anything else."""
    try:
        with path.open("rb") as file:
            width, height = struct.unpack(">II", file.read(24)[16:])
    except (OSError, struct.error):
        return 1, 1
    return max(width, 1), max(height, 1)
