"""The 20-dimensional latent vectors, laid out by t-SNE and turned before a camera."""

import numpy as np
from matplotlib.patheffects import withStroke
from PIL import Image
from threadpoolctl import threadpool_limits

from chainer_vae.figures import style
from chainer_vae.figures.digits import pixel_axes, pixel_figure
from chainer_vae.figures.output import pixels
from chainer_vae.figures.registry import SIDE, Animation, Context, figure
from chainer_vae.latent import N_CLASSES, class_means
from chainer_vae.projector import write_projector

N_POINTS = 2000
N_FRAMES = 36
PANEL = 400  # pixels of a side
SPRITE = 13  # pixels of a digit's side, at the middle of the space
# Pixels from the middle of a panel to a point at distance 1. The camera sees such a point up to
# 1.044 from the middle, and its digit 14 pixels wide there: 1.044 x 184 + 7 is still within 200.
REACH = 184


def embed(latents: np.ndarray, n_dims: int, seed: int = 0) -> np.ndarray:
    """t-SNE: points that are neighbours where latent vectors are, from their principal components.

    Args:
        latents: Shape (number, n_latent).
        n_dims: 2 or 3.
        seed: Of its random numbers.

    Returns:
        numpy.ndarray: Shape (number, n_dims), float32, centred, the farthest point at distance 1.
        The same each time, on the same machine.

    Source: van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008; scikit-learn's.
    """
    from sklearn.manifold import TSNE  # here, since it takes long to import

    with threadpool_limits(1):  # sums in one order
        points = TSNE(n_dims, init="pca", random_state=seed).fit_transform(latents)
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


@figure(
    "embedding", (30,), "extra", "embedding.gif", "Tensorboard Embedding for MNIST with VAE",
    en=f"The 20-dimensional codes of {N_POINTS:,} test images, brought to three dimensions and"
    " to two by t-SNE. The folder embedding/ beside it opens in TensorBoard's Embedding Projector.",
    ja=f"テスト画像{N_POINTS:,}枚の20次元の潜在変数を、t-SNEで3次元と2次元に削減したもの。"
    "同時に書き出される embedding フォルダは TensorBoard の Embedding Projector で開ける。",
    needs="z20",
)  # fmt: skip
def embedding(context: Context) -> Animation:
    z20 = context.trained("z20")
    data = z20.data
    context.attach(
        "embedding",
        lambda folder: write_projector(
            folder, z20.codes, data.test_images, data.test_labels, data.image_shape
        ),
    )
    codes, labels = z20.codes[:N_POINTS], data.test_labels[:N_POINTS]
    images = data.test_images[:N_POINTS].reshape(-1, SIDE, SIDE)

    fig = pixel_figure(2 * PANEL + 20, PANEL + 40)
    for column, title in enumerate((
        context.text("t-SNE to 3 dimensions", "t-SNEで3次元に"),
        context.text("t-SNE to 2 dimensions", "t-SNEで2次元に"),
    )):  # fmt: skip
        x = (PANEL / 2 + column * (PANEL + 20)) / (2 * PANEL + 20)
        fig.text(x, 1 - 18 / (PANEL + 40), title, ha="center", va="center", size=12)
    background = pixels(fig)
    flat = embed(codes, 2)
    flat = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
    draw_sprites(background[36 : 36 + PANEL, PANEL + 20 :], flat, images, labels)
    background = name_classes(background, class_means(flat[:, :2], labels))
    space = embed(codes, 3)
    frames = []
    for azimuth in np.arange(N_FRAMES) * 2 * np.pi / N_FRAMES:
        frame = background.copy()
        draw_sprites(frame[36 : 36 + PANEL, :PANEL], project(space, azimuth), images, labels)
        frames.append(frame)
    return Animation(frames, 150, colors=128)


def name_classes(picture: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The picture with the name of each digit at its mean (10, 2) in the right panel."""
    height, width = picture.shape[:2]
    fig = pixel_figure(width, height)
    axes = pixel_axes(fig, 0, 0, width, height)
    axes.imshow(picture, extent=(0, width, height, 0))
    axes.set_axis_off()
    for digit, (x, y) in enumerate(means):
        if np.isfinite(x):
            column, row = PANEL + 20 + PANEL / 2 + x * REACH, 36 + PANEL / 2 - y * REACH
            name = axes.text(column, row, str(digit), size=17, weight="bold", ha="center")
            name.set(va="center", family="DejaVu Sans")
            name.set_path_effects([withStroke(linewidth=3.5, foreground="white")])
    return pixels(fig)


def draw_sprites(
    panel: np.ndarray, points: np.ndarray, images: np.ndarray, labels: np.ndarray
) -> None:
    """Draw digits into a picture (PANEL, PANEL, 3), the farthest first, each in its colour.

    Args:
        points: Shape (number, 3): rightwards and upwards from the middle, and the size.
        images: Shape (number, 28, 28).
        labels: Shape (number,).
    """
    colors = np.array([style.DIGIT_COLORS(digit)[:3] for digit in range(N_CLASSES)]) * 255
    for i in np.argsort(points[:, 2], kind="stable"):
        side = round(SPRITE * points[i, 2])
        sprite = Image.fromarray(np.rint(images[i] * 255).astype(np.uint8))
        ink = np.asarray(sprite.resize((side, side), Image.Resampling.BOX))[:, :, None] / 255
        column = round(PANEL / 2 + points[i, 0] * REACH - side / 2)
        row = round(PANEL / 2 - points[i, 1] * REACH - side / 2)
        place = panel[row : row + side, column : column + side]
        place[...] = place * (1 - ink) + colors[labels[i]] * ink
