import json
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import chainer
import numpy as np
import pytest

from chainer_vae import Config, InputError, NonFiniteLossError, Run, evaluate, load_model
from chainer_vae.datasets import load_data
from chainer_vae.decoders import build_model
from chainer_vae.engine import CpuSteps, cpu_evaluation, cpu_kernels
from chainer_vae.runs import checkpoints, load_info
from chainer_vae.runs import run as run_module
from chainer_vae.training import Training

pytestmark = pytest.mark.usefixtures("signals")

SMALL = dict(dimz=3, dim_h=16, batchsize=100, seed=5)


def config(small_set, **changes):
    return Config(**{**SMALL, "epoch": 4, "dataset": str(small_set), **changes})


def finish(run, on_step=lambda: None):
    return list(run.train(on_step))


def weights(run):
    arrays = {name: p.array for name, p in run.model.namedparams()}
    for name, p in run.model.namedparams():
        arrays.update({f"{name}/{m}": p.update_rule.state[m] for m in ("m", "v")})
    return arrays


def assert_same(run, other):
    found, expected = weights(run), weights(other)
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    without_time = [
        [{k: v for k, v in entry.items() if k != "elapsed_time"} for entry in r.log]
        for r in (run, other)
    ]
    assert without_time[0] == without_time[1]


@pytest.mark.parametrize("lr", [0.001, 0.004])
@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_the_loop_is_the_articles(engine, lr, small_set, tmp_path):
    """Against the loop written out: one stream of random numbers, in the article's order."""
    run = Run.start(config(small_set, C=0.5, k=2, lr=lr, engine=engine), tmp_path / "run")
    assert run.backend.name == engine
    rounding = {"chainer": 1e-12, "fused": 1e-6}[engine]
    finish(run)

    data = load_data(run.config)
    np.random.seed(5)
    model = build_model(run.config, 784)
    optimizer = chainer.optimizers.Adam(alpha=lr)
    optimizer.setup(model)
    for epoch in range(4):
        sum_loss = sum_rec_loss = 0
        perm = np.random.permutation(250)
        for i in range(0, 250, 100):
            x = chainer.Variable(data.train_images[perm[i : i + 100]])
            optimizer.update(model.get_loss_func(0.5, 2), x)
            sum_loss += float(model.loss.array) * len(x)
            sum_rec_loss += float(model.rec_loss.array) * len(x)
        with chainer.no_backprop_mode():
            model.get_loss_func(k=10)(data.test_images)
        entry = run.log[epoch]
        assert entry["main/loss"] == pytest.approx(sum_loss / 250, rel=rounding)
        assert entry["main/rec_loss"] == pytest.approx(sum_rec_loss / 250, rel=rounding)
        assert entry["validation/main/loss"] == pytest.approx(float(model.loss.array), rel=1e-6)
        found = entry["validation/main/rec_loss"]
        assert found == pytest.approx(float(model.rec_loss.array), rel=rounding)
        assert (entry["epoch"], entry["iteration"]) == (epoch + 1, 3 * (epoch + 1))
    for (name, ours), (_, theirs) in zip(
        sorted(run.model.namedparams()), sorted(model.namedparams())
    ):
        if engine == "chainer":
            np.testing.assert_array_equal(ours.array, theirs.array, err_msg=name)
        else:
            np.testing.assert_allclose(ours.array, theirs.array, atol=1e-5, err_msg=name)


def test_files(small_set, tmp_path, two_blas_threads):
    run = Run.start(config(small_set), tmp_path / "run")
    finish(run)
    folder = tmp_path / "run"
    assert sorted(f.name for f in folder.iterdir()) == [
        ".lock", "config.json", "graph.dot", "log", "mlp_3.model", "mlp_3.state",
    ]  # fmt: skip
    log = json.loads((folder / "log").read_text())
    assert log == run.log and len(log) == 4
    elapsed = [entry["elapsed_time"] for entry in log]
    assert elapsed == sorted(elapsed) and elapsed[0] > 0
    content = json.loads((folder / "config.json").read_text())
    assert content["arguments"] == vars(run.config)
    (environment,) = content["environments"]
    assert environment["versions"]["numpy"] == np.__version__
    assert environment["device"] and environment["date"]
    assert "reconstruction error" in (folder / "graph.dot").read_text()
    # Chainer's own loader reads both files, the rest in the state notwithstanding.
    model = build_model(run.config, 784)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    chainer.serializers.load_npz(str(folder / "mlp_3.model"), model)
    chainer.serializers.load_npz(str(folder / "mlp_3.state"), optimizer)
    assert optimizer.t == 12
    for ours, theirs in zip(run.model.params(), model.params()):
        np.testing.assert_array_equal(ours.array, theirs.array)


