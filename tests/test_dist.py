"""The package as pip installs it from ``make dist``: in an empty environment, in one line."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from chainer_vae import __version__, kernels
from chainer_vae.cli import COMMANDS

ROOT = Path(__file__).parent.parent
# REPOSITORY, until `make address` has been told the repository's own.
(ADDRESS,) = re.findall('^ADDRESS = "(.*)"', (ROOT / "setup.py").read_text("utf-8"), re.MULTILINE)
PROGRAM = """\
import chainer_vae

model, config = chainer_vae.load_model("z20")
images = chainer_vae.load_mnist().test_images[:5]
print(chainer_vae.encode(model, images)[0].shape, config.dimz)
"""
# Without what this environment sets for Python and pip, but for how to reach a package index.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("PYTHON") and name not in ("PIP_FIND_LINKS", "VIRTUAL_ENV")
}


def run(*command, **options):
    """The standard output of a command that must succeed."""
    options = {"env": ENVIRONMENT, "cwd": ROOT, **options}
    result = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", **options,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files of this repository, in a folder with a space and Japanese letters in its name."""
    folder = tmp_path_factory.mktemp("clone") / "新しい フォルダー"
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for file in filter(None, files):
        if (ROOT / file).exists():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    return folder


@pytest.fixture(scope="module")
def dist(clone):
    """What ``make dist`` builds, in this environment."""
    make = ["make", "--silent", f"VENV={sys.prefix}", "--assume-old=install", "dist"]
    run(*make, cwd=clone)
    return clone / "dist"


def environment(folder, *packages):
    """The Python of a new environment with these packages."""
    run(sys.executable, "-m", "venv", folder)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if packages:
        run(python, "-m", "pip", "install", "--quiet", *packages)
    return python


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    """The Python of an environment into which README's line has installed the package."""
    folder = tmp_path_factory.mktemp("installed") / "環境 1"
    return environment(folder, "--find-links", dist, "chainer-vae")


def files_of(archive):
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as tar:
        return {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}


@pytest.mark.slow
def test_dist_has_the_package_and_an_unmodified_chainer(dist):
    names = {
        "chainer-7.8.1-py3-none-any.whl",
        f"chainer_vae-{__version__}-py3-none-any.whl",
        f"chainer_vae-{__version__}.tar.gz",
    }
    # With the compiled kernels, for this kind of machine, where there is a compiler.
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    compiled = f"chainer_vae-{__version__}-py3-none-{platform}.whl"
    compiler = (sysconfig.get_config_var("CC") or "cl").split()[0]
    expected = {*names, compiled} if shutil.which(compiler) else names
    assert {file.name for file in dist.iterdir()} == expected
    library = f"chainer_vae/kernels/{kernels.LIBRARY.name}"
    for name in expected:
        assert (library in files_of(dist / name)) == (name == compiled), name
    ours = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "chainer_vae")
    ours = {file for file in ours.splitlines() if (ROOT / file).exists()}
    for name in names - {"chainer-7.8.1-py3-none-any.whl"}:
        found = files_of(dist / name)
        assert ours - found == set(), name
        beside = {
            file for file in found - ours if not re.match(r"chainer_vae-[\d.]+\.dist-info/", file)
        }
        about = (
            "README.md LICENSE setup.py setup.cfg pyproject.toml MANIFEST.in PKG-INFO CHANGELOG.md"
        )
        about = {*about.split(), "README.ja.md", "CITATION.cff"} if name.endswith(".gz") else set()
        beside = {file for file in beside if "egg-info" not in file and "." in file.split("/")[-1]}
        assert beside - about == set(), name


@pytest.mark.slow
def test_one_line_installs_it(installed, tmp_path):
    folder = installed.parent
    command = folder / "chainer-vae"
    assert run(command, "--version").strip().endswith(__version__)
    for name in COMMANDS:
        run(command, name, "--help")
    out = run(command, "train", "--test", "--out", tmp_path / "run", cwd=tmp_path)
    assert "nats per image" in out
    out = run(command, "explore", cwd=tmp_path)
    assert (tmp_path / "explorer.html").stat().st_size > 3_000_000
    run(command, "figures", "--only", "latent-arrow", "--lang", "ja", cwd=tmp_path)
    assert (tmp_path / "figures" / "scatter_with_arrow.png").stat().st_size > 10_000
    assert "ready" in run(command, "doctor", cwd=tmp_path).splitlines()[0]


