"""A run by two workers, to be killed: `python shared_run.py MODELS DETECTORS OUT [ray]`; cells are lines in OUT.log."""

import sys
from dataclasses import replace
from pathlib import Path

from test_processes import draw, settings

from ohwx_compare.compare.crew import Crew
from ohwx_compare.core import events
from ohwx_compare.hosts.machines.on_ray import ray_workers
from ohwx_compare.hosts.machines.processes import processes


class Log:
    def __init__(self, path):
        self.path = path

    def append(self, event):
        if isinstance(event, events.Image):
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{event.number}\n")


if __name__ == "__main__":
    tiny, goldens, out = map(Path, sys.argv[1:4])
    out.parent.mkdir(parents=True, exist_ok=True)
    own = replace(settings(tiny, goldens), threads=1)
    with ray_workers(own, "auto", 2) if "ray" in sys.argv else processes(own, ["cpu", "cpu"]) as crew:
        draw(Crew(crew), tiny, goldens, out, Log(out.with_suffix(".log")))
