"""Train the toy world's face detector, a narrow YOLOv8, and print how well it finds the faces of other pictures.

    python tools/toy_detector.py WORK [--steps 6400] [--install]

Goes on from what WORK holds. Ends with WORK/toy_face_yolov8.pt (as ultralytics saves it), WORK/toy_face_yolov8.json
(training record, errors, hash) and the table of docs/toy.md; --install copies both into the package.
Nobody knows where the faces are in what the toy checkpoint draws. It learns from the boxes of a reader that is trained
for that alone, and is measured by those of the packaged one, which has other weights and no part in it.
"""

import argparse
import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from toy_measure import drawn, truth
from toy_reader import teacher
from toy_training import SIZE, Pictures, all_distances, batch_normed, iou, save, soft, train
from ultralytics_pt import save_pt

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Detection, Yolo
from ohwx_compare.engine.weights import load
from ohwx_compare.models.yolov8 import STRIDES, YOLOv8, YOLOv8Config, YOLOv8Output, cell_grid, decode_boxes
from ohwx_compare.toy.checkpoint import write_checkpoint
from ohwx_compare.toy.reader import Reader, load_reader
from ohwx_compare.toy.styles import STYLES

CONFIG = YOLOv8Config(
    widths=(8, 16, 32, 48, 64), depths=(1, 1, 1, 1, 1, 1, 1, 1), classes=1, bins=16, box_width=16, class_width=16
)
SIDE = 640  # px of the letterbox
PART, WHOLE = 448, 0.05  # px of the part of it that is trained on, but for this share of the steps at the end
BATCH, RATE, SEED = 8, 3e-3, 0  # pictures; of AdamW
BOX, SCORE, BINS = 7.5, 0.5, 1.5  # weights of the three losses, ultralytics' own
TOP = 10  # cells that answer for one face
BY_MODEL, AFTER = 6, 1 / 2  # how often each picture of the toy checkpoint counts, from this share of the steps on
GREY = 114  # of the letterbox's padding
INSTALLED = Path(__file__).parents[1] / "ohwx_compare" / "toy" / "data" / "toy_face_yolov8.pt"


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=6400)
    parser.add_argument("--install", action="store_true", help="copy the weights into the package")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    learned, held_out = all_distances(options.work)
    path = options.work / INSTALLED.name
    by_model = drawn_anew(options.work, "drawn", range(10_000, 12_880), Reader(teacher(options.work, learned)))
    held_out["drawn"] = drawn_anew(options.work, "drawn-held-out", range(600), load_reader())
    record = trained(options.work / "detector.pt", path, (learned, by_model), options.steps)
    detector = Yolo(path)
    record |= {"sha256": detector.sha256, "found": {name: by_style(detector, held_out[name]) for name in held_out}}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print("| pictures | AP50 | recall at 0.3 | boxes at 0.3 per picture |\n|---|---:|---:|---:|")
    for distance, styles in record["found"].items():
        for style, (ap, recall, boxes) in styles.items():
            print(f"| {distance}, {style} | {ap:.3f} | {recall:.3f} | {boxes:.2f} |")
    if options.install:
        for file in (path, path.with_suffix(".json")):
            shutil.copy(file, INSTALLED.with_suffix(file.suffix))


def drawn_anew(work: Path, name: str, numbers: range, reader: Reader) -> Pictures:
    """What the toy checkpoint draws from the prompts of these numbers, with the faces where the reader sees them."""
    path = work / f"{name}.npy"
    if not path.exists():
        write_checkpoint(work / "toy.safetensors")
        save(path, np.stack([np.asarray(image) for image in drawn(load(work / "toy.safetensors"), numbers)]))
    shown = np.load(path)
    boxes = reader.find([Image.fromarray(picture) for picture in shown])
    return Pictures(shown, [truth(number)[0] for number in numbers], boxes)