def test_seed(small_set, tmp_path, two_blas_threads):
    runs = []
    for i, seed in enumerate((5, 5, 6)):
        runs.append(Run.start(config(small_set, epoch=1, seed=seed), tmp_path / str(i)))
        finish(runs[-1])
    assert_same(runs[0], runs[1])
    assert runs[0].log[0]["main/loss"] != runs[2].log[0]["main/loss"]


def test_callers_random_numbers_are_left_alone(small_set, tmp_path):
    np.random.seed(1)
    expected = np.random.rand(3)
    np.random.seed(1)
    run = Run.start(config(small_set), tmp_path / "run")
    first = np.random.rand()
    finish(run)
    second = np.random.rand()
    Run.resume(tmp_path / "run")
    load_model(tmp_path / "run")
    assert [first, second, np.random.rand()] == expected.tolist()


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_random_numbers_drawn_in_on_step_are_not_the_runs(engine, small_set, tmp_path):
    """Nor in progress, or between two epochs; and the caller's come as without a run."""
    whole = Run.start(config(small_set, engine=engine), tmp_path / "whole")
    finish(whole)
    run = Run.start(config(small_set, engine=engine), tmp_path / "run")
    np.random.seed(1)
    found = []
    for _ in run.train(lambda: found.append(np.random.normal()), np.random.normal):
        np.random.seed(1 + run.epoch)
    assert_same(run, whole)
    np.random.seed(1)
    assert found[:2] == np.random.normal(size=4)[1::2].tolist()


def test_random_numbers_of_hooks_are_the_runs(small_set, tmp_path):
    """What an optimizer's hook draws is as reproducible as the rest."""
    runs = []
    for seed in (1, 2):
        run = Run.start(config(small_set, epoch=2), tmp_path / f"{seed}")
        run.optimizer.add_hook(chainer.optimizer_hooks.GradientNoise(0.1))
        np.random.seed(seed)
        finish(run)
        assert run.backend.name == "chainer"
        runs.append(run)
    assert_same(*runs)


@pytest.mark.parametrize("engine", ["chainer", "fused"])
@pytest.mark.parametrize("name", ["on_step", "progress"])
@pytest.mark.parametrize("bad_step", [1, 3, 5])
def test_a_run_goes_on_after_an_error_in_a_callback(name, bad_step, engine, small_set, tmp_path):
    """And is the same as without it, also by way of its files."""
    whole = Run.start(config(small_set, engine=engine), tmp_path / "whole")
    finish(whole)
    run = Run.start(config(small_set, engine=engine), tmp_path / "run")
    steps = iter(range(1, 100))
    with pytest.raises(ZeroDivisionError):
        list(run.train(**{name: lambda: 1 / (next(steps) - bad_step)}))
    assert run.steps_done == bad_step
    run.save()
    for same in (Run.resume(tmp_path / "run", tmp_path / "copy"), run):
        finish(same)
        assert_same(same, whole)


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_a_save_in_on_step_can_be_resumed(engine, small_set, tmp_path, two_blas_threads):
    whole = Run.start(config(small_set, engine=engine), tmp_path / "whole")
    finish(whole)
    run = Run.start(config(small_set, engine=engine), tmp_path / "run")

    def save_and_stop():
        if run.steps_done == 5:
            run.save()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        finish(run, save_and_stop)
    run = Run.resume(tmp_path / "run")
    assert run.steps_done == 5
    finish(run)
    assert_same(run, whole)


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_a_save_within_a_step_is_refused(engine, small_set, tmp_path):
    """The weights may be changing: such a save would resume to another run."""
    run = Run.start(config(small_set, engine=engine, epoch=1), tmp_path / "run")
    refused = []

    def save():
        try:
            run.save()
        except InputError as error:
            refused.append(str(error))

    def save_in_a_thread():
        thread = threading.Thread(target=save)
        thread.start()
        thread.join()

    list(run.train(on_step=save_in_a_thread, progress=save))
    assert len(refused) == 2 * run.steps_per_epoch
    assert set(refused) == {"this run is being trained: save it in on_step, or between two epochs"}
    save()  # not now
    assert len(refused) == 2 * run.steps_per_epoch
    assert Run.resume(tmp_path / "run").epoch == 1


