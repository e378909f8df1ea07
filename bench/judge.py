"""How often the judge is wrong: simulated experiments whose truth is known, judged by the functions of `judge/`.

usage: python bench/judge.py [--experiments 20000] [--only clear]

Each row is so many experiments from a seed that is its name's CRC-32: fixed before any was drawn. Pictures differ by
their style's own effect and their seed's; ICC is the style's share of that variance. Exit status 1 where a bound fails.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ohwx_compare.judge.effects import Unit, effect, moments
from ohwx_compare.judge.factorial import factorial
from ohwx_compare.judge.keep import beaten, keep_set
from ohwx_compare.judge.many import screen
from ohwx_compare.judge.matching import match
from ohwx_compare.judge.planner import Spread, detectable
from ohwx_compare.judge.seeds import other_seeds
from ohwx_compare.judge.student import quantile
from ohwx_compare.judge.trainings import compare_trainings
from ohwx_compare.judge.verdict import Word, verdict

Array = NDArray[np.float64]

STYLES, SEEDS, ICC = (6, 15, 30), 4, (0.0, 0.2, 0.4, 0.6)
SD = 0.12  # of a picture's difference
EXPOSURES = (30, 60, 90, 120, 150)
AT_ONCE = 2_000  # experiments, for memory


@dataclass(frozen=True)
class Row:
    """A share of experiments in percent (of `chosen`, a mean times 100) and what it may be."""

    name: str
    value: float
    experiments: int
    least: float = -100.0
    most: float = 100.0

    @property
    def holds(self) -> bool:
        """Whether it lies in its bounds."""
        return self.least <= self.value <= self.most


def row(name: str, hits: Sequence[bool] | Array, least: float = -100.0, most: float = 100.0) -> Row:
    """The share of experiments that hit."""
    return Row(name, 100 * float(np.mean(hits)), len(hits), least, most)


def chance(name: str) -> np.random.RandomState:
    """The row's own stream of numbers."""
    return np.random.RandomState(crc32(name.encode()))


def drawn(random: np.random.RandomState, kind: str, shape: tuple[int, ...]) -> Array:
    """Values of mean 0 and variance 1."""
    if kind == "skewed":  # a lognormal's, sd .5 of its logarithm
        values = np.exp(0.5 * random.standard_normal(shape))
        return (values - np.exp(0.125)) / sqrt((np.exp(0.25) - 1) * np.exp(0.25))
    if kind == "heavy-tailed":  # Student's t with 5 degrees of freedom
        return random.standard_t(5, shape) / sqrt(5 / 3)
    return random.standard_normal(shape)


def differences(random: np.random.RandomState, kind: str, shape: tuple[int, int, int], icc: float) -> Array:
    """(N, K, M) differences of two arms that are alike, each with its own style effects and seeds."""
    arms = [
        sqrt(icc) * drawn(random, kind, (*shape[:2], 1)) + sqrt(1 - icc) * drawn(random, kind, shape) for _ in range(2)
    ]
    found = SD * (arms[1] - arms[0]) / sqrt(2)
    if kind == "a fifth missing":
        found[random.random_sample(shape) < 0.2] = np.nan
    return found


def kept(random: np.random.RandomState, shape: tuple[int, int, int], mean: float, icc: float) -> Array:
    """(N, K, M) yes or no, beta-binomial: each style has its own chance, `mean` in the mean."""
    if icc == 0 or mean in (0, 1):
        chances = np.full((*shape[:2], 1), mean)
    else:
        each = 1 / icc - 1
        chances = random.beta(mean * each, (1 - mean) * each, (*shape[:2], 1))
    return (random.random_sample(shape) < chances).astype(np.float64)


def words(values: Array, *, is_share: bool = False, band: float = 0.05) -> tuple[Array, Array, Array]:
    """Of each experiment: whether more or less is said, whether the same, and the p by sign flips."""
    found = [effect(each) for each in values]
    said = [verdict(each, band, is_share=is_share).word for each in found]
    is_clear = [word in (Word.MORE, Word.LESS) for word in said]
    return np.array(is_clear), np.array([word is Word.SAME for word in said]), np.array([each.flips for each in found])


