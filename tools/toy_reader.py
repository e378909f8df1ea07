"""Train the reader of the toy world on true pictures, and print how well it reads others.

    python tools/toy_reader.py WORK [--steps 3000] [--install]

Goes on from what WORK holds. Ends with WORK/reader.safetensors, WORK/reader.json (training record, errors, hash) and
the tables of docs/toy.md; --install copies the first two into the package.
"""

import argparse
import hashlib
import json
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from toy_training import SIZE, Pictures, all_distances, batch_normed, iou, soft, train

from ohwx_compare.core.geometry import Box
from ohwx_compare.models.yolov8 import fold_batch_norm
from ohwx_compare.toy.reader import (
    FACE_FIELDS,
    FIELDS,
    READER_SIDE,
    WEIGHTS,
    Reader,
    ReaderNetwork,
    face_window,
    is_visible,
)
from ohwx_compare.toy.styles import STYLES

BATCH, RATE, SEED = 32, 3e-3, 0  # pictures; of AdamW
CLEAN = 0.4  # of the pictures are left as they are
TEACHER = (2000, 77)  # steps and seed of `teacher`


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--install", action="store_true", help="copy the weights into the package")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    learned, held_out = all_distances(options.work)
    weights, record = trained(options.work / "reader.pt", learned, options.steps, labels(learned))
    path = options.work / "reader.safetensors"
    save_file(weights, path)
    reader = Reader(weights)
    shuffled = labels(learned)[np.random.RandomState(SEED).permutation(len(learned))]
    control, _ = trained(options.work / "reader-shuffled.pt", learned, options.steps // 10, shuffled)
    record |= {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "errors": {name: errors(reader, held_out[name]) for name in held_out},
        "softened": errors(reader, softened(held_out["near"])),
        "shuffled": errors(Reader(control), held_out["near"]),
        "chance": chance_errors(held_out["near"]),
        "boxes": {name: box_errors(reader, held_out[name]) for name in held_out},
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(*tables(record), sep="\n")
    if options.install:
        for file in (path, path.with_suffix(".json")):
            shutil.copy(file, WEIGHTS.with_suffix(file.suffix))


def trained(
    state: Path, learned: Pictures, steps: int, targets: np.ndarray, seed: int = SEED
) -> tuple[dict[str, Tensor], dict]:
    """The folded weights, float16, and the record of their training. seed: what the first weights are drawn from."""
    torch.manual_seed(seed)
    network = batch_normed(ReaderNetwork())

    def loss(step: int) -> dict[str, Tensor]:
        x, boxes, chosen, whole = batch(learned, step)
        wanted = torch.from_numpy(np.where(whole[:, None], targets[chosen], targets[chosen] * ON_FACE + ON_FACE - 1))
        logits, found = network(x)
        parts = zip(logits.float().split([len(words) for words in FIELDS.values()], 1), wanted.T, strict=True)
        words = sum(F.cross_entropy(own, word, ignore_index=-1, reduction="sum") for own, word in parts)
        return {"words": words / (wanted >= 0).sum(), "box": 5 * F.smooth_l1_loss(found.float(), boxes, beta=0.05)}

    average, spent = train(state, network, loss, steps, rate=RATE)
    record = {
        "steps": steps, "batch": BATCH, "rate": RATE, "seed": seed, "pictures": len(learned),
        "cpu_seconds": round(spent), "torch": torch.__version__, "machine": platform.machine(),
    }  # fmt: skip
    return {name: value.half().contiguous() for name, value in fold_batch_norm(average).items()}, record


def teacher(work: Path, learned: Pictures) -> dict[str, Tensor]:
    """Another reader from other first weights, float16: for what shall learn from one and be measured by the other."""
    steps, seed = TEACHER
    return trained(work / "teacher.pt", learned, steps, labels(learned), seed)[0]


ON_FACE = np.array([name in ("style", *FACE_FIELDS) for name in FIELDS]).astype(np.int64)  # 1: read in `read_faces` too


def labels(of: Pictures) -> np.ndarray:
    """The number of each field's word, (N, fields) int64; -1 where it cannot be seen."""
    return np.array([
        [
            words.index(truth[field]) if is_visible(field, truth, height=box.height / SIZE) else -1
            for field, words in FIELDS.items()
        ]
        for truth, box in zip(of.truths, of.boxes, strict=True)
    ])  # fmt: skip


def batch(of: Pictures, step: int) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    """Pictures (B, 3, 96, 96), their faces' boxes (B, 4), which they are, and which are whole rather than the face."""
    chance = np.random.RandomState(step)
    chosen, whole = chance.randint(len(of), size=BATCH), chance.rand(BATCH) < 0.5
    shown, boxes = [], []
    for i, is_whole in zip(chosen, whole, strict=True):
        picture = of.shown[i] if chance.rand() < CLEAN else soft(of.shown[i], chance)
        window = jittered(Box(0, 0, SIZE, SIZE) if is_whole else face_window(of.boxes[i]), chance)
        part, box = through(picture, of.boxes[i], window)
        if chance.rand() < 0.5:
            part, box = part[:, ::-1], (1 - box[0], *box[1:])
        shown.append(part)
        boxes.append(box)
    x = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(memory_format=torch.channels_last), torch.tensor(boxes, dtype=torch.float32), chosen, whole


def jittered(window: Box, chance: np.random.RandomState) -> Box:
    """A little larger or smaller, a little beside."""
    side = window.width * np.exp(chance.uniform(-0.12, 0.12))
    x, y = chance.uniform(-0.05, 0.05, 2) * side
    x, y = x + (window.x1 + window.x2) / 2, y + (window.y1 + window.y2) / 2
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def through(picture: np.ndarray, face: Box, window: Box) -> tuple[np.ndarray, tuple[float, ...]]:
    """The window on 96 x 96 px, and the face's box (middle, width, height) in parts of it."""
    scale = READER_SIDE / window.width
    matrix = np.float32([
        [scale, 0, (0.5 - window.x1) * scale - 0.5],
        [0, scale, (0.5 - window.y1) * scale - 0.5],
    ])  # fmt: skip
    part = cv2.warpAffine(
        np.asarray(picture), matrix, (READER_SIDE, READER_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = (face.x1 + face.x2) / 2 - window.x1, (face.y1 + face.y2) / 2 - window.y1
    return part, tuple(float(v) / window.width for v in (x, y, face.width, face.height))


def softened(of: Pictures) -> Pictures:
    """The same pictures after `soft`."""
    chance = np.random.RandomState(SEED)
    return Pictures([soft(np.asarray(shown), chance) for shown in of.shown], of.truths, of.boxes)


def errors(reader: Reader, of: Pictures) -> dict[str, dict[str, list[int]]]:
    """field -> style -> wrong, read: of whole pictures.

    Beside every field of the face, "FIELD in its box" has the same of `read_faces` with the true boxes.
    """
    images = [Image.fromarray(np.asarray(shown)) for shown in of.shown]
    whole, faces = reader.read(images), reader.read_faces(images, of.boxes)
    counts = {field: _counts(field, of, whole) for field in FIELDS}
    return counts | {f"{field} in its box": _counts(field, of, faces) for field in FACE_FIELDS}


def _counts(field: str, of: Pictures, readings: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, list[int]]:
    counts = {style: [0, 0] for style in STYLES}
    for truth, box, reading in zip(of.truths, of.boxes, readings, strict=True):
        if is_visible(field, truth, height=box.height / SIZE):
            counts[truth["style"]][0] += max(reading[field], key=reading[field].__getitem__) != truth[field]
            counts[truth["style"]][1] += 1
    return counts


def chance_errors(of: Pictures) -> dict[str, list[int]]:
    """field -> wrong, read, for one who always says the commonest word."""
    shown = labels(of)
    seen = {field: column[column >= 0] for field, column in zip(FIELDS, shown.T, strict=True)}
    return {field: [len(words) - int(np.bincount(words).max()), len(words)] for field, words in seen.items()}


def box_errors(reader: Reader, of: Pictures) -> dict[str, float]:
    """Of the boxes that the reader finds: mean IoU with the true ones, and how many reach 0.5."""
    found = reader.find([Image.fromarray(np.asarray(shown)) for shown in of.shown])
    ious = [iou(a, b) for a, b in zip(found, of.boxes, strict=True)]
    return {"mean": float(np.mean(ious)), "half": float(np.mean(np.array(ious) >= 0.5))}


def tables(record: Mapping) -> Iterator[str]:
    """The tables of docs/toy.md: errors in percent."""
    yield "| wrong, % | all | " + " | ".join(STYLES) + " | far | close | softened | shuffled | chance |"
    yield "|---|" + "---:|" * (len(STYLES) + 6)
    for field, by_style in record["errors"]["near"].items():
        cells = [_percent(by_style.values())]
        cells += [_percent([by_style[style]]) for style in STYLES]
        cells += [_percent(record["errors"][name][field].values()) for name in ("far", "close")]
        cells += [_percent(record[name][field].values()) for name in ("softened", "shuffled")]
        cells.append(_percent([record["chance"][field.removesuffix(" in its box")]]))
        yield f"| {field} | " + " | ".join(cells) + " |"
    yield ""
    for name, boxes in record["boxes"].items():
        yield f"boxes, {name}: mean IoU {boxes['mean']:.3f}, {boxes['half']:.1%} reach 0.5"


def _percent(counts: Iterable[Sequence[int]]) -> str:
    wrong, read = map(sum, zip(*counts, strict=True))
    return f"{100 * wrong / read:.1f}" if read else "-"


if __name__ == "__main__":
    main()
