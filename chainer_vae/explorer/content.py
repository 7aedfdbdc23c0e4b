"""What the page shows, computed from trained models: numbers for its blob, and words about them."""

import base64
import io
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import chainer
import numpy as np
from PIL import Image

from chainer_vae import latent
from chainer_vae.config import Config
from chainer_vae.datasets import MNIST_SHAPE, Dataset, load_data, size_in_words
from chainer_vae.errors import InputError
from chainer_vae.evaluation import encode
from chainer_vae.explorer import compact
from chainer_vae.explorer.blob import Blob
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.runs import (
    find_run,
    load_autoencoder,
    load_info,
    load_log,
    load_model,
    load_snapshots,
)
from chainer_vae.runs.choose import about_run
from chainer_vae.runs.folder import LOG

N_POINTS = 5000  # test images in the plane
N_EXAMPLES = 10  # test images of each class that the page has whole
N_EPOCH_POINTS = 1000  # test images in the planes of earlier epochs
N_TRIED = 2000  # codes and images that a network for the page is tried on
SHARE = 0.6  # of the tolerance that they may take: codes that were not tried may do worse
TOLERANCE = 1e-4  # of a pixel in [0, 1]: how far the page's decoders may be from Chainer's
LIMIT = 5.0  # the plane shows codes in [-5, 5] x [-5, 5], or more where there are some outside
N_MAP, MAP_LIMIT = 11, 2.0  # the maps of earlier epochs: digits along a side, in [-2, 2]
CODE_STEP, LN_VAR_STEP = 2.0**-10, 2.0**-4
# Of mu and of ln_var, for the images that the encoder is tried on: less than can be seen.
ENCODER_TOLERANCE = np.array([0.08, 0.08, 0.3, 0.3])

Run = Union[str, Path]


class Fitted(NamedTuple):
    """A network for the page."""

    network: compact.Network
    pixels: np.ndarray  # of 784, whether it takes or gives them
    error: float  # a decoder's largest, of a pixel, on the codes that it was tried on


class Plane:
    """A VAE with 2 latent units, its data, and the part of the plane that its codes lie in."""

    def __init__(self, run: Run) -> None:
        """Load it.

        Raises:
            InputError: There is no such run, or it is of other sizes.
        """
        self.run = run
        self.model: VAE
        self.config: Config
        self.model, self.config = load_model(run)
        _require_sizes(run, self.config, 2)
        self.data: Dataset = load_data(self.config)
        if self.data.test_labels.max() >= latent.N_CLASSES:
            raise InputError(
                f"the page shows {latent.N_CLASSES} classes, 0 to {latent.N_CLASSES - 1}, but the"
                f" images of {run} have class {self.data.test_labels.max()}, too"
            )
        self.mu, self.ln_var = encode(self.model, self.data.test_images[:N_POINTS])
        if not np.isfinite(self.mu).all():
            raise InputError(f"the model of {run} gives codes that are not finite numbers")
        farthest = float(np.abs(self.mu).max())
        self.low = np.full(2, -max(LIMIT, np.ceil(farthest)))
        self.high = -self.low

    @cached_property
    def decoder(self) -> Fitted:
        codes = np.concatenate([_lattice(self.low, self.high), self.mu[:N_TRIED]])
        return _fit_decoder(self.model, self.config.act, codes, TOLERANCE)

    @cached_property
    def encoder(self) -> Fitted:
        used = self.data.train_images.max(axis=0) > 0
        whole = compact.encoder_of(self.model, self.config.act)
        network = compact.drop_inputs(whole, used)
        images = self.data.test_images[:N_TRIED, used].astype(np.float64)
        return Fitted(compact.round_weights(network, images, ENCODER_TOLERANCE), used, np.nan)

    def describe(self, blob: Blob) -> dict[str, Any]:
        labels = self.data.test_labels
        examples = np.concatenate(
            [np.flatnonzero(labels == digit)[:N_EXAMPLES] for digit in range(latent.N_CLASSES)]
        )
        pixels = _whole(self.data.test_images[examples] * 255)
        return {
            "run": _about(self.run),
            "tolerance": _said(TOLERANCE, self.decoder.error),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "decoder": _add_network(blob, self.decoder),
            "encoder": _add_network(blob, self.encoder),
            "mu": _add_codes(blob, self.mu),
            "lnVar": {**blob.add(_whole(self.ln_var / LN_VAR_STEP)), "step": LN_VAR_STEP},
            "labels": blob.add(labels[:N_POINTS]),
            "examples": blob.add(pixels),
            "exampleLabels": blob.add(labels[examples]),
        }


