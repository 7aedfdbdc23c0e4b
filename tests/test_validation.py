"""Arguments at every entry: NumPy's numbers and paths are taken; what cannot be meant is not."""

import errno
import json
import os
from pathlib import Path

import chainer
import numpy as np
import pytest

from chainer_vae import (
    VAE,
    Autoencoder,
    Config,
    InputError,
    Run,
    encode,
    evaluate,
    graph,
    latent,
    load_autoencoder,
    load_images,
    load_mnist,
    load_model,
    validation,
)
from chainer_vae.datasets import first_images, load_data, require_images, size_in_words
from chainer_vae.evaluation import squared_error
from chainer_vae.explorer import write_page
from chainer_vae.figures import Context, draw_figures, write_index
from chainer_vae.projector import write_projector
from chainer_vae.runs import checkpoints, choose_run, load_info, load_log, load_snapshots
from chainer_vae.training import Training

NO_COUNTS = [0, -1, 1.0, 1.5, True, "2", None, np.float32(2), np.array(2)]


def vae():
    np.random.seed(0)
    return VAE(12, 2, 3)


def autoencoder():
    np.random.seed(0)
    return Autoencoder(12, 2, 3)


def images(n=5):
    return np.random.RandomState(0).uniform(0, 1, (n, 12)).astype(np.float32)


@pytest.fixture
def run(small_set, tmp_path):
    run = Run.start(Config(dataset=small_set, dimz=2, dim_h=8, epoch=1), tmp_path / "run")
    list(run.train())
    return run


COUNTS = {
    "evaluate k": ("k", lambda n: evaluate(vae(), images(), k=n)),
    "evaluate batchsize": ("batchsize", lambda n: evaluate(vae(), images(), batchsize=n)),
    "Chainer's": ("batchsize", lambda n: evaluate(vae(), images(), batchsize=n, fused=False)),
    "encode": ("batchsize", lambda n: encode(vae(), images(), n)),
    "squared_error": ("batchsize", lambda n: squared_error(autoencoder(), images(), n)),
    "decode": ("batchsize", lambda n: latent.decode(vae(), images()[:, :2], n)),
    "grid": ("n", lambda n: latent.grid(n, 2.0)),
    "there_and_back": ("n", lambda n: latent.there_and_back(n)),
    "get_loss_func": ("k", lambda n: vae().get_loss_func(k=n)),
    "n_in": ("VAE's n_in", lambda n: VAE(n, 2, 3)),
    "n_latent": ("VAE's n_latent", lambda n: VAE(4, n, 3)),
    "n_h": ("Autoencoder's n_h", lambda n: Autoencoder(4, 2, n)),
    **{
        name: (name, lambda n, name=name: Config(**{name: n}))
        for name in ("epoch", "dimz", "dim_h", "k", "batchsize")
    },
}


@pytest.mark.parametrize("entry", COUNTS)
def test_counts(entry):
    name, call = COUNTS[entry]
    call(np.int64(2))
    for wrong in NO_COUNTS:
        with pytest.raises(InputError, match=rf"^{name} must be a whole number"):
            call(wrong)


def test_a_count_beyond_what_python_prints():
    with pytest.raises(InputError, match=r"not 10000.*\.\.\.$"):
        Config(k=10**400)
    with pytest.raises(InputError, match=r"k must be a whole number from 1 to 1000000, not "):
        Config(k=10**5000)


@pytest.mark.parametrize(
    "C", [10**400, -1, float("inf"), float("nan"), True, "1", None, 1j, np.zeros(3)], ids=str
)
def test_weights(C):
    with pytest.raises(InputError, match=r"^C must be a finite number, 0 or more, not [^\n]+$"):
        Config(C=C)


