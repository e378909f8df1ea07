"""The tab's page in a real browser, over real run folders: draft, start, progress, reload, errors, and nothing hurt."""

import json
import re
import shutil
from pathlib import Path

import pytest
import tab_server
from conftest import HOSTILE, NAMES, experiment_of

from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.files.ledger.own import mark
from ohwx_compare.files.ledger.reader import open_run

SECOND = "läufe #1 100%"
TEXT = (
    "<img src=x onerror='window.hurt=1'> photo of ohwx man\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: DPM++ 2M SDE Karras, CFG scale: 7, Seed: 10, Size: 1024x1024, Model: nobody, "
    "ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3, ADetailer denoising strength: 0.5, "
    f'Script: X/Y/Z plot, X Type: Checkpoint name, X Values: "{NAMES[0]} [f31347de70],nobody.safetensors", '
    'Y Type: Seed, Y Values: "10, 11", Version: v1.7.0'
)

WEBUIS_SIDE = """() => {
    document.body.insertAdjacentHTML("beforeend", `<div hidden>
        <div id="ohwx_send_what"><textarea></textarea></div><div id="ohwx_send_done"><textarea></textarea></div>
        <button id="ohwx_send_load"></button><button id="ohwx_send_img2img"></button></div>`);
    const text = (id) => document.querySelector(`#${id} textarea`);
    document.querySelector("#ohwx_send_load").onclick = () => {
        text("ohwx_send_done").value = text("ohwx_send_what").value;
    };
    document.querySelector("#ohwx_send_img2img").onclick = () => { document.title = "sent"; };
}"""
UNNAMED = """[...document.querySelectorAll("#ohwx-compare :is(button, input, select, textarea)")]
    .filter((node) => !node.labels?.length && !node.textContent.trim() && !node.getAttribute("aria-label")).length"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, make_run):
    """Two runs: one done but for a failed cell, one with three cells drawn."""
    runs = tmp_path_factory.mktemp("drawn")
    make_run(runs / "first", experiment_of(64), {2: Outcome.NO_FACE, 5: Outcome.FAILED})
    make_run(runs / SECOND, experiment_of(64), {number: Outcome.PENDING for number in range(4, 13)})
    return runs


@pytest.fixture
def server(tmp_path, drawn):
    runs = shutil.copytree(drawn, tmp_path / "runs")
    for copied in runs.glob("*/run.sqlite"):
        mark(copied)
    tab = tab_server.Tab(runs, [*NAMES, "other/<img src=x onerror='window.hurt=1'>.safetensors"], tmp_path)
    tab.order, tab.states = [SECOND, "first"], {SECOND: "drawing"}
    server = tab_server.serve(tab)
    tab.url = f"http://127.0.0.1:{server.server_port}/"
    yield tab
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(chromium, server):
    """The tab; at the end nothing was hurt, no error was left uncaught and nothing was asked for elsewhere."""
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    errors, elsewhere = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda asked: elsewhere.append(asked.url))
    page.goto(server.url)
    page.wait_for_selector(".ohwx-run")
    yield page
    assert page.evaluate("window.hurt") is None
    assert errors == []
    assert [url for url in elsewhere if not url.startswith((server.url, f"blob:{server.url}", "data:"))] == []
    context.close()


def drafted(page, text=TEXT):
    page.fill("#ohwx-infotexts", text)
    page.click("#ohwx-read")
    page.wait_for_selector("#ohwx-cost:not(:text('Estimating'))")


def said(page, words):
    page.wait_for_function("(words) => document.querySelector('#ohwx-cost').textContent === words", arg=words)


def last(server, path):
    return next(body for asked, body in reversed(server.asked) if asked == path)


def drop(page, selector, name, data, kind):
    """Drop a file as a person does."""
    page.evaluate(
        """([selector, name, bytes, type]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
            const at = document.querySelector(selector);
            for (const kind of ["dragover", "drop"])
                at.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        [selector, name, list(data), kind],
    )


