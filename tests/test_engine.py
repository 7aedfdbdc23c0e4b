"""The engine against Chainer's autograd and Adam, and its kernels over the whole float32 range."""

import copy
import ctypes
import os
import pickle
import tracemalloc

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from chainer.link_hooks import SpectralNormalization, TimerHook
from threadpoolctl import threadpool_limits

from chainer_vae import (
    VAE,
    Autoencoder,
    Config,
    InputError,
    Run,
    encode,
    evaluate,
    evaluation,
    latent,
)
from chainer_vae.engine import Engine, cpu_evaluation, network, thread_pool, unsupported
from chainer_vae.engine import cpu_kernels as kernels
from chainer_vae.engine.iwae_network import IWAENetwork
from chainer_vae.engine.threads import MAX_THREADS
from chainer_vae.evaluation import squared_error
from chainer_vae.iwae import iwae_loss_func
from chainer_vae.kernels import LEVELS, load
from chainer_vae.runs import checkpoints

ACTIVATIONS = [F.softplus, F.tanh, F.relu, F.sigmoid]
FLOAT32 = np.finfo("f4")
MODELS = [(VAE, "elbo", 2), (VAE, "iwae", 3), (Autoencoder, "elbo", 1)]  # with k
by_name = dict(ids=lambda value: getattr(value, "__name__", str(value)))


def make(act_func=F.softplus, n_latent=20, n_h=500, dtype="f4", n_in=784, kind=VAE):
    np.random.seed(0)
    model = kind(n_in, n_latent, n_h, act_func)
    for param in model.params():
        param.array = param.array.astype(dtype)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    return model, optimizer


def loss_func_of(model, C, k, objective="elbo"):
    """Chainer's, of either model."""
    if objective == "iwae":
        return iwae_loss_func(model, k)
    return model.get_loss_func(C, k) if isinstance(model, VAE) else model.get_loss_func()


def train(batches, fused, C=1.0, k=1, threads=2, objective="elbo", **model_settings):
    """Losses of each step, the model and its optimizer; the noise begins at the same seed."""
    model, optimizer = make(**model_settings)
    losses = []
    np.random.seed(5)
    if fused:
        with thread_pool(threads) as pool:
            engine = Engine(model, optimizer, C, k, pool, objective=objective)
            losses = [engine.step(x) for x in batches]
            engine.finish()
    else:
        loss_func = loss_func_of(model, C, k, objective)
        with threadpool_limits(1, user_api="blas"):  # see conftest.py
            for x in batches:
                optimizer.update(loss_func, x)
                rec_loss = model.rec_loss if isinstance(model, VAE) else model.loss
                losses.append((float(model.loss.array), float(rec_loss.array)))
    return np.array(losses), model, optimizer


def epoch(images, batchsize, dtype):
    permutation = np.random.RandomState(1).permutation(len(images))
    for start in range(0, len(images), batchsize):
        yield images[permutation[start : start + batchsize]].astype(dtype)


def state(model, optimizer):
    return {**checkpoints.to_arrays(model), **checkpoints.to_arrays(optimizer)}


def assert_same_state(found, expected, tolerance):
    found, expected = state(*found), state(*expected)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        largest = max(1e-30, np.abs(array).max())
        np.testing.assert_allclose(
            found[name], array, rtol=0, atol=tolerance * largest, err_msg=name
        )


@pytest.mark.parametrize(
    "kind, objective, C, k, n, n_latent, n_h",
    [
        (VAE, "elbo", 1, 1, 100, 20, 500),
        (VAE, "elbo", 4, 3, 7, 2, 33),
        (VAE, "iwae", 1, 5, 100, 20, 500),  # products in blocks
        (VAE, "iwae", 1, 3, 7, 2, 33),
        (VAE, "iwae", 1, 1, 1, 1, 5),
        (Autoencoder, "elbo", 1, 1, 7, 2, 33),
    ],
    **by_name,
)
@pytest.mark.parametrize("act_func", ACTIVATIONS, **by_name)
def test_gradients_are_those_of_autograd(act_func, kind, objective, C, k, n, n_latent, n_h, mnist):
    model, optimizer = make(act_func, n_latent, n_h, "f8", kind=kind)
    x = mnist.train_images[:n].astype("f8")
    np.random.seed(5)
    model.cleargrads()
    loss_func_of(model, C, k, objective)(x).backward()
    expected = {name: param.grad for name, param in model.namedparams()}
    before = checkpoints.to_arrays(model)
    np.random.seed(5)
    with thread_pool(2) as pool:
        found = Engine(model, optimizer, C, k, pool, objective=objective).gradients(x)
    assert found.keys() == expected.keys()
    # A sample's share is as exact as ln w, which is a difference of hundreds.
    tolerance = 1e-12 if objective == "elbo" else 1e-11
    for name, gradient in expected.items():
        largest = np.abs(gradient).max()
        np.testing.assert_allclose(
            found[name], gradient, rtol=0, atol=tolerance * largest, err_msg=name
        )
    for name, array in checkpoints.to_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("kind, objective, k", MODELS, **by_name)