def test_settings_are_kept_as_python_s(tmp_path):
    """So that they can be written into config.json, and compared with what it says."""
    given = Config(
        epoch=np.int32(3), dimz=np.int64(2), dim_h=np.uint8(8), C=np.float32(0.5), k=np.int16(2),
        batchsize=np.int64(7), lr=np.float16(0.5), seed=np.uint32(2**32 - 1), gpu=np.int8(-1),
        act=np.str_("tanh"), dataset=Path("a") / "b", test=np.bool_(True), C_warmup=np.int64(0),
        snapshots=np.bool_(False), binarize=np.str_("threshold"), size=[np.int64(3), np.uint8(4)],
        likelihood=np.str_("bernoulli"), objective=np.str_("elbo"),
    )  # fmt: skip
    plain = Config(
        epoch=3, dimz=2, dim_h=8, C=0.5, k=2, batchsize=7, lr=0.5, seed=2**32 - 1, gpu=-1,
        act="tanh", dataset=str(Path("a") / "b"), test=True, C_warmup=0,
        snapshots=False, binarize="threshold", likelihood="bernoulli", size=(3, 4),
        objective="elbo",
    )  # fmt: skip
    assert given == plain and repr(given) == repr(plain)
    assert {type(value) for value in vars(given).values()} == {int, float, str, bool, tuple}
    assert Config(**json.loads(json.dumps(vars(given)))) == plain


@pytest.mark.parametrize("gpu", ["0", 0.5, None, True])
def test_gpus(gpu):
    with pytest.raises(InputError, match=r"^gpu must be a whole number"):
        load_model("z2", gpu)
    load_model("z2", np.int64(-1))


PIXELS = {
    "bytes": (lambda x: np.rint(x * 255), "go from 0 to 255; divide bytes by 255"),
    "signed": (lambda x: x * 2 - 1, "go from -1 to 1$"),
    "standardized": (lambda x: x * 3 - 1, "go from -1 to 2$"),
    "nan": (lambda x: np.where(x == x.max(), np.nan, x), "go from nan to nan"),
    "infinite": (lambda x: np.where(x == x.max(), np.inf, x), "go from 0 to inf"),
}


@pytest.mark.parametrize("kind", PIXELS)
def test_pixels(kind, tmp_path):
    change, message = PIXELS[kind]
    right = images()
    right[0, :2] = 0, 1
    wrong = change(right).astype(np.float32)
    for measure in (
        lambda x: evaluate(vae(), x),
        lambda x: evaluate(vae(), x, fused=False),
        lambda x: encode(vae(), x),
        lambda x: squared_error(autoencoder(), x),
    ):
        measure(right)
        with pytest.raises(InputError, match=rf"^images must be in \[0, 1\], but {message}"):
            measure(wrong)
    data = load_mnist()
    right = data.train_images[:20]
    few = data._replace(train_images=right, test_images=right)
    wrong = change(right).astype(np.float32)
    for name in ("train_images", "test_images"):
        for make in (
            lambda data: Training(Config(dim_h=8), data),
            lambda data: Run(Config(dim_h=8), tmp_path / "run", data),
        ):
            make(few)
            with pytest.raises(InputError, match=rf"^{name} must be in \[0, 1\], but {message}"):
                make(few._replace(**{name: wrong}))
    means, labels = np.zeros((20, 3)), data.train_labels[:20]
    with pytest.raises(InputError, match=rf"^the images must be in \[0, 1\], but {message}"):
        write_projector(tmp_path / "p", means, wrong, labels, (28, 28))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:0], r"shape \(number, 784\), for images of 28 x 28 pixels, not \(0, 784\)"),
        (lambda x: x[:, :-1], r"not \(20, 783\)"),
        (lambda x: x.reshape(-1, 28, 28), r"not \(20, 28, 28\)"),
        (lambda x: (x * 255).astype(np.uint8), "floating-point numbers"),
        (lambda x: x.tolist(), "floating-point numbers"),
    ],
)
def test_data_sets_made_by_hand(mnist, change, message):
    right = mnist.test_images[:20]
    data = mnist._replace(train_images=right, test_images=right)
    for name in ("train_images", "test_images"):
        with pytest.raises(InputError, match=rf"^{name} must .*{message}"):
            Training(Config(dim_h=8), data._replace(**{name: change(right)}))


