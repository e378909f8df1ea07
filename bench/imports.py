"""What importing costs: seconds and modules of fresh processes, the interpreter's own start left out.

usage: python bench/imports.py [--times 9] [--finished]

With --finished: CPU time of `ohwx compare` of a finished run of six tiny cells, and of `import torch`, in turns.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

GRID = Path(__file__).parents[1] / "tests" / "seed" / "small_grid.txt"  # three tiny checkpoints, two seeds

CASES = {
    "import ohwx_compare": ("", "import ohwx_compare"),
    "the command line up to --help": (
        "",
        "from ohwx_compare.cli.main import build_parser; build_parser().format_help()",
    ),
    "ohwx pnginfo": ("", "from ohwx_compare.cli.main import build_parser; build_parser('pnginfo')"),
    "the comparison without an engine": ("", "import ohwx_compare.compare.run"),
    "the detector, torch being there": ("import torch", "import ohwx_compare.engine.detect"),
    "the engine, torch being there": ("import torch", "import ohwx_compare.hosts.native"),
    "(torch alone)": ("", "import torch"),
}
CHILD = """
import json, sys, time
{before}
known = set(sys.modules)
started, used = time.perf_counter(), time.process_time()
{what}
seconds, used = time.perf_counter() - started, time.process_time() - used
new = set(sys.modules) - known
packages = {{name.partition(".")[0] for name in new}} - set(sys.stdlib_module_names)
print(json.dumps([seconds, used, len(new), sorted(packages - {{"ohwx_compare"}})]))
"""


def finished(times: int) -> None:
    """Print what a run costs that has nothing left to do."""
    from ohwx_compare.testing.drawn_detector import draw_detector
    from ohwx_compare.testing.tiny import draw_tiny

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_tiny(folder)
        draw_detector(folder / "drawn_face.safetensors")
        text = GRID.read_text(encoding="utf-8").replace("Steps: 12", "Steps: 1").replace("256x256", "64x64")
        (folder / "grid.txt").write_text(text.replace("ADetailer steps: 20", "ADetailer steps: 1"), encoding="utf-8")
        places = ["--checkpoints", name, "--detectors", name, "--out", str(folder / "run"), "--device", "cpu"]
        compare = [sys.executable, "-m", "ohwx_compare", "compare", "--from", str(folder / "grid.txt"), *places]
        commands = {"ohwx compare": compare, "import torch": [sys.executable, "-c", "import torch"]}
        cpu(compare)
        taken = {name: [] for name in commands}
        for _ in range(times):
            for name, command in commands.items():
                taken[name].append(cpu(command))
    ours, torchs = (statistics.median(own) for own in taken.values())
    print(f"CPU: {ours:.2f} s for a finished run, {torchs:.2f} s for import torch: {ours / torchs:.2f}")


def cpu(command: list[str]) -> float:
    """Seconds of CPU that a child took; Unix only."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a row a case: the median, and what came along."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--finished", action="store_true")
    options = parser.parse_args()
    if options.finished:
        finished(options.times)
        return
    times = options.times
    for name, (before, what) in CASES.items():
        code = CHILD.format(before=before, what=what)
        command = [sys.executable, "-c", code]
        runs = [json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) for _ in range(times)]
        seconds = sorted(run[0] for run in runs)
        used = statistics.median(run[1] for run in runs)
        packages = [package for package in runs[0][3] if not package.startswith("_")]
        print(
            f"{name}: median {statistics.median(seconds):.3f} s ({seconds[0]:.3f} to {seconds[-1]:.3f}), "
            f"CPU {used:.3f} s, {runs[0][2]} modules; from elsewhere: {', '.join(packages[:12]) or 'none'}"
        )


if __name__ == "__main__":
    main()
