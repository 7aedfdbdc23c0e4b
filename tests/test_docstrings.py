"""The API is documented, and the examples in docstrings run and give what they show."""

import doctest
import functools
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import chainer_vae

PACKAGE = Path(chainer_vae.__file__).parent
API = [
    "chainer_vae",
    "chainer_vae.compat",
    "chainer_vae.compat.patch",
    "chainer_vae.datasets",
    "chainer_vae.evaluation",
    "chainer_vae.explorer",
    "chainer_vae.exports.latents",
    "chainer_vae.exports.onnx_graphs",
    "chainer_vae.exports.parameters",
    "chainer_vae.exports.pytorch",
    "chainer_vae.figures",
    "chainer_vae.graph",
    "chainer_vae.latent",
    "chainer_vae.likelihood",
    "chainer_vae.posterior",
    "chainer_vae.projector",
    "chainer_vae.runs",
    "chainer_vae.tensorboard",
]
WITH_EXAMPLES = [
    "chainer_vae." + ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
    for file in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in file.read_text(encoding="utf-8")
]
SLOW = ["chainer_vae.explorer.page"]
METHODS = (classmethod, staticmethod, property, functools.cached_property)


def public_names():
    """The functions and classes of the API, and the classes' methods: (class or None, function)."""
    found = {}
    for module in map(importlib.import_module, API):
        for name in getattr(module, "__all__", vars(module)):
            thing = getattr(module, name)
            ours = hasattr(module, "__all__") or getattr(thing, "__module__", "") == module.__name__
            if name.startswith("_") or not ours:
                continue
            if inspect.isfunction(thing):
                found[f"{thing.__module__}.{name}"] = None, thing
            elif inspect.isclass(thing):
                found[f"{thing.__module__}.{name}"] = None, thing
                found.update(methods(thing))
    return found


def methods(cls):
    found = {}
    for base in cls.__mro__:
        if not base.__module__.startswith("chainer_vae"):
            continue
        for name, member in vars(base).items():
            public = not name.startswith("_") or name == "__call__"
            if public and (inspect.isfunction(member) or isinstance(member, METHODS)):
                found.setdefault(f"{cls.__module__}.{cls.__name__}.{name}", (cls, member))
    return found


PUBLIC = public_names()


def function_of(member):
    """The function in a method or a property."""
    for name in ("__func__", "fget", "func"):
        member = getattr(member, name, member)
    return member


def section(thing, *headings):
    """What stands below these headings of a docstring, without its indentation."""
    text = inspect.cleandoc(function_of(thing).__doc__) + "\n"
    pattern = rf"^(?:{'|'.join(headings)}):\n((?:    .*\n|\n)+)"
    return "".join(map(textwrap.dedent, re.findall(pattern, text, re.MULTILINE)))


def entries(thing, *headings):
    """What a section has entries for: ``name: ...`` or ``name (type): ...``."""
    return re.findall(r"^(\w+)(?: \(.*\))?: ", section(thing, *headings), re.MULTILINE)


def parameters(thing):
    if inspect.isclass(thing):
        return [] if issubclass(thing, Exception) else list(inspect.signature(thing).parameters)
    names = inspect.signature(function_of(thing)).parameters
    return [name for name in names if name not in ("self", "cls")]


def test_the_api_has_what_users_call():
    for name in (
        "chainer_vae.model.VAE.encode",
        "chainer_vae.model.Autoencoder.__call__",
        "chainer_vae.evaluation.evaluate",
        "chainer_vae.latent.interpolate",
        "chainer_vae.runs.run.Run.resume",
        "chainer_vae.runs.run.Run.steps_done",
        "chainer_vae.figures.registry.Context.mnist",
        "chainer_vae.compat.patch.Patch",
    ):
        assert name in PUBLIC
    assert not [name for name in PUBLIC if not name.startswith("chainer_vae.")]


@pytest.mark.parametrize("name", PUBLIC)
def test_documented(name):
    _, thing = PUBLIC[name]
    function = function_of(thing)
    # A NamedTuple without a docstring has one like "Dataset(train_images, ...)".
    assert function.__doc__ and not function.__doc__.startswith(f"{function.__name__}(")
    summary = inspect.cleandoc(function.__doc__).split("\n\n")[0]
    assert summary[0].isupper() and summary[-1] in ".:" and "\n" not in summary

    documented = entries(thing, "Args", "Attributes")
    assert [p for p in parameters(thing) if p not in documented] == []
    assert [p for p in entries(thing, "Args") if p not in parameters(thing)] == []

    if not inspect.isclass(thing) and not isinstance(thing, (property, functools.cached_property)):
        returns = inspect.signature(function).return_annotation not in (None, "None")
        assert bool(section(thing, "Returns", "Yields")) == returns

    starts = [function]
    if inspect.isclass(thing):
        starts = [vars(thing).get("__init__"), vars(thing).get("__post_init__")]
    for start in starts:
        # A dataclass's constructor has no source.
        if start is not None and start.__code__.co_filename.endswith(".py"):
            source = inspect.getsource(start)
            caught = "".join(re.findall(r"\bexcept .*:", source))
            raised = re.findall(r"\braise (\w+)\(", source)
            missing = [error for error in raised if error not in section(thing, "Raises")]
            assert [error for error in missing if error not in caught] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_has_an_example(name):
    """Its own, or, of a method, a line in its class's."""
    cls, thing = PUBLIC[name]
    shown = ">>> " in section(thing, "Example")
    if cls is not None and not shown:
        method = name.split(".")[-1]
        called = r"\w\(" if method == "__call__" else rf"\.{method}\b"
        shown = re.search(rf"^(?:>>>|\.\.\.) .*{called}", section(cls, "Example"), re.MULTILINE)
    assert shown


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in WITH_EXAMPLES]
)
def test_examples(name, tmp_path, monkeypatch):
    """Each by itself, with what it imports and nothing else."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), globs={})
    assert result.attempted > 0 and result.failed == 0
