"""What a stranger may hand over: one sentence, status 1 or 2, no traceback, no control character, little time.

Each input has 2 s of CPU time and 200 MB of memory beyond what the programs themselves take.
"""
# ruff: noqa: E501, UP031  tables

import io
import json
import os
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from alone import alone, large_and_some
from PIL import Image

import ohwx_compare.engine.detect  # noqa: F401  imported before anything is timed
from ohwx_compare.cli.main import main
from ohwx_compare.files.images import write_png

resource = pytest.importorskip("resource")  # Windows has no such limits
TEXT = "a man\nSteps: 1, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Model: bad, RNG: CPU, Version: 1.10.1"
DEEP = "[" * 100_000
DIGITS = "9" * 5_000
MEGABYTE = "word " * 200_000
ESCAPE = "\x1b]0;owned\x07\x9b31m"
RECIPE = {"base": "base.safetensors", "train": "train", "output": "out"}
KOHYA = {"pretrained_model_name_or_path": "b", "train_data_dir": "t", "output_dir": "o"}


def job(**changes: object) -> dict:
    return {"job": {"prompt": "a", "seed": 1, **changes}, "axes": [{"kind": "checkpoint", "values": ["bad"]}]}


def axes(*named: tuple[str, object]) -> dict:
    return {"job": {"prompt": "a a a", "seed": 1}, "axes": [{"kind": kind, "values": values} for kind, values in named]}


