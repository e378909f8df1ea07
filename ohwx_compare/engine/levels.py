"""Noise levels: how much noise a model knows, and the time by which it knows it.

Everything here is float32 on the CPU, as k-diffusion computes it. Levels are in units of the latents' standard
deviation.
"""

import torch

from ohwx_compare.errors import ExperimentError

__all__ = ["ConsistencySigmas", "ModelSigmas", "TimestepSigmas", "UniPCSigmas"]


class ModelSigmas:
    """SDXL's thousand training levels, rising, and the fractional time index of any level between them.

    "scaled linear" betas from 0.00085 to 0.012 in float64, sigma^2 = (1 - a) / a of their cumulated product a, cast to
    float32 (generative-models, LegacyDDPMDiscretization; k-diffusion, DiscreteSchedule). With `zero_snr` the last one
    is next to pure noise, about 4519. With `halved` each step of that is rounded to half precision, as the webui does
    for old seeds (modules/sd_models.py, 82a973c: `apply_alpha_schedule_override`). Raises ExperimentError for both:
    half precision does not reach so far, and the webui fails at it too.
    """

    first_time, last_time = 0, 999

    def __init__(self, *, zero_snr: bool = False, halved: bool = False) -> None:
        if zero_snr and halved:
            raise ExperimentError(
                "Zero terminal SNR has no largest level in half precision, in the webui neither; take out 'Downcast "
                "alphas_cumprod' (half_levels) or 'Noise Schedule' (zero_snr), or choose a checkpoint without ztsnr."
            )
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        alphas_cumprod = torch.cumprod(1 - betas, 0).float()
        if zero_snr:
            alphas_cumprod = _rescale_to_zero_snr(alphas_cumprod)
        rounded = _to_half if halved else _as_it_is
        self.alphas_cumprod = a = rounded(alphas_cumprod)
        self.sigmas = rounded(rounded(rounded(1 - a) / a) ** 0.5)  # (1000,)
        self.log_sigmas = rounded(self.sigmas.log())

    @property
    def smallest(self) -> float:
        """About 0.0292."""
        return self.sigmas[0].item()

    @property
    def largest(self) -> float:
        """About 14.61."""
        return self.sigmas[-1].item()

    def time(self, sigma: float) -> float:
        """The time index 0..999 of `sigma`, interpolated in log sigma; clamped outside the training levels."""
        log_sigma = torch.tensor(sigma, dtype=torch.float32).log()
        low = int(torch.searchsorted(self.log_sigmas, log_sigma, right=True).clamp(1, 999)) - 1
        below, above = self.log_sigmas[low], self.log_sigmas[low + 1]
        w = ((below - log_sigma) / (below - above)).clamp(0, 1)
        return ((1 - w) * low + w * (low + 1)).item()

    def nearest(self, sigma: float) -> int:
        """The place of the level that is nearest to `sigma`, from the smallest."""
        return int((self.sigmas - sigma).abs().argmin())

    def at(self, time: torch.Tensor) -> torch.Tensor:
        """The levels at fractional `time` (n,) in 0..999, interpolated in log sigma: (n,)."""
        low, high, w = time.floor().long(), time.ceil().long(), time.frac()
        return ((1 - w) * self.log_sigmas[low] + w * self.log_sigmas[high]).exp()

    @property
    def log_alphas(self) -> torch.Tensor:
        """log sqrt(a) (1000,)."""
        return 0.5 * self.alphas_cumprod.log()

    def shares(self, time: int) -> tuple[float, float]:
        """Of the picture and of the noise, in an x of variance 1 at a training timestep."""
        alpha = self.alphas_cumprod[time].item()
        return alpha**0.5, (1 - alpha) ** 0.5

    def boundary(self, sigma: float) -> tuple[float, float]:
        """What D is made of: the weights of what the model says, and of x."""
        return 1.0, 0.0


class TimestepSigmas(ModelSigmas):
    """As samplers on training timesteps know them: by a and sqrt(1 - a), which `halved` rounds each for itself.

    So a level is their quotient, and the sum of their squares only about 1 (modules/sd_samplers_timesteps_impl.py).
    """

    def __init__(self, *, zero_snr: bool = False, halved: bool = False) -> None:
        super().__init__(zero_snr=zero_snr, halved=halved)
        self.halved = halved
        if halved:
            self.sigmas = _rest(self.alphas_cumprod) / self.alphas_cumprod**0.5
            self.log_sigmas = self.sigmas.log()

    def shares(self, time: int) -> tuple[float, float]:
        """As there."""
        if not self.halved:
            return super().shares(time)
        alpha = self.alphas_cumprod[time]
        return _to_half(alpha**0.5).item(), _rest(alpha).item()


class UniPCSigmas(TimestepSigmas):
    """As UniPC knows them: by log a, which `halved` rounds."""

    def __init__(self, *, zero_snr: bool = False, halved: bool = False) -> None:
        super().__init__(zero_snr=zero_snr, halved=halved)
        if halved:
            self.sigmas = (torch.exp(-2 * self.log_alphas) - 1) ** 0.5
            self.log_sigmas = self.sigmas.log()

    @property
    def log_alphas(self) -> torch.Tensor:
        """As there."""
        return _to_half(super().log_alphas) if self.halved else super().log_alphas


class ConsistencySigmas(ModelSigmas):
    """Every twentieth of them, as latent consistency models know them; a level has the nearest one's time.

    Luo et al. (2023), https://arxiv.org/abs/2310.04378, with the webui's choices (modules/sd_samplers_lcm.py, 82a973c).
    """

    STRIDE = 20
    SIGMA_DATA = 0.5
    first_time, last_time = 19, 999

    def __init__(self, *, zero_snr: bool = False, halved: bool = False) -> None:
        super().__init__(zero_snr=zero_snr, halved=halved)
        a = self.alphas_cumprod[self.STRIDE - 1 :: self.STRIDE]
        self.sigmas = ((1 - a) / a) ** 0.5  # (50,)
        self.log_sigmas = self.sigmas.log()

    def time(self, sigma: float) -> float:
        """The time index of the level that is nearest in log sigma."""
        log_sigma = torch.tensor(sigma, dtype=torch.float32).log()
        nearest = int((self.log_sigmas - log_sigma).abs().argmin())
        return float(nearest * self.STRIDE + self.first_time)

    def at(self, time: torch.Tensor) -> torch.Tensor:
        """The levels at fractional `time` (n,), interpolated in log sigma between those that are known: (n,)."""
        return super().at(((time - self.first_time) / self.STRIDE).clamp(0, len(self.sigmas) - 1))

    def boundary(self, sigma: float) -> tuple[float, float]:
        """Weights that leave x as it is where there is no noise: c_out and c_skip at ten times the time."""
        scaled, data = 10 * self.time(sigma), self.SIGMA_DATA**2
        return scaled / (scaled**2 + data) ** 0.5, data / (scaled**2 + data)


def _to_half(numbers: torch.Tensor) -> torch.Tensor:
    return numbers.half().float()


def _rest(alphas: torch.Tensor) -> torch.Tensor:
    """sqrt(1 - a), each step of it rounded to half precision."""
    return _to_half(_to_half(1 - alphas) ** 0.5)


def _as_it_is(numbers: torch.Tensor) -> torch.Tensor:
    return numbers


def _rescale_to_zero_snr(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """Algorithm 1 of Lin et al. (2023), https://arxiv.org/abs/2305.08891; the last one stays just above 0."""
    root = alphas_cumprod.sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    return torch.cat([root[:-1] ** 2, root.new_tensor([4.8973451890853435e-08])])
