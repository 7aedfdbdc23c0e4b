"""What the READMEs say: the same in both languages, and nothing that is not there."""

import json
import re
from pathlib import Path

import pytest

from chainer_vae.cli import build_parsers

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.ja.md")


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*READMES, "results/README.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name):
    text = text_of(name)
    links = re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", text) + re.findall(r'src="([^"]*)"()', text)
    local = [link for link, _ in links if link and not link.startswith("http")]
    folder = (ROOT / name).parent
    assert [link for link in local if not (folder / link).exists()] == []
    assert name == "CHANGELOG.md" or len(local) > 5


def anchors(text):
    """GitHub's names of the headings."""
    found = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("name", READMES)
def test_links_to_headings(name):
    for file, anchor in re.findall(r"\]\(([^)#]*)#([^)]*)\)", text_of(name)):
        if not file.startswith("http"):
            assert anchor in anchors(text_of(file or name)), anchor


def results_table(name):
    """The losses of each run, as README's table has them."""
    rows = re.findall(r"^\| .* \| 100 \| (.*) \|$", text_of(name), re.MULTILINE)
    return [re.findall(r"\d+\.\d{3}(?= \|)", row) for row in rows]


def test_results_are_those_recorded_and_the_same_in_both_languages():
    english, japanese = map(results_table, READMES)
    assert english == japanese and len(english) == 6
    for seed in (0, 1, 2):
        last = json.loads((ROOT / f"results/z20-seed{seed}/log").read_text())[-1]
        keys = ("main/loss", "validation/main/loss", "validation/main/rec_loss")
        assert english[seed] == [f"{last[key]:.3f}" for key in keys]


def test_times_on_a_gpu_are_those_recorded():
    import gpu_check

    recorded = json.loads((ROOT / "results/gpu/NVIDIA-H100-80GB-HBM3.json").read_text())
    readme = text_of("README.md")
    assert gpu_check.table(recorded["steps"]) in readme
    assert f"{recorded['training']['seconds']:.1f} seconds" in readme
    assert recorded["date"] in readme


def test_every_command_and_option_of_training_is_named():
    readme = text_of("README.md")
    _, commands = build_parsers()
    assert set(commands) >= {"train", "evaluate", "figures", "explore", "projector", "doctor"}
    for command in commands:
        assert f"| `chainer-vae {command}" in readme, command
    line = re.search(r"^\| `chainer-vae train` .*$", readme, re.MULTILINE)[0]
    named = set(re.findall(r"--?[A-Za-z][\w-]*", line))
    for action in commands["train"]._actions:
        assert named & set(action.option_strings) or action.dest == "help", action.option_strings


def test_commands_in_the_japanese_readme_are_in_the_english_one():
    """But for the language of labels."""
    english = text_of("README.md").replace("`", " ")
    for command in re.findall(
        r"^(?:make|chainer-vae|pip|jupyter) [^#\n]*", text_of("README.ja.md"), re.MULTILINE
    ):
        words = [word for word in command.split() if word not in ("LABELS=ja", "--lang", "ja")]
        assert " ".join(words[:2]) in english, command
