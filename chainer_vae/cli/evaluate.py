"""``chainer-vae evaluate``."""

import argparse
import math

import numpy as np

from chainer_vae import binarization, posterior, validation
from chainer_vae.cli.parser import add_run_and_data
from chainer_vae.cli.progress import Progress
from chainer_vae.cli.trained import in_words, load_trained
from chainer_vae.config import Config
from chainer_vae.errors import InputError, NonFiniteLossError, printable
from chainer_vae.evaluation import encode, evaluate, squared_error
from chainer_vae.likelihood import LogLikelihood, log_likelihood
from chainer_vae.model import VAE
from chainer_vae.validation import MAX_SIZE

SUMMARY = "measure a trained model on test images"
DESCRIPTION = (
    "Measure a trained model on test images: -ELBO, reconstruction error, KL divergence; of a plain"
    " autoencoder, the squared error. With --iw, also ln p(x), the latent dimensions and the"
    " aggregate posterior."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_and_data(parser)
    parser.add_argument(
        "--k", type=int, metavar="N", help="samples of z for each image (default: 10)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the samples (default: 0)")
    parser.add_argument(
        "--images", type=int, metavar="N", help="only the first N test images (default: all)"
    )
    parser.add_argument(
        "--iw", type=int, metavar="K",
        help="also estimate ln p(x) by importance sampling, with K samples of z for each image"
        " (5000 is usual), and show each latent dimension and the aggregate posterior",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    of_samples = ("k", "seed", "iw")
    given = {name: getattr(args, name) for name in of_samples if getattr(args, name) is not None}
    if "iw" in given:
        validation.whole_number("iw", args.iw, 1, MAX_SIZE)
    samples = Config(k=given.get("k", 10), seed=given.get("seed", 0))  # refuses what cannot be
    model, config, data = load_trained(args)
    images = data.test_images
    if args.images is not None:
        images = images[: validation.whole_number("images", args.images, 1, len(images))]
    if isinstance(model, VAE):
        np.random.seed(samples.seed)
        if args.gpu >= 0:  # no cover: needs a GPU
            model.xp.random.seed(samples.seed)
        result = evaluate(model, images, samples.k, config.batchsize)
        loss = result.loss
        unit = f"k = {samples.k}, nats per image"
        lines = {
            "-ELBO": loss, "reconstruction": result.rec_loss, "KL divergence": result.kl
        }  # fmt: skip
    else:
        if given:
            raise InputError(
                f"an autoencoder draws no samples: leave out --{' and --'.join(given)}"
            )
        loss = squared_error(model, images, config.batchsize)
        unit = "squares summed over the pixels of an image"
        lines = {"|x - x'|^2": loss}
    unit += binarization.in_words(config)
    if not math.isfinite(loss):
        raise NonFiniteLossError(f"the model of {args.run} gives a loss of {loss}")
    print(printable(f"{in_words(args.run)}: {config.dimz} latent dimensions, seed {config.seed}"))
    print(f"{len(images):,} test images, {unit}")
    for name, value in lines.items():
        print(f"{name:16}{value:10.3f}", flush=True)
    if isinstance(model, VAE) and args.iw is not None:
        with Progress(len(images), "image") as bar:
            found = log_likelihood(model, images, args.iw, samples.seed, progress=bar.update)
        if not math.isfinite(found.mean):
            raise NonFiniteLossError(f"the model of {args.run} gives a ln p(x) of {found.mean}")
        pixels = binarization.in_words(config)
        if not pixels and ((images > 0) & (images < 1)).any():
            pixels = ", grey pixels (not comparable with binarized ones)"
        _print_log_likelihood(found, pixels)
        _print_latent_space(model, images, samples.seed)
    return 0


def _print_log_likelihood(found: LogLikelihood, pixels: str) -> None:
    how = "by importance sampling with k samples of z, nats per image"
    print(f"\nlower bounds on ln p(x) {how}{pixels}")
    for k, bound in found.bounds.items():
        print(f"k = {k:<12,}{bound:10.3f}" + " (the ELBO)" * (k == 1))
    if not math.isnan(found.standard_error):  # of two images or more
        number = f"{len(found.of_images):,}"
        error = f"{found.standard_error:.3f}"
        print(f"standard error of the last as a mean over {number} images: {error}")


def _print_latent_space(model: VAE, images: np.ndarray, seed: int) -> None:
    mu, ln_var = encode(model, images)
    found = posterior.dimensions(mu, ln_var)
    shown = found.active | found.active_by_kl
    print("\nactive latent dimensions; q(z) is the mean of q(z|x) over the images")
    print(f"{'':6}{'KL (nats)':>14}{'variance of mu':>16}{'mean of q(z)':>16}{'variance':>12}")
    for j in sorted(np.flatnonzero(shown), key=lambda j: -found.kl[j]):
        row = found.kl[j], found.variance_of_mean[j], found.mean[j], found.variance[j]
        print("z{:<5}{:14.3f}{:16.3f}{:16.3f}{:12.3f}".format(j + 1, *row))
    if not shown.all():
        largest = found.kl[~shown].max()
        print(f"{len(shown) - shown.sum()} others, with a KL divergence of {largest:.4f} or less")
    print(
        f"{found.active.sum()} active by a variance of mu above {posterior.ACTIVE_VARIANCE},"
        f" {found.active_by_kl.sum()} by a KL divergence above {posterior.ACTIVE_KL}"
    )
    correlation = posterior.largest_correlation(mu, ln_var)
    if not math.isnan(correlation):  # of two or more
        print(f"largest correlation between two of them in q(z): {correlation:.3f} (absolute)")
    if len(images) == 1:
        return
    parts = posterior.decompose(mu, ln_var, seed)
    error = f"+- {parts.standard_error:.3f}"
    print(
        "\nthe KL divergence from the prior p(z) in two parts, nats per image (+- standard error)"
    )
    print(f"I(x; z)         {parts.mutual_information:10.3f} {error}, at most", end=" ")
    print(f"ln {len(images):,} = {parts.largest_information:.3f}")
    print(f"of q(z)         {parts.marginal_kl:10.3f} {error}")
    print(f"their sum       {parts.kl:10.3f}")
