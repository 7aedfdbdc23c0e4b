"""One HTML file that shows a latent space: the models inside it, nothing to be fetched."""

import json
from pathlib import Path
from typing import Any, NamedTuple, Optional

from chainer_vae import devices
from chainer_vae.explorer.blob import Blob
from chainer_vae.explorer.content import (
    TOLERANCE,
    Plain,
    Plane,
    Run,
    Units,
    describe_epochs,
    same_images,
)
from chainer_vae.runs import describe_run
from chainer_vae.runs.files import save_bytes

WEB = Path(__file__).parent / "web"
# In the order that each needs those before it.
LIBRARIES = (
    "d3-dispatch", "d3-timer", "d3-color", "d3-ease", "d3-selection", "d3-interpolate",
    "d3-transition", "d3-drag", "d3-zoom", "d3-quadtree", "d3-array",
)  # fmt: skip
SCRIPTS = (
    "blob.js", "network.js", "digits.js", "text.js", "view.js", "plane.js", "drawing.js",
    "interpolation.js", "dimensions.js", "comparison.js", "epochs.js", "main.js",
)  # fmt: skip
LARGEST = 4_000_000  # bytes of the file
# How exact the other models' decoders are: the first plan with which the file is not too large.  (A
# screen shows steps of 0.004.)
PLANS: tuple[dict[str, float], ...] = (
    {"z20": TOLERANCE, "ae2": TOLERANCE},
    {"z20": TOLERANCE, "ae2": 1e-3},
    {"z20": TOLERANCE, "ae2": 1e-2},
    {"z20": 1e-2, "ae2": 1e-2},
    {"z20": 1e-2},
    {},
)


class Written(NamedTuple):
    """What a page holds."""

    size: int  # bytes
    shown: dict[str, str]  # the runs, in words, by "z2", "z20" and "ae2"
    left_out: dict[str, str]  # those that are not, and why
    epochs: int  # how many epochs of the training it shows


def write_page(
    file: Path, z2: Run, z20: Optional[Run] = None, ae2: Optional[Run] = None
) -> Written:
    """Write the page.

    Args:
        file: Where.
        z2: The run with 2 latent units: a folder, or the name of a model of the package.
        z20: One with more, to move its units.
        ae2: One of a plain autoencoder with 2, to lay it beside.

    Raises:
        InputError: A run cannot be used, or the file cannot be written.
    """
    plane = Plane(z2)
    others: dict[str, Any] = {}
    left_out = {}
    for name, run, make in (("z20", z20, Units), ("ae2", ae2, Plain)):
        if run is None:
            continue
        if same_images(run, z2):
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
        "style": (WEB / "style.css").read_text("utf-8"),
        "licences": "\n".join(licences),
        "libraries": "\n".join(libraries),
        # In JSON, "<" stands in texts alone.
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