def trained(state: Path, path: Path, lessons: tuple[Pictures, Pictures], steps: int) -> dict[str, object]:
    """Write the averaged weights to `path`; the record of their training."""
    learned, by_model = lessons
    both = learned
    for _ in range(BY_MODEL):
        both = both + by_model
    torch.manual_seed(SEED)
    network = batch_normed(YOLOv8(CONFIG))
    for stride, box, score in zip(STRIDES, network.model["22"].cv2, network.model["22"].cv3, strict=True):
        box[2].bias.data.fill_(1.0)
        score[2].bias.data.fill_(float(np.log(5 / (SIDE / stride) ** 2)))  # few cells are of a face

    def loss(step: int) -> dict[str, Tensor]:
        x, faces = batch(learned if step < steps * AFTER else both, step, PART if step < steps * (1 - WHOLE) else SIDE)
        return losses(network(x), faces, x.shape[-1])

    average, spent = train(state, network, loss, steps, rate=RATE)
    network.load_state_dict(average)
    save_pt(path, network, ("face",), SIDE)
    return {
        "steps": steps, "batch": BATCH, "rate": RATE, "seed": SEED, "pictures": len(learned),
        "by_model": len(by_model), "cpu_seconds": round(spent), "widths": CONFIG.widths, "torch": torch.__version__,
        "machine": platform.machine(),
    }  # fmt: skip


def batch(of: Pictures, step: int, side: int) -> tuple[Tensor, Tensor]:
    """Parts of letterboxes (B, 3, side, side) and the face in each (B, 4) XYXY px; all 0 where there is none."""
    chance = np.random.RandomState(step)
    shown, faces = [], []
    for i in chance.randint(len(of), size=BATCH):
        picture = np.asarray(of.shown[i])
        if chance.rand() < 0.6:
            picture = soft(smeared(picture, of.boxes[i], chance), chance)
        part, face = letterboxed(picture, of.boxes[i], chance)
        if chance.rand() < 0.5:
            part, face = part[:, ::-1], (SIDE - face[2], face[1], SIDE - face[0], face[3]) if any(face) else face
        part, face = cut(part, face, side, chance)
        shown.append(part)
        faces.append(face)
    x = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(memory_format=torch.channels_last), torch.tensor(faces, dtype=torch.float32)


