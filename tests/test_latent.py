"""The functions behind the figures, checked against independent computations."""

import copy
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import quad

from chainer_vae import InputError, encode, latent, load_model
from chainer_vae.figures.swiss_roll import deceptive_pair, swiss_roll
from chainer_vae.figures.tsne import embed, project


@pytest.fixture(scope="module")
def z2():
    return load_model("z2")[0]


def test_decode_is_the_model(z2):
    z = np.random.RandomState(0).normal(size=(7, 2)).astype(np.float32)
    images = latent.decode(z2, z, batchsize=3)
    assert images.shape == (7, 784)
    exact = copy.deepcopy(z2)
    for parameter in exact.params():
        parameter.array = parameter.array.astype(np.float64)
    expected, by_chainer = exact.decode(z.astype(np.float64)).array, z2.decode(z).array
    rounding = abs(by_chainer - expected).max()
    assert rounding < 5e-6
    np.testing.assert_allclose(images, expected, rtol=0, atol=2 * rounding)
    assert latent.decode(z2, z[:0]).shape == (0, 784)


def test_first_of_class():
    labels = np.array([3, 1, 3, 1])
    assert [latent.first_of_class(labels, digit) for digit in (3, 1)] == [0, 1]
    with pytest.raises(InputError, match="there is no test image of class 7"):
        latent.first_of_class(labels, 7)


def test_class_means():
    latents = np.array([[1.0, 2], [3, 4], [5, 6]])
    means = latent.class_means(latents, np.array([4, 0, 4]))
    assert means.shape == (10, 2)
    np.testing.assert_array_equal(means[[4, 0]], [[3, 4], [3, 4]])
    assert np.isnan(np.delete(means, [4, 0], axis=0)).all()
    means = latent.class_means(latents, np.array([46, 0, 46]))
    assert means.shape == (47, 2)
    np.testing.assert_array_equal(means[[46, 0]], [[3, 4], [3, 4]])
    assert latent.class_means(latents[:0], np.array([], int)).shape == (10, 2)
    assert latent.class_means(latents, np.array([255, 0, 255], np.uint8)).shape == (256, 2)


def test_spread_moves_only_what_is_close():
    points = np.array([[0.0, 0], [0.1, 0], [5, 5], [np.nan, np.nan]])
    positions = latent.spread(points, 0.3)
    assert np.hypot(*(positions[1] - positions[0])) >= 0.3
    np.testing.assert_allclose(positions[:2].mean(axis=0), [0.05, 0], atol=1e-12)
    np.testing.assert_array_equal(positions[2], points[2])
    assert np.isnan(positions[3]).all()


def test_ends():
    assert latent.ends([4, 4, 4]) == (0, 2)
    assert latent.ends([5, 0, 7, 0], 0, 5) == (1, 0)
    for wrong in ([], [0.5], "07"):
        with pytest.raises(InputError):
            latent.ends(wrong)
    with pytest.raises(InputError, match="end must be a whole number"):
        latent.ends([0, 7], 0, 0.5)


def test_spread_of_wide_labels():
    """Side by side they need more room than one above the other."""
    points = np.array([[0.0, 0], [0.1, 0], [5, 0], [5, 0.1]])
    positions = latent.spread(points, 0.3, wide=4)
    assert 1.2 <= positions[1, 0] - positions[0, 0] < 1.3
    assert 0.3 <= positions[3, 1] - positions[2, 1] < 0.33
    with pytest.raises(InputError, match="wide must be above 0, not 0"):
        latent.spread(points, 0.3, 0)


def test_interpolation_ends_at_its_ends():
    start, end = np.array([1, -0.3], np.float32), np.array([0.1, 7], np.float32)
    line = latent.interpolate(start, end, np.linspace(0, 1, 5))
    assert line.dtype == np.float32
    np.testing.assert_array_equal(line[[0, -1]], [start, end])
    np.testing.assert_allclose(line[2], (start + end) / 2)


def test_there_and_back():
    np.testing.assert_allclose(latent.there_and_back(4), [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25])
    assert len(latent.there_and_back(40)) == 80


def test_grid_has_z1_to_the_right_and_z2_upwards():
    z = latent.grid(25, 2)
    assert z.shape == (25, 25, 2)
    corners = {
        (0, 0): (-2, 2), (0, 24): (2, 2), (24, 0): (-2, -2), (24, 24): (2, -2), (12, 12): (0, 0),
    }  # fmt: skip
    for index, expected in corners.items():
        np.testing.assert_allclose(z[index], expected, atol=1e-7)


