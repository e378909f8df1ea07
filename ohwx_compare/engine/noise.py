"""Where randomness comes from: one stream for each image, so that a picture does not depend on its batch.

The webui's three sources (modules/rng.py, 82a973c): the CPU's generator, the GPU's, and "NV", which computes on any
device what a CUDA generator draws. Brownian noise is torchsde's tree (https://github.com/google-research/torchsde),
written again because torchsde draws from its own generators, which a webui replaces process-wide.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from ohwx_compare.engine.running import sent

__all__ = ["Brownian", "ImageNoise", "Philox", "Source", "drawn_seed", "next_of_each", "pick_source", "slerp"]

_Shape = tuple[int, ...]
DrawNormal = Callable[[_Shape], torch.Tensor]  # the next standard normal numbers of one stream, float32

MASK = 0xFFFFFFFF
NUMBERS_AT_ONCE = 1 << 23  # numbers of several streams, some 400 MB while they are computed
FROM_UINT32 = float(np.float32(2.3283064e-10))  # 2^-32, as CUDA rounds it
FROM_UINT32_TURN = float(np.float32(2.3283064e-10 * 6.2831855))


class Philox:
    """The stream of a CUDA generator, on any device: Philox4x32-10 and the sine half of Box-Muller.

    Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3", https://doi.org/10.1145/2063384.2063405.
    `seed` is taken modulo 2^64.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.key = (seed & MASK, seed >> 32 & MASK)
        self.device = device
        self.draws = 0

    def __call__(self, shape: _Shape) -> torch.Tensor:
        """The next draw: standard normal, float32, `shape`."""
        return _philox([self], shape)[0]


