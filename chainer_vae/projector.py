"""Latent vectors for TensorBoard's Embedding Projector, with which the article ends.

``tensorboard --logdir FOLDER`` opens what is written here, under Projector.  TensorBoard is not
needed for writing.

Its t-SNE and UMAP need "Spherize data" checked, which it is not by default for vectors of less
than 50 numbers: they take a product of two vectors for the cosine, and drop neighbours for which it
is above 1 (TensorBoard 2.21).
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from chainer_vae.datasets import size_in_words
from chainer_vae.errors import InputError
from chainer_vae.latent import montage
from chainer_vae.runs.files import save_bytes, save_text

LARGEST_SPRITE = 8192  # pixels of a side; the projector refuses a larger one
LEAST_DIMENSIONS = 3  # the projector's first view, in three dimensions, fails with fewer

# The names in it are relative to its folder, which may be moved.
CONFIG = """\
embeddings {{
  tensor_name: "codes"
  tensor_path: "codes.tsv"
  metadata_path: "metadata.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


def write_projector(
    folder: Path,
    latents: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    image_shape: tuple[int, int],
) -> None:
    """Write what the Embedding Projector shows: latent vectors, and the image and class of each.

    The files are ``codes.tsv``, one vector a line; ``metadata.tsv``, with the columns class and
    index; ``sprite.png``, all images in one; and ``projector_config.pbtxt``, which names them.

    Args:
        folder: Where to write; it is made if it is not there.
        latents: Shape (number, n_latent); the file has them as float32, exactly, and zeros after
            them where n_latent is less than 3.
        images: In [0, 1], shape (number, height * width).
        labels: Whole numbers, shape (number,).
        image_shape: Height and width, which must be equal.

    Raises:
        InputError: These do not fit each other or the projector, or a file cannot be written.
    """
    with np.errstate(over="ignore"):
        latents = np.asarray(latents, np.float32)
    number = len(latents)
    if latents.ndim != 2 or images.ndim != 2 or labels.ndim != 1:
        raise InputError(
            "latent vectors and images must be of two axes and labels of one,"
            f" not {latents.ndim}, {images.ndim} and {labels.ndim}"
        )
    if not number == len(images) == len(labels):
        raise InputError(
            "there must be as many latent vectors as images and labels,"
            f" not {number:,}, {len(images):,} and {len(labels):,}"
        )
    if number < 2 or latents.shape[1] < 1:
        raise InputError(
            "the Embedding Projector shows two latent vectors or more,"
            f" not {number} of {latents.shape[1]} numbers"
        )
    if not np.isfinite(latents).all():
        raise InputError("the latent vectors are not all finite: the model cannot be used")
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels must be whole numbers, not {labels.dtype}")
    sprite, side = _sprite(images, image_shape)
    latents = np.pad(latents, ((0, 0), (0, max(0, LEAST_DIMENSIONS - latents.shape[1]))))
    lines = ("\t".join(f"{value:.9g}" for value in latent) + "\n" for latent in latents.tolist())
    save_text(folder / "codes.tsv", "".join(lines))
    lines = (f"{label}\t{index}\n" for index, label in enumerate(labels))
    save_text(folder / "metadata.tsv", "class\tindex\n" + "".join(lines))
    save_bytes(folder / "sprite.png", sprite)
    save_text(folder / "projector_config.pbtxt", CONFIG.format(side=side))


def _sprite(images: np.ndarray, image_shape: tuple[int, int]) -> tuple[bytes, int]:
    """All images in one, row by row, as a PNG file; and the pixels of each one's side.

    Raises:
        InputError: The images are not square, not in [0, 1], or too many.
    """
    number, n_pixels = images.shape
    side, width = image_shape
    if n_pixels != side * width or side == 0:
        raise InputError(
            f"images of {size_in_words(image_shape)} pixels cannot have {n_pixels} of them"
        )
    if side != width:
        raise InputError(
            f"the Embedding Projector shows square images, not {size_in_words(image_shape)} pixels"
        )
    # The projector takes the image numbered i from row i / columns, column i mod columns, but its
    # shader divides by the number of rows: there must be as many.  A power of two makes
    # that division exact on any GPU.
    columns = 2
    while columns * columns < number:
        columns *= 2
    if columns * side > LARGEST_SPRITE:
        raise InputError(
            f"{number:,} images of {side} x {side} pixels make a picture of {columns * side} x"
            f" {columns * side}, but the Embedding Projector takes {LARGEST_SPRITE} x"
            f" {LARGEST_SPRITE} at most; give fewer"
        )
    if not (images.min() >= 0 and images.max() <= 1):  # nor NaN
        raise InputError("the images must be in [0, 1]")
    tiles = np.zeros((columns * columns, side, side), np.uint8)
    tiles[:number] = np.rint(images * 255).reshape(-1, side, side)
    picture = montage(tiles.reshape(columns, columns, side, side))
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue(), side
