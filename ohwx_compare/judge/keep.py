"""Which checkpoint to keep: all that nothing in the pictures tells from the best, and what a chosen one scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import LEAST_STYLES, mean_where, moments
from ohwx_compare.judge.intervals import CONFIDENCE
from ohwx_compare.judge.student import quantile

__all__ = ["Kept", "beaten", "keep_set"]


@dataclass(frozen=True)
class Kept:
    """The keep set, as places in the scores, and the score of a checkpoint chosen like its leader."""

    places: tuple[int, ...]
    score: float  # on styles (seeds, of few styles) that had no say in the choice; no honest interval is known


def keep_set(scores: ArrayLike) -> Kept:
    """Judge (C, K, M) scores of C checkpoints, K styles, M seeds: 0..1, more is better, NaN is missing.

    The leader's own mean is too high because it was chosen for it. So the choice is made again without each style, and
    scored on that style: cross-validation (Stone 1974, JRSS B 36:111), whose variance has no unbiased estimate (Bengio
    & Grandvalet 2004, JMLR 5:1089).
    Raises ExperimentError where there is one style with one seed.
    """
    scores = np.asarray(scores, np.float64)
    return Kept(tuple(np.flatnonzero(~beaten(scores)).tolist()), _held_out(scores))


def beaten(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of (..., C, K, M) scores, which of the C have another that is better, by their own paired style differences.

    One-sided at 5 % shared among the C - 1 others (Bonferroni), so the best one is beaten in 5 % of repeats at most,
    whatever each one's spread (pairwise rather than Hsu's pooled multiple comparisons with the best, 1984, Annals of
    Statistics 12:1136, which would need equal spreads). Pairs that share nothing beat nobody.
    """
    count = scores.shape[-3]
    level = (1 - CONFIDENCE) / max(count - 1, 1)
    found = np.zeros(scores.shape[:-2], bool)
    for place in range(count):
        mean, error, freedom, _ = moments(scores - scores[..., place : place + 1, :, :])
        steps = {each: quantile(1 - level, each) for each in np.unique(freedom).tolist() if each > 0}
        least = np.vectorize(lambda each, steps=steps: steps.get(each, np.inf), otypes=[float])(freedom) * error
        is_even = (error == 0) & (mean > 0) & (0.5 ** (freedom + 1.0) <= level)  # all signs alike: sign flips
        better = np.where(error == 0, is_even, mean > least)  # NaN is not
        found[..., place] = better.any(-1)
    return found


def _held_out(scores: NDArray[np.float64]) -> float:
    """The mean score of the best of the other blocks: a block is a style, of few styles a seed of each."""
    blocks = mean_where(scores, 2)  # (C, K)
    if blocks.shape[1] < LEAST_STYLES and scores.shape[2] > 1:
        blocks = mean_where(scores, 1)  # (C, M)
    held = []
    for place in range(blocks.shape[1]):
        others = mean_where(np.delete(blocks, place, 1), 1)
        if not np.isnan(others).all():
            held.append(blocks[np.nanargmax(others), place])
    if np.isnan(held).all():
        raise ExperimentError("a choice needs two styles or two seeds: one to choose by and one to score")
    return float(np.nanmean(held))
