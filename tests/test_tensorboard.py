"""``chainer-vae train --tensorboard``, read by a TensorBoard, and its files by the tests."""

import io
import json
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from conftest import idx
from PIL import Image

from chainer_vae import Config, InputError, Run, encode, latent, load_mnist
from chainer_vae.cli import main
from chainer_vae.evaluation import latent_vectors
from chainer_vae.figures import sheets
from chainer_vae.posterior import dimensions
from chainer_vae.runs.files import append_whole
from chainer_vae.tensorboard import CHARTS, EVENTS, TensorBoard, require_usable

pytestmark = pytest.mark.usefixtures("signals")

OPTIONS = ["--dimz", "3", "--dim-h", "16", "--batchsize", "50", "--seed", "5"]
CHART = "KL divergence by dimension/z{}"


@pytest.fixture
def settings(small_set):
    return dict(dimz=3, dim_h=16, batchsize=50, seed=5, dataset=str(small_set))


def events_of(folder):
    """All events in a folder; nothing stands behind the last whole one of a file."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    found = []
    for file in sorted(folder.glob(f"{EVENTS}.*")):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            assert len(content) >= length + 16
            found.append(event_pb2.Event.FromString(content[12 : 12 + length]))
            content = content[length + 16 :]
    return found


def steps(folder, tag):
    return [e.step for e in events_of(folder) for v in e.summary.value if v.tag == tag]


def wait_until(ask, what, condition):
    """TensorBoard reads the files in the background."""
    end = time.monotonic() + 60
    while not condition(found := json.loads(ask(what))):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def scalars(ask, run, tag):
    return [
        (step, value) for _, step, value in json.loads(ask("scalars/scalars", run=run, tag=tag))
    ]


@pytest.mark.slow
def test_tensorboard_shows_a_training(small_set, settings, tmp_path, tensorboard, capsys):
    folder = tmp_path / "board"
    options = ["train", "--dataset", str(small_set), *OPTIONS, "--tensorboard", str(folder)]
    assert main([*options, "--epoch", "2", "--out", str(tmp_path / "run")]) == 0
    assert f"tensorboard --logdir {folder}" in capsys.readouterr().out
    ask = tensorboard(folder)
    tags = wait_until(ask, "scalars/tags", lambda found: len(found) == 2)
    assert set(tags["train"]) == {"loss", "reconstruction error", "KL divergence"}
    charts = {CHART.format(j) for j in (1, 2, 3)}
    assert set(tags["test"]) == {*tags["train"], "active dimensions", *charts}

    # What is written while TensorBoard runs shows, too.
    again = ["train", "--resume", str(tmp_path / "run"), "--epoch", "4"]
    assert main([*again, "--tensorboard", str(folder)]) == 0
    run = Run.resume(tmp_path / "run")
    newer = tensorboard(folder, load_fast="auto")
    for shown in (ask, newer):
        wait_until(shown, "scalars/tags", lambda found: len(found) == 2)
        end = time.monotonic() + 60
        while [step for step, _ in scalars(shown, "test", "loss")] != [1, 2, 3, 4]:
            assert time.monotonic() < end
            time.sleep(0.1)
        for part, prefix in (("train", "main"), ("test", "validation/main")):
            loss, rec_loss = (
                np.array([entry[f"{prefix}/{name}"] for entry in run.log])
                for name in ("loss", "rec_loss")
            )
            for tag, expected in (
                ("loss", loss),
                ("reconstruction error", rec_loss),
                ("KL divergence", loss - rec_loss),
            ):
                found = scalars(shown, part, tag)
                assert [step for step, _ in found] == [1, 2, 3, 4]
                np.testing.assert_allclose([v for _, v in found], expected, rtol=1e-6)
        # Those of the last epoch are those of the trained model.
        found = dimensions(*encode(run.model, run.test_images))
        for j, kl in enumerate(found.kl, 1):
            (*_, last) = scalars(shown, "test", CHART.format(j))
            np.testing.assert_allclose(last, (4, kl), rtol=1e-5)
        assert scalars(shown, "test", "active dimensions")[-1] == (4, found.active_by_kl.sum())
        *_, last = json.loads(shown("images/images", run="test", tag="reconstructions", sample=0))
        assert last["step"] == 4
        with Image.open(io.BytesIO(shown(f"images/individualImage?{last['query']}"))) as file:
            picture = np.asarray(file)
        images = run.test_images[:10]
        outputs = latent.decode(run.model, latent_vectors(run.model, images))
        np.testing.assert_array_equal(picture, sheets.sheet([images, outputs], (28, 28)))
        assert json.loads(shown("projector/runs")) == ["test"]
        tensor = shown("projector/tensor", run="test", name="latent means")
        expected = encode(run.model, run.test_images)[0]
        np.testing.assert_array_equal(np.frombuffer(tensor, np.float32).reshape(40, 3), expected)


def shown_after_all(folder):
    """The epochs that TensorBoard shows, in its order: what a later start voids is gone."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    found = []
    for event in events_of(folder):
        if event.session_log.status == event_pb2.SessionLog.START:
            found = [epoch for epoch in found if epoch < event.step]
        found += [event.step for value in event.summary.value if value.tag == "loss"]
    return found


