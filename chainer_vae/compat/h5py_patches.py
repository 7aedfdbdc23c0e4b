"""h5py: strings, which it has read as bytes since 3.0."""

from typing import Any

import numpy
from packaging.version import Version

from chainer_vae.compat.patch import Patch, installed_version


def _read_strings(hdf5: Any) -> None:
    call = hdf5.HDF5Deserializer.__call__

    def __call__(self: Any, key: str, value: Any) -> Any:
        dataset: Any = self.group.get(key) if self.group is not None else None
        string = dataset is not None and hdf5.h5py.check_string_dtype(dataset.dtype)
        # Of ASCII, or of a fixed length, they were bytes before, too.
        if not string or string.length is not None or string.encoding != "utf-8":
            return call(self, key, value)
        text = numpy.array(dataset.asstr()[()], dtype="O")
        if isinstance(value, numpy.ndarray):
            value[...] = text
            return value
        return text if value is None else type(value)(text)

    hdf5.HDF5Deserializer.__call__ = __call__


def _strings_are_bytes() -> bool:
    version = installed_version("h5py")
    return version is not None and version >= Version("3")


PATCHES = (
    Patch(
        "chainer.serializers.hdf5",
        "strings of h5py files read as str",
        "h5py 3.0",
        _strings_are_bytes,
        apply=_read_strings,
    ),
)
