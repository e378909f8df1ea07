"""The denoiser's algebra, with a UNet that answers what it is told."""

import pytest
import torch

from ohwx_compare.engine.conditioning import Conditioning, Entry, Subprompt
from ohwx_compare.engine.denoiser import Blend, Denoiser, in_force
from ohwx_compare.engine.schedules import ModelSigmas

LEVELS = ModelSigmas()
X = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(1))


def entry(value: float, tokens: int = 77, until: int = 20) -> Entry:
    return Entry(until=until, crossattn=torch.full((tokens, 3), value), vector=torch.full((5,), value))


def prompt(*parts: tuple[float, float], negative: float = 0.0, tokens: int = 77) -> Conditioning:
    """Parts are value and weight."""
    return Conditioning(
        positive=tuple(Subprompt(weight=weight, schedule=(entry(value, tokens),)) for value, weight in parts),
        negative=(entry(negative),),
    )


class Echo(torch.nn.Module):
    """Predicts the noise that makes its text's value the denoised picture, and remembers its calls."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))
        self.sigma, self.calls = sigma, []

    def read(self, context):
        return context

    def forward(self, x, timesteps, context, y):
        self.calls.append((tuple(context.shape), timesteps.tolist()))
        assert torch.equal(context[:, -1, 0], y[:, 0])
        return (x * (self.sigma**2 + 1) ** 0.5 - y[:, :1, None, None]) / self.sigma


def denoise(conditionings, scales, blend=None, sigma=2.0, images=1):
    unet = Echo(sigma)
    with torch.no_grad():
        return Denoiser(unet, LEVELS, "eps", conditionings, scales, blend)(X.expand(images, -1, -1, -1), sigma), unet


def test_guidance_goes_from_the_negative_past_the_prompt():
    out, _ = denoise([prompt((3.0, 1.0), negative=1.0)], [4.0])
    assert torch.allclose(out, torch.full_like(out, 1 + (3 - 1) * 4.0), atol=1e-4)


def test_and_adds_each_parts_own_direction():
    out, _ = denoise([prompt((3.0, 1.2), (5.0, 0.7), negative=1.0)], [2.0])
    assert torch.allclose(out, torch.full_like(out, 1 + 2 * 1.2 * 2 + 4 * 0.7 * 2), atol=1e-4)


def test_images_of_one_batch_keep_their_own_texts_and_scales():
    texts = [prompt((3.0, 1.0)), prompt((1.0, 1.0), (2.0, 0.5), tokens=154), prompt((7.0, 1.0), negative=2.0)]
    out, unet = denoise(texts, [2.0, 3.0, 1.0], images=3)
    expected = torch.tensor([6.0, 3.0 + 3.0, 7.0]).view(3, 1, 1, 1).expand_as(out)
    assert torch.allclose(out, expected, atol=1e-4)
    assert [shape for shape, _ in unet.calls] == [(5, 77, 3), (2, 154, 3)]


def test_texts_of_one_length_are_one_call_at_the_levels_own_time():
    _, unet = denoise([prompt((3.0, 1.0))], [2.0])
    ((shape, times),) = unet.calls
    assert shape == (2, 77, 3)
    assert times == pytest.approx([LEVELS.time(2.0)] * 2)


def test_an_inpaint_keeps_what_its_mask_leaves_black():
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    out, _ = denoise([prompt((3.0, 1.0))], [1.0], Blend(mask, torch.full_like(X, 9.0)))
    expected = torch.tensor([[3.0, 9.0], [9.0, 3.0]]).expand_as(out)
    assert torch.allclose(out, expected, atol=1e-4)


@pytest.mark.parametrize("prediction", ["eps", "v"])
@pytest.mark.parametrize("sigma", [0.05, 1.0, 14.0])
def test_both_predictions_find_the_picture_under_the_noise(prediction, sigma):
    picture, noise = X, X.flip(0, 1, 2, 3)
    total = (sigma**2 + 1) ** 0.5
    answer = noise if prediction == "eps" else (noise - sigma * picture) / total

    class Perfect(Echo):
        def forward(self, x, timesteps, context, y):
            assert torch.allclose(x, ((picture + sigma * noise) / total).expand_as(x), atol=1e-5)
            return answer.expand_as(x)

    model = Denoiser(Perfect(sigma), LEVELS, prediction, [prompt((1.0, 1.0))], [1.0])
    assert torch.allclose(model(picture + sigma * noise, sigma), picture, atol=1e-5)


def test_a_prompt_switches_one_call_late():
    schedule = (entry(1.0, until=2), entry(2.0, until=4))
    assert [in_force(schedule, call) for call in range(6)] == [0, 0, 0, 1, 1, 0]


def test_the_model_follows_the_prompt_schedule():
    changing = Conditioning((Subprompt(1.0, (entry(1.0, until=0), entry(2.0, until=9))),), (entry(0.0),))
    model = Denoiser(Echo(2.0), LEVELS, "eps", [changing], [1.0])
    with torch.no_grad():
        seen = [model(X, 2.0).mean().item() for _ in range(3)]
    assert seen == pytest.approx([1.0, 2.0, 2.0], abs=1e-4)
