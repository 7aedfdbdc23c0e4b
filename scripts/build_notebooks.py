#!/usr/bin/env python
"""Make the notebooks from the lessons, and run them.

    python scripts/build_notebooks.py [01 02 ...]

A lesson, ``notebooks/lessons/NN_name.py``, holds both languages, so that they cannot drift apart.
It is a Python file in cells, as Jupytext's percent format has them:

    # %% [markdown] lang="ja"       text in Japanese, and after it the same in English
    # %% [markdown] lang="en"
    # %%                            code, for both
    # %% tags=["parameters"] small={"epochs": 1}     the settings, and those for a quick try

In code, ⟦日本語|English⟧ stands for one of the two: in comments, labels and printed text. In text,
(lesson:02) leads to a lesson, (guide:gpu) to a guide, and (explorer:tab=draw) to a state of the
explorer, in the language of the notebook.
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Optional

import jupytext
import nbformat
from nbclient import NotebookClient

from chainer_vae import __version__

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LANGUAGES = ("ja", "en")
FOR_RUFF = re.compile(r"\n*# isort: split\n*")  # keeps the import of chainer_vae first
CHOICE = re.compile(r"⟦([^⟦|⟧]*)\|([^⟦|⟧]*)⟧")
LINK = re.compile(r"\]\((lesson|guide|explorer):([^)]*)\)")
TIMEOUT = 600  # seconds for a cell

ADDRESS = "REPOSITORY"  # of the repository, once it has one
# Google Colab has all that the package needs but the package and Chainer.
INSTALL = f"""\
# ⟦Google Colabなど、chainer-vaeが入っていない環境では、これでインストールする。|\
On Google Colab, and wherever chainer-vae is not installed yet, this installs it.⟧
import importlib.util

if importlib.util.find_spec("chainer_vae") is None:
    %pip install -q --find-links {ADDRESS}/releases/expanded_assets/v{__version__} chainer-vae"""


def lessons() -> list[Path]:
    """The files of the lessons, in their order."""
    return sorted((NOTEBOOKS / "lessons").glob("[0-9][0-9]_*.py"))


def in_language(text: str, lang: str) -> str:
    """``text`` with one of the two for each ⟦...|...⟧."""
    return CHOICE.sub(lambda choice: choice[1 + LANGUAGES.index(lang)], text)


def with_links(text: str, lang: str) -> str:
    """``text`` with the addresses of other lessons, guides and states of the explorer."""

    def address(link: re.Match[str]) -> str:
        kind, name = link.groups()
        if kind == "lesson":
            (lesson,) = (file for file in lessons() if file.name.startswith(f"{name}_"))
            return f"]({path_of(lesson, lang).name})"
        if kind == "guide":
            return f"](../docs/{lang}/{name}.md)"
        return f"](../results/explorer.html#{name}&lang={lang})"

    return LINK.sub(address, text)


def build(lesson: Path, lang: str, small: bool = False) -> Any:
    """The notebook of a lesson in a language, not run.

    Args:
        lesson: Its file.
        lang: One of LANGUAGES.
        small: Whether to take the settings for a quick try.
    """
    source = jupytext.read(lesson, fmt="py:percent")
    cells = []
    for cell in source.cells:
        if cell.metadata.get("lang", lang) != lang:
            continue
        text = cell.source.strip("\n")
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(with_links(text, lang)))
        else:
            if small and "parameters" in tags:
                settings = cell.metadata["small"]
                text += "".join(f"\n{name} = {value!r}" for name, value in settings.items())
            text = FOR_RUFF.sub("\n", in_language(text, lang))
            cells.append(nbformat.v4.new_code_cell(text))
        if tags:
            cells[-1].metadata["tags"] = list(tags)
    cells.insert(1, nbformat.v4.new_code_cell(in_language(INSTALL, lang)))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02}"  # the same each time
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def run(notebook: Any, before: Optional[str] = None) -> None:
    """Run a notebook from a clean state, in an empty folder; its outputs are put into it.

    Args:
        notebook: What :func:`build` made.
        before: Code to run before the first cell, which leaves no trace.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails.
    """
    if before is not None:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(before))
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=TIMEOUT,
            resources={"metadata": {"path": folder}},
            record_timing=False,
            coalesce_streams=True,  # a cell's printed lines in one piece
        ).execute()
    if before is not None:
        del notebook.cells[0]
    notebook.metadata["language_info"] = {"name": "python"}
    number = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = number


def path_of(lesson: Path, lang: str) -> Path:
    """Where the notebook of a lesson is."""
    return NOTEBOOKS / f"{lesson.stem}_{lang}.ipynb"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lesson", nargs="*", metavar="NN", help="the numbers of lessons (all)")
    args = parser.parse_args()
    chosen = [file for file in lessons() if not args.lesson or file.name[:2] in args.lesson]
    for lesson in chosen:
        for lang in LANGUAGES:
            notebook = build(lesson, lang)
            started = time.perf_counter()
            run(notebook)
            file = path_of(lesson, lang)
            nbformat.write(notebook, file)
            seconds, size = time.perf_counter() - started, file.stat().st_size
            print(f"{file.name}: {seconds:.0f} s, {size / 1e6:.2f} MB", flush=True)
    return 0 if chosen else 2


if __name__ == "__main__":
    sys.exit(main())
