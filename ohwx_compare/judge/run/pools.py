"""What can be voted on in a run: two trainings at equal exposures in pairs, and a training's saves, four at a time."""

from collections.abc import Iterator, Mapping, Sequence

from ohwx_compare.judge.measure import Asked
from ohwx_compare.judge.run.comparing import Comparison, comparisons_of
from ohwx_compare.judge.run.pictures import JudgedPicture, JudgedRun
from ohwx_compare.judge.run.trained import JudgedSave, TrainedSaves
from ohwx_compare.judge.votes.pool import Bout, VotePool

__all__ = ["pools_of"]


def pools_of(run: JudgedRun, trained: TrainedSaves) -> tuple[VotePool, ...]:
    """All that can be voted on: each comparison as pairs, then each training with three saves or more.

    Pictures are the last of their cells, asked for the subject; the base's are in none.
    """
    last: dict[str, dict[tuple[str, tuple[str, ...]], JudgedPicture]] = {}
    for picture in run.pictures:
        if picture.is_last and picture.asked is Asked.SUBJECT and not picture.is_control:
            last.setdefault(picture.checkpoint, {}).setdefault((picture.style, picture.repeat), picture)
    found = [*_of_comparisons(comparisons_of(trained.groups)[0], last)]
    for group in trained.groups:
        for saves in group.trainings:
            if len(saves) > 2:
                found.append(_of_saves(group.name, saves, last))
    return tuple(pool for pool in found if pool.bouts)


_Last = Mapping[str, Mapping[tuple[str, tuple[str, ...]], JudgedPicture]]


def _of_comparisons(comparisons: Sequence[Comparison], last: _Last) -> Iterator[VotePool]:
    for each in comparisons:
        rows = zip(each.pairs.first, each.pairs.second, strict=False)  # trainings side by side
        pairs = [pair for first, second in rows for pair in zip(first, second, strict=True)]
        bouts = [bout for pair in pairs for bout in _bouts(pair, last)]
        yield VotePool(
            name=f"{each.second} against {each.first}", sides=(each.first, each.second), bouts=tuple(bouts),
            side_of={key: side for bout in bouts for side, key in enumerate(bout.keys)},
        )  # fmt: skip


def _of_saves(name: str, saves: Sequence[JudgedSave], last: _Last) -> VotePool:
    bouts = tuple(_bouts(saves, last))
    return VotePool(
        name=f"which save of {name}", sides=tuple(save.label for save in saves), bouts=bouts,
        side_of={key: side for bout in bouts for side, key in enumerate(bout.keys)},
    )  # fmt: skip


def _bouts(saves: Sequence[JudgedSave], last: _Last) -> Iterator[Bout]:
    """One for each prompt and seed of which every save has a picture, in the run's order."""
    own = [last.get(save.checkpoint, {}) for save in saves]
    for place, picture in own[0].items():
        keys = tuple(each[place].key for each in own if place in each)
        if len(set(keys)) == len(own):
            yield Bout(style=picture.style, keys=keys)
