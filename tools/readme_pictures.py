"""Make the README's pictures from a demo's folder: its sheet, and its page in Debian's Chromium.

usage: ohwx demo --out demo && python tools/readme_pictures.py demo docs/pictures [URL]     (needs the `test` extra)

URL: a running webui with a finished run; its tab is taken too.
"""

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main(demo: Path, out: Path, url: str | None = None) -> None:
    """Write sheet.jpg, page.jpg, viewer.jpg and tab.jpg into `out`; JPEG, because drawn weights give noise."""
    out.mkdir(parents=True, exist_ok=True)
    run = demo / "comparison"
    Image.open(run / "sheet.png").convert("RGB").save(out / "sheet.jpg", quality=80)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto((run / "index.html").resolve().as_uri())
        page.wait_for_timeout(500)
        page.screenshot(path=out / "page.jpg", type="jpeg", quality=80)
        page.locator("img").first.click()
        page.wait_for_timeout(500)
        page.screenshot(path=out / "viewer.jpg", type="jpeg", quality=80)
        if url:
            take_tab(browser, url, out / "tab.jpg")
        browser.close()


def take_tab(browser: Browser, url: str, path: Path) -> None:
    """The tab with its newest run, as it is met in the webui."""
    page = browser.new_page(viewport={"width": 1400, "height": 940})
    page.goto(url)
    page.wait_for_function("typeof gradioApp === 'function' && uiCurrentTab !== null")
    page.locator("#tabs > .tab-nav button", has_text="ohwx compare").click()
    page.locator(".ohwx-run").first.click()
    page.frame_locator("#ohwx-page").locator(".cell").first.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=path, type="jpeg", quality=70)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
