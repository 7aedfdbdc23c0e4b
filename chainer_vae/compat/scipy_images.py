"""``scipy.misc`` as it was in SciPy 1.1: images, by Pillow."""

from typing import Any


def bytescale(data: Any, cmin: Any = None, cmax: Any = None, high: int = 255, low: int = 0) -> Any:
    """Bytes: ``low`` for the least number, ``high`` for the greatest; bytes stay as they are."""
    import numpy

    array = numpy.asarray(data)
    if array.dtype == numpy.uint8:
        return array
    if not 0 <= low <= high <= 255:
        raise ValueError("low and high must be from 0 to 255, low no more than high")
    return (_scaled(array, cmin, cmax, high, low).clip(low, high) + 0.5).astype(numpy.uint8)


def _scaled(array: Any, cmin: Any, cmax: Any, high: int, low: int) -> Any:
    if array.dtype.kind == "c":
        raise ValueError("complex numbers are no image")
    least = float(array.min() if cmin is None else cmin)
    greatest = float(array.max() if cmax is None else cmax)
    if greatest < least:
        raise ValueError("cmax must be no less than cmin")
    return (array - least) * ((high - low) / ((greatest - least) or 1)) + low


def toimage(
    arr: Any,
    high: int = 255,
    low: int = 0,
    cmin: Any = None,
    cmax: Any = None,
    pal: Any = None,
    mode: Any = None,
    channel_axis: Any = None,
) -> Any:
    """An image of rows, of channels last, or of channels first."""
    import numpy
    from PIL import Image

    array = numpy.asarray(arr)
    if array.ndim == 2:
        if mode == "F":
            return Image.fromarray(array.astype("f"))
        if mode == "1":
            return Image.fromarray(array > high)
        if mode == "I":
            return Image.fromarray(_scaled(array, cmin, cmax, high, low).astype(numpy.int32))
        if mode not in (None, "L", "P"):
            raise ValueError(f"rows of numbers are no image of the mode {mode}")
        image = Image.fromarray(bytescale(array, cmin, cmax, high, low))
        if pal is not None or mode == "P":
            colors = numpy.arange(256).repeat(3) if pal is None else numpy.asarray(pal)
            image.putpalette(colors.astype(numpy.uint8).tobytes())
        return image
    axis = channel_axis
    if axis is None and array.ndim == 3:
        axis = next((array.shape.index(n) for n in (3, 4) if n in array.shape), None)
    if array.ndim != 3 or axis is None or array.shape[axis] not in (3, 4):
        raise ValueError(f"an array of the shape {array.shape} is no image")
    n_channels = array.shape[axis]
    mode = mode or {3: "RGB", 4: "RGBA"}[n_channels]
    if mode not in {3: ("RGB", "YCbCr"), 4: ("RGBA", "CMYK")}[n_channels]:
        raise ValueError(f"{n_channels} channels are no image of the mode {mode}")
    pixels = numpy.moveaxis(bytescale(array, cmin, cmax, high, low), axis, -1)
    height, width, _ = pixels.shape
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def fromimage(im: Any, flatten: bool = False, mode: Any = None) -> Any:
    import numpy

    pixels = im
    if mode is not None:
        pixels = im.convert(mode)
    elif im.mode == "P":
        pixels = im.convert("RGBA" if "transparency" in im.info else "RGB")
    if flatten:
        pixels = pixels.convert("F")
    elif pixels.mode == "1":
        pixels = pixels.convert("L")
    return numpy.array(pixels)


def imread(name: Any, flatten: bool = False, mode: Any = None) -> Any:
    from PIL import Image

    with Image.open(name) as image:
        return fromimage(image, flatten, mode)


def imsave(name: Any, arr: Any, format: Any = None) -> None:
    toimage(arr, channel_axis=2).save(name, format)


def _resampling(interp: str) -> Any:
    from PIL import Image

    return Image.Resampling["BICUBIC" if interp == "cubic" else interp.upper()]


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: Any = None) -> Any:
    import numpy

    image = toimage(arr, mode=mode)
    if numpy.ndim(size):
        height, width = int(size[0]), int(size[1])
    else:  # percent, or a fraction
        scale = size / 100 if numpy.issubdtype(type(size), numpy.integer) else size
        height, width = int(image.height * scale), int(image.width * scale)
    return fromimage(image.resize((width, height), _resampling(interp)))


def imrotate(arr: Any, angle: Any, interp: str = "bilinear") -> Any:
    return fromimage(toimage(arr).rotate(angle, _resampling(interp)))
