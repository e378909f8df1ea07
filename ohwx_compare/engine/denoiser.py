"""`denoised = model(x, sigma)`: the UNet behind the one contract that samplers know.

Here live the scalings of the two kinds of prediction, classifier-free guidance with AND composition, the prompt
schedule, and the blend that keeps what an inpaint must not touch. Rules: the webui's CFGDenoiser
(modules/sd_samplers_cfg_denoiser.py, 82a973c) over k-diffusion's denoisers (external.py, ab527a9a).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ohwx_compare.core.request.job import SoftInpaint
from ohwx_compare.engine.conditioning import Conditioning, Entry
from ohwx_compare.engine.levels import ModelSigmas
from ohwx_compare.engine.running import sent
from ohwx_compare.engine.soft_inpaint import blend_softly
from ohwx_compare.engine.weights import LoadedUNet
from ohwx_compare.models.unet import Context, UNet

__all__ = ["Blend", "Denoiser", "Guidance", "Handover", "in_force"]


@dataclass(frozen=True)
class Blend:
    """What stays: `mask` (B, 1, h, w), 1 where it is inpainted, and the picture's own `latents` (B, 4, h, w)."""

    mask: Tensor
    latents: Tensor
    first: bool = False  # before the model sees x instead of after: what samplers on training timesteps do
    soft: SoftInpaint | None = None

    def __call__(self, x: Tensor, level: float, scale: float = 1.0) -> Tensor:
        """`x` where the mask is 1, the picture's latents times `scale` where it is 0; softly by the `level` too."""
        if self.soft:
            return blend_softly(self.soft, self.latents, x / scale, self.mask, level) * scale
        return x * self.mask + self.latents * scale * (1 - self.mask)

    def end(self, x: Tensor) -> Tensor:
        """The sampled latents as they are decoded; a soft blend leaves them, and what is shown follows from them."""
        return x if self.soft else self(x, 0.0)


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How far from the negative prompt each call goes, and which calls go without it."""

    scales: Sequence[float]  # each image's CFG scale
    factors: Sequence[float] = ()  # on the scales, call by call; (): 1
    calls: int = 1  # all that are expected, of which `early` is a share
    early: float = 0.0
    below: float = 0.0  # a level, or a time where `by_time`
    below_always: bool = False  # not only at every second call
    by_time: bool = False

    def skips(self, call: int, sigma: float, time: float) -> bool:
        """Whether `call` (from 0) is made without the negative prompt."""
        if self.early and call / self.calls <= self.early:
            return True
        return (call % 2 == 1 or self.below_always) and (time if self.by_time else sigma) < self.below

    def factor(self, call: int) -> float:
        """On the scales."""
        return self.factors[call] if call < len(self.factors) else 1.0


@dataclass(frozen=True)
class Handover:
    """Another checkpoint that takes over before a call: the refiner."""

    at: float  # 0..1 of the way from noise: of the training timesteps, or of the calls
    calls: int | None  # all that are expected, where they count
    load: Callable[[], tuple[LoadedUNet, Sequence[Conditioning]]]  # the one before may be used up by it

    def is_due(self, call: int, timestep: int) -> bool:
        """Whether it has taken over at `call` (from 0), at a training timestep 0..999.

        The webui's `apply_refiner` (modules/sd_samplers_common.py, 82a973c).
        """
        if self.calls is not None:
            return call / self.calls >= self.at
        return (999 - timestep) / 1000 >= self.at


def in_force(schedule: Sequence[Entry], call: int) -> int:
    """The entry of a prompt schedule that the model's `call` (from 0) uses: the first with call <= until.

    `until` counts steps from 1, so every switch comes one call late, as in the webui.
    """
    return next((i for i, entry in enumerate(schedule) if call <= entry.until), 0)


class Denoiser:
    """The model of one batch: x (B, 4, h, w) float32 with noise of sigma -> what it would be without, same shape.

    It counts its calls, because prompt schedules do.
    """

    def __init__(
        self,
        unet: UNet,
        levels: ModelSigmas,
        prediction: str,
        conditionings: Sequence[Conditioning],
        guidance: Guidance,
        blend: Blend | None = None,
        handover: Handover | None = None,
    ) -> None:
        """`prediction` is "eps" or "v". The UNet runs in its own dtype."""
        self.unet, self.levels, self.prediction = unet, levels, prediction
        self.conditionings, self.guidance, self.blend = conditionings, guidance, blend
        self.weight, self.handover = next(unet.parameters()), handover
        self.is_free = _is_free(conditionings, guidance.scales)
        self.calls = 0
        self.plans: dict[bool, tuple[object, _Plan]] = {}  # the last one without the negative, and the last with it

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Denoise once; see the class."""
        call, self.calls = self.calls, self.calls + 1
        time = self.levels.time(sigma)
        timestep = int(time + 0.001) if self.guidance.by_time else self.levels.nearest(sigma)
        if self.handover and self.handover.is_due(call, timestep):
            self._take_over(self.handover)
        factor = self.guidance.factor(call)
        plan = self._plan_now(call, self.guidance.skips(call, sigma, time) or (self.is_free and factor == 1.0))
        if self.blend and self.blend.first:
            seen = self.blend(x, time, (sigma**2 + 1) ** 0.5)  # there latents have no noise, and x has variance 1
            return plan.guide(self._scaled(seen[plan.images], sigma, time, plan), factor) + x - seen
        denoised = plan.guide(self._scaled(x[plan.images], sigma, time, plan), factor)
        return self.blend(denoised, sigma) if self.blend else denoised

    def _take_over(self, handover: Handover) -> None:
        """From now on with the other checkpoint, whose levels are the same."""
        model, self.conditionings = handover.load()
        self.unet, self.prediction, self.weight = model.unet, model.prediction, next(model.unet.parameters())
        self.plans, self.handover = {}, None

    def _plan_now(self, call: int, skips: bool) -> "_Plan":
        """The plan for the texts in force; a new one only where a prompt schedule switches or the negative goes."""
        entries = tuple(
            tuple(in_force(schedule, call) for schedule in _schedules(conditioning))
            for conditioning in self.conditionings
        )
        planned_for, plan = self.plans.get(skips, (None, None))
        if plan is None or planned_for != entries:
            scales = None if skips else self.guidance.scales
            plan = _plan(self.conditionings, entries, scales, self.unet, self.weight)
            self.plans[skips] = entries, plan
        return plan

    def _scaled(self, x: Tensor, sigma: float, time: float, plan: "_Plan") -> Tensor:
        """Table 1 of Karras et al. (2022), column VP and, for v, sigma_data 1: float32 around the UNet's dtype."""
        total = sigma**2 + 1
        predicted = self._unet(x * total**-0.5, time, plan)
        v = self.prediction == "v"
        denoised = x / total - predicted * (sigma / total**0.5) if v else x - predicted * sigma
        out, skip = self.levels.boundary(sigma)
        return out * denoised + skip * x if skip else denoised

    def _unet(self, x: Tensor, time: float, plan: "_Plan") -> Tensor:
        """One call for each length of text: (rows, 4, h, w) in, float32 out."""
        x = x.to(self.weight.dtype)
        times = torch.full((len(x),), time, device=x.device)
        chunks, start = [], 0
        for context, vector in plan.texts:
            rows = slice(start, start := start + len(vector))
            chunks.append(self.unet(x[rows], times[rows], context, vector).float())
        return torch.cat(chunks)