EXPERIMENTS: dict[str, object] = {
    "deep lists": DEEP, "deep objects": '{"a":' * 50_000, "many digits": '{"job": {"prompt": "a", "seed": %s}}' % DIGITS,
    "NaN": '{"job": {"prompt": "a", "seed": 1, "cfg": NaN}}', "Infinity": '{"job": {"prompt": "a", "seed": 1e999}}',
    "NUL": "\0", "not UTF-8": b"\xff\xfe{", "empty": "", "a list": "[]", "null": "null", "a number": "7", "text": '"x"',
    "six megabytes": " " * 6_000_000, "an empty object": {}, "a job that is a list": {"job": []},
    "axes that are a number": {**job(), "axes": 7}, "an axis that is text": {**job(), "axes": ["seed"]},
    "an axis without values": axes(("seed", [])), "values that are text": axes(("seed", "1-5")),
    "a seed of many digits": axes(("seed", ["1" * 4_000])), "a seed that is a list": axes(("seed", [[1]])),
    "a name of a megabyte": {MEGABYTE: 1}, "an axis of a megabyte": axes((MEGABYTE, [1])),
    "a prompt that is a number": job(prompt=7), "half a surrogate pair": job(prompt="\ud800"),
    "a checkpoint of half a pair": axes(("checkpoint", ["\ud800"])), "a checkpoint of blanks": axes(("checkpoint", [" "])),
    "a checkpoint of two lines": axes(("checkpoint", ["a\nb"])), "a checkpoint with NUL": axes(("checkpoint", ["a\0b"])),
    "a checkpoint of a megabyte": axes(("checkpoint", [MEGABYTE])),
    "a checkpoint that escapes": axes(("checkpoint", [ESCAPE])),
    "no seed": {"job": {"prompt": "a"}}, "a side of 0": job(width=0), "a side of a million": job(width=1_000_000),
    "a million steps": job(steps=1_000_000), "a negative seed": job(seed=-1), "a fraction of a seed": job(seed=1.5),
    "an unknown sampler": job(sampler=ESCAPE), "an unknown schedule": job(schedule=MEGABYTE),
    "a thousand million cells": axes(*((kind, list(range(1, 1_001))) for kind in ("seed", "cfg", "steps"))),
    "a hundred thousand cells": axes(("seed", list(range(400))), ("cfg", list(range(400))), ("checkpoint", ["bad"])),
    "a search that grows": axes(*[("prompt s/r", ["a", "a" * 100])] * 12, ("checkpoint", ["bad"])),
    "a replacement of a megabyte": axes(("prompt s/r", ["a", MEGABYTE]), ("checkpoint", ["bad"])),
    "a style that grows": {**job(), "styles": [{"name": str(n), "prompt": "{prompt}" * 50, "negative": ""} for n in range(9)]},
    "many long prompts": axes(("prompt s/r", ["a", *("b" * 100_000 + str(n) for n in range(20))]), ("seed", list(range(40)))),
    "a style nobody knows": {**job(), "styles": [ESCAPE]}, "styles that are text": {**job(), "styles": "x"},
    "columns nobody knows": {**job(), "columns": MEGABYTE}, "notes that are a number": {**job(), "notes": 7},
    "a face of text": {**job(), "faces": ["x"]}, "a face that merges oddly": {**job(), "faces": [{"model": "m", "merge": ESCAPE}]},
    "a prompt axis of numbers": axes(("prompt", [7])), "a face axis without faces": axes(("face denoise", [0.5])),
    "two seed axes": axes(("seed", [1]), ("seed", [2])), "a value twice": axes(("seed", [1, 1])),
}  # fmt: skip
PLOT = TEXT + ", Script: X/Y/Z plot, X Type: {}, X Values: {}"
TEXTS = {
    "no parameters": "just words", "NUL": "a\0b", "only blanks": " " * 100_000, "fences": "```\n" * 20_000,
    "rules": "---\n" * 50_000, "commas": "," * 500_000, "quotes": "a: \"" * 100_000, "backslashes": TEXT + ', a: "' + "\\" * 200_000,
    "a size of many digits": TEXT.replace("64x64", f"{DIGITS}x64"), "a seed of many digits": TEXT.replace("Seed: 1", f"Seed: {DIGITS}"),
    "steps of many digits": TEXT.replace("Steps: 1", f"Steps: {DIGITS}"), "a CFG of inf": TEXT.replace("CFG scale: 7", "CFG scale: 1e999"),
    "a CFG of nan": TEXT.replace("CFG scale: 7", "CFG scale: nan"), "a sampler that escapes": TEXT.replace("Euler a", ESCAPE),
    "a key that escapes": f"{TEXT}, {ESCAPE}: 1", "our key, deep": f"{TEXT}, ohwx: {DEEP}", "our key, text": f'{TEXT}, ohwx: "x"',
    "our axes, a number": TEXT + ', ohwx: "{\\"experiment\\": {\\"axes\\": 7}}"',
    "a plot of 10,000 million": PLOT.format("Seed", "1-10000000000"), "a plot of no step": PLOT.format("Seed", "1-5 (+0)"),
    "a plot of ranges": PLOT.format("Seed", '"' + "1-10000," * 5_000 + '"'), "a plot of nothing known": PLOT.format(ESCAPE, "1"),
    "a plot of digits": PLOT.format("Seed", DIGITS), "a plot of cubes": PLOT.format("Checkpoint name", "a" + " " * 5_000 + "b [x]"),
    "a plot of blanks": PLOT.format("Seed", "1-" + " " * 50_000 + "x"),
    "a plot of cells": PLOT.format("Seed", "1-1000") + ", Y Type: CFG Scale, Y Values: 1-1000, Z Type: Steps, Z Values: 1-1000",
    "999 face tabs": TEXT + "".join(f", ADetailer model {n}th: m" for n in range(4, 999)), "a face of confidence x": TEXT + ", ADetailer model: m, ADetailer confidence: x",
    "a model of a megabyte": TEXT.replace("Model: bad", f"Model: {MEGABYTE}"), "a model that escapes": TEXT.replace("Model: bad", f"Model: {ESCAPE}"),
}  # fmt: skip
RECIPES: dict[str, object] = {
    "deep lists": DEEP, "many digits": '{"seed": %s}' % DIGITS, "a list": "[]", "empty": "", "NUL": "\0", "not UTF-8": b"\xff",
    "six megabytes": " " * 6_000_000, "no base": {}, "a name of a megabyte": {**RECIPE, MEGABYTE: 1},
    "a base with NUL": {**RECIPE, "base": "a\0b"}, "a base of half a pair": {**RECIPE, "base": "\ud800"},
    "an output with NUL": {**RECIPE, "output": "a\0b"}, "a train folder of half a pair": {**RECIPE, "train": "\ud800"},
    "no such base": RECIPE, "a base that is a number": {**RECIPE, "base": 7}, "epochs of a megabyte": {**RECIPE, "epochs": MEGABYTE},
    "epochs without end": {**RECIPE, "epochs": 10**12}, "a resolution of 2^40": {**RECIPE, "resolution": 2**40},
    "a resolution of digits": '{"base": "b", "train": "t", "output": "o", "resolution": %s}' % ("9" * 4_000),
    "a reg_ratio of 10^9": {**RECIPE, "reg_ratio": 1e9}, "a rate of NaN": '{"base":"b","train":"t","output":"o","lr_unet":NaN}',
    "repeats of 10^12": {**RECIPE, "repeats": 10**12}, "seeds of half": {**RECIPE, "sample_seeds": [0.5]},
    "an argument nobody knows": {**RECIPE, "optimizer_args": {MEGABYTE: 1}}, "a fault nobody knows": {**RECIPE, "compat": [ESCAPE]},
    "a preset nobody knows": {**RECIPE, "preset": MEGABYTE}, "a name with a folder": {**RECIPE, "name": "../x"},
    "kohya: arguments": {**KOHYA, "optimizer_args": "a=(" * 50_000}, "kohya: a number of dots": {**KOHYA, "optimizer_args": "weight_decay=1.2.3"},
    "kohya: epochs of text": {**KOHYA, "max_train_epochs": MEGABYTE}, "kohya: infinite epochs": {**KOHYA, "max_train_epochs": "1e999"},
    "kohya: a resolution of digits": {**KOHYA, "max_resolution": DIGITS}, "kohya: a scheduler": {**KOHYA, "lr_scheduler": ESCAPE},
}  # fmt: skip
TOMLS = {
    "deep lists": "a = " + DEEP, "many digits": "a = " + DIGITS, "blanks": "a = b" + " " * 100_000 + "x", "quotes": 'a = "' * 50_000,
    "no value": "a =", "NUL": "a = \0", "escape": ESCAPE, "a megabyte": MEGABYTE, "an open list": "a = [1,", "a table alone": "[a]",
}  # fmt: skip


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, size: tuple[int, int] = (8, 8)) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


