"""Commands in messages, as the user can type them."""

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Union


def command(*words: Union[str, Path]) -> str:
    """A command line, quoted for the system's shell; on Windows, for PowerShell.

    A path that begins with "-" would be taken for an option.
    """
    line = [
        f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word)
        for word in words
    ]
    if sys.platform != "win32":
        return shlex.join(line)
    line = [word if re.fullmatch(r"[\w./\\:=+-]+", word) else _literal(word) for word in line]
    # A string alone would be printed; "&" runs it.
    return ("& " if line[0].startswith("'") else "") + " ".join(line)


def _literal(word: str) -> str:
    """A string in which PowerShell replaces nothing; it takes typographic quotes for quotes."""
    return "'" + re.sub("(['‘’‚‛])", r"\1\1", word) + "'"


def chainer_vae(*words: Union[str, Path]) -> str:
    """A command line of this program, with the name by which the user can run it."""
    if shutil.which("chainer-vae"):
        return command("chainer-vae", *words)  # no cover: in an activated environment
    script = Path(sys.argv[0])
    program = [script] if script.stem == "chainer-vae" else [sys.executable, "-m", "chainer_vae"]
    return command(*program, *words)
