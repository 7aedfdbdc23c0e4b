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
    text = re.sub(r"<!-- until published -->.*?<!-- end -->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"^# published: ", "", text, flags=re.MULTILINE)
    return re.sub(r"\bREPOSITORY\b(?!=)", address, text)


def main() -> int:
    given = sys.argv[1] if len(sys.argv) == 2 else ""
    address = re.sub(r"(\.git)?/*$", "", given)
    if not re.fullmatch(r"https://\w[\w.-]*(:\d+)?(/\w[\w.-]*){2}", address, re.ASCII):
        print(
            f"set_address.py: {given!r} is no address of a repository; give it as in"
            " make address REPOSITORY=https://github.com/OWNER/chainer-vae",
            file=sys.stderr,
        )
        return 2
    (present,) = re.findall('^ADDRESS = "(.*)"', (ROOT / "setup.py").read_text("utf-8"), re.M)
    if present not in ("REPOSITORY", address):
        print(f"set_address.py: the address is {present} already; replace that", file=sys.stderr)
        return 2
    for pattern in TEXTS:
        for file in sorted(ROOT.glob(pattern)):
            old = file.read_bytes()
            new = with_address(old.decode("utf-8"), address).encode("utf-8")
            if new != old:
                file.write_bytes(new)
                print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
