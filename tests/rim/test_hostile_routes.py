"""What a stranger may put into the folders that the tabs list, and what anybody may ask of their routes.

Each answer is JSON, a picture or a run's page, never a 500; it costs at most 2 s of CPU time and 200 MB of memory, says
what is wrong in one sentence, hides no other run or training, and nothing outside is read out or touched.
"""
# ruff: noqa: E501  tables

import json
import os
import shutil
from urllib.parse import quote

import pytest
from alone import alone, large_and_some
from conftest import faking, opened, stocked
from hostile_folders import DEEP, DIGITS, ESCAPE, MEGABYTE, NAMES, RUN_FOLDERS, TRAINING_FOLDERS
from hostile_site import MOST, SECRET, Site, is_sentence, kept, train
from PIL import Image
from tab_page import HOST, asked, our_routes

IS_ROOT = os.name != "nt" and os.geteuid() == 0  # may read everything


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    outside = place / "outside"
    outside.mkdir()
    Image.new("RGB", (8, 8)).save(outside / "secret.png")
    with (outside / "secret.png").open("ab") as file:
        file.write(SECRET)
    for name in ("x.png", "a.png", "run.sqlite"):
        shutil.copy(outside / "secret.png", outside / name)
    with faking(place / "web ui ü") as start, opened(stocked(webui := start())) as page:
        made = Site(webui, page, outside)
        page.post("/ohwx/api/runs", asked("healthy"))
        page.until("healthy", "done")
        Image.new("RGB", (8, 8)).save(made.runs / "healthy" / "images" / "x.png")
        train(made.trainings / "healthy")
        yield made


@pytest.fixture
def outside(site):
    """What lies outside, which no test changes."""
    before = kept(site.outside)
    site.reports.clear()
    yield site.outside
    for path in site.outside.iterdir():
        if path.name == "moved":
            shutil.rmtree(path)
    assert kept(site.outside) == before


@pytest.fixture
def hostile(site, outside):
    """Copy the healthy folder under another name and damage it; all of it is removed afterwards."""
    made = []

    def make(below, change, name="hostile"):
        folder = below / name
        made.append(folder)
        shutil.copytree(below / "healthy", folder)
        change(folder, outside)
        return folder

    make.made = made
    yield make
    try:
        site.rest()
    finally:
        for folder in made:
            if folder.is_symlink():
                folder.unlink()
            elif folder.exists():
                folder.chmod(0o700)
                shutil.rmtree(folder)


def skip_unreadable(name):
    if IS_ROOT and "nobody may read" in name:
        pytest.skip("root reads everything")


def run_row(site, name="hostile"):
    """What the list says of a run; the healthy one is always there."""
    rows = {run["id"]: run for run in site.ask("GET", "/ohwx/api/state").json()["runs"]}
    assert (rows["healthy"]["state"], rows["healthy"]["done"]) == ("done", 2)
    return rows.get(name)


@pytest.mark.parametrize("name", RUN_FOLDERS)
def test_a_run_folder_hides_no_other_and_touches_nothing(site, hostile, name):
    skip_unreadable(name)
    hostile(site.runs, RUN_FOLDERS[name])
    row = run_row(site)
    assert row is not None
    assert row["error"] is None or is_sentence(row["error"])
    for path in ("api/runs/hostile", "runs/hostile/index.html", "runs/hostile/images/x.png", "runs/hostile/run.sqlite"):
        site.ask("GET", f"/ohwx/{path}")
    if row["thumb"]:
        site.ask("GET", "/" + row["thumb"])
    site.ask("POST", "/ohwx/api/estimate", asked("hostile"))
    site.ask("POST", "/ohwx/api/estimate", asked("another"))
    site.ask("POST", "/ohwx/api/pnginfo", {"folder": str(site.runs / "hostile")})
    site.ask("POST", "/ohwx/api/search", {"words": "photo"})
    if sum(path.stat().st_size for path in (site.runs / "hostile").rglob("*") if path.is_file()) < MOST:
        site.ask("GET", "/ohwx/api/runs/hostile/zip")  # it is as large as the folder
    for act in ("delete", "restore", "growth", "skip", "adopt", "resume", "interrupt", "merge", "grow"):
        body = {"more": {"seed": "8"}, "other": "healthy", "name": "hostile"}
        path = "/ohwx/api/bin/restore" if act == "restore" else f"/ohwx/api/runs/hostile/{act}"
        site.ask("POST", path, body)
    site.rest()
    assert run_row(site) is not None