def clear(n: int) -> Iterator[Row]:
    """Two arms that are alike: how often "more" or "less" is said. 100 less this is the interval's coverage."""
    for kind in ("normal", "a fifth missing", "skewed", "heavy-tailed"):
        for styles in STYLES:
            for icc in ICC:
                name = f"false clear, {kind}, {styles} styles, ICC {icc:g}"
                said, _, p = words(differences(chance(name), kind, (n, styles, SEEDS), icc))
                yield row(name, said, 4.3 if kind in ("normal", "a fifth missing") else 0, 5.7)
                yield row(name.replace("clear", "sign flips"), p <= 0.05, 0, 5.7)


def yes_no(n: int) -> Iterator[Row]:
    """The same where a picture keeps its style or does not, in 50, 80 or 95 %."""
    for mean in (0.5, 0.8, 0.95):
        for styles in STYLES:
            for icc in ICC:
                name = f"false clear, yes or no of {mean:.0%}, {styles} styles, ICC {icc:g}"
                random, shape = chance(name), (n, styles, SEEDS)
                values = kept(random, shape, mean, icc) - kept(random, shape, mean, icc)
                said, _, p = words(values, is_share=True)
                yield row(name, said, 0, 5.7)
                yield row(name.replace("clear", "sign flips"), p <= 0.05, 0, 5.7)


def yes_no_coverage(n: int) -> Iterator[Row]:
    """How often the interval holds a true difference of 20 points, where there is one; told, not bounded."""
    for high in (0.6, 0.9, 1.0):
        for styles in STYLES:
            for icc in ICC:
                name = f"coverage, yes or no {high:.0%} against {high - 0.2:.0%}, {styles} styles, ICC {icc:g}"
                random, shape = chance(name), (n, styles, SEEDS)
                found = map(effect, kept(random, shape, high, icc) - kept(random, shape, high - 0.2, icc))
                yield row(name, [each.low <= 0.2 <= each.high for each in found if not each.is_even])


def same(n: int) -> Iterator[Row]:
    """Arms that differ by the whole band: how often "the same" is said; and how often where they do not differ."""
    for band in (0.05, 0.1):
        for styles in STYLES:
            for icc in ICC:
                name = f"within {band:g}, {styles} styles, ICC {icc:g}"
                values = differences(chance(name), "normal", (n, styles, SEEDS), icc)
                yield row(f"false same, {name}", words(values + band, band=band)[1], 0, 5.7)
                yield row(f"right same, {name}", words(values, band=band)[1])


def yes_no_same(n: int) -> Iterator[Row]:
    """The same of yes or no; the worst is an arm that never fails beside one that does so in few styles, but wholly."""
    for band, counts in ((0.05, (6, 15, 30, 60, 100)), (0.1, (30, 60, 100)), (0.2, (15, 30, 60))):
        for styles in counts:
            for icc in ICC:
                for high in (1.0, 0.9):
                    name = f"false same, within {band:g}, {high:.0%} kept against {high - band:.0%}, {styles} styles, "
                    name += f"ICC {icc:g}"
                    random, shape = chance(name), (n, styles, SEEDS)
                    values = kept(random, shape, high - band, icc) - kept(random, shape, high, icc)
                    yield row(name, words(values, is_share=True, band=band)[1], 0, 5.7)
                name = f"right same, within {band:g}, both kept in 95%, {styles} styles, ICC {icc:g}"
                random = chance(name)
                values = kept(random, shape, 0.95, icc) - kept(random, shape, 0.95, icc)
                yield row(name, words(values, is_share=True, band=band)[1])


def power(n: int) -> Iterator[Row]:
    """Arms that differ by what the planner says 80 % of repeats find."""
    for styles in STYLES:
        for icc in ICC:
            name = f"power at the planner's 80 %, {styles} styles, ICC {icc:g}"
            spread = Spread(sqrt(icc) * SD, sqrt(1 - icc) * SD)
            truth = detectable(spread.error(styles, SEEDS), styles - 1)
            values = differences(chance(name), "normal", (n, styles, SEEDS), icc) + truth
            yield row(name, words(values)[0], 78, 82)