def test_an_infotext_becomes_a_request_that_is_started(page, server):
    drafted(page)
    assert page.locator("#ohwx-notes li").all_inner_texts() == [
        "read 1",
        "The webui has no checkpoint nobody.safetensors.",
    ]
    assert page.locator(".ohwx-chip.ohwx-missing").count() == 1
    assert page.input_value("#ohwx-job-prompt").startswith("<img src=x")
    said(page, "1 of 2 checkpoints is missing. Remove it, or add its file.")
    page.click("#ohwx-start")
    assert page.locator("#ohwx-why li").all_inner_texts() == ["nobody.safetensors"]
    page.click("#ohwx-why-accept")
    page.wait_for_selector(".ohwx-chip.ohwx-missing", state="detached")
    page.locator(".ohwx-list input").nth(1).check()
    page.fill("#ohwx-job-steps", "8")
    page.fill("#ohwx-values-1", "10-12")
    page.click("#ohwx-axis-add")
    page.select_option("#ohwx-axis-2", "prompt")
    page.locator(".ohwx-pair textarea").nth(0).fill("one, with a comma")
    page.locator(".ohwx-pair textarea").nth(2).fill("two")
    page.locator(".ohwx-pair textarea").nth(3).fill("its own negative")
    page.click("#ohwx-axis-add")
    page.locator("#ohwx-axis-3").select_option("face prompt")
    page.fill("#ohwx-values-3", "smiling, eyes closed\nstern")
    page.fill("#ohwx-face-1-denoise", "0.7")
    page.wait_for_function("document.querySelector('#ohwx-cost').textContent.startsWith('2 cells')")
    page.click("#ohwx-start")
    page.wait_for_selector("#ohwx-page")
    request = last(server, "ohwx/api/runs")["request"]
    assert request["checkpoints"] == list(NAMES[:2])
    assert request["axes"] == [
        {"kind": "seed", "values": "10-12"},
        {"kind": "prompt", "values": ["one, with a comma", {"prompt": "two", "negative": "its own negative"}]},
        {"kind": "face prompt", "values": "smiling, eyes closed\nstern"},
    ]
    assert (request["job"]["steps"], request["job"]["cfg"]) == (8, 7)
    assert (request["faces"][0]["denoise"], request["faces"][0]["confidence"]) == (0.7, 0.3)
    assert page.locator("#ohwx-infotexts").input_value() == ""


def test_the_toy_model_is_put_there_on_request_and_offered_until_then(page, server):
    server.faults["ohwx/api/toy"] = (400, "The disk is full.")
    page.click("#ohwx-toy")
    page.wait_for_selector("#ohwx-toy-said:text('The disk is full.')")
    server.faults.clear()
    page.evaluate("""document.body.insertAdjacentHTML("beforeend", ["txt2img", "img2img"].map((tab) =>
        `<button id="script_${tab}_ohwx_compare_files_refresh" onclick="document.title += ' ${tab}'" hidden></button>`)
        .join(""))""")
    page.click("#ohwx-toy")
    page.wait_for_selector("#ohwx-toy-said:text-is('It can be chosen now.')")
    assert page.title() == "webui txt2img img2img"  # the script's lists are read again, as by its own button
    page.wait_for_selector("#ohwx-toy", state="hidden")
    drafted(page)
    assert "ohwx-toy/toy.safetensors" in page.locator(".ohwx-list label").all_inner_texts()
    page.reload()
    page.click("#ohwx-new")
    page.click("#ohwx-discard")
    page.wait_for_selector("#ohwx-infotexts:visible")
    assert page.locator("#ohwx-toy-said").is_hidden()


def test_pictures_are_dropped_and_one_without_infotext_is_named(page, server):
    picture = next((server.folder / "first" / "images").glob("*.png"))
    drop(page, ".ohwx-start", "photo.png", b"no picture", "image/png")
    page.wait_for_selector(".ohwx-draft .ohwx-error:visible")
    assert page.locator(".ohwx-draft .ohwx-error").inner_text().startswith("photo.png: ")
    drop(page, ".ohwx-start", "grid.png", picture.read_bytes(), "image/png")
    page.wait_for_selector("#ohwx-start")
    assert page.input_value("#ohwx-job-negative") == "shirtless, topless"


@pytest.mark.slow
def test_the_chosen_run_and_the_draft_survive_a_reload(page):
    drafted(page)
    page.fill("#ohwx-job-prompt", "changed")
    page.locator(".ohwx-run").nth(1).click()
    page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()
    page.reload()
    page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()
    assert page.locator(".ohwx-chosen h3").inner_text() == "first"
    assert page.locator(".ohwx-run").nth(1).get_attribute("aria-current") == "true"
    page.click("#ohwx-new")
    assert page.input_value("#ohwx-job-prompt") == "changed"


def test_a_run_is_interrupted_and_resumed(page, server):
    page.locator(".ohwx-run").nth(0).click()
    page.wait_for_selector("#ohwx-interrupt:visible")
    assert page.locator("#ohwx-standing").inner_text() == "generating · 3 of 12 · 3 min left"
    assert not page.locator("#ohwx-resume").is_visible()
    page.click("#ohwx-interrupt")
    page.wait_for_selector("#ohwx-resume:visible")
    assert page.locator("#ohwx-standing").inner_text() == "stopped · 3 of 12"
    page.click("#ohwx-resume")
    page.wait_for_selector("#ohwx-skip:visible")