@pytest.mark.parametrize("share", [1, 20_000])
def test_products_in_shares(share, kind, objective, k, mnist, monkeypatch):
    """As a large batch has them, cut at odd places."""
    batches = list(epoch(mnist.train_images[:150], 50, "f8"))
    settings = dict(n_latent=3, n_h=33, dtype="f8", k=k, kind=kind, objective=objective)
    expected, *reference = train(batches, False, **settings)
    monkeypatch.setattr(network, "MIN_BLOCK_WORK", share)
    found, *own = train(batches, True, threads=3, **settings)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert_same_state(own, reference, 1e-10)


@pytest.mark.parametrize("kind, objective, k", MODELS, **by_name)
@pytest.mark.parametrize("act_func", ACTIVATIONS, **by_name)
def test_steps_are_chainers(act_func, kind, objective, k, mnist):
    """In float64, where nothing but another computation makes a difference; with a partial batch,
    and then by Chainer from where the engine stopped, and by the engine from there."""
    batches = list(epoch(mnist.train_images[:950], 100, "f8"))
    layers = dict(act_func=act_func, n_latent=5, n_h=64, dtype="f8", kind=kind)
    settings = dict(C=0.5, k=k, objective=objective, **layers)
    expected, *reference = train(batches, False, **settings)
    # With one thread, each update is as late as it may be.
    found, *own = train(batches, True, threads=1, **settings)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert_same_state(own, reference, 1e-10)

    for model, optimizer in (own, reference):
        np.random.seed(6)
        optimizer.update(loss_func_of(model, 0.5, k, objective), batches[0])
        np.random.seed(7)
        if model is own[0]:
            with thread_pool() as pool:
                engine = Engine(model, optimizer, 0.5, k, pool, objective=objective)
                engine.step(batches[1])
                engine.finish()
        else:
            optimizer.update(loss_func_of(model, 0.5, k, objective), batches[1])
    assert_same_state(own, reference, 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, losses, weights", [(VAE, 2e-6, 1e-5), (Autoencoder, 1e-4, 1e-3)], **by_name
)
def test_an_epoch_in_float32(kind, losses, weights, mnist):
    """600 steps on MNIST, softplus, to within what docs/en/engine.md says. (Seen: 5e-7; of the
    autoencoder 2e-5, as the rounding grows: Chainer's own losses in float32 and float64 lie 8e-6
    apart, the engine's 6e-6.)"""
    batches = list(epoch(mnist.train_images, 100, "f4"))
    expected, model, _ = train(batches, False, kind=kind)
    found, own, _ = train(batches, True, kind=kind)
    np.testing.assert_allclose(found, expected, rtol=losses)
    # A weight whose gradient is nearly 0 moves by its sign: the rest of the rounding.
    for name, array in checkpoints.to_arrays(model).items():
        difference = checkpoints.to_arrays(own)[name] - array
        assert np.sqrt(np.mean(difference**2)) < weights * np.sqrt(np.mean(array**2)), name


@pytest.mark.slow
@pytest.mark.parametrize("act_func", [F.softplus, F.tanh], **by_name)
def test_an_epoch_in_float64(act_func, mnist):
    """600 steps on MNIST: losses to within what docs/en/engine.md says, parameters and moments.
    (Seen: 4e-15, and 3e-12.)"""
    batches = list(epoch(mnist.train_images, 100, "f8"))
    expected, *reference = train(batches, False, act_func=act_func, dtype="f8")
    found, *own = train(batches, True, act_func=act_func, dtype="f8")
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert_same_state(own, reference, 1e-10)