def test_images_may_be_variables_and_have_more_axes():
    x = images()
    plain = encode(vae(), x)
    for other in (chainer.Variable(x), x.reshape(5, 3, 4), chainer.Variable(x.reshape(5, 3, 4))):
        for found, expected in zip(encode(vae(), other), plain):
            np.testing.assert_array_equal(found, expected)
        assert squared_error(autoencoder(), other) == squared_error(autoencoder(), x)
        results = []
        for given in (x, other):
            np.random.seed(0)
            results.append(evaluate(vae(), given))
        assert results[0] == results[1]
    z = plain[0]
    np.testing.assert_array_equal(
        latent.decode(vae(), chainer.Variable(z)), latent.decode(vae(), z)
    )
    assert [len(array) for array in encode(vae(), x[:0])] == [0, 0]


@pytest.mark.parametrize("call", [evaluate, encode, squared_error, latent.decode])
def test_what_is_no_array_of_numbers(call):
    model = autoencoder() if call is squared_error else vae()
    n = 2 if call is latent.decode else 12
    for wrong in (None, [[0.5] * n], "text", 5, np.zeros((2, n), int), np.zeros((2, n), object)):
        with pytest.raises(TypeError, match=r"^(images|z) (must be a NumPy|has dtype)"):
            call(model, wrong)


def test_models_of_the_other_kind():
    for call, name, wrong in (
        (evaluate, "VAE", autoencoder()),
        (encode, "VAE", autoencoder()),
        (squared_error, "Autoencoder", vae()),
        (latent.decode, "VAE or Autoencoder", chainer.links.Linear(2, 3)),
    ):
        expected = rf"needs an object of class {name}, not {type(wrong).__name__}"
        with pytest.raises(TypeError, match=expected):
            call(wrong, images())
    assert latent.decode(autoencoder(), images()[:, :2]).shape == (5, 12)


NO_PATHS = [None, 5, b"run", "", "a\0b", np.zeros(3), ["run"]]
PATHS = {
    "start": lambda path: Run.start(Config(test=True), path),
    "resume": Run.resume,
    "load_model": load_model,
    "load_autoencoder": load_autoencoder,
    "load_snapshots": lambda path: list(load_snapshots(path)),
    "load_info": load_info,
    "load_log": load_log,
    "load_npz": checkpoints.load_npz,
    "choose_run": lambda path: choose_run("z2", path),
    "load_mnist": load_mnist,
    "load_images": load_images,
    "write_page": lambda path: write_page(path, "z2"),
    "draw_figures": lambda path: list(draw_figures([], Context("en", {}), path)),
    "write_index": lambda path: write_index(path, "en"),
    "write_projector": lambda path: write_projector(path, *[np.zeros(3)] * 3, (28, 28)),
}


@pytest.mark.parametrize("entry", PATHS)
def test_what_is_no_path(entry):
    for wrong in NO_PATHS:
        if wrong is None and entry == "load_mnist":  # MNIST
            continue
        with pytest.raises(InputError, match=r"must be the path of a file or a folder, not "):
            PATHS[entry](wrong)


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_strings_or_paths(run, tmp_path, kind):
    folder = kind(run.folder)
    assert load_info(folder).config == run.config
    assert load_log(kind(run.folder / "log")) == run.log
    assert load_model(folder)[1] == run.config
    assert list(load_snapshots(folder)) == []
    assert Run.resume(folder, dataset=kind(run.config.dataset)).folder == run.folder
    assert Run.resume(folder, kind(tmp_path / "other")).epoch == 1
    assert choose_run("z20", kind(tmp_path)) is not None
    assert load_mnist(kind(run.config.dataset)).image_shape == (28, 28)
    data = load_mnist()
    few = np.zeros((3, 3)), data.test_images[:3], data.test_labels[:3], data.image_shape
    write_projector(kind(tmp_path / "projector"), *few)
    assert write_index(kind(tmp_path), "en") == 0
    assert list(draw_figures([], Context("en", {}), kind(tmp_path))) == []


