"""results/trust.md: each command writes its own part."""

import platform
import re
from datetime import date
from pathlib import Path

import numpy as np

from chainer_vae import devices

RESULTS = Path(__file__).resolve().parent.parent / "results" / "trust.md"


def write_section(name, text):
    """Put a text between the marks of a section, with when and on what it was found."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.system()}"
    where = f"{date.today()}, {versions}, {devices.describe(-1)}"
    old = RESULTS.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(old):
        raise SystemExit(f"{RESULTS} has no section {name}")
    new = pattern.sub(lambda found: f"{found[1]}{text}\n\n{where}\n{found[2]}", old)
    RESULTS.write_text(new, encoding="utf-8")