@pytest.mark.parametrize("objective, k, n", [("elbo", 1, 3000), ("iwae", 10, 300)])
def test_the_number_of_threads_changes_nothing(objective, k, n, mnist):
    batches = list(epoch(mnist.train_images[:n], n // 3, "f4"))  # large enough for shares
    settings = dict(k=k, objective=objective)
    runs = [train(batches, True, threads=threads, **settings) for threads in (1, 2, 4)]
    for losses, *own in runs[1:]:
        np.testing.assert_array_equal(losses, runs[0][0])
        assert_same_state(own, runs[0][1:], 0)


@pytest.mark.parametrize("objective, k", [("elbo", 1), ("iwae", 3)])
def test_a_loss_that_is_not_finite_leaves_the_parameters(objective, k, mnist):
    model, optimizer = make(n_h=16)
    model.le3_ln_var.b.array[...] = 1000
    before = state(model, optimizer)
    with thread_pool(2) as pool, np.errstate(all="ignore"):
        engine = Engine(model, optimizer, 1.0, k, pool, objective=objective)
        loss, _ = engine.step(mnist.train_images[:10])
        engine.finish()
    assert not np.isfinite(loss) and optimizer.t == 0
    for name, array in checkpoints.to_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    "name, value", [("alpha", 0.0), ("beta1", 0.1), ("beta2", 0.1), ("eps", 9)]
)
def test_an_update_has_adams_settings_of_its_step(name, value, mnist):
    """Not those of the time at which the thread pool comes to it."""
    x = mnist.train_images[:10].astype("f8")
    states = []
    for change in (lambda optimizer: None, lambda optimizer: setattr(optimizer, name, value)):
        model, optimizer = make(n_h=16, dtype="f8")
        np.random.seed(5)
        with thread_pool(1) as pool:  # in which all updates wait until they are waited for
            engine = Engine(model, optimizer, 1.0, 1, pool)
            engine.step(x)
            change(optimizer)
            engine.finish()
        states.append((model, optimizer))
    assert_same_state(*states, 0)


@pytest.mark.parametrize("shape", [(0, 784), (3, 783), (784,), (2, 28, 28)])
def test_bad_batches(shape):
    model, optimizer = make(n_h=16)
    with (
        thread_pool(1) as pool,
        pytest.raises(ValueError, match=r"x has shape .* needs \(batch size"),
    ):
        Engine(model, optimizer, 1.0, 1, pool).step(np.zeros(shape, "f4"))


class _OtherVAE(VAE):
    pass


def _with(change):
    model, optimizer = make(n_h=16)
    change(model, optimizer)
    return model, optimizer


def _vhat(model, optimizer):
    model.le1.W.update_rule._state = {
        name: np.zeros((16, 784), "f4") for name in ("m", "v", "vhat")
    }


def _half(model, optimizer):
    for param in model.params():
        param.array = param.array.astype("f2")


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda m, o: setattr(m, "act_func", F.elu), "activation is none of"),
        (_half, "not all float32"),
        (lambda m, o: setattr(o, "amsgrad", True), "another variant of Adam"),
        (lambda m, o: setattr(o, "adabound", True), "another variant of Adam"),
        (lambda m, o: setattr(o, "eta", 0.5), "another variant of Adam"),
        (lambda m, o: setattr(o, "weight_decay_rate", 0.1), "another variant of Adam"),
        (lambda m, o: setattr(o, "alpha", "0.1"), "out of Adam's range"),
        (lambda m, o: setattr(o, "alpha", float("nan")), "out of Adam's range"),
        (lambda m, o: setattr(o, "beta1", 1.0), "out of Adam's range"),
        (lambda m, o: setattr(o, "beta1", -0.1), "out of Adam's range"),
        (lambda m, o: setattr(o, "beta2", 1.0), "out of Adam's range"),
        (lambda m, o: setattr(o, "beta2", -0.1), "out of Adam's range"),
        (lambda m, o: setattr(o, "eps", 1e-60), "out of Adam's range"),
        (lambda m, o: setattr(o, "update", print), "optimizer has an attribute update, which"),
        (lambda m, o: o.loss_scaling(scale=2.0), "optimizer has an attribute _loss_scale, which"),
        (lambda m, o: o.add_hook(chainer.optimizer_hooks.WeightDecay(0.1)), "has hooks"),
        (lambda m, o: m.le1.W.update_rule.add_hook(print, "print"), "has hooks"),
        (lambda m, o: m.le1.disable_update(), "update rule of its own"),
        (lambda m, o: setattr(m.le1.W, "update_rule", None), "update rule of its own"),
        (lambda m, o: setattr(m.le1.W.update_rule, "update", print), "update rule of its own"),
        (_vhat, "other moments than Adam's"),
        (lambda m, o: setattr(o, "t", 3), "updated as often"),
        (lambda m, o: o.setup(L.Linear(2, 2)), "not set up for the model"),
        (lambda m, o: setattr(m.le1.W.update_rule.hyperparam, "alpha", 1), "update rule of its"),
        (lambda m, o: setattr(m.ld2, "W", m.le2.W), "layers share parameters"),
        (lambda m, o: setattr(m, "ld2", m.le2), "layers share parameters"),
        (lambda m, o: setattr(m.ld2.W, "array", m.le2.W.array[:]), "layers share parameters"),
    ],
)
def test_unsupported(change, why):
    model, optimizer = _with(change)
    assert why in unsupported(model, optimizer)
    with thread_pool(1) as pool, pytest.raises(ValueError, match=why):
        Engine(model, optimizer, 1.0, 1, pool)


