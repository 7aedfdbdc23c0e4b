"""On a GPU: the same computation as on the CPU.  `make gpu-check` runs these, and more.

Where there is none, most of them run on a stand-in for CuPy, which shows less: see cupy_on_cpu.py.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import chainer
import chainer.functions as F
import cupy_on_cpu
import numpy as np
import pytest
from chainer.backends import cuda

import chainer_vae
from chainer_vae import VAE, Config, Run, devices, evaluate, likelihood, load_model
from chainer_vae.engine import Engine, thread_pool
from chainer_vae.errors import InputError
from chainer_vae.random_numbers import cupy_random
from chainer_vae.runs import checkpoints

pytestmark = pytest.mark.usefixtures("signals")

FAULT = devices.gpu_fault(0)
ON_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        FAULT is not None, reason=f"no GPU can be used: {(FAULT or '').split(';')[0]}"
    ),
]
ACTIVATIONS = [F.softplus, F.tanh, F.relu, F.sigmoid]


@pytest.fixture(params=["stand-in", pytest.param("gpu", marks=ON_GPU)])
def gpu(request, monkeypatch):
    """The module to compute with, CuPy or what stands in for it."""
    if request.param == "stand-in":
        if shutil.which("g++") is None and "CI" not in os.environ:
            pytest.skip("no g++, to compile the kernels for this machine's processor")
        return cupy_on_cpu.install(monkeypatch)
    return chainer.backends.cuda.cupy


def on_gpu_only(test):
    for mark in ON_GPU:
        test = mark(test)
    return test


def is_real(gpu):
    return gpu.__version__ != "stand-in"


def make(act_func=F.softplus, n_latent=20, n_h=500, on_gpu=False):
    np.random.seed(0)
    model = VAE(784, n_latent, n_h, act_func)
    if on_gpu:
        model.to_device("@cupy:0")
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    return model, optimizer


def assert_same_parameters(found, expected, **tolerance):
    expected = checkpoints.to_arrays(expected)
    for name, array in checkpoints.to_arrays(found).items():
        if tolerance:
            np.testing.assert_allclose(array, expected[name], err_msg=name, **tolerance)
        else:
            np.testing.assert_array_equal(array, expected[name], err_msg=name)


@pytest.mark.parametrize("skipped", [0, 1, 623, 1000])
def test_noise_is_numpys(gpu, skipped, monkeypatch):
    """From any place in its block, in one or several parts, with a number left over or not."""
    from chainer_vae.engine import gpu_noise

    monkeypatch.setattr(gpu_noise, "PIECE", 3000)
    np.random.seed(3)
    np.random.bytes(4 * skipped)
    state = np.random.get_state()
    for n in (1, 2, 5, 0, 10_000, 1, 4, 5001):
        found = gpu_noise.standard_normal(n).get()
        after = np.random.get_state()
        np.random.set_state(state)
        expected = np.random.standard_normal(n).astype("f4")
        if is_real(gpu):  # its logarithm is another
            np.testing.assert_allclose(found, expected, rtol=2e-7)
        else:
            np.testing.assert_array_equal(found, expected)
        state = np.random.get_state()
        np.testing.assert_array_equal(after[1], state[1])
        assert after[2:4] == state[2:4] and after[4] == state[4]


@pytest.mark.parametrize("n", [1, 3, 4])
def test_noise_is_there_for_every_stream(gpu, n):
    """Not only for that on which it was made."""
    from chainer_vae.engine import gpu_noise

    np.random.seed(3)
    noise = gpu_noise.standard_normal(n)
    with gpu.cuda.Stream(non_blocking=True):
        found = noise.get()
    expected = np.random.RandomState(3).standard_normal(n)
    np.testing.assert_allclose(found, expected, rtol=2e-7)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("act_func", ACTIVATIONS, ids=lambda f: f.__name__)
def test_gradients(gpu, act_func, k, mnist):
    """By the engine on the GPU, and by Chainer on the CPU in float64."""
    from chainer_vae.engine import gpu_kernels
    from chainer_vae.engine.gpu_step import StreamPool, streams

    model, optimizer = make(act_func, on_gpu=True)
    reference, _ = make(act_func)
    for param in reference.params():
        param.array = param.array.astype("f8")
    x = mnist.train_images[:50]
    np.random.seed(5)
    reference.cleargrads()
    reference.get_loss_func(0.5, k)(x.astype("f8")).backward()

    np.random.seed(5)
    engine = Engine(model, optimizer, 0.5, k, StreamPool(streams(0)), gpu_kernels)
    found = engine.gradients(gpu.asarray(x))
    gpu.cuda.Device().synchronize()
    for name, param in reference.namedparams():
        largest = np.abs(param.grad).max()
        gradient = found[name].get()
        np.testing.assert_allclose(gradient, param.grad, atol=2e-5 * largest, err_msg=name)


# tanh amplifies rounding errors: on the CPU alone, another kernel changes its losses by 1e-4 within
# 100 steps.
@pytest.mark.slow
@pytest.mark.parametrize(
    "act_func, held, captured",
    [
        (F.softplus, 100, True),
        (F.softplus, 100, False),
        (F.tanh, 15, True),
    ],
)
def test_a_hundred_steps_agree_with_the_cpu(gpu, act_func, held, captured, mnist, monkeypatch):
    """The last of them on a partial batch; on the same noise; by a CUDA graph or without."""
    from chainer_vae.engine.gpu_step import GpuEngine

    if not captured:
        monkeypatch.setattr(gpu.cuda.Stream, "begin_capture", refuse)
    batchsize, n_h = (100, 500) if is_real(gpu) else (20, 50)
    images = mnist.train_images[: 99 * batchsize + batchsize // 2]
    permutation = np.random.RandomState(1).permutation(len(images)).astype(np.int32)
    model, optimizer = make(act_func, n_h=n_h)
    np.random.seed(5)
    expected = []
    with thread_pool() as pool:
        engine = Engine(model, optimizer, 1.0, 1, pool)
        for start in range(0, len(images), batchsize):
            expected.append(engine.step(images[permutation[start : start + batchsize]]))
        engine.finish()
    next_number = np.random.random_sample()

    on_gpu, optimizer = make(act_func, n_h=n_h, on_gpu=True)
    gpu_engine = GpuEngine(on_gpu, optimizer, 1.0, 1, images, batchsize)
    assert gpu_engine.uncaptured == (None if captured else "cannot be captured")
    np.random.seed(5)
    assert gpu_engine.launch(permutation) == 100
    assert np.random.random_sample() == next_number
    losses = gpu_engine.finished(0, 100)
    np.testing.assert_allclose(losses[:held], expected[:held], rtol=1e-4)
    assert optimizer.t == 100 and on_gpu.le1.W.update_rule.t == 100
    if held == 100:
        assert_same_parameters(on_gpu, model, atol=2e-3)


def refuse(*args):
    raise RuntimeError("cannot\nbe captured")


def test_a_step_that_fails_while_it_is_captured(gpu, mnist, monkeypatch):
    """As where the driver or a library does not take part: the engine goes on without a graph."""
    from chainer_vae.engine import gpu_step

    model, optimizer = make(n_h=50, on_gpu=True)
    before = checkpoints.to_arrays(model)
    enqueue, calls = gpu_step.GpuEngine._enqueue, []

    def fail_at_second(engine, *args):
        calls.append(1)
        if len(calls) == 2:
            engine.finish = engine.now.get  # asks for what is not there yet
        enqueue(engine, *args)

    with monkeypatch.context() as during:
        during.setattr(gpu_step.GpuEngine, "_enqueue", fail_at_second)
        engine = gpu_step.GpuEngine(model, optimizer, 1.0, 1, mnist.train_images[:200], 100)
    del engine.finish
    assert engine.uncaptured is not None and "\n" not in engine.uncaptured
    for name, array in checkpoints.to_arrays(model).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    engine.launch(np.arange(200))
    assert np.isfinite(engine.finished(0, 2)).all()


def test_too_little_memory_is_not_taken_for_something_else(gpu, mnist, monkeypatch):
    from chainer_vae.engine.gpu_step import GpuEngine

    def no_memory(*args):
        raise MemoryError("out of memory")

    monkeypatch.setattr(gpu.cuda.Stream, "begin_capture", no_memory)
    with pytest.raises(MemoryError, match="out of memory"):
        GpuEngine(*make(n_h=16, on_gpu=True), 1.0, 1, mnist.train_images[:100], 100)


@pytest.mark.parametrize("status, error", [(1, MemoryError), (3, MemoryError), (13, RuntimeError)])
def test_cublas_that_cannot_begin(status, error, monkeypatch):
    """On the stand-in only: what cuBLAS says where memory is short, or where something else is."""
    cublas = cupy_on_cpu.install(monkeypatch).cublas
    from chainer_vae.engine import gpu_kernels

    monkeypatch.setattr(cublas, "create_status", status)
    with pytest.raises(error, match="cuBLAS"):
        gpu_kernels._handle(0, 0)


@pytest.mark.parametrize("binarize", ["none", "stochastic"])
def test_a_run_is_that_of_the_cpu(gpu, binarize, small_set, tmp_path):
    """The same random numbers: the same losses, but for rounding."""
    settings = dict(epoch=3, dimz=3, dim_h=16, batchsize=60, k=2, dataset=str(small_set))
    settings["binarize"] = binarize
    runs = [Run.start(Config(gpu=gpu, **settings), tmp_path / f"{gpu}") for gpu in (-1, 0)]
    assert runs[1].model.xp is gpu
    assert [(run.backend.name, run.backend.reason) for run in runs] == 2 * [("fused", None)]
    for run in runs:
        for _ in run.train():
            run.optimizer.alpha *= 3  # shows, from the next epoch on
            run.optimizer.beta1 *= 0.9
            run.optimizer.beta2 *= 0.9
            run.optimizer.eps *= 2
    for expected, found in zip(*(run.log for run in runs)):
        for key in ("main/loss", "main/rec_loss", "validation/main/loss"):
            assert found[key] == pytest.approx(expected[key], rel=1e-4), key


@pytest.mark.parametrize(
    ("settings", "option"),
    [(dict(C_warmup=1), "--C-warmup 1"), (dict(objective="iwae", k=2), "--objective iwae")],
)
def test_what_is_chainers_on_a_gpu(settings, option, gpu, small_set, tmp_path):
    run = Run.start(Config(gpu=0, dataset=str(small_set), **settings), tmp_path / "run")
    assert (run.backend.name, run.backend.reason) == ("chainer", f"on a GPU, {option}")
    with pytest.raises(InputError, match=f"fused is not possible: on a GPU, {option}; "):
        Run.resume(run.folder, engine="fused")


def _decay(run):
    run.optimizer.alpha *= 0.9


def _replace(run):
    run.model.le1.W.array = run.model.le1.W.array * np.float32(0.9)


@pytest.mark.parametrize("change", [_decay, _replace])
def test_what_on_step_sees_and_changes_is_that_of_the_cpu(gpu, change, small_set, tmp_path):
    """The weights after each step; and from the next step on, not epoch, what it changed."""
    settings = dict(epoch=2, dimz=3, dim_h=16, batchsize=60, dataset=str(small_set))
    runs = [Run.start(Config(gpu=gpu, **settings), tmp_path / f"{gpu}") for gpu in (-1, 0)]
    seen = []
    for run in runs:
        sums = []

        def on_step(run=run, sums=sums):
            sums.append([float(abs(param.array).sum()) for param in run.model.params()])
            sums[-1] += [run.steps_done, run.optimizer.t]
            change(run)

        list(run.train(on_step))
        assert run.backend.name == "fused"
        seen.append(sums)
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-3, atol=1e-3)
    assert not np.allclose(seen[0][0][:-2], seen[0][1][:-2], rtol=1e-3, atol=1e-3)
    for expected, found in zip(*(run.log for run in runs)):
        for key in ("main/loss", "main/rec_loss", "validation/main/loss"):
            assert found[key] == pytest.approx(expected[key], rel=1e-4), key


def test_an_error_in_progress_loses_no_step(gpu, small_set, tmp_path):
    """What was launched before it counts: the run can go on, or be saved."""
    settings = dict(epoch=2, dimz=3, dim_h=16, batchsize=60, dataset=str(small_set), gpu=0)
    whole = Run.start(Config(**settings), tmp_path / "whole")
    list(whole.train())
    run = Run.start(Config(**settings), tmp_path / "run")
    steps = iter(range(100))
    with pytest.raises(ZeroDivisionError):
        list(run.train(progress=lambda: 1 / (next(steps) - 2)))
    assert (run.steps_done, run.optimizer.t) == (3, 3)
    list(run.train())
    assert_same_parameters(run.model, whole.model)
    assert run.log[-1]["main/loss"] == whole.log[-1]["main/loss"]


@pytest.mark.slow
def test_run_resumes_exactly_and_files_go_both_ways(gpu, small_set, tmp_path):
    settings = dict(dimz=3, dim_h=16, batchsize=60, dataset=str(small_set), gpu=0)
    whole = Run.start(Config(epoch=4, **settings), tmp_path / "whole")
    list(whole.train())
    run = Run.start(Config(epoch=2, **settings), tmp_path / "run")
    list(run.train())
    run = Run.resume(tmp_path / "run", epoch=4)
    assert len(list(run.train())) == 2
    assert_same_parameters(run.model, whole.model)
    losses = [[e["main/loss"], e["validation/main/loss"]] for e in whole.log]
    assert losses == [[e["main/loss"], e["validation/main/loss"]] for e in run.log]

    on_cpu, _ = load_model(tmp_path / "run")
    assert on_cpu.xp is np
    assert_same_parameters(on_cpu, whole.model)
    moved = Run.resume(tmp_path / "run", tmp_path / "moved", epoch=5, gpu=-1)
    list(moved.train())
    back = Run.resume(tmp_path / "moved", epoch=6, gpu=0)
    list(back.train())
    assert [e["from_epoch"] for e in back.environments] == [0, 2, 4, 5]
    assert np.isfinite(back.log[-1]["main/loss"])


def test_without_a_graph_a_run_says_so(gpu, small_set, tmp_path, monkeypatch, capsys):
    from chainer_vae.cli import main

    monkeypatch.setattr(gpu.cuda.Stream, "begin_capture", refuse)
    options = f"train --gpu 0 --epoch 1 --dimz 3 --dim-h 16 --dataset {small_set} --out".split()
    assert main([*options, str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "\nengine: fused, without a CUDA graph (cannot be captured)\n" in out
    content = json.loads((tmp_path / "run" / "config.json").read_text())
    assert content["environments"][0]["engine"] == "fused, without a CUDA graph"


@on_gpu_only
def test_chainers_loop(small_set, tmp_path):
    """It draws from cupy.random, seeded anew each epoch: a run may stop and go on exactly."""
    settings = dict(dimz=3, dim_h=16, batchsize=60, dataset=str(small_set), gpu=0)
    whole = Run.start(Config(epoch=2, engine="chainer", **settings), tmp_path / "whole")
    list(whole.train())
    run = Run.start(Config(epoch=2, engine="chainer", **settings), tmp_path / "run")
    steps = iter(range(100))
    list(run.train(progress=lambda: next(steps) == 7 and signal.raise_signal(signal.SIGINT)))
    assert run.interrupted
    run = Run.resume(tmp_path / "run")
    list(run.train())
    assert_same_parameters(run.model, whole.model)


@on_gpu_only
def test_random_numbers_drawn_in_on_step_are_not_those_of_chainers_loop(small_set, tmp_path):
    settings = dict(epoch=2, dimz=3, dim_h=16, batchsize=60, dataset=str(small_set), gpu=0)
    runs = []
    for name, draws in (("alone", 0), ("beside", 7)):
        run = Run.start(Config(engine="chainer", **settings), tmp_path / name)
        list(run.train(lambda draws=draws, xp=run.model.xp: xp.random.random_sample(draws)))
        runs.append(run)
    assert_same_parameters(runs[0].model, runs[1].model)
    assert runs[0].log[-1]["validation/main/loss"] == runs[1].log[-1]["validation/main/loss"]


def test_a_generator_of_cupys_is_there_for_a_while(monkeypatch):
    """On a stand-in only: set for the calls within, the caller's own again after them."""
    states = ["the caller's"]
    random = types.SimpleNamespace(
        get_random_state=lambda: states[-1], set_random_state=states.append
    )
    monkeypatch.setattr(cuda, "cupy", types.SimpleNamespace(random=random))
    with pytest.raises(ZeroDivisionError), cupy_random("the run's"):
        assert states[-1] == "the run's"
        raise ZeroDivisionError
    with cupy_random(None):
        assert states[-1] == "the caller's" and len(states) == 3