def _is_free(conditionings: Sequence[Conditioning], scales: Sequence[float]) -> bool:
    """Whether guidance cancels every negative prompt: one text each, at CFG 1."""
    weights = ([part.weight * scale for part in c.positive] for c, scale in zip(conditionings, scales, strict=True))
    return all(mine == [1.0] for mine in weights)


def _schedules(conditioning: Conditioning) -> list[Sequence[Entry]]:
    """The schedules of one image: its prompt's parts, then its negative prompt."""
    return [*(part.schedule for part in conditioning.positive), conditioning.negative]


@dataclass(frozen=True)
class _Plan:
    """How the texts of a batch become UNet rows, ordered by their length, and how rows become pictures."""

    images: Tensor  # (rows,) which image a row denoises
    texts: tuple[tuple[Context, Tensor], ...]  # for each length: context (n, L, W), read by the UNet, and vector (n, V)
    bases: Tensor  # (B,) each image's negative row, or its first part's where there is no negative
    parts: tuple[tuple[Tensor, Tensor], ...]  # k-th part of each image: rows (B,), weight * scale (B, 1, 1, 1)

    def guide(self, denoised: Tensor, factor: float) -> Tensor:
        """Base + sum of (part - base) * weight * scale (Ho & Salimans 2022; Liu et al. 2022): (B, 4, h, w)."""
        guided = base = denoised[self.bases]
        for rows, strength in self.parts:
            guided = guided + (denoised[rows] - base) * (strength if factor == 1.0 else strength * factor)
        return guided


