"""The page's content, computed from trained models: arrays for its blob, and a JSON description."""

from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import chainer
import chainer.functions as F
import numpy as np

from chainer_vae import latent, posterior
from chainer_vae.config import Config
from chainer_vae.datasets import Dataset
from chainer_vae.errors import InputError
from chainer_vae.evaluation import encode
from chainer_vae.explorer import compact
from chainer_vae.explorer.blob import Blob
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.runs import find_run, load_autoencoder, load_model
from chainer_vae.runs.choose import about_run
from chainer_vae.runs.images import load_run_data

N_POINTS = 5000  # test images in the latent plane
N_EXAMPLES = 100  # test images that the page has with all grey levels, as many of each class
PICTURED = 1500 * 784  # pixels of the test images that it has with LEVELS of grey only
LEVELS = 16
N_TRIED = 2000  # latent vectors and images that a network for the page is checked on
SHARE = 0.6  # of the tolerance, allowed for these: the error elsewhere may be larger
TOLERANCE = 1e-4  # of a pixel in [0, 1]: the largest difference from Chainer's decoder
LIMIT = 5.0  # the plane shows [-5, 5] x [-5, 5], or more if latent means lie outside
FARTHEST = 2.0**20  # a latent mean that the page can show
LATENT_STEP, LN_VAR_STEP = 2.0**-10, 2.0**-4  # rounding of the points
# For the two mu and the two ln_var of the images checked: errors too small to see.
ENCODER_TOLERANCE = np.array([0.08, 0.08, 0.3, 0.3])

Run = Union[str, Path]


class Fitted(NamedTuple):
    """A network for the page."""

    network: compact.Network
    # The pixels among its inputs (encoder) or outputs: bool, shape (height * width,).
    pixels: np.ndarray
    error: float  # a decoder's largest pixel error on the latent vectors checked; else NaN


