"""The HTTP API of a running webui, as the tests use it."""

import base64
import contextlib
import http.client
import io
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAMES = ["tiny_base.safetensors", "tiny_reg.safetensors", "tiny_noreg.safetensors"]
PATIENCE = 900  # seconds until a test gives up; a machine with other work needs many


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    images: list
    infotexts: list
    more: dict


@dataclass(frozen=True)
class Webui:
    """The API of one webui."""

    url: str

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    def post(self, path, body=None):
        data = json.dumps(body or {}).encode()
        asked = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return json.load(answer)

    def refused(self, body):
        """The answer's text where the request fails."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.post("/sdapi/v1/txt2img", body)
        with caught.value as answer:
            told = json.loads(answer.read())
        return told.get("errors") or told["message"]  # Forge has it under the second name

    def broken(self, body):
        """Ask for pictures of a webui that dies meanwhile."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.post("/sdapi/v1/txt2img", body)

    def draw(self, body, kind="txt2img"):
        answer = self.post(f"/sdapi/v1/{kind}", body)
        images = [Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB") for image in answer["images"]]
        info = json.loads(answer["info"])
        return Answer(images, info["infotexts"], info["extra_generation_params"].get("ohwx", {}))

    def progress(self):
        return self.get("/sdapi/v1/progress?skip_current_image=true")

    def done(self, run):
        """How many cells of this run are done by now; the progress's own text may be that of the run before."""
        return next((row["done"] for row in self.get("/ohwx/api/state")["runs"] if row["id"] == run), 0)

    def body(self, payload):
        """A golden's payload as this webui takes it: before 1.9 sampler and schedule are one name."""
        combined = f"{payload['sampler_name']} {payload['scheduler']}"
        if combined in [sampler["name"] for sampler in self.get("/sdapi/v1/samplers")]:
            payload = {**payload, "sampler_name": combined}
        return payload

    def hires(self, **fields):
        """Hires fix with these fields, of latents where it can be; where modules are chosen, it fails without."""
        upscaler = "Latent" if self.get("/sdapi/v1/latent-upscale-modes") else "None"
        beside = {"hr_additional_modules": ["Use same choices"]} if self.takes_modules else {}
        return {"enable_hr": True, "hr_upscaler": upscaler, **fields, **beside}

    @property
    def is_fork(self):
        """Whether it is one of Forge's kin: their scripts have "integrated" in the name, which AUTOMATIC1111's lack."""
        return any("integrated" in name for names in self.get("/sdapi/v1/scripts").values() for name in names)

    @property
    def takes_modules(self):
        """Whether VAE and text encoders are chosen as files beside the checkpoint, and not by the setting "SD VAE"."""
        return "/sdapi/v1/sd-modules" in self.get("/openapi.json")["paths"]

    @property
    def defaults(self):
        """Every setting that it has, with its default."""
        known = self.get("/openapi.json")["components"]["schemas"]["Options"]["properties"]
        return {name: field.get("default") for name, field in known.items()}

    @property
    def checkpoint(self):
        """The user's, as the settings name it."""
        return self.get("/sdapi/v1/options")["sd_model_checkpoint"]

    @property
    def folder(self):
        """Where its checkpoints lie, on this machine."""
        listed = self.get("/sdapi/v1/sd-models")
        return next(Path(model["filename"]).parent for model in listed if model["model_name"] == "tiny_base")


def named():
    """The webui that OHWX_WEBUI_URL names; without it the test is skipped."""
    url = os.environ.get("OHWX_WEBUI_URL")
    if not url:
        pytest.skip("OHWX_WEBUI_URL names no running webui")
    return Webui(url.rstrip("/"))


def open_ui(browser, webui):
    """The webui's page, once it can be used; `page.errors` holds what its scripts throw."""
    page = browser.new_page(viewport={"width": 1400, "height": 1500})
    page.set_default_timeout(PATIENCE * 1000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(webui.url)
    ready(page)
    return page


def ready(page):
    """Until it was built, after a reload too: before, a click does nothing."""
    page.wait_for_selector("#txt2img_prompt textarea")
    page.wait_for_function("typeof gradioApp === 'function' && uiCurrentTab !== null")


def paste(page, text):
    """Into txt2img's prompt, by the blue arrow; the prompt is then what the text says.

    forge-classic keeps the arrow from being pressed while there is a negative prompt.
    """
    page.fill("#txt2img_neg_prompt textarea", "")
    page.fill("#txt2img_prompt textarea", text)
    page.click("#paste")
    page.wait_for_function("(text) => document.querySelector('#txt2img_prompt textarea').value !== text", arg=text)


def ask_for_picture(page, **sliders):
    """Fill in txt2img: a prompt, seed 10 and what the sliders say."""
    page.fill("#txt2img_prompt textarea", "photo of ohwx man")
    for slider, value in sliders.items():
        page.fill(f"#txt2img_{slider} input[type=number]", str(value))
        page.press(f"#txt2img_{slider} input[type=number]", "Tab")
    page.fill("#txt2img_seed input", "10")


def wait(condition, seconds=PATIENCE):
    """Until it holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.1)


def difference(one, other):
    """Largest and mean |difference| of two pictures, of 255."""
    apart = np.abs(np.asarray(one, int) - np.asarray(other, int))
    return apart.max(), apart.mean()
