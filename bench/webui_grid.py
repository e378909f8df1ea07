"""The face grid posted to a running webui: its X/Y/Z plot with ADetailer, ours in it, and our own engine beside it."""

import argparse
import base64
import io
import json
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

PROMPT = "photo of ohwx man, portrait"
PLOT, OURS = "X/Y/Z + ADetailer", "ohwx compare"


@dataclass(frozen=True)
class Server:
    """A webui, and its process where that is known and has /proc."""

    url: str
    pid: int | None

    def get(self, path: str) -> Any:
        """The API's answer to a GET."""
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def draw(self, body: Mapping[str, Any]) -> list[Image.Image]:
        """The pictures that txt2img answers with, grid first."""
        data = json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.url}/sdapi/v1/txt2img", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            images = json.load(answer)["images"]
        return [Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB") for image in images]

    def cpu(self) -> float:
        """Seconds of CPU its process has used; nan where that cannot be read."""
        if self.pid is None:
            return float("nan")
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Its resident memory, MB; nan where that cannot be read."""
        if self.pid is None:
            return float("nan")
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass
class Measured:
    """What one way of drawing took, round by round."""

    wall: list[float] = field(default_factory=list)  # s
    cpu: list[float] = field(default_factory=list)  # s
    pictures: list[Image.Image] = field(default_factory=list)  # of the last round, checkpoint by checkpoint


def compare(options: argparse.Namespace) -> None:
    """Draw the grid `--rounds` times each way, the order turned about each time; print medians and ratios."""
    server = Server(options.webui.rstrip("/"), options.pid)
    folder, names = _checkpoints(server, options.checkpoints)
    ways: dict[str, Callable[[Sequence[int]], list[Image.Image]]] = {
        PLOT: lambda seeds: server.draw(_plot(server, options, names, seeds))[1:],
        OURS: lambda seeds: server.draw(_ours(server, options, names, seeds))[1:],
        "ohwx (its own engine)": lambda seeds: _engine(options, folder, names, seeds),
    }
    measured = {name: Measured() for name in ways}
    for number in range(options.rounds + 1):  # the first warms up
        seeds = [1000 * number + n for n in range(options.seeds)]  # fresh ones: nothing is there already
        for name in list(ways)[:: -1 if number % 2 else 1]:
            _measure(measured[name], ways[name], seeds, server if "engine" not in name else None, is_kept=number > 0)
    plot = measured[PLOT]
    for name, result in measured.items():
        pairs = zip(plot.pictures, result.pictures, strict=True)
        apart = [np.abs(np.asarray(one, int) - np.asarray(other, int)) for one, other in pairs]
        print(
            f"{name}: {median(result.wall):.2f} s ({', '.join(f'{s:.2f}' for s in result.wall)}), "
            f"CPU {median(result.cpu):.2f} s; ratio {median(result.wall) / median(plot.wall):.3f} of wall, "
            f"{median(result.cpu) / median(plot.cpu):.3f} of CPU; pictures differ by at most "
            f"{max(a.max() for a in apart)}/255, mean {max(a.mean() for a in apart):.4f}"
        )


def memory(options: argparse.Namespace) -> None:
    """Draw `--cells` cells each way in the webui and print its resident memory on the way."""
    server = Server(options.webui.rstrip("/"), options.pid)
    _, names = _checkpoints(server, options.checkpoints)
    each = -(-options.cells // len(names))
    for first, (name, body) in enumerate({OURS: _ours, PLOT: _plot}.items()):
        server.draw(body(server, options, names, [1]))  # warm
        seeds = [100_000 * (first + 1) + n for n in range(each)]
        seen: list[float] = []
        drawing = threading.Thread(target=server.draw, args=(body(server, options, names, seeds),))
        drawing.start()
        while drawing.is_alive():
            seen.append(server.resident())
            drawing.join(1.0)
        start, half, end = seen[len(seen) // 10], seen[len(seen) // 2], seen[-1]
        print(
            f"{name}, {each * len(names)} cells: {start:.0f} MB at a tenth, {half:.0f} at a half, {end:.0f} at the "
            f"end, {max(seen):.0f} at most; {(end - half) / (each * len(names)) * 200:+.1f} MB for 100 further cells"
        )


def _measure(into: Measured, draw: Callable, seeds: Sequence[int], server: Server | None, *, is_kept: bool) -> None:
    cpu = server.cpu if server else time.process_time
    started, used = time.perf_counter(), cpu()
    into.pictures = draw(seeds)
    if is_kept:
        into.wall.append(time.perf_counter() - started)
        into.cpu.append(cpu() - used)


def _checkpoints(server: Server, wanted: str) -> tuple[Path, list[str]]:
    """Their folder and their names below it."""
    files = {Path(model["filename"]).stem: Path(model["filename"]) for model in server.get("/sdapi/v1/sd-models")}
    paths = [files[name] for name in wanted.split(",")]
    return paths[0].parent, [path.name for path in paths]


def _payload(server: Server, options: argparse.Namespace) -> dict[str, Any]:
    sampler = {"sampler_name": "DPM++ 2M SDE", "scheduler": "Karras"}
    if "DPM++ 2M SDE Karras" in [known["name"] for known in server.get("/sdapi/v1/samplers")]:  # before 1.9
        sampler = {"sampler_name": "DPM++ 2M SDE Karras"}
    size = {"width": options.size, "height": options.size}
    return {"prompt": PROMPT, "steps": options.steps, "cfg_scale": 7, **sampler, **size}


def _tab(options: argparse.Namespace, *, is_old: bool = False) -> dict[str, Any]:
    """is_old: for an ADetailer of a webui before 1.9, which names the largest face in its own way."""
    return {
        "ad_model": options.detector,
        "ad_confidence": 0.01,  # a face in every picture
        **({"ad_mask_k_largest": 1} if is_old else {"ad_mask_filter_method": "Area", "ad_mask_k": 1}),
        "ad_denoising_strength": 0.5,
        "ad_use_steps": True,
        "ad_steps": options.face_steps,
    }


def _ours(server: Server, options: argparse.Namespace, names: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    settings = {
        "checkpoints": names,
        "axes": [{"kind": "seed", "values": seeds}],
        "faces": [_tab(options)],
        "keep_before": False,
        "name": f"bench {time.time_ns()}",
    }
    return {
        **_payload(server, options),
        "seed": seeds[0],
        "batch_size": options.batch,
        "script_name": "ohwx compare",
        "script_args": [json.dumps(settings)],
    }


def _plot(server: Server, options: argparse.Namespace, names: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """Checkpoints on Y and seeds on X, so that its single pictures come in our order."""
    scripts = server.get("/sdapi/v1/script-info")
    plot = next(s for s in scripts if s["name"] == "x/y/z plot" and not s["is_img2img"])
    kinds = plot["args"][0]["choices"]
    args = [arg["value"] for arg in plot["args"]]
    args = [kinds.index(value) if value in kinds[:2] and at in (0, 3, 6) else value for at, value in enumerate(args)]
    labels = [arg["label"] for arg in plot["args"]]
    args[0], args[1] = kinds.index("Seed"), ",".join(map(str, seeds))
    args[3], args[5] = kinds.index("Checkpoint name"), list(names)
    args[labels.index("Include Sub Images")] = True
    payload = _payload(server, options)
    tab = _tab(options, is_old="scheduler" not in payload)
    return {
        **payload,
        "seed": seeds[0],
        "script_name": "x/y/z plot",
        "script_args": [[] if value is None else value for value in args],
        "alwayson_scripts": {"ADetailer": {"args": [True, False, tab]}},
    }


def _engine(options: argparse.Namespace, folder: Path, names: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
    """The same cells with the engine of the command line, in this process."""
    from ohwx_compare.compare.resolve import in_folder
    from ohwx_compare.compare.run import Options, draw_run
    from ohwx_compare.core.experiment.experiment import Experiment
    from ohwx_compare.core.infotext.face_payload import from_payload
    from ohwx_compare.engine.detect import find_detector
    from ohwx_compare.files.ledger.reader import open_run
    from ohwx_compare.hosts.native import NativeHost

    experiment = Experiment.from_dict({
        "job": {
            "prompt": PROMPT, "seed": seeds[0], "steps": options.steps, "sampler": "DPM++ 2M SDE",
            "schedule": "Karras", "cfg": 7.0, "width": options.size, "height": options.size, "rng": "CPU",
        },
        "axes": [{"kind": "checkpoint", "values": list(names)}, {"kind": "seed", "values": list(seeds)}],
        "faces": [from_payload(_tab(options))],
    })  # fmt: skip
    host = NativeHost([folder], device="cpu")
    detectors = cache(lambda name: find_detector(name, [folder.parent / "adetailer"]))
    with tempfile.TemporaryDirectory() as runs:
        draw_run(
            experiment, host, detectors, Path(runs) / "run",
            resolve=in_folder(folder, {}), options=Options(batch=options.batch),
        )  # fmt: skip
        host.close()
        cells = open_run(Path(runs) / "run").cells
        return [Image.open(Path(runs) / "run" / cell.result.image).convert("RGB") for cell in cells]
