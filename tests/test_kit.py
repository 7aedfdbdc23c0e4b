"""The teacher's kit: its texts in both languages, and in a real Chromium what is made of them."""

import contextlib
import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from check_site import check

from chainer_vae import figures
from chainer_vae.figures import style
from chainer_vae.runs import article_log, load_log

ROOT = Path(__file__).parent.parent
TEACHING = ROOT / "teaching"
LANGUAGES = ("en", "ja")
PLANS = {"plan-50": 50, "plan-90": 90}
TEXTS = sorted(TEACHING.glob("*.md"))
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龥]")
WORDS = {"en": 30, "ja": 80}  # of a slide at most; in Japanese letters
in_both_languages = pytest.mark.parametrize("lang", LANGUAGES)
BIG = dict(viewport=dict(width=1280, height=720))


def text_of(name):
    return (TEACHING / name).read_text(encoding="utf-8")


def in_language(text, lang):
    """What of a text is for a language, and what for all."""
    (other,) = set(LANGUAGES) - {lang}
    text = re.sub(rf"\[[^\]]*\]\{{\.{other}\}}", "", text)
    text = re.sub(rf"\[([^\]]*)\]\{{\.{lang}\}}", r"\1", text)
    kept, depth, dropped = [], 0, None
    for line in text.splitlines():
        if line.strip() == ":::":
            depth -= 1
            if dropped == depth:
                dropped = None
        elif line.strip().startswith(":::"):
            if line == f"::: {other}":
                dropped = depth
            depth += 1
        elif dropped is None:
            kept.append(line)
    assert depth == 0
    return "\n".join(kept)


def slides_of(lang):
    """For each slide its ID and its text without the notes."""
    text = re.sub(r"^::: notes\n.*?^:::$", "", text_of("slides.md"), flags=re.M | re.S)
    parts = re.split(r"^# (.*) \{#([\w-]+).*\}$", text, flags=re.MULTILINE)[1:]
    whole = re.findall(r"^# .*$", text_of("slides.md"), re.MULTILINE)
    assert len(whole) == len(parts) / 3
    bodies = zip(parts[::3], parts[1::3], parts[2::3])
    return {id: in_language(f"{title}\n{body}", lang) for title, id, body in bodies}


