"""The lessons: both languages in step, their notebooks, and every cell and solution run."""

import ast
import importlib
import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest

# They may lack where only a GPU is to be checked (scripts/gpu_check.py).
jupytext = pytest.importorskip("jupytext", reason="Jupytext is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("nbclient", reason="nbclient is not installed")
builder = importlib.import_module("build_notebooks")  # of scripts

ROOT = Path(__file__).resolve().parent.parent
LESSONS = builder.lessons()
BOTH = [(lesson, lang) for lesson in LESSONS for lang in builder.LANGUAGES]
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龥]")
SOLUTION = re.compile(r"<details>.*?</details>", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
# A lesson that asks for something outside this machine fails: a kernel's own sockets are not
# Python's.
NO_NETWORK = """
import socket
def _refuse(self, address):
    raise AssertionError(f"a lesson connects to {address}")
socket.socket.connect = socket.socket.connect_ex = _refuse
"""
# Only for what a lesson runs: Jupyter warns of itself.
WARNINGS_ARE_ERRORS = """
import warnings
warnings.filterwarnings("error", module=r"(__main__|chainer|chainer_vae)\\b")
"""

ids = [f"{lesson.stem}-{lang}" for lesson, lang in BOTH]
for_each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda file: file.stem)
for_each_notebook = pytest.mark.parametrize(("lesson", "lang"), BOTH, ids=ids)


def texts_of(lesson, lang):
    """The Markdown cells of a language."""
    cells = jupytext.read(lesson, fmt="py:percent").cells
    return [cell.source for cell in cells if cell.metadata.get("lang") == lang]


def shape(text):
    """What a text and its translation have in common."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {
        "headings": [len(level) for level in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "formulas": len(re.findall(r"(?<![\\$])\$\$?", prose)),
        "blocks": re.findall(r"^```(\w*)", text, re.MULTILINE),
        "items": len(re.findall(r"^\s*(?:[-*]|\d+\.) ", prose, re.MULTILINE)),
        "solutions": len(SOLUTION.findall(text)),
        "links": sorted(re.findall(r"\]\((http[^)]*)\)", prose)),
    }


def without_texts(code):
    """A program without what may be in either language: comments and strings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):  # a sentence may have its numbers in another order
            numbers = [part for part in node.values if isinstance(part, ast.FormattedValue)]
            node.values = sorted(numbers, key=ast.dump)
    return ast.dump(tree)


def test_there_are_seven():
    assert [lesson.name[:2] for lesson in LESSONS] == [f"0{number}" for number in range(7)]