class Units:
    """A VAE with more latent units, to be moved one by one."""

    def __init__(self, run: Run, data: Dataset) -> None:
        self.run = run
        self.model: VAE
        self.config: Config
        self.model, self.config = load_model(run)
        _require_sizes(run, self.config, None)
        mu, ln_var = encode(self.model, data.test_images)
        if not np.isfinite(mu).all():
            raise InputError(f"the model of {run} gives codes that are not finite numbers")
        self.kl = (mu**2 + np.exp(ln_var) - ln_var - 1).mean(axis=0) / 2
        firsts = [latent.first_of_class(data.test_labels, d) for d in np.unique(data.test_labels)]
        self.labels = data.test_labels[firsts]
        self.mu = mu[firsts]
        # What the sliders reach: codes of images, of the prior, and one unit moved far.
        noise = np.random.RandomState(0).standard_normal((N_TRIED, mu.shape[1]))
        moved = np.repeat(self.mu, 2 * mu.shape[1], axis=0).reshape(len(firsts), -1, mu.shape[1])
        for unit in range(mu.shape[1]):
            moved[:, 2 * unit, unit], moved[:, 2 * unit + 1, unit] = -3, 3
        tried = np.concatenate([mu[:N_TRIED], noise, moved.reshape(-1, mu.shape[1])])
        self.decoder = cache(partial(_fit_decoder, self.model, self.config.act, tried))

    def describe(self, blob: Blob, tolerance: float) -> dict[str, Any]:
        decoder = self.decoder(tolerance)
        return {
            "run": _about(self.run),
            "tolerance": _said(tolerance, decoder.error),
            "decoder": _add_network(blob, decoder),
            "kl": [round(float(kl), 4) for kl in self.kl],
            "labels": self.labels.tolist(),
            "mu": blob.add(self.mu),
        }


class Plain:
    """A plain autoencoder with 2 latent units."""

    def __init__(self, run: Run, data: Dataset) -> None:
        self.run = run
        self.model: Autoencoder
        self.config: Config
        self.model, self.config = load_autoencoder(run)
        _require_sizes(run, self.config, 2)
        with chainer.no_backprop_mode():
            self.codes = self.model.encode(data.test_images[:N_POINTS]).array
        if not np.isfinite(self.codes).all():
            raise InputError(f"the model of {run} gives codes that are not finite numbers")
        low, high = self.codes.min(axis=0), self.codes.max(axis=0)
        margin = 0.1 * (high - low).max()
        centre, half = (low + high) / 2, (high - low).max() / 2 + margin
        self.low, self.high = centre - half, centre + half
        tried = np.concatenate([_lattice(self.low, self.high), self.codes[:N_TRIED]])
        self.decoder = cache(partial(_fit_decoder, self.model, self.config.act, tried))

    def describe(self, blob: Blob, tolerance: float) -> dict[str, Any]:
        decoder = self.decoder(tolerance)
        return {
            "run": _about(self.run),
            "tolerance": _said(tolerance, decoder.error),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "decoder": _add_network(blob, decoder),
            "codes": _add_codes(blob, self.codes),
        }


