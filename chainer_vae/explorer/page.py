"""Write the explorer: one HTML file with the models inside, which loads nothing else."""

import json
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from chainer_vae import devices, validation
from chainer_vae.explorer.blob import Blob
from chainer_vae.explorer.content import (
    TOLERANCE,
    LatentDimensions,
    LatentPlane,
    PlainAutoencoder,
    Run,
)
from chainer_vae.explorer.epochs import describe_epochs
from chainer_vae.runs import describe_run, find_run, load_info
from chainer_vae.runs.files import check_writable, save_bytes
from chainer_vae.runs.images import same_images

WEB = Path(__file__).parent / "web"
# In loading order: each depends on those before it.
LIBRARIES = (
    "d3-dispatch", "d3-timer", "d3-color", "d3-ease", "d3-selection", "d3-interpolate",
    "d3-transition", "d3-drag", "d3-zoom", "d3-quadtree", "d3-array",
)  # fmt: skip
SCRIPTS = (
    "blob.js", "network.js", "digits.js", "text.js", "view.js", "classes.js", "subject.js",
    "plane.js", "neighbours.js", "flow.js", "drawing.js", "interpolation.js", "dimensions.js",
    "prior.js", "comparison.js", "epochs.js", "tour.js", "place.js", "speech.js", "main.js",
)  # fmt: skip
LARGEST = 4_000_000  # bytes: the file must be smaller
# Tolerances of the other models' decoders, per pixel in [0, 1]. The first plan that makes the file
# small enough is used. (A screen shows steps of 0.004.)
PLANS: tuple[dict[str, float], ...] = (
    {"z20": TOLERANCE, "ae2": TOLERANCE},
    {"z20": TOLERANCE, "ae2": 1e-3},
    {"z20": TOLERANCE, "ae2": 1e-2},
    {"z20": 1e-3, "ae2": 1e-2},
    {"z20": 1e-2, "ae2": 1e-2},
    {"z20": 1e-2},
    {},
)


class Written(NamedTuple):
    """What :func:`write_page` wrote.

    Attributes:
        size (int): Of the file, in bytes.
        shown (dict): Descriptions of the runs in the page, by "z2", "z20" and "ae2".
        left_out (dict): The reasons for those left out, by the same names.
        epochs (int): The number of epochs of the training that the page shows.

    Example:
        >>> from chainer_vae.explorer import Written
        >>> Written(size=1_400_000, shown={"z2": "my run"}, left_out={}, epochs=0).shown["z2"]
        'my run'
    """

    size: int
    shown: dict[str, str]
    left_out: dict[str, str]
    epochs: int


def write_page(
    file: Union[str, Path], z2: Run, z20: Optional[Run] = None, ae2: Optional[Run] = None
) -> Written:
    """Write the explorer.

    Args:
        file: The file to write.
        z2: A VAE's run with 2 latent dimensions: a folder, or the name of a shipped model.
        z20: A VAE's run with more latent dimensions, which get a slider each.
        ae2: A plain autoencoder's run with 2 latent dimensions, shown for comparison.

    Returns:
        Written: The size of the file and the runs in it. ``z20`` and ``ae2`` are left out if they
        were trained on other images than ``z2`` or the file would become too large.

    Raises:
        InputError: A run cannot be used, or the file cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from chainer_vae.explorer import write_page
        >>> written = write_page(Path("explorer.html"), z2="z2")
        >>> written.size == Path("explorer.html").stat().st_size < 2_000_000
        True
    """
    file = validation.path("file", file)
    check_writable(file)
    plane = LatentPlane(z2)
    others: dict[str, Any] = {}
    left_out = {}
    for name, run, make in (
        ("z20", z20, LatentDimensions),
        ("ae2", ae2, PlainAutoencoder),
    ):
        if run is None:
            continue
        if same_images(load_info(find_run(run)), load_info(find_run(z2))):
            others[name] = make(run, plane.data)
        else:
            left_out[name] = f"since {run} was trained on other images than {z2}"
    for plan in PLANS:
        blob = Blob()
        content: dict[str, Any] = {
            "version": devices.versions().get("chainer-vae", ""),
            "z2": plane.describe(blob),
            "epochs": describe_epochs(plane, blob),
        }
        for name in plan:
            if name in others:
                content[name] = others[name].describe(blob, plan[name])
        page = _page(content, blob).encode("utf-8")
        if len(page) < LARGEST:
            break
    save_bytes(file, page)
    runs = {"z2": z2, "z20": z20, "ae2": ae2}
    shown = {name: describe_run(run) for name, run in runs.items() if run and name in content}
    for name in others:
        if name not in content:
            left_out[name] = f"since the page would be larger than {LARGEST / 1e6:.0f} MB"
    epochs = len(content["epochs"]["epochs"]) if content["epochs"] else 0
    return Written(len(page), shown, left_out, epochs)


def _page(content: dict[str, Any], blob: Blob) -> str:
    libraries = [(WEB / "vendor" / f"{name}.min.js").read_text("utf-8") for name in LIBRARIES]
    licences = [
        (WEB / "vendor" / name).read_text("utf-8") for name in ("LICENSE-d3", "LICENSE-d3-ease")
    ]
    scripts = [(WEB / name).read_text("utf-8") for name in SCRIPTS]
    parts = {
        "theme": (WEB / "theme.js").read_text("utf-8"),
        "style": (WEB / "style.css").read_text("utf-8"),
        "licences": "\n".join(licences),
        "libraries": "\n".join(libraries),
        # In JSON, "<" occurs only in strings.
        "content": json.dumps(content, ensure_ascii=False).replace("<", "\\u003c"),
        "blob": blob.text(),
        "script": "\n".join(scripts),
    }
    head, *rest = (WEB / "page.html").read_text("utf-8").split("{{")
    pieces = [head]
    for piece in rest:
        name, after = piece.split("}}", 1)
        pieces += [parts[name], after]
    return "".join(pieces)