PICTURES = {
    "empty": b"", "text": b"no picture", "a head alone": b"\x89PNG\r\n\x1a\n", "no text": png(),
    "a text of 4 GB": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**32 - 1) + b"tEXtparameters\0",
    "a packed text without end": png(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 50_000_000))),
    "a packed text that is none": png(chunk(b"zTXt", b"parameters\0\0nothing")), "a text cut short": png(chunk(b"iTXt", b"parameters\0\1")),
    "empty chunks": b"\x89PNG\r\n\x1a\n" + chunk(b"abCd", b"") * 250_000, "a JPEG alone": b"\xff\xd8\xff", "a JPEG of blocks": b"\xff\xd8" + b"\xff\xe1\0\2" * 200_000,
    "a WebP of nothing": b"RIFF\xff\xff\xff\xffWEBP" + b"EXIF\0\0\0\0" * 100_000, "an AVIF of nothing": b"\0\0\0\x18ftypavif",
    "EXIF in a circle": png(chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\x87i\0\4\0\0\0\1\0\0\0\x08\0\0\0\x08")),
}  # fmt: skip


def of_header(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


CHECKPOINTS = {
    "empty": b"", "a length alone": b"\x08\0\0\0\0\0\0\0", "a length of 2^63": b"\xff" * 8, "deep lists": of_header(DEEP.encode()),
    "many digits": of_header(b'{"a": %s}' % DIGITS.encode()), "a list": of_header([]), "null": of_header(None), "not UTF-8": of_header(b"\xff\xff"),
    "a tensor of nothing": of_header({"a": {}}), "a tensor of 2^62": of_header({"a": {"dtype": "F16", "shape": [2**62], "data_offsets": [0, 2**63]}}),
    "a tensor of NaN": of_header(b'{"a": {"dtype": "F16", "shape": [NaN], "data_offsets": [0, 2]}}', b"12"),
    "a shape of a million": of_header({"a": {"dtype": "F16", "shape": [1] * 1_000_000, "data_offsets": [0, 2]}}, b"12"),
    "a hundred thousand tensors": of_header({str(n): {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]} for n in range(100_001)}),
    "a name of half a pair": of_header({"\ud800": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}, b"12"),
    "a damaged name of half a pair": of_header({"\ud800": {"dtype": "F16", "shape": [2], "data_offsets": [0, 2]}}, b"12"),
    "lists without end": of_header(b'{"a": [' + b"[]," * 6_000_000 + b"[]]}"),
    "a name that escapes": of_header({ESCAPE: {"dtype": "F16", "shape": [2], "data_offsets": [0, 2]}}, b"12"),
}  # fmt: skip


