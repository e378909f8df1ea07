"""The planned contrasts of a comparison: regularization x exposures x face pass, within style and seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ohwx_compare.judge.effects import Effect, effect
from ohwx_compare.judge.many import holm

__all__ = ["Contrast", "factorial"]


@dataclass(frozen=True)
class Contrast:
    """One planned contrast; as an effect it is on the measure's own scale."""

    name: str
    effect: Effect
    p: float  # the effect's p by Holm, all contrasts of the measure together


def factorial(values: ArrayLike, exposures: Sequence[float], arms: str = "regularization") -> tuple[Contrast, ...]:
    """Contrasts of (2, E, P, K, M) values: without and with regularization, E exposures, before and after the pass.

    arms: what the two differ in. Of one alone, (1, E, P, K, M), the contrasts that need two are left out.
    regularization: with minus without, the mean of the rest. exposures: last minus first on the straight line through
    all of them. face pass: after minus before. Their products with regularization: how much more of it with than
    without. P = 1 is a run without face pass, E = 1 one with a single save: their contrasts are left out. A style's
    seed counts where all its cells that a contrast weighs are there (NaN is missing).
    Raises ExperimentError where none is whole.
    """
    values = np.asarray(values, np.float64)
    count = len(values)
    apart, mean = np.array([-1.0, 1.0]), np.full(count, 1 / count)
    passes = values.shape[2]
    slope, even = _line(exposures), np.full(len(exposures), 1 / len(exposures))
    both, gain = np.full(passes, 1 / passes), np.array([-1.0, 1.0])
    weights = {arms: (apart, even, both)}
    if len(exposures) > 1:
        weights |= {"exposures": (mean, slope, both), arms + " x exposures": (apart, slope, both)}
    if passes == 2:
        weights |= {"face pass": (mean, even, gain), arms + " x face pass": (apart, even, gain)}
    if count == 1:
        weights = {name: each for name, each in weights.items() if each[0] is mean}
    effects = {name: effect(_weighed(values, *each)) for name, each in weights.items()}
    adjusted = holm([each.p for each in effects.values()])
    return tuple(Contrast(name, each, p) for (name, each), p in zip(effects.items(), adjusted, strict=True))


def _line(exposures: Sequence[float]) -> NDArray[np.float64]:
    """Weights that give the rise of the least-squares line from the least to the most exposures."""
    apart = np.asarray(exposures, np.float64) - np.mean(exposures)
    squares = float((apart**2).sum())
    return np.asarray(apart * float(np.ptp(apart)) / squares if squares else apart)


def _weighed(values: NDArray[np.float64], *weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, M) sums of values by the product of the weights; a cell of weight 0 may be missing."""
    product = np.einsum("a,e,p->aep", *weights)
    is_used = product != 0
    return np.asarray(np.einsum("c,ckm->km", product[is_used], values[is_used]))
