"""How far our pictures are from the webui's: a table of every recorded case, into docs/parity.md.

    python bench/parity.py GOLDENS [GOLDENS ...] [--only NAME ...] [--write docs/parity.md]

GOLDENS: folders of the webui's answers, as `tests/goldens`: for each case NAME.json (payload, options, infotexts) and
NAME.png, or NAME.0.png, NAME.1.png, ... What a text or a request asks for and the engine does not do is named. Bounds:
2/255 and 0.002 on average; 4/255 and 0.02 where a face or inpaint pass ran. A case beyond them is drawn a second time
with its noise times 1.000001, which tells how far the last bits of the sums alone move it.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ohwx_compare.cli.replay import Original, differences, draw_as_told
from ohwx_compare.cli.start import FROM_NOISE, StartPictures
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.infotext.infotext import Infotext
from ohwx_compare.core.infotext.sampler_names import SAMPLERS, SCHEDULE_NAMES
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.limits import RESIZE_MODES
from ohwx_compare.engine import render
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.engine.samplers import find_solver
from ohwx_compare.errors import OhwxError
from ohwx_compare.files.images import load_mask, load_rgb
from ohwx_compare.hosts.native import Beside, NativeHost
from ohwx_compare.testing.parts import OPTION_FIELDS, draw_parts, draw_upscaler
from ohwx_compare.testing.tiny import draw_tiny

CLOSE, LOOSE = (2, 0.002), (4, 0.02)
NUDGE = 1.000001
_STEP = "roundings: pixels of the first picture fall to either side of a step, and the second pass carries that on"
_CROPS = "roundings: several crops of some 40 px, each drawn at 128 px from what the one before left"
_OTHER = "the webui itself, on another processor than the recorded one, is"
_TORCH = "in torch 2.1.2, as the webui had, we are"
NAMED = {
    "sampler_dpm_adaptive_automatic": f"its steps hang on the last bits; {_OTHER} 1 and 0.0139, {_TORCH} 1 and 0.0019",
    "hires_drawn_x4": f"{_STEP}; {_TORCH} 1 and 0.0018",
    "hires_esrgan_tiled": f"{_STEP}; {_TORCH} 1 and 0.0020",
    "hires_lanczos": f"{_STEP}; {_OTHER} 1 and 0.0024",
    "hires_none": f"{_STEP}; {_OTHER} 1 and 0.0024",
    "hires_same_schedule": f"{_STEP}; {_OTHER} 1 and 0.0026",
    "hires_sampler_prompt": f"{_STEP}; {_OTHER} 1 and 0.0060",
    "hires_resize_to": "the webui's cache of conditioning, which does not know the second pass's size, held 192x192 of "
    "the case before; with that it is 1 and 0.0025",
    "hires_face": "the box that is found ends at x = 126.03, next to a whole pixel, by which the mask is one wider; "
    f"{_OTHER} 71 and 1.4098",
    "face_ratio": f"{_CROPS}; {_OTHER} 2 and 0.0258",
    "face_segmentation": f"{_CROPS}; {_TORCH} 2 and 0.0179",
    "face_segmentation_192x128": f"{_CROPS}; {_TORCH} 2 and 0.0230",
    "face_two_tabs": "the second tab looks at what the first one drew, and its drawn detector sees other masks when 50 "
    "values move by 1/255: 8 times that, the picture was 9 to 232 and 0.26 to 11.6 away from itself",
    "lora_face": "the second tab looks at what the first one drew, and its drawn detector's box begins at y = 71.98, "
    f"or at 73 when 100 values move by 1/255; beginning at 75 the picture is 2 and 0.0155 from the webui's; "
    f"{_TORCH} 51 and 1.4031",
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    name: str
    job: Job | None
    largest: int | None = None
    mean: float | None = None
    bounds: tuple[int, float] = CLOSE
    refused: str = ""
    nudged: tuple[int, float] | None = None  # largest and mean difference from itself, its noise times NUDGE

    @property
    def holds(self) -> bool:
        """Whether it was drawn within its bounds."""
        return self.largest is not None and self.mean is not None and (
            self.largest <= self.bounds[0] and self.mean <= self.bounds[1]
        )  # fmt: skip

    @property
    def outcome(self) -> str:
        """In words."""
        if self.refused:
            return self.refused
        if self.holds:
            return "holds"
        largest, mean = self.nudged or (0, 0.0)
        return f"{NAMED.get(self.name, '**beyond its bounds**')}. Nudged: {largest} and {mean:.4f}"


@contextmanager
def nudged() -> Iterator[None]:
    """What a picture begins with, times NUDGE."""
    own = render._noises

    def noises(*given: Any) -> Any:
        first, more = own(*given)
        return first * NUDGE, more

    render._noises = noises
    try:
        yield
    finally:
        render._noises = own


class Bench:
    """Our engine, and the tiny checkpoints in a folder."""

    def __init__(self, models: Path) -> None:
        draw_tiny(models / "Stable-diffusion")
        draw_parts(models)
        (models / "ESRGAN").mkdir()
        weights = {name: torch.from_numpy(tensor) for name, tensor in draw_upscaler().items()}
        torch.save(weights, models / "ESRGAN" / "drawn_x4.pth")
        self.host = NativeHost(
            [models / "Stable-diffusion"],
            device="cpu",
            dtype=torch.float32,
            beside=Beside(
                vaes=[models / "VAE"],
                loras=[models / "Lora"],
                embeddings=[models.parent / "embeddings"],
                upscalers=[models / "ESRGAN"],
            ),
        )

    def results(self, folder: Path, only: list[str]) -> Iterator[Result]:
        """All cases of `folder`, in the order of their names."""
        for path in sorted(folder.glob("*.json")):
            case = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(case, dict) and "payload" in case and (not only or path.stem in only):
                yield self.result(path, case)

    def result(self, path: Path, case: Mapping[str, Any]) -> Result:
        """Draw one case, or say what keeps us from it."""
        job = None
        try:
            text = infotext.parse(case["infotexts"][0])
            if infotext.xyz(text):
                return Result(path.stem, None, refused="a grid: `ohwx compare` draws it (tests/compare)")
            own = {OPTION_FIELDS[k]: v for k, v in case["options"].items() if k in OPTION_FIELDS}
            own["resize_mode"] = RESIZE_MODES[case["payload"].get("resize_mode", 0)]
            job = replace(infotext.to_job(text), **own)
            refused = infotext.unsupported(text)
            if refused:
                return Result(path.stem, job, refused="refused: " + "; ".join(refused))
            bounds = LOOSE if infotext.faces(text) or "mask" in case["payload"] else CLOSE
            drawn = self._drawn(path.parent, case["payload"], text, job)
        except OhwxError as error:
            return Result(path.stem, job, refused=f"refused: {error}")
        with Image.open(_answer(path)) as answer:
            result = Result(path.stem, job, *differences(drawn, answer), bounds)
        if result.holds:
            return result
        with nudged():
            again = self._drawn(path.parent, case["payload"], text, job)
        return replace(result, nudged=differences(again, drawn))

    def _drawn(self, folder: Path, payload: Mapping[str, Any], text: Infotext, job: Job) -> Image.Image:
        name, short_hash = infotext.model(text)
        self.host.use(next(one for one in self.host.checkpoints() if one.name == f"{name}.safetensors"))
        tabs = infotext.faces(text)
        inpaint = replace(infotext.to_inpaint_job(text), job=job) if "mask" in payload else None
        original = Original(
            stem="", text="", job=job, inpaint=inpaint, start=_start(folder, payload), faces=tabs,
            checkpoint=CheckpointRef(str(name), short_hash), image=None,
        )  # fmt: skip
        detectors = [find_detector(tab.model, [folder, folder.parent]) for tab in tabs]
        return draw_as_told(self.host, detectors, original).image


def _start(folder: Path, payload: Mapping[str, Any]) -> StartPictures:
    if "init_images" not in payload:
        return FROM_NOISE
    mask = load_mask(folder / payload["mask"][1:]) if "mask" in payload else None
    return StartPictures(load_rgb(folder / payload["init_images"][0][1:]), mask)


def _answer(path: Path) -> Path:
    one = path.with_suffix(".png")
    return one if one.exists() else path.with_suffix(".0.png")


def table(results: Sequence[Result]) -> str:
    """Every case in Markdown."""
    lines = ["| case | max | mean | |", "|---|---|---|---|"]
    for result in results:
        largest = "" if result.largest is None else str(result.largest)
        mean = "" if result.mean is None else f"{result.mean:.4f}"
        outcome = result.outcome.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
        lines.append(f"| {result.name} | {largest} | {mean} | {outcome} |")
    return "\n".join(lines)


def matrix(results: Sequence[Result]) -> str:
    """Samplers by schedules: proven by a case here, or implemented."""
    proven = {(r.job.sampler, r.job.schedule) for r in results if r.job and r.holds}
    proven |= {(sampler, find_solver(sampler).automatic) for sampler, schedule in proven if schedule == "Automatic"}
    proven |= {(s, "Automatic") for s, schedule in tuple(proven) if schedule == find_solver(s).automatic}
    free = {sampler for sampler in SAMPLERS if find_solver(sampler).timesteps}  # these know no schedule
    proven |= {(sampler, schedule) for sampler, _ in tuple(proven) if sampler in free for schedule in SCHEDULE_NAMES}
    lines = [f"| sampler | {' | '.join(SCHEDULE_NAMES)} |", "|---" * (len(SCHEDULE_NAMES) + 1) + "|"]
    for sampler in SAMPLERS:
        cells = ("proven" if (sampler, schedule) in proven else "implemented" for schedule in SCHEDULE_NAMES)
        lines.append(f"| {sampler} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with(page: str, mark: str, text: str, *, is_part: bool = False) -> str:
    """`page` with `text` between the marks; is_part: only the rows that `text` has are replaced."""
    start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->\n"
    head, rest = page.split(start)
    if is_part:
        rows = {line.split(" | ")[0]: line for line in text.split("\n")}
        text = "\n".join(rows.get(line.split(" | ")[0], line) for line in rest.split(end)[0].split("\n")[:-1])
    return head + start + text + "\n" + end + rest.split(end)[1]


def main() -> int:
    """Draw, print and write. Returns 1 where a case is beyond its bounds for no named reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("goldens", nargs="+", type=Path)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="put both tables between the marks of this page; with --only the rows of these",
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as webui:
        bench = Bench(Path(webui) / "models")
        for folder in options.goldens:
            for result in bench.results(folder, options.only):
                results.append(result)
                print(f"{result.name:<44} {result.largest} {result.mean} {result.outcome[:200]}", flush=True)
    held, drawn = (sum(map(what, results)) for what in (lambda r: r.holds, lambda r: r.largest is not None))
    print(f"{held} hold of {drawn} drawn; {len(results) - drawn} refused")
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        page = _with(page, "cases", table(results), is_part=bool(options.only))
        options.write.write_text(page if options.only else _with(page, "matrix", matrix(results)), encoding="utf-8")
    return int(any(not (r.holds or r.refused or r.name in NAMED) for r in results))


if __name__ == "__main__":
    sys.exit(main())