@for_each_lesson
def test_languages_do_not_drift_apart(lesson):
    cells = jupytext.read(lesson, fmt="py:percent").cells
    languages = [cell.metadata.get("lang") for cell in cells if cell.cell_type == "markdown"]
    assert languages == ["ja", "en"] * (len(languages) // 2)  # one after the other
    assert all("lang" not in cell.metadata for cell in cells if cell.cell_type == "code")
    for ja, en in zip(texts_of(lesson, "ja"), texts_of(lesson, "en")):
        assert shape(ja) == shape(en), en
        assert not JAPANESE.search(re.sub("Autoencoder徹底解説", "", en)), en
        for theirs, ours in zip(PYTHON.findall(ja), PYTHON.findall(en)):
            assert without_texts(theirs) == without_texts(ours), ours


@for_each_notebook
def test_notebook_is_the_lessons(lesson, lang):
    """Whoever changes a lesson runs scripts/build_notebooks.py."""
    expected = builder.build(lesson, lang)
    found = nbformat.read(builder.path_of(lesson, lang), as_version=4)
    nbformat.validate(found)
    assert [cell.cell_type for cell in found.cells] == [cell.cell_type for cell in expected.cells]
    for cell, made in zip(found.cells, expected.cells):
        assert cell.source == made.source
        assert "⟦" not in cell.source and "⟧" not in cell.source
        if lang == "en" and cell.cell_type == "code":
            assert not JAPANESE.search(cell.source), cell.source


@for_each_notebook
def test_notebook_reads_well_without_being_run(lesson, lang):
    file = builder.path_of(lesson, lang)
    assert file.stat().st_size < 1_500_000
    notebook = nbformat.read(file, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert "%pip install" in code[0].source and code[0] is notebook.cells[1]
    outputs = [output for cell in code for output in cell.outputs]
    assert all(output.output_type != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs)  # no warnings
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    text = "".join(map(str, outputs))
    assert not re.search(r"/(root|home|tmp|work)/", text)
    if lang == "en":
        assert not JAPANESE.search(text)


@for_each_lesson
def test_lesson_has_exercises_with_hidden_solutions(lesson):
    for lang, heading in (("ja", "演習"), ("en", "Exercises")):
        texts = texts_of(lesson, lang)
        assert any(re.search(rf"^#+ .*{heading}", text, re.MULTILINE) for text in texts)
        found = [part for text in texts for part in SOLUTION.findall(text)]
        assert sum(PYTHON.search(part) is not None for part in found) >= 3
        outside = [PYTHON.search(SOLUTION.sub("", text)) for text in texts]
        assert not any(outside)  # it would not be run


OPENING = {
    "ja": ("時間", "目標", "前提", "エクスプローラー"),
    "en": ("Time", "Goals", "You need", "In the explorer"),
}
ENDING = {"ja": ("まとめ", "次に読むもの"), "en": ("Summary", "What to read next")}


@for_each_notebook
def test_lesson_says_what_it_takes_and_gives(lesson, lang):
    texts = texts_of(lesson, lang)
    for word in OPENING[lang]:
        assert re.search(rf"^- \*\*{word}\*\*", texts[0], re.MULTILINE), word
    assert "(explorer:" in texts[0]
    headings = re.findall("^## (.*)", "\n".join(texts), re.MULTILINE)
    assert [heading for heading in headings if heading in ENDING[lang]] == list(ENDING[lang])
    next_lesson = LESSONS[LESSONS.index(lesson) + 1 :][:1]
    ending = texts[-1].split(f"## {ENDING[lang][1]}")[1]
    assert all(f"(lesson:{file.name[:2]})" in ending for file in next_lesson)


@for_each_notebook
def test_links_lead_somewhere(lesson, lang):
    page = (ROOT / "chainer_vae" / "explorer" / "web" / "page.html").read_text(encoding="utf-8")
    for cell in builder.build(lesson, lang).cells:
        if cell.cell_type == "markdown":
            for link in re.findall(r"\]\(((?!http)[^)]*)\)", cell.source):
                path, _, state = link.partition("#")
                assert (builder.NOTEBOOKS / path).resolve().is_file(), link
                if state:
                    asked = parse_qs(state, strict_parsing=True)
                    assert asked.pop("lang") == [lang]
                    ids = [f"tab-{name}" for name in asked.pop("tab", ())]
                    ids += [f"{name}-section" for name in asked.pop("section", ())]
                    assert len(ids) == 1 and f'id="{ids[0]}"' in page, link
                    assert asked in ({}, {"a": ["0"], "b": ["7"]})


@for_each_notebook
def test_what_is_printed_says_what_it_is(lesson, lang):
    notebook = nbformat.read(builder.path_of(lesson, lang), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                first = output.text.splitlines()[0]
                assert re.search(r"[A-Za-z]{2}|[ぁ-んァ-ヶ一-龥]|\w\)? =", first), output.text
            elif output.output_type == "execute_result":
                raise AssertionError(cell.source)


@pytest.mark.slow
@for_each_notebook
def test_notebook_runs(lesson, lang, monkeypatch):
    """From a clean state, with settings for a quick try, and after it every solution."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("PYTHONWARNINGS")
    notebook = builder.build(lesson, lang, small=True)
    for text in texts_of(lesson, lang):
        for part in SOLUTION.findall(text):
            notebook.cells += [nbformat.v4.new_code_cell(code) for code in PYTHON.findall(part)]
    builder.run(notebook, before=NO_NETWORK + WARNINGS_ARE_ERRORS)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert all(output.get("name") != "stderr" for output in outputs)