def few_styles(n: int) -> Iterator[Row]:
    """Fewer than six styles, read as "these styles": their own effects are fixed, only seeds are drawn again."""
    for styles in (1, 3, 5):
        for seeds in (4, 24):
            name = f"false clear, these styles only, {styles} styles x {seeds} seeds"
            random = chance(name)
            own = random.standard_normal((n, styles, 1))
            values = SD * (own - own.mean(1, keepdims=True) + random.standard_normal((n, styles, seeds)))
            yield row(name, words(values)[0], 4.3, 5.7)
            for mean in (0.5, 0.95):
                name = f"false clear, these styles only, yes or no of {mean:.0%}, {styles} styles x {seeds} seeds"
                random, shape = chance(name), (n, styles, seeds)
                values = kept(random, shape, mean, 0) - kept(random, shape, mean, 0)
                yield row(name, words(values, is_share=True)[0], 0, 5.7)


def kept_best(n: int) -> Iterator[Row]:
    """Ten checkpoints of equal mean: how often the keep set holds the first; with equal spreads, and its own larger."""
    for styles in STYLES:
        for icc in ICC:
            yield _held(f"keep set holds the best, equal spreads, {styles} styles, ICC {icc:g}", n, styles, icc)
        yield _held(f"keep set holds the best, its style sd .25, the others' .04, {styles} styles", n, styles, None)


def _held(name: str, n: int, styles: int, icc: float | None) -> Row:
    random, parts = chance(name), []
    for start in range(0, n, AT_ONCE):
        scores = _scores(random, (min(AT_ONCE, n - start), 10, styles, SEEDS), icc)
        parts.append(~beaten(scores)[:, 0])
    return row(name, np.concatenate(parts), 95)


def _scores(random: np.random.RandomState, shape: tuple[int, int, int, int], icc: float | None) -> Array:
    """(N, C, K, M); without ICC the first one's style sd is .25, the others' .04, a seed's .1."""
    experiments, count, styles, _ = shape
    common = 0.2 * random.standard_normal((experiments, 1, styles, 1))
    own, seeds = random.standard_normal((*shape[:3], 1)), random.standard_normal(shape)
    if icc is not None:
        return 0.5 + common + SD * (sqrt(icc) * own + sqrt(1 - icc) * seeds)
    sd = np.where(np.arange(count) == 0, 0.25, 0.04)[:, None, None]
    return 0.5 + common + sd * own + 0.1 * seeds


