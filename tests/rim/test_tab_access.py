"""The tab's routes over the fake webui: who may ask and write, and which files are given."""

import asyncio
import base64

import pytest
from fastapi import FastAPI
from PIL import Image
from tab_page import HOST, OWN, Page, started


def test_the_folders_own_page_is_never_given(page, drawn, webui):
    (webui.data / "outputs/ohwx/compare/run/index.html").write_text("<script>hurt()</script>")
    assert "hurt" not in page.get("/ohwx/runs/run/index.html").text


def status(app, path):
    """Of a GET whose path the server has decoded to exactly this; clients tidy dots away before they ask."""
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": b"", "root_path": "", "query_string": b"",
        "headers": [(b"host", b"testserver")], "scheme": "http", "server": ("testserver", 80), "http_version": "1.1",
    }  # fmt: skip
    sent, received = [], [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"]


PATHS = (
    "run.sqlite", "request.json", "run.lock", "index.htm", "../run/sheet.png", "../../secret.png", "..\\..\\secret.png",
    "images/../../../secret.png", "images\\..\\..\\..\\secret.png", "/etc/passwd", "C:\\secret.png", "C:/secret.png",
    "C:secret.png", "sheet.png::$DATA", "link.png", "folder/secret.png", "sheet.png\0.png", "images", "", ".", "..",
    ".hidden.png", "%2e%2e/%2e%2e/secret.png", "images//x.png", "x" * 5000 + ".png", "sheet.png.", "sheet.png ",
    "\ud800.png",
    "//host/share/x.png", "./sheet.png",
)  # fmt: skip
RUNS = ("..", ".", "run/..", "..\\run", "C:", "nobody", "", "\0", "run\0", "/", "out")


def test_nothing_but_the_runs_pictures_is_given(page, drawn, webui):
    app, folder = page.client.app, webui.data / "outputs" / "ohwx" / "compare"
    secret = folder.parent / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    (folder / "run" / ".hidden.png").write_bytes(secret.read_bytes())
    try:
        (folder / "run" / "link.png").symlink_to(secret)
        (folder / "run" / "folder").symlink_to(folder.parent, target_is_directory=True)
        (folder / "out").symlink_to(folder.parent, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody link")
    assert status(app, "/ohwx/runs/run/sheet.png") == 200
    for path in PATHS:
        assert status(app, f"/ohwx/runs/run/{path}") == 404, path
    for run in RUNS:
        assert status(app, f"/ohwx/runs/{run}/secret.png") in (404, 405), run
        assert status(app, f"/ohwx/runs/{run}/sheet.png") == 404, run
        assert status(app, f"/ohwx/api/runs/{run}") in (404, 405, 307), run
        assert status(app, f"/ohwx/faces/{run}/secret.png") == 404, run


ORIGINS = [
    ({}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://testserver:81"}, 403),
    ({"Origin": "http://testserver.evil.example"}, 403),
    ({"Origin": HOST}, 200),
    ({"Origin": "https://x.proxy.runpod.net", "X-Forwarded-Host": "x.proxy.runpod.net"}, 200),
    ({"Origin": "https://abc.gradio.live", "Host": "abc.gradio.live"}, 200),
    ({"Origin": "https://proxied.example", "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
]


def test_only_the_own_page_writes(page):
    for headers, expected in ORIGINS:
        assert page.post("/ohwx/api/draft", {"texts": []}, headers).status_code == expected, headers


def test_writing_takes_json(page):
    answer = page.client.post(
        "/ohwx/api/draft", content=b'{"texts": []}', headers={**OWN, "Content-Type": "text/plain"}
    )
    assert answer.status_code == 415
    assert page.client.post(
        "/ohwx/api/draft", content=b"[1", headers={**OWN, "Content-Type": "application/json"}
    ).json()
    assert page.get("/ohwx/api/draft").status_code == 405


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(("cookie_id", "api_auth"), [(None, None), ("k3", "me:s:cret,you:2")])
def test_the_webuis_own_login(webui, cookie_id, api_auth):
    webui.load_script()
    import modules.shared

    modules.shared.cmd_opts.api_auth = api_auth
    app = FastAPI()
    app.auth, app.tokens = {"me": "secret"}, {"token": "me"}
    if cookie_id:
        app.cookie_id = cookie_id
    page = Page(started(webui, app))
    name = f"access-token-{cookie_id}" if cookie_id else "access-token"
    read = "/ohwx/api/state"
    assert page.get(read).status_code == 401
    assert page.post("/ohwx/api/draft", {"texts": []}).status_code == 401
    assert page.get("/ohwx/runs/run/index.html").status_code == 401
    for wrong in (
        {"Cookie": f"{name}=other"},
        {"Cookie": "token=token"},
        basic("me:secret"),
        {"Authorization": "Basic %"},
    ):
        assert page.get(read, headers=wrong).status_code == 401
    assert page.get(read, headers={"Cookie": f"{name}=token"}).status_code == 200
    assert page.get(read, headers={"Cookie": name.replace("token", "token-unsecure", 1) + "=token"}).status_code == 200
    assert page.get(read, headers=basic("me:s:cret")).status_code == (200 if api_auth else 401)


def test_a_password_for_the_api_alone_is_asked_for_under_nowebui(webui):
    webui.load_script()
    import modules.shared

    modules.shared.cmd_opts.api_auth = "me:secret"
    page = Page(started(webui))  # a plain FastAPI and no demo
    answer = page.get("/ohwx/api/state")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert page.get("/ohwx/api/state", headers=basic("me:secret")).status_code == 200
    assert page.get("/ohwx/api/state", headers=basic("you:secret")).status_code == 401


def test_routes_are_there_once_and_again_after_reload_ui(webui, page):
    app = page.client.app
    count = len(app.routes)
    started(webui, app)
    assert len(app.routes) == count
    for callback in webui.unloaded:
        callback()
    webui.started.clear()
    webui.load_script()
    assert Page(started(webui)).get("/ohwx/api/state").json()["runs"] == []
