"""Imports run one way, from the command line down to the version; the map is CONTRIBUTING.md's."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "chainer_vae"

# Each may import those before it in this list; a package stands for all of its modules.
ORDER = [
    "startup",
    "version",
    "errors",
    "environment",
    "shell",
    "validation",
    "reading",
    "npz",
    "config",
    "random_numbers",
    "binarization",
    "initializers",
    "model",
    "decoders",
    "iwae",
    "formats",
    "datasets",
    "compat",
    "kernels",
    "devices",
    "graph",
    "engine",
    "evaluation",
    "likelihood",
    "posterior",
    "latent",
    "plane",
    "distributed",
    "distributed_gpu",
    "chainer_steps",
    "training",
    "runs",
    "projector",
    "exports",
    "figures",
    "tensorboard",
    "explorer",
    "cli",
    "__main__",
]
MODULES = sorted(
    file.relative_to(PACKAGE).with_suffix("").parts
    for file in PACKAGE.rglob("*.py")
    if file != PACKAGE / "__init__.py"
)


def imported(parts):
    """The modules of this package that a module imports, wherever in it, as tuples of names."""
    tree = ast.parse(PACKAGE.joinpath(*parts).with_suffix(".py").read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    found = set()
    for name in names:
        first, *rest = name.split(".")
        if first == "chainer_vae":
            # Of the name of a thing in a module, the module.
            while rest and not is_module(rest):
                rest.pop()
            found.add(tuple(rest))
    return found


def is_module(names):
    place = PACKAGE.joinpath(*names)
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


@pytest.mark.parametrize("parts", MODULES, ids=".".join)
def test_imports_run_one_way(parts):
    own = ORDER.index(parts[0])
    for other in imported(parts):
        assert other != (), "import the module, not the package"
        if parts[0] == "compat":
            assert other[0] == "compat", "compat imports nothing of ours"
        assert ORDER.index(other[0]) <= own, f"{'.'.join(parts)} imports {'.'.join(other)}"


def test_no_package_imports_in_a_circle():
    """Within a package, too, each module imports only modules that do not import it."""
    graph = {}
    for parts in MODULES:
        name = parts[:-1] if parts[-1] == "__init__" else parts
        graph[name] = {other for other in imported(parts) if other != name}
    done = set()

    def visit(name, path):
        assert name not in path, " -> ".join(".".join(n) for n in (*path, name))
        if name not in done:
            for other in graph[name]:
                # "from chainer_vae.runs import files" in a module of runs names the module alone.
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_article_s_modules_are_short():
    """What a reader of the article looks for is at the top, and read in minutes."""
    for name in ("initializers", "model", "datasets", "training", "evaluation", "latent"):
        lines = (PACKAGE / f"{name}.py").read_text(encoding="utf-8").count("\n")
        assert lines <= 380, f"{name}.py has {lines} lines"


def test_importing_does_no_work(tmp_path):
    """It opens no window, draws no random number, reads no data, and starts no thread."""
    program = """
        import sys, threading
        import numpy as np
        np.random.seed(0)
        before = np.random.get_state()[1].tolist(), np.random.get_state()[2]
        opened = []
        sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
        import chainer_vae.cli
        assert (np.random.get_state()[1].tolist(), np.random.get_state()[2]) == before
        assert threading.active_count() == 1
        assert [name for name in opened if "ubyte" in name or name.endswith(".model")] == []
        for slow in ("matplotlib", "sklearn", "cupy", "torch"):
            assert slow not in sys.modules, slow
    """
    lines = [line[8:] for line in program.splitlines()]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_every_line_left_uncovered_says_why():
    for file in PACKAGE.rglob("*.py"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if "no cover" in line:
                assert re.search(r"# no cover: \w+ \w+", line), f"{file.name}: {line.strip()}"
