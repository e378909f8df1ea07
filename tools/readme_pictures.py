"""Make the README's pictures from a demo's folder: its sheet, and its page in Debian's Chromium.

usage: ohwx demo --out demo && python tools/readme_pictures.py demo docs/pictures     (needs the `test` extra)
"""

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main(demo: Path, out: Path) -> None:
    """Write sheet.jpg, page.jpg and viewer.jpg into `out`; JPEG, because drawn weights give noise."""
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
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
