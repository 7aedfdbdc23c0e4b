"""Change the code in one place at a time, and see that a test fails.

    make mutants                       the known mutants, and 20 random ones of each module
    make mutants N=0                   all mutants of each module: many hours
    make mutants ONLY=sample N=5 SEED=1 MODULES="latent model"

The known ones stand in mutants_known.py; all others are Cosmic Ray's.  Each is tried in a copy of
the repository, by the quick tests that concern its module, until one fails.  Of one that survives,
mutants_known.py must say why; the command fails if it does not.
"""

import argparse
import ast
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import date
from functools import cache
from itertools import zip_longest
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from mutants_known import EXPLAINED, KNOWN
from trust import read_section, write_section

ROOT = Path(__file__).resolve().parent.parent
# The tests that concern each module, the fastest first.
TESTS = {
    "initializers": "model",
    "model": "model autoencoder engine",
    "training": "training engine autoencoder",
    "evaluation": "autoencoder engine latent model model_commands",
    "likelihood": "likelihood",
    "posterior": "likelihood",
    "latent": "latent validation model_commands",
    "plane": "figures_data latent",
    "random_numbers": "likelihood concurrency training engine",
    "datasets": "datasets image_shape",
    "validation": "validation",
    "reading": "reading datasets checkpoints",
    "npz": "checkpoints",
    "formats/arrays": "array_sets",
    "formats/contents": "datasets array_sets image_folder",
    "formats/idx": "datasets",
    "formats/idx_folder": "datasets",
    "formats/image_folder": "image_folder",
    "formats/sets": "array_sets image_folder",
    "engine/cpu_evaluation": "likelihood engine",
    "engine/cpu_kernels": "engine",
    "engine/cpu_step": "engine training",
    "engine/flat_model": "engine",
    "engine/gpu_evaluation": "gpu",
    "engine/gpu_kernels": "gpu",
    "engine/gpu_noise": "gpu",
    "engine/gpu_step": "gpu",
    "engine/iwae_network": "iwae engine",
    "engine/network": "engine likelihood",
    "engine/support": "engine",
    "engine/threads": "threads engine",
    "runs/article_log": "readme results",
    "runs/checkpoints": "checkpoints training saving",
    "runs/choose": "cli image_shape figures",
    "runs/files": "checkpoints saving windows",
    "runs/folder": "saving training cli autoencoder",
    "runs/images": "run_images training",
    "runs/interrupt": "saving training",
    "runs/lock": "saving windows",
    "runs/models": "checkpoints training cli image_shape autoencoder",
    "runs/new_run": "saving training",
    "runs/run": "saving training",
}  # fmt: skip


