"""``--explain`` and ``--fix-report``: what was lent, as a list and as a patch for the sources."""

import ast
import atexit
import builtins
import difflib
import io
import json
import os
import shlex
import signal
import sys
import tokenize
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple, NoReturn, Optional, Union

from chainer_vae.compat.dropped_names import DROPPED
from chainer_vae.compat.lending import gone

Node = Union[ast.Attribute, ast.ImportFrom]


class Use(NamedTuple):
    """Where a name was lent."""

    file: str
    line: int
    module: str
    name: str  # "" where the module itself is gone


class Edit(NamedTuple):
    """A stretch of one line, in characters, and what to put there."""

    line: int
    start: int
    end: int
    text: str


def report_at_exit(record: str, explain: bool, patch_file: Optional[str]) -> None:
    """Say at the end of this process, also by a signal or ``os._exit``, what it and those that it
    started have borrowed."""
    folder, owner = os.path.realpath(os.getcwd()), os.getpid()
    end_at_once = os._exit

    @atexit.register
    def report() -> None:
        # A copy of it, made by os.fork; or all is said.
        if os.getpid() != owner or not os.path.exists(record):
            return
        uses = read_record(record)
        os.unlink(record)
        if explain:
            for use in uses:
                where = f"{_shown(use.file, folder)}:{use.line}"
                print(f"chainer_vae.compat: {where}: {gone(*use[2:])}", file=sys.stderr)
        if patch_file is not None:
            try:
                said = write_patch(uses, patch_file, folder)
            except OSError as error:
                said = f"cannot write {patch_file}: {error.strerror or error}"
            print(f"chainer_vae.compat: {said}", file=sys.stderr)

    def report_and_end(status: int) -> NoReturn:
        report()
        end_at_once(status)

    os._exit = report_and_end

    def ended(number: int, frame: Optional[FrameType]) -> None:
        report()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, ended)


def read_record(record: str) -> list[Use]:
    """What the lenders of all processes have kept, each use once."""
    with open(record, encoding="utf-8") as file:
        uses = {Use(*json.loads(line)) for line in file}
    return sorted({use._replace(file=_real(use.file)) for use in uses})


def _real(file: str) -> str:
    """A source by the one name that it has, where links give it others."""
    return os.path.realpath(file) if os.path.isfile(file) else file


def _shown(file: str, folder: str) -> str:
    inside = file.startswith(folder.rstrip(os.sep) + os.sep)
    return os.path.relpath(file, folder) if inside else file


def write_patch(uses: list[Use], patch_file: str, folder: str) -> str:
    """Write what would mend the sources, as a unified diff; before it stands what is to be changed
    by hand.  Returns a line about it."""
    own = [
        use for use in uses if not {"site-packages", "dist-packages"} & set(use.file.split(os.sep))
    ]
    # patch knows no names with a tab, or worse.
    files = sorted({f for f, *_ in own if os.path.isfile(f) and f.isprintable()})
    if not all(file.startswith(folder.rstrip(os.sep) + os.sep) for file in files):
        folder = os.path.commonpath([os.path.dirname(file) for file in files])
    by_hand = [use for use in own if use.file not in files]
    parts = []
    for file in files:
        in_file = [use for use in own if use.file == file]
        mended, left = _mended(file, in_file)
        by_hand += left
        parts.append(_diff(file, mended, os.path.relpath(file, folder).replace(os.sep, "/")))
    head = [f"{_shown(use.file, folder)}:{use.line}: {gone(*use[2:])}\n" for use in sorted(by_hand)]
    if head:
        head = ["To be changed by hand:\n", *head, "\n"]
    with open(patch_file, "xb") as out:
        out.write(os.fsencode("".join(head)) + b"".join(parts))
    hand = f", {len(set(by_hand))} to be changed by hand (named there)" if by_hand else ""
    done = len(own) - len(by_hand)
    apply = f"patch -p0 -d {shlex.quote(folder)} < {shlex.quote(patch_file)}"
    return f"wrote {patch_file}: {done} uses mended{hand}" + (
        f"; apply: {apply}" if any(parts) else ""
    )


def _mended(file: str, uses: list[Use]) -> tuple[Optional[tuple[str, str, str]], list[Use]]:
    """The encoding of a source, the source, and the mended one; and the uses that are left."""
    try:
        with open(file, "rb") as opened:
            encoding, _ = tokenize.detect_encoding(opened.readline)
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        with open(file, encoding=encoding, newline="") as opened:
            source = opened.read()
        tree = ast.parse(source.lstrip("\ufeff"))
    except (OSError, ValueError, SyntaxError):
        return None, uses
    lines = list(io.StringIO(source, newline=""))
    edits, left = [], []
    for use in uses:
        lent_there = {other.name for other in uses if other[:3] == use[:3]} - {""}
        found = list(_edits(use, tree, lines, lent_there))
        edits += found
        if not found or _is_said(use.name, use.line, tree):  # as in getattr(np, "float")
            left.append(use)
    # Where its names now come from elsewhere, a module that is gone is not asked for any more.
    imports = {edit.line for edit in edits if edit.text.startswith("from ")}
    left = [use for use in left if use.name or use.line not in imports]
    for edit in sorted(set(edits), reverse=True):
        line = lines[edit.line - 1]
        lines[edit.line - 1] = line[: edit.start] + edit.text + line[edit.end :]
    return (encoding, source, "".join(lines)), left


