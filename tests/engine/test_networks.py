"""Layers of LoRA files: each kind is its own definition, and each trainer's names lead to one place."""

import json

import pytest
import torch
from torch.nn import functional as F

from ohwx_compare.engine.networks.deltas import change
from ohwx_compare.engine.networks.names import layer_and_part, places, spellings
from ohwx_compare.engine.weights import PREFIXES
from ohwx_compare.testing.parts import lora_targets


def numbers(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture(scope="module")
def full(goldens):
    """Names and shapes of a full SDXL checkpoint, and its places for LoRAs."""
    manifest = json.loads((goldens / "sdxl_manifest.json").read_text(encoding="utf-8"))
    shapes = {name: tuple(entry[-1]) for name, entry in manifest.items()}
    known = {}
    for part in ("unet", "clip_l", "clip_g"):
        prefix = PREFIXES[part]
        known |= places(part, {n.removeprefix(prefix): s for n, s in shapes.items() if n.startswith(prefix)})
    return shapes, known


def after_diffusers(sep):
    """The UNet's transformers by diffusers' names: where, how deep and what is in a block of SDXL's configuration."""
    blocks = [("down_blocks", 1, (0, 1), 2), ("down_blocks", 2, (0, 1), 10), ("mid_block", None, (0,), 10),
              ("up_blocks", 0, (0, 1, 2), 10), ("up_blocks", 1, (0, 1, 2), 2)]  # fmt: skip
    inside = [f"attn{a}{sep}{what}" for a in (1, 2) for what in ("to_q", "to_k", "to_v", f"to_out{sep}0")]
    inside += [f"ff{sep}net{sep}0{sep}proj", f"ff{sep}net{sep}2"]
    for block, number, attentions, depth in blocks:
        for attention in attentions:
            root = sep.join([block, *([str(number)] if number is not None else []), "attentions", str(attention)])
            yield from (f"{root}{sep}{end}" for end in ("proj_in", "proj_out"))
            for i in range(depth):
                yield from (f"{root}{sep}transformer_blocks{sep}{i}{sep}{one}" for one in inside)


def test_every_layer_that_sd_scripts_trains_has_a_place_at_full_size(full):
    """sd-scripts says of SDXL: 722 modules of the UNet, 72 and 192 of the text encoders."""
    shapes, known = full
    targets = lora_targets(shapes)
    counts = {kind: sum(name.startswith(kind) for name in targets) for kind in ("lora_unet", "lora_te1", "lora_te2")}
    assert counts == {"lora_unet": 722, "lora_te1": 72, "lora_te2": 192}
    assert targets.keys() <= known.keys()
    assert lora_targets(shapes, convolutions=True).keys() <= known.keys()


@pytest.mark.parametrize("form", ["lora_unet_{}.lora_down.weight", "unet.{}.lora_A.weight", "unet.{}.lora.down.weight"])
def test_diffusers_names_lead_to_the_same_places(full, form):
    shapes, known = full
    unet = {name for name in lora_targets(shapes) if name.startswith("lora_unet")}
    found = set()
    for name in after_diffusers("_" if form.startswith("lora_unet") else "."):
        layer, part = layer_and_part(form.format(name))
        assert part == "lora_down.weight"
        found |= {one for one in spellings(layer) if one in known}
    assert found == unet


def test_names_of_single_layers(full):
    _, known = full
    for written, place in (
        ("lora_unet_down_blocks_0_resnets_1_conv1.alpha", "input_blocks.2.0.in_layers.2.weight"),
        ("lora_unet_up_blocks_0_upsamplers_0_conv.alpha", "output_blocks.2.2.conv.weight"),
        ("lora_unet_down_blocks_1_downsamplers_0_conv.alpha", "input_blocks.6.0.op.weight"),
        ("lora_unet_mid_block_resnets_1_time_emb_proj.alpha", "middle_block.2.emb_layers.1.weight"),
        ("lora_unet_conv_in.alpha", "input_blocks.0.0.weight"),
        ("lora_unet_add_embedding_linear_2.alpha", "label_emb.0.2.weight"),
        ("unet.mid_block.attentions.0.transformer_blocks.3.attn2.processor.to_out_lora.up.weight",
         "middle_block.1.transformer_blocks.3.attn2.to_out.0.weight"),
        ("text_encoder.text_model.encoder.layers.4.mlp.fc1.lora_B.weight",
         "transformer.text_model.encoder.layers.4.mlp.fc1.weight"),
        ("base_model.model.text_encoder_2.text_model.encoder.layers.31.self_attn.out_proj.lora_A.weight",
         "model.transformer.resblocks.31.attn.out_proj.weight"),
    ):  # fmt: skip
        layer, _ = layer_and_part(written)
        assert [known[one].weight for one in spellings(layer) if one in known] == [place]
    layer, _ = layer_and_part("lora_te2_text_model_encoder_layers_0_self_attn_v_proj.lora_up.weight")
    assert known[layer].third == 2


def test_a_convolution_of_low_rank_is_two_convolutions():
    x, weight = numbers(1, 5, 8, 8), numbers(6, 5, 3, 3)
    parts = {"lora_down.weight": numbers(2, 5, 3, 3), "lora_up.weight": numbers(6, 2, 1, 1), "alpha": torch.tensor(1.0)}
    delta, bias = change("layer", parts, weight)
    two = F.conv2d(F.conv2d(x, parts["lora_down.weight"], padding=1), parts["lora_up.weight"]) / 2
    torch.testing.assert_close(F.conv2d(x, delta, padding=1), two)
    assert bias is None


def test_a_bias_counts_beside_a_whole_difference_alone():
    """As in the webui's network_lora.py and network_full.py."""
    weight, bias = numbers(6, 5), {"diff_b": numbers(6)}
    low_rank = {"lora_down.weight": numbers(2, 5), "lora_up.weight": numbers(6, 2)}
    assert change("l", low_rank | bias, weight)[1] is None
    assert change("l", {"diff": numbers(6, 5)} | bias, weight)[1] is bias["diff_b"]


def test_a_core_is_a_convolution_between_two():
    x, weight = numbers(1, 5, 8, 8), numbers(6, 5, 3, 3)
    down, mid, up = numbers(2, 5, 1, 1), numbers(2, 2, 3, 3), numbers(6, 2, 1, 1)
    delta, _ = change("l", {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up}, weight)
    three = F.conv2d(F.conv2d(F.conv2d(x, down), mid, padding=1), up)
    torch.testing.assert_close(F.conv2d(x, delta, padding=1), three)


def test_fewer_ranks_are_the_first_ones():
    down, up, weight = numbers(4, 5), numbers(6, 4), numbers(6, 5)
    parts = {"lora_down.weight": down, "lora_up.weight": up}
    torch.testing.assert_close(change("l", parts, weight, rank=2)[0], up[:, :2] @ down[:2])
    torch.testing.assert_close(change("l", parts, weight, rank=9)[0], up @ down)


def test_products_by_hadamard_and_kronecker():
    weight, a = numbers(6, 4), [numbers(6, 2), numbers(2, 4), numbers(6, 2).flip(0), numbers(2, 4).flip(0)]
    hada = dict(zip(("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"), a, strict=True))
    delta, _ = change("l", {**hada, "alpha": torch.tensor(4.0)}, weight)
    torch.testing.assert_close(delta, 2 * (a[0] @ a[1]) * (a[2] @ a[3]))
    one, two = numbers(2, 2), numbers(3, 2)
    kron, _ = change("l", {"lokr_w1": one, "lokr_w2": two}, weight)
    for i in range(2):
        for j in range(2):
            torch.testing.assert_close(kron[3 * i : 3 * i + 3, 2 * j : 2 * j + 2], one[i, j] * two)
    split, _ = change("l", {"lokr_w1": one, "lokr_w2_a": numbers(3, 1), "lokr_w2_b": numbers(1, 2)}, weight)
    torch.testing.assert_close(split, torch.kron(one, numbers(3, 1) @ numbers(1, 2)))


def test_dora_sets_the_norms():
    weight, magnitude = numbers(6, 5), numbers(1, 5).abs()
    parts = {"lora_down.weight": numbers(2, 5), "lora_up.weight": numbers(6, 2), "dora_scale": magnitude}
    changed = weight + change("l", parts, weight)[0]
    torch.testing.assert_close(changed.norm(dim=0), magnitude[0])
    plain = weight + numbers(6, 2) @ numbers(2, 5)
    torch.testing.assert_close(changed / changed.norm(dim=0), plain / plain.norm(dim=0))


def test_ia3_norms_and_differences():
    weight, scale = numbers(6, 5), numbers(6)
    out, _ = change("l", {"weight": scale, "on_input": torch.tensor(0.0)}, weight)
    torch.testing.assert_close(out, weight * scale[:, None])
    by_input, _ = change("l", {"weight": numbers(5), "on_input": torch.tensor(1.0)}, weight)
    torch.testing.assert_close(by_input, weight * numbers(5))
    assert change("l", {"w_norm": numbers(6), "b_norm": numbers(6) + 1}, numbers(6))[1].equal(numbers(6) + 1)
    delta, bias = change("l", {"diff": numbers(6, 5), "diff_b": numbers(6)}, weight)
    assert delta.equal(numbers(6, 5))
    assert bias.equal(numbers(6))
