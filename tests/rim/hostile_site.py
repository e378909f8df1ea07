"""A fake webui whose folders hold a healthy run and a healthy training, and the laws that each of its answers keeps."""

import json
import shutil
import sys
import time
import traceback

import pytest
from PIL import Image
from tab_page import OWN, our_routes

resource = pytest.importorskip("resource")  # Windows has no such limits, and lets few users make links
SECRET = b"TOP SECRET 7f3a"
MOST = 1_000_000  # bytes of an answer


class Site:
    """A fake webui whose folders hold a healthy run and a healthy training, and what is asked of it."""

    def __init__(self, webui, page, outside):
        self.webui, self.page, self.outside, self.reports = webui, page, outside, []
        self.runs, self.trainings = (webui.data / "outputs" / "ohwx" / name for name in ("compare", "train"))
        our_routes(page.client.app)  # a webui loads them once, whatever is asked
        sys.modules["modules.errors"].report = lambda *args, **kwargs: self.reports.append(traceback.format_exc())

    def ask(self, method, path, body=None, **how):
        """The answer, once it is known to be harmless."""
        if isinstance(body, dict | list):
            how = {"json": body, **how}
        elif body is not None:
            how = {"content": body, **how}
        headers = {**(OWN if method == "POST" else {}), **({"Content-Type": "application/json"} if body else {})}
        headers |= how.pop("headers", {})
        started, memory = time.process_time(), peak()
        answer = self.page.client.request(method, path, headers=headers, **how)
        spent = time.process_time() - started
        told = (method, path[:200], answer.status_code, answer.text[:300])
        assert answer.status_code < 500, (told, self.reports)
        assert not self.reports, (told, self.reports)
        assert spent < 2, (told, spent)
        assert len(answer.content) < (MOST if "index.html" not in path else 10 * MOST), told
        assert SECRET not in answer.content, told
        if method != "HEAD" and answer.headers.get("content-type", "").startswith("application/json"):
            found = json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON: {told}"))
            if answer.status_code >= 400:
                assert is_sentence(found.get("error") or found["detail"]), told
        assert peak() - memory < 200_000_000, told
        return answer

    def rest(self):
        """Wait until nothing is drawn any more."""
        for _ in range(500):
            state = self.ask("GET", "/ohwx/api/state").json()
            if not state["queue"] and not any(
                run["state"] in ("drawing", "adopting", "merging") for run in state["runs"]
            ):
                return
            time.sleep(0.02)
        raise AssertionError(state["queue"])


def is_sentence(text):
    return 0 < len(text) <= 2_000 and text.isprintable()


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def kept(folder):
    """All that lies in a folder, to see whether it was touched."""
    return {
        path.relative_to(folder): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in sorted(folder.rglob("*"))
    }


def train(folder):
    """What a stopped training leaves."""
    (folder / "samples").mkdir(parents=True)
    recipe = {"base": "nobody.safetensors", "train": "/nowhere", "output": str(folder), "name": "me"}
    state = {"status": "running", "started": 1.0, "step": 1, "steps": 9, "time": 1.0}
    for name, value in (("recipe.json", recipe), ("state.json", state)):
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    lines = [json.dumps({"event": "Learned", "step": step, "time": step}) for step in (1, 2)]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "train.log").write_text("ohwx: no\n", encoding="utf-8")
    shutil.copy(folder.parents[3] / "models" / "Stable-diffusion" / "one.safetensors", folder / "me.safetensors")
    Image.new("RGB", (8, 8)).save(folder / "samples" / "a.png")
