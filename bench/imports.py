"""What importing costs: seconds and modules of fresh processes, the interpreter's own start left out.

usage: python bench/imports.py [--times 9]
"""

import argparse
import json
import statistics
import subprocess
import sys

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


def main() -> None:
    """Print a row a case: the median, and what came along."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=9)
    times = parser.parse_args().times
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
