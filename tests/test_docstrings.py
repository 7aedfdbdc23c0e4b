"""The examples in docstrings run, and give what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

import chainer_vae

PACKAGE = Path(chainer_vae.__file__).parent
MODULES = [
    "chainer_vae." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
    for file in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0