class _Twice(L.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class _Activation:
    """One that the engine must not take for softplus; it need not be hashable, either."""

    factor = 2.0

    def __eq__(self, other):
        return other is F.softplus or other is self

    __hash__ = None

    def __call__(self, x):
        return self.factor * F.softplus(x)


def _hashed_as_softplus():
    return type("Same", (_Activation,), {"__hash__": lambda self: hash(F.softplus)})()


def _twice(model, name, layer):
    layer.W.array, layer.b.array = model[name].W.array, model[name].b.array
    setattr(model, name, layer)


def _uninitialized(model):
    model.le2 = L.Linear(None, 16)


OTHER_MODELS = [
    (lambda m: m.le1.add_hook(SpectralNormalization()), "layer le1 has "),
    (lambda m: m.le1.add_hook(TimerHook()), "layer le1 has hooks"),
    (lambda m: m.add_hook(TimerHook()), "the model has hooks"),
    (lambda m: setattr(m, "act_func", _Activation()), "activation is none of"),
    (lambda m: setattr(m, "act_func", _hashed_as_softplus()), "activation is none of"),
    (lambda m: _twice(m, "le1", _Twice(784, 16)), "layer le1 is of class _Twice, not Linear"),
    (lambda m: setattr(m.le1, "forward", lambda x: 2 * F.linear(x, m.le1.W)), "attribute forward"),
    (lambda m: setattr(m, "encode", lambda x: VAE.encode(m, 2 * x)), "model has an attribute enc"),
    (lambda m: setattr(m.le1, "b", None), "layer le1 has other parameters than W and b"),
    (lambda m: setattr(m.le2, "W", chainer.as_variable(2 * m.le2.W.array)), "parameter of another"),
    (lambda m: setattr(m.le3_mu, "W", chainer.Parameter(m.le3_mu.W.array[:9])), "of another shape"),
    (lambda m: setattr(m.le2.W, "array", np.asfortranarray(m.le2.W.array)), "order in memory"),
    (_uninitialized, "layer le2 is not initialized"),
    (lambda m: m.add_persistent("scale", 2), "attribute scale"),
    (lambda m: m.add_link("extra", L.Linear(2, 2)), "attribute extra"),
    (lambda m: setattr(m.le2.W, "array", m.le2.W.array.astype("f8")), "not all float32"),
]


@pytest.mark.parametrize("change, why", OTHER_MODELS)
def test_what_the_engine_does_not_know_is_chainers(change, why, mnist):
    """In training, evaluation, encoding and decoding; by Chainer's own functions."""
    model, _ = make(n_h=16)
    change(model)
    assert why in unsupported(model)
    if "another shape" in why or "not initialized" in why:
        return  # Chainer cannot compute it, either, or makes it another model by that
    images = mnist.test_images[:20]
    with chainer.using_config("train", False):
        expected = model.encode(images)
        pixels = model.decode(expected[0]).array
        np.random.seed(1)
        model.get_loss_func(k=3)(images)
    np.testing.assert_array_equal(latent.decode(model, expected[0].array), pixels)
    rec_loss = float(model.rec_loss.array)
    for found, own in zip(encode(model, images), expected):
        np.testing.assert_array_equal(found, own.array)
    np.random.seed(1)
    assert evaluate(model, images, 3).rec_loss == pytest.approx(rec_loss, rel=1e-12)


def test_what_replaces_or_watches_chainers_functions_is_chainers(monkeypatch):
    model, _ = make(n_h=16)
    with chainer.using_config("debug", True):
        assert unsupported(model) == "Chainer's debug mode is on"
    with chainer.function_hooks.TimerHook():
        assert unsupported(model) == "hooks of Chainer are active"
    with TimerHook():
        assert unsupported(model) == "hooks of Chainer are active"
    assert unsupported(model) is None
    monkeypatch.setattr(VAE, "decode", lambda self, z, sigmoid=True: z)
    assert unsupported(model) == "VAE.decode has been replaced"


def test_what_chainer_does_with_a_model_changes_nothing_for_the_engine(mnist, tmp_path):
    """Computed by Chainer, copied, pickled, saved, loaded, moved, hooked for a while."""
    model, optimizer = make(n_h=16)
    optimizer.update(model.get_loss_func(), mnist.train_images[:10])
    for hook in (TimerHook(), SpectralNormalization()):
        model.le1.add_hook(hook)
        model.encode(mnist.train_images[:2])
        model.le1.delete_hook(hook.name)
    for same in (model.copy("copy"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert unsupported(same) is None
    chainer.serializers.save_npz(str(tmp_path / "m"), model)
    chainer.serializers.load_npz(str(tmp_path / "m"), model)
    chainer.serializers.save_npz(str(tmp_path / "o"), optimizer)
    chainer.serializers.load_npz(str(tmp_path / "o"), optimizer)
    model.to_device("@numpy")
    model.cleargrads()
    optimizer.new_epoch()
    assert unsupported(model, optimizer) is None


def test_unsupported_models_and_optimizers():
    np.random.seed(0)
    assert "_OtherVAE" in unsupported(_OtherVAE(784, 2, 16))
    assert "Linear" in unsupported(L.Linear(3, 2))
    model, _ = make(n_h=16)
    assert unsupported(model) is None
    autoencoder, its_optimizer = make(n_h=16, kind=Autoencoder)
    assert unsupported(autoencoder, its_optimizer) is None
    del autoencoder.le3
    assert unsupported(autoencoder) == "the model has other layers than the article's"
    sgd = chainer.optimizers.SGD()
    sgd.setup(model)
    assert "SGD, not Adam" in unsupported(model, sgd)


def test_a_run_goes_on_with_another_engine(small_set, tmp_path):
    settings = dict(dimz=3, dim_h=16, batchsize=60, dataset=str(small_set))
    whole = Run.start(Config(epoch=4, engine="chainer", **settings), tmp_path / "whole")
    list(whole.train())
    assert whole.environments[-1]["engine"] == "chainer"
    run = Run.start(Config(epoch=2, engine="fused", **settings), tmp_path / "run")
    list(run.train())
    run = Run.resume(tmp_path / "run", epoch=3, engine="chainer")
    list(run.train())
    run = Run.resume(tmp_path / "run", epoch=4, engine="auto")
    list(run.train())
    assert [e["engine"] for e in run.environments] == ["fused", "chainer", "fused"]
    for found, expected in zip(run.log, whole.log):
        assert found["main/loss"] == pytest.approx(expected["main/loss"], rel=1e-5)
        found, expected = found["validation/main/loss"], expected["validation/main/loss"]
        assert found == pytest.approx(expected, rel=1e-5)


def _decay(run):
    run.optimizer.alpha *= 0.7


def _decay_beta(run):
    run.optimizer.beta1 *= 0.95


def _clip(run):
    for param in run.model.params():
        np.clip(param.array, -0.05, 0.05, out=param.array)


def _replace(run):
    run.model.le1.W.array = run.model.le1.W.array * np.float32(0.9)
    run.model.ld1.W.update_rule.state["m"] = np.zeros_like(run.model.ld1.W.array)


def _begin_anew(run):
    if run.optimizer.t == 2:
        run.optimizer.setup(run.model)


def _another_function(run):
    run.model.act_func = F.tanh


def _another_layer(run):
    if run.optimizer.t == 2:
        run.model.le2.W = chainer.Parameter(run.model.le2.W.array * 0.5)
        run.optimizer.setup(run.model)


def _weight_decay(run):
    run.optimizer.weight_decay_rate = 0.1


def _hook(run):
    if run.optimizer.t == 1:
        run.optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(0.1))


def _freeze(run):
    run.model.le2.disable_update()


CHANGES = [_decay, _decay_beta, _clip, _replace, _begin_anew, _another_function, _another_layer]
BEYOND = [_weight_decay, _hook, _freeze]  # the engine


@pytest.mark.parametrize("change", [*CHANGES, *BEYOND], **by_name)
def test_what_on_step_sees_and_changes_is_as_with_chainers_loop(change, small_set, tmp_path):
    """The weights after its step, and from the next step on whatever it changed."""
    settings = dict(epoch=2, dimz=3, dim_h=16, batchsize=60, dataset=str(small_set))
    runs, seen = [], []
    for engine in ("chainer", "auto"):
        run = Run.start(Config(engine=engine, **settings), tmp_path / engine)
        arrays = []

        def on_step(run=run, arrays=arrays):
            arrays.append([p.array.copy() for p in run.model.params()] + [run.steps_done])
            change(run)

        list(run.train(on_step))
        assert run.backend.name == (
            "chainer" if engine == "chainer" or change in BEYOND else "fused"
        )
        runs.append(run)
        seen.append(arrays)
    assert len(seen[0]) == len(seen[1]) == 10
    for expected, found in zip(*seen):
        for array, own in zip(expected, found):
            np.testing.assert_allclose(own, array, atol=2e-5)
    for expected, found in zip(*(run.log for run in runs)):
        for key in ("main/loss", "main/rec_loss", "validation/main/loss"):
            assert found[key] == pytest.approx(expected[key], rel=1e-5), key


def test_what_the_engine_cannot_do_is_chainers_or_refused(small_set, tmp_path):
    settings = dict(epoch=1, dimz=3, dim_h=16, dataset=str(small_set))
    for engine in ("auto", "fused"):
        run = Run.start(Config(engine=engine, **settings), tmp_path / engine)
        run.optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(0.1))
        if engine == "auto":
            assert run.backend.reason == "the optimizer has hooks"
            assert len(list(run.train())) == 1
        else:
            with pytest.raises(InputError, match="fused is not possible: the optimizer has hooks"):
                list(run.train())


@pytest.mark.parametrize("act_func", ACTIVATIONS, **by_name)
@pytest.mark.parametrize("n, batchsize", [(40, 7), (30, 100)])
def test_evaluation_and_encoding_are_chainers(act_func, n, batchsize, mnist):
    model, _ = make(act_func, 3, 32)
    images = mnist.test_images[:n]
    results = []
    for fused in (True, False):
        np.random.seed(3)
        results.append(evaluate(model, images, 4, batchsize, fused))
        results.append(np.random.standard_normal())
    assert results[0] == pytest.approx(results[2], rel=1e-6)
    assert results[1] == results[3]  # as many numbers were drawn
    mu, ln_var = encode(model, images.reshape(n, 28, 28), batchsize)
    expected = model.encode(images)
    np.testing.assert_allclose(mu, expected[0].array, atol=1e-5)
    np.testing.assert_allclose(ln_var, expected[1].array, atol=1e-5)
    assert mu.dtype == ln_var.dtype == np.float32


@pytest.mark.parametrize("act_func", ACTIVATIONS, **by_name)
@pytest.mark.parametrize("n, batchsize", [(40, 7), (30, 100)])
def test_the_error_of_an_autoencoder_is_chainers(act_func, n, batchsize, mnist, monkeypatch):
    model, _ = make(act_func, 3, 32, kind=Autoencoder)
    images = mnist.test_images[:n]
    expected = squared_error(model, images, batchsize, fused=False)
    monkeypatch.setattr(evaluation, "_squared_error_by_chainer", None)
    assert squared_error(model, images, batchsize) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", [VAE, Autoencoder], **by_name)
@pytest.mark.parametrize("act_func", ACTIVATIONS, **by_name)
@pytest.mark.parametrize("n, batchsize", [(40, 7), (30, 100), (0, 5)])
def test_decoding_is_chainers(act_func, n, batchsize, kind, monkeypatch):
    model, _ = make(act_func, 3, 32, kind=kind)
    z = np.random.RandomState(1).normal(0, 3, (n, 3)).astype("f4")
    expected = model.decode(z).array
    monkeypatch.setattr(latent, "_decode_by_chainer", None)
    images = latent.decode(model, z, batchsize)
    assert images.dtype == np.float32 and images.shape == (n, 784)
    np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("threads", (1, 2))
def test_evaluation_by_parts_is_that_in_one(threads, mnist, monkeypatch):
    """Bit for bit, with the same numbers drawn, in whatever parts the samples of a batch are."""
    model, _ = make(n_latent=3, n_h=16)
    monkeypatch.setattr(cpu_evaluation, "COLUMNS", 14)  # two samples
    results = []
    for noise, samples in ((2**21, 10), (4 * 7 * 3, 1), (1, 1), (1, 10)):
        monkeypatch.setattr(cpu_evaluation, "NOISE", noise)
        monkeypatch.setattr(cpu_evaluation, "SAMPLES", samples)
        np.random.seed(3)
        with threadpool_limits(threads, user_api="blas"):
            result = evaluate(model, mnist.test_images[:40], k=13, batchsize=7)
        results.append((*result, np.random.standard_normal()))
    assert len(set(results)) == 1


@pytest.mark.parametrize("fused", (True, pytest.param(False, marks=pytest.mark.slow)))
def test_the_memory_of_an_evaluation_is_bounded(fused):
    """10,000 samples of 100 images: all their noise would take 160 MB."""
    model = VAE(n_in=4, n_latent=20, n_h=3)
    images = np.random.RandomState(0).rand(100, 4).astype("f4")
    evaluate(model, images, k=1, fused=fused)  # what is loaded once
    tracemalloc.start()
    try:
        evaluate(model, images, k=10_000, fused=fused)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (MAX_THREADS + 1) * 8 * cpu_evaluation.NOISE < 100e6


def test_an_overflow_in_any_thread_shows_in_the_result_alone(mnist):
    model, _ = make(n_latent=3, n_h=16)
    model.le3_ln_var.b.array[...] = 1000
    for threads in (1, 2):  # several batches; a warning would be an error
        with threadpool_limits(threads, user_api="blas"):
            assert not np.isfinite(evaluate(model, mnist.test_images[:400], k=2).loss)
    model.le2.W.array[...] = 3e38
    assert not np.isfinite(encode(model, mnist.test_images[:400])[0]).any()
    model.act_func = F.leaky_relu  # not the engine's
    assert unsupported(model)
    assert not np.isfinite(encode(model, mnist.test_images[:400])[0]).all()


def test_encoding_of_nothing_and_of_something_else(mnist):
    model, _ = make(n_latent=3, n_h=16)
    mu, ln_var = encode(model, mnist.test_images[:0])
    assert mu.shape == ln_var.shape == (0, 3)
    with pytest.raises(ValueError, match="images has shape"):
        encode(model, mnist.test_images[:2, :100])
    with pytest.raises(TypeError, match="images has dtype uint8"):
        encode(model, np.zeros((2, 784), "u1"))


# The kernels


@pytest.fixture(params=["NumPy", *LEVELS])
def level(request, monkeypatch):
    """What computes the kernels: NumPy, or those compiled for one instruction set."""
    if request.param == "NumPy":
        monkeypatch.setattr(kernels, "load", lambda: None)
        return
    found = load(request.param)
    if found is None:
        assert load() is not None or "CI" not in os.environ, "they are not compiled"
        pytest.skip(f"this machine has no kernels for {LEVELS[request.param]}")
    monkeypatch.setattr(kernels, "load", lambda: found)


def float32_range():
    """Numbers of every magnitude and sign, the largest and smallest among them."""
    exponents = np.arange(FLOAT32.minexp - 23, FLOAT32.maxexp)
    mantissas = np.random.RandomState(0).uniform(1, 2, (len(exponents), 8))
    positive = np.ldexp(mantissas, exponents[:, None]).ravel()
    positive = positive[positive <= FLOAT32.max]
    dense = np.linspace(-120, 120, 20001)
    edges = [0, FLOAT32.max, FLOAT32.tiny, FLOAT32.smallest_subnormal]
    values = np.concatenate([positive, dense, edges])
    return np.concatenate([values, -values]).astype("f4").reshape(1, -1)


def exact(act_func, a):
    a = a.astype("f8")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return {
            F.softplus: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))),
            F.tanh: np.tanh(a),
            F.relu: np.maximum(a, 0),
            F.sigmoid: np.where(a < 0, np.exp(a) / (1 + np.exp(a)), 1 / (1 + np.exp(-a))),
        }[act_func]


