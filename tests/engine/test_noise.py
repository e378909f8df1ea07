"""Noise: the webui's numbers, one stream an image, a Brownian path that forgets nothing."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torchsde
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from ohwx_compare.engine import noise
from ohwx_compare.engine.noise import Brownian, ImageNoise, Philox, Source, drawn_seed, next_of_each, pick_source, slerp

CPU = torch.device("cpu")
SHAPE = (4, 3, 5)


def test_philox_draws_what_a_cuda_generator_draws():
    first = torch.tensor([-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564])  # torch, CUDA
    assert torch.allclose(Philox(0)((12,))[:6], first, atol=1e-7)


def test_philox_is_normal_and_its_draws_differ():
    stream = Philox(2**40 + 3)
    one, two = stream((40_000,)), stream((40_000,))
    assert abs(one.mean()) < 0.02
    assert abs(one.std() - 1) < 0.02
    assert abs(torch.corrcoef(torch.stack([one, two]))[0, 1]) < 0.02


@pytest.mark.parametrize("at_once", [1 << 23, 2 * 60])
def test_streams_together_are_each_alone_wherever_they_are(at_once, monkeypatch):
    monkeypatch.setattr(noise, "NUMBERS_AT_ONCE", at_once)
    seeds = (1, 2**33 + 5, 3)
    alone, together = [Philox(seed) for seed in seeds], [Philox(seed) for seed in seeds]
    for streams in (alone, together):
        streams[1](SHAPE)  # one is further
    for _ in range(2):
        assert torch.equal(next_of_each(together, SHAPE), torch.stack([stream(SHAPE) for stream in alone]))


class Launches(TorchDispatchMode):
    """Counts what would be launched on a device: calls that compute, not views."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["CPU", "GPU", "NV"])
def test_a_steps_noise_of_four_images_takes_few_launches(kind):
    levels = [14.6 * 0.8**n for n in range(12)]
    for made in (
        lambda: ImageNoise(Source(kind, CPU), [1, 2, 3, 4], SHAPE),
        lambda: Brownian(Source(kind, CPU), [1, 2, 3, 4], SHAPE, (levels[-1], levels[0])),
    ):
        drawn = made()
        for level, following in pairwise(levels):
            with Launches() as launches:
                drawn(level, following)
            assert launches.count <= 500


def test_every_word_of_the_seed_counts():
    assert not torch.equal(Philox(5)((8,)), Philox(5 + 2**32)((8,)))


def test_the_cpu_source_is_torchs_generator():
    expected = torch.randn(SHAPE, generator=torch.Generator().manual_seed(7))
    assert torch.equal(Source("CPU", CPU).stream(7)(SHAPE), expected)


def test_gpu_noise_without_a_gpu_is_emulated_and_said():
    source, notes = pick_source("GPU", CPU)
    assert source.kind == "NV"
    assert len(notes) == 1
    assert pick_source("GPU", torch.device("cuda")) == (Source("GPU", torch.device("cuda")), ())
    assert pick_source("CPU", CPU)[1] == ()
    assert pick_source("NV", torch.device("mps"))[0] == Source("NV", CPU)  # which has no float64


@pytest.mark.parametrize("kind", ["CPU", "NV"])
def test_an_image_does_not_know_its_batch(kind):
    source, span = Source(kind, CPU), (0.03, 14.6)
    both, alone = ImageNoise(source, [1, 2], SHAPE), ImageNoise(source, [2], SHAPE)
    assert torch.equal(both.first([(0, 0.0), (9, 0.4)])[1:], alone.first([(9, 0.4)]))
    assert torch.equal(both(2.0, 1.0)[1:], alone(2.0, 1.0))
    both, alone = Brownian(source, [1, 2], SHAPE, span), Brownian(source, [2], SHAPE, span)
    assert torch.equal(both(2.0, 1.0)[1:], alone(2.0, 1.0))


