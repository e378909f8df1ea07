"""The denoiser's algebra, with a UNet that answers what it is told."""

import pytest
import torch

from ohwx_compare.engine.conditioning import Conditioning, Entry, Subprompt
from ohwx_compare.engine.denoiser import Blend, Denoiser, Guidance, in_force
from ohwx_compare.engine.levels import ModelSigmas

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


def denoise(conditionings, scales, blend=None, sigma=2.0, images=1, **rules):
    unet = Echo(sigma)
    model = Denoiser(unet, LEVELS, "eps", conditionings, Guidance(scales=scales, **rules), blend)
    with torch.no_grad():
        return model(X.expand(images, -1, -1, -1), sigma), unet


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


def texts_seen(tokens, negative, *, skipped=False, **rules):
    """Lengths and last values of what the UNet gets for a prompt and a negative of so many tokens."""
    seen = []

    class Reader(Echo):
        def forward(self, x, timesteps, context, y):
            seen.extend((len(text), text[-1, 0].item()) for text in context)
            return torch.zeros_like(x)

    own = Conditioning(
        positive=(Subprompt(weight=1.0, schedule=(entry(3.0, tokens),)),), negative=(entry(1.0, negative),), **rules
    )
    guidance = Guidance(scales=[2.0], early=1.0 if skipped else 0.0)
    Denoiser(Reader(2.0), LEVELS, "eps", [own], guidance)(X, 2.0)
    return sorted(seen)


def test_texts_are_padded_as_the_job_asks():
    """`pad_cond_uncond`: by empty text, whichever is shorter; `_v0`: the negative, by its last vector, or cut."""
    empty = {"padding": torch.full((77, 3), 9.0)}
    assert texts_seen(154, 77) == [(77, 1.0), (154, 3.0)]
    assert texts_seen(231, 77, **empty) == [(231, 3.0), (231, 9.0)]
    assert texts_seen(77, 154, **empty) == [(154, 1.0), (154, 9.0)]
    assert texts_seen(77, 154, skipped=True, **empty) == [(154, 9.0)]
    assert texts_seen(154, 77, negative_follows=True) == [(154, 1.0), (154, 3.0)]
    assert texts_seen(77, 154, negative_follows=True, **empty) == [(77, 1.0), (77, 3.0)]


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

    model = Denoiser(Perfect(sigma), LEVELS, prediction, [prompt((1.0, 1.0))], Guidance(scales=[1.0]))
    assert torch.allclose(model(picture + sigma * noise, sigma), picture, atol=1e-5)


def test_a_prompt_switches_one_call_late():
    schedule = (entry(1.0, until=2), entry(2.0, until=4))
    assert [in_force(schedule, call) for call in range(6)] == [0, 0, 0, 1, 1, 0]


def test_the_model_follows_the_prompt_schedule():
    changing = Conditioning((Subprompt(1.0, (entry(1.0, until=0), entry(2.0, until=9))),), (entry(0.0),))
    model = Denoiser(Echo(2.0), LEVELS, "eps", [changing], Guidance(scales=[1.0]))
    with torch.no_grad():
        seen = [model(X, 2.0).mean().item() for _ in range(3)]
    assert seen == pytest.approx([1.0, 2.0, 2.0], abs=1e-4)


def calls_of(count, **rules):
    """The denoised value and the UNet's rows at each of `count` calls at level 2; prompt 3, negative 1, scale 4."""
    unet = Echo(2.0)
    model = Denoiser(unet, LEVELS, "eps", [prompt((3.0, 1.0), negative=1.0)], Guidance(scales=[4.0], **rules))
    with torch.no_grad():
        values = [round(model(X, 2.0).mean().item(), 3) for _ in range(count)]
    return values, [shape[0] for shape, _ in unet.calls]


def test_below_a_level_every_second_call_goes_without_the_negative_prompt():
    assert calls_of(3, below=1.9) == ([9.0] * 3, [2] * 3)
    assert calls_of(3, below=2.1) == ([9.0, 3.0, 9.0], [2, 1, 2])
    assert calls_of(3, below=2.1, below_always=True) == ([3.0] * 3, [1] * 3)
    time = LEVELS.time(2.0)
    assert calls_of(2, below=time - 1, below_always=True, by_time=True)[0] == [9.0, 9.0]
    assert calls_of(2, below=time + 1, below_always=True, by_time=True)[0] == [3.0, 3.0]


def test_texts_are_projected_once_however_often_the_negative_prompt_comes_and_goes():
    unet = Echo(2.0)
    read, unet.read = [], lambda context: read.append(1) or context
    guidance = Guidance(scales=[4.0], below=2.1)
    model = Denoiser(unet, LEVELS, "eps", [prompt((3.0, 1.0), negative=1.0)], guidance)
    with torch.no_grad():
        for _ in range(8):
            model(X, 2.0)
    assert len(read) == 2  # with the negative and without it


def test_a_share_of_the_first_calls_goes_without_it():
    assert calls_of(4, early=0.25, calls=8)[0] == [3.0, 3.0, 3.0, 9.0]


def test_without_the_negative_prompt_the_parts_go_from_the_first():
    parts = [prompt((3.0, 0.5), (5.0, 0.7), negative=1.0)]
    out, _ = denoise(parts, [4.0], below=9.0, below_always=True)
    assert torch.allclose(out, torch.full_like(out, 3 + (5 - 3) * 0.7), atol=1e-4)


def test_a_factor_of_a_call_is_on_the_scale():
    assert calls_of(3, factors=[0.5, 1.0])[0] == [5.0, 9.0, 9.0]


def test_what_stays_is_blended_in_before_the_model_sees_it_on_timesteps():
    """There x has variance 1, so that latents without noise count for more; what the model says of x is not blended."""
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    latents = torch.full((1, 4, 2, 2), 0.5)
    seen = []

    class Sees(Echo):
        def forward(self, x, timesteps, context, y):
            seen.append(x[:1] * 5**0.5)
            return torch.zeros_like(x)  # no noise: what it sees is what it says

    guidance = Guidance(scales=[1.0])
    model = Denoiser(Sees(2.0), LEVELS, "eps", [prompt((0.0, 1.0))], guidance, Blend(mask, latents, first=True))
    out = model(X, 2.0)
    assert torch.allclose(seen[0], X * mask + latents * 5**0.5 * (1 - mask), atol=1e-5)
    assert torch.allclose(out, X, atol=1e-5)


def test_at_cfg_1_no_negative_row_is_computed_where_it_cancels():
    def rows(conditioning, scales, **rules):
        out, unet = denoise(conditioning, scales, images=len(scales), **rules)
        return sum(shape[0] for shape, _ in unet.calls), out

    one = prompt((3.0, 1.0), negative=1.0)
    assert rows([one], [1.0])[0] == 1
    assert torch.allclose(rows([one], [1.0])[1], torch.tensor(3.0), atol=1e-4)
    assert rows([one, one], [1.0, 1.0])[0] == 2
    assert rows([one, one], [1.0, 2.0])[0] == 4  # one batch, one plan
    assert rows([prompt((3.0, 0.5), negative=1.0)], [1.0])[0] == 2
    assert rows([prompt((3.0, 1.0), (5.0, 1.0), negative=1.0)], [1.0])[0] == 3
    assert rows([one], [1.0], factors=[0.5])[0] == 2