def test_a_damaged_ledger_is_a_row_with_a_reason(site, hostile):
    hostile(site.runs, RUN_FOLDERS["an empty ledger"], "1")
    hostile(site.runs, RUN_FOLDERS["an unknown outcome"], "2")
    hostile(site.runs, RUN_FOLDERS["a thumbnail of bytes"], "3")
    hostile(site.runs, RUN_FOLDERS["seconds without end"], "4")
    hostile(site.runs, RUN_FOLDERS["a whole folder that leads out"], "5")
    for name in "12345":
        row = run_row(site, name)
        assert (row["state"], row["cells"], row["thumb"]) == ("failed", 0, None), row
        assert is_sentence(row["error"])
    assert run_row(site, "5")["error"].startswith("This is a link that leads out")


@pytest.mark.parametrize("name", TRAINING_FOLDERS)
def test_a_training_folder_hides_no_other_and_touches_nothing(site, hostile, name):
    skip_unreadable(name)
    hostile(site.trainings, TRAINING_FOLDERS[name])

    def rows():
        found = {run["id"]: run for run in site.ask("GET", "/ohwx/api/train").json()["runs"]}
        assert (found["healthy"]["state"], found["healthy"]["step"]) == ("killed", 1)
        return found

    row = rows().get("hostile")
    assert row is None or row["error"] is None or is_sentence(row["error"])
    told = site.ask("GET", "/ohwx/api/train/runs/hostile").json()
    for _ in range(40):
        if not told.get("more"):
            break
        told = site.ask("GET", f"/ohwx/api/train/runs/hostile?after={told['next']}").json()
    assert not told.get("more")
    site.ask("GET", "/ohwx/train/hostile/samples/a.png")
    for act in ("pause", "save", "stop", "resume", "start"):
        site.ask("POST", f"/ohwx/api/train/runs/hostile/{act}")
    site.ask("POST", "/ohwx/api/train/runs/healthy/compare", {"with": ["hostile"]})
    rows()


@pytest.mark.parametrize("name", NAMES)
def test_a_folders_name_hides_no_other(site, hostile, name):
    hostile(site.runs, lambda folder, outside: None, NAMES[name])
    hostile(site.trainings, lambda folder, outside: None, NAMES[name])
    runs = site.ask("GET", "/ohwx/api/state").json()["runs"]
    trainings = site.ask("GET", "/ohwx/api/train").json()["runs"]
    for rows, path in ((runs, "/ohwx/api/runs/"), (trainings, "/ohwx/api/train/runs/")):
        assert len(rows) == 2
        for row in rows:  # a name that can be asked for, or why it cannot
            assert row["id"].isprintable()
            assert row["error"] or site.ask("GET", path + quote(row["id"], safe="")).status_code == 200
    site.ask("GET", "/ohwx/api/state")


def no(folder, outside):
    """Change nothing."""


BASE = {"base": "one.safetensors", "train": "/nowhere", "name": "me"}
JOB = {"prompt": "a", "seed": 1}


def run(**values):
    return {"request": {"job": JOB, "checkpoints": ["one.safetensors"], **values}}


