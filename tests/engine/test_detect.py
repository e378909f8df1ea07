import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from ohwx_compare.core.geometry import Box
from ohwx_compare.engine.detect import Cascade, Yolo, find_detector
from ohwx_compare.engine.detector_file import DetectorFile, read_detector, write_detector
from ohwx_compare.engine.segments import letterboxed_mask
from ohwx_compare.errors import DetectorError

IMAGES = ("article", "size_192x128", "batch_2x2.0", "portrait", "tall_832x1216")


def corners(box):
    return [box.x1, box.y1, box.x2, box.y2]


@pytest.fixture(scope="module")
def yolo(detector_file):
    loaded = {}

    def load(name):
        if name not in loaded:
            loaded[name] = Yolo(detector_file(name))
        return loaded[name]

    return load


@pytest.fixture(scope="module")
def picture(goldens):
    return lambda name: Image.open(goldens / f"{name}.png")


@pytest.fixture(scope="module")
def reference(goldens):
    return json.loads((goldens / "detections.json").read_text(encoding="utf-8"))


def compare(detections, expected):
    """Every box of the reference is among ours, each once; ours come by falling confidence."""
    assert len(detections) == expected["count"]
    confidences = [d.confidence for d in detections]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[: len(expected["conf"])] == pytest.approx(expected["conf"], abs=1e-4)
    matched = set()
    for box, confidence in zip(expected["boxes"], expected["conf"], strict=True):
        distances = [
            np.abs(np.subtract(corners(d.box), box)).max() if abs(d.confidence - confidence) < 1e-4 else np.inf
            for d in detections
        ]
        assert min(distances) < 0.01
        matched.add(int(np.argmin(distances)))
    assert len(matched) == len(expected["boxes"])


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("name", ["drawn_yolov8", "drawn_yolov8-seg"])
def test_boxes_are_ultralytics(yolo, picture, reference, name, image):
    compare(yolo(name).detect([picture(image)], 0.3)[0], reference[f"{name}/{image}"])


@pytest.mark.parametrize("image", IMAGES)
def test_the_old_file_finds_the_same(yolo, picture, image):
    old, new = (yolo(name).detect([picture(image)], 0.3)[0] for name in ("drawn_yolov8_old", "drawn_yolov8"))
    assert [(d.box, d.confidence) for d in old] == [(d.box, d.confidence) for d in new]


@pytest.mark.parametrize("image", IMAGES)
def test_masks_are_ultralytics_before_the_padding_is_cut(yolo, picture, reference, image):
    expected = reference[f"drawn_yolov8-seg/{image}"]
    found = yolo("drawn_yolov8-seg").find([picture(image)], 0.3)[0]
    counts = []
    for i in range(len(expected["mask_pixels"])):
        mask = letterboxed_mask(found.coefficients[i], found.prototypes, Box(*found.boxes[i].tolist()))
        assert list(mask.shape) == expected["mask_shape"]
        counts.append(int(mask.sum()))
    # Two boxes of one picture share a confidence to 2e-6 and may come in either order.
    assert sorted(counts) == pytest.approx(sorted(expected["mask_pixels"]), abs=3)


def test_masks_lie_on_the_picture_inside_their_boxes(yolo, picture):
    image = picture("tall_832x1216")
    seg = yolo("drawn_yolov8-seg")
    found = seg.find([image], 0.5)[0]
    for i, detection in enumerate(seg.detect([image], 0.5)[0]):
        box = detection.box
        assert detection.mask.shape == (1216, 832)
        outside = detection.mask.copy()
        outside[round(box.y1) : round(box.y2), round(box.x1) : round(box.x2)] = False
        assert not outside.any()
        # The same picture area as the letterboxed mask's, but for the edge of one prototype cell.
        raw = letterboxed_mask(found.coefficients[i], found.prototypes, Box(*found.boxes[i].tolist()))
        raw_area = int(raw.sum()) / found.letterbox.scale**2
        edge = 2 * (box.width + box.height) * 4 / found.letterbox.scale
        assert abs(detection.mask.sum() - raw_area) <= edge


def test_a_mask_is_cut_free_of_the_padding(yolo):
    """A picture and the same picture letterboxed by hand give the same mask, moved by the padding."""
    drawn = np.random.default_rng(1).integers(0, 256, (40, 28, 3), np.uint8)
    image = Image.fromarray(drawn).resize((438, 640), Image.Resampling.BICUBIC)
    padded = Image.new("RGB", (448, 640), (114, 114, 114))
    padded.paste(image, (5, 0))
    seg = yolo("drawn_yolov8-seg")
    alone, within = seg.detect([image], 0.3)[0], seg.detect([padded], 0.3)[0]
    assert alone
    for a, b in zip(alone, within, strict=True):
        assert a.confidence == pytest.approx(b.confidence, abs=1e-5)
        inner = b.mask[:, 5:443]
        assert (a.mask != inner).mean() < 0.001


def test_pictures_of_all_sizes_and_modes_come_back_in_order(yolo, picture):
    images = [picture(name) for name in ("article", "tall_832x1216", "portrait", "size_192x128")]
    images.append(images[0].convert("RGBA"))
    detector = yolo("drawn_yolov8")
    together = detector.detect(images, 0.4)
    for image, found in zip(images, together, strict=True):
        alone = detector.detect([image], 0.4)[0]
        assert [(d.box, d.confidence) for d in alone] == [(d.box, d.confidence) for d in found]
    assert detector.detect([], 0.4) == []