def test_slerp_reaches_both_ends_and_stays_on_the_sphere():
    low, high = (Source("CPU", CPU).stream(seed)((4, 16, 16)) for seed in (1, 2))
    unit_low, unit_high = low / low.norm(dim=1, keepdim=True), high / high.norm(dim=1, keepdim=True)
    assert torch.allclose(slerp(0.0, low, high), low, atol=1e-5)
    assert torch.allclose(slerp(1.0, low, high), high, atol=1e-5)
    assert torch.allclose(slerp(0.3, unit_low, unit_high).norm(dim=1), torch.ones(4, 16), atol=1e-5)


def levels(count: int) -> list[float]:
    return torch.linspace(14.614642, 0.0291675, count).tolist()


@pytest.mark.filterwarnings("ignore:Should have:UserWarning")  # torchsde rounds its own ends
@pytest.mark.parametrize("count", [5, 40])
def test_brownian_is_torchsdes_tree(count):
    ours = Brownian(Source("CPU", CPU), [77], SHAPE, (levels(count)[-1], levels(count)[0]))
    tree = torchsde.BrownianTree(levels(count)[-1], torch.zeros(SHAPE), levels(count)[0], entropy=77)
    for sigma, lower in zip(levels(count)[:-1], levels(count)[1:-1], strict=False):
        scale = float(np.sqrt(np.float32(sigma) - np.float32(lower)))
        assert torch.allclose(ours(sigma, lower)[0], -tree(lower, sigma) / scale, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.03, 14.6), min_size=3, max_size=3, unique_by=lambda v: round(v, 3)))
def test_a_brownian_path_adds_up_and_forgets_no_question(points):
    a, b, c = sorted(points)
    path = Brownian(Source("CPU", CPU), [3], SHAPE, (0.029, 14.7))
    whole = path(a, c) * (c - a) ** 0.5
    assert torch.allclose(path(a, b) * (b - a) ** 0.5 + path(b, c) * (c - b) ** 0.5, whole, atol=2e-4)
    assert torch.equal(path(a, c) * (c - a) ** 0.5, whole)
    assert torch.equal(path(c, a), -path(a, c))


def test_brownian_noise_is_standard_normal_at_every_scale():
    path = Brownian(Source("CPU", CPU), [5], (4, 64, 64), (0.03, 14.6))
    for step in [(14.6, 10.0), (3.0, 2.9), (0.05, 0.049)]:
        assert abs(path(*step).std() - 1) < 0.03


def test_a_delta_moves_the_seed_of_all_noise_but_the_first():
    source, plain = Source("CPU", CPU), [(0, 0.0)]
    moved, other = ImageNoise(source, [5], SHAPE, delta=100), ImageNoise(source, [105], SHAPE)
    assert torch.equal(moved.first(plain), ImageNoise(source, [5], SHAPE).first(plain))
    assert torch.equal(moved(2.0, 1.0)[0], other.first(plain)[0])


@pytest.mark.parametrize(("height", "width"), [(4, 4), (20, 4), (4, 21), (21, 23)])
def test_noise_of_another_size_lies_in_the_middle(height, width):
    source, shape = Source("CPU", CPU), (4, 12, 12)
    (noise,) = ImageNoise(source, [5], shape, resized=(height, width)).first([(0, 0.0)])
    inner, outer = source.stream(5)((4, height, width)), source.stream(5)(shape)
    y, x = (12 - height) // 2, (12 - width) // 2
    for at in ((6, 6), (5, 7)):
        assert torch.equal(noise[:, at[0], at[1]], inner[:, at[0] - y, at[1] - x])
    if height < 12 and width < 12:
        assert torch.equal(noise[:, 0, 0], outer[:, 0, 0])


def test_a_tree_without_a_seed_is_given_the_one_that_torch_draws():
    """With 5 a webui 1.10.1 that was told not to make DPM++ SDE deterministic drew the picture of this tree."""
    assert drawn_seed(5) == 4095051218741643470
