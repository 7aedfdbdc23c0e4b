"""CONTRIBUTING.md: everything is where it says, and its examples work."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import test_layout
from matplotlib.figure import Figure

from chainer_vae import cli, figures
from chainer_vae.compat import numpy_patches
from chainer_vae.compat.importer import PatchingFinder
from chainer_vae.compat.patch import Patch
from chainer_vae.figures import plane, registry
from chainer_vae.figures.runner import draw

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| `(chainer_vae/[^`]+)` \| `([^`]+)` \|$", TEXT, re.MULTILINE)


def section(heading):
    return TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def example(heading):
    (code,) = re.findall(r"^```python\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL)
    return code


def test_there_are_twenty_things_and_more():
    assert len(ROWS) >= 20 and len({thing for thing, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("thing", "file", "name"), ROWS, ids=[thing for thing, _, _ in ROWS])
def test_each_thing_is_where_the_list_says(thing, file, name):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    assert any(line.strip().startswith((f"{name}(", f"{name}:", f"{name} ")) for line in lines)


def test_files_that_are_named_are_there():
    """Names of files in the tables and the text; those of a section's row share a folder."""
    for name in re.findall(r"`((?:chainer_vae|tests|scripts|notebooks)/[\w./]*)`", TEXT):
        if "prior.py" not in name:  # the example's
            assert (ROOT / name).exists(), name


def test_the_map_names_every_part_in_the_order_of_imports():
    (text,) = re.findall(r"^```\n(startup.py.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    named = [line.split()[0] for line in text.splitlines()]
    assert [re.sub(r"\.py$|/$", "", name) for name in named] == test_layout.ORDER[:-1]
    parts = {
        path.name + ("/" if path.is_dir() else "")
        for path in (ROOT / "chainer_vae").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts - set(named) == {"__init__.py", "__main__.py"}


def test_every_target_of_make_that_is_named_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([\w-]+)`", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_adding_a_figure(monkeypatch):
    others = {id: spec for id, spec in registry._REGISTRY.items() if id != "mean-histogram"}
    monkeypatch.setattr(registry, "_REGISTRY", others)
    exec(compile(example("Add a figure"), "example", "exec"), dict(vars(plane)))
    (spec,) = (spec for spec in figures.all_figures() if spec.id == "mean-histogram")
    for lang in ("en", "ja"):
        context = figures.Context(lang, {"z2": "z2", "z20": "z20"})
        picture = draw(spec, context)
        assert isinstance(picture, Figure)
        bars = picture.axes[0].patches
        assert len(bars) == 50 and sum(bar.get_height() for bar in bars) == 10_000


def test_adding_a_patch(tmp_path, monkeypatch):
    names = {**vars(numpy_patches), "numpy_from": lambda version: lambda: True}
    exec(compile(example("Add a patch"), "example", "exec"), names)
    patch = names["PATCH"]._replace(module="needs_float_power")
    assert isinstance(patch, Patch)
    module = "import numpy\ndef f(x):\n    return numpy.float_power(x, 2)\n"
    (tmp_path / "needs_float_power.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        sys, "meta_path", [PatchingFinder(("needs_float_power",), lambda: (patch,)), *sys.meta_path]
    )
    import needs_float_power

    monkeypatch.delitem(sys.modules, "needs_float_power")
    monkeypatch.delattr(np, "float_power")  # as in that NumPy
    assert needs_float_power.f([3]) == 9.0


def test_adding_a_command(monkeypatch, capsys):
    module = types.ModuleType("prior")
    exec(compile(example("Add a command"), "example", "exec"), vars(module))
    monkeypatch.setitem(cli.COMMANDS, "prior", module)
    assert cli.main(["prior", "z2"]) == 0
    found = re.fullmatch(r"mean pixel (0\.\d{3})\n", capsys.readouterr().out)
    assert 0.05 < float(found[1]) < 0.3
    assert cli.main([]) == 0
    assert module.SUMMARY in capsys.readouterr().out