def test_stops_in_the_middle_and_goes_on(gpu, small_set, tmp_path):
    settings = dict(dimz=3, dim_h=16, batchsize=60, dataset=str(small_set), gpu=0)
    whole = Run.start(Config(epoch=2, **settings), tmp_path / "whole")
    list(whole.train())
    run = Run.start(Config(epoch=2, **settings), tmp_path / "run")
    steps = iter(range(100))
    list(run.train(progress=lambda: next(steps) == 7 and signal.raise_signal(signal.SIGINT)))
    assert run.interrupted and 5 < run.steps_done < 10
    run = Run.resume(tmp_path / "run")
    list(run.train())
    assert_same_parameters(run.model, whole.model)
    assert run.log[-1]["main/loss"] == pytest.approx(whole.log[-1]["main/loss"], rel=1e-12)


@pytest.mark.parametrize("act_func", ACTIVATIONS, ids=lambda f: f.__name__)
def test_what_is_not_a_number_shows(gpu, act_func, mnist):
    model, _ = make(act_func, n_h=310, on_gpu=True)
    model.le1.W.array[0, 300] = np.nan
    assert np.isnan(evaluate(model, mnist.test_images[:200], k=1).loss)


def test_noise_that_does_not_fit_at_once(gpu, mnist, monkeypatch):
    """Rounds of 7 steps in two draws, an epoch that is stopped among them, and gone on with."""
    from chainer_vae.engine import gpu_step

    images = mnist.train_images[:195]
    permutation = np.arange(len(images), dtype=np.int32)
    results = []
    for noise, chunk in ((gpu_step.NOISE, gpu_step.CHUNK), (7 * 200, 4 * 200)):
        monkeypatch.setattr(gpu_step, "NOISE", noise)
        monkeypatch.setattr(gpu_step, "CHUNK", chunk)
        model, optimizer = make(n_h=20, on_gpu=True)
        engine = gpu_step.GpuEngine(model, optimizer, 1.0, 1, images, 10)
        np.random.seed(5)
        go_on = iter([True] * 11 + [False]).__next__
        assert engine.launch(permutation, 0, go_on) == 11
        first = engine.finished(0, 11)
        assert engine.launch(permutation, 11) == 9
        results.append(np.concatenate([first, engine.finished(11, 9)]))
        assert np.random.standard_normal() == np.random.RandomState(5).standard_normal(3901)[-1]
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize(
    "columns, noise", [(10_000, 2**23), (700, 2**23), (100, 2**23), (100, 2 * 100 * 20), (100, 1)]
)
def test_evaluation_agrees_with_chainers_on_the_cpu(gpu, columns, noise, mnist, monkeypatch):
    """Several batches at a time; one; some samples of one; and their noise in parts, too."""
    from chainer_vae.engine import gpu_evaluation

    monkeypatch.setattr(gpu_evaluation, "COLUMNS", columns)
    monkeypatch.setattr(gpu_evaluation, "NOISE", noise)
    images = mnist.test_images if is_real(gpu) else mnist.test_images[:330]
    model, _ = load_model("z20", gpu=0)
    assert model.xp is gpu
    np.random.seed(0)
    found = evaluate(model, images, k=3, batchsize=100)
    model.to_device("@numpy")
    np.random.seed(0)
    expected = evaluate(model, images, k=3, batchsize=100, fused=False)
    assert found == pytest.approx(expected, rel=1e-5)


