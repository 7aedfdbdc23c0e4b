"""Latent vectors with the class of each image, as .npz or .csv."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Union

import numpy as np

from chainer_vae import validation
from chainer_vae.errors import InputError
from chainer_vae.runs.checkpoints import save_npz
from chainer_vae.runs.files import written_whole

ENDINGS = (".npz", ".csv")


def write_latents(
    file: Union[str, Path],
    latents: Mapping[str, np.ndarray],
    of: Mapping[str, np.ndarray],
) -> None:
    """Write latent vectors, with what is known of each image.

    A ``.npz`` file has the arrays of ``of``, shape (number,), and those of ``latents``, shape
    (number, n_latent).  A ``.csv`` file has a header and a line for each image:
    ``index,label,mu_1,mu_2,...``, where each number has the digits that give it back exactly.

    Args:
        file: The file; its ending says the format.
        latents: Of a VAE, ``mu`` and ``ln_var`` = ln(sigma^2); of a plain autoencoder, ``z``; each
            of shape (number, n_latent).
        of: What tells the images apart, such as ``index``, where each is in its data set, from 0,
            and ``label``, its class; or ``path``.  Whole numbers or text, shape (number,).

    Raises:
        TypeError: The latent vectors, or what tells the images apart, are no mapping.
        InputError: The ending is neither, the arrays do not fit each other, a number is not finite,
            or the file cannot be written.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from chainer_vae.exports.latents import write_latents
        >>> z = np.array([[0.5, -1.0], [0.1, 2.0]], np.float32)
        >>> of = {"index": np.array([0, 1]), "label": np.array([7, 2])}
        >>> write_latents("latents.csv", {"z": z}, of)
        >>> print(Path("latents.csv").read_text())
        index,label,z_1,z_2
        0,7,0.5,-1
        1,2,0.100000001,2
        <BLANKLINE>
    """
    file = validation.ending("file", file, ENDINGS)
    for named in (latents, of):
        validation.instance("write_latents", named, Mapping)
    columns = {
        name: validation.array(name, array, ("number",), "iuU") for name, array in of.items()
    }
    for name, array in latents.items():
        columns[name] = validation.array(name, array, ("number", "n_latent"), "f")
        if not np.isfinite(columns[name]).all():
            raise InputError("the latent vectors are not all finite: the model cannot be used")
    if len({len(array) for array in columns.values()}) != 1:
        raise InputError("there must be as many latent vectors as images")
    if file.suffix.lower() == ".npz":
        save_npz(file, columns)
        return
    header = [*of]
    for name in latents:
        header += [f"{name}_{dimension}" for dimension in range(1, 1 + columns[name].shape[1])]
    with written_whole(file) as stream:
        # A file's name has the bytes that it has on the disk.
        text = io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="", write_through=True)
        table = csv.writer(text, lineterminator="\n")
        table.writerow(header)
        for row in zip(*columns.values()):
            numbers = np.concatenate(row[len(of) :])
            digits = 9 if numbers.dtype == np.float32 else 17  # as many as give it back
            table.writerow([*row[: len(of)], *(f"{n:.{digits}g}" for n in numbers.tolist())])
        text.detach()
