"""What a page of ten thousand cells costs a browser: until the first pictures, while scrolling, in nodes and bytes.

usage: python bench/page.py [--checkpoints 10] [--seeds 1000] [--folder DIR] [--from disk|view]
                            [--address URL] [--frames 4000]

Makes a run folder without a model (pictures are drawn once and linked), opens its page in a headless Chromium by
Playwright, and prints: milliseconds from the navigation until the first pictures are decoded, kilobytes read by then,
while the page scrolls by in steps of 120 px, at most so many, the frames a second (median), CPU milliseconds of the
page's thread and of everything (browser, server) for each frame, requests and the most nodes meanwhile; and the size of
the script's heap before and after. --folder keeps the run there, and takes the one that lies there. --address opens a
page that something else serves: a run of as many cells in a webui's tab.
"""

import argparse
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from PIL import Image

from ohwx_compare.core.experiment.axes import Axis, CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import FaceRecord, Fate, Outcome
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.images import write_png, write_thumbnail
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.files.ledger.rows import Result, insert_cell
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.look.page import write_page
from ohwx_compare.look.server import PageServer

DRAWN = 40  # pictures that differ
SEEN = """() => {
    const seen = [...document.querySelectorAll(".tile img")].filter((img) => {
        const { top, bottom, left, right } = img.getBoundingClientRect();
        return bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
    });
    return seen.length > 3 && seen.every((img) => img.complete && img.naturalWidth) ? performance.now() : false;
}"""
SCROLL = """async ([step, most]) => {
    const times = [], nodes = () => document.getElementsByTagName("*").length;
    let [last, nodesMost, at] = [performance.now(), 0, 0];
    const end = document.documentElement.scrollHeight - innerHeight;
    while (at < end && times.length < most) {
        scrollTo(0, at += step);
        const now = await new Promise(requestAnimationFrame);
        times.push(now - last);
        last = now;
        nodesMost = Math.max(nodesMost, nodes());
    }
    times.sort((a, b) => a - b);
    return { median: times[times.length >> 1], slow: times[Math.floor(times.length * 0.95)], frames: times.length,
        nodes: nodesMost, high: document.documentElement.scrollHeight };
}"""


