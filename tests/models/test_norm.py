import pytest
import torch

from ohwx_compare.models.norm import GroupNorm


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_large_map_is_normalised_as_exactly_in_one_layout_as_in_the_other(layout):
    norm = GroupNorm(4, 8, eps=1e-6)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 1.5, 8))
        norm.bias.copy_(torch.linspace(-1, 1, 8))
    x = torch.randn(2, 8, 256, 256, generator=torch.Generator().manual_seed(1)) * 1.5 + 0.7
    exact = torch.nn.functional.group_norm(x.double(), 4, norm.weight.double(), norm.bias.double(), 1e-6)
    y = norm(x.contiguous(memory_format=layout))
    assert (y - exact).abs().max() < 3e-6
    assert y.is_contiguous(memory_format=layout)


def test_a_map_of_one_row_is_normalised():
    norm = GroupNorm(2, 4)
    x = torch.randn(1, 4, 1, 5)
    assert torch.allclose(norm(x), torch.nn.functional.group_norm(x, 2))