def test_a_run_is_not_trained_twice_at_a_time(small_set, tmp_path):
    """By on_step, or by another thread; but by two generators in turns, it is."""
    whole = Run.start(config(small_set, epoch=4), tmp_path / "whole")
    finish(whole)
    run = Run.start(config(small_set, epoch=4), tmp_path / "run")
    said = "this run is being trained already, in another thread or by on_step"

    def train_too():
        with pytest.raises(InputError, match=said):
            list(run.train())

    first = run.train(train_too)
    next(first)
    second = run.train(lambda: in_a_thread(train_too))
    assert [entry["epoch"] for entry in (next(second), next(first), next(second))] == [2, 3, 4]
    first.close()
    second.close()
    assert_same(Run.resume(tmp_path / "run"), whole)


def in_a_thread(task):
    with ThreadPoolExecutor(1) as executor:
        executor.submit(task).result()


def test_a_model_put_in_its_place_in_on_step_counts_from_the_next_step_on(small_set, tmp_path):
    losses = []
    for engine in ("chainer", "fused"):
        run = Run.start(config(small_set, engine=engine, epoch=1), tmp_path / engine)

        def replace(run=run):
            if run.optimizer.t == 1:
                run.model = run.model.copy("copy")
                run.model.ld3.b.array += 1
                run.optimizer.setup(run.model)

        losses.append(finish(run, replace)[0]["main/loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("engines", [("fused", "fused"), ("chainer", "fused"), ("chainer",) * 2])
def test_runs_in_two_threads_are_as_alone(engines, small_set, tmp_path, one_blas_thread):
    """Beside a third one that draws by itself, as evaluate does.

    With one thread for the BLAS library: Chainer's loop has the same last digits only with the same
    number, which the engine's thread pools change while they last.
    """
    settings = [config(small_set, seed=seed, engine=e) for seed, e in zip((5, 6), engines)]
    alone = [Run.start(c, tmp_path / f"alone{i}") for i, c in enumerate(settings)]
    for run in alone:
        finish(run)
    images = load_data(settings[0]).test_images
    expected = evaluate(alone[0].model, images, random=np.random.RandomState(3))
    np.random.seed(3)
    assert evaluate(alone[0].model, images) == expected
    ended = threading.Event()

    def train(i):
        run = Run.start(settings[i], tmp_path / f"{i}")
        finish(run)
        return run

    def draw():
        np.random.seed(3)
        while not ended.is_set():
            evaluate(alone[0].model, images[:5], k=2)
            assert evaluate(alone[0].model, images, random=np.random.RandomState(3)) == expected

    with ThreadPoolExecutor(3) as executor:
        other = executor.submit(draw)
        runs = list(executor.map(train, range(2)))
        ended.set()
        other.result()
    for run, expected_run in zip(runs, alone):
        assert_same(run, expected_run)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 9, 10])
def test_resume_equals_an_uninterrupted_run(small_set, tmp_path, steps, two_blas_threads):
    """Stopped after any step (3 steps an epoch), also twice, and read back from its files."""
    whole = Run.start(config(small_set), tmp_path / "whole")
    finish(whole)

    def train_steps(run, n):
        done = []

        def stop():
            done.append(1)
            if len(done) == n:
                signal.raise_signal(signal.SIGINT)

        finish(run, stop)
        assert run.interrupted

    run = Run.start(config(small_set), tmp_path / "run")
    train_steps(run, steps)
    assert run.steps_done == steps
    run = Run.resume(tmp_path / "run")
    assert run.steps_done == steps
    train_steps(run, 2)
    run = Run.resume(tmp_path / "run")
    np.random.seed(99)  # the caller's own use of it must not matter
    finish(run)
    assert not run.interrupted
    assert_same(run, whole)
    assert len(run.environments) == 3


def test_stop_between_the_permutation_and_the_first_step(
    small_set, tmp_path, monkeypatch, two_blas_threads
):
    whole = Run.start(config(small_set), tmp_path / "whole")
    finish(whole)
    run = Run.start(config(small_set), tmp_path / "run")
    begin, epochs = CpuSteps.epoch, iter(range(4))

    def interrupted(*args):
        if next(epochs) == 1:
            signal.raise_signal(signal.SIGINT)
        return begin(*args)

    monkeypatch.setattr(CpuSteps, "epoch", interrupted)
    assert len(finish(run)) == 1
    monkeypatch.undo()
    assert run.interrupted and run.position == 0 and len(run.permutation) == 250
    run = Run.resume(tmp_path / "run")
    finish(run)
    assert_same(run, whole)


