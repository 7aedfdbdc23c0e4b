"""The latent means, reduced to three and two dimensions by t-SNE."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib.patheffects import withStroke
from PIL import Image
from threadpoolctl import threadpool_limits

from chainer_vae.errors import InputError
from chainer_vae.figures import style
from chainer_vae.figures.digits import pixel_axes, pixel_figure
from chainer_vae.figures.output import pixels
from chainer_vae.figures.plane import LABELLED
from chainer_vae.figures.registry import Animation, Context, figure
from chainer_vae.latent import class_means, spread
from chainer_vae.projector import write_projector

N_POINTS = 2000
N_PROJECTOR = 256**2  # as many images of this size as the Embedding Projector takes
N_NEIGHBORS = 30.0  # of each point that t-SNE keeps together (its perplexity), at most
N_FRAMES = 36
# In three dimensions, 3.7 times as fast as scikit-learn's angle of 0.5 and 1,000 iterations, which
# stay in two. For the model z20 and 2,000 images, KL is 1.60 instead of 1.51, and as many of the 15
# nearest neighbours stay together (trustworthiness 0.97).
FAST = {2: {}, 3: dict(angle=0.8, max_iter=500)}
PANEL = 400  # pixels along each side of a panel
SPRITE = 13  # pixels along each side of a digit at the origin
# Pixels from the centre of a panel to a point at distance 1. The camera projects such a point at
# most 1.044 from the centre, where its digit is 14 pixels wide: 1.044 x 184 + 7 is less than 200.
REACH = 184


def embed(latents: np.ndarray, n_dims: int, seed: int = 0) -> np.ndarray:
    """Reduce latent vectors to ``n_dims`` dimensions by t-SNE, which keeps neighbours together.

    It starts from the principal components. Results are reproducible on the same machine.

    Args:
        latents: Latent vectors, shape (number, n_latent).
        n_dims: 2 or 3.
        seed: Seed of the random numbers.

    Returns:
        numpy.ndarray: Shape (number, n_dims), float32, centred on the origin and scaled so that
        the farthest point is at distance 1.

    Raises:
        InputError: There are fewer than 4 latent vectors, or all are equal.

    Source:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008; the implementation is
        scikit-learn's.

    Example:
        >>> from chainer_vae import encode, load_mnist, load_model
        >>> from chainer_vae.figures.tsne import embed
        >>> model, config = load_model("z20")
        >>> mu, ln_var = encode(model, load_mnist().test_images[:100])
        >>> embed(mu, n_dims=2).shape
        (100, 2)
    """
    n = len(latents)
    if n < 4:
        raise InputError(
            f"t-SNE needs at least 4 images, but there {'is' if n == 1 else 'are'} {n}"
        )
    if (latents == latents[0]).all():
        raise InputError("t-SNE needs images of different latent means, but all are equal")
    from sklearn.manifold import TSNE  # here, because the import is slow

    latents = np.pad(latents, ((0, 0), (0, max(0, n_dims - latents.shape[1]))))
    perplexity = min(N_NEIGHBORS, (n - 1) / 3)
    with threadpool_limits(1), _not_counting_cores():  # one thread, to sum in a fixed order
        tsne = TSNE(n_dims, perplexity=perplexity, init="pca", random_state=seed, **FAST[n_dims])
        points = tsne.fit_transform(latents)
    points = points - points.mean(axis=0)
    return points / np.linalg.norm(points, axis=1).max()


@contextmanager
def _not_counting_cores() -> Iterator[None]:
    """Keep scikit-learn from counting the processor's cores, which prints a traceback where the
    program that tells them is missing: it does not where OpenMP's number of threads is given."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]


def project(points: np.ndarray, azimuth: float, distance: float = 3.5) -> np.ndarray:
    """Project points in space to the image of a camera that orbits the third axis.

    Args:
        points: Shape (number, 3), at most 1 from the origin.
        azimuth: The angle of the camera around the axis, in radians.
        distance: The distance of the camera from the origin.

    Returns:
        numpy.ndarray: Shape (number, 3): the positions to the right and upwards, within about 1.05
        of the image's centre, and the apparent size, which is 1 at the origin.
    """
    x, y, z = points.T
    right = np.cos(azimuth) * y - np.sin(azimuth) * x
    towards = np.cos(azimuth) * x + np.sin(azimuth) * y
    size = distance / (distance - towards)
    return np.stack([right * size, z * size, size], axis=1)


