"""What a device would be asked for at SDXL's full size, counted on the meta device: no weights, no GPU.

usage: python bench/launches.py [--size 1024] [--batch 4] [--cfg 7] [--json]

Launches a step of noise and of the sampler for each source of noise; launches of text encoders, UNet and VAE, and the
most bytes that their tensors hold, alone and with the weights that are on the device then. A launch is a call of torch
that computes; a fused kernel may be several on a device, and a library may take working memory that nobody sees here.
Any reading of a number by the host raises an error.
"""

import argparse
import json
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.conditioning import Conditioning, Entry, Subprompt
from ohwx_compare.engine.denoiser import Denoiser, Guidance
from ohwx_compare.engine.noise import Brownian, ImageNoise, Source
from ohwx_compare.engine.route import find_route
from ohwx_compare.engine.running import sample
from ohwx_compare.engine.samplers import find_solver
from ohwx_compare.engine.strips import decode_in_strips, encode_in_strips
from ohwx_compare.models.text import ClipG, ClipL, TextConfig
from ohwx_compare.models.unet import UNet, UNetConfig
from ohwx_compare.models.unfilled import unfilled
from ohwx_compare.models.vae import VAE, VAEConfig
from ohwx_compare.words import counted

META = torch.device("meta")
READS = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "allclose")
STEPS = 4