@pytest.mark.parametrize("act_func", ACTIVATIONS, **by_name)
def test_activations_over_the_whole_range(act_func, level):
    """To float32's precision, down to 1e-30; no warning, which would be an error here."""
    a = float32_range()
    h = a.copy()
    kernels.ACTIVATIONS[act_func].apply(h, np.zeros((1, 1), "f4"), np.empty_like(a))
    np.testing.assert_allclose(h, exact(act_func, a), rtol=1e-6, atol=2e-30)


@pytest.mark.parametrize("act_func", ACTIVATIONS, **by_name)
def test_derivatives_over_the_whole_range(act_func, level):
    a = float32_range()
    h = a.copy()
    kernels.ACTIVATIONS[act_func].apply(h, np.zeros((1, 1), "f4"), np.empty_like(a))
    g = np.ones_like(a)
    kernels.ACTIVATIONS[act_func].chain(g, h, np.empty_like(a))
    sigmoid, tanh = exact(F.sigmoid, a), exact(F.tanh, a)
    expected = {
        F.softplus: sigmoid,
        F.tanh: 1 - tanh**2,
        F.relu: (a > 0).astype("f8"),
        F.sigmoid: sigmoid * exact(F.sigmoid, -a),
    }[act_func]
    # From h alone, 1 - h is as exact as h is.
    loss_of_h = 2e-7 if act_func in (F.tanh, F.sigmoid) else 2e-30
    np.testing.assert_allclose(g, expected, rtol=2e-6, atol=loss_of_h)