@figure(
    "embedding", (30,), "extra", "embedding.gif", "Tensorboard Embedding for MNIST with VAE",
    en=f"The latent means of up to {N_POINTS:,} test images, reduced to three and two dimensions by"
    " t-SNE. The folder embedding/, written with this figure, opens in"
    " TensorBoard's Embedding Projector.",
    ja=f"テスト画像（最大{N_POINTS:,}枚）の潜在変数の平均を、t-SNEで3次元と2次元に次元削減したもの。"
    "同時に書き出すembeddingフォルダーは、TensorBoardのEmbedding Projectorで開けます。",
    needs="z20",
)  # fmt: skip
def embedding(context: Context) -> Animation:
    z20 = context.trained("z20")
    data = z20.data
    context.attach(
        "embedding",
        lambda folder: write_projector(
            folder,
            z20.latent_means[:N_PROJECTOR],
            data.test_images[:N_PROJECTOR],
            data.test_labels[:N_PROJECTOR],
            data.image_shape,
            class_names=data.class_names,
        ),
    )
    latents, labels = z20.latent_means[:N_POINTS], data.test_labels[:N_POINTS]
    images = data.test_images[:N_POINTS].reshape(-1, *data.image_shape)
    classes = np.searchsorted(z20.classes, labels)
    colors = context.class_colors(len(z20.classes))(classes)[:, :3]

    fig = pixel_figure(2 * PANEL + 20, PANEL + 40)
    for column, title in enumerate((
        context.text("t-SNE to 3 dimensions", "t-SNEで3次元に"),
        context.text("t-SNE to 2 dimensions", "t-SNEで2次元に"),
    )):  # fmt: skip
        x = (PANEL / 2 + column * (PANEL + 20)) / (2 * PANEL + 20)
        fig.text(x, 1 - 18 / (PANEL + 40), title, ha="center", va="center", size=12)
    background = pixels(fig)
    flat = embed(latents, 2)
    flat = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
    draw_sprites(background[36 : 36 + PANEL, PANEL + 20 :], flat, images, colors)
    names = [z20.class_name(label) for label in z20.classes]
    if len(names) <= LABELLED:
        background = label_classes(background, class_means(flat[:, :2], classes), names)
    space = embed(latents, 3)
    frames = []
    for azimuth in np.arange(N_FRAMES) * 2 * np.pi / N_FRAMES:
        frame = background.copy()
        draw_sprites(frame[36 : 36 + PANEL, :PANEL], project(space, azimuth), images, colors)
        frames.append(frame)
    return Animation(frames, 150, colors=128)


def label_classes(image: np.ndarray, means: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Label each class at its mean in the right panel.

    Args:
        image: Shape (height, width, 3), uint8.
        means: The mean of each class, as in the panel, shape (classes, 2); NaN: no label.
        names: What each class is called, of those that have one.

    Returns:
        numpy.ndarray: A new image of the same shape.
    """
    height, width = image.shape[:2]
    fig = pixel_figure(width, height)
    axes = pixel_axes(fig, 0, 0, width, height)
    axes.imshow(image, extent=(0, width, height, 0))
    axes.set_axis_off()
    longest = max(map(style.width_of, names))
    size, wide = (17, 1.0) if longest <= 3 else (11, 0.5 * longest)
    for name, (x, y) in zip(names, spread(means, 22 / REACH, wide)):
        if np.isfinite(x):
            column, row = PANEL + 20 + PANEL / 2 + x * REACH, 36 + PANEL / 2 - y * REACH
            label = axes.text(
                column, row, name, size=size, ha="center", va="center",
                **style.label_font(name),
            )  # fmt: skip
            label.set_path_effects([withStroke(linewidth=3.5, foreground="white")])
    return pixels(fig)


def draw_sprites(
    panel: np.ndarray, points: np.ndarray, images: np.ndarray, colors: np.ndarray
) -> None:
    """Draw images into a panel, each in its colour, the farthest first.

    Args:
        panel: The image to draw into, shape (PANEL, PANEL, 3), uint8.
        points: Shape (number, 3): the positions to the right of the centre and above it, and the
            sizes, as :func:`project` returns them.
        images: Pixels in [0, 1], shape (number, height, width).
        colors: Red, green and blue in [0, 1], shape (number, 3).
    """
    for i in np.argsort(points[:, 2], kind="stable"):
        side = round(SPRITE * points[i, 2])
        height, width = (max(1, round(side * n / max(images.shape[1:]))) for n in images.shape[1:])
        sprite = Image.fromarray(np.rint(images[i] * 255).astype(np.uint8))
        ink = np.asarray(sprite.resize((width, height), Image.Resampling.BOX))[:, :, None] / 255
        column = round(PANEL / 2 + points[i, 0] * REACH - width / 2)
        row = round(PANEL / 2 - points[i, 1] * REACH - height / 2)
        area = panel[row : row + height, column : column + width]
        area[...] = area * (1 - ink) + colors[i] * 255 * ink