class Counting(TorchDispatchMode):
    """Counts what computes by part, and the bytes of the tensors that live."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.forbids_reads = "sampler", False
        self.launches: Counter[str] = Counter()
        self.live = self.most = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One call."""
        name = func.overloadpacket.__name__
        if name in READS and self.forbids_reads:
            raise RuntimeError(f"The host reads a number within a step: {name} in {self.part}.")
        made = func(*args, **(kwargs or {}))
        on_device = [t for t in tree_leaves((made, args)) if isinstance(t, torch.Tensor) and t.device.type == "meta"]
        self.launches[self.part] += bool(on_device) and not func.is_view
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "meta":
                self._hold(tensor.untyped_storage())
        return made

    def _hold(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known[key] = storage.nbytes()
        self.live += storage.nbytes()
        self.most = max(self.most, self.live)
        weakref.finalize(storage, self._let_go, key)

    def _let_go(self, key: int) -> None:
        self.live -= self._known.pop(key, 0)

    @contextmanager
    def within(self, part: str) -> Any:
        """Count for `part`."""
        before, self.part = self.part, part
        yield
        self.part = before


class _Generators(Source):
    """Streams of a device's own generators, one call a draw; the meta device has none."""

    def stream(self, seed: int) -> Any:
        """A stream."""
        return lambda shape: torch.randn(shape, device=META)


def conditionings(count: int, unet: UNetConfig) -> list[Conditioning]:
    """Texts of 77 tokens."""

    def entry() -> Entry:
        half = {"device": META, "dtype": torch.float16}
        return Entry(10**6, torch.empty(77, unet.context, **half), torch.empty(unet.vector, **half))

    return [Conditioning((Subprompt(1.0, (entry(),)),), (entry(),)) for _ in range(count)]


def launches(unet: UNet, job: Job, options: argparse.Namespace, kind: str) -> dict[str, float]:
    """Launches a step by part, in the steps after the first."""
    solver, counting = find_solver(job.sampler), Counting()
    levels = solver.sigmas(zero_snr=False)
    route = find_route(job, solver, levels)
    shape, seeds = (4, options.size // 8, options.size // 8), list(range(options.batch))
    source = _Generators(kind, META) if kind == "GPU" else Source(kind, META if kind == "NV" else torch.device("cpu"))
    made = Brownian(source, seeds, shape, route.span) if solver.brownian else ImageNoise(source, seeds, shape)
    guidance = Guidance(scales=[job.cfg] * options.batch, calls=job.steps)
    model = Denoiser(unet, levels, "eps", conditionings(options.batch, unet.config), guidance)
    forward = unet.forward

    def no_unet(x: torch.Tensor, *others: Any) -> torch.Tensor:
        with counting.within("UNet"):
            return torch.empty_like(x)

    def counted_noise(*between: float) -> torch.Tensor:
        with counting.within("noise"):
            return made(*between)

    def on_step(count: int) -> None:
        if not counting.forbids_reads:
            counting.launches.clear()  # the first step plans
            counting.forbids_reads = True

    unet.forward = no_unet
    with counting, torch.inference_mode():
        x = torch.empty(options.batch, *shape, device=META)
        sample(model, x, solver.rows(route.levels, job), counted_noise, on_step)
    unet.forward = forward
    return {part: counting.launches[part] / (STEPS - 1) for part in ("noise", "sampler")}


def phase(work: Callable[[], Any]) -> dict[str, int]:
    """The launches of `work`, and the most bytes that its own tensors held together. It may read nothing back."""
    with Counting() as counting, torch.inference_mode():
        counting.forbids_reads = True
        work()
    return {"launches": sum(counting.launches.values()), "bytes": counting.most}


def main() -> None:
    """Parse the flags, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("size", 1024), ("batch", 4), ("cfg", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with unfilled():
        parts = {
            "unet": UNet(UNetConfig()).half(),
            "vae": VAE(VAEConfig()).half(),
            "clip_l": ClipL(TextConfig(width=768, layers=12)).half(),
            "clip_g": ClipG(TextConfig(width=1280, layers=32, projection=1280)).half(),
        }
    weights = {name: sum(t.nbytes for t in part.state_dict().values()) for name, part in parts.items()}
    rows = options.batch * (1 if options.cfg == 1 else 2)
    told: dict[str, Any] = {"size": options.size, "batch": options.batch, "cfg": options.cfg, "weights": weights}
    told["launches a step"] = {}
    for sampler in ("Euler", "Euler a", "DPM++ 2M SDE"):
        job = Job(prompt="", seed=1, steps=STEPS, sampler=sampler, cfg=options.cfg)
        for kind in ("CPU", "GPU", "NV") if sampler != "Euler" else ("CPU",):
            told["launches a step"][f"{sampler}, {kind}"] = launches(parts["unet"], job, options, kind)
    told["phases"] = phases(parts, options, rows)
    always = weights["unet"] + weights["vae"]
    for name, own in told["phases"].items():
        own["with weights"] = own["bytes"] + always + sum(weights[part] for part in weights if part in name)
    if options.json:
        print(json.dumps(told, indent=2))
        return
    print(f"{options.size} px, batch {options.batch}, CFG {options.cfg}, float16; nothing was computed")
    for name, count in weights.items():
        print(f"weights of {name}: {count / 1e9:.2f} GB")
    for name, counts in told["launches a step"].items():
        print(f"{name}: " + ", ".join(f"{part} {count:.0f}" for part, count in counts.items()) + " launches a step")
    for name, own in told["phases"].items():
        beside, whole = own["bytes"] / 1e9, own["with weights"] / 1e9
        print(f"{name}: {own['launches']} launches, {beside:.2f} GB, {whole:.2f} GB with the weights there")


def phases(parts: dict[str, Any], options: argparse.Namespace, rows: int) -> dict[str, dict[str, int]]:
    """What each part of a run asks of the device, one after the other."""
    unet, vae, side, size = parts["unet"], parts["vae"], options.size // 8, options.size
    half = {"device": META, "dtype": torch.float16}
    x, texts = torch.empty(rows, 4, side, side, **half), torch.empty(rows, 77, 2048, **half)
    times, vector = torch.empty(rows, device=META), torch.empty(rows, 2816, **half)
    pixels, tokens = torch.empty(1, 3, size, size, **half), torch.zeros(32, 77, dtype=torch.int64, device=META)
    read = unet.read(texts)
    return {
        "clip_l, 32 chunks": phase(lambda: parts["clip_l"](tokens)),
        "clip_g, 32 chunks": phase(lambda: parts["clip_g"](tokens)),
        f"UNet, {counted(rows, 'row')}": phase(lambda: unet(x, times, read, vector)),
        "noise of a step, NV": phase(lambda: _walk(options)),
        "decode, one picture": phase(lambda: vae.decode(x[:1])),
        "decode in strips": phase(lambda: decode_in_strips(vae, x[:1])),
        "encode, one picture": phase(lambda: vae.encode(pixels)),
        "encode in strips": phase(lambda: encode_in_strips(vae, pixels)),
    }


def _walk(options: argparse.Namespace) -> None:
    shape = (4, options.size // 8, options.size // 8)
    noise = Brownian(Source("NV", META), list(range(options.batch)), shape, (0.03, 14.6))
    noise(14.6, 9.0)


if __name__ == "__main__":
    main()