def test_new_pictures_come_without_losing_the_place(page, server, make_run):
    page.locator(".ohwx-run").nth(0).click()
    frame = page.frame_locator("#ohwx-page")
    frame.locator(".cell").nth(11).wait_for()
    assert frame.locator(".said:visible").count() == 9
    inside = page.frames[1]
    inside.evaluate("scrollTo(0, 120); window.mark = 1; document.querySelectorAll('.cell')[2].focus()")
    make_run(server.folder / SECOND, experiment_of(64), {number: Outcome.PENDING for number in range(8, 13)})
    frame.locator(".tile.idle").nth(5).wait_for(state="detached")
    assert frame.locator(".said:visible").count() == 5
    assert inside.evaluate("[scrollY, mark]") == [120, 1]
    assert "7 of 12 cells done" in frame.locator("#summary").inner_text()
    assert inside.evaluate("document.activeElement.className") == "cell"


def test_a_picture_opens_as_large_as_the_window_and_is_sent_on(page, server):
    page.evaluate(WEBUIS_SIDE)
    page.locator(".ohwx-run").nth(1).click()
    frame = page.frame_locator("#ohwx-page")
    frame.locator(".cell").first.click()
    page.wait_for_function("document.querySelector('#ohwx-page').getBoundingClientRect().width === innerWidth")
    frame.get_by_role("button", name="img2img").click()
    page.wait_for_function("document.title === 'sent'")
    sent = json.loads(page.input_value("#ohwx_send_done textarea"))
    first = open_run(server.folder / "first").cells[0].result
    assert (sent["run"], sent["image"], sent["infotext"]) == ("first", first.after, first.infotext)
    assert page.evaluate("document.querySelector('#ohwx-page').getBoundingClientRect().width < innerWidth")


@pytest.mark.slow
def test_an_error_is_its_sentence_and_polling_recovers(page, server):
    server.faults["ohwx/api/state"] = (500, "The run folder <b>x</b> is on fire.")
    page.wait_for_selector("#ohwx-away:visible", timeout=10_000)
    assert page.locator("#ohwx-away").inner_text() == "The run folder <b>x</b> is on fire."
    assert page.locator(".ohwx-run").count() == 2
    server.faults.clear()
    page.wait_for_selector("#ohwx-away", state="hidden", timeout=10_000)
    drafted(page)
    page.get_by_role("button", name="Remove nobody.safetensors").click()
    server.faults["ohwx/api/runs"] = (400, "No checkpoint is chosen.")
    page.click("#ohwx-start")
    said(page, "No checkpoint is chosen.")
    server.faults.clear()
    page.click("#ohwx-start")
    page.wait_for_selector("#ohwx-page")


def test_checkpoints_are_filtered_and_chosen_by_group(page, server):
    drafted(page)
    page.get_by_role("button", name="me (2 epochs)").click()
    page.fill("#ohwx-checkpoint-filter", "OTHER")
    assert page.locator(".ohwx-list label").count() == 1
    page.locator(".ohwx-list input").check()
    page.wait_for_function("document.querySelectorAll('.ohwx-chip').length === 4")
    assert page.get_by_role("button", name="me (2 epochs)").get_attribute("aria-pressed") == "true"
    assert "onerror" in page.locator(".ohwx-chip").last.inner_text()


def test_many_checkpoints_scroll_down_and_never_sideways(page, server):
    server.checkpoints += [f"me_15_StarlightXLAnimatedV3-{epoch:06d}.safetensors" for epoch in range(60)]
    drafted(page)
    page.locator(".ohwx-list label >> nth=60").wait_for(state="attached")
    wide, tall = (f"node => node.scroll{side} > node.client{side}" for side in ("Width", "Height"))
    assert page.eval_on_selector(".ohwx-list", tall)
    assert not page.eval_on_selector(".ohwx-list", wide)


def test_every_hint_can_be_read_whole(page, server):
    drafted(page)
    page.select_option("#ohwx-control", NAMES[0])
    cut = """() => [...document.querySelectorAll("#ohwx-compare :is(input, textarea)[placeholder]")].filter((node) => {
        const kept = node.value;
        node.value = node.placeholder;
        const isCut = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight;
        node.value = kept;
        return isCut;
    }).map((node) => node.placeholder)"""
    for width in (1300, 800):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(cut) == [], width


