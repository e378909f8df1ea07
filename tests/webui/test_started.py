"""A webui started for one test: killed, without pages, frozen, in debug mode, reloaded, installed into."""

import subprocess
import threading
import time
from contextlib import suppress
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from starting import ROOT, kill, put_extension, started
from webui_api import NAMES, difference, open_ui, wait

from ohwx_compare.errors import LedgerError
from ohwx_compare.files.ledger.reader import open_run

SCRIPTS = "JSON.stringify(gradio_config.components.map(component => component.props.choices || 0))"


def test_killed_in_the_middle_and_gone_on_with_without_pages(data, asking, tab, theirs):
    put_extension(data)
    settings = {"checkpoints": NAMES, "axes": {"seed": "10,11"}, "faces": [tab], "keep_before": False, "name": "cut"}
    folder = data.folder / "outputs" / "ohwx" / "compare" / "cut"
    with started(data, "--nowebui") as (api, process):
        body = asking(api, settings)
        drawing = threading.Thread(target=lambda: api.broken(body))
        drawing.start()
        wait(lambda: len(_done(folder)) >= 2)
        time.sleep(1)  # into the next picture
        kill(process)
        drawing.join()
    finished = _done(folder)
    assert 2 <= len(finished) < 6
    with started(data, "--nowebui") as (api, _):
        answer, expected = api.draw(body), theirs(api)
    assert answer.more["drawn"] == 6 - len(finished)
    assert len(answer.images) == 7
    for number, image in enumerate(answer.images[1:]):
        most, mean = difference(image, expected[NAMES[number // 2], 10 + number % 2][0])
        assert (most <= 4, mean <= 0.02) == (True, True)
    assert not data.complaints


def test_frozen_settings_are_said_before_anything_is_drawn(data, asking):
    put_extension(data)
    with started(data, "--nowebui", "--freeze-settings") as (api, _):
        assert "--freeze-settings" in api.refused(asking(api, {"checkpoints": NAMES, "name": "frozen"}))
    assert not (data.folder / "outputs" / "ohwx" / "compare" / "frozen").exists()


def test_the_tab_wants_the_webuis_login(data):
    put_extension(data)
    with started(data, "--gradio-auth", "me:secret") as (api, _):
        person, state = build_opener(HTTPCookieProcessor()), f"{api.url}/ohwx/api/state"
        for word, status in (("wrong", 401), ("secret", 200)):
            with suppress(HTTPError):  # of the wrong word
                person.open(f"{api.url}/login", urlencode({"username": "me", "password": word}).encode())
            assert _status(person, state) == status
        assert _status(build_opener(), state) == 401


def _status(person, address):
    try:
        with person.open(address) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


def test_in_debug_mode_the_script_is_there(data, browser):
    put_extension(data)
    with started(data, "--ui-debug-mode") as (api, _):
        page = open_ui(browser, api)
        assert "ohwx compare" in page.evaluate(SCRIPTS)
        page.close()
    assert "Traceback" not in data.log.split("Startup time")[0]


def test_reload_ui_takes_an_update_over_and_doubles_nothing(data, asking, browser):
    put_extension(data)
    with started(data) as (api, _):
        body = asking(api, {"checkpoints": []})
        assert "No checkpoint is selected" in api.refused(body)
        asked_for = data.extension / "ohwx_compare" / "hosts" / "webui" / "request" / "request.py"
        text = asked_for.read_text(encoding="utf-8")
        asked_for.write_text(text.replace("No checkpoint is selected", "Updated: none is chosen"), encoding="utf-8")
        page = open_ui(browser, api)
        page.evaluate("gradioApp().getElementById('settings_restart_gradio').click()")
        wait(lambda: data.starts == 2)
        page.close()
        assert "Updated: none is chosen" in api.refused(body)
        open_ui(browser, api).close()
        scripts = api.get("/sdapi/v1/scripts")["txt2img"]
        assert scripts.count("ohwx compare") == 1
        assert api.draw(asking(api, {"checkpoints": NAMES[:1], "faces": []})).more["drawn"] == 1


@pytest.mark.parametrize("has_adetailer", [True, False], ids=["with ADetailer", "without ADetailer"])
def test_installed_from_its_url_nothing_else_is_installed(data, asking, browser, tmp_path, has_adetailer):
    if not has_adetailer:
        (data.folder / "extensions" / "adetailer").rename(tmp_path / "adetailer")
    source = tmp_path / "sd-webui-ohwx-compare.git"
    subprocess.run(["git", "clone", "-q", "--bare", ROOT, source], check=True)
    with started(data) as (api, _):
        packages = api.get("/internal/sysinfo")["Packages"]
        page = open_ui(browser, api)
        page.click("#tabs button:text-is('Extensions')")
        page.click("#tabs_extensions button:text-is('Install from URL')")
        page.fill("label:has-text('URL for extension') :is(textarea, input)", source.as_uri())
        page.click("button:text-is('Install'):visible")  # Forge has more, hidden
        page.wait_for_selector("text=Installed into")
        page.close()
        assert api.get("/internal/sysinfo")["Packages"] == packages
        assert data.extension.is_dir()
    with started(data) as (api, _):
        assert api.get("/internal/sysinfo")["Packages"] == packages
        page = open_ui(browser, api)
        assert "ohwx compare" in page.evaluate(SCRIPTS)
        page.close()
        assert (
            api.draw(asking(api, {"checkpoints": NAMES[:1], "faces": [{"model": "drawn_yolov8.pt"}]})).more["drawn"]
            == 1
        )
        assert not data.complaints, data.complaints


def _done(folder):
    try:
        run = open_run(folder)
    except LedgerError:  # there is none yet, or no more than its file
        return []
    return [cell for cell in run.cells if cell.result.image and not cell.result.error]
