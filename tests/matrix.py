"""Run the quick tests on every Python from 3.9 to 3.13 that is here, with old and new NumPy.

    make matrix                         all of them
    python tests/matrix.py 3.9 3.13     these only

A Python is found as ``python3.9`` on the path or among pyenv's.  Each pair gets an environment in
``.matrix/``, kept for the next time; Chainer is built once.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".matrix"

# The oldest NumPy of 1.22 or later that has a wheel for each Python; the newest is pip's choice.
OLDEST_NUMPY = {
    "3.9": "1.22.0",
    "3.10": "1.22.0",
    "3.11": "1.23.2",
    "3.12": "1.26.0",
    "3.13": "2.1.0",
}


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def find_python(version: str) -> Optional[str]:
    """An interpreter of this version, or None."""
    candidates = [shutil.which(f"python{version}")]
    candidates += sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for candidate in filter(None, candidates):
        # pyenv puts commands on the path for versions that are not active, too.
        if subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
            return str(candidate)
    return None


def make_environment(python: str, version: str, numpy: Optional[str]) -> Path:
    """The interpreter of an environment with this package and that NumPy."""
    folder = FOLDER / f"py{version}-numpy{numpy or 'newest'}"
    if not (folder / "bin" / "python").exists():
        run(python, "-m", "venv", folder)
    bin_python = folder / "bin" / "python"
    pip = [bin_python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # New enough to build from pyproject.toml everywhere, old enough for Chainer's own build.
    run(*pip, "setuptools>=64,<81", "wheel")
    wheels = FOLDER / "wheels"
    if not list(wheels.glob("chainer-7.8.1-*.whl")):
        build = [bin_python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        run(*build, "--wheel-dir", wheels, "chainer==7.8.1")
    pinned = [f"numpy=={numpy}"] if numpy else ["numpy"]
    editable = ["--no-build-isolation", "--find-links", wheels, "--editable", f"{ROOT}[test]"]
    run(*pip, "--upgrade", *pinned, *editable)
    return bin_python


def main() -> int:
    versions = sys.argv[1:] or list(OLDEST_NUMPY)
    rows = []
    for version in versions:
        if version not in OLDEST_NUMPY:
            print(f"Python {version} is not one of {', '.join(OLDEST_NUMPY)}", file=sys.stderr)
            return 2
        python = find_python(version)
        if python is None:
            rows.append((version, "-", "not installed here", 0.0))
            continue
        for numpy in (OLDEST_NUMPY[version], None):
            bin_python = make_environment(python, version, numpy)
            show = "import numpy; print(numpy.__version__)"
            found = subprocess.check_output([bin_python, "-c", show], text=True).strip()
            print(f"== Python {version}, NumPy {found}", flush=True)
            started = time.monotonic()
            result = subprocess.run(
                [bin_python, "-m", "pytest", "-q", "-m", "not slow"], cwd=ROOT, text=True
            )
            verdict = "passed" if result.returncode == 0 else f"FAILED ({result.returncode})"
            rows.append((version, found, verdict, time.monotonic() - started))
    print(f"\n{'Python':8}{'NumPy':10}{'tests':22}seconds")
    for version, numpy, verdict, seconds in rows:
        print(f"{version:8}{numpy:10}{verdict:22}{seconds:7.0f}")
    ran = [verdict for _, _, verdict, seconds in rows if seconds]
    return 0 if ran and all(verdict == "passed" for verdict in ran) else 1


if __name__ == "__main__":
    sys.exit(main())
