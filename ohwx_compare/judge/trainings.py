"""Two recipes by their trainings: where a recipe was trained more than once, the training is the unit."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from ohwx_compare.errors import ExperimentError
from ohwx_compare.judge.effects import Effect, Unit, effect, mean_where
from ohwx_compare.judge.intervals import CONFIDENCE
from ohwx_compare.judge.student import quantile, two_sided

__all__ = ["compare_trainings"]


def compare_trainings(first: ArrayLike, second: ArrayLike) -> Effect:
    """Second minus first from (R, K, M) values of R trainings each, over the same K styles and M seeds, NaN missing.

    With one training of each, only the pictures speak: `effect` of the paired differences, which is about these two
    checkpoints. With more, each training is one value, the mean over the styles that all of them have, and the interval
    is Student's with pooled variance and R_a + R_b - 2 degrees of freedom (1908, Biometrika 6:1): about other trainings
    of the same recipes, in these styles. Spreads of so few cannot be told apart, hence pooled and not Welch's.
    Raises ExperimentError where nothing can be compared.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(first) == len(second) == 1:
        return effect(second[0] - first[0])
    styles = np.concatenate([mean_where(first, 2), mean_where(second, 2)])  # (R_a + R_b, K)
    is_shared = ~np.isnan(styles).any(0)
    if not is_shared.any():
        raise ExperimentError("the trainings share no style: generate the same prompts with each")
    values = styles[:, is_shared].mean(1)
    a, b = values[: len(first)], values[len(first) :]
    freedom, mean = len(values) - 2, float(b.mean() - a.mean())
    squares = float(((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum())
    error = sqrt(squares / freedom * (1 / len(a) + 1 / len(b)))
    half = quantile((1 + CONFIDENCE) / 2, freedom) * error
    return Effect(
        mean, mean - half, mean + half, len(values),
        unit=Unit.TRAINING, styles=int(is_shared.sum()), missing=int((~is_shared).sum()), error=error, freedom=freedom,
        p=two_sided(mean / error, freedom) if error else 1.0, flips=None,
    )  # fmt: skip
