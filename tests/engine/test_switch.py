"""Switching: whatever was in memory before, what is there after a load is what a fresh load gives, bit for bit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine import conditioning, weights
from ohwx_compare.engine.conditioning import condition
from ohwx_compare.engine.weights import PREFIXES, check, load
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.contents import read_contents

UNET, CLIP_G, VAE = (PREFIXES[part] for part in ("unet", "clip_g", "vae"))
CPU = torch.device("cpu")
JOB = Job(prompt="a (photo:1.2) of ohwx man", negative="blurry", seed=1)


@pytest.fixture(scope="module")
def family(tiny, tmp_path_factory):
    """Checkpoints of one base that share more or less with it, and a VAE."""
    folder = tmp_path_factory.mktemp("family")
    state = load_file(tiny / "tiny_base.safetensors")
    unet = [name for name in state if name.startswith(UNET)]
    files = {
        "base": {},
        "unet": {name: state[name] * 1.01 for name in unet[:20]},
        "encoder": {name: state[name] * 0.99 for name in state if name.startswith(CLIP_G)},
        "float32": {name: state[name].float() for name in unet[10:30]},
        "bfloat16": {name: state[name].bfloat16() for name in unet[5:15]},
        "v": {"v_pred": torch.zeros(0), "conditioner.embedders.1.model.logit_scale": None},
    }
    for name, changes in files.items():
        kept = {key: value.contiguous() for key, value in {**state, **changes}.items() if value is not None}
        save_file(kept, folder / f"{name}.safetensors")
    vae = {name.removeprefix(VAE): value * 1.5 for name, value in state.items() if name.startswith(VAE)}
    save_file(vae, folder / "vae.safetensors")
    return {path.stem: path for path in folder.iterdir()}


def tensors(model):
    return {f"{part}.{n}": t for part in PREFIXES for n, t in getattr(model, part).state_dict().items()}


def assert_same(one, other):
    mine, theirs = tensors(one), tensors(other)
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        assert tensor.dtype == theirs[name].dtype
        assert np.array_equal(tensor.view(torch.uint8), theirs[name].view(torch.uint8)), name
    assert (one.prediction, one.zero_snr, one.path) == (other.prediction, other.zero_snr, other.path)


def walk(names):
    """Every ordered pair of names, one after the other."""
    steps = [names[0]]
    for one, other in itertools.permutations(names, 2):
        steps += [one, other] if steps[-1] != one else [other]
    return steps


@pytest.fixture(scope="module")
def known(family):
    return {path: read_contents(path).tensors for path in family.values()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "names"),
    [(torch.float32, ["base", "unet", "encoder", "v"]), (torch.float16, ["base", "float32", "bfloat16"])],
)
def test_after_any_switch_memory_is_as_after_a_fresh_load(family, known, dtype, names):
    fresh = {name: load(family[name], dtype=dtype) for name in names}
    model = None
    for name in walk(names):
        model = check(family[name]).load(device=CPU, dtype=dtype, seals=known.get, into=model)
        assert_same(model, fresh[name])
    for vae, name in itertools.product((family["vae"], None), names[1::-1]):
        model = check(family[name], vae=vae).load(device=CPU, dtype=dtype, seals=known.get, into=model)
        assert_same(model, load(family[name], vae=vae, dtype=dtype))


def test_only_what_differs_is_read(family, known, monkeypatch):
    read = []

    def counted(header, targets):
        read.extend(targets)
        weights_read_into(header, targets)

    weights_read_into = weights.read_into
    monkeypatch.setattr(weights, "read_into", counted)
    base, unet = (known[family[name]] for name in ("base", "unet"))
    changed = [name for name in base if base[name] != unet[name]]
    model = check(family["base"]).load(device=CPU, dtype=torch.float32, seals=known.get)
    assert len(read) == len(model.seals)
    for name, expected in (("base", []), ("unet", changed), ("base", changed)):
        read.clear()
        model = check(family[name]).load(device=CPU, dtype=torch.float32, seals=known.get, into=model)
        assert sorted(read) == sorted(expected)
    read.clear()
    check(family["base"]).load(device=CPU, dtype=torch.float32, into=model)  # of which nothing is known
    assert len(read) == len(tensors(model))


def test_a_file_cut_short_on_the_way_says_so(family, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(family["base"].read_bytes())
    checked = check(path)
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(CheckpointError, match="cut short while it was read"):
        checked.load(device=CPU, dtype=torch.float32)


def test_only_memory_of_the_same_shapes_dtype_and_device_fits(family):
    model = load(family["base"])
    checked = check(family["unet"])
    assert checked.fits(model, CPU, torch.float32)
    assert not checked.fits(model, CPU, torch.float16)
    assert not checked.fits(model, torch.device("meta"), torch.float32)
    model.vae.bfloat16()
    assert not checked.fits(model, CPU, torch.float32)


def test_texts_are_encoded_once_for_all_checkpoints_of_the_same_encoders(family, known, monkeypatch):
    asked = []

    def counted(model, lacking):
        asked.extend(lacking)
        return encode(model, lacking)

    encode = conditioning._encode
    monkeypatch.setattr(conditioning, "_encode", counted)
    model, vectors = None, {}
    for name in ("base", "unet", "encoder", "base", "encoder"):
        model = check(family[name]).load(device=CPU, dtype=torch.float32, seals=known.get, into=model)
        entry = condition(model, JOB, width=64, height=64, steps=2).positive[0].schedule[0]
        vectors.setdefault(name, []).append(entry)
        expected = condition(load(family[name]), JOB, width=64, height=64, steps=2).positive[0].schedule[0]
        assert torch.equal(entry.crossattn, expected.crossattn)
        assert torch.equal(entry.vector, expected.vector)
    assert len(asked) == 2 * (2 + 5)  # two prompts, two sets of encoders; five fresh loads of which nothing is known
    assert not torch.equal(vectors["base"][0].vector, vectors["encoder"][0].vector)


def test_encoded_texts_are_bounded(monkeypatch):
    monkeypatch.setattr(conditioning.Encoded, "LIMIT", 3 * 8)
    encoded = conditioning.Encoded()
    for number in (0, 1, 2, 0, 3):  # the last one drives out 1, the oldest in use
        encoded.get(number, lambda n=number: (torch.full((1,), n), torch.zeros(0)))
    assert [number in encoded for number in range(4)] == [True, False, True, True]


def test_texts_that_are_expected_are_encoded_together_and_as_if_alone(family, known, monkeypatch):
    jobs = [replace(JOB, prompt=f"a (photo:1.{n}) of [ohwx:zebra:0.5] man", clip_skip=n % 3 + 1) for n in range(6)]
    jobs += [replace(JOB, prompt="a <lora:other:1> man")]  # for a model that wears it

    def model():
        return check(family["base"]).load(device=CPU, dtype=torch.float32, seals=known.get)

    calls, encode = [], conditioning._encode
    monkeypatch.setattr(conditioning, "_encode", lambda *asked: calls.append(len(asked[1])) or encode(*asked))
    ahead, alone = model(), model()
    conditioning.encode_ahead(ahead, [replace(job, steps=4) for job in jobs])
    assert calls == [7]
    told = [condition(ahead, job, width=64, height=64, steps=4) for job in jobs[:6]]
    assert calls == [7]
    for job, found in zip(jobs, told, strict=False):
        expected = condition(alone, job, width=64, height=64, steps=4)
        for one, other in zip(found.positive[0].schedule, expected.positive[0].schedule, strict=True):
            assert torch.allclose(one.crossattn, other.crossattn, atol=2e-5)
            assert torch.allclose(one.vector, other.vector, atol=2e-5)


def test_an_encoder_that_visits_a_device_stays_where_it_is(family):
    encoder, there = load(family["base"]).clip_l, torch.device("meta")
    with conditioning._visiting(encoder, there) as visitor:
        assert visitor(torch.zeros(1, 77, dtype=torch.int64, device=there)).device == there
        assert {tensor.device for tensor in encoder.state_dict().values()} == {CPU}