def test_epochs_that_the_folder_lacks_are_written_when_the_run_resumes(settings, tmp_path):
    """Such as after a stop between the log and the curves, or in one part only."""
    pytest.importorskip("tensorboard")
    config = Config(**settings, epoch=7, test=True)
    run, folder = Run.start(config, tmp_path / "run"), tmp_path / "board"
    board = TensorBoard(folder, run)
    for entry in run.train():
        if entry["epoch"] < 3:
            board.write(entry)
        if entry["epoch"] == 3:
            board._append(entry, {"train": board._losses(entry)["train"]})
        if entry["epoch"] in (3, 4):
            run.save()
            shutil.copytree(tmp_path / "run", tmp_path / f"after {run.epoch}")
    TensorBoard(folder, Run.resume(tmp_path / "after 4"))  # ends before its first epoch
    assert shown_after_all(folder / "train") == shown_after_all(folder / "test") == [1, 2, 3, 4]
    # From an older state, and with the fifth void: it is not taken for shown.
    run = Run.resume(tmp_path / "after 3")
    board = TensorBoard(folder, run)
    board.write(next(run.train()))
    TensorBoard(folder, Run.resume(tmp_path / "after 3"))
    run = Run.resume(tmp_path / "after 4")
    board = TensorBoard(folder, run)
    for entry in run.train():
        board.write(entry)
    for part in ("train", "test"):
        assert shown_after_all(folder / part) == list(range(1, 8))


@pytest.mark.slow
def test_no_epoch_is_shown_twice(settings, tmp_path, tensorboard):
    """Not even where the program was killed, and the run resumes before the last curves."""
    run = Run.start(Config(**settings, epoch=5), tmp_path / "run")
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        board.write(entry)
        if entry["epoch"] == 2:
            run.save()
            shutil.copytree(tmp_path / "run", tmp_path / "copy")
    run = Run.resume(tmp_path / "copy")
    assert run.epoch == 2
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        board.write(entry)
    assert steps(tmp_path / "board" / "test", "loss") == [1, 2, 3, 4, 5, 3, 4, 5]
    for load_fast in ("false", "auto"):
        ask = tensorboard(tmp_path / "board", load_fast)
        wait_until(ask, "scalars/tags", lambda found: len(found) == 2)
        for part, tag in (("train", "loss"), ("test", "KL divergence by dimension/z2")):
            assert [step for step, _ in scalars(ask, part, tag)] == [1, 2, 3, 4, 5]


def test_it_changes_nothing_of_the_training(settings, tmp_path):
    runs = [Run.start(Config(**settings, epoch=2), tmp_path / name) for name in "ab"]
    list(runs[0].train())
    board = TensorBoard(tmp_path / "board", runs[1])
    for entry in runs[1].train():
        board.write(entry)
    a, b = (dict(run.model.namedparams()) for run in runs)
    for name in a:
        np.testing.assert_array_equal(a[name].array, b[name].array)
    # Nor is it a setting of the run.
    assert "tensorboard" not in (tmp_path / "b" / "config.json").read_text()