def test_resume_to_more_epochs_and_elsewhere(small_set, tmp_path):
    whole = Run.start(config(small_set), tmp_path / "whole")
    finish(whole)
    finish(Run.start(config(small_set, epoch=2), tmp_path / "short"))
    run = Run.resume(tmp_path / "short", tmp_path / "long", epoch=4)
    finish(run)
    assert_same(run, whole)
    assert len(json.loads((tmp_path / "short" / "log").read_text())) == 2
    assert len(json.loads((tmp_path / "long" / "log").read_text())) == 4
    # Nothing left to do: nothing is written.
    before = {f.name: f.read_bytes() for f in (tmp_path / "long").iterdir()}
    for changes in ({}, {"epoch": 3}):
        assert finish(Run.resume(tmp_path / "long", **changes)) == []
    assert {f.name: f.read_bytes() for f in (tmp_path / "long").iterdir()} == before
    with pytest.raises(InputError, match=r"already holds a run"):
        Run.resume(tmp_path / "long", tmp_path / "short")
    # A finished run can still be saved elsewhere.
    finish(Run.resume(tmp_path / "long", tmp_path / "copy"))
    assert_same(Run.resume(tmp_path / "copy"), whole)


def test_a_run_cut_off_between_its_files_goes_on(small_set, tmp_path):
    """Killed after the log of an epoch was written and before the state was."""
    whole = Run.start(config(small_set), tmp_path / "whole")
    finish(whole)
    folder = tmp_path / "run"
    finish(Run.start(config(small_set, epoch=1), folder))
    state = (folder / "mlp_3.state").read_bytes()
    finish(Run.resume(folder, epoch=2))
    (folder / "mlp_3.state").write_bytes(state)
    resumed = Run.resume(folder, epoch=4)
    assert resumed.epoch == 1
    finish(resumed)
    assert_same(resumed, whole)


def test_resume_refuses_other_settings(small_set, tmp_path):
    Run.start(config(small_set), tmp_path / "run")
    with pytest.raises(InputError, match=r"has dimz 3, not 2; leave that option out"):
        Run.resume(tmp_path / "run", dimz=2)
    Run.resume(tmp_path / "run", dimz=3)
    with pytest.raises(InputError, match=r"already holds a run: resume it with --resume .*run,"):
        Run.start(config(small_set), tmp_path / "run")


