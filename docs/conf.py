"""Sphinx's settings for the site, the same for both languages; scripts/build_site.py builds it."""

import importlib.util
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

import chainer_vae

# Of the repository, once it has one; scripts/build_site.py reads it, too.
address = "REPOSITORY"

project = "chainer-vae"
version = release = chainer_vae.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
locale_dirs = ["locale"]
templates_path = ["_templates"]

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
highlight_language = "text"  # formulas in docstrings
nb_execution_mode = "off"  # the notebooks hold their outputs
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source", ("Yields", "returns_style")]
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"chainer-vae {version}"
html_copy_source = False
html_show_copyright = False
html_css_files = ["site.css"]
html_js_files = [("site.js", {"priority": 900})]  # after the translations
html_theme_options = {"top_of_page_buttons": []}
if address.startswith("https:"):
    link = {"name": "Repository", "url": address, "html": "Repository", "class": ""}
    html_theme_options["footer_icons"] = [link]
# MathJax 3 in one file: the site works without a network. The package holds it unchanged.
_mathjax = importlib.util.find_spec("sphinx-mathjax-offline")
assert _mathjax is not None and _mathjax.origin is not None
html_static_path = [
    "_static",
    str(Path(_mathjax.origin).parent / "static" / "mathjax" / "tex-svg.js"),
]
mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}  # its menu would load more files


class JapaneseSearch(SearchLanguage):
    """Japanese text as single letters and pairs of them, in the index and in a query.

    Sphinx's own cuts the text into words but not the query, and so never finds a compound.
    """

    lang = "ja"
    language_name = "Japanese"
    js_splitter_code = r"""
function splitQuery(query) {
  const terms = [];
  for (const [run] of query.matchAll(/[a-z0-9_]+|(?:(?![a-z0-9_])[\p{Letter}\p{Number}])+/giu)) {
    const letters = [...run];
    if (/[a-z0-9_]/i.test(run) || letters.length === 1) terms.push(run);
    else letters.slice(1).forEach((letter, i) => terms.push(letters[i] + letter));
  }
  return terms;
}
"""

    def split(self, input: str) -> list[str]:
        terms = []
        for run in re.findall(r"[a-zA-Z0-9_]+|[^\Wa-zA-Z0-9_]+", input):
            if run.isascii():
                terms.append(run)
            else:
                terms += [*run, *map("".join, zip(run, run[1:]))]
        return terms

    def word_filter(self, word: str) -> bool:
        return not word.isdigit()  # older versions of Sphinx left out pairs of hiragana


def japanese_lines(app: Sphinx, document: nodes.document) -> None:
    """Join lines of Japanese: the end of a line is no space."""
    if app.config.language != "ja":
        return
    for element in document.findall(nodes.TextElement):
        parts = element.children
        for before, end, after in list(zip(parts, parts[1:], parts[2:])):
            if end == "\n" and not (before.astext()[-1:] + after.astext()[:1]).isascii():
                element.children = [part for part in element.children if part is not end]


def setup(app: Sphinx) -> None:
    app.add_search_language(JapaneseSearch)
    app.connect("doctree-read", japanese_lines)