def describe_epochs(plane: Plane, blob: Blob) -> Optional[dict[str, Any]]:
    """The plane after earlier epochs; None where the run has kept none."""
    images = plane.data.test_images[:N_EPOCH_POINTS]
    log = load_log(find_run(plane.run) / LOG)
    epochs, codes = [], []
    grid = latent.grid(N_MAP, MAP_LIMIT).reshape(-1, 2)
    for epoch, model in load_snapshots(plane.run):
        if epoch > len(log):
            break
        codes.append(encode(model, images)[0])
        tiles = latent.decode(model, grid).reshape(N_MAP, N_MAP, *MNIST_SHAPE)
        epochs.append({"epoch": epoch, "map": _webp(latent.montage(tiles))})
    if len(epochs) < 2:
        return None
    return {
        "limit": MAP_LIMIT,
        "epochs": epochs,
        "codes": _add_codes(blob, np.stack(codes)),
        "log": [
            [round(entry["main/loss"], 3), round(entry["validation/main/loss"], 3)] for entry in log
        ],
    }


def same_images(run: Run, other: Run) -> bool:
    """Whether two runs were trained on the same images."""
    configs = [load_info(find_run(run)).config for run in (run, other)]
    return configs[0].dataset == configs[1].dataset


def _about(run: Run) -> dict[str, Any]:
    """A run, for the page: the name of its folder alone, since the page may be published."""
    shipped, folder, seed, epochs = about_run(run)
    return {"shipped": shipped, "name": folder.name, "seed": seed, "epochs": epochs}


def _require_sizes(run: Run, config: Config, n_latent: Optional[int]) -> None:
    if n_latent is not None and config.dimz != n_latent:
        raise InputError(f"a model with 2 latent dimensions is needed, but {run} has {config.dimz}")
    image_shape = load_info(find_run(run)).image_shape
    if image_shape != MNIST_SHAPE:
        raise InputError(
            f"the page shows images of {size_in_words(MNIST_SHAPE)} pixels, but those of {run} have"
            f" {size_in_words(image_shape)}"
        )


def _lattice(low: np.ndarray, high: np.ndarray, n: int = 41) -> np.ndarray:
    sides = [np.linspace(*ends, n) for ends in zip(low, high)]
    return np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)


def _fit_decoder(
    model: Union[VAE, Autoencoder], act: str, codes: np.ndarray, tolerance: float
) -> Fitted:
    """The decoder for these codes, within the tolerance where that can be."""
    whole = compact.decoder_of(model, act)
    expected = whole(codes)
    lit = expected.max(axis=0) > tolerance / 2
    lit |= not lit.any()  # a decoder that gives nothing but black stays whole
    network = compact.drop_outputs(whole, lit)
    network = compact.fold_constant_units(network, codes, SHARE * tolerance / 4)
    network = compact.round_weights(network, codes, SHARE * tolerance)
    found = np.zeros_like(expected)
    found[:, lit] = network(codes)
    return Fitted(network, lit, float(np.abs(found - expected).max()))


def _said(tolerance: float, error: float) -> float:
    """What the page says of a decoder: its tolerance or, if that cannot be kept, what can."""
    return tolerance if error <= tolerance else float(10 ** np.ceil(np.log10(error)))


def _add_network(blob: Blob, fitted: Fitted) -> dict[str, Any]:
    network = fitted.network
    layers = []
    for layer in network.layers:
        step = np.broadcast_to(layer.step, (len(layer.b), 1))
        layers.append(
            {
                "W": blob.add(_whole(layer.W / step)),
                "b": blob.add(layer.b.astype(np.float32)),
                "exponents": blob.add(_whole(np.log2(step[:, 0]))),
            }
        )
    return {
        "act": network.act,
        "sigmoid": network.sigmoid,
        "pixels": blob.add(np.flatnonzero(fitted.pixels)),  # of 784, those that it takes or gives
        "layers": layers,
    }


def _add_codes(blob: Blob, codes: np.ndarray) -> dict[str, Any]:
    return {**blob.add(_whole(codes / CODE_STEP)), "step": CODE_STEP}


def _whole(numbers: np.ndarray) -> np.ndarray:
    return np.rint(numbers).astype(np.int32)


def _webp(picture: np.ndarray) -> str:
    """A picture in [0, 1] as the address of an image."""
    file = io.BytesIO()
    Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(file, format="WebP", quality=50)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")