def smeared(picture: np.ndarray, face: Box, chance: np.random.RandomState) -> np.ndarray:
    """As a model that has learned little draws: blurred, bent, the face without its features; each by chance."""
    if chance.rand() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.8, 2.5))
    if chance.rand() < 0.5:
        y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
        noise = (cv2.GaussianBlur(chance.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 6) for _ in range(2))
        right, down = (field / field.std() * chance.uniform(0.3, 1.5) for field in noise)
        picture = cv2.remap(picture, x + right, y + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if chance.rand() < 0.5:
        mask = np.zeros((SIZE, SIZE), np.float32)
        middle = (round((face.x1 + face.x2) / 2), round((face.y1 + face.y2) / 2))
        share = chance.uniform(0.4, 0.9) / 2
        cv2.ellipse(mask, middle, (round(face.width * share), round(face.height * share)), 0, 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None] * chance.uniform(0.5, 1)
        blank = cv2.GaussianBlur(picture, (0, 0), face.height * chance.uniform(0.05, 0.15))
        picture = (picture * (1 - mask) + blank * mask).astype(np.uint8)
    return np.clip((picture - 128.0) * chance.uniform(0.7, 1.2) + 128 + chance.uniform(-20, 20), 0, 255).astype(
        np.uint8
    )


def letterboxed(picture: np.ndarray, face: Box, chance: np.random.RandomState) -> tuple[np.ndarray, tuple[float, ...]]:
    """The picture or a part of it, 640 px on its longest side, and its face; one part in 20 shows none."""
    window = Box(0, 0, SIZE, SIZE)
    if chance.rand() < 0.05:
        side = chance.uniform(0.25, 0.9) * max(face.x1, SIZE - face.x2)
        x = face.x1 - side if face.x1 > SIZE - face.x2 else face.x2
        y = chance.uniform(0, SIZE - side)
        window, face = Box(x, y, x + side, y + side), Box(0, 0, 0, 0)
    elif chance.rand() < 0.5:
        height = face.height / chance.uniform(0.14, 0.7)
        width = height * np.exp(chance.uniform(-0.4, 0.4)) if chance.rand() < 0.3 else height
        width = max(width, 1.1 * face.width)
        x, y = face.x1 - chance.rand() * (width - face.width), face.y1 - chance.rand() * (height - face.height)
        window = Box(x, y, x + width, y + height)
    scale = SIDE / max(window.width, window.height)
    left, top = ((SIDE - side * scale) / 2 for side in (window.width, window.height))
    matrix = np.float32([
        [scale, 0, left + (0.5 - window.x1) * scale - 0.5],
        [0, scale, top + (0.5 - window.y1) * scale - 0.5],
    ])  # fmt: skip
    border = cv2.BORDER_REPLICATE if chance.rand() < 0.7 else cv2.BORDER_CONSTANT
    part = cv2.warpAffine(
        picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=(GREY,) * 3
    )
    left, top = round(left), round(top)
    part[:top], part[SIDE - top :], part[:, :left], part[:, SIDE - left :] = GREY, GREY, GREY, GREY
    if not face.area:
        return part, (0.0,) * 4
    x, y = matrix[0, 2] + 0.5 - 0.5 * scale, matrix[1, 2] + 0.5 - 0.5 * scale
    return part, tuple(
        float(v) for v in (face.x1 * scale + x, face.y1 * scale + y, face.x2 * scale + x, face.y2 * scale + y)
    )


def cut(
    part: np.ndarray, face: tuple[float, ...], side: int, chance: np.random.RandomState
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Any square of `side` px that holds the face, or its beginning if the face is larger."""
    x, y = (
        int(chance.uniform(max(end - side, 0), max(min(start, SIDE - side), max(end - side, 0)) + 0.999))
        if any(face)
        else chance.randint(0, SIDE - side + 1)
        for start, end in ((face[0], face[2]), (face[1], face[3]))
    )
    x, y = min(x, SIDE - side), min(y, SIDE - side)
    moved = (face[0] - x, face[1] - y, face[2] - x, face[3] - y) if any(face) else face
    return part[y : y + side, x : x + side], tuple(min(max(edge, 0.0), float(side)) for edge in moved)


def losses(output: YOLOv8Output, faces: Tensor, side: int) -> dict[str, Tensor]:
    """YOLOv8's three losses for at most one face a picture, (B, 4) XYXY px.

    Which cells answer: task-aligned assignment (TOOD, Feng et al. 2021, arXiv:2108.07755). Boxes: CIoU (Zheng et al.
    2020, arXiv:1911.08287) and distribution focal loss (Li et al. 2020, arXiv:2006.04388).
    """
    scores, distances = output.scores[..., 0].float(), output.distances.float()
    centres, strides = cell_grid((side, side), scores.device)
    targets = assigned(scores.detach(), distances.detach(), faces, side)
    row, cell = targets.nonzero(as_tuple=True)
    weight, total = targets[row, cell], targets.sum().clamp(min=1)
    boxes = decode_boxes(distances[row, cell], cell, (side, side))
    centre, stride = centres[cell], strides[cell, None]
    face = faces[row]
    sides = torch.cat([centre - face[:, :2] / stride, face[:, 2:] / stride - centre], 1)
    bins = binned(distances[row, cell].unflatten(1, (4, -1)), sides)
    return {
        "box": BOX * (weight * (1 - ciou(boxes, face))).sum() / total,
        "score": SCORE * F.binary_cross_entropy_with_logits(scores, targets, reduction="sum") / total,
        "bins": BINS * (weight * bins).sum() / total,
    }


def assigned(scores: Tensor, distances: Tensor, faces: Tensor, side: int) -> Tensor:
    """What each cell's score should be, (B, A): 0, or for the best `TOP` cells inside the face how well they do."""
    targets = torch.zeros_like(scores)
    centres, strides = cell_grid((side, side), scores.device)
    centres = centres * strides[:, None]
    for row, face in enumerate(faces):
        inside = ((centres > face[:2]) & (centres < face[2:])).all(1).nonzero()[:, 0]
        if len(inside) == 0:
            continue
        overlap = ciou(decode_boxes(distances[row, inside], inside, (side, side)), face[None]).clamp(min=0)
        aligned = scores[row, inside].sigmoid().sqrt() * overlap**6
        best = aligned.topk(min(TOP, len(inside))).indices
        share = aligned[best] / aligned[best].max().clamp(min=1e-9)
        targets[row, inside[best]] = share * overlap[best].max()
    return targets


def binned(logits: Tensor, sides: Tensor) -> Tensor:
    """Distribution focal loss of (N, 4, bins) logits for distances (N, 4) in cells: their mean, (N,)."""
    sides = sides.clamp(0, logits.shape[2] - 1.01)
    low = sides.long()
    share = sides - low
    log = logits.log_softmax(2)
    near, far = (log.gather(2, at[..., None])[..., 0] for at in (low, low + 1))
    return -(near * (1 - share) + far * share).mean(1)


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU of boxes (N, 4) XYXY and as many, or one: IoU less what middles and proportions differ, (N,)."""
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    overlap = shared / (size_a.prod(1) + size_b.prod(1) - shared + 1e-7)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    apart = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) ** 2).sum(1) / 4 / ((hull**2).sum(1) + 1e-7)
    angle_a, angle_b = (torch.atan(size[:, 0] / (size[:, 1] + 1e-7)) for size in (size_a, size_b))
    shape = 4 / torch.pi**2 * (angle_a - angle_b) ** 2
    with torch.no_grad():
        trade = shape / (shape - overlap + 1 + 1e-7)
    return overlap - apart - trade * shape


def by_style(detector: Yolo, of: Pictures) -> dict[str, tuple[float, float, float]]:
    """For each style, and for "all": AP50, recall at confidence 0.3, boxes above 0.3 per picture."""
    found = detector.detect([Image.fromarray(np.asarray(shown)) for shown in of.shown], 0.001)
    chosen = {style: [i for i, truth in enumerate(of.truths) if truth["style"] == style] for style in STYLES}
    chosen = {"all": list(range(len(of))), **chosen}
    return {style: measured([found[i] for i in which], [of.boxes[i] for i in which]) for style, which in chosen.items()}


def measured(found: Sequence[Sequence[Detection]], faces: Sequence[Box]) -> tuple[float, float, float]:
    """AP50, recall and boxes per picture at confidence 0.3; one face each.

    AP50 is the area under the precision's envelope over recall; a face is hit once, by its most certain box of IoU 0.5.
    """
    answers = []
    for detections, face in zip(found, faces, strict=True):
        hits = [iou(detection.box, face) >= 0.5 for detection in detections]
        first = hits.index(True) if True in hits else None
        answers += [(detection.confidence, i == first) for i, detection in enumerate(detections)]
    answers.sort(key=lambda answer: -answer[0])
    hit = np.array([is_hit for _, is_hit in answers], float)
    recall, precision = hit.cumsum() / len(faces), hit.cumsum() / np.arange(1, len(hit) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap = float((np.diff(recall, prepend=0) * envelope).sum())
    sure = [(confidence, is_hit) for confidence, is_hit in answers if confidence > 0.3]
    return ap, sum(is_hit for _, is_hit in sure) / len(faces), len(sure) / len(faces)


if __name__ == "__main__":
    main()
