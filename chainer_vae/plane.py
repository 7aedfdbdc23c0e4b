"""A latent space of more than two dimensions, seen in its principal plane."""

from typing import NamedTuple, Optional

import numpy as np

from chainer_vae import validation
from chainer_vae.errors import InputError


class Plane(NamedTuple):
    """A plane in the latent space, with coordinates of its own.

    Attributes:
        origin (numpy.ndarray): The point with the coordinates (0, 0), shape (n_latent,).
        axes (numpy.ndarray): Two orthogonal unit vectors, shape (2, n_latent).
        shares (tuple of float or None): Of principal axes, the share of the variance that lies
            along each; None where the plane is the whole latent space.

    Example:
        >>> from chainer_vae import encode, load_mnist, load_model
        >>> from chainer_vae.plane import principal_plane
        >>> model, config = load_model("z20")
        >>> mu, ln_var = encode(model, load_mnist().test_images[:1000])
        >>> plane = principal_plane(mu)
        >>> shown = plane.project(mu)
        >>> shown.shape, plane.lift(shown).shape
        ((1000, 2), (1000, 20))
    """

    origin: np.ndarray
    axes: np.ndarray
    shares: Optional[tuple[float, float]]

    def project(self, z: np.ndarray) -> np.ndarray:
        """The coordinates of the nearest points in the plane.

        Args:
            z: Latent vectors, shape (number, n_latent).

        Returns:
            numpy.ndarray: The coordinates, shape (number, 2).
        """
        return z if self.shares is None else (z - self.origin) @ self.axes.T

    def lift(self, points: np.ndarray) -> np.ndarray:
        """The latent vectors of points in the plane.

        Args:
            points: Coordinates, shape (number, 2).

        Returns:
            numpy.ndarray: The latent vectors, shape (number, n_latent).
        """
        return points if self.shares is None else self.origin + points @ self.axes


def principal_plane(latents: np.ndarray) -> Plane:
    """The plane that is nearest to latent vectors: that of their first two principal components.

    Two dimensions are left as they are: the plane is the latent space itself.

    Args:
        latents: Latent vectors, shape (number, n_latent).

    Returns:
        Plane: The plane; its axes point to where their largest component is positive.

    Raises:
        InputError: ``latents`` are not of this shape or no numbers, there are none, or they have
            less than two dimensions.

    Source:
        Pearson, "On lines and planes of closest fit to systems of points in space", 1901.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.plane import principal_plane
        >>> latents = np.array([[0.0, 9.0, 1.0], [4.0, 9.0, 0.0], [8.0, 9.0, 1.0]])
        >>> plane = principal_plane(latents)
        >>> plane.axes.round(3) + 0.0
        array([[1., 0., 0.],
               [0., 0., 1.]])
        >>> [round(share, 2) for share in plane.shares]
        [0.98, 0.02]
    """
    latents = validation.array("latents", latents, ("number", "n_latent"))
    number, n_latent = latents.shape
    if number == 0 or n_latent < 2:
        raise InputError(f"latents must have the shape (1 or more, 2 or more), not {latents.shape}")
    if n_latent == 2:
        return Plane(np.zeros(2, latents.dtype), np.eye(2, dtype=latents.dtype), None)
    origin = latents.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov((latents - origin).T, bias=True))
    axes = vectors[:, [-1, -2]].T
    axes *= np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]
    total = variances.sum()
    first, second = (float(v / total) if total > 0 else 0.0 for v in variances[[-1, -2]])
    return Plane(origin, axes.astype(latents.dtype), (first, second))
