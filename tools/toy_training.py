"""What the training scripts of the toy world's helpers share: pictures with their truths, and one resumable loop."""

import io
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ohwx_compare.core.geometry import Box
from ohwx_compare.files.atomic import write_bytes
from ohwx_compare.models.yolov8 import Conv
from ohwx_compare.toy.datasets import toy_sample

__all__ = [
    "HELD_OUT",
    "SIZE",
    "BatchNormed",
    "Pictures",
    "all_distances",
    "batch_normed",
    "iou",
    "pictures",
    "save",
    "soft",
    "train",
]

SIZE = 96  # px
HELD_OUT = 100_000  # numbers from here on are never trained on
DISTANCES = {"near": (0.3, 0.55), "far": (0.15, 0.3), "close": (0.55, 0.85)}  # height of the face, parts of the side
_PART = 250  # pictures drawn between two saves
_SAVE = 200  # steps between two saves


@dataclass(frozen=True, eq=False)
class Pictures:
    """Toy pictures and what is true of them."""

    shown: Sequence[np.ndarray]  # (96, 96, 3) uint8 each
    truths: list[Mapping[str, str]]  # style, kind and every trait
    boxes: list[Box]  # of the faces, px

    def __len__(self) -> int:
        return len(self.truths)

    def __add__(self, other: "Pictures") -> "Pictures":
        return Pictures([*self.shown, *other.shown], self.truths + other.truths, self.boxes + other.boxes)


def pictures(work: Path, name: str, numbers: range, distance: str = "near") -> Pictures:
    """`sample(i)` for every number from that distance; drawn to WORK/{name}.npy and .json once, then read."""
    array, rows = work / f"{name}.npy", work / f"{name}.json"
    if not (array.exists() and rows.exists()):
        parts = [_part(work, name, numbers[at : at + _PART], distance) for at in range(0, len(numbers), _PART)]
        write_bytes(rows, json.dumps([row for _, truths in parts for row in truths]).encode())
        save(array, np.concatenate([shown for shown, _ in parts]))
    truths = json.loads(rows.read_text(encoding="utf-8"))[: len(numbers)]
    shown = np.load(array, mmap_mode="r")[: len(numbers)]
    return Pictures(shown, truths, [Box(*row["box"]) for row in truths])


def _part(work: Path, name: str, numbers: range, distance: str) -> tuple[np.ndarray, list[dict[str, object]]]:
    path = work / "parts" / f"{name}-{numbers.start}.npy"
    far, near = DISTANCES[distance]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"drawing {name}: {numbers.start} to {numbers.stop - 1}", flush=True)
        drawn = [toy_sample(i, size=SIZE, far=far, near=near) for i in numbers]
        rows = [{"style": s.style, "box": s.portrait.face.xyxy, **vars(s.person), **vars(s.scene)} for s in drawn]
        write_bytes(path.with_suffix(".json"), json.dumps(rows).encode())
        save(path, np.stack([np.asarray(s.portrait.image) for s in drawn]))
    return np.load(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def save(path: Path, array: np.ndarray) -> None:
    """`np.save` in one step."""
    content = io.BytesIO()
    np.save(content, array)
    write_bytes(path, content.getbuffer())


def all_distances(work: Path) -> tuple[Pictures, dict[str, Pictures]]:
    """What is trained on (6,000 near, 2,000 far, 750 close) and what is held out (750, 500 and 250)."""
    counts = {"near": (6000, 750), "far": (2000, 500), "close": (750, 250)}
    learned, held_out = [], {}
    for at, (distance, (many, few)) in enumerate(counts.items()):
        name = "pictures" if distance == "near" else distance
        first = at * 20_000
        learned.append(pictures(work, name, range(first, first + many), distance))
        first += HELD_OUT
        held_out[distance] = pictures(work, f"{name}-held-out", range(first, first + few), distance)
    return learned[0] + learned[1] + learned[2], held_out


def soft(picture: np.ndarray, chance: np.random.RandomState) -> np.ndarray:
    """As a small VAE, a JPEG, a resize leave it: each with chance 1/2."""
    if chance.rand() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.3, 0.9))
    if chance.rand() < 0.5:
        side = chance.randint(64, SIZE)
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    if chance.rand() < 0.5:
        _, coded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, chance.randint(50, 96)))
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if chance.rand() < 0.5:
        noise = chance.standard_normal(picture.shape) * chance.uniform(0, 6)
        gain = 1 + chance.uniform(-0.06, 0.06, 3)
        picture = np.clip(picture * gain + noise, 0, 255).astype(np.uint8)
    return picture


def iou(a: Box, b: Box) -> float:
    """Intersection over union."""
    shared = Box(max(a.x1, b.x1), max(a.y1, b.y1), min(a.x2, b.x2), min(a.y2, b.y2))
    both = shared.area if shared.width > 0 and shared.height > 0 else 0.0
    return both / (a.area + b.area - both)


class BatchNormed(nn.Module):
    """A `Conv` as it is trained, in ultralytics' names: convolution without bias, batch norm, SiLU."""

    def __init__(self, of: nn.Conv2d) -> None:
        super().__init__()
        self.conv = nn.Conv2d(of.in_channels, of.out_channels, of.kernel_size, of.stride, of.padding, bias=False)
        self.bn = nn.BatchNorm2d(of.out_channels, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


def batch_normed(network: nn.Module) -> nn.Module:
    """The network with a batch norm after every `Conv`, freshly drawn from torch's generator.

    `models.yolov8.fold_batch_norm` turns its state dict back into the folded network's.
    """
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, Conv):
                setattr(parent, name, BatchNormed(child.conv))
            elif isinstance(child, nn.Conv2d):
                setattr(parent, name, nn.Conv2d(child.in_channels, child.out_channels, child.kernel_size))
    return network.to(memory_format=torch.channels_last)


def train(
    state: Path, network: nn.Module, loss: Callable[[int], dict[str, Tensor]], steps: int, *, rate: float
) -> tuple[dict[str, Tensor], float]:
    """AdamW for `steps`; going on from `state` if it is there. The averaged weights and the CPU seconds spent in all.

    `loss(step)` gives the parts of the loss, each weighted already; all its chance must come from `step`.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.02)
    average, done, spent = {name: value.clone() for name, value in network.state_dict().items()}, 0, 0.0
    if state.exists():
        kept = torch.load(state)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        average, done, spent = kept["average"], kept["step"], kept["spent"]
    began = time.process_time() - spent
    for step in range(done, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100) * (0.505 + 0.495 * math.cos(math.pi * step / steps))
        network.train()
        torch.manual_seed(step)
        with torch.autocast("cpu", torch.bfloat16):
            parts = loss(step)
        optimizer.zero_grad()
        sum(parts.values()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        _average(average, network.state_dict(), min(1 - 10 / steps, (step + 1) / (step + 10)))
        if step % 50 == 49:
            losses = " ".join(f"{name} {value.item():.4f}" for name, value in parts.items())
            print(f"{step + 1}/{steps}, {time.process_time() - began:.0f} s of CPU: {losses}", flush=True)
        if step % _SAVE == _SAVE - 1 or step == steps - 1:
            kept = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
            torch.save({**kept, "step": step + 1, "spent": time.process_time() - began}, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
    return average, time.process_time() - began


def _average(average: dict[str, Tensor], now: Mapping[str, Tensor], decay: float) -> None:
    for name, value in now.items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)
