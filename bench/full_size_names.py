"""What trainers call the layers of SDXL that their LoRAs change, written out from the published architecture.

It knows nothing of the names in this package. Sources: kohya-ss/sd-scripts at 48d368fa, `library/sdxl_original_unet.py`
(`SdxlUNet2DConditionModel`), `library/sdxl_model_util.py` (`make_unet_conversion_map`), `networks/lora.py` (target
modules and prefixes; it prints "create LoRA for Text Encoder 1: 72 modules", "Text Encoder 2: 192 modules", "U-Net: 722
modules"); huggingface/diffusers v0.30.0, `src/diffusers/models/unets/unet_2d_condition.py`, with `unet/config.json` of
stabilityai/stable-diffusion-xl-base-1.0 (block_out_channels 320, 640, 1280; transformer_layers_per_block 1, 2, 10, the
first block without attention; layers_per_block 2; cross_attention_dim 2048); huggingface/peft v0.12.0,
`src/peft/utils/save_and_load.py` (lora_A.weight, lora_B.weight).
"""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["FORMS", "Form", "Layer", "encoder_layers", "unet_layers"]

CHANNELS, TEXT = (320, 640, 1280), 2048
DEPTHS = (0, 2, 10)  # transformer blocks of each attention, by level
ENCODERS = ((12, 768), (32, 1280))  # layers and width


@dataclass(frozen=True)
class Layer:
    """A layer as a file names it; kernel (): linear."""

    name: str
    inputs: int
    outputs: int
    kernel: tuple[int, ...] = ()


@dataclass(frozen=True)
class Form:
    """One way to name layers."""

    title: str
    is_diffusers: bool  # the UNet's blocks: down_blocks, else input_blocks
    is_dotted: bool  # names as modules have them, else joined by underscores
    down: str
    up: str
    has_convolutions: bool = False
    unet: str = "lora_unet_"
    encoders: tuple[str, str] = ("lora_te1_", "lora_te2_")


_KOHYA = {"is_dotted": False, "down": "lora_down.weight", "up": "lora_up.weight"}
_DOTTED = {"is_diffusers": True, "is_dotted": True, "unet": "unet.", "encoders": ("text_encoder.", "text_encoder_2.")}
FORMS = (
    Form("sd-scripts, input_blocks", is_diffusers=False, **_KOHYA),
    Form("sd-scripts, input_blocks, with convolutions", is_diffusers=False, has_convolutions=True, **_KOHYA),
    Form("sd-scripts, down_blocks", is_diffusers=True, **_KOHYA),
    Form("sd-scripts, down_blocks, with convolutions", is_diffusers=True, has_convolutions=True, **_KOHYA),
    Form("diffusers (lora.down, lora.up)", down="lora.down.weight", up="lora.up.weight", **_DOTTED),
    Form("PEFT (lora_A, lora_B)", down="lora_A.weight", up="lora_B.weight", **_DOTTED),
    Form("PEFT, with convolutions", down="lora_A.weight", up="lora_B.weight", has_convolutions=True, **_DOTTED),
)


def unet_layers(form: Form) -> Iterator[Layer]:
    """The UNet's."""
    for level in range(3):
        for place in range(2):
            wide = CHANNELS[max(level - 1, 0)] if place == 0 else CHANNELS[level]
            yield from _pair(form, "down", level, place, wide, CHANNELS[level], DEPTHS[level])
        if level < 2:
            yield from _sampler(form, "down", level)
    middle = CHANNELS[-1]
    for place in range(2):
        at = f"mid_block.resnets.{place}" if form.is_diffusers else f"middle_block.{2 * place}"
        yield from _resnet(form, at, middle, middle)
    at = "mid_block.attentions.0" if form.is_diffusers else "middle_block.1"
    yield from _attention(form, at, middle, DEPTHS[-1])
    skips = (1280, 1280, 640, 640, 640, 320, 320, 320, 320)  # what the way up gets from the way down
    before = 1280
    for block, level in enumerate((2, 1, 0)):
        for place in range(3):
            yield from _pair(
                form, "up", block, place, before + skips[3 * block + place], CHANNELS[level], DEPTHS[level]
            )
            before = CHANNELS[level]
        if block < 2:
            yield from _sampler(form, "up", block)


