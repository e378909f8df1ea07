"""`ohwx train a.json b.json --ray` on a real cluster that is started for the test; skipped without Ray."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "compare"))

from test_on_ray import actors_of

MARK = "train"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc for the actors")
def test_two_recipes_side_by_side_and_one_actor_is_killed(small, tmp_path, capsys):
    """Both end with the bytes of one process; what the killed one had begun is trained by the other."""
    pytest.importorskip("ray", reason="needs `pip install ray`")
    own = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "OHWX_RUN": MARK}

    def recipes(folder):
        for name, seed in (("a", 1), ("b", 2)):
            path = tmp_path / f"{folder} {name}.json"
            given = {**small, "output": str(tmp_path / folder / name), "name": name, "seed": seed, "epochs": 6}
            path.write_text(json.dumps(given), encoding="utf-8")
            yield str(path)

    def trained(folder):
        return {path.relative_to(tmp_path / folder).as_posix(): path.read_bytes()
                for path in (tmp_path / folder).rglob("*.safetensors")}  # fmt: skip

    command = [sys.executable, "-m", "ohwx_compare", "train"]
    told = {"env": {**os.environ, **own}, "stderr": subprocess.PIPE, "text": True}
    alone = subprocess.run([*command, *recipes("alone"), "--device", "cpu"], check=False, **told)
    assert alone.returncode == 0, alone.stderr
    running = subprocess.Popen([*command, *recipes("ray"), "--ray", "auto", "--workers", "2"], **told)
    while running.poll() is None and not all(list((tmp_path / "ray" / name).glob("*-000001.*")) for name in "ab"):
        time.sleep(0.01)
    actors = actors_of(MARK)
    if len(actors) == 2:
        os.kill(actors[0], signal.SIGKILL)
    words = running.communicate(timeout=600)[1]
    assert running.returncode == 0, words
    assert "Another one trains what it leaves" in words
    assert len(trained("ray")) == 12
    assert trained("ray") == trained("alone")
    with capsys.disabled():
        print(f"\n{len(actors)} actors, one killed")  # noqa: T201
