"""The webui's samplers by name: which solver writes their rows, and what goes with it.

A solver is a function that writes rows for a list of levels (`engine/rows.py`). Rows are computed before the loop that
runs them (`engine/running.py`), which therefore never waits for the device. The one exception is DPM adaptive, whose
steps depend on what it sees; it has a loop of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import dpm_solvers, restart, slope_solvers, timestep_solvers, unipc
from ohwx_compare.engine.levels import ConsistencySigmas, ModelSigmas, TimestepSigmas, UniPCSigmas
from ohwx_compare.engine.rows import SolverRow
from ohwx_compare.errors import UnsupportedKeyError

__all__ = ["SOLVERS", "Solver", "find_solver"]

Rows = Callable[[Tensor, Job], list[SolverRow]]


@dataclass(frozen=True)
class Solver:
    """A sampler of the webui 1.10: its rows, and what goes with it there.

    Those on training timesteps know no schedule, start from noise whose variance is that of x, and blend what an
    inpaint keeps before they denoise.
    """

    name: str
    rows: Rows | None  # None: its steps depend on what it sees (`engine/adaptive.py`)
    automatic: str = "Uniform"  # the schedule that "Automatic" means
    brownian: bool = False  # noise from a Brownian path instead of the image's own next numbers
    second_order: bool = False  # two calls a step; prompt schedules and shares of all steps count them
    discards: bool = False  # one level more is computed and the last but one left out
    own_range: bool = False  # from noise it walks the model's whole range, whatever the schedule
    timesteps: str = ""  # walks on training timesteps, "even" or "UniPC"; "": on a schedule
    cfg_share: float = 1.0  # of the CFG scale that it takes
    sigmas: type[ModelSigmas] = ModelSigmas  # the levels that it knows the model by

    def calls(self, steps: int) -> int:
        """The calls of the model that the webui counts on for `steps`."""
        return 2 * steps if self.second_order else steps


_KARRAS, _EXPONENTIAL = "Karras", "Exponential"
SOLVERS = (
    Solver("DPM++ 2M", dpm_solvers.dpmpp_2m, _KARRAS),
    Solver("DPM++ SDE", dpm_solvers.dpmpp_sde, _KARRAS, brownian=True, second_order=True),
    Solver("DPM++ 2M SDE", dpm_solvers.dpmpp_2m_sde, _EXPONENTIAL, brownian=True),
    Solver("DPM++ 2M SDE Heun", dpm_solvers.dpmpp_2m_sde_heun, _EXPONENTIAL, brownian=True),
    Solver("DPM++ 2S a", dpm_solvers.dpmpp_2s_ancestral, _KARRAS, second_order=True),
    Solver("DPM++ 3M SDE", dpm_solvers.dpmpp_3m_sde, _EXPONENTIAL, brownian=True, discards=True),
    Solver("Euler a", slope_solvers.euler_ancestral),
    Solver("Euler", slope_solvers.euler),
    Solver("LMS", slope_solvers.lms),
    Solver("Heun", slope_solvers.heun, second_order=True),
    Solver("DPM2", slope_solvers.dpm2, _KARRAS, second_order=True, discards=True),
    Solver("DPM2 a", slope_solvers.dpm2_ancestral, _KARRAS, second_order=True, discards=True),
    Solver("DPM fast", dpm_solvers.dpm_fast, own_range=True),
    Solver("DPM adaptive", None, own_range=True),
    Solver("Restart", restart.restart, _KARRAS, second_order=True),
    Solver("DDIM", timestep_solvers.ddim, timesteps="even", sigmas=TimestepSigmas),
    Solver(
        "DDIM CFG++",
        timestep_solvers.ddim_cfgpp,
        timesteps="even",
        cfg_share=timestep_solvers.CFGPP_SHARE,
        sigmas=TimestepSigmas,
    ),
    Solver("PLMS", timestep_solvers.plms, timesteps="even", sigmas=TimestepSigmas),
    Solver("UniPC", unipc.unipc, timesteps="UniPC", sigmas=UniPCSigmas),
    Solver("LCM", slope_solvers.lcm, sigmas=ConsistencySigmas),
)


def find_solver(name: str) -> Solver:
    """The solver of the webui's sampler `name`. Raises UnsupportedKeyError, which lists the known ones."""
    for solver in SOLVERS:
        if solver.name == name:
            return solver
    known = ", ".join(solver.name for solver in SOLVERS)
    raise UnsupportedKeyError(f"The sampler {name!r} is not supported yet; choose one of {known}.")
