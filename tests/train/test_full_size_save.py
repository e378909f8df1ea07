"""A save of SDXL's full 2,515 tensors: streamed, so that memory holds one of them at a time."""

import json
import subprocess
import sys
from math import prod
from pathlib import Path

import pytest

from ohwx_compare.files.checkpoint import read_header, sha256

SAVE = """
import json, resource, sys
from pathlib import Path
import torch
from ohwx_compare.engine.weights import save
from ohwx_compare.files.checkpoint import read_header

source, target = map(Path, sys.argv[1:])
shapes = {n: s for n, s in read_header(source).shapes.items() if n.startswith("model.diffusion_model.")}
state = {name: torch.ones((), dtype=torch.bfloat16).expand(shape) for name, shape in shapes.items()}  # takes no memory
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
digest = save(target, state, source, {"format": "pt"})
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"sha256": digest, "peak": (after - before) * (1 if sys.platform == "darwin" else 1024)}))
"""


@pytest.mark.slow(first=True)
def test_a_full_size_save(tmp_path, goldens):
    pytest.importorskip("resource")
    manifest = json.loads((goldens / "sdxl_manifest.json").read_text(encoding="utf-8"))
    names, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (_, shape) in manifest.items():
        dtype, size = ("I64", 8) if name.endswith("position_ids") else ("F16", 2)
        names[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size * prod(shape)]}
        at += size * prod(shape)
    text = json.dumps(names).encode()
    source, target = tmp_path / "base.safetensors", tmp_path / "saved.safetensors"
    with source.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)  # zeros that take no room on most disks
    command = [sys.executable, "-c", SAVE, str(source), str(target)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    result = json.loads(out)
    assert result["peak"] < 0.5e9
    assert result["sha256"] == sha256(target)
    old, new = read_header(source), read_header(target)
    assert [(n, t.dtype, t.shape) for n, t in old.tensors.items()] == [
        (n, t.dtype, t.shape) for n, t in new.tensors.items()
    ]
    with target.open("rb") as file:
        for name, tensor in new.tensors.items():
            file.seek(tensor.start)
            data = file.read(min(1 << 16, tensor.end - tensor.start))
            if name.startswith("model.diffusion_model."):
                assert data == b"\x00\x3c" * (len(data) // 2), name  # float16's 1.0
            else:
                assert not any(data), name
    target.unlink()
