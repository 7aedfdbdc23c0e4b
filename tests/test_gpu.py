"""On a GPU: the same computation as on the CPU.  `make gpu-check` runs these, and more."""

import chainer
import chainer.functions as F
import numpy as np
import pytest

from chainer_vae import VAE, Config, Run, devices, evaluate, load_model
from chainer_vae.engine import Engine
from chainer_vae.team import team

FAULT = devices.gpu_fault(0)
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(FAULT is not None, reason=f"no GPU can be used: {FAULT}"),
]
ACTIVATIONS = [F.softplus, F.tanh, F.relu, F.sigmoid]


def make(act_func=F.softplus, n_latent=20, gpu=False):
    np.random.seed(0)
    model = VAE(784, n_latent, 500, act_func)
    if gpu:
        model.to_device("@cupy:0")
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    return model, optimizer


def parameters(model):
    return {name: chainer.backends.cuda.to_cpu(p.array) for name, p in model.namedparams()}


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("act_func", ACTIVATIONS, ids=lambda f: f.__name__)
def test_gradients(act_func, k, mnist, monkeypatch):
    """By the engine on the GPU, and by Chainer on the CPU in float64."""
    from chainer_vae import kernels_gpu
    from chainer_vae.engine_gpu import _Streams, _streams

    model, optimizer = make(act_func, gpu=True)
    reference, _ = make(act_func)
    for param in reference.params():
        param.array = param.array.astype("f8")
    x = mnist.train_images[:50]
    eps = np.random.standard_normal((k, 50, 20))
    noise = iter(eps)
    monkeypatch.setattr(np.random, "standard_normal", lambda shape: next(noise))
    reference.cleargrads()
    reference.get_loss_func(0.5, k)(x.astype("f8")).backward()

    xp = model.xp
    monkeypatch.setattr(kernels_gpu, "draw", lambda shape: xp.asarray(eps, "f4").reshape(shape))
    engine = Engine(model, optimizer, 0.5, k, _Streams(_streams(0)), kernels_gpu)
    found = engine.gradients(xp.asarray(x))
    xp.cuda.Device().synchronize()
    for name, param in reference.namedparams():
        largest = np.abs(param.grad).max()
        gradient = found[name].get()
        np.testing.assert_allclose(gradient, param.grad, atol=2e-5 * largest, err_msg=name)


# tanh amplifies rounding errors: on the CPU alone, another kernel changes its losses by 1e-4 within
# 100 steps.
@pytest.mark.parametrize("act_func, held", [(F.softplus, 100), (F.tanh, 15)])
def test_a_hundred_steps_agree_with_the_cpu(act_func, held, mnist):
    """The last of them on a partial batch; on the same noise."""
    from chainer_vae.engine_gpu import GpuEngine

    images = mnist.train_images[:9950]
    permutation = np.random.RandomState(1).permutation(len(images)).astype(np.int32)
    model, optimizer = make(act_func)
    np.random.seed(5)
    expected = []
    with team() as members:
        engine = Engine(model, optimizer, 1.0, 1, members)
        for start in range(0, len(images), 100):
            expected.append(engine.step(images[permutation[start : start + 100]]))
        engine.finish()

    on_gpu, optimizer = make(act_func, gpu=True)
    gpu_engine = GpuEngine(on_gpu, optimizer, 1.0, 1, images, 100)
    np.random.seed(5)
    assert gpu_engine.launch(permutation) == 100
    losses = gpu_engine.finished(0, 100)
    np.testing.assert_allclose(losses[:held], expected[:held], rtol=1e-4)
    assert optimizer.t == 100 and on_gpu.le1.W.update_rule.t == 100
    if held == 100:
        expected = parameters(model)
        for name, found in parameters(on_gpu).items():
            np.testing.assert_allclose(found, expected[name], atol=2e-3, err_msg=name)


def test_a_run_is_that_of_the_cpu(small_set, tmp_path):
    """The same random numbers: the same losses, but for rounding."""
    settings = dict(epoch=3, dimz=3, dim_h=16, batchsize=60, k=2, dataset=str(small_set))
    runs = [Run.start(Config(gpu=gpu, **settings), tmp_path / f"{gpu}") for gpu in (-1, 0)]
    logs = [list(run.train()) for run in runs]
    for expected, found in zip(*logs):
        for key in ("main/loss", "main/rec_loss", "validation/main/loss"):
            assert found[key] == pytest.approx(expected[key], rel=1e-4), key


