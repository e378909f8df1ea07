"""Compiled blocks and torch's switches: the same pictures to a few 1/255, one shape, recorded with the run."""

import shutil

import pytest
import torch

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import render
from ohwx_compare.engine.compiled import compile_blocks, require_compiler
from ohwx_compare.engine.cuda_settings import accumulate_fast, cuda_changes, cuda_words
from ohwx_compare.engine.weights import load
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.native import NativeHost

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
JOB = Job(prompt="ohwx man", seed=1, steps=4, sampler="Euler a", width=64, height=64, rng="CPU")


@pytest.mark.slow(first=True)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler of torch
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("cl")), reason="no C++ compiler is here")
@pytest.mark.skipif(
    " " in torch.__file__, reason="torch's compiler links nothing from a folder with a space in its name"
)
def test_compiled_pictures_are_the_webuis_and_other_shapes_are_not_compiled(tiny, case, difference, monkeypatch):
    require_compiler(CPU)
    compiled, made = torch.compile, []

    def counted(plain, **how):
        fast = compiled(plain, **how)
        return lambda *inputs: made.append(inputs[0].shape[0]) or fast(*inputs)

    monkeypatch.setattr(torch, "compile", counted)
    model, wanted = load(tiny / "tiny_base.safetensors"), case("sampler_euler_automatic")
    compile_blocks(model.unet)
    (picture,) = render.txt2img(model, wanted.jobs)
    largest, mean = difference(picture.image, wanted.answers[0])
    assert (largest <= 2, mean <= 0.002) == (True, True)
    assert set(made) == {2}
    count = len(made)
    render.txt2img(model, [JOB])  # smaller
    assert len(made) == count


def test_a_torch_without_a_compiler_says_so(monkeypatch):
    def fail(*inputs):
        raise RuntimeError("No C++ compiler was found.\nMore of it")

    monkeypatch.setattr(torch, "compile", lambda *what, **how: fail)
    with pytest.raises(HostError, match=r"cannot compile for cpu here: No C\+\+ compiler was found\. Do without"):
        require_compiler(CPU)


def test_compiling_is_in_the_fingerprint_where_it_is_on(tiny):
    host = NativeHost([tiny], device="cpu")
    assert "compile" not in host.fingerprint(JOB)
    host.compiles = True
    assert host.fingerprint(JOB)["compile"] == "transformer blocks"


def test_switches_of_cuda_are_said_and_only_changes_recorded(monkeypatch):
    assert (cuda_changes(CUDA), cuda_changes(CPU), cuda_words(CPU)) == ({}, {}, "")
    assert "TF32 in products of float32 off, in convolutions on" in cuda_words(CUDA)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    assert cuda_changes(CUDA) == {"cudnn benchmark": True}


def test_fast_sums_are_for_float16_on_cuda():
    for device, dtype in ((CPU, torch.float16), (CUDA, torch.bfloat16)):
        with pytest.raises(HostError, match="is for float16 on CUDA"):
            accumulate_fast(device, dtype)
    if hasattr(torch.backends.cuda.matmul, "allow_fp16_accumulation"):
        try:
            accumulate_fast(CUDA, torch.float16)
            assert cuda_changes(CUDA) == {"sums in float16": True}
        finally:
            torch.backends.cuda.matmul.allow_fp16_accumulation = False