def test_buttons_stand_apart_and_long_lines_stay_inside(page, server):
    drafted(page, TEXT.replace("face_yolov8n.pt", "nosuch.pt"))
    first, second = (page.locator("[id$=-missing] button").nth(i).bounding_box() for i in (0, 1))
    assert second["x"] - first["x"] - first["width"] >= 4
    page.evaluate("""() => document.querySelector("#ohwx-compare .ohwx-tab").insertAdjacentHTML(
        "beforeend", `<details id="ohwx-judge" open><pre>${"0123456789".repeat(40)}</pre></details>`)""")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_folder_is_read_filtered_and_compared_with(page, server):
    page.click("#ohwx-tab-pnginfo")
    page.fill("#ohwx-folder", "/bilder/ä b")
    page.press("#ohwx-folder", "Enter")
    page.wait_for_selector("tbody tr")
    assert page.locator("tbody tr").count() == 200
    page.wait_for_function("() => document.querySelectorAll('tbody img[src^=blob]').length > 5")
    assert page.locator("tbody img").first.evaluate("image => image.naturalWidth") == 64
    asked = sum(path == "ohwx/api/pnginfo.jpg" for path, _ in server.asked)
    assert asked < 60  # of 300: those that are seen
    page.get_by_role("button", name="Steps").dblclick()
    assert page.locator("tbody tr").first.inner_text().startswith("299.png")
    with page.expect_download() as saved:
        page.click("#ohwx-csv")
    assert saved.value.suggested_filename == "pictures.csv"
    assert Path(saved.value.path()).read_bytes() == b"file\n/p/0.png\n"
    assert last(server, "ohwx/api/pnginfo.csv") == {"folder": "/bilder/ä b"}
    page.fill("#ohwx-rows-filter", "steps: 299")
    assert page.locator("#ohwx-rows-count").inner_text() == "1 of 300 pictures"
    page.locator("tbody button").click()
    assert page.locator(".ohwx-detail pre").inner_text() == "<img src=x onerror=hurt=1>\nSteps: 299"


@pytest.mark.slow
def test_faces_of_existing_pictures_are_followed(page, server):
    page.click("#ohwx-tab-faces")
    page.fill("#ohwx-face-paths", "/p/a.png\n\n/p/b")
    server.job |= {"state": "drawing", "total": 2}
    page.click("#ohwx-face-start")
    page.wait_for_selector("#ohwx-face-stop:visible")
    asked = last(server, "ohwx/api/faces")
    assert (asked["paths"], asked["checkpoint"]) == (["/p/a.png", "/p/b"], None)
    assert (asked["faces"][0]["steps"], asked["faces"][0]["denoise"]) == (80, 0.5)
    found = [{"path": "/p/<b>.png", "outcome": "no face found", "image": None}]
    server.job |= {"state": "done", "done": 2, "results": found}
    page.wait_for_selector(".ohwx-results li")
    assert page.locator(".ohwx-results b").inner_text() == "<b>.png"
    assert not page.locator("#ohwx-face-stop").is_visible()
    server.job |= {"state": "drawing", "done": 0, "total": 1, "results": []}  # the next job is followed too
    page.click("#ohwx-face-start")
    page.wait_for_selector("#ohwx-face-stop:visible")
    server.job |= {"state": "done", "done": 1, "results": [{**found[0], "path": "/p/c.png"}]}
    page.wait_for_selector(".ohwx-results b:text('c.png')")


def test_the_keyboard_and_a_phone(chromium, page, server):
    page.locator("#ohwx-tab-compare").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "ohwx-tab-faces"
    page.evaluate("document.addEventListener('keydown', (event) => { document.title += event.key; })")
    page.keyboard.press("Escape")  # the webui's own keys would press an Interrupt that is not there
    assert page.title() == "webui"
    assert page.evaluate(UNNAMED) == 0
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("#ohwx-tab-compare")
    drafted(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".ohwx-run").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_frame_follows_the_webuis_theme(page, server):
    page.goto(f"{server.url}?theme=dark")
    page.locator(".ohwx-run").first.click()
    page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()
    assert page.frames[1].evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 21, 19)"


def test_texts_never_become_markup_and_styles_stay_ours():
    for path in (tab_server.ROOT / "javascript").glob("*.mjs"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert len(text.splitlines()) <= 400
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?:|window\.\w+ =", text
        ), path
    style = re.sub(r"/\*.*?\*/", "", (tab_server.ROOT / "style.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    selectors = re.findall(r"(?:^|\}|\{)\s*([^{}@]+)\{", style)
    assert len(selectors) > 50
    assert not [one for one in selectors if not re.match(r"(\.dark )?\.ohwx-", one)]


def test_hostile_texts_stay_texts(page, server):
    page.locator(".ohwx-run").nth(1).click()
    page.click("#ohwx-change")
    assert page.locator(".ohwx-pair textarea").nth(2).input_value() == HOSTILE
    assert page.locator(".ohwx-chip").nth(1).inner_text().startswith("me15img/модель 星 #1 50%?.safetensors")
