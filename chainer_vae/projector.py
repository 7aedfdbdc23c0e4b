"""Latent vectors for TensorBoard's Embedding Projector, the last section of the article.

``tensorboard --logdir FOLDER`` opens the files under Projector. Writing them does not need
TensorBoard.

Check "Spherize data" before running the projector's t-SNE or UMAP; for vectors with fewer than 50
dimensions it is off by default. Without it, they take the dot product of two vectors for their
cosine and drop neighbours with a product above 1 (TensorBoard 2.21).
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Union

import numpy as np
from PIL import Image

from chainer_vae import validation
from chainer_vae.datasets import size_in_words
from chainer_vae.errors import InputError, printable
from chainer_vae.latent import montage
from chainer_vae.runs.files import save_bytes, save_text

LARGEST_SPRITE = 8192  # pixels along each side; the projector rejects larger sprites
LEAST_DIMENSIONS = 3  # the projector opens with a 3-D view, which fails with fewer

# What the vectors are called there: those of a VAE, and those of a plain autoencoder.
NAMES = ("latent means", "latent vectors")

# File names are relative to the folder, which can therefore be moved.
CONFIG = """\
embeddings {{
  tensor_name: "{name}"
  tensor_path: "{file}"
  metadata_path: "metadata.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


def write_projector(
    folder: Union[str, Path],
    latents: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    image_shape: tuple[int, int],
    name: str = NAMES[0],
    class_names: Sequence[str] = (),
) -> None:
    """Write latent vectors, with the image and class of each, for the Embedding Projector.

    The files are ``latent_means.tsv`` or ``latent_vectors.tsv``, one vector per line;
    ``metadata.tsv``, with the columns class and index; ``sprite.png``, all images in one; and
    ``projector_config.pbtxt``, which names them.

    Args:
        folder: The output folder, created if missing.
        latents: Latent vectors, shape (number, n_latent). They are written as float32 without
            loss of digits, and padded with zeros to 3 dimensions if n_latent is smaller.
        images: Pixels in [0, 1], shape (number, height * width).
        labels: The class of each image, integers, shape (number,).
        image_shape: Height and width in pixels; the projector shows squares, so that others get
            black margins.
        name: What the vectors are called there: "latent means", a VAE's, or "latent vectors", a
            plain autoencoder's.
        class_names: The name of each label; empty where the numbers are the names.

    Raises:
        InputError: The arrays do not fit each other or the projector, or a file cannot be written.

    Source:
        The article's last section, which used TensorFlow.

    Example:
        >>> from pathlib import Path
        >>> from chainer_vae import encode, load_mnist, load_model
        >>> from chainer_vae.projector import write_projector
        >>> model, config = load_model("z20")
        >>> data = load_mnist()
        >>> images, labels = data.test_images[:100], data.test_labels[:100]
        >>> mu, ln_var = encode(model, images)
        >>> write_projector(Path("embedding"), mu, images, labels, data.image_shape)
        >>> sorted(file.name for file in Path("embedding").iterdir())
        ['latent_means.tsv', 'metadata.tsv', 'projector_config.pbtxt', 'sprite.png']
    """
    folder = validation.path("folder", folder)
    with np.errstate(over="ignore"):
        latents = validation.array("latents", latents).astype(np.float32)
    images = validation.array("images", images, kinds="fiub")
    labels = validation.array("labels", labels, kinds="iu")
    image_shape = validation.image_shape("image_shape", image_shape)
    file = f"{validation.choice('name', name, NAMES)}.tsv".replace(" ", "_")
    if latents.ndim != 2 or images.ndim != 2 or labels.ndim != 1:
        raise InputError(
            "latent vectors and images must have two axes and labels one,"
            f" not {latents.ndim}, {images.ndim} and {labels.ndim}"
        )
    number = len(latents)
    if not number == len(images) == len(labels):
        raise InputError(
            "there must be as many latent vectors as images and labels,"
            f" not {number:,}, {len(images):,} and {len(labels):,}"
        )
    if number < 2 or latents.shape[1] < 1:
        raise InputError(
            "the Embedding Projector needs at least two latent vectors of at least one dimension,"
            f" not {number} of {latents.shape[1]}"
        )
    if not np.isfinite(latents).all():
        raise InputError("the latent vectors are not all finite: the model cannot be used")
    if class_names and labels.max() >= len(class_names):
        raise InputError(f"there are labels up to {labels.max()}, but {len(class_names)} names")
    sprite, side = _sprite(images, image_shape)
    latents = np.pad(latents, ((0, 0), (0, max(0, LEAST_DIMENSIONS - latents.shape[1]))))
    lines = ("\t".join(f"{value:.9g}" for value in latent) + "\n" for latent in latents.tolist())
    save_text(folder / file, "".join(lines))
    names = [printable(class_names[label]) if class_names else label for label in labels]
    lines = (f"{name}\t{index}\n" for index, name in enumerate(names))
    save_text(folder / "metadata.tsv", "class\tindex\n" + "".join(lines))
    save_bytes(folder / "sprite.png", sprite)
    save_text(folder / "projector_config.pbtxt", CONFIG.format(name=name, file=file, side=side))


def _sprite(images: np.ndarray, image_shape: tuple[int, int]) -> tuple[bytes, int]:
    """Join all images into one, row by row.

    Returns:
        tuple: The PNG file, and the number of pixels along each side of one image.

    Raises:
        InputError: The images are not of this shape, not in [0, 1], or too many.
    """
    number, n_pixels = images.shape
    if n_pixels != math.prod(image_shape):
        raise InputError(
            f"{n_pixels} pixels cannot form an image of {size_in_words(image_shape)} pixels"
        )
    side = max(image_shape)
    # The projector finds image i at row i / columns, column i mod columns. Its shader, however,
    # divides by the number of rows: rows and columns must be equal. A power of two makes
    # that division exact on any GPU.
    columns = 2
    while columns * columns < number:
        columns *= 2
    if columns * side > LARGEST_SPRITE:
        raise InputError(
            f"{number:,} images of {side} x {side} pixels need a sprite of {columns * side} x"
            f" {columns * side} pixels, but the Embedding Projector takes at most"
            f" {LARGEST_SPRITE} x {LARGEST_SPRITE}; use fewer images"
        )
    validation.pixels("the images", images)
    tiles = np.zeros((columns * columns, side, side), np.uint8)
    height, width = image_shape
    top, left = (side - height) // 2, (side - width) // 2
    middle = tiles[:number, top : top + height, left : left + width]
    middle[...] = np.rint(images * 255.0).reshape(-1, height, width)
    sprite = montage(tiles.reshape(columns, columns, side, side))
    file = io.BytesIO()
    Image.fromarray(sprite).save(file, format="PNG")
    return file.getvalue(), side
