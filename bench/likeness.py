"""Likeness: time of a face, and how far apart one person and strangers lie, altered and drawn in styles.

usage: python bench/likeness.py --weights DIR [--people DIR] [--detector FILE] [--threads 1]

Time: the face of tests/goldens/astronaut.png in a picture of 1024 px, after detection: two looks for the landmarks, the
cut and the network. Table: DIR holds a folder of photographs for each person, and at least one of them has two.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Cascade, Yolo
from ohwx_compare.engine.face_reader import FaceReader
from ohwx_compare.judge.families import FAMILIES
from ohwx_compare.judge.references import FaceSight, read_references
from ohwx_compare.judge.style_scale import style_scale
from ohwx_compare.judge.weights import find_face_files

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS / "judge"))

from alterations import ALTERATIONS  # noqa: E402

BOX = Box(99, 63, 186, 150)  # of the face in the photograph of 288 px


def report_time(reader: FaceReader) -> None:
    """Wall and CPU milliseconds a face: alone, and in a batch of 16."""
    image = Image.open(TESTS / "goldens" / "astronaut.png").convert("RGB").resize((1024, 1024))
    box = Box(*(edge * 1024 / 288 for edge in BOX.xyxy))
    for count in (1, 16):
        images, boxes = [image] * count, [box] * count
        reader.read(images, boxes)
        walls, used = [], []
        for _ in range(40 // count + 10):
            started, before = time.perf_counter(), time.process_time()
            reader.read(images, boxes)
            walls.append((time.perf_counter() - started) / count * 1e3)
            used.append((time.process_time() - before) / count * 1e3)
        print(
            f"{count} together: median {statistics.median(walls):.1f} ms wall, {statistics.median(used):.1f} ms CPU, "
            f"best {min(walls):.1f} ms a face"
        )


def report_people(sight: FaceSight, folder: Path) -> None:
    """Distances of altered photographs to untouched ones: of the same person (others of him), and of strangers."""
    people = {one.name: read_references([one], sight, least=1) for one in sorted(folder.iterdir()) if one.is_dir()}
    faces = [(name, face) for name, person in people.items() for face in person.faces]
    names = np.array([name for name, _ in faces])
    kept = np.stack([face.descriptor for _, face in faces])
    is_same = (names[:, None] == names) & ~np.eye(len(names), dtype=bool)
    is_other = names[:, None] != names
    print(f"{len(faces)} photographs of {len(people)} people; {is_same.sum()} and {is_other.sum()} pairs")
    alterations = {**ALTERATIONS, **{f.name: _drawn(f) for f in FAMILIES if f.name != "photo"}}
    for what, alter in alterations.items():
        altered = [alter(face.crop, face.box) for _, face in faces]
        found = sight.reader.read([image for image, _ in altered], [box for _, box in altered])
        apart = np.linalg.norm(found[:, None] - kept[None], axis=2)
        same, others = apart[is_same], apart[is_other]
        auc = style_scale(others.tolist(), same.tolist()).apart
        print(
            f"{what:24} same {same.mean():.3f}, most {same.max():.3f}; strangers {others.mean():.3f}, "
            f"least {others.min():.3f}; AUC {auc:.3f}"
        )


def _drawn(family):
    return lambda crop, box: (Image.fromarray(family.draw(crop)), box)


def main() -> None:
    """Print both reports."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, help="folder of dlib's files; else an installed package's")
    parser.add_argument("--people", type=Path)
    parser.add_argument("--detector", type=Path, help="a YOLOv8 file; else OpenCV's cascade")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    reader = FaceReader.load(*find_face_files(named=options.weights))
    print(f"both files verified and read in {time.perf_counter() - started:.2f} s")
    report_time(reader)
    if options.people:
        report_people(FaceSight(Yolo(options.detector) if options.detector else Cascade(), reader), options.people)


if __name__ == "__main__":
    main()
