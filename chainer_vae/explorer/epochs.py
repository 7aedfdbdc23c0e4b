"""The latent plane after earlier epochs: of a run's snapshots, or as the package has it."""

import io
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
from PIL import Image

from chainer_vae import latent
from chainer_vae.evaluation import encode
from chainer_vae.explorer.blob import Blob
from chainer_vae.explorer.content import LatentPlane, add_latents
from chainer_vae.runs import find_run, load_log, load_snapshots
from chainer_vae.runs.checkpoints import load_npz, save_npz
from chainer_vae.runs.choose import about_run
from chainer_vae.runs.folder import LOG

N_POINTS = 1000  # test images in the planes
N_MAP, MAP_LIMIT = 11, 2.0  # images along each side of the maps, from -2 to 2
SHIPPED = "epochs.npz"  # in the folder of a shipped model


class Epochs(NamedTuple):
    """What the page shows of a training.

    Attributes:
        epochs: After which epochs, shape (n_epochs,).
        means: Latent means of the first test images, shape (n_epochs, number, 2).
        maps: Of each epoch, the map as a WebP file.
        log: Training and test loss of every epoch, shape (number, 2).
    """

    epochs: np.ndarray
    means: np.ndarray
    maps: list[bytes]
    log: np.ndarray


def of_snapshots(plane: LatentPlane) -> Optional[Epochs]:
    """The epochs that a run has snapshots of; None if it saved fewer than two.

    Raises:
        InputError: The log or a snapshot cannot be used.
    """
    images = plane.data.test_images[:N_POINTS]
    log = load_log(find_run(plane.run) / LOG)
    epochs, means, maps = [], [], []
    grid = latent.grid(N_MAP, MAP_LIMIT).reshape(-1, 2)
    for epoch, model in load_snapshots(plane.run):
        if epoch > len(log):  # no cover: a run killed between a snapshot and its log
            break
        epochs.append(epoch)
        means.append(encode(model, images)[0])
        tiles = latent.decode(model, grid).reshape(N_MAP, N_MAP, *plane.data.image_shape)
        maps.append(_webp(latent.montage(tiles)))
    if len(epochs) < 2:
        return None
    losses = [[entry["main/loss"], entry["validation/main/loss"]] for entry in log]
    return Epochs(np.array(epochs), np.stack(means), maps, np.array(losses))


def save(epochs: Epochs, file: Path) -> None:
    """Write the file that a shipped model has.

    Raises:
        InputError: It cannot be written.
    """
    arrays: dict[str, np.ndarray] = {
        "epochs": epochs.epochs.astype(np.int16),
        "means": epochs.means.astype(np.float16),
        "log": epochs.log.astype(np.float32),
        "sizes": np.array([len(picture) for picture in epochs.maps], np.int32),
        "maps": np.frombuffer(b"".join(epochs.maps), np.uint8),
    }
    save_npz(file, arrays)


def load(file: Path) -> Epochs:
    """Read what :func:`save` wrote.

    Raises:
        InputError: The file cannot be used.
    """
    with load_npz(file) as arrays:
        ends = np.cumsum(arrays["sizes"])[:-1]
        maps = [picture.tobytes() for picture in np.split(arrays["maps"], ends)]
        return Epochs(arrays["epochs"], arrays["means"], maps, arrays["log"])


def describe_epochs(plane: LatentPlane, blob: Blob) -> Optional[dict[str, Any]]:
    """Add the arrays to the blob, and return the JSON description for the page.

    A shipped model has no snapshots, but what they showed: of a training with the same settings
    and seed. None if there is nothing to show.

    Raises:
        InputError: The log or a snapshot cannot be used.
    """
    file = find_run(plane.run) / SHIPPED
    twin = about_run(plane.run).shipped and file.exists()
    epochs = load(file) if twin else of_snapshots(plane)
    if epochs is None:
        return None
    entries = [
        {"epoch": int(epoch), "map": blob.add(np.frombuffer(picture, np.uint8))}
        for epoch, picture in zip(epochs.epochs, epochs.maps)
    ]
    return {
        "twin": twin,
        "limit": MAP_LIMIT,
        "epochs": entries,
        "means": add_latents(blob, epochs.means),
        "log": [[round(float(loss), 3) for loss in losses] for losses in epochs.log],
    }


def _webp(image: np.ndarray) -> bytes:
    """An image in [0, 1], shape (height, width), as a file."""
    file = io.BytesIO()
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(file, format="WebP", quality=50)
    return file.getvalue()
