"""Keys that can grow: a setting at its key default is in no key, and what earlier versions drew is still found."""

from dataclasses import fields, replace

import pytest
from experiments import JOB, experiments
from hypothesis import given
from later_version import LaterFace, LaterJob, grown, tell_keys

from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Cell, Experiment
from ohwx_compare.core.experiment.folder_text import CellRequests, folder_digests
from ohwx_compare.core.experiment.key_text import FACE_DEFAULTS, JOB_DEFAULTS, completed
from ohwx_compare.core.experiment.keys import PictureKeys, after_key, before_key
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job

TAB = FaceSettings()


FIRST = (
    "prompt", "negative", "seed", "steps", "sampler", "schedule", "cfg", "width", "height", "denoise", "subseed",
    "subseed_strength", "rng", "clip_skip",
)  # fmt: skip


LATER = ("exact_masks", "same_seed", "denoise_power", "match_size")


def all_changed(settings):
    """Every field that the first version had another one."""
    for field in fields(settings):
        if field.name in LATER or (isinstance(settings, Job) and field.name not in FIRST):
            continue
        old = getattr(settings, field.name)
        new = not old if isinstance(old, bool) else f"{old} x" if isinstance(old, str) else (old or 0) + 1
        settings = replace(settings, **{field.name: new})
    return settings


def cell_of(job=JOB, faces=(TAB, TAB)):
    return Cell(number=1, coordinates=(0,), labels=("c",), checkpoint=CheckpointRef("c"), job=job, faces=faces)


def keys_of(job=JOB, faces=(TAB, TAB)):
    return PictureKeys(lambda job: {"host": "x"}, {TAB.model: "e", f"{TAB.model} x": "d"}).of(cell_of(job, faces), "00")


OF_44C9EE7 = {  # job: key before, key after a tab that is as ADetailer's, or else all changed, and one that is
    "plain": (
        JOB,
        "358a9931350970346e670a155ec4d8a812715d266a25dd813dd81482e2d6d94d",
        "21b072bbc8c7c078ff14d8aee1f110a13fe176321c1429afd92a77c70c3530da",
    ),
    "all changed": (
        all_changed(JOB),
        "30a058cb9cd6ec21c22c2536ada1914ca5330a424bad222959c13e4846de01ba",
        "ac703ab1a091f35a3dc4debdb8a328384ff65294e044be82c430ab56cb97e10e",
    ),
}


@pytest.mark.parametrize("name", OF_44C9EE7)
def test_the_first_versions_keys_are_known(name):
    job, before, after = OF_44C9EE7[name]
    befores, lasts = keys_of(job, (all_changed(TAB), TAB))
    assert (befores[1:], lasts[1:]) == ((before,), (after,))


TODAY = {
    "plain": (
        "ff8a3f7a1fd53f2cd64b37fedb427e4f5602ba3e7c71f495b7af47266f8cbba2",
        "950b801919cc54cef7d13dcde12c2951fd501f021e0f5c0c13f4a798747b9300",
    ),
    "all changed": (
        "30a058cb9cd6ec21c22c2536ada1914ca5330a424bad222959c13e4846de01ba",
        "7aefbd33a930b0e8ce9e9b47696737d5b96816109057104e76355aa172c07b7e",
    ),
}


@pytest.mark.parametrize("name", TODAY)
def test_todays_keys_stay(name):
    """Whoever changes these makes every picture of every user stale."""
    befores, lasts = keys_of(OF_44C9EE7[name][0], (all_changed(TAB), TAB))
    assert (befores[0], lasts[0]) == TODAY[name]


def test_keys_of_many_are_the_keys_of_each():
    keys = PictureKeys(lambda job: {"noise": job.rng}, {TAB.model: "e"})
    for job in (JOB, replace(JOB, rng="CPU"), replace(JOB, rng="CPU", cfg=9), JOB):
        before = before_key(job, {"noise": job.rng}, "00")
        cell = cell_of(job)
        befores, lasts = keys.of(cell, "00")
        assert (befores[0], lasts[0]) == (before, after_key(before, cell.faces, ["e", "e"]))
        assert keys.of(replace(cell, faces=()), "00") == (befores, befores)
        assert keys.of(cell, "01")[0] != befores


@pytest.fixture
def _later(monkeypatch):
    tell_keys(monkeypatch)


@pytest.mark.usefixtures("_later")
@pytest.mark.parametrize("change", [lambda settings: settings, all_changed])
def test_a_new_setting_that_is_off_is_in_no_text(change):
    job, tab = change(JOB), change(TAB)
    later = grown(LaterJob, job, sharpness=0.0), (grown(LaterFace, tab, hair=False), TAB)
    assert keys_of(*later) == keys_of(job, (tab, TAB))
    assert CellRequests().of(cell_of(*later)) == CellRequests().of(cell_of(job, (tab, TAB)))


