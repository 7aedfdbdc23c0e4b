"""ONNX: its tables of types, by which onnx_chainer, in Chainer's wheel, writes models."""

import types

import numpy
from packaging.version import Version

from chainer_vae.compat.patch import Extended, Patch, installed_version

_TYPES = "?bBhHiIlLqQefd"  # NumPy's codes of what Chainer computes with
# Of these, the ones whose numbers stand in a field of their own, and not as bytes.
_IN_FIELDS = "?Hilqfd"


def _mapping() -> types.ModuleType:
    """``onnx.mapping``, made of the functions that took its place."""
    from onnx import helper

    def number(code: str) -> int:
        return int(helper.np_dtype_to_tensor_dtype(numpy.dtype(code)))

    module = types.ModuleType("onnx.mapping")
    module.__dict__.update(
        NP_TYPE_TO_TENSOR_TYPE={numpy.dtype(code): number(code) for code in _TYPES},
        STORAGE_TENSOR_TYPE_TO_FIELD={
            number(code): helper.tensor_dtype_to_field(number(code)) for code in _IN_FIELDS
        },
    )
    return module


def _onnx_with_mapping() -> types.ModuleType:
    import onnx

    return Extended(onnx, mapping=_mapping())


def _mapping_is_deprecated() -> bool:
    version = installed_version("onnx")
    return version is not None and version >= Version("1.13")


PATCHES = tuple(
    Patch(
        f"onnx_chainer.{module}",
        "onnx.mapping",
        "ONNX 1.13 (deprecated), 1.19 (removed)",
        _mapping_is_deprecated,
        provide={"onnx.mapping": _mapping, "onnx": _onnx_with_mapping},
    )
    for module in ("export", "context", "functions.array", "functions.math")
)
