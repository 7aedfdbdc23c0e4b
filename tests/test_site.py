"""The site: its links, and its pages in a real Chromium, opened from a folder."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import build_site
import check_site
import numpy as np
import pytest

import chainer_vae
from chainer_vae import figures

ROOT = Path(__file__).parent.parent
LANGUAGES = ("en", "ja")
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DESKTOP = dict(viewport=dict(width=1280, height=800))
PHONE = dict(viewport=dict(width=390, height=844), is_mobile=True, has_touch=True)
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The built site; the figures that it shows are drawn only if they are not there yet."""
    for name in ("sphinx", "furo", "myst_nb", "sphinx-mathjax-offline"):
        if importlib.util.find_spec(name) is None:
            reason = f"{name} is not installed: pip install the extra 'site'"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    out = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "scripts/build_site.py", "--out", out],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONWARNINGS": ""},  # Sphinx's own; those about the pages are errors
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    return out


@pytest.fixture
def visit(browser, site):
    """A function that opens a page of the site; what no page may do then fails the test."""
    faults = []
    contexts = []

    def requested(request):
        if not request.url.startswith((site.as_uri(), "data:", "blob:")):
            faults.append(f"request: {request.url}")

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # by going on to the next page
            faults.append(f"{request.failure}: {request.url}")

    def said(message):
        # Advice for the test, which reads a canvas back.
        if "willReadFrequently" not in message.text:
            faults.append(f"{message.page.url}: {message.text}")

    def open_page(name, **options):
        contexts.append(browser.new_context(**{"locale": "en-US", **options}, offline=True))
        page = contexts[-1].new_page()
        page.on("console", said)
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        page.on("request", requested)
        page.on("requestfailed", failed)
        page.goto(f"{site.as_uri()}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_the_link_check_finds(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="b.html#there">b</a><a href="#here">')
    (tmp_path / "b.html").write_text('<h1 id="there"><a href="https://example.org/">e</a>')
    assert check_site.check(tmp_path) == (2, 3, ["example.org"], [])
    for bad, reason in (
        ('<a href="c.html">', "c.html leads to no file"),
        ('<a href="b.html#here">', "b.html#here leads to no anchor"),
        ('<a href="#there">', "#there leads to no anchor"),
        ('<a href="/etc/hosts">', "/etc/hosts leads to no file of the site"),
        ('<img src="c.png">', "c.png leads to no file"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
    ):
        (tmp_path / "c1.html").write_text(bad)
        (fault,) = check_site.check(tmp_path).faults
        assert reason in fault


@pytest.mark.parametrize(
    ("link", "expected", "published"),
    [
        ("[a guide](install.md#uv)", "[a guide](install.md#uv)", None),
        ("[`cli`](../../chainer_vae/cli)", "`cli`", "[`cli`](A/blob/main/chainer_vae/cli)"),
        ("[so](../../README.md#r)", "so (`README.md`)", "[so](A/blob/main/README.md#r)"),
        ("[1](../../notebooks/01_x_en.ipynb)", "[1](lessons/01_x.ipynb)", None),
        ("[1](../../notebooks/01_x_ja.ipynb)", '<a href="../ja/lessons/01_x.html">1</a>', None),
        ("[ja](../ja/gpu.md)", '<a href="../ja/gpu.html">ja</a>', None),
        ("[it](../../results/explorer.html)", '<a href="../explorer.html#en">it</a>', None),
        ("![it](../../results/explorer.png)", "![it](pictures/explorer.png)", None),
    ],
)
def test_links_of_guides(link, expected, published, tmp_path, monkeypatch):
    monkeypatch.setattr(build_site, "ADDRESS", "unknown")
    assert build_site.with_links(f"x {link}.", "en", tmp_path) == f"x {expected}."
    monkeypatch.setattr(build_site, "ADDRESS", "https://example.org/a")
    found = build_site.with_links(link, "en", tmp_path)
    assert found == (published or expected).replace("(A/", "(https://example.org/a/")


def test_links_of_notebooks():
    """In JSON, where a quotation mark has a backslash."""
    text = (
        "[a](02_x_ja.ipynb), [b](../docs/ja/gpu.md), [$c$](../results/explorer.html#tab=d&lang=ja)"
    )
    notebook = json.dumps({"cells": [{"source": [text]}]}, indent=1)
    (cell,) = json.loads(build_site.notebook_with_links(notebook))["cells"]
    assert cell["source"] == [
        '[a](02_x.ipynb), [b](../gpu.md), <a href="../../explorer.html#tab=d&lang=ja">$c$</a>'
    ]


@pytest.mark.slow
class TestFiles:
    def test_every_link_leads_somewhere(self, site):
        found = check_site.check(site)
        assert found.faults == []
        assert found.pages > 40 and found.links > 3000 and "qiita.com" in found.hosts

    def test_both_languages_have_the_same_pages(self, site):
        english, japanese = (
            {file.relative_to(site / lang) for file in (site / lang).rglob("*.html")}
            for lang in LANGUAGES
        )
        assert english == japanese
        names = {file.as_posix() for file in english}
        guides = {f"{file.stem}.html" for file in (ROOT / "docs" / "en").glob("*.md")}
        assert names > guides and len(guides) >= 13

    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_every_name_has_an_entry(self, site, lang):
        text = (site / lang / "api.html").read_text(encoding="utf-8")
        documented = set(re.findall(r'<dt [^>]*id="chainer_vae\.([^"]+)"', text))
        assert documented >= set(chainer_vae.__all__)
        assert documented >= {f"latent.{name}" for name in ("decode", "interpolate", "grid")}
        assert documented >= {"graph.dump", "projector.write_projector", "explorer.write_page"}
        assert documented >= {"figures.all_figures", "figures.draw_figures", "figures.Context"}
        assert "system-message" not in text and "problematic" not in text

    @pytest.mark.parametrize("notebook", LESSONS, ids=lambda file: file.stem)
    def test_lessons_have_their_outputs(self, site, notebook):
        name, lang = notebook.stem.rsplit("_", 1)
        text = (site / lang / "lessons" / f"{name}.html").read_text(encoding="utf-8")
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", ())]
        pictures = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(re.findall(r'<img [^>]*src="\.\./_images/', text)) == len(pictures) > 3
        shown = re.sub(r"<[^>]*>", "", text)
        for output in outputs:
            if output["output_type"] == "stream":
                first = "".join(output["text"]).splitlines()[0]
                assert (
                    first.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in shown
                )
        assert (site / lang / "lessons" / f"{name}.ipynb").is_file()

    def test_there_are_fourteen_lessons(self):
        assert len(LESSONS) == 14


@pytest.mark.slow
class TestFirstPage:
    @pytest.mark.parametrize("lang", LANGUAGES)
    @SIZES
    def test_the_explorer_runs(self, visit, size, lang):
        """In the page's language, whatever the browser's is."""
        page = visit(f"{lang}/index.html", **size)
        frame = page.frames[1]
        wait_until(lambda: frame.evaluate("window.explorer !== undefined"))
        assert frame.evaluate("document.documentElement.lang") == lang
        width = page.locator("iframe.explorer").bounding_box()["width"]
        available = page.locator("article").bounding_box()["width"]
        assert width == available > 0.68 * size["viewport"]["width"]
        colours = frame.evaluate(
            "() => new Set(new Uint32Array(document.querySelector('#plane canvas')"
            ".getContext('2d').getImageData(0, 0, 300, 300).data.buffer)).size"
        )
        assert colours > 50  # the test images' points

        canvas = frame.locator("#plane canvas.over")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        place = dict(x=0.7 * box["width"], y=0.3 * box["height"])
        (canvas.tap if size is PHONE else canvas.click)(position=place)
        read = (
            "() => { const z = Array.from(window.explorer.plane.z); return [z,"
            " Array.from(window.explorer.decode(z)), Array.from(document.querySelector('#decoded')"
            ".getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0)]; }"
        )
        wait_until(lambda: min(frame.evaluate(read)[0]) > 0.3)
        page.wait_for_timeout(200)
        _, decoded, shown = frame.evaluate(read)
        np.testing.assert_allclose(shown, 255 * np.array(decoded), atol=0.56)
        assert max(shown) > 200

    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_the_doors(self, visit, lang):
        page = visit(f"{lang}/index.html", **DESKTOP)
        doors = page.locator(".door > p:first-child a")
        names = [door.get_attribute("href") for door in doors.all()]
        assert names == ["explorer.html", "reproduce.html", "old-programs.html"]
        with page.context.expect_page() as opened:
            page.locator('article > section > p > a[target="_blank"]').click()
        opened.value.wait_for_url("**/explorer.html*")
        wait_until(lambda: opened.value.evaluate("window.explorer !== undefined"))
        assert opened.value.evaluate("document.documentElement.lang") == lang

    @pytest.mark.parametrize(
        ("locale", "lang"), [("ja-JP", "ja"), ("en-GB", "en"), ("fr-FR", "en")]
    )
    def test_the_root_leads_to_the_reader_s_language(self, visit, locale, lang):
        page = visit("index.html", locale=locale)
        page.wait_for_url(f"**/{lang}/index.html")

    def test_the_root_without_scripts(self, visit):
        page = visit("index.html", java_script_enabled=False)
        page.click("text=日本語")
        page.wait_for_url("**/ja/index.html")


@pytest.mark.slow
class TestPages:
    @SIZES
    def test_none_scrolls_sideways(self, site, visit, size):
        names = [file.relative_to(site).as_posix() for file in site.glob("??/**/*.html")]
        page = visit(names[0], **size)
        wide = []
        for name in names:
            page.goto(f"{site.as_uri()}/{name}")
            if page.locator(".math").count():
                wait_until(lambda: page.locator("mjx-container svg").count())
            if page.evaluate("document.documentElement.scrollWidth") > size["viewport"]["width"]:
                wide.append(name)
        assert wide == []

    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_formulas_are_typeset(self, visit, lang):
        page = visit(f"{lang}/lessons/03_theory_in_numbers.html", **DESKTOP)
        wanted = page.locator("span.math, div.math").count()
        assert wanted > 100
        wait_until(lambda: page.locator(".math > mjx-container > svg").count() == wanted)
        assert page.locator("mjx-merror, [data-mml-node=merror]").count() == 0

    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_the_gallery(self, visit, lang):
        page = visit(f"{lang}/gallery.html", **DESKTOP)
        specs = figures.all_figures()
        assert page.locator("figure").count() == len(specs) == 34
        page.evaluate("document.querySelectorAll('img').forEach((img) => (img.loading = 'eager'))")
        loaded = "Array.from(document.images).filter((img) => img.naturalWidth > 100).length"
        wait_until(lambda: page.evaluate(loaded) >= len(specs))
        for spec in specs:
            figure = page.locator(f"figure#{spec.id}")
            assert figure.locator("img").count() == 1
            assert (
                figure.locator(".caption-text").inner_text().replace("’", "'") == spec.caption[lang]
            )
            command = figure.locator("pre").inner_text().strip()
            assert command.startswith(f"chainer-vae figures --only {spec.id}")
            assert command.endswith("--lang ja") == (lang == "ja")

    @pytest.mark.parametrize(
        ("lang", "query", "found"),
        [
            ("en", "reparameterization", "04_backpropagation_by_hand"),
            ("en", "write_projector", "api"),
            ("ja", "潜在変数", "01_autoencoder_and_vae"),
            ("ja", "誤差逆伝播", "04_backpropagation_by_hand"),
            ("ja", "図", "gallery"),
        ],
    )
    def test_search(self, visit, lang, query, found):
        page = visit(f"{lang}/index.html", **DESKTOP)
        page.fill("input[name=q]", query)
        page.press("input[name=q]", "Enter")
        page.wait_for_url("**/search.html?*")
        results = page.locator("ul.search > li > a")
        wait_until(lambda: results.count() and page.locator(".search-summary").inner_text())
        wait_until(lambda: any(found in a.get_attribute("href") for a in results.all()))
        page.locator(f'ul.search > li > a[href*="{found}"]').first.click()
        page.wait_for_url(f"**/{found}.html*")
        assert query in page.locator("article").inner_text()

    def test_a_word_that_is_nowhere(self, visit):
        page = visit("ja/search.html?q=在潜数変", **DESKTOP)
        wait_until(lambda: page.locator(".search-summary").inner_text())
        assert page.locator("ul.search > li").count() == 0

    @SIZES
    def test_the_switch_of_languages(self, visit, size):
        page = visit("ja/lessons/02_model_in_chainer.html", **size)
        page.click(".languages >> text=English")
        page.wait_for_url("**/en/lessons/02_model_in_chainer.html")
        page.click(".languages >> text=日本語")
        page.wait_for_url("**/ja/lessons/02_model_in_chainer.html")
