#!/usr/bin/env python
"""Record the explorer in use: results/explorer.gif, and in Japanese results/explorer.ja.gif.

Pictures of its first half with a drawn 3, results/explorer.png and explorer_ja.png, come with them.

    python scripts/record_explorer.py [PAGE]

PAGE is a file that ``chainer-vae explore`` wrote, by default results/explorer.html. Chromium opens
it without a window, and Playwright (``pip install playwright``) moves the mouse. The page's clock
runs only between two frames, and its random numbers have a seed, so the same page, browser and
fonts give the same file.
"""

import argparse
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from chainer_vae.figures.output import save
from chainer_vae.figures.registry import Animation

RESULTS = Path(__file__).parent.parent / "results"
# By the browser's language: the recording, and the picture.
FILES = {"en-US": ("explorer.gif", "explorer.png"), "ja-JP": ("explorer.ja.gif", "explorer_ja.png")}
FRAME = 80  # milliseconds
VIEWPORT = {"width": 1080, "height": 900}
CLIP = {"x": 4, "y": 4, "width": 1072, "height": 744}  # the part that is recorded
PICTURE = {"width": 1180, "height": 1800}  # the window for the picture, at most as high
SCALE = 0.75  # pixels of the file per pixel of the page; 6 for a pixel of a large digit

# Without a window, there is no pointer. The ring shows that the button is pressed.
POINTER = """() => {
  const pointer = document.createElement("div");
  pointer.style = "position: fixed; left: -40px; top: -40px; z-index: 9; pointer-events: none";
  pointer.innerHTML = `<svg width="80" height="80" viewBox="-40 -40 80 80" stroke-linejoin="round">
    <circle r="18" fill="#f59e0b" fill-opacity=".4" stroke="#f59e0b" stroke-width="3" />
    <path d="M0 0V25L6 19.5 10.5 29 15 27 10.5 18 18.5 17.5Z" stroke="#fff" stroke-width="2" />
  </svg>`;
  document.body.append(pointer);
  const ring = pointer.querySelector("circle");
  for (const type of ["pointermove", "pointerdown", "pointerup"]) {
    const follow = ({ clientX, clientY, buttons }) => {
      pointer.style.transform = `translate(${clientX}px, ${clientY}px)`;
      ring.style.visibility = buttons ? "visible" : "hidden";
    };
    window.addEventListener(type, follow, true);
  }
}"""
STOPPED = 3600  # seconds: later than any machine has opened the page
SEED = "let seed = 20171126; Math.random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;"
# Notes that the lower edge would cut.
HIDDEN = ".stage .hint:not(#nearest) { visibility: hidden; }"

Point = tuple[float, float]
# Over the plane, in its coordinates: 0, 6, 5, 1, 7, 9, 2, 3.
WALK = [(-0.4, -2.0), (-1.0, -1.2), (-2.0, -0.3), (-1.4, 1.0), (-0.7, 1.8), (0.6, 2.0), (1.6, 1.4),
        (1.7, 0.1), (0.8, -0.9), (0, 0)]  # fmt: skip
# Strokes of a 3, as fractions of the pad.
THREE = [(0.3, 0.26), (0.38, 0.17), (0.5, 0.13), (0.63, 0.18), (0.68, 0.3), (0.62, 0.42),
         (0.47, 0.48), (0.62, 0.53), (0.71, 0.65), (0.67, 0.8), (0.53, 0.88), (0.38, 0.85),
         (0.28, 0.75)]  # fmt: skip


class Recorder:
    """A page, the mouse on it, and the frames so far."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.at: Point = (0.0, 0.0)
        self.frames: list[np.ndarray] = []
        self.scenes: list[int] = []  # the first frame of each

    def scene(self) -> None:
        """Begin a scene with the next frame."""
        self.scenes.append(len(self.frames))

    def frame(self, elapsed: int = FRAME) -> None:
        """Let the page's clock run, and take a frame."""
        self.page.clock.run_for(elapsed)
        picture = Image.open(io.BytesIO(self.page.screenshot(clip=CLIP)))
        self.frames.append(np.asarray(picture.convert("RGB")))

    def hold(self, seconds: float) -> None:
        """Repeat the last frame."""
        self.frames += self.frames[-1:] * round(1000 * seconds / FRAME)

    def put(self, point: Point) -> None:
        """Put the mouse on a point of the page."""
        self.page.mouse.move(*point)
        self.at = point

    def follow(self, points: Sequence[Point], n: int) -> None:
        """Move along a smooth curve through points, with n frames."""
        for i, t in enumerate(np.linspace(0, len(points) - 1, 4 * n + 1)):
            self.put(on_curve(points, t))
            if i % 4 == 0:  # a stroke takes more points than frames
                self.frame()

    def go(self, point: Point) -> None:
        """Move straight to a point, faster in the middle of the way."""
        start = np.array(self.at)
        way = np.array(point) - start
        n = 2 + round(np.hypot(*way) / 150)
        for i in range(1, n + 1):
            x, y = start + way * (1 - np.cos(np.pi * i / n)) / 2
            self.put((x, y))
            self.frame()

    def click(self, selector: str) -> None:
        self.go(self.place(selector))
        self.page.mouse.down()
        self.frame()
        self.page.mouse.up()
        self.frame()

    def place(self, selector: str, u: float = 0.5, v: float = 0.5) -> Point:
        """A point of an element; (0, 0) is its upper left corner, (1, 1) its lower right one."""
        box = self.page.locator(selector).bounding_box()
        assert box is not None
        return box["x"] + u * box["width"], box["y"] + v * box["height"]

    def on_plane(self, z: Point) -> Point:
        left, top = self.place("#plane", 0, 0)
        x, y = self.page.evaluate("z => explorer.plane.toPixels(z)", z)
        return left + x, top + y


