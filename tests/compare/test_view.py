"""`ohwx view`: whoever knows the token sees the run's page, nobody else sees or does anything, and Ctrl-C ends it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import draw_cell

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files.ledger.writer import Ledger
from ohwx_compare.look.server import PageServer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(sample_run, tmp_path_factory):
    """A copy, so made elsewhere, whose own page is a stranger's."""
    folder = Path(shutil.copytree(sample_run.folder, tmp_path_factory.mktemp("seen") / "läufe #2"))
    (folder.parent / "secret.png").write_bytes(b"secret")
    (folder / "linked.png").symlink_to(folder.parent / "secret.png")
    (folder / "index.html").write_text("<script>window.hurt=1</script>", encoding="utf-8")
    with PageServer(folder) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        made.shutdown()


def asked(server, path, method="GET", body=None, **headers):
    """Status, headers and body of an answer; a header of "" is left out."""
    told = {"Host": f"127.0.0.1:{server.server_port}", "X-Ohwx-Token": server.token}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({**told, "Content-Length": str(len(body))} if body is not None else told).items():
        if value:
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def test_the_page_is_made_anew_and_pictures_are_served(server):
    status, headers, page = asked(server, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'id="data"' in page
    assert b"window.hurt=1</script>" not in page.split(b'id="data"')[0]
    thumb = next((server.folder / "thumbs").iterdir()).name
    status, headers, data = asked(server, f"/thumbs/{quote(thumb)}")
    assert (status, data) == (200, (server.folder / "thumbs" / thumb).read_bytes())
    assert asked(server, f"/thumbs/{quote(thumb)}", If_None_Match=headers["ETag"])[0] == 304
    assert (headers["X-Content-Type-Options"], headers["Access-Control-Allow-Origin"]) == ("nosniff", None)


def thumbs(server, names):
    """Media type and bytes of each small picture."""
    status, headers, data = asked(server, f"/page/thumbs-{names}")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    head, _, rest = data.partition(b"\n")
    found = []
    for kind, size in json.loads(head):
        found.append((kind, rest[:size]))
        rest = rest[size:]
    assert rest == b""
    return found


def test_small_pictures_come_many_at_a_time(server, sample_run):
    result = sample_run.cells[0].result
    after, before = ((server.folder / name).read_bytes() for name in (result.thumb, result.before_thumb))
    assert thumbs(server, "1a.1b.999a.0b") == [("image/jpeg", after), ("image/jpeg", before), ("", b""), ("", b"")]


@pytest.mark.parametrize("way", ["missing", "outside", "large"])
def test_a_small_picture_that_is_none_is_empty(server, sample_run, way):
    thumb = server.folder / sample_run.cells[1].result.thumb
    was = thumb.read_bytes()
    thumb.unlink()
    try:
        if way == "outside":
            thumb.symlink_to(server.folder.parent / "secret.png")
        if way == "large":
            thumb.write_bytes(bytes(1 << 21))
        assert thumbs(server, "2a") == [("", b"")]
    finally:
        thumb.unlink(missing_ok=True)
        thumb.write_bytes(was)


@pytest.mark.parametrize("names", ["", "1", "1c", "1a.", "1a..2a", "../1a", "1a." * 100 + "1a", "9" * 10 + "a", "١a"])
def test_only_numbers_of_small_pictures_are_taken(server, names):
    assert asked(server, f"/page/thumbs-{quote(names)}")[0] == 404


@pytest.mark.parametrize("path", ["/run.sqlite", "/../secret.png", "/%2e%2e/secret.png", "/nothing.png", "/linked.png"])
def test_nothing_but_pictures_leaves_the_folder(server, path):
    assert asked(server, path)[0] == 404


def test_the_first_address_becomes_a_cookie(server):
    status, headers, _ = asked(server, f"/?token={server.token}", X_Ohwx_Token="")
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert asked(server, "/", X_Ohwx_Token="", Cookie=cookie)[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Ohwx_Token": ""}, 403),
        ({"X_Ohwx_Token": "guessed"}, 403),
        ({"X_Ohwx_Token": "", "Cookie": "ohwx-view-1=x"}, 403),
        ({"Host": "evil.example:80"}, 421),
        ({"Host": ""}, 421),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_nobody_else_is_answered(server, headers, status):
    assert asked(server, "/", **headers)[0] == status


def test_only_the_page_itself_may_do_something(server):
    own = {"Origin": server.address.rstrip("/"), "Content_Type": "application/json"}
    assert asked(server, "/nothing", "POST", b"{}", **own)[0] == 404  # it got as far as the table
    assert asked(server, "/nothing", "POST", b"{}", **{**own, "Origin": ""})[0] == 403
    assert asked(server, "/nothing", "POST", b"{}", **{**own, "Origin": "http://evil.example"})[0] == 403
    assert asked(server, "/nothing", "POST", b"{}", **{**own, "Content_Type": "text/plain"})[0] == 415
    assert asked(server, "/nothing", "POST", None, **own)[0] == 411


def test_a_served_page_follows_its_run(chromium, make_run, make_experiment, tmp_path):
    """A picture that is generated meanwhile takes its place without a reload."""
    experiment = make_experiment(64)
    numbers = range(1, 13)
    make_run(tmp_path, experiment, {number: Outcome.PENDING for number in numbers if number > 1})
    with PageServer(tmp_path) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        tab = chromium.new_page()
        tab.goto(made.url)
        tab.wait_for_function("() => document.querySelectorAll('.tile img:not([hidden])').length === 1")
        tab.evaluate("() => { window.same = true; }")
        with Ledger(tmp_path) as ledger:
            ledger.commit(experiment.cells()[1], draw_cell(tmp_path, experiment.cells()[1], Outcome.FACES))
        tab.wait_for_function("() => document.querySelectorAll('.tile img:not([hidden])').length === 2")
        assert "2 of 12 cells done" in tab.locator("#summary").inner_text()
        assert tab.evaluate("() => window.same")
        assert asked(made, "/" + tab.get_by_role("link", name="Vote").get_attribute("href"))[0] == 200
        tab.close()
        made.shutdown()


@pytest.mark.slow
def test_it_stops_with_ctrl_c(sample_run):
    group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
    command = [sys.executable, "-m", "ohwx_compare", "view", str(sample_run.folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, encoding="utf-8", **pipes, **group) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)
        try:
            assert process.wait(60) == (0 if os.name != "nt" else process.returncode)
        finally:
            process.kill()


@pytest.mark.slow
def test_what_is_no_run_is_one_sentence(tmp_path):
    command = [sys.executable, "-m", "ohwx_compare", "view", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ohwx: ")
    assert len(done.stderr.splitlines()) == 1
