"""Webuis that a test starts and ends itself, each in a data folder of its own.

OHWX_WEBUI_START is a command that starts a webui in the foreground and takes further flags (--port, --data-dir, ...).
Its other extensions and the tiny checkpoints are copied from the webui that OHWX_WEBUI_URL names.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from webui_api import PATIENCE, Webui

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "randn_source": "CPU",
    "live_previews_enable": False,
    "show_progress_type": "Approx cheap",
    "sd_model_checkpoint": "tiny_base.safetensors",
    "VERSION_UID": "PY313",  # without it forge-neo waits for a key
    "ad_max_models": 2,  # unsaved it changes after the page is built, and forge-classic's API shifts what follows
}
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", "tests", "docs", ".*_cache")


@dataclass(frozen=True)
class Data:
    """A webui's data folder, which starts of it share."""

    folder: Path

    @property
    def extension(self):
        return self.folder / "extensions" / "sd-webui-ohwx-compare"

    @property
    def log(self):
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    @property
    def starts(self):
        """How often it has started, Reload UI included."""
        return self.log.count("Startup time: ")

    @property
    def complaints(self):
        """The lines by which a webui reports an error; a page that was closed is none."""
        log = re.sub(r"Traceback \(most recent call last\):\n([ \t].*\n)*.*WebSocketDisconnect", "", self.log)
        return [line for line in log.splitlines() if line.startswith(("***", "Traceback", "Error"))]


def make_data(webui, goldens, folder):
    """A data folder with checkpoints, detector and the running webui's other extensions, ours not among them."""
    if "OHWX_WEBUI_START" not in os.environ:
        pytest.skip("OHWX_WEBUI_START names no command that starts a webui")
    models = folder / "models"
    (models / "adetailer").mkdir(parents=True)
    shutil.copy(goldens / "drawn_yolov8.pt", models / "adetailer")
    (models / "Stable-diffusion").mkdir()
    for path in webui.folder.glob("tiny_*.*"):
        shutil.copy(path, models / "Stable-diffusion")
    for extension in (webui.folder.parents[1] / "extensions").iterdir():
        if extension.is_dir() and not (extension / "ohwx_compare").is_dir():
            shutil.copytree(extension, folder / "extensions" / extension.name, ignore=_LEFT_OUT)
    (folder / "config.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return Data(folder)


def put_extension(data):
    """Copy this working tree into the data folder's extensions."""
    shutil.copytree(ROOT, data.extension, ignore=_LEFT_OUT)


@contextmanager
def started(data, *flags):
    """A webui over `data` that answers; killed at the end, if it still lives. Yields its API and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ("--port", str(port), "--data-dir", str(data.folder))
    command = [*shlex.split(os.environ["OHWX_WEBUI_START"]), *where, *flags]
    with (data.folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    api = Webui(f"http://127.0.0.1:{port}")
    try:
        _wait(process, data, port)
        yield api, process
    finally:
        kill(process)


def kill(process):
    """End a webui and its children at once, as a power cut would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process, data, port, seconds=PATIENCE):
    """Until its log says that it has started and its port is open; under --nowebui 1.7 says so before.

    Nothing is asked of it before: a request can keep the webui from adding its API.
    """
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        if data.starts:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
        time.sleep(0.2)
    pytest.fail(f"the webui does not start; the end of its log:\n{data.log[-3000:]}")