def test_an_autoencoder(settings, tmp_path):
    run = Run.start(Config(**settings, epoch=1, model="autoencoder"), tmp_path / "run")
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        board.write(entry)
    tags = [
        {v.tag for e in events_of(board.folder / part) for v in e.summary.value}
        for part in ("train", "test")
    ]
    assert tags == [{"loss"}, {"loss", "reconstructions"}]
    assert (board.folder / "test" / "latent_vectors.tsv").is_file()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (dict(C=2.0), True),
        (dict(C=0.0), False),
        (dict(C=2.0, C_warmup=1), False),
        (dict(objective="iwae", k=3), False),
    ],
)
def test_the_kl_divergence_of_the_training_images_is_without_its_weight(
    given, shown, settings, tmp_path
):
    run = Run.start(Config(**settings, epoch=1, **given), tmp_path / "run")
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        board.write(entry)
    found = [
        v.simple_value
        for e in events_of(board.folder / "train")
        for v in e.summary.value
        if v.tag == "KL divergence"
    ]
    kl = (entry["main/loss"] - entry["main/rec_loss"]) / 2
    assert found == ([pytest.approx(kl, rel=1e-5)] if shown else [])


@pytest.mark.slow
def test_what_the_numbers_and_the_classes_are(tmp_path, tensorboard, small_set):
    """Of what pixels, at every chart; and the names of the classes, under Projector."""
    data = load_mnist(small_set)._replace(class_names=tuple("abcdefghij"))
    config = Config(dimz=3, dim_h=8, epoch=1, binarize="threshold")
    run = Run.start(config, tmp_path / "run", data=data)
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        board.write(entry)
    ask = tensorboard(board.folder)
    tags = wait_until(ask, "scalars/tags", lambda found: len(found) == 2)
    for part in ("train", "test"):
        for tag in ("loss", "reconstruction error", "KL divergence"):
            expected = "<p>nats per image, binarized (threshold)</p>"
            assert tags[part][tag]["description"] == expected
    metadata = ask("projector/metadata", run="test", name="latent means").decode().splitlines()
    names = [data.class_names[label] for label in data.test_labels]
    assert [line.split("\t")[0] for line in metadata] == ["class", *names]


def test_of_many_latent_dimensions_the_first_have_a_chart(settings, tmp_path):
    run = Run.start(Config(**{**settings, "dimz": CHARTS + 7}, epoch=1), tmp_path / "run")
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        board.write(entry)
    values = [v.tag for e in events_of(board.folder / "test") for v in e.summary.value]
    charts = [tag for tag in values if tag.startswith("KL divergence by dimension/")]
    assert charts == [CHART.format(f"{j:03}") for j in range(1, CHARTS + 1)]
    assert values.count("active dimensions") == 1


def test_a_run_that_has_been_trained_without(settings, tmp_path):
    """Its losses are in its log, and its model shows."""
    config = Config(**settings, epoch=3)
    run = Run.start(config, tmp_path / "run")
    list(run.train())
    board = tmp_path / "board"
    assert main(["train", "--resume", str(tmp_path / "run"), "--tensorboard", str(board)]) == 0
    assert steps(board / "train", "loss") == [1, 2, 3]
    assert steps(board / "test", CHART.format(1)) == steps(board / "test", "reconstructions") == [3]
    times = [e.wall_time for e in events_of(board / "train") if e.summary.value]
    elapsed = np.diff([entry["elapsed_time"] for entry in run.log])
    np.testing.assert_allclose(np.diff(times), elapsed, atol=0.5)


