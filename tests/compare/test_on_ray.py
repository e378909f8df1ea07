"""Actors of a real Ray cluster that is started for the tests; skipped without Ray."""

import ipaddress
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from drawing_runs import contents
from test_processes import committed, draw, settings

from ohwx_compare.compare.crew import Crew
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.errors import CheckpointError, HostError
from ohwx_compare.hosts.machines.on_ray import _standing, ray_workers
from ohwx_compare.hosts.native import NativeHost

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


def test_without_ray_it_says_what_to_install(tiny, goldens, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(HostError, match="pip install ray"), ray_workers(settings(tiny, goldens), "auto"):
        pass


def test_no_cluster_there(tiny, goldens):
    pytest.importorskip("ray", reason="needs `pip install ray`")
    own = settings(tiny, goldens)
    with pytest.raises(HostError, match="No Ray cluster answers at"), ray_workers(own, "127.0.0.1:9"):
        pass


def test_a_run_joins_what_was_started_for_all_and_not_another_runs_cluster(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = "{}:{}".format(*there.getsockname())
        for file, found in ((None, None), (address, address), ("127.0.0.1:9", None)):
            ray = SimpleNamespace(_private=SimpleNamespace(utils=SimpleNamespace(read_ray_address=lambda f=file: f)))
            assert _standing(ray) == found
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert _standing(ray) == address
    with pytest.raises(HostError, match="No Ray cluster answers at"):
        _standing(ray)


@pytest.fixture(scope="module")
def alone(tiny, goldens, tmp_path_factory):
    out, threads = tmp_path_factory.mktemp("alone") / "out", torch.get_num_threads()
    torch.set_num_threads(1)
    draw(NativeHost([tiny], device="cpu"), tiny, goldens, out)
    torch.set_num_threads(threads)
    return contents(out)


@pytest.mark.slow
def test_two_actors(alone, tiny, goldens, tmp_path, monkeypatch):
    """Their pictures are one process's, errors cross as they are; no dashboard, no statistics, loopback."""
    ray = pytest.importorskip("ray", reason="needs `pip install ray`")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("OHWX_RUN", "loopback")
    with ray_workers(replace(settings(tiny, goldens), threads=1), "auto", 2) as crew:
        crew[1].about()
        if sys.platform.startswith("linux"):
            heard = listening("loopback")
            assert heard
            assert {address for _, address in heard if not address.is_loopback} == set()
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert not ray._private.worker._global_node.webui_url
        assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]
        with pytest.raises(CheckpointError, match="none"):
            crew[0].sha256(Checkpoint("none", tmp_path / "none.safetensors"))
        assert draw(Crew(crew), tiny, goldens, tmp_path / "out").failed == 0
    assert contents(tmp_path / "out") == alone


def listening(mark: str) -> set[tuple[int, ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    """Port and address of every socket on which a process of this mark waits for others."""
    own = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            digits, port = local.split(":")
            words = [int(digits[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(digits), 8)]
            address = ipaddress.ip_address(b"".join(words))
            if state == "0A":
                own[f"socket:[{inode}]"] = int(port, 16), getattr(address, "ipv4_mapped", None) or address
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            is_own = f"OHWX_RUN={mark}".encode() in (process / "environ").read_bytes()
            files = list((process / "fd").iterdir()) if is_own else []
            for file in files:
                with suppress(OSError):  # it was closed meanwhile
                    found |= {own[name] for name in [str(file.readlink())] if name in own}
    return found


def actors_of(mark: str) -> list[int]:
    """The processes of the actors whose environment has this mark."""
    found = []
    for told in Path("/proc").glob("[0-9]*/stat"):
        try:
            is_actor = b"ray::_RayStation" in (told.parent / "cmdline").read_bytes()
            if is_actor and f"OHWX_RUN={mark}".encode() in (told.parent / "environ").read_bytes():
                found.append(int(told.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc for the actors")
@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_killed_at_a_random_moment(victim, number, alone, tiny, goldens, tmp_path, capsys):
    """SIGKILL of an actor, or of the driver: the end is an undisturbed run's, no committed cell is committed twice."""
    pytest.importorskip("ray", reason="needs `pip install ray`")
    script, chance = Path(__file__).with_name("shared_run.py"), random.Random(f"{victim}{number}")
    out, log, mark = tmp_path / "out", tmp_path / "out.log", f"{victim}{number}"
    command = [sys.executable, str(script), str(tiny), str(goldens), str(out), "ray"]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "OHWX_RUN": mark}
    running = subprocess.Popen(command, env=own)
    while running.poll() is None and not committed(out):
        time.sleep(0.02)
    time.sleep(chance.uniform(0, 1.5))
    actors, before = actors_of(mark), committed(out)
    was_running = running.poll() is None
    if was_running:
        os.kill(running.pid if victim == "driver" else chance.choice(actors), signal.SIGKILL)
    status = running.wait(600)
    assert victim == "driver" or status == 0
    drawn = len(log.read_text().splitlines())
    assert subprocess.run(command, env=own, check=False, timeout=600).returncode == 0
    told = [int(line) for line in log.read_text().splitlines()]
    assert not set(told[drawn:]) & before
    assert max(Counter(told).values()) == 1
    assert contents(out) == alone
    with capsys.disabled():
        print(f"\n{victim} killed {'' if was_running else 'after the end '}with {len(before)} cells committed")  # noqa: T201


def test_ray_is_not_imported_unasked():
    code = "import sys, ohwx_compare.hosts.machines.on_ray, ohwx_compare.cli.compare; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