def test_a_higher_confidence_only_drops(yolo, picture):
    low, high = (yolo("drawn_yolov8").detect([picture("article")], c)[0] for c in (0.1, 0.35))
    assert [(d.box, d.confidence) for d in low if d.confidence > 0.35] == [(d.box, d.confidence) for d in high]


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (1000, 17), (640, 640), (641, 640)])
def test_any_size_is_taken_and_boxes_lie_inside(yolo, size):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    for detection in yolo("drawn_yolov8-seg").detect([Image.fromarray(noise)], 0.2)[0]:
        x1, y1, x2, y2 = corners(detection.box)
        assert 0 <= x1 <= x2 <= size[0]
        assert 0 <= y1 <= y2 <= size[1]
        assert detection.mask.shape == size[::-1]


# Files


@pytest.mark.parametrize("name", ["drawn_yolov8", "drawn_yolov8-seg", "drawn_yolov8_old"])
def test_kept_as_safetensors_it_is_the_same_detector(yolo, detector_file, picture, tmp_path, name):
    file = read_detector(detector_file(name))
    write_detector(tmp_path / "kept ä.safetensors", file)
    back = read_detector(tmp_path / "kept ä.safetensors")
    assert (back.names, back.task, back.size) == (file.names, file.task, file.size)
    assert back.state.keys() == file.state.keys()
    assert all(torch.equal(back.state[key], value) for key, value in file.state.items())
    kept = Yolo(tmp_path / "kept ä.safetensors")
    assert kept.kind == yolo(name).kind
    one, two = (d.detect([picture("article")], 0.3)[0] for d in (kept, yolo(name)))
    assert [(d.box, d.confidence) for d in one] == [(d.box, d.confidence) for d in two]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": 1}, "without a model"),
        ([1, 2], "without a model"),
        ({"model": torch.nn.Linear(1, 1)}, "holds a torch.nn.modules.linear.Linear"),
        ({"model": {"weight": torch.zeros(1)}}, "holds a dict"),
        ({"model": None, "ema": None}, "holds a NoneType"),
    ],
)
def test_a_pt_of_something_else_is_named(tmp_path, content, words):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(DetectorError, match=words):
        Yolo(tmp_path / "a.pt")


def test_a_broken_safetensors_is_named(tmp_path, goldens):
    write_detector(tmp_path / "a.safetensors", read_detector(goldens / "drawn_yolov8.pt"))
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-100])
    with pytest.raises(DetectorError, match=r"a\.safetensors"):
        Yolo(tmp_path / "a.safetensors")


@pytest.mark.parametrize("wrong", [{"task": "pose"}, {"size": 0}, {"size": 10**9}])
def test_a_detector_for_something_else_is_refused(wrong):
    with pytest.raises(DetectorError):
        DetectorFile(**{"state": {}, "names": (), "task": "detect", **wrong})


# Finding


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No Hugging Face cache of this machine is seen."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


def test_a_file_is_found_below_the_first_folder_that_has_it(goldens, nowhere):
    one, two = nowhere / "one", nowhere / "two ö" / "sub [x]"
    one.mkdir()
    two.mkdir(parents=True)
    shutil.copy(goldens / "drawn_yolov8.pt", two / "face.pt")
    detector = find_detector("face.pt", [nowhere / "missing", one, nowhere / "two ö"])
    assert (detector.name, detector.kind, detector.note) == ("face.pt", "yolov8", "")
    write_detector(one / "face.safetensors", read_detector(goldens / "drawn_yolov8-seg.pt"))
    assert find_detector("face.pt", [one, nowhere / "two ö"]).kind == "yolov8-seg"


@pytest.mark.parametrize("variable", ["HF_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE", "XDG_CACHE_HOME"])
def test_adetailers_own_download_is_found(goldens, nowhere, monkeypatch, variable):
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv(variable, str(nowhere / "cache"))
    hub = {"HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}.get(variable, "")
    repository = nowhere / "cache" / hub / "models--Bingsu--adetailer"
    for revision, name in (("aaa", "drawn_yolov8"), ("bbb", "drawn_yolov8-seg")):
        (repository / "snapshots" / revision).mkdir(parents=True)
        shutil.copy(goldens / f"{name}.pt", repository / "snapshots" / revision / "face_yolov8n.pt")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("aaa")
    assert find_detector("face_yolov8n.pt", []).kind == "yolov8"


def test_a_detector_that_is_not_there_is_an_error_with_those_that_are(goldens, nowhere):
    (nowhere / "in").mkdir()
    shutil.copy(goldens / "drawn_yolov8.pt", nowhere / "in" / "other.pt")
    with pytest.raises(
        DetectorError, match=r"no face detector face_yolov8n\.pt .*other\.pt, opencv-frontalface"
    ) as error:
        find_detector("face_yolov8n.pt", [nowhere])
    assert str(nowhere) in str(error.value)
    assert find_detector("opencv-frontalface", [nowhere]).name == "opencv-frontalface"


def test_a_name_does_not_lead_out_of_its_folder(goldens, nowhere):
    (nowhere / "in").mkdir()
    shutil.copy(goldens / "drawn_yolov8.pt", nowhere / "face.pt")
    with pytest.raises(DetectorError, match="no face detector"):
        find_detector("../face.pt", [nowhere / "in"])


def test_mediapipe_is_refused_by_name(nowhere):
    with pytest.raises(DetectorError, match="mediapipe_face_full"):
        find_detector("mediapipe_face_full", [nowhere])


# The cascade


def test_the_cascade_finds_the_face_of_the_portrait(picture):
    cascade = Cascade()
    faces, nothing = cascade.detect([picture("portrait"), Image.new("RGB", (64, 64))], 0.3)
    assert len(faces) == 1
    assert nothing == []
    assert 0.85 < faces[0].confidence < 1
    assert len(cascade.sha256) == 64
    assert cascade.detect([picture("portrait")], 0.999) == [[]]