def test_another_training_is_refused(settings, small_set, tmp_path, capsys):
    run = Run.start(Config(**settings, epoch=1), tmp_path / "run")
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        board.write(entry)
    before = {file: file.read_bytes() for file in board.folder.rglob("*") if file.is_file()}
    command = ["train", "--dataset", str(small_set), *OPTIONS, "--out", str(tmp_path / "new")]
    assert main([*command, "--tensorboard", str(board.folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{board.folder} holds the curves of another training: choose another folder" in line
    assert not (tmp_path / "new").exists()
    other = Run.start(Config(**{**settings, "seed": 6}, epoch=2), tmp_path / "other")
    next(other.train())
    with pytest.raises(InputError, match="holds the curves of another training"):
        TensorBoard(board.folder, other)
    assert before == {f: f.read_bytes() for f in board.folder.rglob("*") if f.is_file()}
    TensorBoard(board.folder, Run.resume(tmp_path / "run", epoch=2))  # its own are no other's


def test_a_folder_that_cannot_be_written(small_set, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    command = ["train", "--dataset", str(small_set), *OPTIONS, "--out", str(tmp_path / "new")]
    assert main([*command, "--tensorboard", str(tmp_path / "file")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write" in line
    assert not (tmp_path / "new").exists()
    with pytest.raises(TypeError, match="TensorBoard"):
        TensorBoard(tmp_path / "board", "run")


def test_without_tensorboard(small_set, tmp_path):
    program = f"""
        import sys
        from chainer_vae.cli import main
        sys.modules["tensorboard"] = None  # as if it were not installed
        sys.exit(main(["train", "--dataset", r"{small_set}", "--tensorboard", "board"]))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (2, "")
    expected = "chainer-vae: error: tensorboard is not installed: pip install tensorboard\n"
    assert result.stderr == expected
    assert not (tmp_path / "board").exists() and not (tmp_path / "runs").exists()


def test_a_folder_that_fails_ends_no_training(settings, tmp_path, caplog):
    run = Run.start(Config(**settings, epoch=3), tmp_path / "run")
    board = TensorBoard(tmp_path / "board", run)
    for entry in run.train():
        if entry["epoch"] == 2:
            shutil.rmtree(board.folder)
            board.folder.write_text("")
        elif entry["epoch"] == 3:
            board.folder.unlink()
        board.write(entry)
    assert run.epoch == 3
    lines = [record.getMessage() for record in caplog.records]
    whats = ("the curves", "the latent dimensions", "the reconstructions", "the embedding")
    assert len(lines) == len(whats)
    for line, what in zip(lines, whats):
        assert f"going on without {what} of epoch 2 in {board.folder}: cannot write" in line
    # The folder is back: so are the curves, from there on.
    assert steps(board.folder / "train", "loss") == [3]


def test_images_too_large_for_a_picture_or_the_projector(tmp_path, caplog, monkeypatch):
    """The rest is there."""
    folder = tmp_path / "long"
    folder.mkdir()
    images = np.random.RandomState(0).randint(0, 256, (5, 2, 5000)).astype(np.uint8)
    for prefix in ("train", "t10k"):
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.zeros(5, np.uint8)))
    run = Run.start(Config(dimz=2, dim_h=3, epoch=1, dataset=str(folder)), tmp_path / "run")
    board = TensorBoard(tmp_path / "board", run)
    monkeypatch.setattr(sheets, "MAX_PIXELS", 10**5 - 1)  # else they would be much larger
    for entry in run.train():
        board.write(entry)
    pictures, embedding = [record.getMessage() for record in caplog.records]
    assert "10 images of 2 x 5000 pixels are too many for one picture" in pictures
    assert "2 images of 5000 x 5000 pixels need a sprite" in embedding
    for tag in ("loss", CHART.format(2)):
        assert steps(board.folder / "test", tag) == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for a file's size")
def test_a_disk_that_is_full_leaves_whole_events(tmp_path):
    file = tmp_path / "new" / "file"
    program = f"""
        import resource, signal
        from pathlib import Path
        from chainer_vae import InputError
        from chainer_vae.runs.files import append_whole
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        append_whole(Path(r"{file}"), b"a" * 600)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            append_whole(Path(r"{file}"), b"b" * 600)
        except InputError as error:
            print(error)
        append_whole(Path(r"{file}"), b"c" * 400)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == (f"cannot write {file}: File too large\n", "")
    assert file.read_bytes() == b"a" * 600 + b"c" * 400


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_leaves_whole_files(small_set, tmp_path, start):
    command = [sys.executable, "-m", "chainer_vae", "train", "--dataset", str(small_set), *OPTIONS]
    process = start(
        [*command, "--epoch", "100000", "--out", "run", "--tensorboard", "board"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    log = tmp_path / "run" / "log"
    while not (log.exists() and '"epoch": 3' in log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1].startswith("stopped after step ")
    shown = steps(tmp_path / "board" / "train", "loss")
    assert shown == list(range(1, len(shown) + 1)) and len(shown) >= 3
    epochs = len(shown) + 2
    options = ["--resume", tmp_path / "run", "--tensorboard", tmp_path / "board"]
    assert main(["train", *map(str, options), "--epoch", str(epochs)]) == 0
    shown = steps(tmp_path / "board" / "train", "loss")
    assert sorted(set(shown)) == list(range(1, epochs + 1))


def test_append_to_a_folder(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        append_whole(tmp_path, b"a")


def test_require_usable_leaves_nothing(tmp_path):
    require_usable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