def test_evaluation_draws_no_more_at_a_time_than_it_may(gpu, mnist, monkeypatch):
    """Whatever the number of samples."""
    from chainer_vae.engine import gpu_evaluation, gpu_noise

    draw, drawn = gpu_noise.standard_normal, []
    monkeypatch.setattr(
        gpu_noise, "standard_normal", lambda n, random: drawn.append(n) or draw(n, random)
    )
    monkeypatch.setattr(gpu_evaluation, "NOISE", 10_000)
    model, _ = make(n_latent=2, n_h=4, on_gpu=True)
    evaluate(model, mnist.test_images[:150], k=120, batchsize=100)
    assert drawn == [10_000, 10_000, 4000, 10_000, 2000]


def test_ln_p_of_x_agrees_with_that_of_the_cpu(gpu, mnist, monkeypatch):
    """By Chainer's functions on the GPU; the noise is the same on both."""
    monkeypatch.setattr(likelihood, "GPU_BLOCK", 30)
    images = mnist.test_images[:3]
    model, _ = load_model("z20", gpu=0)
    assert model.xp is gpu
    found = likelihood.log_likelihood(model, gpu.asarray(images), k=100)
    model.to_device("@numpy")
    expected = likelihood.log_likelihood(model, images, k=100)
    np.testing.assert_allclose(found.of_images, expected.of_images, rtol=1e-4)