def encoder_layers(form: Form) -> Iterator[Layer]:
    """Both text encoders' linear layers, which transformers names alike."""
    for prefix, (count, width) in zip(form.encoders, ENCODERS, strict=True):
        for number in range(count):
            at = f"text_model.encoder.layers.{number}"
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                yield _layer(form, prefix, f"{at}.self_attn.{name}", width, width)
            yield _layer(form, prefix, f"{at}.mlp.fc1", width, 4 * width)
            yield _layer(form, prefix, f"{at}.mlp.fc2", 4 * width, width)


def _layer(form: Form, prefix: str, name: str, inputs: int, outputs: int, kernel: tuple[int, ...] = ()) -> Layer:
    return Layer(prefix + (name if form.is_dotted else name.replace(".", "_")), inputs, outputs, kernel)


def _pair(form: Form, way: str, block: int, place: int, wide: int, width: int, depth: int) -> Iterator[Layer]:
    """A residual block, and the attention after it where there is one."""
    number = 1 + 3 * block + place if way == "down" else 3 * block + place
    ours = f"{'input' if way == 'down' else 'output'}_blocks.{number}"
    resnet = f"{way}_blocks.{block}.resnets.{place}" if form.is_diffusers else f"{ours}.0"
    yield from _resnet(form, resnet, wide, width)
    if depth:
        attention = f"{way}_blocks.{block}.attentions.{place}" if form.is_diffusers else f"{ours}.1"
        yield from _attention(form, attention, width, depth)


def _attention(form: Form, at: str, width: int, depth: int) -> Iterator[Layer]:
    yield _layer(form, form.unet, f"{at}.proj_in", width, width)
    yield _layer(form, form.unet, f"{at}.proj_out", width, width)
    for number in range(depth):
        block = f"{at}.transformer_blocks.{number}"
        for name, seen in (("attn1", width), ("attn2", TEXT)):
            yield _layer(form, form.unet, f"{block}.{name}.to_q", width, width)
            yield _layer(form, form.unet, f"{block}.{name}.to_k", seen, width)
            yield _layer(form, form.unet, f"{block}.{name}.to_v", seen, width)
            yield _layer(form, form.unet, f"{block}.{name}.to_out.0", width, width)
        yield _layer(form, form.unet, f"{block}.ff.net.0.proj", width, 8 * width)
        yield _layer(form, form.unet, f"{block}.ff.net.2", 4 * width, width)


def _resnet(form: Form, at: str, wide: int, width: int) -> Iterator[Layer]:
    if not form.has_convolutions:
        return
    first, second, time, skip = (
        ("conv1", "conv2", "time_emb_proj", "conv_shortcut")
        if form.is_diffusers
        else ("in_layers.2", "out_layers.3", "emb_layers.1", "skip_connection")
    )
    yield _layer(form, form.unet, f"{at}.{first}", wide, width, (3, 3))
    yield _layer(form, form.unet, f"{at}.{second}", width, width, (3, 3))
    yield _layer(form, form.unet, f"{at}.{time}", 4 * CHANNELS[0], width)
    if wide != width:
        yield _layer(form, form.unet, f"{at}.{skip}", wide, width, (1, 1))


def _sampler(form: Form, way: str, block: int) -> Iterator[Layer]:
    if form.has_convolutions:
        width = CHANNELS[block] if way == "down" else CHANNELS[2 - block]
        ours = f"input_blocks.{3 + 3 * block}.0.op" if way == "down" else f"output_blocks.{2 + 3 * block}.2.conv"
        theirs = f"{way}_blocks.{block}.{way}samplers.0.conv"
        yield _layer(form, form.unet, theirs if form.is_diffusers else ours, width, width, (3, 3))
