#!/usr/bin/env python
"""Write the repository's address into the texts, once it has one.

    make address REPOSITORY=https://github.com/OWNER/chainer-vae

Until then the word REPOSITORY stands for it.  What is between ``<!-- until published -->`` and
``<!-- end -->`` goes, and lines after ``# published: `` come into force.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTS = (
    "README*.md", "docs/**/*.md", "docs/*.py", "notebooks/*.ipynb", "scripts/build_*.py",
    "setup.py", "CITATION.cff",
)  # fmt: skip


def with_address(text: str, address: str) -> str:
    """``text`` with the address in it."""
    text = re.sub(r"<!-- until published -->.*?<!-- end -->\n*", "", text, flags=re.DOTALL)
    text = re.sub(r"^# published: ", "", text, flags=re.MULTILINE)
    return re.sub(r"\bREPOSITORY\b(?!=)", address, text)


def main() -> int:
    address = (sys.argv[1] if len(sys.argv) == 2 else "").rstrip("/")
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", address):
        print(
            "set_address.py: give the repository's address, as in"
            " make address REPOSITORY=https://github.com/OWNER/chainer-vae",
            file=sys.stderr,
        )
        return 2
    for pattern in TEXTS:
        for file in sorted(ROOT.glob(pattern)):
            old = file.read_text(encoding="utf-8")
            new = with_address(old, address)
            if new != old:
                file.write_text(new, encoding="utf-8")
                print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