@pytest.mark.usefixtures("_later")
def test_a_new_setting_that_is_off_is_in_no_folders_name():
    job, tab = replace(JOB, cfg=9), replace(TAB, denoise=0.5)
    later = Experiment(job=grown(LaterJob, job, sharpness=0.0), faces=(grown(LaterFace, tab, hair=False),))
    assert folder_digests(later) == folder_digests(Experiment(job=job, faces=(tab,)))


@pytest.mark.usefixtures("_later")
def test_a_new_setting_that_is_on_is_a_picture_of_its_own():
    job, tab = grown(LaterJob, JOB), grown(LaterFace, TAB)
    old_before, old_last = keys_of()
    (before,), (last,) = keys_of(job)  # no earlier version had such a picture
    assert before not in old_before
    assert last not in old_last
    befores, (face,) = keys_of(faces=(TAB, tab))
    assert befores == old_before
    assert face not in old_last
    for cell in (cell_of(job), cell_of(faces=(TAB, tab))):
        (request,) = CellRequests().of(cell)
        assert request not in CellRequests().of(cell_of())
    (digest,) = folder_digests(Experiment(job=job))
    assert digest not in folder_digests(Experiment(job=JOB))


def test_a_setting_without_an_entry_is_in_every_key():
    assert keys_of(grown(LaterJob, JOB, sharpness=0.0))[0] != keys_of(grown(LaterJob, JOB))[0]


def test_every_setting_has_a_key_default():
    """A new field of `Job` or `FaceSettings` fails here until key_text.py says what older pictures had for it."""
    assert {field.name for field in fields(Job)} == {"prompt", "seed", *JOB_DEFAULTS}
    assert {field.name for field in fields(FaceSettings)} == set(FACE_DEFAULTS)


@pytest.mark.usefixtures("_later")
def test_what_was_stored_before_a_setting_came_has_it_off():
    stored = Experiment(job=JOB, faces=(TAB,)).to_dict()
    filled = completed(stored)
    assert filled["job"] == {**stored["job"], "sharpness": 0.0}
    assert filled["faces"] == [{**stored["faces"][0], "hair": False}]
    assert {name: filled[name] for name in filled if name not in ("job", "faces")} == {
        name: stored[name] for name in stored if name not in ("job", "faces")
    }
    for odd in (None, [], {"job": 3, "faces": {}}, {"faces": [3]}):
        assert completed(odd) == odd


@given(experiments())
def test_what_is_stored_whole_is_left_as_it_is(experiment):
    assert Experiment.from_dict(completed(experiment.to_dict())) == experiment


@given(experiments())
def test_different_cells_have_different_requests(experiment):
    requests, asked = CellRequests(), {}
    for cell in experiment.cells():
        for form in requests.of(cell):
            what = (cell.checkpoint, cell.job, cell.faces)
            assert asked.setdefault(form, what) == what


def test_the_first_versions_folder_is_known():
    """The digest of the run in tests/earlier, as 44c9ee7 printed it."""
    job = Job(prompt="ohwx man", seed=1, steps=4, width=32, height=32)
    axes = [{"kind": "checkpoint", "values": ["a", "b"]}, {"kind": "seed", "values": [1, 2]}]
    plain = Experiment(job=job, faces=(replace(TAB, denoise=0.5),))
    experiment = Experiment.from_dict({**plain.to_dict(), "axes": axes})
    assert folder_digests(experiment)[1:] == ("9b6f535c",)


def test_two_vaes_have_keys_of_their_own_in_any_order():
    """What a face pass's own VAE adds to the key hangs on the job's."""
    jobs = [replace(JOB, vae=name) for name in ("a", "b")]
    face = replace(TAB, vae="b")

    def keys(order):
        made = PictureKeys(lambda job: {"vae": job.vae}, {TAB.model: "e"})
        return {job.vae: made.of(cell_of(job, (face,)), "00") for job in order}

    assert keys(jobs) == keys(jobs[::-1])
    assert keys(jobs)["a"][1] != keys(jobs)["b"][1]


def test_what_the_host_says_of_a_faces_own_prompt_is_in_the_key_after():
    """A LoRA that only a face prompt names: another file, another picture after; the one before stays."""
    files = {"x": "1"}

    def fingerprint(job):
        return {"host": "h"} | ({"loras": dict(files)} if "<lora:x" in job.prompt else {})

    def keys(face):
        return PictureKeys(fingerprint, {TAB.model: "e"}).of(cell_of(faces=(replace(TAB, prompt=face),)), "00")

    befores, afters = keys("<lora:x:1>")
    plain = keys("smile")
    files["x"] = "2"
    assert keys("<lora:x:1>")[0] == befores
    assert keys("<lora:x:1>")[1] != afters
    assert keys("smile") == plain
