"""The command line, run as a user runs it."""

import csv
import json
import os
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from test_windows import InterruptingBar

import chainer_vae as chainer_vae_package
from chainer_vae import (
    Config,
    InputError,
    NonFiniteLossError,
    Run,
    devices,
    encode,
    explorer,
    load_model,
    posterior,
    shell,
)
from chainer_vae.cli import doctor, main
from chainer_vae.datasets import load_data
from chainer_vae.errors import printable
from chainer_vae.likelihood import log_likelihood
from chainer_vae.runs import article_log, checkpoints, load_info

ROOT = Path(__file__).parent.parent
SMALL = ("--dimz", "3", "--dim-h", "16", "--batchsize", "50")


def chainer_vae(*args, cwd, command=(sys.executable, "-m", "chainer_vae")):
    return subprocess.run(
        [*map(str, command), *map(str, args)], cwd=cwd, capture_output=True, text=True
    )


def test_train_evaluate_and_go_on(small_set, tmp_path):
    train = ("train", "--dataset", small_set, *SMALL, "--epoch")
    result = chainer_vae(*train, 2, "--out", "a", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("VAE 784-16-16-3 (softplus), 250 training and 40 test images, seed")
    assert [line[:13] for line in lines[1:4]] == ["engine: fused", "epoch   1  tr", "epoch   2  tr"]
    assert (
        "not comparable with the author's runs: --dimz 3, --dim-h 16, --batchsize 50, --dataset "
        in lines[4]
    )
    assert lines[-1] == "saved in a"

    # The same by the other two names, and then by going on: the same weights and losses.
    script = (sys.executable, ROOT / "scripts" / "train_vae.py")
    result = chainer_vae(*train[1:], 1, "-o", "b", cwd=tmp_path, command=script)
    assert result.returncode == 0, result.stderr
    installed = (Path(sys.executable).parent / "chainer-vae",)
    result = chainer_vae("train", "-r", "b", "-e", 2, cwd=tmp_path, command=installed)
    assert result.returncode == 0, result.stderr
    assert "resuming after epoch 1, step 5" in result.stdout
    a, b = (dict(checkpoints.load_npz(tmp_path / name / "mlp_3.state")) for name in "ab")
    a["training/log"][:, 4] = b["training/log"][:, 4]  # the seconds
    del a["training/elapsed"], b["training/elapsed"]
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)

    result = chainer_vae("evaluate", "a", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    elbo, rec_loss, kl = (float(line.split()[-1]) for line in result.stdout.splitlines()[2:])
    assert elbo == pytest.approx(rec_loss + kl, abs=2e-3)
    log = json.loads((tmp_path / "a" / "log").read_text())
    assert elbo == pytest.approx(log[-1]["validation/main/loss"], rel=0.01)
    assert "-ELBO" in chainer_vae("evaluate", "a", "--k", 2, "--seed", 1, cwd=tmp_path).stdout


def test_default_folder_and_test_option(tmp_path):
    result = chainer_vae("train", "--test", "-e", "1", "--dim-z", "2", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "100 training and 100 test images" in result.stdout
    assert (tmp_path / "runs" / "z2-seed0-test" / "mlp_2.model").exists()


def test_default_folder_of_other_images(small_set, tmp_path, monkeypatch, capsys):
    """It has the data set's name, beside MNIST's."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--dataset", str(small_set), "-e", "1", "--dim-h", "8"]) == 0
    folder = Path("runs") / f"{small_set.name}-z20-seed0"
    assert (folder / "mlp_20.model").exists()
    assert capsys.readouterr().out.splitlines()[-1] == f"saved in {folder}"


def test_article_options(small_set, tmp_path):
    """Every option of Chainer's example, in both spellings."""
    chainer_vae(
        "train", "--dataset", small_set, "-g", "-1", "-e", "1", "-z", "3", "-b", "50", "-o", "a",
        cwd=tmp_path,
    )  # fmt: skip
    model, state = tmp_path / "a" / "mlp_3.model", tmp_path / "a" / "mlp_3.state"
    result = chainer_vae(
        "train", "--dataset", small_set, "--gpu", "-1", "--epoch", "1", "--dim-z", "3",
        "--batch-size", "50", "--initmodel", model, "--resume", state, "--out", "b",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert checkpoints.load_npz(tmp_path / "b" / "mlp_3.state")["t"] == 10


def test_beside_the_article(tmp_path, capsys, monkeypatch):
    """The table at the end of a run with the article's settings, for an epoch that it has."""
    losses = {
        "main/loss": 1.0,
        "main/rec_loss": 2.0,
        "validation/main/loss": 3.0,
        "validation/main/rec_loss": 4.0,
    }

    def train(self, progress):
        self.epoch = self.config.epoch
        self.log.append({**losses, "epoch": self.epoch, "elapsed_time": 1.0})
        yield self.log[-1]

    monkeypatch.setattr(Run, "train", train)
    assert main(["train", "--epoch", "10", "--out", str(tmp_path / "a")]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:16].strip(): line[16:].split() for line in lines if line[:16].strip()}
    assert rows["this run"] == ["1.000", "2.000", "3.000", "4.000"]
    for row, name in (("article, run 1", "article_log"), ("article, run 2", "article_log_run2")):
        with open(ROOT / "chainer_vae" / "data" / f"{name}.csv") as file:
            _, *recorded = list(csv.reader(file))[10]  # a heading, then epochs from 1
        assert [float(v) for v in rows[row]] == pytest.approx(
            [float(v) for v in recorded], abs=5e-4
        )
    assert main(["train", "--epoch", "101", "--out", str(tmp_path / "b")]) == 0
    assert "the author's runs end at epoch 100" in capsys.readouterr().out


def test_article_logs():
    first, second = article_log.load_logs()
    assert list(first) == list(second) == list(range(1, 101))
    assert first[100].test_loss == pytest.approx(97.193, abs=5e-4)
    assert second[100].test_loss == pytest.approx(97.120, abs=5e-4)


def test_without_a_command(tmp_path):
    """The help, as `--help` prints it."""
    result = chainer_vae(cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == chainer_vae("--help", cwd=tmp_path).stdout
    assert result.stdout.startswith("usage: chainer-vae ")
    for command in ("train", "evaluate", "sample", "figures", "explore", "import-torch", "doctor"):
        assert re.search(rf"^    {command} ", result.stdout, re.MULTILINE)


def test_version(tmp_path):
    assert chainer_vae("--version", cwd=tmp_path).stdout == metadata.version("chainer-vae") + "\n"


def test_doctor(tmp_path):
    result = chainer_vae("doctor", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("CPU:          ready (")
    found = dict(line.split(":", 1) for line in lines)
    found = {name: text.strip() for name, text in found.items()}
    assert found["Chainer"] == "7.8.1"
    assert found["NumPy"] == np.__version__
    assert found["chainer-vae"] == chainer_vae_package.__version__
    assert found["BLAS"] and found["CuPy"]
    if devices.gpu_fault(0) is None:
        assert found["--gpu 0"] == "ready"
    else:  # as on a laptop: nothing is broken
        assert found["GPU"].startswith("not available, and not needed; --gpu 0 would say: ")
        # Before the long lists.
        assert list(found).index("GPU") < list(found).index("patched")


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_ctrl_c_and_resume(small_set, tmp_path, start):
    command = [sys.executable, "-m", "chainer_vae", "train", "--dataset", str(small_set), *SMALL]
    process = start(
        [*command, "--epoch", "100000", "--out", "run"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "run" / "log"
    wait_for(lambda: log.exists() and '"epoch": 3' in log.read_text())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    last = out.splitlines()[-1]
    assert last.startswith("stopped after step ") and last.endswith(" train --resume run")
    stopped_at = int(last.split()[3].rstrip(","))
    model, _ = load_model(tmp_path / "run")
    assert all(np.isfinite(p.array).all() for p in model.params())

    epochs = stopped_at // 5 + 2
    resumed = chainer_vae("train", "--resume", "run", "--epoch", epochs, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    whole = chainer_vae(*command[3:], "--epoch", epochs, "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    a, b = (checkpoints.load_npz(tmp_path / name / "mlp_3.model") for name in ("run", "whole"))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_progress_bar_on_a_terminal(small_set, tmp_path, start):
    fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))  # not on Windows
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    process = start(
        [
            sys.executable, "-m", "chainer_vae", "train", "--dataset", str(small_set), *SMALL,
            "--epoch", "30", "--out", "run",
        ],
        cwd=tmp_path, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    seen = b""
    while True:
        if not select.select([leader], [], [], 60)[0]:
            pytest.fail("nothing more is printed")
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    assert process.wait() == 0
    text = seen.decode()
    assert "step/s" in text and "<00:0" in text and "150/150" in text  # speed and time left
    assert sum(part.startswith("epoch ") for part in text.replace("\r", "\n").split("\n")) == 30


# What a user can get wrong: one line, exit code 2


@pytest.fixture
def run_folder(small_set, tmp_path):
    args = ["train", "--dataset", str(small_set), *SMALL, "--epoch", "1", "--out"]
    assert main([*args, str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def assert_one_line(capsys, code, *expected):
    assert code == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("chainer-vae")
    for text in expected:
        assert text in line


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["train", "--epoch", "0"], "epoch must be a whole number from 1 to 1000000, not 0"),
        (["train", "--dimz", "-3"], "dimz must be a whole number from 1"),
        (["train", "--epoch", "many"], "argument --epoch/-e: invalid int value: 'many'"),
        (["train", "--C", "nan"], "C must be a finite number"),
        (["train", "--act", "elu"], "argument --act: invalid choice: 'elu'"),
        (["train", "--epochs", "3"], "unrecognized arguments: --epochs 3; did you mean --epoch?"),
        (["train", "--batch_size=5"], "unrecognized arguments: --batch_size=5; did you mean --bat"),
        (["train", "--c", "2"], "--c 2; did you mean --C?"),
        (["train", "--ep", "3"], "unrecognized arguments: --ep 3; did you mean --epoch?"),
        (["figures", "--onyl", "x"], "--onyl x; did you mean --only?"),
        (["train", "--zzz"], "unrecognized arguments: --zzz (see chainer-vae train --help)"),
        (["evaluate", "a", "b"], "unrecognized arguments: b (see chainer-vae evaluate --help)"),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3; options follow a command"),
        (["trian"], "unknown command 'trian'; did you mean train?"),
        (["train", "--dataset", "nowhere"], "nowhere does not exist"),
        (["train", "--initmodel", "nothing.model"], "there is no file nothing.model"),
        (["train", "--resume", "nothing"], "there is no run nothing"),
        (
            ["train", "--out", ""],
            "argument --out/-o: it must be the path of a file or a folder, not",
        ),
        (
            ["train", "--dataset", ""],
            "argument --dataset: it must be the path of a file or a folder",
        ),
        (["evaluate", ""], "run must be the path of a file or a folder, not ''"),
        (["evaluate", "nothing"], "nothing holds no run: there is no such folder"),
        (["evaluate", "z2", "--iw", "0"], "iw must be a whole number from 1 to 1000000, not 0"),
        (["evaluate", "z2", "--images", "0"], "images must be a whole number from 1 to 10000,"),
        (["evaluate", "z2", "--images", "10001"], "images must be a whole number from 1 to 10000,"),
        (["evaluate", "ae2", "--iw", "5"], "an autoencoder draws no samples: leave out --iw"),
        (["evaluate", "."], ". holds no run: it has no config.json"),
        (["dance"], "unknown command 'dance' (choose from train, evaluate, sample, reconstruct"),
    ],
)
def test_wrong_arguments(tmp_path, monkeypatch, capsys, args, expected):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(args)
    except SystemExit as exit:
        code = exit.code
    assert_one_line(capsys, code, expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["train"], ["evaluate", "run"]])
def test_gpu_without_cupy(run_folder, monkeypatch, capsys, command):
    monkeypatch.chdir(run_folder.parent)
    monkeypatch.setitem(sys.modules, "cupy", None)
    capsys.readouterr()
    assert_one_line(capsys, main([*command, "--gpu", "0"]), "--gpu 0: CuPy is not installed")


def test_unwritable_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "run"
    assert_one_line(capsys, main(["train", "--test", "--out", str(out)]), f"cannot write {out}")


def test_bad_model_files(run_folder, tmp_path, capsys):
    out = ["--out", str(tmp_path / "new")]
    model = run_folder / "mlp_3.model"
    capsys.readouterr()
    code = main(["train", "--initmodel", str(model), "--dim-h", "16", "--dimz", "2", *out])
    assert_one_line(capsys, code, "has other sizes", "shape (16, 3), but (16, 2)")
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    assert_one_line(capsys, main(["evaluate", str(run_folder)]), "mlp_3.model", "truncated")
    np.savez(run_folder / "foreign.npz", weights=np.zeros(3))
    (run_folder / "foreign.npz").replace(model)
    assert_one_line(capsys, main(["evaluate", str(run_folder)]), "mlp_3.model has no")
    model.unlink()
    assert_one_line(capsys, main(["evaluate", str(run_folder)]), "there is no file", "mlp_3.model")


def test_state_file_alone(run_folder, tmp_path, capsys):
    state = tmp_path / "mlp_3.state"
    (run_folder / "mlp_3.state").rename(state)
    capsys.readouterr()
    code = main(["train", "--resume", str(state)])
    assert_one_line(capsys, code, "name its model with --initmodel")
    assert_one_line(capsys, main(["train", "--resume", str(run_folder / "log")]), "log is not")
    model = str(run_folder / "mlp_3.model")
    code = main(["train", "--resume", str(run_folder), "--initmodel", model])
    assert_one_line(capsys, code, "is a folder; with --initmodel, give an optimizer's .state file")


def test_other_images(run_folder, tiny_set, capsys):
    capsys.readouterr()
    code = main(["evaluate", str(run_folder), "--dataset", tiny_set])
    assert_one_line(capsys, code, "have 5 x 5 pixels, but the model of", "takes 28 x 28")


def test_not_enough_memory(tiny_set, tmp_path, capsys):
    """A weight matrix of 8 TB."""
    args = ["train", "--dim-h", "1000000", "--dataset", tiny_set, "--out", str(tmp_path / "run")]
    assert_one_line(capsys, main(args), "not enough memory")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_streams(small_set, tmp_path, closed):
    command = [sys.executable, "-m", "chainer_vae", "train", "--test", "--epoch", "1"]
    redirect = {"stdout": ">&-", "stderr": "2>&-"}[closed]
    result = subprocess.run(f"{shlex.join(command)} {redirect}", shell=True, cwd=tmp_path)
    assert result.returncode == 0
    assert (tmp_path / "runs" / "z20-seed0-test" / "mlp_20.model").exists()


def test_names_that_the_terminal_cannot_show(tmp_path):
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "chainer_vae", "train", "--test", "--epoch", "1", "-o", "学習"]
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "学習" / "mlp_20.model").exists()


def test_evaluate_a_model_that_overflows(run_folder, capsys):
    arrays = checkpoints.load_npz(run_folder / "mlp_3.model")
    arrays["le3_ln_var/b"][:] = 1000
    checkpoints.save_npz(run_folder / "mlp_3.model", arrays)
    capsys.readouterr()
    assert main(["evaluate", str(run_folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "gives a loss of" in line


def test_evaluate_estimates_ln_p_of_x(run_folder, capsys):
    """With --iw: after what is printed without it."""
    capsys.readouterr()
    settings = ["evaluate", str(run_folder), "--images", "20", "--seed", "3"]
    assert main(settings) == 0
    short = capsys.readouterr().out
    assert "\n20 test images, k = 10, nats per image\n" in short
    assert main([*settings, "--iw", "60"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(short) and captured.err == ""
    out = captured.out[len(short) :]
    assert "nats per image, grey pixels (not comparable with binarized ones)\n" in out
    model, _ = load_model(run_folder)
    images = load_data(load_info(run_folder).config).test_images[:20]
    found = log_likelihood(model, images, 60, seed=3)
    for k, bound in found.bounds.items():
        assert re.search(rf"^k = {k} +{bound:.3f}( \(the ELBO\))?$", out, re.M)
    error = f"standard error of the last as a mean over 20 images: {found.standard_error:.3f}\n"
    assert error in out
    latents = encode(model, images)
    dimensions = posterior.dimensions(*latents)
    rows = re.findall(r"^z(\d+) +(\S+) +(\S+) +(\S+) +(\S+)$", out, re.M)
    shown = np.flatnonzero(dimensions.active | dimensions.active_by_kl)
    assert sorted(int(name) - 1 for name, *_ in rows) == shown.tolist()
    for name, *numbers in rows:
        assert numbers == [f"{values[int(name) - 1]:.3f}" for values in dimensions]
    parts = posterior.decompose(*latents, seed=3)
    assert f"{parts.mutual_information:.3f} +- {parts.standard_error:.3f}, at most ln 20 =" in out
    kl = float(short.split()[-1])
    assert float(out.split()[-1]) == pytest.approx(kl, abs=2e-3)


def test_the_table_of_unused_dimensions(run_folder, capsys):
    """Two of three latent dimensions of this model are the prior; then, all are."""
    model = run_folder / "mlp_3.model"
    arrays = dict(checkpoints.load_npz(model))
    for head in ("le3_mu", "le3_ln_var"):
        arrays[f"{head}/W"][1:] = arrays[f"{head}/b"][1:] = 0
    arrays["le3_mu/W"][0] *= 100
    for unused in (2, 3):
        checkpoints.save_npz(model, arrays)
        capsys.readouterr()
        assert main(["evaluate", str(run_folder), "--iw", "2"]) == 0
        out = capsys.readouterr().out
        assert f"\n{unused} others, with a KL divergence of 0.0000 or less\n" in out
        used = 3 - unused
        assert f"\n{used} active by a variance of mu above 0.01, {used} by a KL divergence" in out
        assert "correlation" not in out
        for head in ("le3_mu", "le3_ln_var"):
            arrays[f"{head}/W"][0] = arrays[f"{head}/b"][0] = 0


def test_a_model_of_which_ln_p_of_x_overflows(run_folder, capsys, monkeypatch):
    overflowed = log_likelihood(load_model("z2")[0], np.zeros((1, 784), "f4"), 1)
    overflowed = overflowed._replace(mean=-np.inf)
    monkeypatch.setattr("chainer_vae.cli.evaluate.log_likelihood", lambda *_, **__: overflowed)
    capsys.readouterr()
    assert main(["evaluate", str(run_folder), "--iw", "2"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "gives a ln p(x) of -inf" in line


def test_diverging_run(small_set, tmp_path):
    """A variance of e^1000 overflows at the first step: exit code 1, one line."""
    run = Run.start(Config(dimz=3, dim_h=16, dataset=str(small_set)), tmp_path / "a")
    run.model.le3_ln_var.b.array[:] = 1000
    checkpoints.save_npz(tmp_path / "m", checkpoints.to_arrays(run.model))
    result = chainer_vae(
        "train", "--dataset", small_set, *SMALL, "--initmodel", "m", "--out", "b", cwd=tmp_path
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "the training loss of step 1 (epoch 1) is nan" in line
    assert "b keeps the state after step 0" in line


def test_a_finished_run_and_one_named_by_its_state(run_folder, capsys):
    assert main(["train", "--resume", str(run_folder)]) == 0
    assert f"{run_folder} is already trained for 1 epoch\n" in capsys.readouterr().out
    assert main(["train", "--resume", str(run_folder / "mlp_3.state"), "--epoch", "2"]) == 0
    assert "resuming after epoch 1, step 5" in capsys.readouterr().out


def test_ctrl_c_outside_of_a_training(monkeypatch, capsys):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", interrupted)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == ""


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    def fail(args):
        raise ZeroDivisionError

    monkeypatch.setattr(doctor, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [(["figures", "--list"], True), (["figures", "--list"], False), (["evaluate", "-h"], False)],
)
def test_nobody_reads_the_output(tmp_path, command, unbuffered):
    """As with `| head`, which closes the pipe: no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    result = subprocess.run(
        [sys.executable, "-m", "chainer_vae", *command],
        cwd=tmp_path, env=env, stdout=writer, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


def train_one_epoch(folder, data, **kwargs):
    args = ["train", "--dataset", str(data), *SMALL, "--epoch", "2", "--out", str(folder / "run")]
    result = subprocess.run([sys.executable, "-m", "chainer_vae", *args], text=True, **kwargs)
    saved = (folder / "run" / "log").exists() and json.loads((folder / "run" / "log").read_text())
    return result, [entry["epoch"] for entry in saved]


NO_FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")


@pytest.mark.parametrize("output", ["closed pipe", pytest.param("/dev/full", marks=NO_FULL)])
def test_a_training_goes_on_without_its_output(output, small_set, tmp_path):
    if output == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(output, os.O_WRONLY)
    result, epochs = train_one_epoch(tmp_path, small_set, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (result.returncode, epochs) == (0, [1, 2])
    (line,) = result.stderr.splitlines()
    assert line.startswith("chainer-vae: warning: going on without the standard output: ")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudoterminals")
@pytest.mark.parametrize("fault", ["terminal is gone", "setting"])
def test_a_training_goes_on_without_its_progress_bar(fault, small_set, tmp_path):
    terminal, theirs = os.openpty()
    if fault == "terminal is gone":
        os.close(terminal)
    env = {**os.environ, "TQDM_NCOLS": "wide" if fault == "setting" else "80"}
    result, epochs = train_one_epoch(
        tmp_path, small_set, stderr=theirs, stdout=subprocess.PIPE, env=env
    )
    os.close(theirs)
    assert (result.returncode, epochs) == (0, [1, 2])
    assert result.stdout.splitlines()[-1] == f"saved in {tmp_path / 'run'}"
    if fault == "setting":
        line = os.read(terminal, 1000).decode()
        os.close(terminal)
        assert line.startswith("chainer-vae: warning: going on without the progress bar: ValueErr")
        assert line.count("\n") == 1


def test_a_training_goes_on_without_its_table(small_set, tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.setattr(article_log, "load_logs", lambda: {}["missing"])
    args = ["train", "--dataset", str(small_set), *SMALL, "--epoch", "1"]
    assert main([*args, "--out", str(tmp_path / "run")]) == 0
    (message,) = caplog.messages
    assert message.endswith("going on without the table of the losses: KeyError: 'missing'")
    assert capsys.readouterr().out.endswith(f"saved in {tmp_path / 'run'}\n")


def test_explore_says_how_to_show_the_training(tmp_path, monkeypatch, capsys):
    left_out = {"ae2": "since it was trained on other images"}
    monkeypatch.setattr(
        explorer, "write_page", lambda file, **runs: explorer.Written(10**6, {}, left_out, 0)
    )
    assert main(["explore", "--out", str(tmp_path / "page.html")]) == 0
    out = capsys.readouterr().out
    assert "training: not shown, " in out and "ae2: left out, since it was" in out


# What moves a cursor, colours, begins a line, sets a title, and turns the direction of text.
RAW = "a\x1b[2J\nb\r\x07\x9b31m\u202ec\u2028"
ESCAPED = r"a\x1b[2J\nb\r\x07\x9b31m\u202ec\u2028"


@pytest.mark.skipif(sys.platform == "win32", reason="no file can have such a name there")
def test_names_are_printed_escaped(small_set, tmp_path, monkeypatch, capsys):
    """Control characters of a name do not reach the terminal, and a message stays one line."""
    monkeypatch.chdir(tmp_path)
    small_set.rename(RAW)
    train = ["train", "--dataset", RAW, "--dimz", "2", "--dim-h", "8", "--epoch", "1"]
    run = f"runs/{RAW}"
    for args in (
        [*train, "--out", run],
        ["train", "--resume", run],
        ["evaluate", run],
        ["projector", run, "--out", RAW + "p"],
        ["sample", run, "--out", RAW + ".png"],
        ["reconstruct", run, "--out", RAW + ".png"],
        ["interpolate", run, "--out", RAW + ".gif"],
        ["encode", run, "--out", RAW + ".csv"],
        ["export", run, "--format", "npz", "--out", RAW + ".npz"],
        ["figures", "--run-z2", run, "--only", "latent-scatter", "--out", RAW + "f"],
        ["explore", "--run-z2", run, "--out", RAW + ".html"],
    ):
        assert main(args) == 0, args
        printed = capsys.readouterr()
        assert ESCAPED in printed.out and printed.err == ""
        assert not re.search(r"[^\n -~\xa0-\u2027]", printed.out)
    for args in (
        [*train, "--out", run],
        ["train", "--dataset", "no" + RAW],
        ["train", "--C", RAW],
        ["train", "--" + RAW],
        [RAW],
        ["evaluate", "no" + RAW],
        ["evaluate", "z2", RAW],
        ["figures", "--only", RAW],
        ["figures", "--run-z2", "no" + RAW, "--only", "manifold"],
        ["explore", "--run-z2", "no" + RAW],
        ["projector", run, "--out", f"{RAW}/t10k-labels-idx1-ubyte.gz"],
        ["train", "--initmodel", RAW],
        ["sample", run, "--out", RAW + ".jpg"],
        ["encode", run, "--out", f"{RAW}/t10k-labels-idx1-ubyte.gz/a.csv"],
        ["import-torch", RAW, "--out", "new"],
    ):
        try:
            code = main(args)
        except SystemExit as exit:
            code = exit.code
        printed = capsys.readouterr()
        assert code == 2, args
        (line,) = printed.err.split("\n")[:-1]
        assert r"\x1b[2J\n" in line and re.fullmatch(r"[ -~]*", line), args


def test_errors_are_one_line_each_in_python_too():
    assert str(InputError("a\x1b[2J\nb")) == r"a\x1b[2J\nb"
    assert str(NonFiniteLossError(RAW)) == ESCAPED
    assert str(InputError("学習　1 “é” \\n")) == "学習　1 “é” \\n"
    assert printable(os.fsdecode(b"\xff")) in (r"\udcff", "�")


def test_what_the_system_says_is_printed_escaped(tmp_path, monkeypatch, capsys, signals):
    monkeypatch.setattr(devices, "report", lambda: [("Python", RAW)])
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"Python:       {ESCAPED}"]

    def fail():
        raise OSError(5, RAW)

    monkeypatch.setattr(devices, "report", fail)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == f"chainer-vae: error: [Errno 5] {ESCAPED}\n"
    # The command that goes on, of a program in such a folder.
    monkeypatch.setattr(shell, "chainer_vae", lambda *words: f"{RAW}/chainer-vae")
    monkeypatch.setattr("chainer_vae.cli.train.Progress", InterruptingBar)
    assert main(["train", "--test", "--epoch", "9", "--out", str(tmp_path / "run")]) == 130
    assert capsys.readouterr().out.endswith(f"resume with: {ESCAPED}/chainer-vae\n")