def test_resume_takes_settings_only(run):
    with pytest.raises(InputError, match=r"^there is no setting foo, bar; there are epoch, dimz, "):
        Run.resume(run.folder, foo=1, bar=2)
    with pytest.raises(InputError, match=r"has dimz 2, not 3"):
        Run.resume(run.folder, dimz=np.int64(3))
    with pytest.raises(InputError, match=r"epoch must be a whole number"):
        Run.resume(run.folder, epoch=2.5)
    assert Run.resume(run.folder, epoch=np.int64(2), dimz=np.int64(2), C=1).config.epoch == 2
    assert load_info(run.folder).config.epoch == 2


def test_settings_and_data_are_objects_of_their_classes(tmp_path, mnist):
    for call in (
        lambda: Run.start({"dimz": 2}, tmp_path / "run"),
        lambda: Run.start("runs/z2", tmp_path / "run"),
        lambda: Training(Config(), (mnist.train_images, mnist.train_labels)),
        lambda: Training(None, mnist),
    ):
        with pytest.raises(TypeError, match=r"needs an object of class (Config|Dataset), not "):
            call()
    assert list(tmp_path.iterdir()) == []


def test_latent_vectors_may_be_lists():
    """They were compared as a whole, and no image was found."""
    assert latent.first_of_class([7, 2, 1], 1) == 2
    means = latent.class_means([[1.0, 2.0], [3.0, 4.0]], [1, 1])
    np.testing.assert_array_equal(means[1], [2, 3])
    halfway = latent.interpolate([0, 1], [1, 2], [0.5])  # not cut to whole numbers
    np.testing.assert_array_equal(halfway, [[0.5, 1.5]])
    for shapes in (
        [(3,), (1,), (2,)],
        [(1,), (3,), (2,)],
        [(3, 1), (3, 1), (2,)],
        [(3,), (3,), ()],
    ):
        with pytest.raises(InputError, match=r"^interpolate needs two vectors of one shape"):
            latent.interpolate(*map(np.zeros, shapes))
    with pytest.raises(InputError, match=r"tiles must have the shape .*, not \(4, 28, 28\)"):
        latent.montage(np.zeros((4, 28, 28)))


def test_words():
    for wrong in ("yes", 1, None):
        with pytest.raises(InputError, match=r"^fused must be true or false, not "):
            evaluate(vae(), images(), fused=wrong)
    for call in (
        lambda: Config(engine="gpu"),
        lambda: Context("de", {}),
        lambda: write_index("figures", "de"),
        lambda: write_index("figures", "en", "gif"),
        lambda: list(draw_figures([], Context("en", {}), "figures", "jpg")),
        lambda: validation.choice("act", ["tanh"], ["tanh"]),
    ):
        with pytest.raises(InputError, match=r"must be one of .*, not "):
            call()


