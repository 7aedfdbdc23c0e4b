"""Japanese texts: one way of setting Japanese and Latin letters side by side."""

import importlib
import re
from pathlib import Path

import pytest

from chainer_vae.figures import all_figures

jupytext = pytest.importorskip("jupytext", reason="Jupytext is not installed")
pytest.importorskip("nbclient", reason="nbclient is not installed")
builder = importlib.import_module("build_notebooks")  # of scripts

ROOT = Path(__file__).resolve().parent.parent
LETTER = "[ぁ-んァ-ヶー一-龥々]"
# Code and formulas have a space on either side; a formula in letters begins with one of these.
CODE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$|\]\([^)]*\)|<[^>]*>", re.DOTALL)
FORMULA = re.compile(
    r"\w+ = [\d.]+|\b(?:ln|log) \w+(?:\(\w+\))?|[\w−≤₁₂²]*≤[\w−≤₁₂²]*|\b[A-Za-z]_\w"
)
WORD = "(?:[A-Za-z]{2}|[0-9])"
SPACED = re.compile(f".{{0,9}}(?:{LETTER} (?={WORD})|{WORD} (?={LETTER})).{{0,9}}")


def texts():
    """Every Japanese text, by where it stands."""
    for file in (ROOT / "README.ja.md", *sorted((ROOT / "docs" / "ja").glob("*.md"))):
        yield file.name, file.read_text(encoding="utf-8")
    for spec in all_figures():
        yield spec.id, spec.caption["ja"]
    for ja, _ in builder.CHOICE.findall(builder.INSTALL):
        yield "build_notebooks.py", ja
    for lesson in builder.lessons():
        for number, cell in enumerate(jupytext.read(lesson, fmt="py:percent").cells):
            if cell.cell_type == "code":
                for ja, _ in builder.CHOICE.findall(cell.source):
                    yield f"{lesson.name}, cell {number}", ja
            elif cell.metadata["lang"] == "ja":
                yield f"{lesson.name}, cell {number}", cell.source


def spaced(text):
    """Where Japanese stands beside a Latin word or a number, with a space between."""
    return SPACED.findall(FORMULA.sub("`", CODE.sub("`", text)))


def test_no_space_between_japanese_and_latin_letters():
    assert {place: found for place, text in texts() if (found := spaced(text))} == {}


def test_what_counts_as_a_space():
    for text in ("VAE と", "の VAE", "3 枚", "第 3", "**VAE と**"):
        assert spaced(text), text
    for text in (
        "VAEと",
        "3枚",
        "`x` の",
        "$x$ の",
        "点 z の",
        "k = 10 で",
        "と ln p(x) の",
        "VAE (a)",
    ):
        assert not spaced(text), text
