"""Writing pictures to files: the same bytes each time, each file whole or not at all."""

import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from chainer_vae.figures.registry import Animation, Picture
from chainer_vae.runs.files import save_bytes

# No date and no version in the files.
METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def pixels(figure: Figure) -> np.ndarray:
    """A matplotlib figure as an image, shape (height, width, 3), uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def save(picture: Picture, path: Path) -> None:
    """Write a figure or an animation; the suffix of ``path`` says in which format.

    Raises:
        InputError: The file cannot be written; an older one stays as it was.
    """
    buffer = io.BytesIO()
    if isinstance(picture, Animation):
        _write_gif(picture, buffer)
    else:
        form = path.suffix[1:]
        picture.savefig(buffer, format=form, metadata=METADATA[form])
    save_bytes(path, buffer.getvalue())


def _write_gif(animation: Animation, file: io.BytesIO) -> None:
    """All frames with one palette, which keeps the file small and the colours still.

    Consecutive frames that are alike become one, shown for as long as they together.
    """
    if animation.frames[0].ndim == 2:
        shades = np.linspace(0, 255, animation.colors).round()
        palette = np.repeat(shades[:, None], 3, axis=1)
        nearest = np.rint(np.arange(256) * (animation.colors - 1) / 255).astype(np.uint8)
        paletted = [Image.fromarray(nearest[frame]) for frame in animation.frames]
    else:
        # The palette fits a few frames, spread over all.
        several = np.concatenate(animation.frames[:: max(1, len(animation.frames) // 8)])
        fitted = Image.fromarray(several).quantize(animation.colors, Image.Quantize.MAXCOVERAGE)
        paletted = [
            Image.fromarray(frame).quantize(palette=fitted, dither=Image.Dither.NONE)
            for frame in animation.frames
        ]
        palette = np.array(fitted.getpalette()).reshape(-1, 3)
        # The background, as seen in a corner, keeps its colour exactly.
        palette[np.asarray(paletted[0])[0, 0]] = animation.frames[0][0, 0]
    for image in paletted:
        image.putpalette(palette.astype(np.uint8).tobytes())
    paletted[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=paletted[1:],
        duration=animation.duration,
        loop=0,
        optimize=False,
        interlace=0,
    )
