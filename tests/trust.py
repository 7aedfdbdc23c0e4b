"""results/trust.md: each command writes its own part."""

import platform
import re
from datetime import date
from pathlib import Path

import numpy as np

from chainer_vae import devices

RESULTS = Path(__file__).resolve().parent.parent / "results" / "trust.md"


def read_section(name):
    """The text between the marks of a section."""
    found = _pattern(name).search(RESULTS.read_text(encoding="utf-8"))
    if not found:
        raise SystemExit(f"{RESULTS} has no section {name}")
    return found[2]


def write_section(name, text):
    """Put a text between the marks of a section, with when and on what it was found."""
    read_section(name)
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.system()}"
    where = f"{date.today()}, {versions}, {devices.describe(-1)}"
    old = RESULTS.read_text(encoding="utf-8")
    new = _pattern(name).sub(lambda found: f"{found[1]}{text}\n\n{where}\n{found[3]}", old)
    RESULTS.write_text(new, encoding="utf-8")


def _pattern(name):
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