@pytest.mark.parametrize("pixel", [0.0, 0.25, 1.0])
def test_bernoulli_over_the_whole_range(pixel, level):
    logits = float32_range()
    logits = logits[:, np.abs(logits[0]) < 1e30]  # a sum of larger ones need not be finite
    a = logits[:, None].copy()
    x = np.full_like(a, pixel)
    e, t, out = np.empty_like(a), np.empty_like(a), np.empty(1, "f4")
    kernels.bernoulli(a, np.zeros((1, 1, 1), "f4"), x, e, t, out, scale=1.0)
    gradient = exact(F.sigmoid, logits) - pixel
    np.testing.assert_allclose(a[:, 0], gradient, rtol=1e-6, atol=2e-30 if pixel == 0 else 1e-7)
    total = np.sum(exact(F.softplus, logits) - pixel * logits.astype("f8"))
    assert out[0] == pytest.approx(total, rel=1e-5)


def test_no_subnormal_number_reaches_the_products(level):
    """One in a hundred makes a product ten times as slow."""
    a = np.linspace(-200, -60, 1000, dtype="f4").reshape(10, 1, 100)
    x, e, t = np.zeros_like(a), np.empty_like(a), np.empty_like(a)
    h = a[:, 0].copy()
    kernels.bernoulli(a, np.zeros((10, 1, 1), "f4"), x, e, t, np.empty(1, "f4"), 1 / 1000)
    kernels.ACTIVATIONS[F.softplus].apply(h, np.zeros((10, 1), "f4"), t[:, 0])
    assert (np.abs(a) > FLOAT32.tiny).all() and (h > FLOAT32.tiny).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(value, level):
    """The loss shows it, and a training stops there."""
    a = np.zeros((3, 1, 7), "f4")
    a[1, 0, 3] = value
    h, g, b = a[:, 0].copy(), np.ones((3, 7), "f4"), np.zeros((3, 1), "f4")
    softplus = kernels.ACTIVATIONS[F.softplus]
    softplus.apply(h, b, np.empty_like(h))
    np.testing.assert_array_equal(np.isfinite(h), np.isfinite(a[:, 0]))
    if np.isnan(value):
        softplus.chain(g, h, np.empty_like(h))
        np.testing.assert_array_equal(np.isnan(g), np.isnan(a[:, 0]))
    x, out = np.full_like(a, 0.5), np.empty(1, "f4")
    with np.errstate(invalid="ignore"):
        kernels.bernoulli(a, b[:, None], x, np.empty_like(a), np.empty_like(a), out, scale=1.0)
    assert not np.isfinite(out[0])