def _is_said(name: str, line: int, tree: ast.Module) -> bool:
    """Whether a name stands in a line as a text."""
    return any(
        isinstance(node, ast.Constant) and node.value == name and node.lineno == line
        for node in ast.walk(tree)
    )


def _edits(use: Use, tree: ast.Module, lines: list[str], lent_there: set[str]) -> Iterator[Edit]:
    """What mends one use; nothing where that is no matter of names alone."""
    mend = DROPPED[use.module][use.name].mend if use.name else " "
    sign = "-" if mend.startswith("-") else ""
    place, _, name = mend[len(sign) :].rpartition(".")
    number = mend[len(sign) :].replace(".", "").isdigit()
    if not number and not _is_name(mend[len(sign) :]):
        return
    aliases = _aliases(use.module, tree)
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Attribute, ast.ImportFrom)):
            continue
        if not node.lineno == use.line == node.end_lineno:
            continue
        if isinstance(node, ast.Attribute) and node.attr == use.name:
            base = ast.unparse(node.value)
            of_chainer = use.module == "numpy" and base.rpartition(".")[2] == "xp"
            if not (base in aliases or of_chainer) or not isinstance(node.ctx, ast.Load):
                continue
            text = mend[len(sign) :] if number else _attribute(use, base, place, name, tree)
            if text is None:
                continue
            edit = _edit(node, f"({sign}{text})" if sign else text, lines)
            if lines[edit.line - 1][edit.start : edit.end] == f"{base}.{use.name}":
                yield edit
        elif isinstance(node, ast.ImportFrom) and node.module == use.module and not node.level:
            names = [alias.name for alias in node.names]
            here = DROPPED[use.module]
            if use.name in names and all(_is_name(here[n].mend) for n in lent_there):
                edit = _edit(node, _imports(node, lent_there), lines)
                if lines[edit.line - 1][edit.start :].startswith("from "):
                    yield edit


def _attribute(use: Use, base: str, place: str, name: str, tree: ast.Module) -> Optional[str]:
    """What to write for an attribute of ``base``, a source's name of a module, whose new name is of
    the module ``place``, or Python's; None where the source cannot reach it as it is."""
    if f"{place}.".startswith(f"{use.module}."):
        return f"{base}{place[len(use.module) :]}.{name}"
    if not place:
        return None if _binds(name, tree) else name
    imported = {
        alias.name
        for node in tree.body  # and not in functions, whose names are their own
        if isinstance(node, ast.Import) and node.lineno < use.line
        for alias in node.names
        if alias.asname is None
    }
    needed = "numpy" if place == "numpy.emath" else place
    return f"{place}.{name}" if needed in imported else None


def _is_name(text: str) -> bool:
    return all(word.isidentifier() for word in text.split("."))


def _edit(node: Node, text: str, lines: list[str]) -> Edit:
    """Of a node on one line; its columns are counted in bytes of UTF-8."""
    line = lines[node.lineno - 1].encode()
    ends = node.col_offset, node.end_col_offset or 0
    start, end = (len(line[:column].decode(errors="replace")) for column in ends)
    return Edit(node.lineno, start, end, text)


def _imports(node: ast.ImportFrom, lent: set[str]) -> str:
    """``from module import ...`` with today's names for those that were lent."""
    by_place: dict[str, list[str]] = {}
    for alias in node.names:
        path = f"{node.module}.{alias.name}"
        if alias.name in lent:
            path = DROPPED[node.module or ""][alias.name].mend
        place, _, name = path.rpartition(".")
        as_name = alias.asname or alias.name
        word = name if name == as_name else f"{name} as {as_name}"
        by_place.setdefault(place or "builtins", []).append(word)
    return "; ".join(f"from {place} import {', '.join(names)}" for place, names in by_place.items())


def _aliases(module: str, tree: ast.Module) -> set[str]:
    """What a source calls a module."""
    found = set()
    parent, _, last = module.rpartition(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname or each.name for each in node.names if each.name == module}
        elif isinstance(node, ast.ImportFrom) and node.module == parent and not node.level:
            found |= {each.asname or each.name for each in node.names if each.name == last}
    for node in ast.walk(tree):  # N = np
        if isinstance(node, ast.Assign) and ast.unparse(node.value) in found:
            found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return found


def _binds(name: str, tree: ast.Module) -> bool:
    """Whether a source gives a name of Python's another meaning."""
    assert hasattr(builtins, name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
            return True
        if name in (getattr(node, "arg", None), getattr(node, "name", None)):
            return True
        if isinstance(node, ast.alias) and name == (node.asname or node.name):
            return True
    return False


def _diff(file: str, mended: Optional[tuple[str, str, str]], shown: str) -> bytes:
    """A unified diff, in the file's own encoding and with its line ends."""
    if mended is None:
        return b""
    encoding, old, new = mended
    old_lines, new_lines = (list(io.StringIO(text, newline="")) for text in (old, new))
    parts = []
    for line in difflib.unified_diff(old_lines, new_lines, f"{shown}\t", f"{shown}\t"):
        whole = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        is_head = line.startswith((f"--- {shown}\t", f"+++ {shown}\t"))
        parts.append(os.fsencode(whole) if is_head else whole.encode(encoding))
    return b"".join(parts)