@pytest.mark.slow
def test_types_reach_a_program(installed, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    assert run(installed, "program.py", cwd=tmp_path) == "(5, 20) 20\n"
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed]
    assert "Success" in run(*mypy, "program.py", cwd=tmp_path)
    (tmp_path / "wrong.py").write_text(PROGRAM.replace("config.dimz", "config.dimz.real_part"))
    wrong = subprocess.run(
        [*map(str, mypy), "wrong.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert 'has no attribute "real_part"' in wrong.stdout


@pytest.mark.slow
def test_first_cell_of_each_notebook_installs_it(dist, tmp_path):
    """In an environment that has what a notebook runs in, as on Google Colab."""
    cells = {}
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = json.loads(file.read_text(encoding="utf-8"))
        first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
        cells.setdefault("".join(first["source"]), []).append(file.name)
    assert sorted(map(len, cells.values())) == [7, 7]  # Japanese and English
    address = f"{ADDRESS}/releases/expanded_assets/v{__version__}"
    for number, cell in enumerate(cells):
        assert cell.count(address) == 1
        folder = tmp_path / str(number)
        python = environment(folder, "ipython")
        program = f"{cell.replace(address, str(shutil.copytree(dist, folder / 'dist')))}\n{PROGRAM}"
        (folder / "cell.ipy").write_text(program, encoding="utf-8")
        out = run(python, "-m", "IPython", "--colors=NoColor", "cell.ipy", cwd=folder)
        assert out.endswith("(5, 20) 20\n")


@pytest.mark.slow
def test_python_that_is_not_supported_is_refused(dist, tmp_path):
    """In one line, by the pip of today; 3.16 is not there yet, and this pip is told that it is."""
    python = environment(tmp_path / "env", "--upgrade", "pip")
    for version in ("3.8", "3.16"):
        command = [python, "-m", "pip", "install", "--dry-run", "--find-links", dist]
        command += ["--only-binary=:all:", "--python-version", version, "--target", tmp_path]
        result = subprocess.run(
            [*map(str, command), "chainer-vae"], capture_output=True, text=True, env=ENVIRONMENT
        )
        assert result.returncode != 0
        said = f"ERROR: Package 'chainer-vae' requires a different Python: {version}"
        assert result.stderr.splitlines()[-1].startswith(said)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "example.org/a/b",
        "https://example.org/a",
        "https://a.b/c/d e",
        "https://../../..",
        "'; ls",
    ],
)
def test_address_that_is_none(clone, bad):
    make = ["make", "--silent", f"PYTHON={sys.executable}", "address", f"REPOSITORY={bad}"]
    refused = subprocess.run(make, cwd=clone, capture_output=True, text=True)
    assert refused.returncode != 0 and refused.stdout == ""
    assert f"{bad!r} is no address of a repository" in refused.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("EPOCH=1", "there is no variable EPOCH; there are EPOCHS, SEED, GPU and LABELS"),
        ("LANG=ja", "there is no variable LANG; there are EPOCHS, SEED, GPU and LABELS"),
        ("LABELS=jp", "LABELS=jp is neither en nor ja"),
    ],
)
def test_make_refuses_a_mistyped_variable_before_it_trains(given, message):
    command = ["make", "--dry-run", "reproduce", given]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    refused = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert message in refused.stderr


@pytest.mark.slow
@pytest.mark.skipif(ADDRESS != "REPOSITORY", reason="the repository has its address")
def test_address_replaces_every_placeholder(clone, tmp_path):
    clone = shutil.copytree(clone, tmp_path / "clone", ignore=shutil.ignore_patterns("dist"))
    run("git", "init", "--quiet", clone)
    address = "https://example.org/someone/chainer-vae"
    make = ["make", "--silent", f"PYTHON={sys.executable}", "address"]
    run(*make, f"REPOSITORY={address}.git", cwd=clone)
    spoken_of = {"CONTRIBUTING.md", "Makefile", "scripts/set_address.py", "tests/test_dist.py"}
    for file in sorted(clone.rglob("*")):
        name = file.relative_to(clone).as_posix()
        if file.suffix in (".md", ".py", ".ipynb", ".cff", ".html", ".toml") or "." not in name:
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            placeholder = re.search(r"\bREPOSITORY\b|until published|# published", text)
            assert name in spoken_of or placeholder is None, name
            if file.suffix == ".ipynb":
                assert json.loads(text)["cells"]
    line = f"pip install --find-links {address}/releases/expanded_assets/v{__version__} chainer-vae"
    for name in ("README.md", "README.ja.md"):
        assert line in (clone / name).read_text(encoding="utf-8")
    citation = yaml.safe_load((clone / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == address
    # Again, and then another one.
    assert run(*make, f"REPOSITORY={address}/", cwd=clone) == ""
    again = subprocess.run([*make, f"REPOSITORY={address}2"], cwd=clone, capture_output=True)
    assert again.returncode != 0
    # What the repository says of itself still holds.
    tests = ["tests/test_dist.py", "tests/test_readme.py", "tests/test_notebooks.py"]
    run(sys.executable, "-m", "pytest", "-q", "-m", "not slow", *tests, cwd=clone)
    if importlib.util.find_spec("ruff"):
        run(sys.executable, "-m", "ruff", "check", ".", cwd=clone)


def test_lock_installs_the_package_itself():
    for lang in ("en", "ja"):
        text = (ROOT / "docs" / lang / "install.md").read_text(encoding="utf-8")
        lines = re.findall("^pip install .*requirements.lock.*$", text, re.MULTILINE)
        assert lines and all(line.endswith(" chainer-vae") for line in lines)


def test_citation_and_changelog_have_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {__version__} ({citation['date-released']})" in changes
