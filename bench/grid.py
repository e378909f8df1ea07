"""The face grid, and what memory does over its cells.

usage: python bench/grid.py [--seeds 4] [--size 256] [--steps 20] [--face-steps 80] [--batch 4] [--cells 0]
       python bench/grid.py --webui http://127.0.0.1:7860 [--pid PID] [--rounds 3] [the flags above]

Draws three tiny checkpoints over `--seeds` seeds with a face pass at denoise 0.5, and prints seconds, batches and the
resident memory after each cell. With --cells N it draws N cells of 1024 px with a host without a model instead: what
a run itself keeps of each cell. Memory is read where there is /proc.

With --webui the same grid is posted to that running webui, on this machine, with this extension and ADetailer: as an
X/Y/Z plot with ADetailer, as "ohwx compare" (--batch seeds drawn together), and then drawn by the command line's
engine in this process; `--rounds` times with fresh seeds after one to warm up, the order turned about each time.
Printed are medians of wall and CPU time, their ratios to X/Y/Z + ADetailer, and how far the pictures are apart (the
webui's "Random number generator source" must be CPU for that). With --cells N besides: N cells each way in the webui,
and its resident memory on the way. For equal threads start this with the webui's interpreter and OMP_NUM_THREADS:

    OMP_NUM_THREADS=2 PYTHONPATH=. /path/to/webui/venv/bin/python bench/grid.py --webui URL --pid PID

It wants checkpoints (--checkpoints, names without suffix) in one folder and a detector (--detector) in
models/adetailer. --pid is the webui's process, for CPU time and memory where there is /proc.
"""

import argparse
import os
import tempfile
import time
from functools import cache
from pathlib import Path

from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.compare.run import Options, draw_run
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.request.job import Job
from ohwx_compare.testing.fake_host import FakeHost

GRID = Path(__file__).parents[1] / "tests" / "seed" / "small_grid.txt"  # three tiny checkpoints, two seeds


def resident() -> float:
    """Resident memory of this process, MB; nan where there is no /proc."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if path.exists() else float("nan")


class Watch:
    """A listener that notes memory after each finished cell."""

    def __init__(self):
        self.memory: list[float] = []

    def __call__(self, event: events.Event) -> None:
        """Take one event."""
        if isinstance(event, events.Image):
            self.memory.append(resident())


def face_grid(options: argparse.Namespace, folder: Path) -> None:
    """Three checkpoints x seeds with the native host."""
    from ohwx_compare.engine.detect import find_detector
    from ohwx_compare.hosts.native import NativeHost
    from ohwx_compare.testing.drawn_detector import draw_detector
    from ohwx_compare.testing.tiny import draw_tiny

    seeds = ",".join(str(10 + n) for n in range(options.seeds))
    text = GRID.read_text(encoding="utf-8").replace('"10,11"', f'"{seeds}"').replace('"10, 11"', f'"{seeds}"')
    text = text.replace("Steps: 12", f"Steps: {options.steps}").replace("256x256", f"{options.size}x{options.size}")
    text = text.replace("ADetailer steps: 20", f"ADetailer steps: {options.face_steps}")
    draw_tiny(folder)
    draw_detector(folder / "drawn_face.safetensors")
    experiment, watch = Experiment.from_infotext(infotext.parse(text)), Watch()
    host = NativeHost([folder], device="cpu")
    detectors = cache(lambda name: find_detector(name, [folder]))
    started, used = time.perf_counter(), time.process_time()
    result = draw_run(
        experiment,
        host,
        detectors,
        folder / "run",
        watch,
        resolve=in_folder(folder, {}),
        options=Options(batch=options.batch),
    )
    wall, used = time.perf_counter() - started, time.process_time() - used
    host.close()
    each = used / result.drawn
    print(f"{result.drawn} cells, {result.failed} failed: {wall:.1f} s, {used:.1f} s of CPU ({each:.1f} s a cell)")
    print("resident MB after each cell:", " ".join(f"{mb:.0f}" for mb in watch.memory))


def bookkeeping(options: argparse.Namespace, folder: Path) -> None:
    """Many large cells with a host without a model."""
    (folder / "a.safetensors").write_bytes(b"a")
    job = Job(prompt="ohwx man", seed=1, width=1024, height=1024)
    axes = (Axis("checkpoint", (CheckpointRef("a"),)), Axis("seed", tuple(range(options.cells))))
    watch = Watch()
    draw_run(
        Experiment(job=job, axes=axes), FakeHost(folder), {}.get, folder / "run", watch,
        resolve=in_folder(folder, {}), options=Options(batch=options.batch),
    )  # fmt: skip
    first, half, last = (watch.memory[at] for at in (options.cells // 10, options.cells // 2, -1))
    each = (last - half) / (options.cells / 2) * 100
    print(f"{options.cells} cells of 1024 px: {first:.0f}, {half:.0f}, {last:.0f} MB at a tenth, a half, the end")
    print(f"{each:+.1f} MB for 100 further cells")


def main() -> None:
    """Parse the flags, draw in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("seeds", 4), ("size", 256), ("steps", 20), ("face-steps", 80), ("batch", 4), ("cells", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--webui", metavar="URL")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkpoints", default="tiny_base,tiny_reg,tiny_noreg")
    parser.add_argument("--detector", default="drawn_yolov8.pt")
    options = parser.parse_args()
    if options.webui:
        import webui_grid  # beside this file

        (webui_grid.memory if options.cells else webui_grid.compare)(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        (bookkeeping if options.cells else face_grid)(options, Path(folder))


if __name__ == "__main__":
    main()
