"""Soft inpainting: laws of its blend and of what it shows. The webui's pictures are in `test_parity`."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ohwx_compare.core.request.job import SoftInpaint
from ohwx_compare.engine.denoiser import Blend
from ohwx_compare.engine.soft_inpaint import blend_softly, changed_mask

SOFT = SoftInpaint()
KEPT, DRAWN = torch.randn(2, 1, 4, 6, 6, generator=torch.Generator().manual_seed(1))


def test_black_keeps_white_redraws_and_grey_redraws_less_the_more_noise_there_is():
    black, grey, white = (torch.full((1, 1, 6, 6), share) for share in (0.0, 0.5, 1.0))
    assert torch.allclose(blend_softly(SOFT, KEPT, DRAWN, black, 5.0), KEPT, atol=1e-4)
    assert torch.allclose(blend_softly(SOFT, KEPT, DRAWN, white, 5.0), DRAWN, atol=1e-4)
    far = [float((blend_softly(SOFT, KEPT, DRAWN, grey, level) - KEPT).norm()) for level in (14.0, 3.0, 0.5, 0.0)]
    assert all(before < after for before, after in pairwise(far))


def test_only_a_hard_blend_puts_the_picture_back_at_the_end():
    grey = torch.full((1, 1, 6, 6), 0.5)
    assert torch.equal(Blend(grey, KEPT, soft=SOFT).end(DRAWN), DRAWN)
    assert torch.allclose(Blend(grey, KEPT).end(DRAWN), (KEPT + DRAWN) / 2)


def test_a_blend_is_as_long_as_what_it_blends():
    blended = blend_softly(SOFT, KEPT, -KEPT.roll(1, dims=1), torch.full((1, 1, 6, 6), 0.5), 1.0)
    assert torch.allclose(blended.norm(dim=1), KEPT.norm(dim=1), rtol=1e-3)


@pytest.mark.parametrize("influence", [0.0, 1.0])
def test_what_did_not_change_is_not_shown_and_what_did_is(influence):
    mask, kept, drawn = torch.ones(1, 12, 12), torch.zeros(4, 12, 12), torch.zeros(4, 12, 12)
    drawn[:, :, 8:] = 5.0
    shown = np.asarray(changed_mask(SoftInpaint(mask_influence=influence), kept, drawn, mask, (96, 96)))
    assert shown[:, :16].max() <= 4
    assert shown[:, 84:].min() > 250