def rows_of(plan, lang):
    """The cells of a plan's rows."""
    lines = re.findall(r"^\| \d.*$", in_language(text_of(f"{plan}.md"), lang), re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def cited(cell):
    """The slides that a cell of a plan names, a range as a whole, with the IDs that it links."""
    links = re.findall(r"\[(\d+)\]\(slides\.html#/([\w-]+)\)", cell)
    numbers = [int(number) for number, _ in links]
    return (list(range(numbers[0], numbers[-1] + 1)) if "–" in cell else numbers), links


class TestTexts:
    @pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.stem)
    def test_both_languages_have_the_same(self, file):
        shapes = []
        for lang in LANGUAGES:
            text = in_language(file.read_text(encoding="utf-8"), lang)
            shapes.append(
                {
                    "headings": re.findall(r"^#+ ", text, re.MULTILINE),
                    "items": len(re.findall(r"^(?:-|\d+\.) ", text, re.MULTILINE)),
                    "figures": re.findall(r"!\[\]\(([\w-]+)\)", text),
                    "formulas": len(re.findall(r"\$", text)),
                    "code": sorted(re.findall(r"`[^`]*`", text)),
                    "links": sorted(
                        link.replace(f"_{lang}.", ".").replace(f"#{lang}", "")
                        for link in re.findall(r"\]\(([^)]*)\)", text)
                    ),
                    "asked": len(re.findall(r"\*\*(?:Ask\.|聞く)\*\*", text)),
                }
            )
            if lang == "en":
                assert not JAPANESE.search(text.replace("Autoencoder徹底解説", ""))
        assert shapes[0] == shapes[1]

    @in_both_languages
    def test_slides_are_few_words(self, lang):
        slides = slides_of(lang)
        assert 18 <= len(slides) <= 25
        for id, text in slides.items():
            text = re.sub(r"!\[\].*|\\\w+", "", text)
            words = re.findall(r"[A-Za-z\d]+|[ぁ-んァ-ヶー一-龥]", text)
            assert 3 < len(words) <= WORDS[lang], (id, words)

    @in_both_languages
    def test_every_slide_has_something_to_ask(self, lang):
        text = in_language(text_of("slides.md"), lang)
        for slide in re.split(r"^# ", text, flags=re.MULTILINE)[1:]:
            assert ("**Ask.**" if lang == "en" else "**聞く**") in slide, slide
            assert re.search(r"\*\*(Say\.|Show\.|話す|見せる)\*\*", slide), slide

    def test_figures_are_there(self):
        ids = {spec.id for spec in figures.all_figures()}
        shown = re.findall(r"!\[\]\(([\w-]+)\)", text_of("slides.md"))
        assert len(shown) > 15 and set(shown) <= ids
        printed = set(re.findall(r'image\("([\w-]+)\.png"', text_of("handout.typ")))
        assert printed <= set(shown)  # drawn for them

    @pytest.mark.parametrize(("plan", "minutes"), PLANS.items())
    def test_plans_leave_no_minute_out(self, plan, minutes):
        rows = {lang: rows_of(plan, lang) for lang in LANGUAGES}
        assert [row[:1] for row in rows["en"]] == [row[:1] for row in rows["ja"]]
        times = [list(map(int, row[0].split("–"))) for row in rows["en"]]
        assert times[0][0] == 0 and times[-1][1] == minutes
        assert all(before[1] == after[0] for before, after in zip(times, times[1:]))
        assert all(begin < end for begin, end in times)

    @in_both_languages
    @pytest.mark.parametrize("plan", PLANS)
    def test_plans_name_slides_by_their_numbers(self, plan, lang):
        ids = list(slides_of(lang))
        named = []
        for row in rows_of(plan, lang):
            numbers, links = cited(row[1])
            named += numbers
            assert all(ids[int(number) - 1] == id for number, id in links)
        assert named == sorted(set(named))
        assert plan != "plan-90" or named == list(range(1, len(ids) + 1))

    @in_both_languages
    def test_the_explorer_has_what_the_texts_name(self, lang):
        words = (ROOT / "chainer_vae/explorer/web/text.js").read_text(encoding="utf-8")
        ja, en = words.split("\n  en: {")
        shown = {"en": en, "ja": ja}[lang]
        for plan in PLANS:
            named = {
                name for row in rows_of(plan, lang) for name in re.findall(r"\*\*(.*?)\*\*", row[2])
            }
            assert len(named) == 6
            assert [name for name in named if f'"{name}"' not in shown] == []
        notes = re.findall(
            r"\*\*(?:Show\.|見せる)\*\*(.*)", in_language(text_of("slides.md"), lang)
        )
        named = {name for line in notes for name in re.findall("[“「](.*?)[”」]", line)}
        assert len(named) == 5
        assert [name for name in named if f'"{name}"' not in shown] == []

    @in_both_languages
    def test_the_quiz_has_as_many_answers_as_questions(self, lang):
        text = text_of("quiz.md")
        part = re.search(rf"^::: {lang}\n(.*?)(?:^::: (?:en|ja)$|\Z)", text, re.M | re.S)[1]
        questions = re.split(r"^\d+\. +", part, flags=re.MULTILINE)[1:]
        assert 8 <= len(questions) <= 12
        for question in questions:
            asked, answer = re.split(r"^    ::: answer$", question, flags=re.MULTILINE)
            assert asked.count("?") + asked.count("か。") >= 1
            said, reason = re.match(r"\s*\*\*(.*?)\*\*(.*)", answer, re.DOTALL).groups()
            assert said and len(reason.strip()) > 20

    def test_numbers(self):
        """Those of the losses are the article's and the shipped model's."""
        (last,) = load_log(ROOT / "chainer_vae/models/z20/log")[-1:]
        authors = [log[100].test_loss for log in article_log.load_logs()]
        ours, *theirs = (f"{loss:.1f}" for loss in (last["validation/main/loss"], *authors))
        training = f"{last['main/loss']:.1f}"
        for lang in LANGUAGES:
            slide = slides_of(lang)["learning-curve"]
            assert re.findall(r"\d+\.\d", slide) == [ours, *theirs]
            quiz = in_language(text_of("quiz.md"), lang)
            assert training in quiz and ours in quiz

    def test_letters_of_the_handout_have_a_font(self):
        from fontTools.ttLib import TTFont
        from matplotlib import get_data_path

        fonts = [style.japanese_font(), *Path(get_data_path(), "fonts/ttf").glob("DejaVuSans.ttf")]
        letters = set().union(*(TTFont(font).getBestCmap() for font in fonts))
        assert {ord(letter) for letter in text_of("handout.typ") if letter != "\n"} <= letters