def pt(pickle: bytes, **members: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("a/data.pkl", pickle)
        for name, data in members.items():
            archive.writestr(f"a/data/{name[1:]}", data)
    return memory.getvalue()


_MEMBER = b"((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0%cX\3\0\0\0cpuK\1tQ" % 48
_TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n" + _MEMBER + b"K\0"
_SIZES = b"(" + b"h\0" * 100_000 + b"t"
_MODEL = b"\x80\x02}(X\5\0\0\0modelcultralytics.nn.tasks\nDetectionModel\n)\x81}(X\5\0\0\0namesNX\x0b\0\0\0_parameters}X\x08\0\0\0_buffers}X\x08\0\0\0_modules}ub"
_PAIRS = b"(t" + b"q\0h\0\x86" * 60
DETECTORS = {
    "empty": b"", "text": b"no zip", "a pickle": b"\x80\x02}.", "no pickle": pt(b""), "nothing": pt(b"\x80\x02N."),
    "code": pt(b"cos\nsystem\nX\2\0\0\0id\x85R."), "deep tuples": pt(b"\x80\x02)" + b"\x85" * 900_000 + b"."),
    "marks": pt(b"\x80\x02" + b"(" * 1_000_000 + b"t."), "a pair of pairs": pt(b"\x80\x02)q\0" + b"h\0\x86q\0" * 60 + b"R."),
    "a size of 2^60": pt(b"\x80\x02" + _TENSOR + b"\x8a\x08\0\0\0\0\0\0\0\x10\x85K\1\x85tR.", _0=b"1234"),
    "sizes without end": pt(b"\x80\x04\x8a\xff" + b"\x7f" * 255 + b"q\0" + _TENSOR + _SIZES + _SIZES + b"tR.", _0=b"1234"),
    "a storage of 2^60": pt(b"\x80\x02((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpu\x8a\x08\0\0\0\0\0\0\0\x10tQ.", _0=b"1234"),
    "a picture size of digits": pt(_MODEL + b"X\x0a\0\0\0train_args}X\5\0\0\0imgszX" + struct.pack("<I", 3_000_000) + b"9" * 3_000_000 + b"su."),
    "two equal picture sizes": pt(_MODEL + b"X\x0a\0\0\0train_args}X\5\0\0\0imgsz(" + _PAIRS + _PAIRS + b"tsu."),
    "keys of one hash": pt(b"\x80\x02}(" + b"".join(b"\x8a\x0c" + (n * (2**61 - 1)).to_bytes(12, "little") + b"N" for n in range(1, 60_000)) + b"u."),
    "a kind of a megabyte": pt(_MODEL.replace(b"DetectionModel", b"D" * 1_000_000) + b"u."),
    "names of a megabyte": pt(_MODEL.replace(b"namesN", b"names(X" + struct.pack("<I", 1_000_000) + b"x" * 1_000_000 + b"q\7" + b"h\7" * 200_000 + b"t") + b"u."),
    "a number of 2 MB": pt(b"\x80\x02" + _TENSOR + b"\x8b" + struct.pack("<I", 2_000_000) + b"\x7f" * 2_000_000 + b"q\0\x85h\0\x85tR.", _0=b"1234"),
}  # fmt: skip
LINES = {
    "an empty --out": ["compare", "--from", TEXT, "--checkpoints", ".", "--out", ""], "an empty --out=": ["compare", "--from", TEXT, "--checkpoints", ".", "--out="],
    "NUL": ["pnginfo", "a\0b"], "a flag that escapes": ["pnginfo", "--" + ESCAPE], "an empty path": ["pnginfo", ""], "no command": [],
    "a command that escapes": [ESCAPE], "a batch of digits": ["plan", "--from", TEXT, "--checkpoints", ".", "--batch", DIGITS],
    "a share of nan": ["detect", "x.png", "--confidence", "nan"], "a map of nothing": ["plan", "--from", TEXT, "--checkpoints", ".", "--checkpoint-map", "=" * 100_000],
    "a path of a megabyte": ["pnginfo", MEGABYTE], "an infotext of a megabyte": ["plan", "--from", MEGABYTE, "--checkpoints", "."],
    "no such folder": ["plan", "--from", TEXT, "--checkpoints", "gone " + ESCAPE], "an out that is not UTF-8": ["plan", "--from", TEXT, "--checkpoints", ".", "--out", "x\udcff"],
}  # fmt: skip
PLAN = ["--checkpoints", ".", "--out", "run"]
INPUTS: dict[str, tuple[list[str], str, object]] = {
    **{f"experiment: {name}": (["compare", "given.json", *PLAN], "given.json", given) for name, given in EXPERIMENTS.items()},
    **{f"text: {name}": (["compare", "--from", "given.txt", *PLAN], "given.txt", given) for name, given in TEXTS.items()},
    **{f"recipe: {name}": (["train", "--plan", "given.json"], "given.json", given) for name, given in RECIPES.items()},
    **{f"TOML: {name}": (["train", "--plan", "given.toml"], "given.toml", given) for name, given in TOMLS.items()},
    **{f"settings: {name}": (["face", "p.png", "--checkpoints", ".", "--out", "o", "--settings", "given.json"], "given.json", given)
       for name, given in list(EXPERIMENTS.items())[:14]},
    **{f"picture: {name}": (["pnginfo", "given.png"], "given.png", given) for name, given in PICTURES.items()},
    **{f"picture's faces: {name}": (["detect", "given.png", "--detectors", "."], "given.png", given) for name, given in PICTURES.items()},
    **{f"checkpoint: {name}": (["plan", "--from", TEXT, "--checkpoints", "."], "bad.safetensors", given) for name, given in CHECKPOINTS.items()},
    **{f"detector: {name}": (["detect", "p.png", "--detector", "given.pt"], "given.pt", given) for name, given in DETECTORS.items()},
    **{f"styles: {name}": (["plan", "--from", TEXT, "--checkpoints", "."], "styles.csv", given)
       for name, given in {"other columns": "a,b\n1,2", "rows": "name,prompt\n" + "a,b\n" * 30_000, "not UTF-8": b"\xff\xff",
                           "a field of a megabyte": 'name,prompt\n"' + "x" * 1_000_000}.items()},
    **{f"command: {name}": (line, "", "") for name, line in LINES.items()},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _imported() -> Iterator[None]:
    """What each command imports is no input's cost. Python before 3.10.7 reads numbers of any length, slowly."""
    import ohwx_compare.hosts.native
    import ohwx_compare.train.plan.plan  # noqa: F401

    limit = getattr(sys, "get_int_max_str_digits", lambda: None)()
    if limit is not None:
        sys.set_int_max_str_digits(0)
    yield
    if limit is not None:
        sys.set_int_max_str_digits(limit)


def peak() -> int:
    """Bytes of memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def try_out(name, folder, told, records):
    """Hand an input over in `folder`, the working one. told: gives (stdout, stderr); records: of the log."""
    line, file, given = INPUTS[name]
    Image.new("RGB", (64, 64)).save("p.png")
    if file:
        data = given if isinstance(given, str | bytes) else json.dumps(given)
        Path(file).write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    before, memory, started = sorted(folder.rglob("*")), peak(), time.process_time()
    try:
        status = main(line)
    except SystemExit as end:  # argparse's
        status = end.code
    spent, grown = time.process_time() - started, peak() - memory
    out, err = told()
    assert status in (1, 2), (status, err[-500:])
    assert not records  # where a fault of the program is told
    assert spent < 2, spent
    assert grown < 200_000_000, grown
    said = err or out  # `detect` and `pnginfo` answer a line for each picture
    assert 0 < len(said) < 5_000, said[:3_000]
    assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in out + err)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("name", INPUTS)
def test_a_strangers_input_is_one_sentence(name, tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    try_out(name, tmp_path, capsys.readouterr, caplog.records)


@pytest.mark.slow
@pytest.mark.parametrize("name", large_and_some(INPUTS))
def test_a_strangers_input_in_a_process_with_a_hard_limit(name, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    alone(lambda told: try_out(name, tmp_path, told, caplog.records))


@pytest.mark.parametrize("out", [".", "run"])
@pytest.mark.parametrize("command", ["compare", "plan", "replay", "face"])
def test_a_folder_that_is_not_unicode_is_refused_before_anything_is_generated(
    command, out, tmp_path, monkeypatch, capsys
):
    """Its name stands in every picture: each cell was generated and then failed."""
    odd = tmp_path / os.fsdecode(b"a\xff")
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("the file system here wants Unicode")
    monkeypatch.chdir(odd)
    given = ["p.png"] if command in ("replay", "face") else ["--from", TEXT]
    assert main([command, *given, "--checkpoints", ".", "--out", out]) == 1
    assert "is not valid Unicode text; choose another --out." in capsys.readouterr().err


def test_there_are_many_of_them():
    assert len(INPUTS) >= 200


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system here")
@pytest.mark.parametrize("line", [
    ["plan", "PIPE", "--checkpoints", "."], ["train", "--plan", "PIPE"], ["pnginfo", "PIPE"], ["plan", "--from", "PIPE", "--checkpoints", "."],
    ["face", "p.png", "--checkpoints", ".", "--out", "o", "--settings", "PIPE"],
    ["plan", "/dev/zero", "--checkpoints", "."], ["train", "--plan", "/dev/zero"],
], ids=" ".join)  # fmt: skip
def test_a_pipe_or_a_device_is_not_waited_for(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("PIPE")
    Image.new("RGB", (64, 64)).save("p.png")
    assert main(line) == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("shell", "status"),
    [("2>&-", 1), (">&- 2>&-", 1), (">/dev/full", 1), (">/dev/full 2>/dev/full", 1), ("2>/dev/full", 0)],
)
def test_a_closed_or_full_output_is_no_traceback(shell, status, tmp_path):
    if "full" in shell and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    write_png(tmp_path / "p.png", Image.new("RGB", (8, 8)), TEXT)
    name = "gone.png" if "&-" in shell else "p.png"
    command = f'"{sys.executable}" -m ohwx_compare pnginfo "{tmp_path / name}" {shell}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_cells_of_a_table_are_no_formulas(tmp_path, capsys):
    prompt = "=HYPERLINK(1)" + ESCAPE
    write_png(tmp_path / "p.png", Image.new("RGB", (8, 8)), TEXT.replace("a man", prompt) + ", @a: -1, +b: -x")
    assert main(["pnginfo", str(tmp_path), "--csv"]) == 0
    out = capsys.readouterr().out
    assert "'=HYPERLINK(1)" in out
    assert "'@a" in out
    assert "'-x" in out
    assert ",-1," in out
    assert "\x1b" not in out
    assert "\x9b" not in out