def _plan(
    conditionings: Sequence[Conditioning],
    entries: Sequence[Sequence[int]],
    scales: Sequence[float] | None,
    unet: UNet,
    like: Tensor,
) -> _Plan:
    """`entries` says which entry of each schedule is in force; texts go to the device and dtype of `like`.

    Without `scales` the negative prompts are left out, and each image's first part stands for its own.
    """
    rows: list[tuple[int, Tensor, Tensor]] = []  # image, context, vector
    owned: list[list[int]] = []  # the rows of each image, its base last
    for image, (conditioning, chosen) in enumerate(zip(conditionings, entries, strict=True)):
        texts = [schedule[i] for schedule, i in zip(_schedules(conditioning), chosen, strict=True)]
        longest = max(len(text.crossattn) for text in texts[:-1])
        contexts = _evened(
            conditioning, [_lengthen(text.crossattn, longest) for text in texts[:-1]], texts[-1].crossattn
        )
        own = [(image, context, text.vector) for context, text in zip(contexts, texts, strict=True)]
        numbers = list(range(len(rows), len(rows) + len(own)))
        owned.append(numbers if scales else [*numbers[:-1], numbers[0]])
        rows += own if scales else own[:-1]

    order = sorted(range(len(rows)), key=lambda r: len(rows[r][1]))
    place = {row: i for i, row in enumerate(order)}
    lengths = sorted({len(context) for _, context, _ in rows})
    groups = [[rows[r] for r in order if len(rows[r][1]) == length] for length in lengths]
    return _Plan(
        images=torch.tensor([rows[r][0] for r in order], device=like.device),
        texts=tuple(
            (unet.read(_stack([c for _, c, _ in rs], like)), _stack([v for *_, v in rs], like)) for rs in groups
        ),
        bases=torch.tensor([place[mine[-1]] for mine in owned], device=like.device),
        parts=_parts(
            conditionings,
            scales or [1.0] * len(conditionings),
            [[place[row] for row in mine] for mine in owned],
            like.device,
        ),
    )


def _parts(
    conditionings: Sequence[Conditioning], scales: Sequence[float], owned: Sequence[Sequence[int]], device: torch.device
) -> tuple[tuple[Tensor, Tensor], ...]:
    """The k-th part of every image; an image that has none gives its negative at weight 0."""
    parts = []
    for k in range(max(len(c.positive) for c in conditionings)):
        have = [k < len(c.positive) for c in conditionings]
        rows = [mine[k] if has else mine[-1] for mine, has in zip(owned, have, strict=True)]
        weights = [
            c.positive[k].weight * scale if has else 0.0
            for c, scale, has in zip(conditionings, scales, have, strict=True)
        ]
        strength = torch.tensor(weights, dtype=torch.float32, device=device)
        parts.append((torch.tensor(rows, device=device), strength.view(-1, 1, 1, 1)))
    return tuple(parts)


def _evened(conditioning: Conditioning, parts: list[Tensor], negative: Tensor) -> list[Tensor]:
    """The texts of an image, the negative last, with the lengths that its job asks for; each (L, W).

    `pad_cond_uncond` and `pad_cond_uncond_v0` there; the prompt is filled up even where the negative is left out.
    """
    length, other = len(parts[0]), len(negative)
    if conditioning.negative_follows:
        return [*parts, _lengthen(negative, length)[:length]]
    if conditioning.padding is None:
        return [*parts, negative]
    empty = conditioning.padding
    more, less = [empty] * ((other - length) // len(empty)), [empty] * ((length - other) // len(empty))
    return [*(torch.cat([part, *more]) for part in parts), torch.cat([negative, *less])]


def _lengthen(context: Tensor, length: int) -> Tensor:
    """`context` (L, W) with its last vector repeated up to `length`, as the webui aligns the parts of an AND."""
    missing = length - len(context)
    return torch.cat([context, context[-1:].expand(missing, -1)]) if missing > 0 else context


def _stack(tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    return sent(torch.stack(list(tensors)).to(like.dtype), like.device)