def test_the_stand_in_leaves_nothing_behind():
    def gpu_modules():
        return {name: sys.modules.get(name) for name in cupy_on_cpu.GPU_MODULES}

    before, cupy, xp = gpu_modules(), sys.modules.get("cupy"), make()[0].xp
    with pytest.MonkeyPatch.context() as monkeypatch:
        cupy_on_cpu.install(monkeypatch)
        assert None not in gpu_modules().values() and gpu_modules() != before
    assert (gpu_modules(), sys.modules.get("cupy"), make()[0].xp) == (before, cupy, xp)
    for name, module in before.items():
        assert getattr(chainer_vae, name, None) is module


@pytest.mark.slow
def test_gpu_check_compares_with_the_cpu(gpu):
    import gpu_check

    settings = {} if is_real(gpu) else dict(dim_h=20, batchsize=10)
    found = gpu_check.agreement(**settings)
    assert set(found) == {"losses_of_100_steps", "gradients"}
    assert all(0 < difference < 1e-4 for difference in found.values()), found


@on_gpu_only
@pytest.mark.parametrize("name", ("z20", "z2"))
def test_what_figures_show_is_the_same(name):
    """Latent means, decoded images and the graph, of a model on the GPU and on the CPU."""
    from chainer_vae import graph
    from chainer_vae.figures.registry import Trained

    ours, theirs = Trained(name, name, gpu=0), Trained(name, name)
    np.testing.assert_allclose(ours.latent_means, theirs.latent_means, atol=1e-4)
    z = theirs.latent_means[:700]
    np.testing.assert_allclose(ours.decode(z), theirs.decode(z), atol=1e-4)
    batch = theirs.data.test_images[:100]
    text = graph.dump(theirs.model.get_loss_func()(batch))
    loss = ours.model.get_loss_func()(ours.model.xp.asarray(batch))
    assert graph.dump(loss) == text


