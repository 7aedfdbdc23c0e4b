#!/usr/bin/env python
"""Build the site, in both languages, into site/.

The pages are docs/en and docs/ja, the notebooks, with the outputs that they hold, and a gallery of
all figures.  What Sphinx reads is put together in build/site, where the figures that are drawn stay
for the next time.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Union

from check_site import check
from PIL import Image

from chainer_vae import figures
from chainer_vae.figures.gallery import WORDS
from chainer_vae.figures.registry import SECTIONS, FigureSpec
from chainer_vae.figures.style import DPI
from chainer_vae.runs import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BUILD = ROOT / "build" / "site"
LANGUAGES = ("en", "ja")
(ADDRESS,) = re.findall(r'^address = "(.*)"', (DOCS / "conf.py").read_text("utf-8"), re.MULTILINE)

# A link out of the folder of guides.
LINK = re.compile(r"(!?)\[([^\]]*)\]\((\.\./[^)#\s]*)(#[^)\s]*)?\)")
TITLE = re.compile(r'"# .*')  # of a notebook
# What a notebook links to, in its JSON.
TO_LESSON = re.compile(r"\]\((\d\d_\w+)_(?:en|ja)\.ipynb\)")
TO_GUIDE = re.compile(r"\]\(\.\./docs/(?:en|ja)/([\w-]+)\.md\)")
TO_EXPLORER = re.compile(r"\[([^][\n]*)\]\(\.\./results/explorer\.html(#[^)]*)\)")
LESSON = re.compile(r"notebooks/(\d\d_\w+)_(en|ja)\.ipynb")


def draw_figures() -> None:
    """Draw what is missing, or older than what draws it."""
    sources = [*(ROOT / "chainer_vae").rglob("*.py"), *(ROOT / "chainer_vae/models").rglob("*")]
    changed = max(file.stat().st_mtime for file in sources)
    for lang in LANGUAGES:
        missing = []
        for spec in figures.all_figures():
            file = picture(spec, lang)
            if not file.exists() or file.stat().st_mtime < changed:
                missing.append(spec)
        context = figures.Context(lang, {name: name for name in SHIPPED})
        for drawn in figures.draw_figures(missing, context, BUILD / "figures" / lang):
            if drawn.error is not None:
                raise drawn.error
            print(f"{drawn.spec.id} ({lang}): {drawn.seconds:.1f} s", flush=True)


def picture(spec: FigureSpec, lang: str) -> Path:
    """Where the picture of a figure is."""
    return BUILD / "figures" / lang / spec.file


def gallery(lang: str) -> str:
    """The page of all figures, with their captions and commands."""
    parts = [f"# {WORDS['title'][lang]}", WORDS["about"][lang]]
    for section, titles in SECTIONS.items():
        parts.append(f"## {titles[lang]}")
        for spec in figures.all_figures():
            if spec.section == section:
                parts.append(gallery_entry(spec, lang))
    return "\n\n".join(parts) + "\n"


def gallery_entry(spec: FigureSpec, lang: str) -> str:
    file = picture(spec, lang)
    with Image.open(file) as image:
        scale = 1 if spec.animated else DPI / 100
        width, height = (round(pixels / scale) for pixels in image.size)
    caption = re.sub(r"([\\`*_\[\]<>$])", r"\\\1", spec.caption[lang])
    notes = []
    if spec.numbers:
        notes.append(f"{WORDS['figure'][lang]} {', '.join(map(str, spec.numbers))}")
    if spec.original:
        notes.append(f"{WORDS['original'][lang]}: {spec.original}")
    command = f"chainer-vae figures --only {spec.id}" + ("" if lang == "en" else f" --lang {lang}")
    return "\n".join(
        [
            f":::{{figure}} figures/{spec.file}",
            f":name: {spec.id}",
            f":alt: {spec.caption[lang]}",
            f":width: {width}",
            f":height: {height}",
            ":loading: lazy",
            "",
            caption,
            "",
            *([" · ".join(notes), ""] if notes else []),
            "```sh",
            command,
            "```",
            ":::",
        ]
    )


def with_links(text: str, lang: str, source: Path) -> str:
    """A guide whose links to files of the repository lead somewhere on the site.

    Args:
        text: The guide, in Markdown.
        lang: Its language.
        source: The folder that Sphinx reads, for pictures.
    """

    def replaced(link: re.Match[str]) -> str:
        image, text, path, anchor = link.groups(default="")
        file = (DOCS / lang / path).resolve().relative_to(ROOT).as_posix()
        if image:
            (source / "pictures").mkdir(exist_ok=True)
            shutil.copy(ROOT / file, source / "pictures")
            return f"![{text}](pictures/{Path(file).name})"
        lesson = LESSON.fullmatch(file)
        guide = re.fullmatch(r"docs/(en|ja)/(.*)\.md", file)
        if lesson and lesson[2] == lang:
            return f"[{text}](lessons/{lesson[1]}.ipynb)"
        if lesson:
            address = f"../{lesson[2]}/lessons/{lesson[1]}.html"
        elif guide:
            address = f"../{guide[1]}/{guide[2]}.html"
        elif file == "results/explorer.html":
            address = f"../explorer.html#{lang}"
        elif ADDRESS.startswith("https:"):
            return f"[{text}]({ADDRESS}/blob/main/{file}{anchor})"
        elif text.strip("`") in (file, Path(file).name):
            return text
        else:
            return f"{text} (`{file}`)"
        return f'<a href="{address}">{text}</a>'

    return LINK.sub(replaced, text)


def notebook_with_links(text: str) -> str:
    """A notebook, as JSON, with its links to lessons, guides and the explorer as on the site."""
    text = TO_LESSON.sub(r"](\1.ipynb)", text)
    text = TO_GUIDE.sub(r"](../\1.md)", text)
    return TO_EXPLORER.sub(r'<a href=\\"../../explorer.html\2\\">\1</a>', text)


def put_together(lang: str) -> Path:
    """The folder that Sphinx reads for one language."""
    source = BUILD / lang
    shutil.rmtree(source, ignore_errors=True)
    (source / "lessons").mkdir(parents=True)
    (source / "figures").mkdir()
    for guide in (DOCS / lang).glob("*.md"):
        text = with_links(guide.read_text(encoding="utf-8"), lang, source)
        (source / guide.name).write_text(text, encoding="utf-8")
    for notebook in (ROOT / "notebooks").glob(f"*_{lang}.ipynb"):
        name = notebook.name.replace(f"_{lang}.ipynb", ".ipynb")
        text = notebook_with_links(notebook.read_text(encoding="utf-8"))
        # In titles, which stand beside other pages too, letters rather than formulas.
        text = TITLE.sub(lambda title: re.sub(r"\$(\w)\$", r"*\1*", title[0]), text, count=1)
        (source / "lessons" / name).write_text(text, encoding="utf-8")
    for spec in figures.all_figures():
        shutil.copy(picture(spec, lang), source / "figures")
    (source / "gallery.md").write_text(gallery(lang), encoding="utf-8")
    shutil.copytree(DOCS / "locale", source / "locale")
    return source


def run_sphinx(lang: str, source: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    command: list[Union[str, Path]] = [
        sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--keep-going",
        "--quiet", "--fresh-env", "--conf-dir", DOCS, "--doctree-dir", BUILD / f"doctrees-{lang}",
        "--define", f"language={lang}", source, out,
    ]  # fmt: skip
    subprocess.run(command, check=True)
    for notebook in (source / "lessons").iterdir():
        shutil.copy(notebook, out / "lessons")  # to download


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="folder to write (site)")
    out = parser.parse_args().out
    started = time.monotonic()
    draw_figures()
    for lang in LANGUAGES:
        try:
            run_sphinx(lang, put_together(lang), out / lang)
        except subprocess.CalledProcessError:
            return 1  # Sphinx has said why
    shutil.copy(DOCS / "index.html", out)
    shutil.copy(ROOT / "results" / "explorer.html", out)
    found = check(out)
    print(f"{out / 'index.html'}: {found.pages} pages, {found.links} links,", end=" ")
    print(f"{time.monotonic() - started:.0f} s; links lead to {', '.join(found.hosts)}")
    for fault in found.faults:
        print(fault, file=sys.stderr)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
