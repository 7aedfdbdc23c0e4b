"""Run the Chainer programs in tests/programs on every Python that is here, by the compat layer.

    make chainer-suite                          all of them
    python tests/chainer_suite.py 3.11 3.14     these Pythons only

Each Python has the environments of tests/matrix.py: the newest NumPy, and the oldest.  What the
sweep of all functions computes is compared with Chainer as it was, if there is a Python 3.8.
Writes results/chainer-suite.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple, Optional

import matrix

PROGRAMS = matrix.ROOT / "tests" / "programs"
RESULTS = matrix.ROOT / "results" / "chainer-suite.md"
ORACLE = matrix.FOLDER / "py3.8-numpy1.21.6"
TIMEOUT = 900  # seconds
# What each is started with, after its name; FOLDER is an empty one.
ARGUMENTS = {
    "trainer_of_2017": ("FOLDER", "-1"),
    "sweep": ("FOLDER/new.npz",),
}
# Of the programs there: what others start, or the tests of ChainerMN, with MPI.
ELSEWHERE = ("chainermn_mnist", "multiprocess_iterator")
HEAD = """\
# Chainer programs under the compat layer

`make chainer-suite` runs each program in [`tests/programs`](../tests/programs) by
`python -m chainer_vae.compat`, on every Python that it finds, with the newest NumPy and with the
oldest; what has no column here has not been run. A program checks what it computes, and prints
what it found. The times are of a machine that may have done other work, too.

- `docstrings`: the examples in Chainer's own docstrings, as they stand.
- `gradients`: the gradient of every function and link, beside a numerical one.
- `sweep`: every function, link, optimizer and distribution, beside Chainer as it was (Python 3.8,
  NumPy 1.21). Differences by rounding are none; rates given as `np.float32`, which are reported as
  such now, are counted apart.

The two programs of several processes, `multiprocess_iterator` and `chainermn_mnist`, are run by the
tests (`tests/test_windows.py`, `tests/test_chainermn.py`), whose results are in
[matrix.md](matrix.md).

Chainer's own tests and examples are not here: its archive on PyPI, from which it is installed,
holds neither.

"""


class Outcome(NamedTuple):
    """How a program ended."""

    code: int
    said: str  # its last line
    seconds: float


def make_oracle() -> Optional[Path]:
    """The Python of Chainer as it was, or None."""
    interpreter = matrix.find_python("3.8")
    if interpreter is None:
        return None
    python = ORACLE / "bin" / "python"
    if not (ORACLE / "made").exists():
        interpreter.run(interpreter.python, "-m", "venv", ORACLE)
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        interpreter.run(*pip, "setuptools<58", "wheel")
        interpreter.run(*pip, "--no-build-isolation", "numpy==1.21.6", "scipy", "chainer==7.8.1")
        (ORACLE / "made").touch()
    return python


def run(command: list[str], folder: Path) -> Outcome:
    start = time.monotonic()
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT,
            env={**os.environ, **one_thread},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Outcome(1, f"not done after {TIMEOUT} s", TIMEOUT)
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return Outcome(done.returncode, lines[-1] if lines else "", time.monotonic() - start)


def run_program(start: list[str], name: str, folder: Path) -> Outcome:
    """Run one by the Python that ``start`` starts, and the compat layer."""
    words = [word.replace("FOLDER", str(folder)) for word in ARGUMENTS.get(name, ("FOLDER",))]
    program = str(PROGRAMS / f"{name}.py")
    outcome = run([*start, "-m", "chainer_vae.compat", program, *words], folder)
    if name == "trainer_of_2017" and outcome.code == 13:  # how it tells what it logged
        return outcome._replace(code=0, said="")
    return outcome


def programs() -> list[str]:
    """Their names."""
    return sorted({program.stem for program in PROGRAMS.glob("*.py")} - set(ELSEWHERE))


def compare(new: Path, oracle: tuple[Path, Path]) -> Outcome:
    """The sweep beside that of Chainer as it was."""
    python, old = oracle
    script = PROGRAMS.parent / "compare_sweeps.py"
    done = subprocess.run(
        [str(python), str(script), str(old), str(new)], capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    if not lines:
        return Outcome(1, done.stderr[-200:], 0.0)
    others = [line for line in lines[:-1] if not line.endswith("float64 was, float32 is")]
    return Outcome(int(bool(others)), f"{lines[-1]}, {len(others)} of them not of rates", 0.0)


def run_all(
    interpreter: matrix.Interpreter, python: Path, oracle: Optional[tuple[Path, Path]]
) -> dict[str, Outcome]:
    """Every program on this Python; the oracle is one, and what it swept."""
    outcomes = {}
    start = [*interpreter.enter, str(python), "-W", "ignore"]
    for name in programs():
        with tempfile.TemporaryDirectory() as folder:
            outcome = run_program(start, name, Path(folder))
            if name == "sweep" and outcome.code == 0 and oracle is not None:
                found = compare(Path(folder) / "new.npz", oracle)
                outcome = outcome._replace(code=found.code, said=f"{outcome.said}; {found.said}")
        print(f"   {name}: {outcome.code}, {outcome.seconds:.0f} s, {outcome.said}", flush=True)
        outcomes[name] = outcome
    return outcomes


def page(columns: dict[str, dict[str, Outcome]]) -> str:
    """The results as Markdown."""
    names = sorted({name for outcomes in columns.values() for name in outcomes})
    lines = [f"| program | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        cells = [
            f"{outcomes[name].seconds:.0f} s" if outcomes[name].code == 0 else "**fails**"
            for outcomes in columns.values()
        ]
        lines.append(f"| [`{name}`](../tests/programs/{name}.py) | {' | '.join(cells)} |")
    last = list(columns)[-1]
    lines += ["", f"What they found on {last}:", ""]
    lines += [f"- `{name}`: {out.said}" for name, out in columns[last].items() if out.said]
    failed = [
        f"- `{name}` on {column}: {outcomes[name].said}"
        for column, outcomes in columns.items()
        for name in names
        if outcomes[name].code
    ]
    if failed:
        lines += ["", "What fails:", "", *failed]
    return HEAD + "\n".join([f"Run on {date.today()}.", "", *lines]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("version", nargs="*", metavar="3.X", help="the Pythons (all)")
    args = parser.parse_args()
    columns: dict[str, dict[str, Outcome]] = {}
    with tempfile.TemporaryDirectory() as folder:
        oracle = None
        python = make_oracle()
        if python is not None:
            oracle = python, Path(folder) / "old.npz"
            command = [str(python), "-W", "ignore", str(PROGRAMS / "sweep.py"), str(oracle[1])]
            print(f"== Chainer as it was: {run(command, Path(folder)).said}", flush=True)
        for version in args.version or matrix.OLDEST_NUMPY:
            interpreter = matrix.find_python(version)
            if interpreter is None:
                print(f"== Python {version} is not here", flush=True)
                continue
            for numpy in (None, matrix.OLDEST_NUMPY[version]):
                print(f"== Python {version}, NumPy {numpy or 'newest'}", flush=True)
                python = matrix.make_environment(interpreter, version, numpy)
                found = matrix.versions(interpreter, python)
                columns[f"{found[0]}, NumPy {found[1]}"] = run_all(interpreter, python, oracle)
                RESULTS.write_text(page(columns), encoding="utf-8")
    failed = any(out.code for outcomes in columns.values() for out in outcomes.values())
    return int(failed or not columns)


if __name__ == "__main__":
    sys.exit(main())