def make_run(folder: Path, checkpoints: int, seeds: int) -> None:
    """A finished run; every tenth cell has no face."""
    experiment = Experiment(
        job=Job(prompt="portrait of ohwx man, anime style", negative="blurry", seed=1, width=1024, height=1024),
        axes=(
            Axis(
                "checkpoint",
                tuple(CheckpointRef(f"me_noREG-{30 * (i + 1):06d}.safetensors") for i in range(checkpoints)),
            ),
            Axis("seed", tuple(range(1, seeds + 1))),
        ),
        faces=(FaceSettings(),),
    )
    for name in ("images", "thumbs"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(1)
    drawn = []
    for i in range(DRAWN):
        small = rng.integers(0, 255, (24, 24, 3), np.uint8)
        image = Image.fromarray(small).resize((512, 512), Image.Resampling.BICUBIC)
        write_png(folder / "images" / f"drawn-{i}.png", image, "")
        write_thumbnail(folder / "thumbs" / f"drawn-{i}.jpg", image)
        drawn.append(i)
    with Ledger(folder) as ledger:
        ledger.plan(experiment)
        with ledger._change() as db:  # one transaction for all: a run takes one a cell
            for cell in experiment.cells():
                stem, which = f"{cell.number:05d}-{cell.checkpoint.stem}-{cell.job.seed}", cell.number % DRAWN
                paths = {}
                for name in ("before", "after"):
                    paths[name] = f"images/{stem}-{name}.png"
                    paths[f"{name}_thumb"] = f"thumbs/{stem}-{name}.jpg"
                    (folder / paths[name]).hardlink_to(folder / "images" / f"drawn-{which}.png")
                    (folder / paths[f"{name}_thumb"]).hardlink_to(folder / "thumbs" / f"drawn-{which}.jpg")
                face = FaceRecord(
                    tab=0, box=(200, 150, 400, 380), confidence=0.5 + which / 100, detector="face_yolov8n.pt",
                    fate=Fate.INPAINTED,
                )  # fmt: skip
                text = (
                    f"{cell.job.prompt}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: {cell.job.seed}"
                    * 4
                )
                result = Result(outcome=Outcome.FACES, faces=(face,), infotext=text, seconds=3.5, **paths)
                insert_cell(db, cell, result)


@contextlib.contextmanager
def address_of(folder: Path, way: str) -> Iterator[str]:
    """Where the page is opened."""
    if way == "disk":
        yield (folder / "index.html").as_uri()
        return
    with PageServer(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.url
        server.shutdown()


def measure(opened: contextlib.AbstractContextManager[str], frames: int) -> dict[str, float]:
    """Open, wait, scroll."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with opened as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--headless=new", "--disable-dev-shm-usage", "--js-flags=--expose-gc"],
        )
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        come: list[Any] = []
        page.on("requestfinished", lambda request: come.append(request))
        page.goto(address, wait_until="commit")
        first = page.wait_for_function(SEEN, polling=10).json_value()
        read = sum(map(_size, list(come)))
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        heap = "() => { gc(); return performance.memory.usedJSHeapSize }"
        before = page.evaluate(heap)
        machine = browser.new_browser_cdp_session()
        come.clear()
        busy, all_busy = _busy(session), _all_busy(machine)
        scrolled = page.evaluate(SCROLL, [120, frames])
        busy, all_busy = _busy(session) - busy, _all_busy(machine) - all_busy
        after = page.evaluate(heap)
        browser.close()
    return {
        "first pictures, ms": first, "read until then, kB": read / 1000, "median frames/s": 1000 / scrolled["median"],
        "page's CPU of a frame, ms": 1000 * busy / scrolled["frames"],
        "all CPU of a frame, ms": 1000 * all_busy / scrolled["frames"],
        "requests while scrolling": len(come), "95 % of frames within, ms": scrolled["slow"],
        "frames": scrolled["frames"], "px high": scrolled["high"],
        "most nodes": scrolled["nodes"], "heap before, MB": before / 1e6, "heap after, MB": after / 1e6,
    }  # fmt: skip


def _busy(session: Any) -> float:
    """CPU seconds of the page's main thread."""
    told = session.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in told if each["name"] == "TaskDuration")


def _all_busy(machine: Any) -> float:
    """CPU seconds of the browser's processes and of this one, which serves."""
    told = machine.send("SystemInfo.getProcessInfo")["processInfo"]
    return sum(each["cpuTime"] for each in told) + time.process_time()


def _size(request: Any) -> int:
    """Bytes of what came."""
    split = urlsplit(request.url)
    if split.scheme != "file":
        return int(request.sizes()["responseBodySize"]) if request.response() else 0
    file = Path(url2pathname(split.path))
    return file.stat().st_size if file.is_file() else 0


def main() -> None:
    """Make, open, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--from", dest="way", choices=("disk", "view"), default="disk")
    parser.add_argument("--address")
    parser.add_argument("--frames", type=int, default=4000)
    options = parser.parse_args()
    if options.address:
        _tell(measure(contextlib.nullcontext(options.address), options.frames))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "run"
        if not folder.exists():
            make_run(folder, options.checkpoints, options.seeds)
        began = time.process_time()
        run = open_run(folder)
        print(f"{'read the ledger, s CPU':30s} {time.process_time() - began:10.2f}")
        began = time.process_time()
        write_page(run)
        print(f"{'write the page, s CPU':30s} {time.process_time() - began:10.2f}")
        _tell(measure(address_of(folder, options.way), options.frames))


def _tell(measured: dict[str, float]) -> None:
    for name, value in measured.items():
        print(f"{name:30s} {value:10.1f}")


if __name__ == "__main__":
    main()