RUN_BODIES = {
    "nothing": {}, "a request that is a list": {"request": []}, "a job that is text": run(job="x"), "a job that is a number": run(job=7), "a job that is a list": run(job=["x"]),
    "a seed that is a list": run(job={**JOB, "seed": []}), "a seed of digits": run(job={**JOB, "seed": "9" * 4_000}), "a side of a million": run(job={**JOB, "width": 10**6}), "a prompt that is a number": run(job={**JOB, "prompt": 7}),
    "a key of a megabyte": run(**{MEGABYTE: 1}), "a key that escapes": run(**{ESCAPE: 1}), "a name of a folder": run(name="a/b"), "a name of two lines": run(name="a\nb"), "a name that is hidden": run(name=".a"),
    "a name above": run(name=".."), "a name of a drive": run(name="C:\\a"), "a name with NUL": run(name="a\0b"), "a name of half a pair": run(name="\ud800"), "a name of a megabyte": run(name=MEGABYTE), "a name that is a list": run(name=[1]),
    "checkpoints that are text": run(checkpoints="one"), "checkpoints that are numbers": run(checkpoints=[1, None]), "checkpoints of objects": run(checkpoints=[{}]), "checkpoints without end": run(checkpoints=["x"] * 10_000),
    "a checkpoint elsewhere": run(checkpoints=["../../../outside/secret.png"]), "a checkpoint of a megabyte": run(checkpoints=[MEGABYTE]), "axes that are text": run(axes="seed"), "axes of text": run(axes=["seed"]), "an axis of nothing": run(axes=[{}]),
    "an axis of digits": run(axes=[{"kind": "seed", "values": "1-9" * 1_000}]), "an axis without end": run(axes=[{"kind": "seed", "values": "1-10000000000"}]), "faces of text": run(faces="x"), "faces of lists": run(faces=[[]]),
    "a face of lists": run(faces=[{"model": []}]), "columns of lists": run(columns=[1]), "styles of text": run(styles="x"), "styles of objects": run(styles=[{"name": []}]), "keep_before of text": run(keep_before="x"),
}  # fmt: skip
RECIPE_BODIES = {
    "nothing": {}, "a recipe that is text": {"recipe": "x"}, "a base with NUL": {"recipe": {**BASE, "base": "a\0b"}}, "a base that is a number": {"recipe": {**BASE, "base": 7}}, "a base that is a list": {"recipe": {**BASE, "base": ["a"]}},
    "a base of a megabyte": {"recipe": {**BASE, "base": MEGABYTE}}, "a base of half a pair": {"recipe": {**BASE, "base": "\ud800"}}, "a base that is a folder": {"recipe": {**BASE, "base": "/"}}, "a base that is a secret": {"recipe": {**BASE, "base": "SECRET"}},
    "pictures in nobody's home": {"recipe": {**BASE, "train": "~nobody-at-all/x"}}, "pictures with NUL": {"recipe": {**BASE, "train": "a\0b"}}, "pictures that are a list": {"recipe": {**BASE, "train": [1]}}, "pictures of processes": {"recipe": {**BASE, "train": "/proc"}},
    "pictures of everything": {"recipe": {**BASE, "train": "/", "reg": "/sys"}}, "pictures of a megabyte": {"recipe": {**BASE, "train": MEGABYTE}}, "a name above": {"recipe": {**BASE, "name": ".."}}, "a name of two lines": {"recipe": {**BASE, "name": "a\nb"}},
    "a name of 300 letters": {"recipe": {**BASE, "name": "x" * 300}}, "a name that is a list": {"recipe": {**BASE, "name": []}}, "a field that escapes": {"recipe": {**BASE, ESCAPE: 1}}, "a field of a megabyte": {"recipe": {**BASE, MEGABYTE: 1}},
}  # fmt: skip
RAW = {
    "no JSON": "no", "nothing": b"", "a list": "[1]", "a number": "7", "deep lists": DEEP, "deep objects": '{"a":' * 50_000, "digits": '{"request": %s}' % DIGITS, "NaN": '{"request": NaN}', "bytes": b"\xff\xfe", "NUL": "\0",  # noqa: UP031
    "9 MB": b"[" + b" " * 9_000_000 + b"]",
}  # fmt: skip
FOLDERS = {
    "nothing": "", "NUL": "a\0b", "half a pair": "\ud800", "a megabyte": MEGABYTE, "what escapes": "/gone " + ESCAPE, "a number": 7, "a list": ["/"], "a process": "/proc/self/fd", "a network": "\\\\host.invalid\\share", "a device": "/dev/null",
}  # fmt: skip
POSTS = {
    **{f"run: {name}": ("/ohwx/api/runs", body) for name, body in RUN_BODIES.items()},
    **{f"estimate: {name}": ("/ohwx/api/estimate", body) for name, body in RUN_BODIES.items()},
    **{f"plan: {name}": ("/ohwx/api/train/plan", body) for name, body in RECIPE_BODIES.items()},
    **{f"train: {name}": ("/ohwx/api/train/runs", body) for name, body in RECIPE_BODIES.items()},
    **{f"dataset: {name}": ("/ohwx/api/datasets", {"folder": "/nowhere", **body}) for name, body in RECIPE_BODIES.items()},
    "a dataset with NUL": ("/ohwx/api/datasets", {"folder": "a\0b", "recipe": {}}), "a dataset of a megabyte": ("/ohwx/api/datasets", {"folder": MEGABYTE, "recipe": {}}), "a dataset in nobody's home": ("/ohwx/api/datasets", {"folder": "~nobody-at-all/x", "recipe": {}}),
    **{f"raw {path}: {name}": (f"/ohwx/api/{path}", body) for name, body in RAW.items() for path in ("runs", "draft", "faces", "pnginfo", "train/plan")},
    **{f"pnginfo: {name}": ("/ohwx/api/pnginfo", {"folder": folder}) for name, folder in FOLDERS.items()},
    **{f"csv: {name}": ("/ohwx/api/pnginfo.csv", {"folder": folder}) for name, folder in FOLDERS.items()},
    **{f"faces of {name}": ("/ohwx/api/faces", {"paths": [folder]}) for name, folder in FOLDERS.items()},
    "faces of a checkpoint that is a list": ("/ohwx/api/faces", {"paths": ["/"], "checkpoint": [1]}), "faces that are text": ("/ohwx/api/faces", {"paths": "x"}), "faces of settings that are text": ("/ohwx/api/faces", {"paths": ["x"], "faces": "x"}),
    "texts that are text": ("/ohwx/api/draft", {"texts": "x"}), "texts of numbers": ("/ohwx/api/draft", {"texts": [1]}), "texts of a megabyte": ("/ohwx/api/draft", {"texts": [MEGABYTE]}), "texts of blanks": ("/ohwx/api/draft", {"texts": [" " * 100_000]}),
    "texts of fences": ("/ohwx/api/draft", {"texts": ["---\n" * 50_000]}), "others that are text": ("/ohwx/api/train/runs/healthy/compare", {"with": "x"}), "others above": ("/ohwx/api/train/runs/healthy/compare", {"with": [".."]}),
    "others of a megabyte": ("/ohwx/api/train/runs/healthy/compare", {"with": [MEGABYTE]}),
    **{f"rename to {name}": ("/ohwx/api/runs/healthy/rename", {"name": folder}) for name, folder in {**FOLDERS, "above": "..", "a bin": ".bin", "two parts": "a/b"}.items()},
    **{f"restore {name}": ("/ohwx/api/bin/restore", {"name": folder}) for name, folder in {**FOLDERS, "above": "..", "two parts": "a/b"}.items()},
    **{f"merge {name}": ("/ohwx/api/runs/healthy/merge", {"other": folder}) for name, folder in {**FOLDERS, "above": "..", "itself": "healthy"}.items()},
    **{f"search for {name}": ("/ohwx/api/search", {"words": words}) for name, words in FOLDERS.items()},
    **{f"growth of {name}": ("/ohwx/api/runs/healthy/growth", {"more": {"seed": value, "checkpoint": [value]}}) for name, value in FOLDERS.items()},
    "growth by digits": ("/ohwx/api/runs/healthy/growth", {"more": {"seed": "1-10000000000"}}), "growth of text": ("/ohwx/api/runs/healthy/growth", {"more": "x"}), "growth of what is not there": ("/ohwx/api/runs/healthy/growth", {"more": {MEGABYTE: "x"}}),
}  # fmt: skip
GETS = {
    "after nothing": "/ohwx/api/train/runs/healthy?after=", "after less": "/ohwx/api/train/runs/healthy?after=-1", "after digits": f"/ohwx/api/train/runs/healthy?after={DIGITS}", "after letters": "/ohwx/api/train/runs/healthy?after=x",
    "after 10^18": "/ohwx/api/train/runs/healthy?after=1" + "0" * 18, "after Arabic digits": "/ohwx/api/train/runs/healthy?after=%D9%A1", "a run of half a pair": "/ohwx/api/runs/%ED%A0%80", "a run of bytes": "/ohwx/api/runs/%FF",
    "a run with NUL": "/ohwx/api/runs/a%00b", "a run of 5,000 letters": "/ohwx/api/runs/" + "x" * 5_000, "a run above": "/ohwx/api/runs/%2e%2e", "a training above": "/ohwx/api/train/runs/%2e%2e", "a training with NUL": "/ohwx/api/train/runs/a%00b",
    "a training of 5,000 letters": "/ohwx/api/train/runs/" + "x" * 5_000, "a job above": "/ohwx/api/jobs/%2e%2e", "a face above": "/ohwx/faces/%2e%2e/secret.png", "a sample above": "/ohwx/train/healthy/samples/%2e%2e/recipe.json",
    "a picture above": "/ohwx/runs/healthy/%2e%2e/%2e%2e/secret.png", "a ledger": "/ohwx/runs/healthy/run.sqlite", "a picture that is none": "/ohwx/runs/healthy/request.json", "a table": "/ohwx/api/pnginfo.csv?folder=/",
}  # fmt: skip


