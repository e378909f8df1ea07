"""A running real webui with the tiny checkpoints and ADetailer, named by OHWX_WEBUI_URL."""

import base64
import io
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

URL = os.environ.get("OHWX_WEBUI_URL")


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
        with urllib.request.urlopen(self.url + path, timeout=300) as answer:
            return json.load(answer)

    def post(self, path, body=None):
        data = json.dumps(body or {}).encode()
        asked = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=600) as answer:
            return json.load(answer)

    def refused(self, body):
        """The answer's text where the request fails."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.post("/sdapi/v1/txt2img", body)
        with caught.value as answer:
            return json.loads(answer.read())["errors"]

    def draw(self, body):
        answer = self.post("/sdapi/v1/txt2img", body)
        images = [Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB") for image in answer["images"]]
        info = json.loads(answer["info"])
        return Answer(images, info["infotexts"], info["extra_generation_params"].get("ohwx", {}))

    @property
    def folder(self):
        """Where its checkpoints lie, on this machine."""
        listed = self.get("/sdapi/v1/sd-models")
        return next(Path(model["filename"]).parent for model in listed if model["model_name"] == "tiny_base")


@pytest.fixture(scope="session")
def webui():
    if not URL:
        pytest.skip("OHWX_WEBUI_URL names no running webui")
    return Webui(URL.rstrip("/"))
