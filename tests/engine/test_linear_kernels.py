"""Linear layers by oneDNN: the webui's pictures all the same, for this thread alone, and one kernel a run."""

import threading

import numpy as np
import pytest
import test_parity
import torch
from torch.nn import functional as F

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import linear, render
from ohwx_compare.engine.linear import ONEDNN, TORCH, has_onednn, kernel_by_rule, linear_by
from ohwx_compare.errors import HostError
from ohwx_compare.hosts.native import NativeHost
from ohwx_compare.hosts.run_linear import keep_linear, linear_of_run

pytestmark = pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN product")
CPU = torch.device("cpu")
JOB = Job(prompt="ohwx man", seed=1, steps=1, sampler="Euler", width=64, height=64, rng="CPU")
FAST = ("sampler_plms_automatic",)


@pytest.fixture
def asked(monkeypatch):
    """Each product that oneDNN is asked for, however small."""
    monkeypatch.setattr(linear, "_LEAST", 0)
    told = []
    product = torch.ops.mkldnn._linear_pointwise.default

    class Told(linear._ByOneDNN):
        def __init__(self):
            super().__init__()
            self.product = lambda *args: told.append(args[0].shape) or product(*args)

    monkeypatch.setattr(linear, "_ByOneDNN", Told)
    return told


@pytest.fixture
def amd(monkeypatch):
    """A processor of AMD's with AVX-512."""
    monkeypatch.setattr(linear, "_processor", lambda: "vendor_id\t: AuthenticAMD")
    monkeypatch.setattr(torch.__config__, "show", lambda: "CPU capability usage: AVX512")


@pytest.mark.parametrize("bias", [None, torch.ones(24)])
def test_a_product_is_the_same_to_its_last_bits(asked, bias):
    x, weight = torch.randn(3, 70, 32), torch.randn(24, 32)
    with torch.inference_mode(), linear_by(ONEDNN):
        product = F.linear(x, weight, bias)
    assert asked
    assert torch.allclose(product, F.linear(x, weight, bias), atol=1e-5)


def test_gradients_other_types_and_other_threads_are_torchs_own(asked):
    x, weight = torch.randn(8, 4), torch.randn(6, 4, requires_grad=True)
    with linear_by(ONEDNN):
        F.linear(x, weight).sum().backward()
        with torch.inference_mode():
            F.linear(x.bfloat16(), weight.bfloat16())

        def elsewhere():
            with torch.inference_mode():
                F.linear(x, weight)

        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
    assert weight.grad is not None
    assert asked == []


@pytest.mark.parametrize(  # every third: the product is the same for each sampler
    "name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in [*test_parity.CASES][::3])]
)
def test_the_picture_is_the_webuis(model, goldens, name, asked):
    with linear_by(ONEDNN):
        test_parity.test_the_picture_is_the_webuis(model, goldens, name)
    assert asked


@pytest.mark.slow
@pytest.mark.parametrize("name", ["article", "prompt_compose", "rng_nv", "clip_skip_2", "size_192x128", "subseed"])
def test_other_pictures_are_the_webuis(model, case, difference, name, asked):
    wanted = case(name)
    with linear_by(ONEDNN):
        (picture,) = render.txt2img(model, wanted.jobs)
    largest, mean = difference(picture.image, wanted.answers[0])
    assert asked
    assert (largest <= 2, mean <= 0.002) == (True, True)


def test_the_rule_goes_by_processor_and_device(amd, monkeypatch):
    assert kernel_by_rule(CPU) == ONEDNN
    assert kernel_by_rule(torch.device("cuda")) == TORCH
    monkeypatch.setattr(torch.__config__, "show", lambda: "CPU capability usage: AVX2")
    assert kernel_by_rule(CPU) == TORCH
    monkeypatch.setattr(torch.__config__, "show", lambda: "CPU capability usage: AVX512")
    monkeypatch.setattr(linear, "_processor", lambda: "vendor_id\t: GenuineIntel")
    assert kernel_by_rule(CPU) == TORCH


def test_a_run_keeps_the_kernel_that_it_began_with(amd, tmp_path, monkeypatch):
    new, earlier, kept = tmp_path / "new", tmp_path / "earlier", tmp_path / "kept"
    for run in (earlier, kept):
        run.mkdir()
        (run / "run.sqlite").touch()
    keep_linear(kept, ONEDNN)
    assert linear_of_run([new], CPU) == ONEDNN
    assert linear_of_run([earlier], CPU) == TORCH  # begun before there was a choice
    assert linear_of_run([new, earlier, kept], CPU) == TORCH  # which would lend it nothing otherwise
    monkeypatch.setattr(linear, "_processor", lambda: "GenuineIntel")
    assert linear_of_run([kept], CPU) == ONEDNN
    assert linear_of_run([kept], CPU, TORCH) == TORCH
    keep_linear(kept, TORCH)
    assert linear_of_run([kept], CPU) == TORCH
    with pytest.raises(HostError, match="choose torch's own"):
        linear_of_run([kept], torch.device("cuda"), ONEDNN)


def test_only_onednn_is_in_the_fingerprint_and_in_the_pictures(tiny, asked):
    pictures = []
    for kernel in (TORCH, ONEDNN):
        host = NativeHost([tiny], device="cpu")
        host.linear = kernel
        assert host.fingerprint(JOB).get("linear") == (ONEDNN if kernel == ONEDNN else None)
        host.use(host.checkpoints()[0])
        pictures.append(np.asarray(next(host.render([JOB])).image, dtype=int))
        assert bool(asked) == (kernel == ONEDNN)
        host.close()
    assert np.abs(pictures[0] - pictures[1]).max() <= 2
