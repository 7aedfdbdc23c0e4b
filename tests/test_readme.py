"""What the READMEs and the guides say: the same in both languages, nothing that is not there.

Their numbers are held in test_claims.py.
"""

import re
from pathlib import Path

import pytest

from chainer_vae.cli import build_parsers
from chainer_vae.version import __version__

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.ja.md")
SITE = ("api.md", "index.md")  # pages of the site alone, with Sphinx's directives
GUIDES = {
    lang: sorted(path.name for path in (ROOT / "docs" / lang).glob("*.md") if path.name not in SITE)
    for lang in ("en", "ja")
}
# The same page in English and in Japanese.
PAGES = [READMES, *((f"docs/en/{name}", f"docs/ja/{name}") for name in GUIDES["en"])]
TEXTS = [name for page in PAGES for name in page if (ROOT / name).exists()]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def without_code(text):
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def test_the_guides_are_the_same_in_both_languages():
    assert len(GUIDES["en"]) >= 11 and GUIDES["en"] == GUIDES["ja"]


@pytest.mark.parametrize(("name", "lang"), list(zip(READMES, GUIDES)))
def test_readme_links_to_every_guide(name, lang):
    for guide in GUIDES[lang]:
        assert f"](docs/{lang}/{guide})" in text_of(name), guide


@pytest.mark.parametrize("name", [*TEXTS, "results/README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    text = without_code(text_of(name))
    links = re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", text) + re.findall(r'src="([^"]*)"()', text)
    local = [link for link, _ in links if link and not link.startswith("http")]
    folder = (ROOT / name).parent
    assert [link for link in local if not (folder / link).exists()] == []
    assert name not in (*READMES, "results/README.md") or len(local) > 5


def anchors(text):
    """GitHub's names of the headings."""
    found = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("name", [*TEXTS, "results/README.md"])
def test_links_to_headings(name):
    folder = (ROOT / name).parent
    for file, anchor in re.findall(r"\]\(([^)#]*)#([^)]*)\)", text_of(name)):
        if not file.startswith("http"):
            path = folder / file if file else ROOT / name
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{file}#{anchor}"


@pytest.mark.parametrize(("english", "japanese"), PAGES)
def test_headings_are_as_many_in_both_languages(english, japanese):
    levels = [
        re.findall(r"^(#+) ", without_code(text_of(name)), re.MULTILINE)
        for name in (english, japanese)
    ]
    assert levels[0] == levels[1]


def numbers_in_tables(name):
    """Of each row the numbers of two digits and more, in any order."""
    rows = re.findall(r"^\|.*\|$", text_of(name), re.MULTILINE)
    return [sorted(set(re.findall(r"\d[\d.,]*\d", row))) for row in rows]


@pytest.mark.parametrize(("english", "japanese"), PAGES)
def test_numbers_in_tables_are_the_same_in_both_languages(english, japanese):
    assert numbers_in_tables(english) == numbers_in_tables(japanese)


OPTION = r"(?<![\w-])--?[A-Za-z][\w-]*"


@pytest.mark.parametrize("lang", GUIDES)
def test_every_command_and_its_options_are_named(lang):
    guide = text_of(f"docs/{lang}/commands.md")
    _, commands = build_parsers()
    assert set(commands) >= {"train", "evaluate", "figures", "explore", "projector", "doctor"}
    for command, parser in commands.items():
        (line,) = re.findall(rf"^\| `chainer-vae {command}[` ].*$", guide, re.MULTILINE)
        named = set(re.findall(OPTION, line))
        for action in parser._actions:
            if action.option_strings and action.dest != "help":
                assert named & set(action.option_strings), (command, action.option_strings)


@pytest.mark.parametrize("lang", GUIDES)
def test_options_of_training(lang):
    """The table of them: all names of each option, its choices and its default."""
    guide = text_of(f"docs/{lang}/commands.md")
    rows = [line.split("|")[1:4] for line in re.findall(r"^\| `--.*$", guide, re.MULTILINE)]
    table = {frozenset(re.findall(OPTION, names)): (text, last) for names, text, last in rows}
    _, commands = build_parsers()
    actions = [action for action in commands["train"]._actions if action.dest != "help"]
    assert {frozenset(action.option_strings) for action in actions} == set(table)
    for action in actions:
        text, last = table[frozenset(action.option_strings)]
        assert all(f"`{choice}`" in text for choice in action.choices or ()), action.dest
        default = re.search(r"\(default: ([\w.]+)\)", action.help)
        if default and action.dest != "gpu":
            shown = default[1][:-2] if default[1].endswith(".0") else default[1]
            assert last.strip(" `") == shown, action.dest


def commands_in(name):
    """What a reader could type; but for comments and the language of labels."""
    text = text_of(name)
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(
        r"`((?:make|chainer-vae|pip|python|docker|uv|jupyter) [^`]*)`", without_code(text)
    )
    bare = [re.sub(r"(^|\s+)# .*| --lang ja| LABELS=ja", "", line).strip() for line in lines]
    return set(bare) - {""}


@pytest.mark.parametrize(("english", "japanese"), PAGES)
def test_commands_are_the_same_in_both_languages(english, japanese):
    assert commands_in(english) == commands_in(japanese)


def test_what_pip_installs_is_this_version():
    pip = rf"^pip install --find-links \S+/releases/expanded_assets/v{__version__} chainer-vae$"
    for name in (*READMES, "docs/en/install.md", "docs/ja/install.md"):
        assert re.search(pip, text_of(name), re.MULTILINE), name
    for name in TEXTS:
        for version in re.findall(r"expanded_assets/v([\d.]*\d)", text_of(name)):
            assert version == __version__, name
