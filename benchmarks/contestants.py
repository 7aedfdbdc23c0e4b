"""A training step and an evaluation, each by everybody that the benchmark compares."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from chainer_vae import VAE, evaluate

# isort: split
import chainer  # after chainer_vae, which makes it usable
import numpy as np

from chainer_vae.engine import Engine, thread_pool

try:
    import torch
    import torch_vae
except ImportError:  # compared only where it is installed
    torch = None
try:
    import jax
    import jax_vae
except ImportError:
    jax = None

K = 10  # samples for each test image
Step = Callable[[np.ndarray], Any]


def versions() -> dict[str, str]:
    """Those of the libraries that are compared, where they are installed."""
    found = {"torch": torch, "jax": jax}
    return {name: library.__version__ for name, library in found.items() if library is not None}


def steps(model: VAE, quick: bool) -> dict[str, Step]:
    """A training step by each but the engine, on copies of a model."""
    found = {
        "matrix products": _products(model),
        "Chainer's loop": _chainers(model),
    }
    if torch is not None:
        for variant in torch_vae.VARIANTS:
            if not (quick and variant == "compiled"):
                found[f"PyTorch {variant}"] = _pytorchs(variant, model)
    if jax is not None and not quick:
        found["JAX jitted"] = jax_vae.make_step(model)
    return found


@contextmanager
def engine(model: VAE, optimizer: Any) -> Iterator[Step]:
    """A training step by the engine, which trains the model itself."""
    with thread_pool() as pool:
        found = Engine(model, optimizer, 1.0, 1, pool)
        yield found.step
        found.finish()


def evaluations(model: VAE, images: np.ndarray, batchsize: int) -> dict[str, Callable[[], Any]]:
    """-ELBO of images with k = 10, by each."""

    def pytorchs() -> None:
        with torch.no_grad():
            for start in range(0, len(images), batchsize):
                batch = torch.from_numpy(images[start : start + batchsize])
                sum(float(loss) for loss in vae.losses(batch, K))

    found: dict[str, Callable[[], Any]] = {
        "engine": lambda: evaluate(model, images, K, batchsize),
        "Chainer's loop": lambda: evaluate(model, images, K, batchsize, fused=False),
    }
    if torch is not None:
        vae = torch_vae.TorchVAE(len(model.le3_mu.W))
        vae.load(model)
        found["PyTorch eager"] = pytorchs
    return found


def _chainers(model: VAE) -> Step:
    model = model.copy("copy")
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    loss_func = model.get_loss_func()

    def step(x: np.ndarray) -> float:
        optimizer.update(loss_func, x)
        return float(model.loss.array)

    return step


def _pytorchs(variant: str, model: VAE) -> Step:
    step = torch_vae.make_step(variant, model)
    return lambda x: step(torch.from_numpy(x)).item()


def _products(model: VAE) -> Step:
    """The products of a step alone: for each layer forward, the weights' gradient, and back."""
    arrays: dict[int, Any] = {}  # of the products, by the batch size
    n_h, n_in = model.le1.W.shape
    n_latent = len(model.le3_mu.W)
    sizes = [(n_in, n_h), (n_h, n_h), (n_h, 2 * n_latent), (n_latent, n_h), (n_h, n_h), (n_h, n_in)]
    random = np.random.RandomState(0)

    def matrix(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype("f4")

    def layers(n: int) -> list[tuple[np.ndarray, ...]]:
        inputs = [(matrix(n, i), matrix(o, i), matrix(n, o)) for i, o in sizes]
        return [(x, W, y, *map(np.empty_like, (y, W, x))) for x, W, y in inputs]

    def step(x: np.ndarray) -> None:
        if len(x) not in arrays:
            arrays[len(x)] = layers(len(x))
        for number, (h, W, y, out_y, out_W, out_h) in enumerate(arrays[len(x)]):
            np.dot(h, W.T, out=out_y)
            np.dot(y.T, h, out=out_W)
            if number:  # nothing needs the gradient by the images
                np.dot(y, W, out=out_h)

    return step
