"""A sheet rolled up in space: points of two dimensions that a camera sees in three."""

from typing import NamedTuple

import numpy as np

N_SEGMENTS = 6


class SwissRoll(NamedTuple):
    """Points of a swiss roll, in space and unrolled, all lengths in the same unit."""

    points: np.ndarray  # (n, 3): the roll winds around the second axis
    flat: np.ndarray  # (n, 2): the same points on the sheet, laid flat without stretching
    segment: np.ndarray  # (n,): 0 to 5 from the inside out, of equal lengths of the sheet


def swiss_roll(n: int = 1500, seed: int = 0) -> SwissRoll:
    """Points at random on a swiss roll, (t cos t, y, t sin t) with 3/2 pi <= t <= 9/2 pi.

    Unrolled, a point lies at the length of the spiral from its inner end to it,

        s(t) = 1/2 (t sqrt(1 + t^2) + asinh t),  minus s(3/2 pi),

    so that distances along the sheet stay what they were.
    """
    from sklearn.datasets import make_swiss_roll  # here, since it takes long to import

    points, t = make_swiss_roll(n, random_state=seed)
    inner, outer = _length(np.array([1.5, 4.5]) * np.pi)
    along = _length(t) - inner
    segment = (along / (outer - inner) * N_SEGMENTS).astype(int).clip(0, N_SEGMENTS - 1)
    return SwissRoll(points, np.stack([along, points[:, 1]], axis=1), segment)


def _length(t: np.ndarray) -> np.ndarray:
    """Of the spiral r = t from its centre to t."""
    return (t * np.sqrt(1 + t**2) + np.arcsinh(t)) / 2


def deceptive_pair(roll: SwissRoll) -> tuple[int, int]:
    """Two points, near in space and far along the sheet: of the largest ratio of the two."""
    space = np.linalg.norm(roll.points[:, None] - roll.points, axis=-1)
    sheet = np.linalg.norm(roll.flat[:, None] - roll.flat, axis=-1)
    np.fill_diagonal(space, np.inf)
    first, second = np.unravel_index(np.argmax(sheet / space), space.shape)
    return int(first), int(second)
