"""Write figures to files: the same bytes every time, and each file completely or not at all."""

import io
from pathlib import Path
from typing import Union

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from chainer_vae.figures.registry import Animation, FigureOrAnimation
from chainer_vae.runs.files import save_bytes

# Keep dates and versions out of the files.
METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
SUFFIXES = tuple(METADATA)

N_GREYS = 32  # in the palette of a coloured animation


def pixels(figure: Figure) -> np.ndarray:
    """Render a matplotlib figure to an RGB image, shape (height, width, 3), uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def save(drawn: Union[FigureOrAnimation, np.ndarray], path: Path) -> None:
    """Write a figure, an animation or an image to a file.

    Args:
        drawn: A figure; an animation, which is always written as a GIF; or an image, shape
            (height, width), uint8, always written as a PNG.
        path: The file. For a figure, the suffix is the format: png, svg or pdf.

    Raises:
        InputError: The file cannot be written; an existing file is left unchanged.
    """
    buffer = io.BytesIO()
    if isinstance(drawn, Animation):
        _write_gif(drawn, buffer)
    elif isinstance(drawn, np.ndarray):
        Image.fromarray(drawn).save(buffer, format="PNG")
    else:
        form = path.suffix[1:]
        drawn.savefig(buffer, format=form, metadata=METADATA[form])
    save_bytes(path, buffer.getvalue())


def _write_gif(animation: Animation, file: io.BytesIO) -> None:
    """Write all frames with one palette, for a small file and colours that do not flicker.

    Pillow merges consecutive identical frames and adds up their durations. Of the others, it leaves
    out the pixels that stay the same, which takes one of the palette's 256 entries.
    """
    frames = animation.frames
    grey = frames[0].ndim == 2
    # Greys of their own, so that none gets a tint.
    shades = np.linspace(0, 255, animation.colors if grey else N_GREYS).round()
    palette = np.repeat(shades[:, None], 3, axis=1).astype(np.uint8)
    if grey:
        nearest = np.rint(np.arange(256) * (animation.colors - 1) / 255).astype(np.uint8)
        paletted = [Image.fromarray(nearest[frame]) for frame in frames]
    else:
        # Fit the colours to about eight frames, evenly spaced over the animation.
        several = np.concatenate([f.reshape(-1, 3) for f in frames[:: max(1, len(frames) // 8)]])
        colored = several[np.ptp(several, axis=1) > 8]
        fitted = Image.fromarray(colored[None]).quantize(
            animation.colors - N_GREYS, Image.Quantize.MAXCOVERAGE, kmeans=3
        )
        palette = np.concatenate([palette, np.array(fitted.getpalette(), np.uint8).reshape(-1, 3)])
        fitted.putpalette(palette.tobytes())
        paletted = [
            Image.fromarray(frame).quantize(palette=fitted, dither=Image.Dither.NONE)
            for frame in frames
        ]
    for image in paletted:
        image.putpalette(palette.tobytes())
    paletted[0].save(
        file,
        format="GIF",
        save_all=True,
        append_images=paletted[1:],
        duration=animation.duration,
        loop=0,
        optimize=True,
        interlace=0,
    )
