"""A running real webui with the tiny checkpoints and ADetailer, named by OHWX_WEBUI_URL."""

import json
import shutil
import time
from functools import cache

import pytest
from PIL import Image
from starting import make_data
from webui_api import NAMES, named


@pytest.fixture(scope="session")
def webui():
    return named()


@pytest.fixture
def browser():
    """A real Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test needs `pip install playwright`")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("the browser test needs Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def data(webui, goldens, tmp_path):
    """Of a webui that the test starts itself."""
    return make_data(webui, goldens, tmp_path / "web ui")


@pytest.fixture(scope="session")
def case(goldens):
    return json.loads((goldens / "xyz_checkpoint_x_seed.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def tab(case):
    return case["payload"]["alwayson_scripts"]["ADetailer"]["args"][2]


@pytest.fixture(scope="session")
def theirs(case, goldens):
    """What a webui's own API draws of the golden's request: picture and infotext by checkpoint and seed.

    AUTOMATIC1111's are the goldens; a fork draws others, and is asked for them, once.
    """

    @cache
    def own(webui):
        found, grid = {}, Image.open(goldens / "xyz_checkpoint_x_seed.png").convert("RGB")
        payload = {name: value for name, value in case["payload"].items() if not name.startswith("script_")}
        for column, name in enumerate(NAMES):
            for row, seed in enumerate((10, 11)):
                x, y = 96 + 128 * column, 21 + 128 * row
                found[name, seed] = grid.crop((x, y, x + 128, y + 128)), case["infotexts"][1 + column + 3 * row]
                if webui.is_fork:
                    override = {"seed": seed, "override_settings": {"sd_model_checkpoint": name}}
                    answer = webui.draw({**webui.body(payload), **override})
                    text = answer.infotexts[0].replace("SDE Karras", "SDE, Schedule type: Karras")  # before 1.9
                    found[name, seed] = answer.images[0], text
        return found

    return own


@pytest.fixture
def asking(case):
    """The golden's request to a webui, with our script in place of X/Y/Z; a fresh run folder each time."""

    def asked(webui, settings, **more):
        payload = {name: value for name, value in case["payload"].items() if name != "alwayson_scripts"}
        settings = {"name": f"test {time.time_ns()}", **settings}
        body = webui.body({**payload, **more})
        return {**body, "script_name": "ohwx compare", "script_args": [json.dumps(settings)]}

    return asked


@pytest.fixture
def ask(webui, asking):
    return lambda **settings: asking(webui, settings)


@pytest.fixture
def place(webui):
    """Put a tiny checkpoint under another name into the webui's folder; taken away at the end."""
    made = []

    def put(source, name):
        for suffix in (".safetensors", ".yaml"):
            target = webui.folder / f"{name}{suffix}"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(webui.folder / f"{source}{suffix}", target)
            made.append(target)
        return webui.folder / f"{name}.safetensors"

    yield put
    for path in made:
        path.unlink(missing_ok=True)
        if path.parent != webui.folder and path.parent.is_dir() and not list(path.parent.iterdir()):
            path.parent.rmdir()
    webui.post("/sdapi/v1/refresh-checkpoints")
