"""What is saved, when, and what becomes of it where something goes wrong meanwhile."""

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from chainer_vae import Config, InputError, NonFiniteLossError, Run
from chainer_vae.cli import main
from chainer_vae.runs import checkpoints, files, load_log, load_snapshots
from chainer_vae.runs import run as run_module
from chainer_vae.runs.interrupt import ENDING, StopSignals, exit_by_signals

pytestmark = pytest.mark.usefixtures("signals")

SMALL = dict(dimz=3, dim_h=16, batchsize=100, seed=5, epoch=4)
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


def config(small_set, **changes):
    return Config(**{**SMALL, "dataset": str(small_set), **changes})


def finish(run, on_step=lambda: None):
    return list(run.train(on_step))


def names(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def parameters(folder):
    return checkpoints.load_npz(folder / "mlp_3.model")


def assert_same_files(folder, other):
    for name in ("mlp_3.model", "mlp_3.state"):
        found, expected = (checkpoints.load_npz(f / name) for f in (folder, other))
        assert found.keys() == expected.keys()
        for key in found:
            if key not in ("training/elapsed", "training/log"):
                np.testing.assert_array_equal(found[key], expected[key], err_msg=key)
    logs = [
        [{**entry, "elapsed_time": 0} for entry in load_log(f / "log")] for f in (folder, other)
    ]
    assert logs[0] == logs[1]


@pytest.fixture
def whole(small_set, tmp_path):
    """An uninterrupted run."""
    finish(Run.start(config(small_set), tmp_path / "whole"))
    return tmp_path / "whole"


# A new run


class Full:
    """A disk that gets full with the n-th file that is put on it."""

    def __init__(self, monkeypatch, n):
        self.left = n
        self.fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.fsync(descriptor)


@pytest.mark.parametrize("n", range(20))
def test_a_new_run_appears_whole_or_not_at_all(n, small_set, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    Full(monkeypatch, n)
    try:
        Run.start(config(small_set, snapshots=True), folder)
    except InputError as error:
        assert "No space left" in str(error)
        assert not folder.exists() or (folder / "config.json").exists()
    else:
        assert n >= 12  # as many files and folders are put on the disk, at least
        assert [epoch for epoch, _ in load_snapshots(folder)] == [0]
    monkeypatch.undo()
    if not folder.exists():
        Run.start(config(small_set, snapshots=True), folder)
    assert Run.resume(folder).steps_done == 0


def test_what_a_killed_start_left_does_not_count(small_set, tmp_path, whole):
    folder = tmp_path / "run"
    Run.start(config(small_set, dimz=2, snapshots=True), folder)
    os.rename(folder / "config.json", folder / ".config.json.starting")  # the last thing is undone
    (folder / ".mlp_3.state.0a1b2c3d").write_text("half")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no run"):
        Run.resume(folder)
    finish(Run.start(config(small_set), folder))
    assert_same_files(folder, whole)
    assert "notes.txt" in names(folder)
    assert set(names(folder)) - set(names(whole)) == {"notes.txt"}


def test_what_a_killed_start_left_excuses_no_other_file(small_set, tmp_path):
    folder = tmp_path / "run"
    Run.start(config(small_set, dimz=2), folder)
    os.rename(folder / "config.json", folder / ".config.json.starting")
    (folder / "mlp_3.model").write_text("mine")
    with pytest.raises(InputError, match=r"already holds a file mlp_3\.model"):
        Run.start(config(small_set), folder)
    assert (folder / "mlp_3.model").read_text() == "mine"
    assert "mlp_2.state" in names(folder)


def test_settings_with_snapshots_are_a_run(small_set, tmp_path):
    folder = tmp_path / "run"
    Run.start(config(small_set, snapshots=True), folder)
    for name in ("mlp_3.model", "mlp_3.state", "log"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"already holds a run: it has no \.state"):
        Run.start(config(small_set), folder)
    assert "snapshots/epoch_0.model" in names(folder)


def test_settings_alone_are_no_run(small_set, tmp_path):
    """As a full disk left them, when config.json was written first."""
    Run.start(config(small_set), tmp_path / "run")
    for name in ("mlp_3.model", "mlp_3.state", "log"):
        (tmp_path / "run" / name).unlink()
    finish(Run.start(config(small_set), tmp_path / "run"))
    # But a published model is one.
    (tmp_path / "run" / "mlp_3.state").unlink()
    with pytest.raises(InputError, match=r"already holds a run: it has no \.state to resume from"):
        Run.start(config(small_set), tmp_path / "run")


def test_snapshots_of_another_run_are_not_mixed_in(small_set, tmp_path):
    (tmp_path / "run" / "snapshots").mkdir(parents=True)
    (tmp_path / "run" / "snapshots" / "epoch_2.model").write_text("precious")
    with pytest.raises(InputError, match="already holds snapshots of a run"):
        Run.start(config(small_set), tmp_path / "run")


def test_a_run_takes_its_snapshots_along(small_set, tmp_path, whole):
    finish(Run.start(config(small_set, snapshots=True, epoch=2), tmp_path / "a"))
    run = Run.resume(tmp_path / "a", tmp_path / "b", epoch=4)
    assert [epoch for epoch, _ in load_snapshots(tmp_path / "b")] == [0, 1, 2]
    finish(run)
    assert [epoch for epoch, _ in load_snapshots(tmp_path / "b")] == [0, 1, 2, 3]
    assert [epoch for epoch, _ in load_snapshots(tmp_path / "a")] == [0, 1, 2]
    assert_same_files(tmp_path / "b", whole)


@POSIX
@pytest.mark.parametrize(
    "name", ["log", "mlp_3.model", "mlp_3.state", "graph.dot", "config.json", "snapshots"]
)
def test_no_link_is_written_through(name, small_set, tmp_path):
    """A folder from elsewhere could have the user's own files overwritten by resuming it."""
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    finish(Run.start(config(small_set, epoch=1, snapshots=True), folder))
    os.rename(folder / name, elsewhere)
    (folder / name).symlink_to(elsewhere)
    before = names(elsewhere) if name == "snapshots" else elsewhere.read_bytes()
    message = f"{name} is a link, and what it leads to would be overwritten: put a copy there"
    with pytest.raises(InputError, match=message):
        finish(Run.resume(folder, epoch=2))
    assert before == (names(elsewhere) if name == "snapshots" else elsewhere.read_bytes())
    (tmp_path / "linked").symlink_to(folder)  # that is the user's own
    (folder / name).unlink()
    os.rename(elsewhere, folder / name)
    finish(Run.resume(tmp_path / "linked", epoch=2))


# A save


def test_a_state_is_enough_to_resume(small_set, tmp_path, whole, each_epoch):
    """Files copied from a folder that was being written: any mixture of old and new."""
    old, new = tmp_path / "old", tmp_path / "new"
    finish(Run.start(config(small_set, epoch=2), old))
    shutil.copytree(old, new)
    finish(Run.resume(new, epoch=3))
    for mixture in range(16):
        folder = tmp_path / f"mixture{mixture}"
        shutil.copytree(old, folder)
        for bit, name in enumerate(("config.json", "log", "mlp_3.model", "mlp_3.state")):
            if mixture >> bit & 1:
                shutil.copy(new / name, folder / name)
        finish(Run.resume(folder, epoch=4))
        assert_same_files(folder, whole)


@pytest.mark.parametrize("fault", ["old", "cut off", "missing"])
@pytest.mark.parametrize("name", ["log", "mlp_3.model"])
def test_resuming_a_finished_run_mends_its_other_files(fault, name, small_set, tmp_path, whole):
    folder = tmp_path / "run"
    finish(Run.start(config(small_set, epoch=3), folder))
    old = (folder / name).read_bytes()
    finish(Run.resume(folder, epoch=4))
    (folder / name).unlink()
    if fault != "missing":
        (folder / name).write_bytes(old if fault == "old" else old[:-30])
    assert finish(Run.resume(folder)) == []
    assert_same_files(folder, whole)


def test_short_epochs_are_saved_once_a_second(small_set, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "SAVE_INTERVAL", 1000)
    run = Run.start(config(small_set), tmp_path / "run")
    for _ in run.train():
        if run.epoch == 2:
            assert Run(run.config, run.folder, run_module.load_data(run.config)).epoch == 0
            assert run.saved_step == 0
    assert run.saved_step == 4 * 3
    run = Run.resume(tmp_path / "run", epoch=9)
    for _ in run.train():
        break  # here, the caller stops
    assert Run.resume(tmp_path / "run").epoch == 5


@POSIX
def test_names_are_put_on_the_disk_too(small_set, tmp_path, monkeypatch, each_epoch):
    """A file that was written whole may be gone after a power cut, if its folder was not synced."""
    order = []
    for function in ("fsync", "replace"):
        original = getattr(os, function)

        def noted(first, *rest, function=function, original=original):
            is_folder = function == "fsync" and stat.S_ISDIR(os.fstat(first).st_mode)
            order.append("folder" if is_folder else function)
            return original(first, *rest)

        monkeypatch.setattr(os, function, noted)
    run = Run.start(config(small_set, epoch=1), tmp_path / "a" / "b")
    assert order[:2] == ["folder", "folder"]  # a, and b in it
    order.clear()
    run.save()
    assert order == ["fsync", "replace", "folder"] * 3


def test_a_save_is_done_with_its_state(small_set, tmp_path, monkeypatch):
    """The .model and the log are there for others, and never older than it."""
    run = Run.start(config(small_set), tmp_path / "run")
    replace, written = os.replace, []
    monkeypatch.setattr(
        os, "replace", lambda old, new: written.append(Path(new).name) or replace(old, new)
    )
    run.save()
    assert written == ["mlp_3.model", "log", "mlp_3.state"]


def test_half_written_files_are_removed(small_set, tmp_path, each_epoch):
    folder = tmp_path / "run"
    Run.start(config(small_set, snapshots=True), folder)
    expected = names(folder)
    left = [
        ".mlp_3.state.0a1b2c3d",
        ".log.00000000",
        ".graph.dot.abcdef12",
        ".config.json.12345678",
    ]
    left += ["snapshots/.epoch_3.model.0a1b2c3d"]
    for name in left:
        (folder / name).write_text("half")
    (folder / ".mine.0a1b2c3d").write_text("mine")
    Run.resume(folder)
    assert names(folder) == sorted([*expected, ".mine.0a1b2c3d"])
    # Elsewhere, those that nobody can be writing any more.
    for age, name in ((0, ".page.html.0a1b2c3d"), (7200, ".page.html.0a1b2c3e")):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    files.save_text(tmp_path / "page.html", "whole")
    assert sorted(f.name for f in tmp_path.glob(".page*")) == [".page.html.0a1b2c3d"]


def test_a_folder_deleted_meanwhile_is_written_anew(small_set, tmp_path, whole, each_epoch):
    run = Run.start(config(small_set), tmp_path / "run")
    for _ in run.train():
        if run.epoch == 2:
            shutil.rmtree(tmp_path / "run")
    assert_same_files(tmp_path / "run", whole)
    assert finish(Run.resume(tmp_path / "run")) == []


@POSIX
def test_ctrl_c_after_a_file_was_replaced(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(*args):
        replace(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.save_text(tmp_path / "file", "whole")
    assert names(tmp_path) == ["file"]


# Numbers


def test_numbers_that_are_not_finite_replace_nothing(small_set, tmp_path):
    """C of 1e30: Adam's moments overflow while the losses are finite."""
    run = Run.start(config(small_set, C=1e30, epoch=2), tmp_path / "run")
    before = {f: (tmp_path / "run" / f).read_bytes() for f in ("mlp_3.model", "mlp_3.state")}
    with pytest.raises(
        NonFiniteLossError, match=r"/v is not finite after step .*state after step 0"
    ):
        finish(run)
    assert before == {f: (tmp_path / "run" / f).read_bytes() for f in before}


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_ctrl_c_saves_no_numbers_that_are_not_finite(number, small_set, tmp_path, monkeypatch):
    run = Run.start(config(small_set), tmp_path / "run")

    def poison_and_stop():
        run.model.ld3.b.array[0] = number
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(
        NonFiniteLossError, match=r"model/ld3/b is not finite after step 1; .* step 0"
    ):
        finish(run, poison_and_stop)
    assert finish(Run.resume(tmp_path / "run"))


def test_after_a_save_that_is_not_finite_nothing_goes_on(small_set, tmp_path, monkeypatch):
    """As after such a loss; not to the end of the training, with nothing saved."""
    monkeypatch.setattr(run_module, "SAVE_INTERVAL", 0)
    run = Run.start(config(small_set, C=1e30), tmp_path / "run")
    for go_on in (lambda: finish(run), lambda: finish(run), run.save):
        with pytest.raises(NonFiniteLossError, match=r"/v is not finite after step 3"):
            go_on()
    assert (run.epoch, run.saved_step) == (1, 0)


def test_a_snapshot_is_finite_too(small_set, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "SAVE_INTERVAL", 1000)
    run = Run.start(config(small_set, snapshots=True), tmp_path / "run")
    test = run._test

    def poison_after_the_test():
        losses = test()
        run.model.ld3.b.array[0] = np.nan
        return losses

    monkeypatch.setattr(run, "_test", poison_after_the_test)
    with pytest.raises(NonFiniteLossError, match=r"^ld3/b is not finite after step 3"):
        finish(run)
    assert [epoch for epoch, _ in load_snapshots(tmp_path / "run")] == [0]


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_after_a_loss_that_is_not_finite_nothing_goes_on(engine, small_set, tmp_path):
    run = Run.start(config(small_set, engine=engine), tmp_path / "run")
    bias = run.model.ld3.b.array[0]

    def poison():
        if run.optimizer.t == 2:
            run.model.ld3.b.array[0] = np.nan

    with pytest.raises(NonFiniteLossError) as first:
        finish(run, poison)
    run.model.ld3.b.array[0] = bias  # what had been drawn for the step is gone
    for go_on in (lambda: finish(run), run.save):
        with pytest.raises(NonFiniteLossError) as again:
            go_on()
        assert str(again.value) in str(first.value)


# Two programs


def test_two_starts_in_one_folder(small_set, tmp_path):
    first = Run.start(config(small_set), tmp_path / "run")
    for entry in first.train():
        if entry["epoch"] == 1:
            for second in (
                lambda: Run.start(config(small_set, seed=6), tmp_path / "run"),
                lambda: Run.resume(tmp_path / "run"),
                lambda: Run.resume(tmp_path / "run", epoch=9),
            ):
                with pytest.raises(InputError, match=r"already holds a run|by another Run"):
                    second()
    assert first.saved_step == 4 * 3


def test_two_resumed_runs(small_set, tmp_path):
    finish(Run.start(config(small_set, epoch=1), tmp_path / "run"))
    first, second = (Run.resume(tmp_path / "run", epoch=n) for n in (2, 3))
    for go_on in (lambda: finish(first), first.save):
        with pytest.raises(InputError, match=r"another program has saved the run in .* since"):
            go_on()
    finish(second)
    second.save()
    assert Run.resume(tmp_path / "run").epoch == 3
    Run.resume(tmp_path / "run")  # without a change: it writes nothing
    second.save()


COMMAND = [sys.executable, "-m", "chainer_vae", "train"]
SETTINGS = ["--dimz", "3", "--dim-h", "16", "--seed", "5"]


def wait_for(condition, process, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def trained(folder, epochs=1):
    return lambda: (folder / "log").exists() and len(load_log(folder / "log")) >= epochs


@pytest.fixture
def training(small_set, tmp_path, start):
    """The command, while it trains into tmp_path / "run"."""
    process = start(
        [*COMMAND, "--dataset", str(small_set), *SETTINGS, "--epoch", "100000", "--out", "run"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(trained(tmp_path / "run"), process)
    return process


def test_two_commands_in_one_folder(training, tmp_path, capsys):
    for args in (["--resume", "run"], ["--resume", "run", "--epoch", "200000"]):
        assert main(["train", *args[:1], str(tmp_path / "run"), *args[2:]]) == 2
        err = capsys.readouterr().err
        assert f"run is in use by process {training.pid} on " in err and err.count("\n") == 1
    training.kill()  # the lock goes with it, its other files are taken over
    training.wait()
    run = Run.resume(tmp_path / "run")
    assert run.epoch >= 1
    finish(Run.resume(tmp_path / "run", epoch=run.epoch + 1))
    assert names(tmp_path / "run") == [
        ".lock", "config.json", "graph.dot", "log", "mlp_3.model", "mlp_3.state",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOLCK, "No locks available"), NotImplementedError("No locks available")],
)
def test_a_folder_that_cannot_be_locked(error, tmp_path, monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("filelock.FileLock.acquire", fail)
    assert main(["train", "--test", "--out", str(tmp_path / "run")]) == 2
    message = f"chainer-vae: error: cannot lock {tmp_path / 'run'}: No locks available\n"
    assert capsys.readouterr().err == message
    assert not (tmp_path / "run").exists()


@POSIX
def test_a_lock_of_another_user(small_set, tmp_path, monkeypatch):
    Run.start(config(small_set), tmp_path / "run")

    def fail(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", fail)
    message = r"run: its \.lock is another user's; delete it if nobody trains this run$"
    with pytest.raises(InputError, match=message):
        Run.resume(tmp_path / "run", epoch=9)


# Signals


@POSIX
@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_signals_end_the_command_saved(name, code, training, small_set, tmp_path):
    training.send_signal(getattr(signal, name))
    out, err = training.communicate(timeout=60)
    assert (training.returncode, err) == (code, "")
    last = out.splitlines()[-1]
    assert last.startswith("stopped after step ") and last.endswith(" train --resume run")
    run = Run.resume(tmp_path / "run")
    assert run.steps_done == int(last.split()[3].rstrip(","))
    epochs = run.epoch + 2
    finish(Run.resume(tmp_path / "run", epoch=epochs))
    finish(Run.start(config(small_set, epoch=epochs), tmp_path / "whole"))
    assert_same_files(tmp_path / "run", tmp_path / "whole")


@pytest.mark.skipif(
    not shutil.which("unshare") or os.name != "posix" or os.geteuid() != 0,
    reason="only root can be process 1",
)
def test_sigterm_to_process_1(small_set, tmp_path, start):
    """As of a container: what it does not handle is ignored."""
    process = start(
        ["unshare", "--pid", "--fork", "--kill-child", *COMMAND, "--dataset", str(small_set),
         *SETTINGS, "--epoch", "100000", "--out", "run"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(trained(tmp_path / "run"), process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    (child,) = children.read_text().split()
    os.kill(int(child), signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "")
    assert "and saved; resume with: " in out


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_program_of_its_own_once_the_run_is_saved(number, small_set, tmp_path):
    run = Run.start(config(small_set), tmp_path / "run")
    passed_on = []
    previous = signal.signal(number, lambda *args: passed_on.append(run.saved_step))
    try:
        finish(run, lambda: run.steps_done == 3 and signal.raise_signal(number))
    finally:
        signal.signal(number, previous)
    assert run.interrupted and passed_on == [run.steps_done] and run.steps_done < 12


def test_commands_end_by_a_signal_with_its_exit_code():
    for number in ENDING:
        with pytest.raises(SystemExit) as ended, exit_by_signals():
            signal.raise_signal(number)
        assert ended.value.code == 128 + number
        assert signal.getsignal(number) == signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # nohup
        try:
            with exit_by_signals(), StopSignals() as stop:
                signal.raise_signal(number)
            assert stop.signal is None
        finally:
            signal.signal(number, signal.SIG_DFL)


def test_ctrl_c_is_the_callers_between_epochs(small_set, tmp_path):
    run = Run.start(config(small_set), tmp_path / "run")
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        for _ in run.train():
            assert signal.getsignal(signal.SIGINT) == handler
            signal.raise_signal(signal.SIGINT)
    assert Run.resume(tmp_path / "run").epoch == 1


def test_a_training_closed_by_another_thread(small_set, tmp_path):
    run = Run.start(config(small_set), tmp_path / "run")
    handler = signal.getsignal(signal.SIGINT)
    epochs = run.train()
    next(epochs)
    thread = threading.Thread(target=epochs.close)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) == handler
    assert Run.resume(tmp_path / "run").epoch == 1


def test_ctrl_c_while_a_line_is_printed(small_set, tmp_path, monkeypatch, capsys):
    """Between two epochs, where the signal is not the training's."""
    monkeypatch.setattr(
        "chainer_vae.cli.train._losses_in_words", lambda entry: signal.raise_signal(signal.SIGINT)
    )
    args = ["--dataset", str(small_set), "--epoch", "3", *SETTINGS, "--out", str(tmp_path / "run")]
    assert main(["train", *args]) == 130
    out = capsys.readouterr().out.splitlines()
    assert out[-1].startswith(
        "stopped after step 3, at the end of epoch 1, and saved; resume with:"
    )
    assert Run.resume(tmp_path / "run").epoch == 1


@POSIX
@pytest.mark.parametrize("imported", ["chainer_vae.version", "logging", "chainer"])
@pytest.mark.parametrize("way", ["module", "command"])
def test_ctrl_c_while_the_command_is_imported(way, imported, tmp_path, start):
    """A module that is imported with the package interrupts its own program."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == {imported!r}:\n"
        "            import os, signal\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    command = [sys.executable, "-m", "chainer_vae"]
    if way == "command":
        script = tmp_path / "chainer-vae"
        script.write_text("import sys\nfrom chainer_vae.cli import main\nsys.exit(main())\n")
        command = [sys.executable, str(script)]
    paths = [str(tmp_path), *sys.path]
    process = start(
        [*command, "doctor"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )  # fmt: skip
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode in (-signal.SIGINT, 130)
    # Another program keeps its traceback.
    script = tmp_path / "mine.py"
    script.write_text("import chainer_vae")
    process = start(
        [sys.executable, str(script)], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )  # fmt: skip
    assert process.communicate(timeout=60)[1].endswith("KeyboardInterrupt\n")


# Long runs


def test_the_log_does_not_grow_to_matter(tiny_set, tmp_path):
    """What is written for 3,000 epochs: the log is rewritten at most once a second."""
    run = Run.start(Config(dimz=2, dim_h=2, epoch=100, dataset=tiny_set), tmp_path / "run")
    saves = []
    save = run._save_files
    run._save_files = lambda: (saves.append(run.epoch), save())
    started = time.monotonic()
    finish(run)
    assert len(saves) <= time.monotonic() - started + 2
    assert json.loads((tmp_path / "run" / "log").read_text())[-1]["epoch"] == 100
