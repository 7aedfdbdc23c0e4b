"""What q(z|x) of many images says of a model: the latent dimensions, and the aggregate posterior.

The aggregate posterior is the mean of q(z|x) over N images, a mixture of N Gaussians, ::

    q(z) = 1/N sum_n q(z|x_n)

which equals the prior p(z) if new images from the prior are to look like the data.  Everything
here takes ``mu`` and ``ln_var`` as :func:`chainer_vae.encode` gives them, shape (number, n_latent).
"""

from typing import NamedTuple

import numpy as np

from chainer_vae import validation
from chainer_vae.errors import InputError
from chainer_vae.likelihood import log_mean_exp, standard_error
from chainer_vae.random_numbers import generator_of

ACTIVE_VARIANCE = 0.01  # of the latent mean over the images, above which a dimension is active
ACTIVE_KL = 0.1  # the same by the KL divergence, in nats
PAIRS = 2**18  # of a sample and an image, at a time


class Dimensions(NamedTuple):
    """What :func:`dimensions` finds; arrays of shape (n_latent,), float64.

    Attributes:
        kl (numpy.ndarray): The KL divergence of each latent dimension from the prior, averaged
            over the images, in nats; they sum to that of the ELBO.
        variance_of_mean (numpy.ndarray): The variance of the latent mean over the images.
        mean (numpy.ndarray): The mean of q(z); 0 in the prior.
        variance (numpy.ndarray): The variance of q(z); 1 in the prior.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.posterior import dimensions
        >>> found = dimensions(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros((2, 2)))
        >>> found.kl, found.variance_of_mean, found.variance
        (array([0.5, 0. ]), array([1., 0.]), array([2., 1.]))
        >>> found.active
        array([ True, False])
        >>> found.active_by_kl
        array([ True, False])
    """

    kl: np.ndarray
    variance_of_mean: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Which are active by Burda et al., 2015: ``variance_of_mean`` is above 0.01."""
        return self.variance_of_mean > ACTIVE_VARIANCE

    @property
    def active_by_kl(self) -> np.ndarray:
        """Which have a KL divergence above 0.1 nats."""
        return self.kl > ACTIVE_KL


def dimensions(mu: np.ndarray, ln_var: np.ndarray) -> Dimensions:
    """Each latent dimension by itself: its KL divergence, its mean and variance in q(z).

    ::

        KL_j = 1/2 mean(mu_j^2 + sigma_j^2 - ln sigma_j^2 - 1)
        E[z_j] = mean(mu_j),   Var[z_j] = var(mu_j) + mean(sigma_j^2)

    over the images; var(mu_j) alone tells active dimensions.

    Args:
        mu: Means of q(z|x), shape (number, n_latent).
        ln_var: Logarithms of its variances, of the same shape.

    Returns:
        Dimensions: Arrays of shape (n_latent,); infinite or NaN where the model overflowed.

    Raises:
        InputError: The arrays are not of one such shape, hold no numbers, or are empty.

    Source:
        Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2015, section 5, for
        active units.

    Example:
        >>> from chainer_vae import encode, load_mnist, load_model
        >>> from chainer_vae.posterior import dimensions
        >>> model, config = load_model("z20")
        >>> found = dimensions(*encode(model, load_mnist().test_images[:1000]))
        >>> int(found.active.sum()), int(found.active_by_kl.sum())
        (11, 11)
    """
    mu, ln_var = _checked(mu, ln_var)
    with np.errstate(over="ignore", invalid="ignore"):
        var = np.exp(ln_var)
        return Dimensions(
            kl=(mu**2 + var - ln_var - 1).mean(axis=0) / 2,
            variance_of_mean=mu.var(axis=0),
            mean=mu.mean(axis=0),
            variance=mu.var(axis=0) + var.mean(axis=0),
        )


def largest_correlation(mu: np.ndarray, ln_var: np.ndarray) -> float:
    """The largest correlation in q(z) between two active latent dimensions; 0 in the prior.

    ::

        |cov(mu_i, mu_j)| / sqrt(Var[z_i] Var[z_j])

    Args:
        mu: Means of q(z|x), shape (number, n_latent).
        ln_var: Logarithms of its variances, of the same shape.

    Returns:
        float: Its absolute value; NaN where fewer than two dimensions are active by Burda et al.

    Raises:
        InputError: As :func:`dimensions`.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.posterior import largest_correlation
        >>> mu = np.array([[3.0, 3.0], [-3.0, -3.0]])
        >>> round(largest_correlation(mu, np.zeros((2, 2))), 3)
        0.9
    """
    mu, ln_var = _checked(mu, ln_var)
    found = dimensions(mu, ln_var)
    active = np.flatnonzero(found.active)
    if len(active) < 2:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        centred = mu[:, active] - found.mean[active]
        centred /= np.sqrt(found.variance[active])
        correlations = centred.T @ centred / len(mu)
    np.fill_diagonal(correlations, 0)
    return float(np.abs(correlations).max())


class Decomposition(NamedTuple):
    """What :func:`decompose` finds, in nats per image.

    Attributes:
        kl (float): The mean of D_KL[q(z|x) || p(z)] over the images, as in the ELBO.
        mutual_information (float): I(x; z): how much z says of which image it came from.
        marginal_kl (float): D_KL[q(z) || p(z)], ``kl - mutual_information``.
        standard_error (float): That of the estimates of the latter two; NaN for one image.
        largest_information (float): ln N, which I(x; z) of N images cannot exceed.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.posterior import decompose
        >>> found = decompose(np.array([[10.0], [-10.0]]), np.zeros((2, 1)))
        >>> found.kl, round(found.mutual_information, 3), round(found.largest_information, 3)
        (50.0, 0.693, 0.693)
        >>> round(found.marginal_kl, 1), found.standard_error < 1e-9
        (49.3, True)
    """

    kl: float
    mutual_information: float
    marginal_kl: float
    standard_error: float
    largest_information: float


def decompose(mu: np.ndarray, ln_var: np.ndarray, seed: int = 0) -> Decomposition:
    """The mean KL divergence of q(z|x), split into two parts with the aggregate posterior q(z).

    ::

        1/N sum_n D_KL[q(z|x_n) || p(z)] = I(x; z) + D_KL[q(z) || p(z)]
        I(x; z) = 1/N sum_n E_q(z|x_n)[ln q(z|x_n) - ln q(z)]  <=  ln N

    The left side is exact.  I(x; z) is estimated with one sample of z for each image and the whole
    mixture q(z), not that of a batch; no summand exceeds ln N, so its standard error is small.
    Where I(x; z) is near ln N, it says how many images there are, and more would give more.

    Args:
        mu: Means of q(z|x), shape (number, n_latent).
        ln_var: Logarithms of its variances, of the same shape.
        seed: Seed of the samples.

    Returns:
        Decomposition: In nats per image; infinite or NaN where the model overflowed.

    Raises:
        InputError: As :func:`dimensions`; or ``seed`` is no whole number from 0 to 4294967295.

    Source:
        Hoffman and Johnson, "ELBO surgery: yet another way to carve up the variational evidence
        lower bound", 2016, section 3.

    Example:
        >>> from chainer_vae import encode, load_mnist, load_model
        >>> from chainer_vae.posterior import decompose
        >>> model, config = load_model("z2")
        >>> found = decompose(*encode(model, load_mnist().test_images[:1000]))
        >>> round(found.kl, 1), round(found.mutual_information, 1), round(found.marginal_kl, 1)
        (6.7, 5.9, 0.8)
    """
    mu, ln_var = _checked(mu, ln_var)
    seed = validation.whole_number("seed", seed, 0, 2**32 - 1)
    n = len(mu)
    eps = generator_of(seed, 0).standard_normal(mu.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        information = np.empty(n)
        block = max(1, PAIRS // n)
        for start in range(0, n, block):
            rows = slice(start, start + block)
            own = -(eps[rows] ** 2 + ln_var[rows]).sum(axis=1) / 2
            z = mu[rows] + np.exp(ln_var[rows] / 2) * eps[rows]
            information[rows] = own - log_mean_exp(_log_densities(z, mu, ln_var))
        kl = float(dimensions(mu, ln_var).kl.sum())
        mutual_information = float(information.mean())
    return Decomposition(
        kl=kl,
        mutual_information=mutual_information,
        marginal_kl=kl - mutual_information,
        standard_error=standard_error(information),
        largest_information=float(np.log(n)),
    )


def _log_densities(z: np.ndarray, mu: np.ndarray, ln_var: np.ndarray) -> np.ndarray:
    """ln q(z_s|x_n) without its factors of 2 pi, shape (samples, images)."""
    total = np.zeros((len(z), len(mu)))
    for j in range(mu.shape[1]):
        # One after another: all differences at once would take n_latent times the memory.
        difference = z[:, j, None] - mu[:, j]
        difference *= np.exp(-ln_var[:, j] / 2)
        difference *= difference
        difference += ln_var[:, j]
        total += difference
    total *= -0.5
    return total


def _checked(mu: np.ndarray, ln_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mu, ln_var = (
        validation.array(name, value, ("number", "n_latent")).astype(np.float64)
        for name, value in (("mu", mu), ("ln_var", ln_var))
    )
    if mu.shape != ln_var.shape or mu.size == 0:
        raise InputError(
            "mu and ln_var must have the same shape, of one image or more,"
            f" not {mu.shape} and {ln_var.shape}"
        )
    return mu, ln_var
