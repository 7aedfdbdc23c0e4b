#!/usr/bin/env python
"""Draw the figures that the READMEs show into results/figures, and write their parts with them."""

import re
import shutil
import tempfile
from pathlib import Path

from chainer_vae import figures
from chainer_vae.figures.gallery import SELECTION, selection

ROOT = Path(__file__).parent.parent
FOLDERS = {"en": "results/figures", "ja": "results/figures/ja"}
READMES = {"en": "README.md", "ja": "README.ja.md"}
PART = re.compile("(?<=<!-- gallery -->\n).*(?=<!-- end of gallery -->)", re.DOTALL)


def main() -> None:
    specs = [spec for spec in figures.all_figures() if spec.id in SELECTION]
    for lang, name in READMES.items():
        context = figures.Context(lang, {"z20": "z20", "z2": "z2"})
        folder = ROOT / FOLDERS[lang]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as drawn_in:
            for drawn in figures.draw_figures(specs, context, Path(drawn_in)):
                if drawn.error is not None:
                    raise drawn.error
                shutil.copy(drawn.files[0], folder)
        readme = ROOT / name
        part = selection(FOLDERS[lang], lang).replace("\\", r"\\")  # as a pattern's replacement
        text = PART.sub(part, readme.read_text(encoding="utf-8"))
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
