"""UniPC: a predictor and a corrector of any order that share one call of the model.

Zhao et al. (2023), https://arxiv.org/abs/2302.04867, predicting D. The corrected x is the predicted one moved along
Ds that have been seen, so a row goes from one prediction straight to the next. Names are the paper's: r_m says how many
steps h an earlier lambda = -log sigma lies away, and rho_m weighs D's difference there. The webui's choices:
modules/models/diffusion/uni_pc/uni_pc.py, 82a973c.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.rows import SolverRow
from ohwx_compare.engine.timestep_solvers import rescaled
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted

__all__ = ["unipc"]


def unipc(levels: Tensor, job: Job) -> list[SolverRow]:
    """One call a step, at the predicted x. Raises ExperimentError for fewer steps than the order."""
    sigmas, order = levels.tolist(), job.unipc_order
    count = len(sigmas) - 1
    if count < order:
        raise ExperimentError(
            f"UniPC of order {order} needs at least {counted(order, 'step')}, got {max(count, 0)}; ask for more steps, "
            "in img2img for a higher denoising strength, or for a lower order."
        )
    rows: list[SolverRow] = []
    correction = torch.zeros(1, dtype=torch.float64)  # of x at this call, as weights of D_0, D_1, ...
    for i in range(count):
        last = min(order, count - i) if job.unipc_lower_order_final else order
        past = sigmas[i::-1][: i + 1 if i + 1 < order else last]
        kept, predicted, corrected = _update(past, sigmas[i + 1], job.unipc_variant)
        toward = _sum(kept * correction, predicted)
        rows.append(SolverRow(sigma=past[0], sigma_next=sigmas[i + 1], keep=(kept,), toward=tuple(toward.tolist())))
        correction = _sum(corrected, -torch.cat([predicted.new_zeros(1), predicted]))
    return rescaled(rows)


def _update(past: Sequence[float], target: float, variant: str) -> tuple[float, Tensor, Tensor]:
    """x's weight, and the Ds' for the predicted x and, from the D at `target` on, for the corrected one."""
    h, kept = math.log(past[0] / target), target / past[0]
    r = torch.tensor([math.log(past[0] / level) / h for level in past[1:]] + [1.0], dtype=torch.float64)
    rho_p, rho_c = (_varying if variant == "vary_coeff" else _fixed)(r, -h, variant)
    rho_p, rho_c = rho_p / r[:-1], rho_c / r
    predicted = torch.cat([1 - kept - rho_p.sum()[None], rho_p])
    corrected = torch.cat([rho_c[-1:], 1 - kept - rho_c.sum()[None], rho_c[:-1]])
    return kept, predicted, corrected


def _phi(hh: float, count: int) -> list[float]:
    """h * phi_1(h), h * phi_2(h), ... of the paper's appendix, for hh = -h."""
    values = [math.expm1(hh)]
    for k in range(1, count):
        values.append(values[-1] / hh - 1 / math.factorial(k))
    return values


def _fixed(r: Tensor, hh: float, variant: str) -> tuple[Tensor, Tensor]:
    """Algorithm 1 and 2 with B(h) = h ("bh1") or e^h - 1 ("bh2"); lowest orders as the authors simplify them."""
    p = len(r)
    scale = hh if variant == "bh1" else math.expm1(hh)
    powers = torch.stack([r**k for k in range(p)])
    b = torch.tensor([phi * math.factorial(k) / scale for k, phi in enumerate(_phi(hh, p + 1)[1:], 1)]).double()
    half = torch.full((1,), 0.5, dtype=torch.float64)
    rho_p = half if p == 2 else torch.linalg.solve(powers[:-1, :-1], b[:-1])
    rho_c = half if p == 1 else torch.linalg.solve(powers, b)
    return -scale * rho_p, -scale * rho_c


def _varying(r: Tensor, hh: float, variant: str) -> tuple[Tensor, Tensor]:
    """Appendix C: coefficients that vary, with the webui's row of the inverse for the newest D."""
    p = len(r)
    phi = torch.tensor(_phi(hh, p + 1), dtype=torch.float64)
    columns = torch.stack([r**k / math.factorial(k + 1) for k in range(p)], dim=1)
    inverse_p, inverse_c = torch.linalg.inv(columns[:-1, :-1]), torch.linalg.inv(columns)
    newest = phi[p] * inverse_c[max(p - 2, 0), -1]
    return -(phi[1:p] @ inverse_p), -torch.cat([phi[1:p] @ inverse_c[:-1, :-1], newest[None]])


def _sum(one: Tensor, other: Tensor) -> Tensor:
    """The sum of two vectors, the shorter one filled up with zeros."""
    total = one.new_zeros(max(len(one), len(other)))
    total[: len(one)] += one
    total[: len(other)] += other
    return total