@on_gpu_only
def test_an_old_program(tmp_path):
    program = Path(__file__).parent / "programs" / "trainer_of_2017.py"
    command = [sys.executable, "-m", "chainer_vae.compat", program, tmp_path / "result", "0"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 13, result.stderr
    assert "validation/main/accuracy" in result.stdout


@on_gpu_only
@pytest.mark.parametrize("name", ["z20", "ae2"])
def test_reconstructions_are_the_same(name, mnist):
    from chainer_vae.evaluation import latent_vectors, reconstruction_errors
    from chainer_vae.runs import load_any_model

    (ours, _), (theirs, _) = load_any_model(name, gpu=0), load_any_model(name)
    x = mnist.test_images[:250]
    for function in (latent_vectors, reconstruction_errors):
        found = function(ours, x), function(theirs, x)
        assert {type(array) for array in found} == {np.ndarray}
        np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-3)


@on_gpu_only
def test_commands_that_show_a_model(tmp_path, monkeypatch):
    from chainer_vae.cli import main

    monkeypatch.chdir(tmp_path)
    for command in (
        ["sample"],
        ["reconstruct", "ae2"],
        ["interpolate"],
        ["encode", "-o", "a.npz"],
        ["evaluate", "ae2"],
    ):
        assert main([*command, "--gpu", "0"]) == 0


@on_gpu_only
def test_figures_and_projector(tmp_path):
    from chainer_vae.cli import main

    only = ("network", "manifold", "reconstruction")
    assert main(["figures", "--gpu", "0", "--out", str(tmp_path / "f"), "--only", *only]) == 0
    assert main(["projector", "z2", "--gpu", "0", "--out", str(tmp_path / "p")]) == 0
    assert (tmp_path / "f" / "2dim_map.png").stat().st_size > 100_000
    assert (tmp_path / "p" / "latent_means.tsv").read_text().count("\n") == 10_000