def test_run_resumes_exactly_and_files_go_both_ways(small_set, tmp_path):
    settings = dict(dimz=3, dim_h=16, batchsize=60, dataset=str(small_set), gpu=0)
    whole = Run.start(Config(epoch=4, **settings), tmp_path / "whole")
    assert whole.unfused is None
    list(whole.train())
    run = Run.start(Config(epoch=2, **settings), tmp_path / "run")
    list(run.train())
    run = Run.resume(tmp_path / "run", epoch=4)
    assert len(list(run.train())) == 2
    expected = parameters(whole.model)
    for name, found in parameters(run.model).items():
        np.testing.assert_array_equal(found, expected[name], err_msg=name)
    losses = [[e["main/loss"], e["validation/main/loss"]] for e in whole.log]
    assert losses == [[e["main/loss"], e["validation/main/loss"]] for e in run.log]

    on_cpu, _ = load_model(tmp_path / "run")
    for name, found in parameters(on_cpu).items():
        np.testing.assert_array_equal(found, expected[name], err_msg=name)
    moved = Run.resume(tmp_path / "run", tmp_path / "moved", epoch=5, gpu=-1)
    list(moved.train())
    back = Run.resume(tmp_path / "moved", epoch=6, gpu=0, engine="chainer")
    list(back.train())
    assert np.isfinite(back.log[-1]["main/loss"])


def test_stops_in_the_middle_and_goes_on(small_set, tmp_path):
    import signal

    settings = dict(dimz=3, dim_h=16, batchsize=60, dataset=str(small_set), gpu=0)
    whole = Run.start(Config(epoch=2, **settings), tmp_path / "whole")
    list(whole.train())
    run = Run.start(Config(epoch=2, **settings), tmp_path / "run")
    steps = iter(range(100))
    list(run.train(lambda: next(steps) == 7 and signal.raise_signal(signal.SIGINT)))
    assert run.interrupted and 5 < run.steps_done < 10
    run = Run.resume(tmp_path / "run")
    list(run.train())
    expected = parameters(whole.model)
    for name, found in parameters(run.model).items():
        np.testing.assert_array_equal(found, expected[name], err_msg=name)
    assert run.log[-1]["main/loss"] == pytest.approx(whole.log[-1]["main/loss"], rel=1e-12)


@pytest.mark.parametrize("act_func", ACTIVATIONS, ids=lambda f: f.__name__)
def test_what_is_not_a_number_shows(act_func, mnist):
    model, _ = make(act_func, gpu=True)
    model.le1.W.array[0, 300] = np.nan
    assert np.isnan(evaluate(model, mnist.test_images[:200], k=1).loss)


def test_noise_that_does_not_fit_at_once(mnist, monkeypatch):
    """Rounds of 7 steps, an epoch that is stopped among them, and gone on with."""
    from chainer_vae import engine_gpu

    images = mnist.train_images[:1950]
    permutation = np.arange(len(images), dtype=np.int32)
    results = []
    for noise in (engine_gpu.NOISE, 7 * 2000):
        monkeypatch.setattr(engine_gpu, "NOISE", noise)
        model, optimizer = make(gpu=True)
        engine = engine_gpu.GpuEngine(model, optimizer, 1.0, 1, images, 100)
        np.random.seed(5)
        go_on = iter([True] * 11 + [False]).__next__
        assert engine.launch(permutation, 0, go_on) == 11
        first = engine.finished(0, 11)
        assert engine.launch(permutation, 11) == 9
        results.append(np.concatenate([first, engine.finished(11, 9)]))
        assert np.random.standard_normal() == np.random.RandomState(5).standard_normal(39001)[-1]
    np.testing.assert_array_equal(results[0], results[1])


def test_evaluation_agrees_with_chainers_on_the_cpu(mnist):
    model, _ = load_model("z20", gpu=0)
    np.random.seed(0)
    found = evaluate(model, mnist.test_images, k=3, batchsize=300)
    model.to_device("@numpy")
    np.random.seed(0)
    expected = evaluate(model, mnist.test_images, k=3, batchsize=300, fused=False)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ("z20", "z2"))
def test_what_figures_show_is_the_same(name):
    """Codes, decoded images and the graph, of a model on the GPU and on the CPU."""
    from chainer_vae import graph
    from chainer_vae.figures.registry import Trained

    ours, theirs = Trained(name, name, gpu=0), Trained(name, name)
    np.testing.assert_allclose(ours.codes, theirs.codes, atol=1e-4)
    codes = theirs.codes[:700]
    np.testing.assert_allclose(ours.decode(codes), theirs.decode(codes), atol=1e-4)
    batch = theirs.data.test_images[:100]
    text = graph.dump(theirs.model.get_loss_func()(batch))
    loss = ours.model.get_loss_func()(ours.model.xp.asarray(batch))
    assert graph.dump(loss) == text


def test_figures_and_projector(tmp_path):
    from chainer_vae.cli import main

    only = ("network", "manifold", "reconstruction")
    assert main(["figures", "--gpu", "0", "--out", str(tmp_path / "f"), "--only", *only]) == 0
    assert main(["projector", "z2", "--gpu", "0", "--out", str(tmp_path / "p")]) == 0
    assert (tmp_path / "f" / "2dim_map.png").stat().st_size > 100_000
    assert (tmp_path / "p" / "codes.tsv").read_text().count("\n") == 10_000
