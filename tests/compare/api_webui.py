"""A webui that answers over its API without a model: the fake host draws what a request says."""

import base64
import io
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

from ohwx_compare.core.infotext.infotext import from_job
from ohwx_compare.core.infotext.pairs import render
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.core.request.named_values import RESIZE_MODES
from ohwx_compare.hosts import overrides
from ohwx_compare.testing.fake_host import FakeHost

_NAMED = {"prompt": "prompt", "negative_prompt": "negative", "seed": "seed", "subseed": "subseed", "steps": "steps",
          "subseed_strength": "subseed_strength", "sampler_name": "sampler", "scheduler": "schedule",
          "cfg_scale": "cfg", "width": "width", "height": "height", "tiling": "tiling",
          "initial_noise_multiplier": "noise_multiplier"}  # fmt: skip
_SETTINGS = {theirs: ours for ours, theirs in overrides._SETTINGS.items()} | {
    "randn_source": "rng", "CLIP_stop_at_last_layers": "clip_skip", "sd_vae": "vae"}  # fmt: skip
_HIRES = {theirs: ours for ours, theirs in overrides._HIRES.items()}
_OPTIONS = dict.fromkeys([*_SETTINGS, *overrides.PINNED]) | {
    "sd_model_checkpoint": "user.safetensors",
    "samples_format": "png",
}
_NAMES = {
    "samplers": ["DPM++ 2M SDE", "Euler"],
    "sd-vae": ["v.safetensors"],
    "upscalers": ["Lanczos"],
    "latent-upscale-modes": ["Latent"],
}


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


@dataclass
class ApiWebui:
    """What it has, and its faults."""

    host: FakeHost
    options: dict = field(default_factory=lambda: dict(_OPTIONS))
    login: str = ""
    has_api: bool = True
    is_stuck: bool = False  # draws with what it drew with first
    dies_after: int = 10**9  # pictures
    error: str = ""  # that every request for a picture ends with
    names: dict = field(default_factory=lambda: dict(_NAMES))
    loras: dict = field(default_factory=lambda: {"me": {}})  # what their files say of themselves
    tells_hash: bool = True
    files: dict = field(default_factory=dict)  # sha256 by name, as our extension tells it; none: it is not installed
    pictures: int = 0
    loads: list = field(default_factory=list)
    hashed: set = field(default_factory=set)  # checkpoints whose hash it knows: those that were loaded

    def get(self, what):
        field_of = {"schedulers": "label", "sd-vae": "model_name"}
        if what == "options":
            return self.options
        if what == "sd-models":
            return [self.entry(checkpoint) for checkpoint in self.host.checkpoints()]
        if what == "memory":
            return {"ram": {}, "cuda": {"error": "unavailable"}}
        if what == "schedulers":
            return [{"label": name} for name in ("Automatic", "Karras")]
        if what == "loras":
            return [{"name": name, "alias": name, "metadata": said} for name, said in self.loras.items()]
        if what.startswith("/ohwx/api/checkpoints/"):
            sha256 = self.files.get(what.rpartition("/")[2])
            return sha256 and {"sha256": sha256}
        if what in self.names:
            return [{field_of.get(what, "name"): name} for name in self.names[what]]
        return {"no_half": True} if what == "cmd-flags" else None

    def entry(self, checkpoint):
        sha256 = self.host.sha256(checkpoint) if checkpoint.name in self.hashed else None
        title = checkpoint.name.replace("/", "\\") + (f" [{sha256[:10]}]" if sha256 else "")
        return {"title": title, "sha256": sha256, "filename": str(checkpoint.path)}

    def post(self, what, body):
        if what == "options":
            self.options |= body
            name = body["sd_model_checkpoint"].partition(" [")[0].replace("\\", "/")
            self.loads.append(name)
            if name != "user.safetensors" and not (self.is_stuck and self.hashed):
                self.host.use(next(one for one in self.host.checkpoints() if one.name == name))
            self.hashed.add(name)
            return None
        if self.error:
            raise RuntimeError(self.error)
        return self.draw(what, body)

    def draw(self, what, body):
        settings, hires = body["override_settings"], body if "enable_hr" in body else {}
        given = {ours: body[theirs] for theirs, ours in _NAMED.items() if theirs in body}
        given |= {ours: settings[theirs] for theirs, ours in _SETTINGS.items() if settings.get(theirs) is not None}
        given |= {ours: hires[theirs] for theirs, ours in _HIRES.items() if theirs in hires}
        pinned = [theirs for theirs in overrides.PINNED if theirs in body["override_settings"]]
        assert (what == "img2img") == bool(pinned)
        known = {one.name for one in fields(Job)}
        job = Job(**{name: value for name, value in given.items() if name in known})
        jobs = [replace(job, seed=job.seed + number) for number in range(body["batch_size"])]
        if what == "txt2img":
            drawn = list(self.host.render(jobs))
        else:
            picture, mask = (opened(one) for one in (*body["init_images"], body["mask"]))
            mode = RESIZE_MODES[body["resize_mode"]]
            asked = InpaintJob(
                job=replace(job, denoise=body["denoising_strength"], resize_mode=mode),
                mask_blur=body["mask_blur"],
                only_masked=body["inpaint_full_res"],
                padding=body["inpaint_full_res_padding"],
            )
            drawn = list(self.host.inpaint([asked], [picture], [mask]))
        self.pictures += len(drawn)
        short = self.host._drawn_with[:10] if self.tells_hash else None
        texts = [render(from_job(one, model="m", model_hash=short, faces=())) for one in jobs]
        images = []
        for one in drawn:
            file = io.BytesIO()
            one.image.save(file, format="PNG")
            images.append(base64.b64encode(file.getvalue()).decode("ascii"))
        info = {"infotexts": texts, "all_seeds": [one.seed for one in jobs], "index_of_first_image": 0}
        return {"images": images, "parameters": {}, "info": json.dumps(info)}


def _handler(webui):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(lambda what: webui.get(what))

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(lambda what: webui.post(what, body))

        def answer(self, do):
            what = self.path.removeprefix("/sdapi/v1/")
            if webui.pictures >= webui.dies_after:
                return self.connection.close()
            told = f"Basic {base64.b64encode(webui.login.encode()).decode()}"
            if webui.login and self.headers.get("Authorization") != told:
                return self.say(401, {"detail": "Incorrect username or password"})
            if not webui.has_api:
                return self.say(404, {"detail": "Not Found"})
            try:
                said = do(what)
            except Exception as error:  # noqa: BLE001  as the webui's own middleware does
                return self.say(500, {"error": type(error).__name__, "detail": "", "errors": str(error)})
            return self.say(404 if said is None and (what in ("memory", "loras") or "ohwx" in what) else 200, said)

        def say(self, status, said):
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *said):
            """Silence."""

    return Handler


@contextmanager
def serving(webui):
    """The address of `webui` while it answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(webui))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