def test_samples_share_their_image(level):
    """x is that of each of the k samples; without a scale, the sum is the same."""
    random = np.random.RandomState(0)
    logits, b = random.normal(0, 5, (6, 3, 11)), random.normal(0, 1, (6, 1, 1))
    x = random.uniform(0, 1, (6, 1, 11))
    expected = np.sum(exact(F.softplus, logits + b) - x * (logits + b))
    for scale in (None, 0.25):
        a, out = logits.astype("f4"), np.empty(1, "f4")
        e, t = np.empty_like(a), np.empty_like(a)
        kernels.bernoulli(a, b.astype("f4"), x.astype("f4"), e, t, out, scale)
        assert out[0] == pytest.approx(expected, rel=1e-6)
    gradient = 0.25 * (exact(F.sigmoid, logits + b) - x)
    np.testing.assert_allclose(a, gradient, rtol=1e-5, atol=1e-6)


def test_bernoulli_of_each_sample_and_image(level):
    random = np.random.RandomState(0)
    logits, b = random.normal(0, 5, (6, 3, 11)), random.normal(0, 1, (6, 1, 1))
    x = random.uniform(0, 1, (6, 1, 11))
    a, out = logits.astype("f4"), np.empty((3, 11))
    e, t = np.empty_like(a), np.empty_like(a)
    kernels.bernoulli_by_sample(a, b.astype("f4"), x.astype("f4"), e, t, out)
    expected = np.sum(exact(F.softplus, logits + b) - x * (logits + b), axis=0)
    np.testing.assert_allclose(out, expected, rtol=1e-6)
    np.testing.assert_allclose(a, exact(F.sigmoid, logits + b) - x, rtol=1e-5, atol=1e-6)


