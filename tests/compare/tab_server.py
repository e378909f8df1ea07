"""The tab's routes over real run folders, for its page: what the webui would answer, without a webui."""

import json
import threading
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from train_server import Training

from ohwx_compare.compare.merge import merge_runs
from ohwx_compare.core.experiment.axes import KINDS
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.growing import grown
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.errors import OhwxError
from ohwx_compare.files.infotexts import read_infotext
from ohwx_compare.files.ledger.reader import experiment_in, open_run
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.files.run_folders import delete_run, deleted_runs, empty_bin, rename_run, restore_run
from ohwx_compare.look.route_table import routed
from ohwx_compare.look.routes import PageAnswer, PageRequest
from ohwx_compare.look.run_zip import packed_run

ROOT = Path(__file__).parents[2]
TYPES = {".mjs": "text/javascript", ".css": "text/css", ".html": "text/html", ".png": "image/png"}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>webui</title>
SCRIPTS<link rel="icon" href="data:,">
<link rel="stylesheet" href="file=style.css"></head><body class="THEME"><div id="tabs"></div><script>
const place = (name) => `<div class="tabitem" hidden><div id="ohwx-${name}" class="ohwx-compare"></div></div>`;
setTimeout(() => {
    const tabs = document.querySelector("#tabs");
    const names = location.search.includes("train") ? ["compare", "train"] : ["compare"];
    const buttons = names.map((name) => `<button>ohwx ${name}</button>`).join("");
    tabs.innerHTML = `<nav class="tab-nav">${buttons}</nav>` + names.map(place).join("");
    const show = (at) => tabs.querySelectorAll(".tabitem").forEach((item, i) => { item.hidden = i !== at; });
    tabs.querySelectorAll(".tab-nav > button").forEach((button, i) => { button.onclick = () => show(i); });
    show(0);
}, 50);
</script></body></html>"""  # as the webui makes it: every module with its mtime, and the tabs drawn later


class Tab:
    """What the server answers with; tests change it and read what was asked."""

    def __init__(self, runs: Path, checkpoints, scratch: Path):
        self.folder, self.scratch, self.checkpoints = runs, scratch, list(checkpoints)
        self.states: dict[str, str] = {}
        self.asked: list[tuple[str, dict]] = []
        self.faults: dict[str, tuple[int, str]] = {}  # path -> status, sentence
        self.order: list[str] = []
        self.opens = True
        self.job = {"state": "done", "done": 0, "total": 0, "results": [], "error": None}
        self.training = Training(scratch / "train")

    def runs(self):
        return [{**self.run(name), "experiment": None} for name in self.order]

    def run(self, name):
        run = open_run(self.folder / name)
        outcomes = [cell.result.outcome for cell in run.cells]
        done = sum(outcome is not Outcome.PENDING for outcome in outcomes)
        state = self.states.get(name) or ("done" if done == len(outcomes) else "stopped")
        thumb = next((cell.result.thumb for cell in run.cells if cell.result.thumb), None)
        at = f"ohwx/runs/{quote(name)}"
        return {
            "id": name, "state": state, "cells": len(outcomes), "done": done, "percent": 100 * done / len(outcomes),
            "failed": outcomes.count(Outcome.FAILED), "seconds_left": 150.0 if state == "drawing" else None,
            "now": f"{done + 1} of {len(outcomes)}: me, seed 11" if state == "drawing" else "", "started": "",
            "error": None, "title": "3 checkpoints × 2 seeds", "thumb": thumb and f"{at}/{quote(thumb)}",
            "page": f"{at}/index.html", "experiment": run.experiment.to_dict(),
        }  # fmt: skip

    def state(self):
        half = self.checkpoints[:2]
        return {
            "checkpoints": self.checkpoints, "groups": [{"name": "me (2 epochs)", "checkpoints": half}],
            "detectors": ["face_yolov8n.pt", "other.pt"], "samplers": ["Euler a", "DPM++ 2M SDE"],
            "schedules": ["Automatic", "Karras"], "adetailer": True, "freeze": None, "runs": self.runs(), "queue": [],
            "deleted": [folder.name for folder in deleted_runs(self.folder)], "opens": self.opens,
            "kinds": [{"name": name, "title": name.title(), "hint": f"values of {name}"} for name in KINDS],
            "styles": ["Anime <b>", "Film"], "families": [{"name": "anime", "count": 1}, {"name": "photo", "count": 4}],
            "vaes": ["sdxl_vae.safetensors"], "loras": ["me <i>"], "upscalers": ["Latent", "4x"],
            "face": asdict(FaceSettings(top_k=1, denoise=0.5, steps=80)),
        }  # fmt: skip

    def draft(self, body):
        texts = body["texts"]
        experiment = Experiment.from_infotext(parse(texts[0])).to_dict()
        named = [axis["values"] for axis in experiment["axes"] if axis["kind"] == "checkpoint"]
        names = [name.partition(" [")[0] for name in named[0]] if named else []
        request = {
            "job": experiment["job"], "checkpoints": names, "faces": experiment["faces"], "keep_before": True,
            "axes": [axis for axis in experiment["axes"] if axis["kind"] != "checkpoint"], "name": "",
        }  # fmt: skip
        missing = [name for name in names if name not in self.checkpoints]
        return {"request": request, "notes": [f"read {len(texts)}"], "missing": missing}

    def post(self, path, body):
        if path == "ohwx/api/draft":
            return self.draft(body)
        if path == "ohwx/api/estimate":
            names = body["request"]["checkpoints"]
            cells, missing = len(names), [name for name in names if name not in self.checkpoints]
            return {"cells": cells, "renders": cells, "inpaints": cells, "checkpoints": cells, "switches": cells,
                    "missing": missing, "disk_bytes": 2_500_000, "seconds": 200.0}  # fmt: skip
        if path == "ohwx/api/runs":
            return self.run(self.order[0])
        if path == "ohwx/api/toy":
            self.checkpoints.append("ohwx-toy/toy.safetensors")
            return {"said": "It can be chosen now."}
        if path == "ohwx/api/faces":
            return {"job": "7"}
        if path == "ohwx/api/pnginfo":
            rows = [{"path": f"/p/{i}.png", "infotext": f"<img src=x onerror=hurt=1>\nSteps: {i}", "pair": None,
                     "values": {"Steps": str(i)}} for i in range(300)]  # fmt: skip
            return {"rows": rows, "columns": ["Steps"], "total": 300}
        if path == "ohwx/api/pnginfo.jpg":
            return next((self.folder / "first" / "thumbs").iterdir()).read_bytes()
        if path == "ohwx/api/pnginfo.csv":
            return b"file\n/p/0.png\n"
        if path == "ohwx/api/search":
            return {"ids": [name for name in self.order if body["words"] in name]}
        if path == "ohwx/api/bin/restore":
            self.order.append(restore_run(self.folder, body["name"]).name)
            return {"id": self.order[-1]}
        if path == "ohwx/api/bin/empty":
            return {"said": f"{empty_bin(self.folder)} gone"}
        name, act = unquote(path.removeprefix("ohwx/api/runs/")).rsplit("/", 1)
        if act in ("rename", "delete"):
            found = rename_run(self.folder / name, body["name"]) if act == "rename" else delete_run(self.folder / name)
            self.order = [found.name if one == name else one for one in self.order if one != name or act == "rename"]
            return {"id": found.name}
        if act == "merge":
            return {**self.run(name), "said": merge_runs(self.folder / name, self.folder / body["other"]).words}
        if act in ("growth", "grow"):
            experiment = grown(experiment_in(self.folder / name), {k: v for k, v in body["more"].items() if v})
            cells, there = len(experiment.cells()), self.run(name)["done"]
            if act == "growth":
                return {"cells": cells, "renders": cells - there, "inpaints": 0, "checkpoints": 1, "switches": 1,
                        "missing": [], "disk_bytes": 2_500_000, "seconds": None}  # fmt: skip
            with Ledger(self.folder / name) as ledger:
                ledger.plan(experiment)
            self.states[name] = "drawing"
            return self.run(name)
        if act == "open":
            return {}
        self.states[name] = {"resume": "drawing", "interrupt": "stopped", "skip": "drawing"}[act]
        return self.run(name)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def __init__(self, tab: Tab, *rest):
        self.tab = tab
        super().__init__(*rest)

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = unquote(urlsplit(self.path).path).lstrip("/")
        query = parse_qs(urlsplit(self.path).query)
        if self.refused(path):
            return
        if path == "":
            self.answer(page("theme" in query), ".html")
        elif path.startswith(("ohwx/api/train", "ohwx/api/datasets")):
            self.answer(self.tab.training.get(path, query.get("after", ["0"])[0]))
        elif path == "ohwx/api/state":
            self.answer(self.tab.state())
        elif path.startswith("ohwx/api/runs/") and path.endswith("/zip"):
            self.answer(b"".join(packed_run(self.tab.folder / path.split("/")[3])), ".zip")
        elif path.startswith("ohwx/api/runs/"):
            self.answer(self.tab.run(path.removeprefix("ohwx/api/runs/")))
        elif path.startswith("ohwx/api/jobs/"):
            self.answer(self.tab.job)
        elif path.startswith("ohwx/runs/") and not path.endswith((".png", ".jpg")):
            self.answer_route(path)
        else:
            file = self.file(path)
            there = file.is_file()
            self.answer(file.read_bytes() if there else b"", file.suffix, 200 if there else 404)

    def answer_route(self, path):
        """What the page of a run asks for."""
        name, rest = path.removeprefix("ohwx/runs/").split("/", 1)
        route, named = routed("GET", rest)
        found = route.answer(PageRequest(folder=self.tab.folder / name, path=named))
        is_page = isinstance(found, PageAnswer)
        self.answer(found.data if is_page else found, ".html" if is_page else ".json")

    def file(self, path):
        for at, folder in (("ohwx/runs/", self.tab.folder), ("ohwx/train/", self.tab.training.folder)):
            if path.startswith(at):
                return folder / path.removeprefix(at)
        return ROOT / path.removeprefix("file=")

    def do_POST(self):
        path = self.path.lstrip("/")
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "ohwx/api/read":
            image = self.tab.scratch / "dropped"
            image.write_bytes(raw)
            text = read_infotext(image)
            told = {"infotext": text} if text else {"error": "This picture carries no infotext."}
            self.answer(told, status=200 if text else 400)
            return
        body = json.loads(raw)
        self.tab.asked.append((path, body))
        if self.refused(path):
            return
        try:
            training = path.startswith(("ohwx/api/train", "ohwx/api/datasets"))
            self.answer(self.tab.training.post(path, body) if training else self.tab.post(path, body))
        except OhwxError as error:
            self.answer({"error": str(error)}, status=400)

    def refused(self, path):
        if path not in self.tab.faults:
            return False
        status, sentence = self.tab.faults[path]
        self.answer({"error": sentence}, status=status)
        return True

    def answer(self, content, suffix=".json", status=200):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", TYPES.get(suffix, "application/json"))
        self.send_header("Content-Length", str(len(data)))
        with suppress(BrokenPipeError):  # the page may not want it any more
            self.end_headers()
            self.wfile.write(data)


def page(is_dark: bool) -> bytes:
    """The page around the tab."""
    scripts = "".join(
        f'<script type="module" src="file=javascript/{path.name}?{path.stat().st_mtime}"></script>'
        for path in sorted((ROOT / "javascript").glob("*.mjs"))
    )
    return PAGE.replace("SCRIPTS", scripts).replace("THEME", "dark" if is_dark else "").encode()


def serve(tab: Tab):
    """Start answering; the server's `server_port` is where."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, tab))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