def chosen(n: int) -> Iterator[Row]:
    """Ten equal checkpoints: by how much, times 100, the leader's own mean is too high, and a so chosen one's score."""
    name = "six styles, ICC 0.4"
    scores = _scores(chance(name), (n // 4, 10, 6, SEEDS), 0.4)
    truth = scores.mean((1, 2, 3))  # how easy these styles are, less noise than any one checkpoint's
    own = 100 * float(np.mean(scores.mean((2, 3)).max(1) - truth))
    held = 100 * float(np.mean([keep_set(each).score for each in scores] - truth))
    yield Row(f"x 100: the leader's own mean is too high by, {name}", own, len(scores))
    yield Row(f"x 100: the score of one so chosen is too high by, {name}", held, len(scores), -0.3, 0.3)


def planned(n: int) -> Iterator[Row]:
    """Two arms that are alike x exposures x face pass: how often Holm's method lets any of five contrasts through."""
    for styles in STYLES:
        name = f"any planned contrast by Holm, {styles} styles"
        random, hits, shape = chance(name), [], (2, len(EXPOSURES), 2, styles)
        for _ in range(n // 4):
            cells = random.standard_normal((*shape, SEEDS)) + random.standard_normal((*shape, 1))
            hits.append(any(each.p <= 0.05 for each in factorial(cells, EXPOSURES)))
        yield row(name, hits, 0, 5.7)


def screened(n: int) -> Iterator[Row]:
    """30 styles, six with an effect of three seeds' sds: how many of those found are false, and how many are found."""
    for seeds in (4, 8):
        name = f"screen, {seeds} seeds"
        random, false, right = chance(name), [], []
        is_true = np.arange(30) < 6
        for _ in range(n // 20):
            found = screen(3.0 * is_true[:, None] + random.standard_normal((30, seeds)))
            named = np.array([each.is_found for each in found])
            false.append((named & ~is_true).sum() / max(named.sum(), 1))
            right.append(named[is_true].mean())
        yield row(f"{name}: false among those found", false, 0, 10.7)
        yield row(f"{name}: found of those there", right)


def by_trainings(n: int) -> Iterator[Row]:
    """Arms that are alike but for training chance: judged by their pictures, and with the training as the unit."""
    for count in (1, 2, 3, 5):
        name = f"false clear, {count} trainings of each arm"
        random, hits = chance(name), []
        for _ in range(n // 2):
            own = 0.05 * random.standard_normal((2, count, 1, 1)) + SD * random.standard_normal((2, count, 6, SEEDS))
            hits.append(compare_trainings(*own).is_clear)
        yield row(name, hits, *((0, 100) if count == 1 else (4.3, 5.7)))


def trap(n: int) -> Iterator[Row]:
    """Arms alike in likeness, one of which ignores the style more often; a picture that does so scores .4 more."""
    for styles in STYLES:
        name = f"{styles} styles, style kept in 80 % and 50 %"
        random, shape = chance(name), (n // 2, styles, SEEDS, len(EXPOSURES))
        keeps = [random.random_sample(shape) < mean for mean in (0.8, 0.5)]
        own = [0.06 * random.standard_normal((*shape[:2], 1, 1)) + 0.1 * random.standard_normal(shape) for _ in keeps]
        likeness = [0.4 * ~is_kept + each for is_kept, each in zip(keeps, own, strict=True)]
        names = [str(place) for place in range(styles)]
        found = [match(names, b - a, x, y) for a, b, x, y in zip(*likeness, *keeps, strict=True)]
        matched = [each.matched for each in found if each.matched and each.matched.unit is Unit.STYLE]
        yield row(f"raw likeness clear, {name}", [each.raw.is_clear for each in found])
        yield row(f"matched likeness clear, {name}", [each.is_clear for each in matched], 0, 5.7)


def shared_seeds(n: int) -> Iterator[Row]:
    """Arms that are alike, but a seed acts alike in all styles: said without "with these seeds only", and at all.

    share: of the variance within styles. Without any, how often an honest word is qualified needlessly is told.
    """
    for styles in STYLES:
        for share in (0.0, 0.07, 0.15):
            name = f"ICC 0.3, seeds share {share:.0%}, {styles} styles"
            random, shape = chance(name), (n // 2, styles, SEEDS)
            own = sqrt(0.3) * random.standard_normal((*shape[:2], 1))
            seeds = sqrt(0.7 * share) * random.standard_normal((len(own), 1, SEEDS))
            values = SD * (own + seeds + sqrt(0.7 * (1 - share)) * random.standard_normal(shape))
            found = moments(values)
            is_clear = np.abs(found.mean) > quantile(0.975, styles - 1) * found.error
            bare = is_clear.copy()
            for i in np.flatnonzero(is_clear):
                bare[i] = not verdict(effect(values[i]), wider=other_seeds(values[i])).of_these_seeds
            yield row(f"false clear, {name}", is_clear)
            yield row(f"false clear and not of these seeds only, {name}", bare, 0, 6.5)


TABLES: dict[str, Callable[[int], Iterator[Row]]] = {
    each.__name__: each
    for each in (
        clear, yes_no, yes_no_coverage, same, yes_no_same, power, few_styles, kept_best, chosen, planned, screened,
        by_trainings, trap, shared_seeds,
    )
}  # fmt: skip


def main() -> int:
    """Print every row; 1 where one is outside its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=20_000)
    parser.add_argument("--only", choices=TABLES, action="append")
    options = parser.parse_args()
    missed = 0
    for name in options.only or TABLES:
        for each in TABLES[name](options.experiments):
            missed += not each.holds
            print(f"{each.value:6.2f}  {'' if each.holds else 'MISSED  '}{each.name}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
