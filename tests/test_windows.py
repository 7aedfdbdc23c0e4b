"""What differs on Windows, as far as another system can show it."""

import ast
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from chainer_vae import InputError, cli, figures, shell
from chainer_vae.cli.progress import Progress
from chainer_vae.explorer import content
from chainer_vae.runs import files, run
from chainer_vae.runs.interrupt import StopSignals

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "chainer_vae"


class InUse(PermissionError):
    """What os.replace raises on Windows where another program has one of the files open."""

    def __init__(self, winerror):
        super().__init__(13, "Access is denied")
        self.winerror = winerror


@pytest.fixture
def in_use(monkeypatch):
    """A function that makes the next calls of os.replace fail; it returns the list of all calls."""

    def begin(failures, error):
        calls = []
        replace = os.replace

        def failing(*args):
            calls.append(args)
            if len(calls) <= failures:
                raise error
            replace(*args)

        monkeypatch.setattr(os, "replace", failing)
        monkeypatch.setattr(files, "PATIENCE", 0.5)
        return calls

    return begin


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_a_file_in_use_for_a_moment(tmp_path, in_use, winerror):
    """By a virus scanner, for example: it is replaced once it is free."""
    file = tmp_path / "file"
    file.write_text("old")
    calls = in_use(3, InUse(winerror))
    files.save_text(file, "new")
    assert file.read_text() == "new"
    assert len(calls) == 4
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_stays_in_use(tmp_path, in_use):
    file = tmp_path / "file"
    file.write_text("old")
    in_use(1000, InUse(32))
    with pytest.raises(InputError, match=r"cannot write .*file: Access is denied; .*close it"):
        files.save_text(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_lack_of_permission_is_said_at_once(tmp_path, in_use):
    calls = in_use(1000, PermissionError(13, "Permission denied"))
    with pytest.raises(InputError, match=r"cannot write .*file: Permission denied$"):
        files.save_text(tmp_path / "file", "new")
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_leftover_that_cannot_be_removed_hides_no_reason(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Access is denied")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "unlink", refuse)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        files.save_text(tmp_path / "file", "new")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    "command",
    [
        ["train", "--resume", "run", "--epoch", "3"],
        ["projector", "run", "--out", "out"],
        pytest.param(
            ["figures", "--out", "out", "--run-z2", "run", "--only", "network", "interp-0-7-anim"],
            marks=pytest.mark.slow,
        ),
        pytest.param(["explore", "--run-z2", "run"], marks=pytest.mark.slow),
    ],
    ids=lambda command: command[0],
)
def test_no_file_is_replaced_while_it_is_open_here(tmp_path, monkeypatch, command):
    replaced = []

    def checked(function):
        def call(*args):
            held = {os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
            mapped = Path("/proc/self/maps").read_text()
            for path in map(os.path.realpath, args):
                assert path not in held
                assert f" {path}\n" not in mapped
            replaced.append(Path(args[-1]).name)
            return function(*args)

        return call

    for name in ("replace", "rename", "unlink", "remove"):
        monkeypatch.setattr(os, name, checked(getattr(os, name)))
    monkeypatch.setattr(run, "SAVE_INTERVAL", 0)
    monkeypatch.chdir(tmp_path)
    train = ["train", "--test", "--dimz", "2", "--epoch", "2", "--snapshots", "--out", "run"]
    assert cli.main(train) == 0
    assert replaced.count("mlp_2.model") == 3
    Path("explorer.html").write_text("an old one")
    for _ in range(1 if command[0] == "explore" else 2):  # it takes a while
        assert cli.main(command) == 0
    assert {"train": "log", "projector": "sprite.png", "figures": "index.html"}.get(
        command[0], "explorer.html"
    ) in replaced


def modules(*more):
    for file in (*sorted(PACKAGE.rglob("*.py")), *more):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    """One attempt.  Of Python's temporary files, those before 3.13 try 2 billion names there."""
    opened = []

    def refuse(file, *args):
        opened.append(file)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(InputError, match=r"cannot write .*file: Permission denied$"):
        files.save_text(tmp_path / "file", "new")
    assert len(opened) == 1
    for file, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names}
                if getattr(node, "module", "") == "tempfile":
                    assert names == {"gettempdir"}, file
                assert "tempfile" not in names, file


# Windows opens a device for these names, whatever the suffix.
RESERVED = {"con", "prn", "aux", "nul"} | {
    f"{name}{i}" for name in ("com", "lpt") for i in range(10)
}


def test_file_names():
    """Those of the figures and of the package's own files are possible everywhere, and differ by
    more than their case."""
    drawn = [spec.file_name(suffix) for spec in figures.all_figures() for suffix in ("png", "pdf")]
    stills = [name for name in drawn if not name.endswith(".gif")]
    animations = {name for name in drawn if name.endswith(".gif")}
    own = [str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*") if file.is_file()]
    for names in ([*stills, *animations, "index.html", "network.dot"], own):
        assert len({name.lower() for name in names}) == len(names)
        for name in names:
            assert len(name) < 80  # of 260, which include the folder
            for part in Path(name).parts:
                assert not set(part) & set('<>:"/\\|?*'), name
                assert part.isascii() and part.isprintable() and part[-1] not in " .", name
                assert part.split(".")[0].lower() not in RESERVED, name


CLOSED_PIPE = """
import signal
import subprocess
import sys
from chainer_vae import cli

def run(args):
    raise OSError(22, "Invalid argument")

sys.platform = sys.argv[1]
cli.doctor.run = run
sys.exit(cli.main(["doctor"]))
"""


@pytest.mark.parametrize(("platform", "code"), [("win32", 1), ("linux", 2)])
def test_nobody_reads_the_output(platform, code):
    """Windows has another error for a closed pipe."""
    command = [sys.executable, "-c", CLOSED_PIPE, platform]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = "chainer-vae: error: [Errno 22] Invalid argument\n"
    assert (result.returncode, result.stderr) == (code, said if code == 2 else "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("path", ["a", "my runs/新しい フォルダ 1", "it's", "$HOME;`x`&(1)", 'a"b'])
def test_a_command_in_a_message(path):
    """A shell takes it apart into the same words."""
    line = shell.command(sys.executable, "-c", "import sys; print(sys.argv[1:])", Path(path))
    result = subprocess.run(["sh", "-c", line], capture_output=True, encoding="utf-8")
    assert (result.stdout, result.stderr) == (f"{[path]}\n", "")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["chainer-vae", "train", "--resume", r"runs\z20-seed0"], None),
        (["chainer-vae", "train", "--resume", r"D:\学習\z20"], None),
        (["a", r"C:\新しい フォルダ 1\run"], r"a 'C:\新しい フォルダ 1\run'"),
        (["a", "--resume", Path("-run")], "a --resume ./-run"),
        (["a", "it's", "it’s", "b(1)", "c&d"], "a 'it''s' 'it’’s' 'b(1)' 'c&d'"),
        (["a", r"\\server\c$\runs", "$HOME", "`n"], r"a '\\server\c$\runs' '$HOME' '`n'"),
        ([r"C:\Program Files\python.exe", "-m", "a"], r"& 'C:\Program Files\python.exe' -m a"),
    ],
)
def test_a_command_in_a_message_on_windows(monkeypatch, words, line):
    monkeypatch.setattr(sys, "platform", "win32")
    assert shell.command(*words) == (line or " ".join(words))