@pytest.fixture(scope="session")
def build_kit():
    """The script."""
    for name in ("pypandoc", "sphinx_revealjs", "typst", "pypdfium2", "playwright"):
        if importlib.util.find_spec(name) is None:
            reason = f"{name} is not installed: pip install the extras 'test' and 'kit'"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return importlib.import_module("build_kit")


@pytest.fixture(scope="session", params=LANGUAGES)
def kit(build_kit, request, tmp_path_factory):
    """The kit in a language, without its film, in a folder with a name."""
    folder = tmp_path_factory.mktemp("for class 授業") / request.param
    folder.mkdir()
    build_kit.build(request.param, folder)
    return SimpleNamespace(folder=folder, lang=request.param)


@pytest.fixture
def visit(browser, kit):
    """A function that opens a page of the kit, without a network."""
    faults = []
    contexts = []

    def open_page(name, **options):
        contexts.append(browser.new_context(**{**BIG, **options}, offline=True))
        page = contexts[-1].new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.goto(f"{kit.folder.as_uri()}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


# What is wrong with the slide that is shown: text or pictures beyond it, or on top of each other.
FAULTS = """() => {
  const slide = Reveal.getCurrentSlide();
  const faults = [];
  const inside = ({ left, top, right, bottom }, what) => {
    if (left < 0 || top < 0 || right > 1280 || bottom > 716) faults.push(`beyond: ${what}`);
  };
  const boxes = [];
  const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.textContent.trim() || node.parentElement.closest("aside")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      inside(box, node.textContent);
      boxes.push([box, node.textContent]);
    }
  }
  for (const image of slide.querySelectorAll("img")) {
    const box = image.getBoundingClientRect();
    inside(box, image.alt);
    if (!image.alt || !image.complete || image.naturalWidth < 100) faults.push("no picture");
    if (Math.min(box.width, box.height) < 100) faults.push(`small: ${image.alt}`);
    boxes.push([box, image.alt]);
  }
  for (const arrow of document.querySelectorAll(".controls button.enabled"))
    boxes.push([arrow.getBoundingClientRect(), "an arrow"]);
  for (const [a, first] of boxes) {
    for (const [b, second] of boxes) {
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // Lines share some of their leading, and letters of a formula overhang.
      if (first < second && width > 4 && height > 16) faults.push(`${first} on ${second}`);
    }
  }
  return faults;
}"""
# The letters that the page shows as a box, because no font has them.
MISSING = """() => {
  const drawn = (letter, font) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 60;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.font = font;
    context.fillText(letter, 5, 45);
    return context.getImageData(0, 0, 60, 60).data.join();
  };
  const missing = new Set();
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, textContent } = walker.currentNode;
    if (element.closest("script, style")) continue;
    const font = `40px ${getComputedStyle(element).fontFamily}`;
    for (const letter of textContent.replace(/[\\s\\u2061-\\u2064\\u200b]/g, "")) {
      if (seen.has(letter + font)) continue;
      seen.add(letter + font);
      if (drawn(letter, font) === drawn("\\u0378", font)) missing.add(letter);
    }
  }
  return [[...missing], seen.size];
}"""


@pytest.mark.slow
class TestKit:
    def test_every_link_and_picture_is_there(self, kit):
        found = check(kit.folder)
        assert found.faults == []
        assert found.pages == 7 and found.links > 45 and found.hosts == []
        assert {file.name for file in kit.folder.iterdir()} == {
            "explorer.html", "handout.pdf", "index.html", "notebooks", "plan-50.html",
            "plan-90.html", "quiz-answers.html", "quiz.html", "slides.html", "solutions",
        }  # fmt: skip

    def test_slides_fit(self, visit, kit, tmp_path):
        page = visit("slides.html")
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        ids = list(slides_of(kit.lang))
        assert page.evaluate("Reveal.getSlides().map((slide) => slide.id)") == ids
        for number, id in enumerate(ids):
            page.evaluate("Reveal.slide", number)
            page.wait_for_function(
                "Array.from(Reveal.getCurrentSlide().querySelectorAll('img'))"
                ".every((image) => image.complete && image.naturalWidth)"
            )
            assert page.evaluate(FAULTS) == [], id
            picture = tmp_path / f"{id}.png"
            page.screenshot(path=picture)
            assert picture.stat().st_size > 15_000  # not a blank page

    def test_a_slide_too_full_is_found(self, visit):
        page = visit("slides.html#/vae")
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        page.wait_for_function("Reveal.getCurrentSlide().querySelector('img').naturalWidth > 0")
        assert page.evaluate(FAULTS) == []
        page.evaluate("Reveal.getCurrentSlide().lastElementChild.previousElementSibling"
                      ".append('long '.repeat(300))")  # fmt: skip
        assert page.evaluate(FAULTS) != []

    @pytest.mark.parametrize("name", ["slides", "index", "plan-50", "plan-90", "quiz-answers"])
    def test_every_letter_has_a_font(self, visit, kit, name):
        missing, n = visit(f"{name}.html").evaluate(MISSING)
        assert missing == [] and n > 40
        page = visit(f"{name}.html")
        page.evaluate("document.body.append('\\u0379')")
        assert page.evaluate(MISSING)[0] == ["\u0379"]

    def test_speaker_notes(self, visit, kit):
        """They open from a file, too, and follow the slides."""
        page = visit("slides.html")
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        with page.expect_popup() as opened:
            page.keyboard.press("s")
        notes = opened.value.locator(".speaker-controls-notes")
        for number in (0, 3):
            page.evaluate("Reveal.slide", number)
            words = page.locator("aside.notes").nth(number).text_content().strip()[:20]
            notes.get_by_text(words).wait_for()

    def test_printed_slides_have_a_page_each(self, visit, kit):
        import pypdfium2

        page = visit("slides.html?print-pdf")
        page.wait_for_selector(".pdf-page")
        printed = page.pdf(prefer_css_page_size=True, print_background=True)
        with contextlib.closing(pypdfium2.PdfDocument(printed)) as document:
            assert len(document) == len(slides_of(kit.lang))

    @pytest.mark.parametrize("width", [1280, 390])
    def test_pages_do_not_scroll_sideways(self, visit, kit, width):
        for name in ("index", "plan-50", "plan-90", "quiz", "quiz-answers"):
            page = visit(f"{name}.html", viewport=dict(width=width, height=844))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate("document.documentElement.lang") == kit.lang

    def test_the_quiz_does_not_give_its_answers_away(self, visit, kit):
        quiz, answers = (visit(f"{name}.html") for name in ("quiz", "quiz-answers"))
        assert quiz.locator("ol > li").count() == answers.locator("ol > li").count() >= 8
        assert quiz.locator(".answer").count() == 0
        assert answers.locator("ol > li .answer").count() == answers.locator("ol > li").count()

    def test_the_printed_quiz_has_room_to_write(self, visit, kit):
        quiz, answers = (visit(f"{name}.html") for name in ("quiz", "quiz-answers"))
        assert not quiz.locator(".name").is_visible()  # on a screen
        heights = []
        for page in (quiz, answers):
            page.emulate_media(media="print")
            after = "(item) => parseFloat(getComputedStyle(item, '::after').height) || 0"
            heights.append([item.evaluate(after) for item in page.locator("ol > li").all()])
        assert quiz.locator(".name").is_visible() and not answers.locator(".name").is_visible()
        assert min(heights[0]) > 30 and max(heights[1]) == 0

    def test_the_handout_is_one_page(self, kit):
        import pypdfium2

        with contextlib.closing(pypdfium2.PdfDocument(kit.folder / "handout.pdf")) as document:
            assert len(document) == 1
            (page,) = document
            assert page.get_size() == pytest.approx((595.3, 841.9), abs=0.1)  # A4
            text = page.get_textpage().get_text_range()
            pictures = [item for item in page.get_objects() if item.type == 3]
            picture = np.asarray(page.render(scale=1).to_pil().convert("L"))
        expected = {"en": "Reconstruction error", "ja": "再構成誤差"}[kit.lang]
        assert expected in text and "CC BY-SA 3.0" in text
        assert len(pictures) == 2
        assert (picture[:, -30:] == 255).all()  # nothing in the margin

    def test_notebooks_are_open(self, kit, build_kit):
        for lesson in build_kit.build_notebooks.lessons():
            name = build_kit.build_notebooks.path_of(lesson, kit.lang).name
            student, solved = (
                build_kit.nbformat.read(kit.folder / folder / name, as_version=4)
                for folder in ("notebooks", "solutions")
            )
            for notebook in (student, solved):
                build_kit.nbformat.validate(notebook)
                text = "\n".join(cell.source for cell in notebook.cells)
                assert "<summary>解答例" not in text and "<summary>Solution" not in text
                assert "⟦" not in text and text.count("<details>") == text.count("</details>")
                for cell in notebook.cells:
                    assert not cell.get("outputs") and not cell.get("execution_count")
                words = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
                for link in re.findall(r"\]\(([^)\s#]*)", words):
                    assert not link or link.startswith("http") or (
                        kit.folder / "notebooks" / link
                    ).exists(), link  # fmt: skip
            lesson_itself = build_kit.build_notebooks.build(lesson, kit.lang)
            solutions = re.findall(r"```python\n(.*?)\n```", str(
                "\n".join(cell.source for cell in lesson_itself.cells)), re.DOTALL)  # fmt: skip
            code = [cell.source for cell in lesson_itself.cells if cell.cell_type == "code"]

            # The solved ones run as test_notebooks.py runs a lesson and after it its solutions.
            assert [c.source for c in solved.cells if c.cell_type == "code"] == code + solutions
            opened = [c.source for c in student.cells if c.cell_type == "code"][len(code) :]
            assert set(opened) == {build_kit.OPEN[kit.lang]} and len(opened) >= 3
            assert len(solutions) >= len(opened)

    def test_a_solved_notebook_runs(self, build_kit, kit, monkeypatch):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
        monkeypatch.delenv("PYTHONWARNINGS")
        lesson = {file.name[:2]: file for file in build_kit.build_notebooks.lessons()}["01"]
        small = build_kit.build_notebooks.build(lesson, kit.lang, small=True)
        build_kit.build_notebooks.run(build_kit.for_class(small, kit.lang, solved=True))


@pytest.mark.slow  # quick, but only `make test-all` installs the extra
def test_the_film_has_a_card_before_each_scene(build_kit):
    frames = [np.full((2, 2, 3), n, np.uint8) for n in range(100)]
    cards = [np.full((2, 2, 3), 200 + n, np.uint8) for n in range(5)]
    film = build_kit.with_cards(frames, [0, 30, 60], cards)
    assert len(film.frames) * film.duration == 60_000
    shown = [int(frame[0, 0, 0]) for frame in film.frames]
    order = [value for value, before in zip(shown, [None, *shown]) if value != before]
    expected = [200, 201, *range(30), 202, *range(30, 60), 203, *range(60, 100), 204]
    assert order == expected
    assert min(shown.count(value) for value in range(200, 205)) > 3000 / film.duration


@pytest.mark.slow
def test_the_film_lasts_a_minute(build_kit, browser, tmp_path):
    film = build_kit.film(browser, ROOT / "results" / "explorer.html", "ja")
    assert len(film.frames) * film.duration == 60_000
    assert len({frame.shape for frame in film.frames}) == 1
    build_kit.save(film, tmp_path / "film.gif")
    assert (tmp_path / "film.gif").stat().st_size < 5_000_000


@pytest.mark.slow
def test_without_a_browser_only_the_film_is_left_out(build_kit, monkeypatch, tmp_path, capsys):
    api = build_kit.playwright.sync_api

    def launch(driver):
        raise api.Error("there is no Chromium")

    def build(lang, out, browser):
        assert (lang, browser) == ("ja", None)
        (out / "index.html").write_text("the kit")

    monkeypatch.setattr(api, "sync_playwright", contextlib.nullcontext)
    monkeypatch.setattr(build_kit.record_explorer, "launch", launch)
    monkeypatch.setattr(build_kit, "build", build)
    monkeypatch.setattr(build_kit, "KIT", tmp_path / "kit")
    monkeypatch.setattr(sys, "argv", ["build_kit.py", "--lang", "ja"])
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "old.html").write_text("of another language")
    assert build_kit.main() == 2
    assert [file.name for file in (tmp_path / "kit").iterdir()] == ["index.html"]
    (tmp_path / "another").mkdir()
    assert (tmp_path / "kit").stat().st_mode == (tmp_path / "another").stat().st_mode
    captured = capsys.readouterr()
    assert "index.html" in captured.out
    assert captured.err.count("\n") == 1 and "playwright install chromium" in captured.err