def test_a_sample_without_weight_makes_no_subnormal_number(mnist):
    """ln w of an image's samples may lie hundreds of nats apart."""
    model, _ = make(n_latent=2, n_h=16)
    x = mnist.train_images[:10]
    own = IWAENetwork(network.layers_of(model), F.softplus, 10, 5)
    own.allocate_gradients()
    own.x[...] = x.T
    own.encode()
    own.sample(np.linspace(0, 20, 100).reshape(5, 10, 2))
    own.decode()
    model.ld3.b.array[...] = -69  # as far down as pixels go
    own.reconstruct(backward=True)
    assert (own._shares == 0).any()
    np.testing.assert_allclose(own._shares.reshape(5, 10).sum(axis=0), 0.1, rtol=1e-6)
    found = np.abs(own.a)
    assert (found[found > 0] > FLOAT32.tiny).all()


def test_adam_by_hand(level):
    """Two steps, of more numbers than one block has, in float32, against float64."""
    random = np.random.RandomState(0)
    p, m, v, g = (random.normal(0, 1, kernels.BLOCK + 77) for _ in "pmvg")
    v *= v
    arrays = [array.astype("f4") for array in (p, m, v)]
    for number, step in ((1, 1e-2), (2, 3e-3)):
        kernels.adam(*arrays, (number * g).astype("f4"), step, 0.9, 0.999, 1e-8)
        m = 0.9 * m + 0.1 * number * g
        v = 0.999 * v + 0.001 * (number * g) ** 2
        p = p - step * m / (np.sqrt(v) + 1e-8)
    for array, expected in zip(arrays, (p, m, v)):
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)


def test_results_do_not_depend_on_the_blocks(level):
    """Rows alone, and parts of a flat array, as tasks have them."""
    random = np.random.RandomState(0)
    a, b = random.normal(0, 5, (9, 101)).astype("f4"), random.normal(0, 1, (9, 1)).astype("f4")
    whole, by_row = a.copy(), a.copy()
    apply = kernels.ACTIVATIONS[F.softplus].apply
    apply(whole, b, np.empty_like(a))
    for i in range(len(a)):
        apply(by_row[i : i + 1], b[i : i + 1], np.empty_like(a[:1]))
    np.testing.assert_array_equal(by_row, whole)
    adam = [random.uniform(0, 1, 1000).astype("f4") for _ in "pmvg"]
    parts = [array.copy() for array in adam]
    kernels.adam(*adam, 1e-3, 0.9, 0.999, 1e-8)
    for part in (slice(0, 333), slice(333, 1000)):
        kernels.adam(*(array[part] for array in parts), 1e-3, 0.9, 0.999, 1e-8)
    for one, other in zip(parts[:3], adam):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("found", [None, "for another system"])
def test_without_compiled_kernels_numpy_computes(found, tmp_path, monkeypatch):
    library = tmp_path / "library"
    if found is not None:
        library.write_text(found)
    monkeypatch.setattr("chainer_vae.kernels.LIBRARY", library)
    monkeypatch.setattr(kernels, "load", load.__wrapped__)  # without its cache
    assert kernels._compiled(np.zeros(1, "f4")) is None
    a = np.zeros((2, 3), "f4")
    kernels.ACTIVATIONS[F.softplus].apply(a, np.zeros((2, 1), "f4"), np.empty_like(a))
    np.testing.assert_allclose(a, np.log(2), rtol=1e-6)


def test_compiled_kernels_refuse_what_they_cannot_read():
    """Another type, or rows that lie apart, would be read and written where they are not."""
    found = load()
    if found is None:
        assert "CI" not in os.environ, "they are not compiled"
        pytest.skip("the kernels are not compiled here")
    for array in (np.zeros((4, 6)), np.zeros((4, 12), "f4")[:, ::2], [0.0] * 24):
        with pytest.raises(ctypes.ArgumentError):
            found.softplus(array, np.zeros((4, 1), "f4"), 4, 6)
