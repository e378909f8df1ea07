"""`denoised = model(x, sigma)`: the UNet behind the one contract that samplers know.

Here live the scalings of the two kinds of prediction, classifier-free guidance with AND composition, the prompt
schedule, and the blend that keeps what an inpaint must not touch. Rules: the webui's CFGDenoiser
(modules/sd_samplers_cfg_denoiser.py, 82a973c) over k-diffusion's denoisers (external.py, ab527a9a).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ohwx_compare.engine.conditioning import Conditioning, Entry
from ohwx_compare.engine.schedules import ModelSigmas
from ohwx_compare.models.unet import Context, UNet

__all__ = ["Blend", "Denoiser", "in_force"]


@dataclass(frozen=True)
class Blend:
    """What stays: `mask` (B, 1, h, w), 1 where it is inpainted, and the picture's own `latents` (B, 4, h, w)."""

    mask: Tensor
    latents: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """`x` where the mask is 1, the picture's latents where it is 0."""
        return x * self.mask + self.latents * (1 - self.mask)


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
        scales: Sequence[float],
        blend: Blend | None = None,
    ) -> None:
        """`prediction` is "eps" or "v", `scales` the images' CFG scales. The UNet runs in its own dtype."""
        self.unet, self.levels, self.prediction = unet, levels, prediction
        self.conditionings, self.scales, self.blend = conditionings, scales, blend
        self.weight = next(unet.parameters())
        self.calls = 0
        self.plan: _Plan | None = None
        self.planned_for: tuple[tuple[int, ...], ...] = ()

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Denoise once; see the class."""
        plan = self._plan_now()
        self.calls += 1
        parts = self._scaled(x[plan.images], sigma, plan)
        denoised = plan.guide(parts)
        return self.blend(denoised) if self.blend else denoised

    def _plan_now(self) -> "_Plan":
        """The plan for the texts in force; a new one only where a prompt schedule switches."""
        entries = tuple(
            tuple(in_force(schedule, self.calls) for schedule in _schedules(conditioning))
            for conditioning in self.conditionings
        )
        if self.plan is None or entries != self.planned_for:
            self.plan = _plan(self.conditionings, entries, self.scales, self.unet, self.weight)
            self.planned_for = entries
        return self.plan

    def _scaled(self, x: Tensor, sigma: float, plan: "_Plan") -> Tensor:
        """Table 1 of Karras et al. (2022), column VP and, for v, sigma_data 1: float32 around the UNet's dtype."""
        total = sigma**2 + 1
        predicted = self._unet(x * total**-0.5, self.levels.time(sigma), plan)
        if self.prediction == "v":
            return x / total - predicted * (sigma / total**0.5)
        return x - predicted * sigma

    def _unet(self, x: Tensor, time: float, plan: "_Plan") -> Tensor:
        """One call for each length of text: (rows, 4, h, w) in, float32 out."""
        x = x.to(self.weight.dtype)
        times = torch.full((len(x),), time, device=x.device)
        chunks, start = [], 0
        for context, vector in plan.texts:
            rows = slice(start, start := start + len(vector))
            chunks.append(self.unet(x[rows], times[rows], context, vector).float())
        return torch.cat(chunks)


def _schedules(conditioning: Conditioning) -> list[Sequence[Entry]]:
    """The schedules of one image: its prompt's parts, then its negative prompt."""
    return [*(part.schedule for part in conditioning.positive), conditioning.negative]


@dataclass(frozen=True)
class _Plan:
    """How the texts of a batch become UNet rows, ordered by their length, and how rows become pictures."""

    images: Tensor  # (rows,) which image a row denoises
    texts: tuple[tuple[Context, Tensor], ...]  # for each length: context (n, L, W), read by the UNet, and vector (n, V)
    negatives: Tensor  # (B,) each image's negative row
    parts: tuple[tuple[Tensor, Tensor], ...]  # k-th part of each image: rows (B,), weight * scale (B, 1, 1, 1)

    def guide(self, denoised: Tensor) -> Tensor:
        """Negative + sum of (part - negative) * weight * scale (Ho & Salimans 2022; Liu et al. 2022): (B, 4, h, w)."""
        guided = base = denoised[self.negatives]
        for rows, strength in self.parts:
            guided = guided + (denoised[rows] - base) * strength
        return guided


def _plan(
    conditionings: Sequence[Conditioning],
    entries: Sequence[Sequence[int]],
    scales: Sequence[float],
    unet: UNet,
    like: Tensor,
) -> _Plan:
    """`entries` says which entry of each schedule is in force; texts go to the device and dtype of `like`."""
    rows: list[tuple[int, Tensor, Tensor]] = []  # image, context, vector
    owned: list[list[int]] = []  # the rows of each image, the negative last
    for image, (conditioning, chosen) in enumerate(zip(conditionings, entries, strict=True)):
        texts = [schedule[i] for schedule, i in zip(_schedules(conditioning), chosen, strict=True)]
        longest = max(len(text.crossattn) for text in texts[:-1])
        contexts = [_lengthen(text.crossattn, longest) for text in texts[:-1]] + [texts[-1].crossattn]
        owned.append(list(range(len(rows), len(rows) + len(texts))))
        rows += [(image, context, text.vector) for context, text in zip(contexts, texts, strict=True)]

    order = sorted(range(len(rows)), key=lambda r: len(rows[r][1]))
    place = {row: i for i, row in enumerate(order)}
    lengths = sorted({len(context) for _, context, _ in rows})
    groups = [[rows[r] for r in order if len(rows[r][1]) == length] for length in lengths]
    return _Plan(
        images=torch.tensor([rows[r][0] for r in order], device=like.device),
        texts=tuple(
            (unet.read(_stack([c for _, c, _ in rs], like)), _stack([v for *_, v in rs], like)) for rs in groups
        ),
        negatives=torch.tensor([place[mine[-1]] for mine in owned], device=like.device),
        parts=_parts(conditionings, scales, [[place[row] for row in mine] for mine in owned], like.device),
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


def _lengthen(context: Tensor, length: int) -> Tensor:
    """`context` (L, W) with its last vector repeated up to `length`, as the webui aligns the parts of an AND."""
    missing = length - len(context)
    return torch.cat([context, context[-1:].expand(missing, -1)]) if missing else context


def _stack(tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    return torch.stack(list(tensors)).to(like)