class LatentPlane:
    """A VAE with a 2-dimensional latent space, its data, and the part of the space that is shown.

    Attributes:
        mu, ln_var: The encoder's outputs for the first N_POINTS test images, shape (number, 2).
        low, high: The lower left and upper right corner of the plane, shape (2,).
    """

    def __init__(self, run: Run) -> None:
        """Load a run.

        Raises:
            InputError: The run is missing, has not 2 latent dimensions, or its latent means are
                not finite.
        """
        self.run = run
        self.model: VAE
        self.config: Config
        self.model, self.config = load_model(run)
        _require_kind(run, self.config, 2)
        self.data: Dataset = load_run_data(find_run(run))
        self.mu, self.ln_var = encode(self.model, self.data.test_images[:N_POINTS])
        _require_shown(run, self.mu, self.ln_var)
        farthest = float(np.abs(self.mu).max())
        self.low = np.full(2, -max(LIMIT, np.ceil(farthest)))
        self.high = -self.low

    @cached_property
    def decoder(self) -> Fitted:
        """The decoder, checked on the whole plane and on latent means."""
        latents = np.concatenate([_lattice(self.low, self.high), self.mu[:N_TRIED]])
        return _fit_decoder(self.model, self.config.act, latents, TOLERANCE)

    @cached_property
    def encoder(self) -> Fitted:
        """The encoder, without the pixels that are 0 in all training images."""
        used = self.data.train_images.max(axis=0) > 0
        whole = compact.encoder_of(self.model, self.config.act)
        network = compact.drop_inputs(whole, used)
        images = self.data.test_images[:N_TRIED, used].astype(np.float64)
        return Fitted(compact.round_weights(network, images, ENCODER_TOLERANCE), used, np.nan)

    def losses(self) -> dict[str, Any]:
        """Both terms of the loss over the points' images, each with one z from q(z|x).

        Returns:
            dict: The number of images, ``n``; and in nats per image, each as the mean and the
            standard deviation over them: ``rec``, ``kl``, and ``klOfDimension``, a pair each.
        """
        images = self.data.test_images[:N_POINTS]
        eps = np.random.RandomState(0).standard_normal(self.mu.shape).astype(np.float32)
        z = self.mu + np.exp(self.ln_var / 2) * eps
        with chainer.no_backprop_mode():
            logits = self.model.decode(z, sigmoid=False)
            rec = F.bernoulli_nll(images, logits, "no").array.sum(axis=1)
        kl = (self.mu**2 + np.exp(self.ln_var) - self.ln_var - 1) / 2
        return {
            "n": len(images),
            "rec": _mean_and_deviation(rec),
            "kl": _mean_and_deviation(kl.sum(axis=1)),
            "klOfDimension": [_mean_and_deviation(column) for column in kl.T],
        }

    def describe(self, blob: Blob) -> dict[str, Any]:
        """Add the arrays to the blob, and return the JSON description for the page."""
        labels = self.data.test_labels
        classes = np.unique(labels)
        each = max(1, N_EXAMPLES // len(classes))
        examples = np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes])
        pixels = _rounded(self.data.test_images[examples] * 255).astype(np.uint8)
        pictured = self.data.test_images[:N_POINTS][: PICTURED // self.data.test_images.shape[1]]
        return {
            "run": _about(self.run),
            "mnist": self.config.dataset is None,
            "shape": list(self.data.image_shape),
            "names": {int(c): self.data.class_name(int(c)) for c in classes},
            "images": blob.add(_rounded(pictured * (LEVELS - 1)).astype(np.uint8)),
            "levels": LEVELS,
            "tolerance": _said(TOLERANCE, self.decoder.error),
            "losses": self.losses(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "decoder": _add_network(blob, self.decoder),
            "encoder": _add_network(blob, self.encoder),
            "mu": add_latents(blob, self.mu),
            "lnVar": {**blob.add(_rounded(self.ln_var / LN_VAR_STEP)), "step": LN_VAR_STEP},
            "labels": blob.add(labels[:N_POINTS]),
            "examples": blob.add(pixels),
            "exampleLabels": blob.add(labels[examples]),
            "exampleNumbers": blob.add(examples),
        }


class LatentDimensions:
    """A VAE with more latent dimensions, each with a slider on the page.

    Attributes:
        kl: The KL divergence of each latent dimension in nats, averaged over the test images,
            shape (n_latent,).
        labels: The classes that the test images have, shape (number,).
        mu: The latent mean of the first test image of each class, shape (number, n_latent).
    """

    def __init__(self, run: Run, data: Dataset) -> None:
        """Load a run.

        Raises:
            InputError: The run is missing, or its latent means are not finite.
        """
        self.run = run
        self.model: VAE
        self.config: Config
        self.model, self.config = load_model(run)
        _require_kind(run, self.config, None)
        mu, ln_var = encode(self.model, data.test_images)
        _require_shown(run, mu, ln_var)
        self.kl = posterior.dimensions(mu, ln_var).kl
        firsts = [latent.first_of_class(data.test_labels, d) for d in np.unique(data.test_labels)]
        self.labels = data.test_labels[firsts]
        self.mu = mu[firsts]
        # What the sliders reach: latent means, samples of the prior, and one dimension at -3 or 3.
        noise = np.random.RandomState(0).standard_normal((N_TRIED, mu.shape[1]))
        moved = np.repeat(self.mu, 2 * mu.shape[1], axis=0).reshape(len(firsts), -1, mu.shape[1])
        for j in range(mu.shape[1]):
            moved[:, 2 * j, j], moved[:, 2 * j + 1, j] = -3, 3
        tried = np.concatenate([mu[:N_TRIED], noise, moved.reshape(-1, mu.shape[1])])
        self.decoder = cache(partial(_fit_decoder, self.model, self.config.act, tried))

    def describe(self, blob: Blob, tolerance: float) -> dict[str, Any]:
        """Add the arrays to the blob, and return the JSON description for the page.

        ``tolerance`` is the largest error of a pixel in [0, 1] that the decoder should have.
        """
        decoder = self.decoder(tolerance)
        return {
            "run": _about(self.run),
            "tolerance": _said(tolerance, decoder.error),
            "decoder": _add_network(blob, decoder),
            "kl": [round(float(kl), 4) for kl in self.kl],
            "labels": self.labels.tolist(),
            "mu": blob.add(self.mu),
        }


class PlainAutoencoder:
    """A plain autoencoder with a 2-dimensional latent space.

    Attributes:
        latents: The latent vectors of the first N_POINTS test images, shape (number, 2).
        low, high: The lower left and upper right corner of the plane, shape (2,).
    """

    def __init__(self, run: Run, data: Dataset) -> None:
        """Load a run.

        Raises:
            InputError: The run is missing, has not 2 latent dimensions, or its latent vectors are
                not finite.
        """
        self.run = run
        self.model: Autoencoder
        self.config: Config
        self.model, self.config = load_autoencoder(run)
        _require_kind(run, self.config, 2)
        with chainer.no_backprop_mode():
            self.latents = self.model.encode(data.test_images[:N_POINTS]).array
        _require_shown(run, self.latents)
        low, high = self.latents.min(axis=0), self.latents.max(axis=0)
        margin = 0.1 * (high - low).max()
        centre, half = (low + high) / 2, (high - low).max() / 2 + margin
        self.low, self.high = centre - half, centre + half
        tried = np.concatenate([_lattice(self.low, self.high), self.latents[:N_TRIED]])
        self.decoder = cache(partial(_fit_decoder, self.model, self.config.act, tried))

    def describe(self, blob: Blob, tolerance: float) -> dict[str, Any]:
        """Add the arrays to the blob, and return the JSON description for the page.

        ``tolerance`` is the largest error of a pixel in [0, 1] that the decoder should have.
        """
        decoder = self.decoder(tolerance)
        return {
            "run": _about(self.run),
            "tolerance": _said(tolerance, decoder.error),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "decoder": _add_network(blob, decoder),
            "latents": add_latents(blob, self.latents),
        }


def _require_shown(run: Run, mu: np.ndarray, ln_var: Optional[np.ndarray] = None) -> None:
    """Refuse latent vectors that the page cannot show.

    Raises:
        InputError: They, or their variances, are not finite or too large.
    """
    if not (np.abs(mu) <= FARTHEST).all():
        raise InputError(
            f"{run} cannot be shown: its latent vectors are not all numbers up to {FARTHEST:,.0f}"
        )
    with np.errstate(over="ignore"):
        if ln_var is not None and not np.isfinite(np.exp(ln_var)).all():
            raise InputError(f"{run} cannot be shown: its latent variances are not all finite")


def _about(run: Run) -> dict[str, Any]:
    """The description of a run. It has only the folder's name: the page may be published."""
    shipped, folder, seed, epochs, pixels = about_run(run)
    # Not every name of a folder can be written as UTF-8.
    name = folder.resolve().name.encode("utf-8", "replace").decode("utf-8")
    return {"shipped": shipped, "name": name, "seed": seed, "epochs": epochs, "pixels": pixels}


def _require_kind(run: Run, config: Config, n_latent: Optional[int]) -> None:
    if n_latent is not None and config.dimz != n_latent:
        raise InputError(
            f"a model with 2 latent dimensions is needed, but {run} has {config.dimz};"
            " `chainer-vae train --dimz 2` trains one"
        )
    if config.likelihood != "bernoulli":
        raise InputError(f"the page shows Bernoulli pixels, but {run} has {config.likelihood} ones")


def _lattice(low: np.ndarray, high: np.ndarray, n: int = 41) -> np.ndarray:
    sides = [np.linspace(*ends, n) for ends in zip(low, high)]
    return np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)


def _fit_decoder(
    model: Union[VAE, Autoencoder], act: str, latents: np.ndarray, tolerance: float
) -> Fitted:
    """The decoder for latent vectors (number, n_latent), within the tolerance if possible."""
    whole = compact.decoder_of(model, act)
    expected = whole(latents)
    lit = expected.max(axis=0) > tolerance / 2
    lit |= not lit.any()  # keep all pixels if the decoder outputs only black
    network = compact.drop_outputs(whole, lit)
    network = compact.fold_constant_units(network, latents, SHARE * tolerance / 4)
    network = compact.round_weights(network, latents, SHARE * tolerance)
    found = np.zeros_like(expected)
    found[:, lit] = network(latents)
    return Fitted(network, lit, float(np.abs(found - expected).max()))


def _said(tolerance: float, error: float) -> float:
    """The error bound that the page states: the tolerance, or if the error is larger, the next
    power of 10 above it."""
    return tolerance if error <= tolerance else float(10 ** np.ceil(np.log10(error)))


def _add_network(blob: Blob, fitted: Fitted) -> dict[str, Any]:
    network = fitted.network
    layers = []
    for layer in network.layers:
        step = np.broadcast_to(layer.step, (len(layer.b), 1))
        layers.append(
            {
                "W": blob.add(_rounded(layer.W / step)),
                "b": blob.add(layer.b.astype(np.float32)),
                "exponents": blob.add(_rounded(np.log2(step[:, 0]))),
            }
        )
    return {
        "act": network.act,
        "sigmoid": network.sigmoid,
        "pixels": blob.add(np.flatnonzero(fitted.pixels)),  # of the image: its inputs or outputs
        "layers": layers,
    }


def add_latents(blob: Blob, latents: np.ndarray) -> dict[str, Any]:
    """Add latent vectors to the blob, in multiples of LATENT_STEP; returns their reference."""
    return {**blob.add(_rounded(latents.astype(np.float64) / LATENT_STEP)), "step": LATENT_STEP}


def _mean_and_deviation(numbers: np.ndarray) -> list[float]:
    return [round(float(numbers.mean()), 3), round(float(numbers.std()), 3)]


def _rounded(numbers: np.ndarray) -> np.ndarray:
    return np.rint(numbers).astype(np.int32)