def on_curve(points: Sequence[Point], t: float) -> Point:
    """The Catmull-Rom spline through points[0] at t = 0, points[1] at t = 1, and so on."""
    i = min(int(t), len(points) - 2)
    around = np.array(points)[np.clip(np.arange(i - 1, i + 3), 0, len(points) - 1)]
    s = t - i
    weights = [-s + 2 * s**2 - s**3, 2 - 5 * s**2 + 3 * s**3, s + 4 * s**2 - 3 * s**3, s**3 - s**2]
    x, y = np.array(weights) @ around / 2
    return x, y


def opened(browser: Browser, page_file: Path, locale: str, **options: Any) -> Page:
    """The page; its clock stands still until it is run."""
    page = browser.new_context(locale=locale, reduced_motion="reduce", **options).new_page()
    page.add_init_script(SEED)
    page.clock.install(time=0)
    page.goto(page_file.resolve().as_uri())
    # A function: a text would be evaluated at each try, which the page's policy forbids.
    page.wait_for_function("() => window.explorer !== undefined")
    page.clock.pause_at(STOPPED)
    return page


def picture(browser: Browser, page_file: Path, locale: str) -> bytes:
    """A PNG of the page from its top to the end of the latent plane, with a drawn 3."""
    page = opened(browser, page_file, locale, viewport=PICTURE)
    recorder = Recorder(page)
    page.click("#tab-draw")
    recorder.put(recorder.place("#pad", *THREE[0]))
    page.mouse.down()
    for t in np.linspace(0, len(THREE) - 1, 60):
        recorder.put(recorder.place("#pad", *on_curve(THREE, t)))
    page.mouse.up()
    recorder.put((0, 0))
    page.clock.run_for(FRAME)
    _, end = recorder.place(".stage", 0, 1)
    png = page.screenshot(clip={"x": 0, "y": 0, "width": PICTURE["width"], "height": end})
    page.context.close()
    return png


def record(browser: Browser, page_file: Path, locale: str) -> Recorder:
    """The frames of the whole story, in three scenes."""
    page = opened(browser, page_file, locale, viewport=VIEWPORT, device_scale_factor=SCALE)
    page.add_style_tag(content=HIDDEN)
    page.evaluate(POINTER)
    page.click("#flow-clear")
    page.evaluate("document.querySelector('.stage').scrollIntoView()")
    recorder = Recorder(page)

    # Decode.
    walk = [recorder.on_plane(z) for z in WALK]
    recorder.put(walk[0])
    recorder.scene()
    recorder.frame()
    recorder.hold(0.3)
    recorder.follow(walk, 40)
    recorder.hold(0.2)

    # Draw, and look at the place on the plane.
    recorder.scene()
    recorder.click("#tab-draw")
    recorder.go(recorder.place("#pad", *THREE[0]))
    page.mouse.down()
    recorder.follow([recorder.place("#pad", *point) for point in THREE], 16)
    page.mouse.up()
    recorder.frame()
    recorder.hold(0.6)
    recorder.click("#show-map")
    recorder.go(recorder.on_plane(page.evaluate("explorer.subject.posterior.mu")))
    page.mouse.down()  # from now on, the wheel is the plane's
    page.mouse.up()
    for _ in range(8):
        page.mouse.wheel(0, -160)
        recorder.frame()
    recorder.go(recorder.place("#plane", 0.63, 0.65))  # off the ellipses
    recorder.hold(0.9)
    recorder.click("#zoom-reset")
    recorder.click("#show-map")

    recorder.click("#clear")
    recorder.hold(0.3)

    # Interpolate.
    recorder.scene()
    recorder.click("#tab-interpolate")
    recorder.click("#interpolation-play")
    for _ in range(32):
        recorder.frame(4000 // 32)  # the page takes 4 seconds
    recorder.hold(0.3)

    # Back to the first frame.
    recorder.click("#tab-decode")
    recorder.go(walk[0])
    page.context.close()
    return recorder


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, or else the one that Playwright has downloaded."""
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
        args=["--no-sandbox"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("page", type=Path, nargs="?", default=RESULTS / "explorer.html")
    args = parser.parse_args()
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for locale, (name, still) in FILES.items():
            (RESULTS / still).write_bytes(picture(browser, args.page, locale))
            frames = record(browser, args.page, locale).frames
            save(Animation(frames, FRAME), RESULTS / name)
            size = (RESULTS / name).stat().st_size
            print(f"{RESULTS / name}: {len(frames) * FRAME / 1000:.1f} s, {size / 1e6:.2f} MB")
        browser.close()


if __name__ == "__main__":
    main()