@pytest.mark.parametrize(
    ("argv0", "line"),
    [
        ("/x/env/bin/chainer-vae", "/x/env/bin/chainer-vae doctor"),
        ("/x/my env/Scripts/chainer-vae.exe", "'/x/my env/Scripts/chainer-vae.exe' doctor"),
        ("/x/chainer_vae/__main__.py", "'/x y/python' -m chainer_vae doctor"),
    ],
)
def test_the_programs_own_name(monkeypatch, argv0, line):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [argv0])
    monkeypatch.setattr(sys, "executable", "/x y/python")
    assert shell.chainer_vae("doctor") == line


def test_messages_quote_the_paths_in_commands(tmp_path, monkeypatch, capsys, signals):
    monkeypatch.chdir(tmp_path)
    train = ["train", "--test", "--dimz", "2", "--epoch", "1", "--out", "my run"]
    assert cli.main(train) == 0
    assert cli.main(train) == 2
    assert "resume it with --resume 'my run', choose" in capsys.readouterr().err
    assert cli.main(["projector", "my run", "--out", "学習 1"]) == 0
    assert "  tensorboard --logdir '学習 1'\n" in capsys.readouterr().out
    interrupted = ["train", "--resume", "my run", "--epoch", "5"]
    monkeypatch.setattr(cli.train, "Progress", InterruptingBar)
    assert cli.main(interrupted) == 130
    assert " train --resume 'my run'\n" in capsys.readouterr().out


class InterruptingBar(Progress):
    """A progress bar that presses Ctrl-C at the first step."""

    def update(self):
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # once
            signal.raise_signal(signal.SIGINT)


