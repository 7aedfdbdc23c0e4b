#!/usr/bin/env python
"""Draw the figures that README.md shows into results/figures, and write its part with them."""

import re
import shutil
import tempfile
from pathlib import Path

from chainer_vae import figures
from chainer_vae.figures.gallery import SELECTION, selection

ROOT = Path(__file__).parent.parent
FOLDER = "results/figures"
PART = re.compile("(?<=<!-- gallery -->\n).*(?=<!-- end of gallery -->)", re.DOTALL)


def main() -> None:
    shown = {id for row in SELECTION for id in row}
    specs = [spec for spec in figures.all_figures() if spec.id in shown]
    context = figures.Context("en", {"z20": "z20", "z2": "z2"})
    (ROOT / FOLDER).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for drawn in figures.draw_figures(specs, context, Path(folder)):
            if drawn.error is not None:
                raise drawn.error
            shutil.copy(drawn.files[0], ROOT / FOLDER)
    readme = ROOT / "README.md"
    text = PART.sub(lambda part: selection(FOLDER, "en"), readme.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
