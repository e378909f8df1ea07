"""Make the README's pictures from a demo's folder: its answer, and its comparison's page, in Debian's Chromium.

usage: ohwx demo --out demo && python tools/readme_pictures.py demo docs/pictures [URL]     (needs the `test` extra)

URL: a running webui that was given the demo's checkpoints (`ohwx demo --out demo --webui DIR`); its script draws with
them, and its tabs are taken too.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ANSWER = {"x": 0, "y": 0, "width": 1200, "height": 1640}  # px: words, numbers and the first pictures


def main(demo: Path, out: Path, url: str | None = None) -> None:
    """Write the pictures into `out` as JPEG; those of the webui only with `url`."""
    out.mkdir(parents=True, exist_ok=True)
    run = demo / "comparison"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto((demo / "index.html").resolve().as_uri())
        page.screenshot(path=out / "answer.jpg", type="jpeg", quality=60, full_page=True, clip=ANSWER)
        page.goto((run / "index.html").resolve().as_uri())
        page.wait_for_timeout(500)
        page.screenshot(path=out / "page.jpg", type="jpeg", quality=60)
        page.locator("img").first.click()
        page.wait_for_timeout(500)
        page.screenshot(path=out / "viewer.jpg", type="jpeg", quality=60)
        if url:
            take_script(browser, url, out / "webui.jpg")
            take_tab(browser, url, out / "tab.jpg")
            take_training(browser, url, out / "train.jpg")
            take_recipe(browser, url, out / "recipe.jpg")
        browser.close()


def open_webui(browser: Browser, url: str, width: int, height: int) -> Page:
    """The webui's page, once it can be used."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(180_000)
    page.goto(url)
    page.wait_for_function("typeof gradioApp === 'function' && uiCurrentTab !== null")
    return page


def take_tab(browser: Browser, url: str, path: Path) -> None:
    """The tab with its newest run, as it is met in the webui."""
    page = open_webui(browser, url, 1400, 940)
    page.locator("#tabs > .tab-nav button", has_text="ohwx compare").click()
    page.locator(".ohwx-run").first.click()
    page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=path, type="jpeg", quality=60)


def take_training(browser: Browser, url: str, path: Path) -> None:
    """The training tab with its newest run; without one, the form."""
    page = open_webui(browser, url, 1400, 1180)
    page.locator("#tabs > .tab-nav button", has_text="ohwx train").click()
    page.locator("#ohwx-base").wait_for()
    if page.locator("#ohwx-train .ohwx-run").count():
        page.locator("#ohwx-train .ohwx-run").first.click()
    page.wait_for_timeout(2500)
    page.screenshot(path=path, type="jpeg", quality=60)


def take_recipe(browser: Browser, url: str, path: Path) -> None:
    """The training tab's form, filled in by the toy's preset, with its plan."""
    page = open_webui(browser, url, 1366, 900)
    page.locator("#tabs > .tab-nav button", has_text="ohwx train").click()
    page.locator("#ohwx-base").wait_for()
    page.get_by_role("button", name="New training").click()
    page.select_option("#ohwx-preset", "toy")
    page.locator("#ohwx-plan", has_text="60 steps").wait_for()
    page.locator("#ohwx-train").scroll_into_view_if_needed()
    page.screenshot(path=path, type="jpeg", quality=60)


def take_script(browser: Browser, url: str, path: Path) -> None:
    """The script in txt2img, filled in and drawn."""
    panel = "#script_txt2img_ohwx_compare_"
    page = open_webui(browser, url, 1360, 1500)

    def choose(element: str, text: str) -> None:
        box = page.locator(f"{element} input").first
        box.blur()
        box.click()
        box.fill(text)
        page.locator("ul.options li", has_text=text).first.wait_for()
        box.press("Enter")
        page.wait_for_timeout(700)

    page.fill("#txt2img_prompt textarea", "photo of ohwx man")
    for name, value in (("steps", 12), ("width", 96), ("height", 96), ("cfg_scale", 3)):
        page.fill(f"#txt2img_{name} input[type=number]", str(value))
        page.press(f"#txt2img_{name} input[type=number]", "Tab")
    page.fill("#txt2img_seed input", "1")
    choose("#script_list", "ohwx compare")
    page.click(f"{panel}files_refresh")  # what was put there since the webui started
    page.wait_for_timeout(2000)
    page.fill(f"{panel}filter textarea", "reg-0000")
    page.wait_for_timeout(700)
    page.click(f"{panel}add_shown")
    page.wait_for_timeout(700)
    for number, (kind, values) in enumerate((("Seed", "1, 2"), ("Face denoise", "0.4, 0.6")), 1):
        choose(f"{panel}axis_{number}", kind)
        page.keyboard.press("Escape")
        page.fill(f"{panel}values_{number} textarea", values)
    choose(f"{panel}detector", "toy_face_yolov8.pt")
    page.keyboard.press("Escape")
    page.click(f"{panel}estimate")
    page.wait_for_timeout(2000)
    page.click("#txt2img_generate")
    page.wait_for_selector("#html_log_txt2img .ohwx-whole-run", timeout=900_000)
    page.locator(f"{panel}estimate").scroll_into_view_if_needed()
    page.screenshot(path=path, type="jpeg", quality=60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