def names_no_encoding(call):
    """Whether a call opens text, and leaves its encoding to the system."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    keywords = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
    if "encoding" in keywords:
        return False
    values = [getattr(arg, "value", None) for arg in call.args]
    method = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") != "io"
    if name in ("open", "fdopen"):
        mode = keywords.get("mode", values[0 if method else 1] if len(values) > 1 - method else "r")
        return not isinstance(mode, str) or "b" not in mode
    if name in ("read_text", "write_text"):
        return len(values) < (1 if name == "read_text" else 2)
    return keywords.get("text") is True or keywords.get("universal_newlines") is True


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, mode)", True),
        ("path.open()", True),
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("subprocess.run(command, text=True)", True),
        ("open(path, 'rb')", False),
        ("path.open('wb')", False),
        ("open(path, encoding='utf-8')", False),
        ("path.read_text('utf-8')", False),
        ("subprocess.run(command, encoding='utf-8')", False),
    ],
)
def test_what_names_no_encoding(code, expected):
    assert names_no_encoding(ast.parse(code).body[0].value) == expected


def test_text_is_utf_8_on_every_system():
    for file, tree in modules(ROOT / "setup.py", *(ROOT / "scripts").glob("*.py")):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                # Image.open, os.open, webbrowser.open and a zip file's open no text.
                others = isinstance(node.func, ast.Attribute) and node.func.attr == "open"
                owner = getattr(node.func, "value", None)
                name = getattr(owner, "id", "") or getattr(owner, "attr", "")
                others = others and name in ("Image", "os", "webbrowser", "_zip")
                assert others or not names_no_encoding(node), f"{file}:{node.lineno}"


CONSOLE = """
import contextlib, sys
from chainer_vae.cli import COMMANDS, main

for command in ([], ["--help"], *([name, "--help"] for name in COMMANDS)):
    with contextlib.suppress(SystemExit):
        main(command)
train = ["train", "--test", "--dimz", "2", "--dim-h", "9", "--epoch", "1", "--out", "学習 1/z2"]
commands = [
    train, train, ["doctor"], ["figures", "--list", "--lang", "ja"], ["evaluate", "学習 1/z2"],
    ["projector", "学習 1/z2", "--out", "投影 1"], ["sample", "学習 1/z2", "--out", "画像 1.png"],
    ["reconstruct", "学習 1/z2", "--out", "画像 1.png"],
    ["encode", "学習 1/z2", "--out", "潜在 1.csv"], ["evaluate", "無い"],
    ["figures", "--lang", "ja", "--run-z2", "学習 1/z2", "--only", "latent-scatter", "無い"],
]
print([main(command) for command in commands])
print(sys.stdout.encoding, sys.stderr.encoding)
"""


@pytest.mark.parametrize(
    "encoding",
    ["cp437", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cp932", "cp1252"))],
)
def test_consoles(tmp_path, encoding):
    """What cannot be printed is printed as an escape."""
    env = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    (tmp_path / "program.py").write_text(CONSOLE, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path, env=env, capture_output=True, encoding=encoding,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    *_, codes, encodings = result.stdout.splitlines()
    assert (codes, encodings) == ("[0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 2]", f"{encoding} {encoding}")
    name, chosen = (
        ("学習 1", "無い") if encoding == "cp932" else (r"\u5b66\u7fd2 1", r"\u7121\u3044")
    )
    assert f"saved in {Path(name) / 'z2'}\n" in result.stdout
    assert f"{chosen}: there is no such figure" in result.stderr
    assert f"{chosen} holds no run" in result.stderr
    assert (tmp_path / "学習 1" / "z2" / "mlp_2.model").is_file()
    assert (tmp_path / "figures" / "index.html").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such name elsewhere")
def test_a_run_in_a_folder_whose_name_is_not_utf_8(tmp_path, monkeypatch):
    """As Shift-JIS names on a Linux machine: the page names it as well as it can."""
    folder = tmp_path / os.fsdecode(b"\x8aw\x8fK 1")
    assert cli.main(["train", "--test", "--epoch", "1", "--out", str(folder)]) == 0
    assert content._about(folder)["name"] == "?w?K 1"
    monkeypatch.chdir(folder)
    assert content._about(".")["name"] == "?w?K 1"


# Takes from this process what Windows has not, and runs one command of the program after another.
# Libraries that work by it here keep it.
WITHOUT_POSIX = """
import builtins, importlib, json, os, pkgutil, select, selectors, signal, sys, types
import matplotlib.backends.backend_agg, multiprocessing.pool, multiprocessing.sharedctypes
import filelock, numpy, PIL.Image, sklearn.datasets, sklearn.manifold, subprocess, threadpoolctl
import tqdm

