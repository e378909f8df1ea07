"""Processes that train together, forked where that is possible: a fork imports nothing again.

usage: processes.py RECIPE.json SIZE. Prints their exit statuses as JSON.
"""

import json
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable


def together(act: Callable[..., object], own: tuple, size: int) -> list[int | None]:
    """Call `act(*own)` in `size` processes, each with what torchrun would tell it; their exit statuses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    running = [context.Process(target=_one, args=(act, own, port, size, rank), daemon=True) for rank in range(size)]
    for process in running:
        process.start()
    for process in running:
        process.join(180)
    return [process.exitcode for process in running]


def _one(act: Callable[..., object], own: tuple, port: int, size: int, rank: int) -> None:
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size), "RANK": str(rank)}
    os.environ.update(told)
    act(*own)


def command(recipe: str) -> None:
    from ohwx_compare.cli.main import main

    sys.stdout = sys.stderr
    sys.exit(main(["train", recipe, "--device", "cpu"]))


if __name__ == "__main__":
    import ohwx_compare.train.run.loop  # noqa: F401  before the fork

    sys.stdout.write(json.dumps(together(command, (sys.argv[1],), int(sys.argv[2]))))
