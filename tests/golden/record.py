"""Record what the article's own program computes, in the environment that its author had.

    python tests/golden/record.py --python PYTHON3.6 --article ARTICLE.md

ARTICLE.md is the article, saved as Markdown (its code is fetched from there, since it is not
ours to keep here); PYTHON3.6 is any Python 3.6.  Builds an environment in a temporary folder with
the versions that the article names, runs ``article_program.py`` in it on real MNIST, and writes
its results beside this file.  tests/test_golden.py holds today's package to them.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "chainer_vae" / "data"
RESULTS = ("article.json", "mlp_2.model", "mlp_2.state")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="a Python 3.6")
    parser.add_argument("--article", required=True, type=Path, help="the article, as Markdown")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.python, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"

        def install(*requirements: str) -> None:
            subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)

        install("pip==21.3.1")
        install("numpy==1.12.1", "six==1.16.0", "protobuf==3.19.6", "filelock==3.4.1")
        install("mock==3.0.5", "nose==1.3.7")
        install("--no-deps", "chainer==2.0.0")
        program = [python, HERE / "article_program.py", args.article.resolve(), DATA]
        subprocess.run(program, check=True, cwd=folder)
        for name in RESULTS:
            shutil.copy(Path(folder) / name, HERE / name)


if __name__ == "__main__":
    main()