multiprocessing.set_start_method("fork")  # with which locks, as on Windows, need no other process
locking = [module for name, module in sys.modules.items() if name.startswith("filelock")]
for library, name in (
    (subprocess, "os"), (subprocess, "signal"), (subprocess, "select"), (selectors, "select"),
    *((module, "os") for module in locking if hasattr(module, "os")),
):
    theirs = types.ModuleType(name)
    theirs.__dict__.update(vars(getattr(library, name)))
    setattr(library, name, theirs)
for name in (
    "fcntl grp posix pty pwd readline resource syslog termios tty _posixshmem _posixsubprocess"
).split():
    sys.modules[name] = None
for module, names in {
    os: "WIFEXITED WIFSIGNALED WNOHANG chown chroot ctermid fork forkpty fwalk getegid geteuid"
    " getgid getgrouplist getgroups getloadavg getpgid getpgrp getpriority getresuid getsid getuid"
    " initgroups killpg lchown lockf major makedev memfd_create minor mkfifo mknod nice openpty"
    " pathconf pipe2 posix_fadvise posix_spawn pread pwrite readv sched_getaffinity sched_yield"
    " sendfile setegid seteuid setgid setpgid setpriority setsid setuid statvfs sync sysconf"
    " tcgetpgrp ttyname uname wait wait3 wait4 writev O_ACCMODE O_CLOEXEC O_DIRECTORY O_DSYNC"
    " O_NOFOLLOW O_NONBLOCK O_SYNC",
    signal: "SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP"
    " SIGTTIN SIGUSR1 SIGUSR2 alarm getitimer pause pthread_kill pthread_sigmask setitimer"
    " siginterrupt sigpending sigwait",
    select: "epoll poll",
}.items():
    for name in names.split():
        if hasattr(module, name):  # not each Python has each
            delattr(module, name)

usual_open = builtins.open

def open_of_windows(file, *args, **kwargs):
    ours = sys._getframe(1).f_globals["__name__"].startswith("chainer")
    if ours and str(file).startswith(("/proc", "/dev", "/etc", "/sys")) and file != os.devnull:
        raise FileNotFoundError(2, "No such file or directory", file)
    return usual_open(file, *args, **kwargs)

builtins.open = open_of_windows

import chainer_vae
from chainer_vae.cli import main

for module in pkgutil.walk_packages(chainer_vae.__path__, "chainer_vae."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            assert error.name == "cupy", error
for command in json.loads(sys.argv[1]):
    assert main(command) == 0, command
"""


@pytest.mark.parametrize(
    ("commands", "written"),
    [
        (
            [
                ["doctor"],
                ["train", "--test", "--dimz", "2", "--epoch", "1", "--snapshots", "--out", "run"],
            ],
            "run/mlp_2.model",
        ),
        pytest.param(
            [
                ["train", "--test", "--dimz", "2", "--epoch", "1", "--snapshots", "--out", "run"],
                ["train", "--resume", "run", "--epoch", "2"],
                ["evaluate", "run"],
                ["projector", "run"],
                ["explore"],
                ["figures", "--run-z2", "run", "--only", "network", "latent-scatter"],
            ],
            "figures/network.png",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["some", "most"],
)
def test_without_what_only_posix_systems_have(tmp_path, commands, written):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, json.dumps(commands)],
        cwd=tmp_path, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / written).exists()


@pytest.mark.parametrize("file", ["setup.py", "requirements.lock"])
def test_graphviz_is_installed_wherever_it_has_a_wheel(file):
    """Windows writes the names of processors in its own way."""
    text = (ROOT / file).read_text(encoding="utf-8")
    (text,) = re.findall(r"graphviz-pure.*platform_machine.*'", text)
    marker = Requirement(text).marker
    for machine in ("x86_64", "AMD64", "aarch64", "arm64", "ARM64"):
        assert marker.evaluate({"platform_machine": machine}), machine
    assert not marker.evaluate({"platform_machine": "ppc64le"})


def test_ctrl_c_where_a_program_has_embedded_python(monkeypatch):
    """Its own handler, which Python does not know and could not restore, stays."""
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", None)
    with StopSignals() as stop:
        pass
    assert stop.signal is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", sorted({"spawn", "fork"} & set(multiprocessing.get_all_start_methods()))
)
def test_an_old_program_that_loads_its_data_in_processes(tmp_path, method):
    """Windows and macOS spawn them."""
    program = ROOT / "tests" / "programs" / "multiprocess_iterator.py"
    command = [sys.executable, "-m", "chainer_vae.compat", program, method]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[0.0, 1.0, 4.0, 9.0, 16.0, 25.0]\n"