WRONG = {
    "load_data": (lambda: load_data(None), TypeError, "object of class Config, not NoneType"),
    "first_images": (lambda: first_images("data"), TypeError, "class Dataset, not str"),
    "require_images": (lambda: require_images("data"), TypeError, "class Dataset, not str"),
    "size_in_words": (lambda: size_in_words(None), TypeError, "class tuple or list, not NoneType"),
    "Context": (lambda: Context("en", None), TypeError, "object of class Mapping, not NoneType"),
    "dump": (lambda: graph.dump(None), TypeError, "object of class Variable, not NoneType"),
    "get_loss_func": (lambda: vae().get_loss_func(C=None), InputError, "C must be a finite number"),
    "choose_run": (lambda: choose_run(5), InputError, "name must be one of z20, z2, ae2, not 5"),
    "grid": (lambda: latent.grid(3, None), InputError, "limit must be a finite number"),
    "grid's size": (lambda: latent.grid(10**6, 2), InputError, "n must be .* from 1 to 10000"),
    "there_and_back": (lambda: latent.there_and_back(10**9), InputError, "n must be .* to 1000000"),
    "montage": (lambda: latent.montage(None), InputError, "tiles must be an array of numbers"),
    "spread": (lambda: latent.spread([], 1), InputError, r"shape \(number, 2\), not \(0,\)"),
    "spread's axes": (lambda: latent.spread([[1, 2, 3]], 1), InputError, r"2\), not \(1, 3\)"),
    "distance": (lambda: latent.spread([[1, 2]], None), InputError, "distance must be a finite"),
    "interpolate": (lambda: latent.interpolate([""], [""], [0]), InputError, "start must be an"),
    "masked": (
        lambda: latent.spread(np.ma.masked_less([[1, 2]], 2), 1),
        InputError,
        "points have masked elements: fill them first",
    ),
    "ragged": (lambda: latent.interpolate([1], [1, [2]], [0]), InputError, "end must be an array"),
    "first_of_class": (lambda: latent.first_of_class([1, 2], [1]), InputError, "digit must be a"),
    "labels": (
        lambda: latent.first_of_class("12", 1),
        InputError,
        "labels must be an array of num",
    ),
    "class_means": (lambda: latent.class_means(4.0, [1]), InputError, r"\(number, n_latent\), not"),
    "class_means'": (
        lambda: latent.class_means([[1]], [0.5]),
        InputError,
        "array of whole numbers",
    ),
    "their number": (lambda: latent.class_means([[1]], [1, 1]), InputError, "not 1 and 2"),
    "negative": (lambda: latent.class_means([[1]], [-1]), InputError, "classes from 0 to 1000000"),
    "huge": (lambda: latent.class_means([[1]], [10**9]), InputError, "classes from 0 to 1000000"),
}


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # NumPy 1.22 and 1.23
@pytest.mark.parametrize("entry", WRONG)
def test_refused_in_our_words(entry):
    """What `make fuzz` found: other exceptions, or those of NumPy and Chainer."""
    call, kind, message = WRONG[entry]
    with pytest.raises(kind, match=message) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("image_shape", [None, 5, "ab", (28,), (28, 28, 1), (28.0, 28), (-1, 3)])
def test_image_shapes(mnist, image_shape):
    few = mnist._replace(image_shape=image_shape)
    with pytest.raises(InputError, match=r"^image_shape must be a "):
        require_images(few)


def test_numpy_s_small_numbers_do_not_overflow():
    """k times the batch size is more than int8 has."""
    x = np.random.RandomState(1).uniform(0, 1, (100, 12)).astype("f4")
    losses = []
    for k in (8, np.int8(8)):
        np.random.seed(0)
        losses.append(float(vae().get_loss_func(k=k)(x).array))
    assert losses[0] == losses[1]


def test_masked_images_are_refused():
    """What is under the mask would count."""
    x = np.ma.masked_array(np.zeros((4, 12), "f4"), mask=False)
    x[0, 0] = np.ma.masked
    model = vae()
    for call in (model.encode, model.get_loss_func(), lambda x: evaluate(model, x)):
        with pytest.raises(InputError, match="have masked elements: fill them first"):
            call(x)
    with pytest.raises(InputError, match="have masked elements: fill them first"):
        encode(model, x)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("random", [3, np.random.default_rng(0), np.random])
def test_what_evaluate_cannot_draw_from(fused, random):
    with pytest.raises(TypeError, match="evaluate's random needs an object of class RandomState"):
        evaluate(vae(), np.zeros((4, 12), "f4"), fused=fused, random=random)


def test_names_that_no_file_can_have(tmp_path):
    """In one line, not in the system's error."""
    long = tmp_path / ("a" * 300)
    for call in (
        load_model,
        load_mnist,
        load_images,
        Run.resume,
        lambda path: Run.start(Config(), path),
    ):
        with pytest.raises(InputError, match=r"(cannot read .*: |does not exist)"):
            call(long)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX only")
def test_folders_that_may_not_be_read(tmp_path, monkeypatch):
    """root may read all, and so the system's answer is made up."""
    stat = os.stat

    def refusing(path, *args, **kwargs):
        if "secret" in os.fspath(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refusing)
    for call in (load_model, Run.resume, lambda path: Run.start(Config(), path)):
        with pytest.raises(InputError, match=r"cannot read .*secret.*: Permission denied"):
            call(tmp_path / "secret")
