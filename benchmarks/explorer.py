"""How fast the page of ``chainer-vae explore`` is, in a real Chromium: milliseconds of a frame.

    python benchmarks/explorer.py [PAGE] [--out results/bench/explorer.json]

For each kind of dragging: the time between frames (a screen of 60 Hz asks for one every 16.7 ms),
and how much of it the page's own scripts take.
"""

import argparse
import json
import os
import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from chainer_vae import devices
from chainer_vae.explorer import write_page

N_FRAMES = 240
POINT = "(i) => explorer.plane.moveTo([2 * Math.cos(i / 20), 2 * Math.sin(i / 13)])"
# What is done before each frame, given its number.
DRAGS = {
    "point": POINT,
    "point, map shown": POINT,
    "zoom, map shown": "(i) => explorer.plane.zoomBy(i % 60 < 30 ? 1.05 : 1 / 1.05)",
    "slider of 20 latent dimensions": """(i) => {
      const input = document.querySelector(".dimension input");
      input.value = 3 * Math.sin(i / 20);
      input.dispatchEvent(new Event("input"));
    }""",
}
MEASURE = """async ([source, n]) => {
  const act = eval(source);
  const between = [], scripts = [];
  let last = null;
  for (let i = 0; i < n; i++) {
    // Callbacks of one frame run in their order: the page's are between the first and the last.
    const { acting, begun, painted } = await new Promise((done) => {
      let begun;
      requestAnimationFrame(() => (begun = performance.now()));
      const started = performance.now();
      act(i);
      const acting = performance.now() - started;
      requestAnimationFrame(() => done({ acting, begun, painted: performance.now() }));
    });
    if (last !== null) between.push(begun - last);
    last = begun;
    scripts.push(acting + painted - begun);
  }
  return { between, scripts };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("page", type=Path, nargs="?", help="by default, that of the shipped models")
    parser.add_argument("--out", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = args.page or Path(folder) / "page.html"
        if args.page is None:
            write_page(file, "z2", "z20", "ae2")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)
        page.goto(file.resolve().as_uri())
        page.wait_for_function("window.explorer !== undefined")
        rows = []
        for name, source in DRAGS.items():
            page.set_checked("#show-map", "map" in name)
            page.wait_for_timeout(2000)  # the map is decoded
            measured = page.evaluate(MEASURE, [source, N_FRAMES])
            row = {"what": name}
            for key, times in measured.items():
                median, slow = np.percentile(times, [50, 95])
                row[key] = {"median": round(float(median), 2), "95 %": round(float(slow), 2)}
            rows.append(row)
            print(f"{name:20} {row['between']}  scripts {row['scripts']}", flush=True)
        version = browser.version
        browser.close()
    result = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "device": f"{devices.cpu_name()}, {os.cpu_count()} cores, no GPU (drawn in software)",
        "chromium": version,
        "frames": N_FRAMES,
        "milliseconds": rows,
    }
    if args.out is not None:
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
