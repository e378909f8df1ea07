"""Experiments drawn by hypothesis: any kinds of axes with any values."""

import sys

from hypothesis import strategies as st

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef, PromptPair
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.prompt.styles import Style
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job

NO_NUL = "\0" if sys.version_info < (3, 11) else ""  # which the csv module refuses there
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=NO_NUL))
JOB = Job(prompt="portrait of ohwx man", negative="blurry", seed=7)
VALUES = {
    "checkpoint": st.from_regex(r"[a-c]{1,3}/?[a-c]\.safetensors( \[[0-9a-f]{10}\])?", fullmatch=True).map(
        CheckpointRef.parse
    ),
    "prompt": st.builds(PromptPair, st.just("ohwx man, ") | TEXT, st.none() | TEXT),
    "seed": st.integers(0, 2**53 - 1),
    "cfg": st.floats(1, 30),
    "steps": st.integers(1, 150),
    "sampler": st.sampled_from(("Euler", "Euler a", "DPM++ 2M Karras")),
    "schedule": st.sampled_from(("Automatic", "Karras")),
    "vae": st.sampled_from(("None", "sdxl_vae.safetensors")),
    "size": st.tuples(st.sampled_from((64, 512)), st.sampled_from((64, 1024))),
    "clip skip": st.integers(1, 12),
    "rng": st.sampled_from(("CPU", "GPU", "NV")),
    "subseed": st.integers(0, 2**53 - 1),
    **dict.fromkeys(
        ["subseed strength", "eta", "extra noise", "beta alpha", "beta beta", "mask weight"], st.floats(0.1, 1)
    ),
    **dict.fromkeys(
        ["s churn", "s tmin", "s tmax", "s noise", "schedule min sigma", "schedule max sigma", "schedule rho", "ngms"],
        st.floats(0, 9),
    ),
    **dict.fromkeys(["discard penultimate", "sgm noise"], st.booleans()),
    "unipc order": st.integers(1, 3),
    "noise multiplier": st.floats(0.5, 1.5),
    "token merging": st.floats(0, 0.9),
    "hires upscaler": st.sampled_from(("Latent", "Lanczos")),
    "refiner": st.sampled_from(("a", "b [0123456789]")),
    "lora": st.sampled_from(("None", "me", "you two")),
    "lora weight": st.floats(-2, 2),
    **dict.fromkeys([f"face {name}" for name in ("confidence", "denoise", "min ratio", "max ratio")], st.floats(0, 1)),
    **dict.fromkeys([f"face {name}" for name in ("top k", "blur", "padding")], st.integers(0, 99)),
    **dict.fromkeys([f"face {name}" for name in ("dilate", "x offset", "y offset")], st.integers(-99, 99)),
    **dict.fromkeys([f"face {name}" for name in ("prompt", "negative", "model")], TEXT),
    **dict.fromkeys(["face only masked", "face pass", "face exact masks", "face same seed"], st.booleans()),
    "face top k by": st.sampled_from(("Area", "Confidence")),
    "face sort": st.sampled_from(("None", "Left to right", "Large to small")),
    "face denoise power": st.floats(-10, 10),
    "face match size": st.sampled_from(("Off", "Strict", "Free")),
    "face merge": st.sampled_from(("None", "Merge", "Merge and Invert")),
    "face size": st.none() | st.tuples(st.sampled_from((512, 768)), st.sampled_from((512, 1024))),
    "face steps": st.none() | st.integers(1, 150),
    "face cfg": st.none() | st.floats(1, 30),
    "face sampler": st.none() | st.sampled_from(("Euler", "DPM++ 2M Karras")),
    "face checkpoint": st.none() | st.just("c [0123456789]"),
    "face vae": st.none() | st.just("v.safetensors"),
    "face noise multiplier": st.none() | st.floats(0.5, 1.5),
    "face schedule": st.none() | st.sampled_from(("Automatic", "Karras")),
    "styles": st.lists(st.builds(Style, TEXT.filter(bool), TEXT, TEXT), max_size=2).map(tuple),
}


@st.composite
def experiments(draw):
    kinds = draw(st.lists(st.sampled_from([k for k in VALUES if k != "checkpoint"]), max_size=3, unique=True))
    kinds.insert(draw(st.integers(0, len(kinds))), "checkpoint")
    axes = tuple(Axis(k, tuple(draw(st.lists(VALUES[k], min_size=1, max_size=3, unique=True)))) for k in kinds)
    return Experiment(job=JOB, axes=axes, faces=(FaceSettings(),), notes=tuple(draw(st.lists(st.text(), max_size=1))))
