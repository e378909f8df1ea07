"""Make the pictures of docs/looking.md and the README's animation from a demo's comparison, in Debian's Chromium.

usage: ohwx demo --out demo && python tools/looking_pictures.py demo docs/pictures     (needs the `test` extra)

The animation goes from the grid to a filmstrip and to two checkpoints under a wipe; all that is seen is the page.
"""

import io
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from ohwx_compare.look.server import PageServer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE = {"width": 1366, "height": 800}  # px of the pictures
SMALL = {"width": 1100, "height": 620}  # px of the animation
MOST = 600_000  # bytes of the animation
SWEEP = (50, 38, 26, 14, 26, 38, 50, 62, 74, 86, 74, 62)  # where the wipe stands, % of the width
Frame = tuple[Image.Image, int]  # and for how many ms it is shown


def main(demo: Path, out: Path) -> None:
    """Write grid.jpg, filmstrip.jpg, wipe.jpg and looking.webp into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with PageServer(demo / "comparison") as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = server.url
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=WIDE, reduced_motion="reduce")
        open_page(page, address)
        take_pictures(page, out)
        page = browser.new_page(viewport=SMALL, reduced_motion="reduce")
        open_page(page, address)
        frames = list(animation(page))
        browser.close()
        server.shutdown()
    write_animation(frames, out / "looking.webp")


def open_page(page: Page, address: str) -> None:
    """The grid with its first pictures."""
    page.goto(address)
    page.wait_for_function("() => document.querySelectorAll('.tile img').length > 4")
    page.wait_for_timeout(1000)


def take_pictures(page: Page, out: Path) -> None:
    """Grid with its axes, filmstrip, wipe with the differences."""
    page.keyboard.press("a")
    page.get_by_label("Where Prompt stands").select_option("y")
    page.wait_for_timeout(500)
    page.screenshot(path=out / "grid.jpg", type="jpeg", quality=70)
    page.keyboard.press("a")
    page.locator(".cell").nth(3).focus()
    page.keyboard.press("l")
    page.wait_for_timeout(1000)
    page.screenshot(path=out / "filmstrip.jpg", type="jpeg", quality=70)
    page.keyboard.press("Escape")
    compare_two(page)
    page.keyboard.press("i")
    page.wait_for_timeout(500)
    page.screenshot(path=out / "wipe.jpg", type="jpeg", quality=70)
    page.close()


def compare_two(page: Page) -> None:
    """The first save and the last of one row under the wipe."""
    row = page.locator(".row").nth(1).locator(".cell")
    for cell in (row.nth(1), row.last):
        cell.focus()
        page.keyboard.press("Space")
    page.keyboard.press("c")
    page.keyboard.press("w")
    page.wait_for_timeout(800)


def animation(page: Page) -> Iterator[Frame]:
    """Grid, filmstrip, the two that are chosen, the wipe that goes over them."""
    yield seen(page), 1400
    page.locator(".row").nth(1).locator(".cell").nth(1).focus()
    page.keyboard.press("l")
    page.wait_for_timeout(1000)
    yield seen(page), 1800
    page.keyboard.press("Escape")
    compare_two(page)
    stage = page.locator("#m-stage").bounding_box() or {}
    for percent in SWEEP:
        page.locator("#m-wipe").hover()
        page.mouse.down()
        page.mouse.move(stage["x"] + stage["width"] * percent / 100, stage["y"] + stage["height"] * 0.6)
        page.mouse.up()
        page.wait_for_timeout(100)
        yield seen(page), 160
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    yield seen(page), 1000


def seen(page: Page) -> Image.Image:
    """What the window shows."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def write_animation(frames: list[Frame], path: Path) -> None:
    """As WebP, in the best quality that is small enough."""
    first, *others = [image for image, _ in frames]
    times = [time for _, time in frames]
    for quality in range(85, 20, -10):
        first.save(path, save_all=True, append_images=others, duration=times, loop=0, quality=quality, method=6)
        if path.stat().st_size <= MOST:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
