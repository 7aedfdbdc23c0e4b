"""Run the tests on every Python from 3.9 to 3.15 that is here, and write results/matrix.md.

    make matrix                             all of them
    python tests/matrix.py 3.9 3.15         these only
    python tests/matrix.py --quick 3.15     the quick tests with the newest NumPy; writes no results

Each Python runs all tests with the newest NumPy, and the quick ones with the oldest.  A Python is
found as ``python3.9`` on the path, among pyenv's, or (3.14 and 3.15, as root) in Debian's unstable
suite by ``tests/chroot.sh``.  Each pair gets an environment in ``.matrix/``, kept for next time.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import NamedTuple, Optional
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".matrix"
RESULTS = ROOT / "results" / "matrix.md"

# The oldest NumPy of 1.22 or later that has a wheel for each Python; the newest is pip's choice.
OLDEST_NUMPY = {
    "3.9": "1.22.0",
    "3.10": "1.22.0",
    "3.11": "1.23.2",
    "3.12": "1.26.0",
    "3.13": "2.1.0",
    "3.14": "2.3.2",
    "3.15": "2.5.2",
}
SHOWN = ("numpy", "matplotlib", "scikit-learn")
HEAD = """\
# Tests on every Python

`make matrix` runs all tests with the newest NumPy, and the quick ones with the oldest; what has no
row here has not been run. On "Debian unstable" they run in a minimal installation without a
compiler and without a browser ([`tests/chroot.sh`](../tests/chroot.sh)).

| Python | from | NumPy | Matplotlib | scikit-learn | tests | passed | failed | skipped | date |
|---|---|---|---|---|---|---|---|---|---|
"""


class Interpreter(NamedTuple):
    """A Python, and where its commands run."""

    python: str
    where: str  # in words
    enter: tuple[str, ...] = ()  # what goes before a command, such as a change into a chroot

    def run(self, *command: object, check: bool = True) -> int:
        # The chroot has no browser and no compiler: what needs one is skipped there, not failed.
        without_ci = {name: value for name, value in os.environ.items() if name != "CI"}
        environment = without_ci if self.enter else None
        words = [*self.enter, *map(str, command)]
        return subprocess.run(words, check=check, cwd=ROOT, env=environment).returncode


def find_python(version: str) -> Optional[Interpreter]:
    """An interpreter of this version, or None."""
    candidates = [(shutil.which(f"python{version}"), "the path")]
    for folder in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*")):
        candidates.append((str(folder / "bin" / "python"), "pyenv"))
    for python, where in candidates:
        # pyenv puts commands on the path for versions that are not active, too.
        if python and not subprocess.run([python, "--version"], capture_output=True).returncode:
            return Interpreter(python, where)
    if version in ("3.14", "3.15") and os.geteuid() == 0 and shutil.which("debootstrap"):
        enter = (str(ROOT / "tests" / "chroot.sh"), "sid")
        return Interpreter(f"python{version}", "Debian unstable", enter)
    return None


def make_environment(interpreter: Interpreter, version: str, numpy: Optional[str]) -> Path:
    """The Python of an environment with this package and that NumPy."""
    folder = FOLDER / f"py{version}-numpy{numpy or 'newest'}"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        interpreter.run(interpreter.python, "-m", "venv", folder)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    # As in the Makefile: a pip that soon finds versions, and old enough for Chainer's own build.
    interpreter.run(*pip, "pip>=25.1", "setuptools>=77,<81", "wheel")
    interpreter.run(*pip, "--no-build-isolation", "chainer==7.8.1")
    pinned = f"numpy=={numpy}" if numpy else "numpy"
    editable = ("--no-build-isolation", "--editable", f"{ROOT}[test]")
    # An old NumPy gets older libraries, and not the sources of newer ones.
    wheels = ("--only-binary", ":all:")
    interpreter.run(*pip, "--upgrade", *wheels, pinned, *editable)
    (folder / "made").touch()
    return python


def versions(interpreter: Interpreter, python: Path) -> list[str]:
    """Those of Python and of what is shown."""
    file = python.parent.parent / "versions"
    show = (
        "import platform, sys; from importlib.metadata import version;"
        "print(platform.python_version(), *map(version, sys.argv[2:]), file=open(sys.argv[1], 'w'))"
    )
    interpreter.run(python, "-c", show, file, *SHOWN)
    return file.read_text(encoding="utf-8").split()


def run_tests(interpreter: Interpreter, python: Path, quick: bool) -> tuple[int, list[str]]:
    """Run the tests: pytest's exit code, and the cells of the row in the table."""
    report = python.parent.parent / "report.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
    options += [f"--junitxml={report}", *(["-m", "not slow"] if quick else [])]
    code = interpreter.run(python, "-m", "pytest", *options, check=False)
    found = versions(interpreter, python)
    if not report.exists():
        sys.exit(f"matrix.py: pytest ended with {code}, without a report")
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    tests, errors, failures, skipped = (
        int(suite.attrib[name]) for name in ("tests", "errors", "failures", "skipped")
    )
    reasons = Counter(case.attrib["message"] for case in suite.iter("skipped"))
    why = "; ".join(f"{number}: {reason}" for reason, number in reasons.most_common())
    failed = errors + failures
    kind = "quick" if quick else "all"
    cells = [found[0], interpreter.where, *found[1:], kind, tests - failed - skipped, failed, why]
    return code, [str(cell) for cell in [*cells, date.today()]]


def write_row(cells: list[str]) -> None:
    """Put a row into the table, in the place of an earlier one of that Python and those tests."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    rows = [line.strip("| ").split(" | ") for line in old.splitlines() if line.startswith("| 3.")]

    def key(row: list[str]) -> tuple[int, str]:
        return int(row[0].split(".")[1]), row[5]

    rows = [row for row in rows if key(row) != key(cells)] + [cells]
    lines = [f"| {' | '.join(row)} |" for row in sorted(rows, key=key)]
    RESULTS.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("version", nargs="*", metavar="3.X", help="the Pythons (all)")
    parser.add_argument("--quick", action="store_true", help="quick tests, newest NumPy")
    args = parser.parse_args()
    unknown = [version for version in args.version if version not in OLDEST_NUMPY]
    if unknown:
        parser.error(f"Python {unknown[0]} is not one of {', '.join(OLDEST_NUMPY)}")
    bad = ran = 0
    for version in args.version or OLDEST_NUMPY:
        interpreter = find_python(version)
        if interpreter is None:
            print(f"== Python {version} is not here", flush=True)
            bad += version in args.version
            continue
        for numpy in (None,) if args.quick else (None, OLDEST_NUMPY[version]):
            print(f"== Python {version}, NumPy {numpy or 'newest'}", flush=True)
            python = make_environment(interpreter, version, numpy)
            code, cells = run_tests(interpreter, python, args.quick or numpy is not None)
            if not args.quick:
                write_row(cells)
            print("   " + ", ".join(cells), flush=True)
            bad += code != 0
            ran += 1
    return 1 if bad or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
