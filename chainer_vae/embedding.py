"""The codes of many dimensions laid out in two or three: t-SNE, and a camera that goes around."""

import numpy as np
from threadpoolctl import threadpool_limits


def embed(codes: np.ndarray, n_dims: int, seed: int = 0) -> np.ndarray:
    """Points that are neighbours where codes are: t-SNE, from the first principal components.

    Args:
        codes: Shape (number, n_latent).
        n_dims: 2 or 3.
        seed: Of its random numbers.

    Returns:
        numpy.ndarray: Shape (number, n_dims), float32, centred, the farthest point at distance 1.
        The same each time, on the same machine.

    Source: van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008; scikit-learn's.
    """
    from sklearn.manifold import TSNE  # here, since it takes long to import

    with threadpool_limits(1):  # sums in one order
        points = TSNE(n_dims, init="pca", random_state=seed).fit_transform(codes)
    points = points - points.mean(axis=0)
    return points / np.linalg.norm(points, axis=1).max()


def project(points: np.ndarray, azimuth: float, distance: float = 3.5) -> np.ndarray:
    """Points in space as a camera sees them that goes around the third axis.

    Args:
        points: Shape (number, 3), within 1 of the origin.
        azimuth: Where the camera stands, in radians.
        distance: Of the camera from the origin.

    Returns:
        numpy.ndarray: Shape (number, 3): rightwards and upwards in the picture, within about 1.05
        of its middle, and the size of things there, 1 at the origin's distance.
    """
    x, y, z = points.T
    right = np.cos(azimuth) * y - np.sin(azimuth) * x
    towards = np.cos(azimuth) * x + np.sin(azimuth) * y
    size = distance / (distance - towards)
    return np.stack([right * size, z * size, size], axis=1)