def test_resume_refuses_what_is_no_run(small_set, tmp_path):
    with pytest.raises(InputError, match=r"holds no run"):
        Run.resume(tmp_path)
    run = Run.start(config(small_set), tmp_path / "run")
    state = tmp_path / "run" / "mlp_3.state"
    content = state.read_bytes()
    state.write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"mlp_3.state is not an npz file, or it is truncated"):
        Run.resume(tmp_path / "run")
    chainer.serializers.save_npz(str(state), run.model)
    with pytest.raises(InputError, match=r"mlp_3.state has no"):
        Run.resume(tmp_path / "run")
    for name, value in (
        ("position", np.asarray(7)),
        ("permutation", np.zeros(250, np.int32)),
        ("random/keys", np.zeros(3, np.uint32)),
        ("sums", np.zeros(1)),
    ):
        state.write_bytes(content)
        arrays = checkpoints.load_npz(state)
        checkpoints.save_npz(state, {**arrays, f"training/{name}": value})
        with pytest.raises(InputError, match=rf"mlp_3.state .* {name}|training/{name}"):
            Run.resume(tmp_path / "run")
    state.write_bytes(content)
    finish(Run.start(config(small_set, epoch=1), tmp_path / "one"))
    arrays = checkpoints.load_npz(tmp_path / "one" / "mlp_3.state")
    arrays = {name: array for name, array in arrays.items() if name != "training/log"}
    checkpoints.save_npz(tmp_path / "one" / "mlp_3.state", arrays)  # as before version 1.0
    for text in ("{}", "[]", '[{"epoch": 1}]', '[{"epoch": 2}]', "5"):
        (tmp_path / "one" / "log").write_text(text)
        with pytest.raises(InputError, match=r"log is not a log of 1 epochs"):
            Run.resume(tmp_path / "one")
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    wrong = [{}, [], "text", 5, {**saved, "n_in": "x"}, {**saved, "n_in": -1}]
    wrong += [{**saved, "environments": 5}]
    wrong += [
        {**saved, "arguments": {**saved["arguments"], name: value}}
        for name, value in (
            ("dimz", "x"), ("k", 1.5), ("dataset", 5), ("gpu", "x"), ("test", "x"), ("epoch", True),
            ("C", None), ("seed", -1),
        )
    ]  # fmt: skip
    for content in wrong:
        (tmp_path / "run" / "config.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=r"config.json does not hold the settings of a run"):
            Run.resume(tmp_path / "run")


KEYS = np.random.RandomState(0).get_state()[1]
FORGED = [
    ("epoch", -5), ("epoch", 10**7), ("epoch", 1.0), ("epoch", True), ("epoch", [1]),
    ("epoch", "1"),
    ("permutation", np.arange(249)), ("permutation", np.arange(250.0)),
    ("permutation", -np.arange(250)), ("permutation", np.zeros((0, 3), int)),
    ("position", -1), ("position", 251), ("position", 0.0), ("position", [100]),
    ("sums", [0.0]), ("sums", [np.nan, 0.0]), ("sums", [0, 0]), ("sums", "ab"),
    ("elapsed", -1.0), ("elapsed", np.inf), ("elapsed", np.nan), ("elapsed", "1"),
    ("elapsed", [1.0]),
    ("log", np.zeros((1, 6))), ("log", np.zeros((1, 7), int)), ("log", 1.0),
    ("log", np.full((1, 7), np.nan)),
    ("random/position", 10**8), ("random/position", 625), ("random/position", -1),
    ("random/position", 0.5), ("random/has_gauss", 2), ("random/has_gauss", -1),
    ("random/cached_gaussian", np.nan), ("random/cached_gaussian", 1),
    ("random/keys", KEYS[:-1]), ("random/keys", KEYS.astype(float)),
    ("random/keys", -KEYS.astype(int)), ("random/keys", KEYS.astype(int) | 2**32),
    ("model/le1/W", np.full((16, 784), np.nan)), ("model/le1/W", np.full((16, 784), 1e39)),
    ("model/le1/W", np.zeros((16, 783))), ("model/ld3/b", np.full(784, -np.inf)),
]  # fmt: skip
DOES_NOT_FIT = [
    ("random/keys", np.zeros(624, np.uint32), "its random generator would never give a number"),
    ("random/keys", np.eye(1, 624, dtype=np.uint32)[0], "its random generator would never give"),
    ("permutation", np.zeros(250, int), "its permutation does not have every image once"),
    ("position", 50, r"its position 50 is not between two batches of 100"),
    ("random/keys", np.eye(1, 624)[0].astype(np.uint32) * (2**31 - 1), "its random generator"),
    ("log", np.zeros((0, 7)), "its log is not of 1 epochs"),
    ("log", np.array([[1, 1, 1, 1, -7, 1, 3.0]]), "its log is not of 1 epochs"),
    ("log", np.array([[1, 1, 1, 1, 7, 1, 2.5]]), "its log is not of 1 epochs"),
    ("log", np.array([[1, 1, 1, 1, 7, 1, 0.0]]), "its log is not of 1 epochs"),
    ("log", np.zeros((1, 7)), "its log is not of 1 epochs"),
    ("epoch", 2, r"its optimizer has made 4 updates in 7 steps"),
]


@pytest.fixture
def stopped(small_set, tmp_path):
    """The folder of a run that was stopped after step 4: in its second epoch, of 3 steps each."""
    run = Run.start(config(small_set, epoch=2), tmp_path / "stopped")
    finish(run, lambda: run.steps_done == 4 and signal.raise_signal(signal.SIGINT))
    return run.folder


def test_forged_states(stopped, tmp_path):
    """32 of 3,850 random changes ended in tracebacks, a crash or a hang; others were taken."""
    folder = shutil.copytree(stopped, tmp_path / "run")
    state = folder / "mlp_3.state"
    arrays = dict(checkpoints.load_npz(state))
    assert arrays["training/position"] == 100
    cases = [(name, value, rf"(in|its) training/{name}\b") for name, value in FORGED]
    for name, value, message in cases + DOES_NOT_FIT:
        checkpoints.save_npz(state, {**arrays, f"training/{name}": np.asarray(value)})
        with pytest.raises(InputError, match=f"mlp_3.state .*{message}"):
            Run.resume(folder)
    for name in arrays:
        checkpoints.save_npz(state, {other: arrays[other] for other in arrays if other != name})
        if name.endswith(("/t", "/log")):  # Chainer 2 did not save it
            continue
        with pytest.raises(InputError, match=f"mlp_3.state has no {name}: it is not the file"):
            Run.resume(folder)
    checkpoints.save_npz(state, {**arrays, "t": np.asarray(3)})
    with pytest.raises(InputError, match=r"its optimizer has made 3 updates in 4 steps"):
        Run.resume(folder)
    checkpoints.save_npz(state, {**arrays, "spare": np.asarray("text")})
    assert Run.resume(folder).steps_done == 4


def test_a_refused_state_changes_nothing(stopped, small_set):
    arrays = dict(checkpoints.load_npz(stopped / "mlp_3.state"))
    training = Training(config(small_set), load_data(config(small_set)))
    before = checkpoints.training_to_arrays(training, [])
    before = {name: np.copy(array) for name, array in before.items()}
    arrays["training/random/position"] = np.asarray(10**8)
    with pytest.raises(InputError, match=r"holds 100000000 in training/random/position"):
        checkpoints.restore_training(training, arrays, "s")
    after = checkpoints.training_to_arrays(training, [])
    assert after.keys() == before.keys()
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])