def next_of_each(streams: Sequence[DrawNormal], shape: _Shape) -> torch.Tensor:
    """The next numbers of every stream, (N, *shape); "NV" computes many streams in one go."""
    philox = [stream for stream in streams if isinstance(stream, Philox)]
    if len(philox) < len(streams):
        return torch.stack([stream(shape) for stream in streams])
    most = max(NUMBERS_AT_ONCE // max(math.prod(shape), 1), 1)
    parts = [_philox(philox[i : i + most], shape) for i in range(0, len(philox), most)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _philox(streams: Sequence[Philox], shape: _Shape) -> torch.Tensor:
    """The next draw of streams on one device, (N, *shape); they count on."""
    rows = [[stream.draws, *_round_keys(stream.key)] for stream in streams]
    device = torch.device(streams[0].device)
    draws, *keys = sent(torch.tensor(rows), device).split(1, dim=1)  # (N, 1) each
    for stream in streams:
        stream.draws += 1
    zero = torch.zeros(1, 1, dtype=torch.int64, device=device)
    places = torch.arange(math.prod(shape), device=device)[None]
    x, y, _, _ = _philox4x32_10([draws, zero, places, zero], keys)
    u = x.double() * FROM_UINT32 + FROM_UINT32 / 2
    v = y.double() * FROM_UINT32_TURN + FROM_UINT32_TURN / 2
    return ((-2 * u.log()).sqrt() * v.sin()).float().reshape(len(streams), *shape)


def _round_keys(key: tuple[int, int]) -> list[int]:
    """Both halves of the key of each of the ten rounds."""
    k0, k1 = key
    return [half for n in range(10) for half in (k0 + n * 0x9E3779B9 & MASK, k1 + n * 0xBB67AE85 & MASK)]


def _philox4x32_10(counter: Sequence[torch.Tensor], keys: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Ten rounds on four 32-bit words, each held in int64, whose wrapping product has the right 64 bits."""
    a, b, c, d = counter
    for k0, k1 in zip(keys[::2], keys[1::2], strict=True):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (q >> 32 & MASK) ^ b ^ k0, q & MASK, (p >> 32 & MASK) ^ d ^ k1, p & MASK
    return [a, b, c, d]


@dataclass(frozen=True)
class Source:
    """Where the numbers come from: `kind` "CPU", "GPU" or "NV", and the device on which "GPU" and "NV" compute."""

    kind: str
    device: torch.device

    def stream(self, seed: int) -> DrawNormal:
        """A new stream of `seed`: each call gives its next numbers, float32, on the device they were drawn on."""
        if self.kind == "NV":
            return Philox(seed, self.device)
        device = torch.device("cpu") if self.kind == "CPU" else self.device
        generator = torch.Generator(device).manual_seed(seed)
        return lambda shape: torch.randn(shape, generator=generator, device=device)


def pick_source(rng: str, device: torch.device) -> tuple[Source, tuple[str, ...]]:
    """The source for a job's `rng` on `device`, and what the user should know about it.

    The noise of a picture that says "GPU" (or nothing) came from a CUDA generator; without CUDA "NV" gives the same
    numbers, computed on the CPU, because it needs float64 and not every device has that.
    """
    if device.type != "cuda":
        notes = ("RNG GPU: no CUDA device is here, so the NV emulation made the same noise",) if rng == "GPU" else ()
        return Source("NV" if rng == "GPU" else rng, torch.device("cpu")), notes
    return Source(rng, device), ()


def slerp(strength: float, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """From `low` (0) to `high` (1) along the sphere, both (C, H, W); each column (C, W) turns by its own angle over H.

    That is the webui's: norm and dot product run along the rows. Nearly parallel tensors are mixed linearly, with the
    webui's swapped weights.
    """
    unit_low = low / low.norm(dim=1, keepdim=True)
    unit_high = high / high.norm(dim=1, keepdim=True)
    dot = (unit_low * unit_high).sum(1)
    if dot.mean() > 0.9995:
        return low * strength + high * (1 - strength)
    omega = dot.acos()
    turn = omega.sin()
    from_low, from_high = ((1 - strength) * omega).sin() / turn, (strength * omega).sin() / turn
    return from_low.unsqueeze(1) * low + from_high.unsqueeze(1) * high


class ImageNoise:
    """The streams of a batch: the first draw is the starting noise, the next ones feed ancestral samplers.

    delta: added to the seeds of the next ones (the webui's ENSD).
    resized: (h, w) of another picture, whose starting noise lies in the middle of this one's; None is none.
    """

    def __init__(
        self,
        source: Source,
        seeds: Sequence[int],
        shape: _Shape,
        *,
        delta: int = 0,
        resized: tuple[int, int] | None = None,
    ) -> None:
        self.source, self.seeds = source, seeds
        self.shape = shape  # (C, h, w) of one image
        self.delta, self.resized = delta, resized
        self.streams = [source.stream(seed) for seed in seeds]

    def first(self, variations: Sequence[tuple[int, float]]) -> torch.Tensor:
        """The starting noise (B, C, h, w); `variations` is a seed and a strength 0..1 for each image."""
        starts = [self._start(*one) for one in zip(self.seeds, self.streams, variations, strict=True)]
        if self.delta:
            self.streams = [self.source.stream(seed + self.delta) for seed in self.seeds]
        return torch.stack(starts)

    def _start(self, seed: int, stream: DrawNormal, variation: tuple[int, float]) -> torch.Tensor:
        subseed, strength = variation
        shape = self.shape if self.resized is None else (self.shape[0], *self.resized)
        other = shape != self.shape
        noise = (self.source.stream(seed) if other else stream)(shape)
        if strength:
            noise = slerp(strength, noise, self.source.stream(subseed)(shape))
        return _centred(noise, stream(self.shape)) if other else noise

    def __call__(self, sigma: float, sigma_next: float) -> torch.Tensor:
        """The streams' next numbers (B, C, h, w), whatever the levels."""
        return next_of_each(self.streams, self.shape)


def _centred(inner: torch.Tensor, outer: torch.Tensor) -> torch.Tensor:
    """`outer` (C, H, W) with the middle of `inner` (C, h, w) in its own middle, as far as that reaches."""
    result = outer.clone()
    (to_y, from_y), (to_x, from_x) = (_overlap(*sides) for sides in zip(outer.shape[1:], inner.shape[1:], strict=True))
    result[:, to_y, to_x] = inner[:, from_y, from_x]
    return result


def _overlap(outer: int, inner: int) -> tuple[slice, slice]:
    """Where in `outer` and from where in `inner`; an odd rest is rounded down, as the webui does it."""
    shift = (outer - inner) // 2
    if shift >= 0:
        return slice(shift, shift + inner), slice(0, inner)
    length = inner + 2 * shift
    return slice(0, length), slice(-shift, -shift + length)


@dataclass(frozen=True)
class _Node:
    """An interval of a Brownian path and its place in the tree."""

    start: float
    end: float
    depth: int = 0
    place: int = 0  # within its depth, from the left

    def halves(self) -> "tuple[_Node, _Node]":
        middle = round(0.5 * (self.end + self.start), Brownian.DIGITS)
        left = _Node(self.start, middle, self.depth + 1, 2 * self.place)
        return left, _Node(middle, self.end, self.depth + 1, 2 * self.place + 1)


def drawn_seed(seed: int) -> int:
    """What k-diffusion draws as the seed of a tree that is given none, by torch's generator with the picture's seed."""
    return int(torch.randint(2**63 - 1, [], generator=torch.Generator().manual_seed(seed)))


class Brownian:
    """Standard normal noise between any two levels, consistent for every choice of levels: W(b) - W(a), scaled.

    One path an image. An interval halves until its ends, on a grid of 1e-6, are met; the left half's increment is
    drawn by a fresh stream, whose seed depends on the image's seed and the node's place only (Li et al. 2020, the
    virtual Brownian tree, https://arxiv.org/abs/2001.01328; torchsde's BrownianTree with tol 1e-6 and pool size 24).
    """

    DIGITS = 6
    KEEP = 48  # nodes; one step walks two paths of about 24

    def __init__(self, source: Source, seeds: Sequence[int], shape: _Shape, span: tuple[float, float]) -> None:
        """`shape` is (C, h, w) of one image, `span` the smallest and the largest level that will be asked for."""
        self.source, self.seeds, self.shape = source, seeds, shape
        low, high = span
        self.root = _Node(round(low, self.DIGITS), round(high, self.DIGITS))
        self.whole = self._draws([()])[0] * math.sqrt(high - low)
        self.kept: OrderedDict[_Node, torch.Tensor] = OrderedDict()
        self.drawn: dict[_Node, torch.Tensor] = {}  # ahead of a walk, all in one go

    def __call__(self, sigma: float, sigma_next: float) -> torch.Tensor:
        """Noise (B, C, h, w) for the step from `sigma` to `sigma_next`."""
        low, high = sorted((sigma, sigma_next))
        start, end = max(round(low, self.DIGITS), self.root.start), min(round(high, self.DIGITS), self.root.end)
        if start >= end:
            return torch.zeros_like(self.whole)
        lacking = [node for node in self._halved(self.root, start, end) if node not in self.kept]
        self.drawn = dict(zip(lacking, self._draws([(node.place, node.depth) for node in lacking]), strict=True))
        increment = reduce(torch.add, self._pieces(self.root, self.whole, start, end))
        while len(self.kept) > self.KEEP:
            self.kept.popitem(last=False)
        sign = -1 if sigma > sigma_next else 1
        return increment * (sign / float(np.sqrt(np.float32(high) - np.float32(low))))

    def _halved(self, node: _Node, start: float, end: float) -> Iterator[_Node]:
        """The nodes that `_pieces` halves."""
        if (start, end) == (node.start, node.end):
            return
        yield node
        left, right = node.halves()
        if start < left.end:
            yield from self._halved(left, start, min(end, left.end))
        if end > left.end:
            yield from self._halved(right, max(start, left.end), end)

    def _pieces(self, node: _Node, increment: torch.Tensor, start: float, end: float) -> Iterator[torch.Tensor]:
        """The increments of the fewest nodes that make up start..end, from the left."""
        if (start, end) == (node.start, node.end):
            yield increment
            return
        left, right = node.halves()
        left_increment = self._left(node, left, increment)
        if start < left.end:
            yield from self._pieces(left, left_increment, start, min(end, left.end))
        if end > left.end:
            yield from self._pieces(right, increment - left_increment, max(start, left.end), end)

    def _left(self, node: _Node, left: _Node, increment: torch.Tensor) -> torch.Tensor:
        """The left half's increment, given the whole's: normal, mean and variance of a Brownian bridge."""
        if node in self.kept:
            self.kept.move_to_end(node)
            return self.kept[node]
        before, after = left.end - node.start, node.end - left.end
        per_length = 1 / (node.end - node.start)
        bridge = before * increment * per_length
        self.kept[node] = bridge + math.sqrt(before * after * per_length) * self.drawn.pop(node)
        return self.kept[node]

    def _draws(self, places: Sequence[tuple[int, ...]]) -> Sequence[torch.Tensor]:
        """Standard normal numbers (B, C, h, w) that belong to each place in the tree; () is the whole."""
        spawned = [
            np.random.SeedSequence(seed, spawn_key=place, pool_size=24) for place in places for seed in self.seeds
        ]
        if not spawned:
            return ()
        streams = [self.source.stream(int(s.generate_state(1)[0])) for s in spawned]
        return next_of_each(streams, self.shape).unflatten(0, (len(places), len(self.seeds))).unbind()
