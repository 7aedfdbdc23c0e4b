#!/usr/bin/env python
"""Draw the figures that the READMEs show into results/figures, and write their parts with them."""

import re
import shutil
import tempfile
from pathlib import Path

from chainer_vae import figures
from chainer_vae.figures.gallery import SELECTION, selection

ROOT = Path(__file__).parent.parent
ANIMATIONS = "results/figures"  # the same in both languages
STILLS = {"en": "results/figures", "ja": "results/figures/ja"}
READMES = {"en": "README.md", "ja": "README.ja.md"}
PART = re.compile("(?<=<!-- gallery -->\n).*(?=<!-- end of gallery -->)", re.DOTALL)


def main() -> None:
    shown = {id for row in SELECTION for id in row}
    for lang, name in READMES.items():
        specs = [
            spec
            for spec in figures.all_figures()
            if spec.id in shown and not (spec.animated and lang == "ja")
        ]
        context = figures.Context(lang, {"z20": "z20", "z2": "z2"})
        folders = {True: ANIMATIONS, False: STILLS[lang]}
        with tempfile.TemporaryDirectory() as drawn_in:
            for drawn in figures.draw_figures(specs, context, Path(drawn_in)):
                if drawn.error is not None:
                    raise drawn.error
                folder = ROOT / folders[drawn.spec.animated]
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(drawn.files[0], folder)
        readme = ROOT / name
        part = selection(folders, lang).replace("\\", r"\\")  # as a pattern's replacement
        text = PART.sub(part, readme.read_text(encoding="utf-8"))
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