def test_weights_that_are_not_finite_are_not_trained(small_set, tmp_path):
    run = Run.start(config(small_set), tmp_path / "run")
    run.model.le1.b.array[3] = np.nan
    checkpoints.save_npz(tmp_path / "m", checkpoints.to_arrays(run.model))
    with pytest.raises(InputError, match=r"m holds nan in le1/b, but only numbers from -3"):
        Run.start(config(small_set), tmp_path / "other", initmodel=tmp_path / "m")
    assert not (tmp_path / "other").exists()


def test_resume_refuses_another_data_set(small_set, tmp_path, mnist):
    from conftest import write_idx_folder

    whole = Run.start(config(small_set), tmp_path / "whole")
    finish(whole)
    finish(Run.start(config(small_set, epoch=1), tmp_path / "run"))
    small_set.rename(tmp_path / "moved")
    write_idx_folder(small_set, mnist._replace(test_images=1 - mnist.test_images), 250, 40)
    with pytest.raises(InputError, match=r"the images of .*small are not those that the run"):
        Run.resume(tmp_path / "run", epoch=4)
    with pytest.raises(InputError, match=r"the images of MNIST are not those that the run"):
        Run.resume(tmp_path / "run", epoch=4, dataset=None)
    run = Run.resume(tmp_path / "run", epoch=4, dataset=str(tmp_path / "moved"))
    finish(run)
    assert_same(run, whole)


def test_start_overwrites_nothing(small_set, tmp_path):
    for name in ("mlp_3.model", "mlp_3.state", "log"):
        (tmp_path / name).write_text("precious")
        with pytest.raises(InputError, match=rf"already holds a file {name}"):
            Run.start(config(small_set), tmp_path)
        assert (tmp_path / name).read_text() == "precious"
        (tmp_path / name).unlink()


