#!/usr/bin/env python
"""Build what a teacher needs for a class on the VAE, in one language, into kit/.

    python scripts/build_kit.py [--lang ja]

The texts are in ``teaching``, each in both languages, and the lessons in ``notebooks/lessons``.
Pandoc makes slides with speaker notes in one file that needs no network, and pip brings it to every
system; reveal.js, which shows them, comes unchanged with sphinx-revealjs. Typst sets the handout,
without a browser; only the film of the explorer needs one.
"""

import argparse
import importlib.util
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Optional

import build_notebooks
import matplotlib
import nbformat
import numpy as np
import playwright.sync_api
import pypandoc
import record_explorer
import typst
from matplotlib.figure import Figure
from PIL import Image

from chainer_vae import figures
from chainer_vae.figures import style
from chainer_vae.figures.output import save
from chainer_vae.figures.registry import Animation, FigureSpec
from chainer_vae.figures.runner import draw
from chainer_vae.runs import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
TEACHING = ROOT / "teaching"
KIT = ROOT / "kit"
LOCALES = {"en": "en-US", "ja": "ja-JP"}
# The pages, and what of their text they show.
PAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "plan-50": ("plan-50.md", ()),
    "plan-90": ("plan-90.md", ()),
    "quiz": ("quiz.md", ()),
    "quiz-answers": ("quiz.md", ("answer",)),
}
# In Markdown ![](ID), in Typst image("ID.png").
FIGURE = re.compile(r"!\[\]\(([\w-]+)\)")
FIGURE_IN_TYPST = re.compile(r'image\("([\w-]+)\.png"')
SOLUTION = re.compile(r"<details><summary>(解答例|Solution)</summary>(.*?)</details>", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
EXPLORER = re.compile(r"\]\([^()\s]*explorer\.html")  # a lesson's link to it
GUIDE = re.compile(r"\[([^\[\]]*)\]\(\.\./docs/[^()\s]*\)")  # and to what is not in the kit
OPEN = {"en": "# Your code", "ja": "# ここにコードを書く"}
OPEN_TEXT = {"en": "*Your answer:*", "ja": "*解答：*"}
SLIDES = ["--slide-level=1", "--variable=theme:serif", "--variable=display:grid",
          "--variable=center:false", "--variable=width:1280", "--variable=height:720",
          "--variable=margin:0", "--variable=slideNumber:true", "--variable=transition:none",
          "--variable=hash:true"]  # fmt: skip
# Figures whose axes have labels, which are this much larger than in a text.
PLOTS = ("latent-scatter", "latent-arrow", "manifold", "learning-curve", "interp-0-9-frames")
LARGER = 1.5
FRAME = 120  # milliseconds, of the film
SECONDS = 60
HOLD = 2  # seconds at the end of each scene


def package_folder(name: str) -> Path:
    """Where an installed package is, without importing it."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def draw_figures(lang: str, folder: Path) -> dict[str, str]:
    """Draw the figures that the texts show; each file is called by the figure's ID.

    Returns:
        dict: For each ID what Markdown shows the figure with: its file and its caption.
    """
    wanted: set[str] = set()
    for text, figure in (("slides.md", FIGURE), ("handout.typ", FIGURE_IN_TYPST)):
        wanted.update(figure.findall((TEACHING / text).read_text(encoding="utf-8")))
    specs = [spec for spec in figures.all_figures() if spec.id in wanted]
    context = figures.Context(lang, {name: name for name in SHIPPED})
    files: list[tuple[FigureSpec, Path]] = []
    plots = [spec for spec in specs if spec.id in PLOTS]
    equations = [spec for spec in specs if spec.id.startswith("eq-")]  # thin strokes stay sharp
    others = [spec for spec in specs if spec not in (*plots, *equations)]
    for those, suffix in ((equations, "svg"), (others, "png")):
        for drawn in figures.draw_figures(those, context, folder, suffix):
            if drawn.error is not None:
                raise drawn.error
            (file,) = drawn.files
            files.append((drawn.spec, file.rename(folder / f"{drawn.spec.id}{file.suffix}")))
    for spec in plots:
        files.append((spec, folder / f"{spec.id}.png"))
        save_with_large_labels(spec, context, files[-1][1])
    shown = {}
    for spec, file in files:
        caption = re.sub(r"([^\w\s])", r"\\\1", spec.caption[lang])
        shown[spec.id] = f"![{caption}]({file.name})"
    return shown


def save_with_large_labels(spec: FigureSpec, context: figures.Context, file: Path) -> None:
    """Draw a figure whose axes can be read from the back of a room."""
    settings = style.settings(context.lang)
    figure = draw(spec, context)
    assert isinstance(figure, Figure)
    for axes in figure.axes:
        axes.tick_params(labelsize=LARGER * settings["font.size"])
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_fontsize(LARGER * text.get_fontproperties().get_size_in_points())
    with matplotlib.rc_context({**settings, "savefig.bbox": "tight"}):
        save(figure, file)


def convert(text: str, to: str, lang: str, options: list[str], *folders: Path) -> str:
    """A text of ``teaching`` as a page of HTML, in one file.

    Args:
        text: In Markdown, in both languages.
        to: Pandoc's name of the format.
        lang: One of LOCALES.
        options: More of Pandoc's.
        folders: Where else than in ``teaching`` the files are that it shows.
    """
    # Searched, so that no text holds a path, which may have spaces in it.
    path = os.pathsep.join(map(str, (TEACHING, *folders)))
    return pypandoc.convert_text(
        text,
        to,
        format="markdown-implicit_figures+east_asian_line_breaks",
        extra_args=[
            "--standalone", "--embed-resources", "--mathml", f"--metadata=lang:{lang}",
            f"--lua-filter={TEACHING / 'language.lua'}", f"--resource-path={path}", *options,
        ],
    )  # fmt: skip


def page(name: str, style: str, lang: str, kept: tuple[str, ...] = ()) -> str:
    """A text of ``teaching`` in a language, with the divs whose classes are ``kept``."""
    text = (TEACHING / name).read_text(encoding="utf-8")
    metadata = [f"--metadata={kind}:true" for kind in kept]
    return convert(text, "html", lang, ["--section-divs", f"--css={style}", *metadata])


def slides(lang: str, folder: Path) -> str:
    """The slides, with reveal.js and the figures, which are drawn into a folder, in the page."""
    shown = draw_figures(lang, folder)
    text = (TEACHING / "slides.md").read_text(encoding="utf-8")
    text = FIGURE.sub(lambda figure: shown[figure[1]], text)
    reveal = package_folder("sphinx_revealjs") / "_static"
    options = ["--css=slides.css", "--variable=revealjs-url:revealjs", *SLIDES]
    return convert(text, "revealjs", lang, options, folder, reveal)


def handout(lang: str, folder: Path) -> bytes:
    """The handout, a PDF, with the figures in a folder, where :func:`slides` has drawn them."""
    source = Path(shutil.copy(TEACHING / "handout.typ", folder))
    fonts = [
        package_folder("matplotlib_fontja") / "fonts",
        package_folder("matplotlib") / "mpl-data" / "fonts" / "ttf",
    ]
    return typst.compile(
        source, font_paths=fonts, ignore_system_fonts=True, sys_inputs={"lang": lang}
    )


def for_class(notebook: Any, lang: str, solved: bool) -> Any:
    """A lesson's notebook for students, or with its exercises solved.

    Args:
        notebook: From ``build_notebooks.build``, not run.
        lang: Its language.
        solved: Whether solutions are cells to run; else there is an open cell for each.
    """
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cells.append(cell)
            continue
        # Text, and then again and again the title of a solution, the solution, and text.
        linked = GUIDE.sub(r"\1", EXPLORER.sub("](../explorer.html", cell.source))
        text, *rest = SOLUTION.split(linked)
        cells.append(nbformat.v4.new_markdown_cell(text.strip()))
        for title, solution, after in zip(rest[::3], rest[1::3], rest[2::3]):
            cells += solution_cells(f"**{title}**\n\n{solution.strip()}", lang, solved)
            cells.append(nbformat.v4.new_markdown_cell(after.strip()))
    notebook.cells = [cell for cell in cells if cell.source]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
    return notebook


def solution_cells(solution: str, lang: str, solved: bool) -> list[Any]:
    text, *rest = PYTHON.split(solution)
    if not solved:
        if rest:
            return [nbformat.v4.new_code_cell(OPEN[lang])]
        return [nbformat.v4.new_markdown_cell(OPEN_TEXT[lang])]
    cells = [nbformat.v4.new_markdown_cell(text.strip())]
    for code, after in zip(rest[::2], rest[1::2]):
        cells.append(nbformat.v4.new_code_cell(code))
        cells.append(nbformat.v4.new_markdown_cell(after.strip()))
    return cells


def film(browser: playwright.sync_api.Browser, explorer: Path, lang: str) -> Animation:
    """A minute of the explorer in use, with a question on a card before each scene."""
    recorder = record_explorer.record(browser, explorer, LOCALES[lang])
    cards = browser.new_page(device_scale_factor=record_explorer.SCALE)
    cards.set_content(page("film.md", "film.css", lang))
    size = "section {{ width: {width}px; height: {height}px }}".format(**record_explorer.CLIP)
    cards.add_style_tag(content=size)
    pictures = [
        np.asarray(Image.open(io.BytesIO(section.screenshot())).convert("RGB"))
        for section in cards.locator("section").all()
    ]
    cards.close()
    return with_cards(recorder.frames, recorder.scenes, pictures)


def with_cards(frames: list[np.ndarray], scenes: list[int], cards: list[np.ndarray]) -> Animation:
    """A film of SECONDS: a card, then a card and a scene in turns, and a card at the end.

    Args:
        frames: Of all scenes.
        scenes: The first frame of each.
        cards: Two more than scenes; they share the time that the scenes leave.
    """
    n_frames = 1000 * SECONDS // FRAME
    hold = 1000 * HOLD // FRAME
    left = n_frames - len(frames) - hold * len(scenes)
    ends = np.linspace(0, left, len(cards) + 1).astype(int)
    shown = [[card] * n for card, n in zip(cards, np.diff(ends))]
    film = shown[0]
    for start, end, card in zip(scenes, [*scenes[1:], len(frames)], shown[1:]):
        film = film + card + frames[start:end] + frames[end - 1 : end] * hold
    return Animation(film + shown[-1], FRAME)


def build(lang: str, out: Path, browser: Optional[playwright.sync_api.Browser] = None) -> None:
    """Write the kit into an empty folder; its film only with a browser."""
    shutil.copy(ROOT / "results" / "explorer.html", out)
    with tempfile.TemporaryDirectory() as folder:
        texts = {"slides": slides(lang, Path(folder))}
        (out / "handout.pdf").write_bytes(handout(lang, Path(folder)))
    for name, (source, kept) in PAGES.items():
        texts[name] = page(source, "page.css", lang, kept)
    texts["index"] = page("index.md", "page.css", lang, ("film",) if browser else ())
    for name, text in texts.items():
        (out / f"{name}.html").write_text(text, encoding="utf-8")
    for name, solved in (("notebooks", False), ("solutions", True)):
        (out / name).mkdir()
        for lesson in build_notebooks.lessons():
            notebook = for_class(build_notebooks.build(lesson, lang), lang, solved)
            nbformat.write(notebook, out / name / build_notebooks.path_of(lesson, lang).name)
    if browser:
        save(film(browser, out / "explorer.html", lang), out / "film.gif")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lang", choices=LOCALES, default="en", help="language (default: en)")
    lang = parser.parse_args().lang
    with playwright.sync_api.sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        try:
            browser = record_explorer.launch(driver)
        except playwright.sync_api.Error:
            browser = None
        made = Path(folder) / "kit"  # which others may read, unlike a temporary folder
        made.mkdir()
        build(lang, made, browser)
        shutil.rmtree(KIT, ignore_errors=True)
        shutil.copytree(made, KIT)
    print(f"{KIT / 'index.html'}: open it in a browser")
    if browser is None:
        print(
            "build_kit.py: there is no film, for want of a Chromium: install one, or run"
            f" {sys.executable} -m playwright install chromium",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