class Copy:
    """A copy of the repository, whose tests are run."""

    def __init__(self, folder):
        self.root, self.kernels = folder / "copy", folder / "kernels"
        self.kernels.mkdir()
        self.seconds = cache(self._seconds)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in names.rstrip("\0").split("\0"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.root / name)

    def _seconds(self, tests):
        """How long these tests take where nothing is changed."""
        started = time.monotonic()
        code, output = self.run(tests, 3600)
        if code != 0:
            sys.exit(f"without a mutant, {tests} end with {code}:\n{output}")
        return time.monotonic() - started

    def catches(self, file, mutated, tests):
        """What fails where a file has another content; None if nothing does."""
        timeout = 60 + 5 * self.seconds(tests)
        path = self.root / "chainer_vae" / file
        original = path.read_bytes()
        path.write_text(mutated, encoding="utf-8")
        try:
            code, output = self.run(tests, timeout)
        finally:
            path.write_bytes(original)
        if code == 0:
            return None
        failed = re.findall(r"^FAILED \S+|^ERROR \S+", output, re.MULTILINE)
        return max(failed, default=f"exit code {code}")  # FAILED before ERROR

    def run(self, tests, timeout):
        """pytest's exit code, None where it takes too long; and what it wrote."""
        command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider"]
        environment = {
            **os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1",
            "COMPILED_KERNELS": str(self.kernels),
        }  # fmt: skip
        process = subprocess.Popen(
            [*command, "-m", "not slow", *tests], cwd=self.root, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            process.wait()
        return process.returncode, output


def positions(source):
    """Where Cosmic Ray would change a module: the operator, the number among its positions, the
    place.  Not in lines that no test can run, nor where only a cache would be gone."""
    skipped = no_cover(source)
    nodes = list(ast_nodes(get_ast(source)))
    found = []
    for name in operator_names():
        if get_operator(name).arguments():
            continue
        operator = get_operator(name)()
        places = [place for node in nodes for place, _ in operator.mutation_positions(node)]
        found += [(name, n, place) for n, place in enumerate(places) if place[0] not in skipped]
    return found


def no_cover(source):
    lines = source.splitlines()
    found = {i for i, line in enumerate(lines, 1) if line.strip() == "@cache"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and "# no cover" in lines[node.lineno - 1]:
            found.update(range(node.lineno, node.end_lineno + 1))
    return found


def sample(module, n, seed):
    """``n`` mutants, as far as they go of different places: the first line that changes, what
    becomes of it, and the text; and how many mutants there are."""
    source = (ROOT / "chainer_vae" / f"{module}.py").read_text(encoding="utf-8")
    found = positions(source)
    if n:
        random.Random(f"{seed} {module}").shuffle(found)
        before = Counter()  # of the same place
        found = sorted(found, key=lambda mutant: before.update([mutant[2]]) or before[mutant[2]])
    chosen = []
    for name, occurrence, _ in found[: n or None]:
        text = mutate_code(source, get_operator(name)(), occurrence)
        pairs = zip_longest(source.splitlines(), text.splitlines(), fillvalue="")
        old, new = next((old, new) for old, new in pairs if old != new)
        if name.endswith("RemoveDecorator"):
            new = ""
        chosen.append((old.strip(), new.strip(), text))
    return chosen, len(found)


def try_known(copy):
    """Those that survive."""
    survivors = []
    for known in KNOWN:
        text = (ROOT / "chainer_vae" / known.file).read_text(encoding="utf-8")
        for old, new in known.changes.items():
            if old not in text:
                sys.exit(f"{known.file} has no longer what is changed for: {known.what}")
            text = text.replace(old, new)
        caught = copy.catches(known.file, text, tuple(known.tests.split()))
        print(f"{known.file}: {known.what}: {caught or 'SURVIVES'}", flush=True)
        if not caught:
            survivors.append(known)
    return survivors


def try_module(copy, module, n, seed):
    """How many mutants there are, how many were tried, and the keys of those that survive."""
    tests = tuple(f"tests/test_{name}.py" for name in TESTS[module].split())
    chosen, total = sample(module, n, seed)
    survivors = []
    for old, new, text in chosen:
        caught = copy.catches(f"{module}.py", text, tests)
        print(f"{module}: {old}  ->  {new}: {caught or 'SURVIVES'}", flush=True)
        if not caught:
            survivors.append((f"{module}.py", old, new))
    return total, len(chosen), survivors


def words_of_known(survivors):
    lines = [f"Of {len(KNOWN)} mutants written by hand, {len(KNOWN) - len(survivors)} are caught."]
    return lines + [f"- survives: {mutant.file}: {mutant.what}" for mutant in survivors]


def words_of_sample(module, found, seed, old):
    """The table of all modules, in which this one's row is new, and the mutants that survive.

    Also whether one of this module's survivors is not explained.
    """
    rows, survivors = {}, {}
    for line in old.splitlines():
        if match := re.match(r"\| (\S+) \| \d", line):
            rows[match[1]] = line
        elif match := re.match(r"- (\S+)\.py: ", line):
            survivors.setdefault(match[1], []).append(line)
    total, tried, keys = found
    cells = module, total, tried, seed, tried - len(keys), len(keys), date.today()
    rows[module] = f"| {' | '.join(map(str, cells))} |"
    survivors[module] = [
        f"- {file}: `{old}` becomes `{new}`: {EXPLAINED.get((file, old, new), '**not explained**')}"
        for file, old, new in keys
    ]
    lines = [
        "Of Cosmic Ray's, random samples:", "",
        "| module | mutants | tried | seed | caught | survived | date |",
        "|---|---|---|---|---|---|---|", *(rows[name] for name in TESTS if name in rows),
    ]  # fmt: skip
    bullets = [line for name in TESTS for line in survivors.get(name, [])]
    if bullets:
        lines += ["", "Those that survive:", "", *bullets]
    return lines, any(key not in EXPLAINED for key in keys)


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-n", type=int, default=20, help="mutants of each module; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modules", nargs="*", choices=TESTS, default=list(TESTS))
    parser.add_argument("--only", choices=["known", "sample"])
    args = parser.parse_args()
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(os.path.realpath(folder)))
        if args.only != "sample":
            survivors = try_known(copy)
            write_section("known mutants", "\n".join(words_of_known(survivors)))
            wrong = bool(survivors)
        if args.only != "known":
            for name in args.modules:
                found = try_module(copy, name, args.n, args.seed)
                old = read_section("mutants")
                lines, unexplained = words_of_sample(name, found, args.seed, old)
                write_section("mutants", "\n".join(lines))
                wrong = wrong or unexplained
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