def test_an_ignored_interrupt_stays_ignored(small_set, tmp_path, monkeypatch):
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = Run.start(config(small_set), tmp_path / "run")
        finish(run, lambda: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert run.epoch == 4 and not run.interrupted


def test_start_from_saved_files(small_set, tmp_path):
    """--initmodel and --resume with plain Chainer files, as the article's program had them."""
    first = Run.start(config(small_set, epoch=1), tmp_path / "first")
    finish(first)
    chainer.serializers.save_npz(str(tmp_path / "m"), first.model)
    chainer.serializers.save_npz(str(tmp_path / "s"), first.optimizer)
    run = Run.start(config(small_set), tmp_path / "a", tmp_path / "m", tmp_path / "s")
    assert run.optimizer.t == 3
    found, expected = weights(run), weights(first)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    with pytest.raises(InputError, match=r"m has other sizes: .* \(16, 3\), but \(16, 2\)"):
        Run.start(config(small_set, dimz=2), tmp_path / "b", tmp_path / "m")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("bad_step", [1, 5])
def test_non_finite_loss(small_set, tmp_path, bad_step, monkeypatch):
    monkeypatch.setattr(run_module, "SAVE_INTERVAL", 0)
    run = Run.start(config(small_set), tmp_path / "run")
    steps = []

    def poison():
        steps.append(1)
        if len(steps) == bad_step:
            run.model.ld3.b.array[:] = np.nan

    with pytest.raises(NonFiniteLossError) as error:
        finish(run, poison)
    last_good = (bad_step // 3) * 3
    assert f"the training loss of step {bad_step + 1} (epoch {bad_step // 3 + 1}) is nan" in str(
        error.value
    )
    assert f"keeps the state after step {last_good}" in str(error.value)
    resumed = Run.resume(tmp_path / "run")
    assert resumed.steps_done == last_good
    assert all(np.isfinite(p.array).all() for p in resumed.model.params())
    finish(resumed)
    assert resumed.epoch == 4


def test_non_finite_test_loss(small_set, tmp_path):
    run = Run.start(config(small_set, epoch=1), tmp_path / "run")
    steps = iter(range(1, 4))

    def on_step():
        if next(steps) == 3:
            run.model.ld3.b.array[:] = np.inf

    with pytest.raises(NonFiniteLossError, match=r"the test loss after step 3 \(epoch 1\)"):
        finish(run, on_step)


def test_a_second_interrupt_ends_at_once(small_set, tmp_path):
    run = Run.start(config(small_set), tmp_path / "run")

    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        finish(run, twice)
    assert Run.resume(tmp_path / "run").steps_done == 0


def test_load_model_and_evaluate(small_set, tmp_path):
    run = Run.start(config(small_set, epoch=2, C=3.0), tmp_path / "run")
    finish(run)
    model, loaded_config = load_model(str(tmp_path / "run"))
    assert loaded_config == run.config
    np.random.seed(0)
    result = evaluate(model, run.test_images, k=10, batchsize=7)
    assert result.loss == pytest.approx(result.rec_loss + result.kl)
    # The divergence counts once whatever C the run had, and does not depend on the samples.
    mu, ln_var = (v.array.astype(float) for v in run.model.encode(run.test_images))
    kl = 0.5 * (mu**2 + np.exp(ln_var) - ln_var - 1).sum(axis=1).mean()
    assert result.kl == pytest.approx(kl, rel=1e-5)
    assert result.loss == pytest.approx(run.log[-1]["validation/main/loss"], rel=0.01)
    with pytest.raises(ValueError, match=r"at least one image"):
        evaluate(model, run.test_images[:0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(epoch=0), "epoch must be a whole number from 1 to 1000000, not 0"),
        (dict(dimz=-2), "dimz must be a whole number from 1"),
        (dict(dim_h=10**18), "dim_h must be a whole number from 1 to 1000000, not 1000000000000"),
        (dict(batchsize=2.5), "batchsize must be a whole number from 1"),
        (dict(C=-1.0), "C must be a finite number"),
        (dict(C=float("nan")), "C must be a finite number"),
        (dict(C_warmup=-1), "C_warmup must be a whole number from 0 to 1000000, not -1"),
        (dict(C_warmup=0.5), "C_warmup must be a whole number from 0 to 1000000, not 0.5"),
        (dict(C=0, C_warmup=2), "a C of 0 has no warm-up: leave C_warmup out"),
        (dict(lr=0), "lr must be a finite number above 0, not 0"),
        (dict(lr=-0.1), "lr must be a finite number above 0, not -0.1"),
        (dict(lr=float("inf")), "lr must be a finite number above 0, not inf"),
        (dict(lr="fast"), "lr must be a finite number above 0, not 'fast'"),
        (dict(binarize="otsu"), "binarize must be one of none, threshold, stochastic, not 'otsu'"),
        (dict(likelihood="beta"), "likelihood must be one of bernoulli, continuous-bernoulli, gau"),
        (dict(likelihood="gaussian", binarize="threshold"), "pixels are not 0 and 1 alone: leave"),
        (dict(objective="vimco"), "objective must be one of elbo, iwae, not 'vimco'"),
        (dict(objective="iwae"), "iwae needs several samples, such as k = 5, not k = 1"),
        (dict(objective="iwae", k=5, C=0.5), "the objective iwae has no C: leave C and C_warmup"),
        (dict(objective="iwae", k=5, C_warmup=1), "the objective iwae has no C: leave C and"),
        (dict(objective="iwae", k=5, model="autoencoder"), "no likelihood and objective: leave"),
        (dict(seed=-1), "seed must be a whole number from 0 to 4294967295"),
        (dict(seed=2**32), "seed must be a whole number from 0 to 4294967295"),
        (dict(act="elu"), "act must be one of softplus, tanh, relu, sigmoid, not 'elu'"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(InputError) as error:
        Config(**changes)
    assert message in str(error.value)


def test_chainers_loop_stops_after_a_step_and_at_a_loss_that_is_not_finite(small_set, tmp_path):
    run = Run.start(config(small_set, engine="chainer"), tmp_path / "run")
    finish(run, lambda: signal.raise_signal(signal.SIGINT))
    assert run.interrupted and run.steps_done == 1
    run = Run.resume(tmp_path / "run")
    run.model.ld3.b.array[:] = np.nan
    before = weights(run)["/le1/W"].copy()
    with pytest.raises(NonFiniteLossError, match=r"the training loss of step 2 .* is nan"):
        finish(run)
    np.testing.assert_array_equal(weights(run)["/le1/W"], before)


def test_chainers_loop_resumes_within_an_epoch(small_set, tmp_path):
    whole = Run.start(config(small_set, engine="chainer", epoch=2), tmp_path / "whole")
    finish(whole)
    run = Run.start(config(small_set, engine="chainer", epoch=2), tmp_path / "run")
    finish(run, lambda: signal.raise_signal(signal.SIGINT))
    run = Run.resume(tmp_path / "run")
    assert run.steps_done == 1
    finish(run)
    assert_same(run, whole)


@pytest.mark.parametrize("fault", ["dump", "save"])
def test_a_graph_that_fails_does_not_end_the_run(fault, small_set, tmp_path, monkeypatch, caplog):
    expected = Run.start(config(small_set, epoch=1), tmp_path / "expected")
    finish(expected)

    def fail(*args):
        raise {
            "dump": RecursionError("maximum recursion depth exceeded\nin comparison"),
            "save": InputError("cannot write it: No space left on device"),
        }[fault]

    target = {"dump": (run_module.graph, "dump"), "save": (run_module, "save_text")}[fault]
    monkeypatch.setattr(*target, fail)
    run = Run.start(config(small_set, epoch=1), tmp_path / "run")
    assert len(finish(run)) == 1
    (message,) = caplog.messages
    start = f"chainer-vae: warning: going on without {tmp_path / 'run' / 'graph.dot'}: "
    assert message.startswith(start) and "\n" not in message
    assert message[len(start) :] in (
        "RecursionError: maximum recursion depth exceeded in comparison",
        "cannot write it: No space left on device",
    )
    assert_same(run, expected)
    assert not (tmp_path / "run" / "graph.dot").exists()
    monkeypatch.undo()
    run = Run.resume(tmp_path / "run", epoch=2)  # which writes it
    finish(run)
    assert (tmp_path / "run" / "graph.dot").exists()


def test_very_many_samples(small_set, tmp_path):
    run = Run.start(config(small_set, epoch=1, k=300, batchsize=250), tmp_path / "run")
    assert len(finish(run)) == 1
    assert (tmp_path / "run" / "graph.dot").read_text().count("Gaussian") == 300


# What only a mutation of the code has shown to be untested


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_the_test_loss_is_computed_by_what_trains(engine, small_set, tmp_path, monkeypatch):
    called = []
    evaluate = cpu_evaluation.evaluate
    monkeypatch.setattr(
        cpu_evaluation, "evaluate", lambda *args: called.append(1) or evaluate(*args)
    )
    finish(Run.start(config(small_set, engine=engine, epoch=2), tmp_path / "run"))
    assert len(called) == {"chainer": 0, "fused": 2}[engine]


def test_environments_are_those_of_trained_epochs(small_set, tmp_path):
    finish(Run.start(config(small_set, epoch=1), tmp_path / "run"))
    finish(Run.resume(tmp_path / "run"))  # nothing to do
    finish(Run.resume(tmp_path / "run", tmp_path / "copy"))
    finish(Run.resume(tmp_path / "copy", epoch=2))
    for name, epochs in (("run", [0]), ("copy", [0, 1])):
        found = load_info(tmp_path / name).environments
        assert [environment["from_epoch"] for environment in found] == epochs


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_an_overflow_is_reported_once(engine, small_set, tmp_path):
    """Not by NumPy's warnings, too, which are errors here."""
    run = Run.start(config(small_set, engine=engine, C=1e38), tmp_path / "run")
    with pytest.raises(NonFiniteLossError):
        finish(run)


def test_an_error_leaves_no_threads(small_set, tmp_path, two_blas_threads):
    """Not even while it is handled: its traceback holds the frames in which it was raised."""
    before = threading.active_count()
    run = Run.start(config(small_set, engine="fused"), tmp_path / "run")
    run.model.ld3.b.array[0] = np.nan
    with pytest.raises(NonFiniteLossError) as error:
        finish(run)
    assert error.tb and threading.active_count() == before


def test_an_error_in_the_last_update_of_an_epoch_is_raised(
    small_set, tmp_path, monkeypatch, two_blas_threads
):
    """By the step after it, of which there is none."""
    adam = cpu_kernels.adam

    def failing(p, *args):
        if run.optimizer.t == 3 and p.size == 16 * 784 + 16:  # le1's
            raise MemoryError("the last step")
        adam(p, *args)

    monkeypatch.setattr(cpu_kernels, "adam", failing)
    run = Run.start(config(small_set, engine="fused", epoch=1), tmp_path / "run")
    with pytest.raises(MemoryError, match="the last step"):
        list(run.train())  # without on_step, which waits for each update