@pytest.mark.parametrize("name", POSTS)
def test_a_body_is_answered_in_one_sentence(site, outside, name):
    path, body = POSTS[name]
    if isinstance(body, dict) and isinstance(body.get("recipe"), dict) and body["recipe"].get("base") == "SECRET":
        body = {"recipe": {**body["recipe"], "base": str(outside / "secret.png")}}
    trainings, runs = sorted(site.trainings.iterdir()), sorted(site.runs.iterdir())
    if isinstance(body, dict):  # as JSON may have it, half surrogate pairs too
        body = json.dumps(body).encode()
    answer = site.ask("POST", path, body, headers={"Content-Type": "application/json"})
    site.rest()
    assert sorted(site.trainings.iterdir()) == trainings
    if answer.status_code >= 400:
        assert sorted(site.runs.iterdir()) == runs
    for made in set(site.runs.iterdir()) - set(runs):
        shutil.rmtree(made)


@pytest.mark.parametrize("name", GETS)
def test_an_address_is_answered_in_one_sentence(site, outside, name):
    site.ask("GET", GETS[name])


EACH = {
    **{f"a run folder: {name}": (test_a_run_folder_hides_no_other_and_touches_nothing, name) for name in RUN_FOLDERS},
    **{f"a training folder: {name}": (test_a_training_folder_hides_no_other_and_touches_nothing, name) for name in TRAINING_FOLDERS},
    **{f"a folder's name: {name}": (test_a_folders_name_hides_no_other, name) for name in NAMES},
    **{f"a body: {name}": (test_a_body_is_answered_in_one_sentence, name) for name in POSTS},
    **{f"an address: {name}": (test_an_address_is_answered_in_one_sentence, name) for name in GETS},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", large_and_some(EACH))
def test_in_a_process_with_a_hard_limit(site, outside, hostile, name):
    """Of a folder some 15 things are asked, so its process has five times the CPU time; each answer has its own."""
    test, name = EACH[name]
    is_folder = test.__name__.startswith(("test_a_run_folder", "test_a_training", "test_a_folders"))
    skip_unreadable(name)
    try:
        alone(lambda told: test(site, hostile if is_folder else outside, name), seconds=10 if is_folder else 2)
    finally:  # the process is gone, what it made is not
        for below in (site.runs, site.trainings):
            hostile.made += [path for path in below.iterdir() if path.name != "healthy"]


def test_there_are_many_of_them():
    assert len(RUN_FOLDERS) + len(TRAINING_FOLDERS) + 2 * len(NAMES) + len(POSTS) + len(GETS) >= 250


def test_no_byte_of_a_foreign_file_is_told(site, outside):
    for content in (b"TOP SECRET 7f3a", b"\x01\x02\x03\x04\x05\x06\x07\x08rest", b"7f3a 7f3a 7f3a\n"):
        secret = site.webui.data / "secret.txt"
        secret.write_bytes(content)
        answer = site.ask("POST", "/ohwx/api/train/plan", {"recipe": {**BASE, "base": str(secret)}})
        assert answer.status_code == 400
        number = f"{int.from_bytes(content[:8], 'little'):,}"
        assert not any(told in answer.text for told in (content[:4].decode("latin-1"), number, number.replace(",", "")))
        secret.unlink()


OTHER_SITES = [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site", "Origin": HOST},
]  # fmt: skip


def test_another_site_gets_nothing_from_any_route(site):
    routes = [(route.path, method) for route in our_routes(site.page.client.app) for method in route.methods]
    assert len(routes) > 25
    for path, method in routes:
        path = path.replace("{path:path}", "images/x.png").replace("{run}", "healthy").replace("{job}", "healthy")
        for headers in OTHER_SITES:
            answer = site.ask(method, path, headers={"Origin": "http://evil.example", **headers})
            assert answer.status_code == 403, (method, path)
            assert method == "HEAD" or set(answer.json()) == {"error"}
        if method == "POST":
            assert site.ask(method, path, headers={"Origin": "http://evil.example"}).status_code == 403, path
        else:
            assert method in ("GET", "HEAD")


def test_looking_is_cheap_and_working_is_a_post(site):
    """A GET reads no folder that it names, but for a run's download, which a link asks for.

    And a listed checkpoint's hash, which a program asks for: it reads a file that is as it was once only.
    """
    gets = {route.path for route in our_routes(site.page.client.app) if "GET" in route.methods}
    assert gets == {
        "/ohwx/api/state", "/ohwx/api/runs/{run}", "/ohwx/runs/{run}/{path:path}", "/ohwx/api/jobs/{job}", "/ohwx/faces/{job}/{path:path}",
        "/ohwx/api/train", "/ohwx/api/train/runs/{run}", "/ohwx/train/{run}/samples/{path:path}",
        "/ohwx/api/judge", "/ohwx/api/runs/{run}/judge", "/ohwx/api/runs/{run}/zip", "/ohwx/api/checkpoints/{name:path}",
        "/ohwx/api/datasets/{job}", "/ohwx/datasets/{job}/{path:path}",
        "/ohwx/api/experiments", "/ohwx/api/experiments/{name}", "/ohwx/experiments/{experiment}/{run}/{path:path}",
    }  # fmt: skip