def test_montage_puts_each_tile_at_its_position():
    tiles = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    image = latent.montage(tiles)
    assert image.shape == (8, 15)
    for i in range(2):
        for j in range(3):
            cell = image[4 * i : 4 * i + 4, 5 * j : 5 * j + 5]
            np.testing.assert_array_equal(cell, tiles[i, j])


def test_swiss_roll_is_unrolled_without_stretching():
    roll = swiss_roll(400)
    x, y, z = roll.points.T
    np.testing.assert_array_equal(roll.flat[:, 1], y)
    # The length of the spiral r = t by numerical integration.
    for i in range(0, 400, 40):
        t = np.hypot(x[i], z[i])
        length, _ = quad(lambda t: np.sqrt(1 + t * t), 1.5 * np.pi, t)
        assert roll.flat[i, 0] == pytest.approx(length, rel=1e-9)
    # To its nearest neighbour, the path along the sheet is hardly longer than in space.
    space = np.linalg.norm(roll.points[:, None] - roll.points, axis=-1)
    sheet = np.linalg.norm(roll.flat[:, None] - roll.flat, axis=-1)
    assert (sheet >= space - 1e-9).all()
    nearest = np.argmin(sheet + np.diag(np.full(400, np.inf)), axis=1)
    ratio = sheet[range(400), nearest] / space[range(400), nearest]
    assert ratio.max() < 1.05
    # Six consecutive segments of equal length.
    edges = [roll.flat[roll.segment == k, 0] for k in range(6)]
    starts = np.array([edge.min() for edge in edges])
    np.testing.assert_allclose(np.diff(starts), np.diff(starts).mean(), rtol=0.1)
    assert all(a.max() < b.min() for a, b in zip(edges, edges[1:]))
    first, second = deceptive_pair(roll)
    assert sheet[first, second] > 8 * space[first, second]


def test_embedding_keeps_neighbours(mnist):
    latents = encode(load_model("z20")[0], mnist.test_images[:300])[0]
    labels = mnist.test_labels[:300]
    points = embed(latents, 2)
    np.testing.assert_array_equal(points, embed(latents, 2))
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1)
    distances = np.linalg.norm(points[:, None] - points, axis=-1) + np.diag(np.full(300, np.inf))
    same = labels[distances.argmin(axis=1)] == labels
    assert same.mean() > 0.75  # 0.1 by chance


@pytest.mark.parametrize("n", (4, 5, 30, 31, 90))
def test_embedding_of_few(n):
    """Fewer than t-SNE's usual perplexity asks for."""
    latents = np.random.RandomState(0).normal(size=(n, 20))
    for n_dims in (2, 3):
        points = embed(latents, n_dims)
        assert points.shape == (n, n_dims)
        assert np.linalg.norm(points, axis=1).max() == pytest.approx(1)


def test_embedding_of_too_few_or_the_same():
    latents = np.random.RandomState(0).normal(size=(4, 20))
    with pytest.raises(InputError, match="t-SNE needs at least 4 images, but there are 3"):
        embed(latents[:3], 2)
    with pytest.raises(InputError, match="t-SNE needs at least 4 images, but there is 1"):
        embed(latents[:1], 2)
    with pytest.raises(InputError, match="of different latent means, but all are equal"):
        embed(latents[[0] * 9], 2)


@pytest.mark.slow
def test_embedding_where_the_cores_cannot_be_counted():
    """As on Windows 11 and in small containers: no warning of a library comes through."""
    program = (
        "import numpy as np; from chainer_vae.figures.tsne import embed;"
        "print(embed(np.random.RandomState(0).normal(size=(100, 5)), 2).shape)"
    )
    # joblib counts them by a program that is on the path.
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**os.environ, "PATH": ""},
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("(100, 2)\n", "")


def test_projection_orbits_the_third_axis():
    points = np.array([[0.5, 0, 0.2], [-0.5, 0, 0.2]])
    front = project(points, 0.0)
    np.testing.assert_allclose(front[:, 0], 0, atol=1e-12)
    assert front[0, 2] > 1 > front[1, 2]  # the nearer one is larger
    quarter = project(points, np.pi / 2)
    np.testing.assert_allclose(quarter[:, 2], 1)
    np.testing.assert_allclose(quarter[:, :2], [[-0.5, 0.2], [0.5, 0.2]], atol=1e-12)
    np.testing.assert_allclose(project(points, 2 * np.pi), front, atol=1e-12)
