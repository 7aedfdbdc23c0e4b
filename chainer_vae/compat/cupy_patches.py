"""CuPy: it has no cuDNN any more, which Chainer would ask for at every first use of a GPU."""

import importlib
import types

from packaging.version import Version

from chainer_vae.compat.patch import Patch


def _cupy_from_12() -> bool:
    try:
        return Version(importlib.import_module("cupy").__version__) >= Version("12.0")
    except Exception:  # none, or one that does not import: Chainer keeps that error itself
        return False


def _do_not_warn_of_cudnn(cuda: types.ModuleType) -> None:
    if cuda.available and not cuda.cudnn_enabled:
        cuda.check_cuda_available._already_warned = True


PATCHES = (
    Patch(
        "chainer.backends.cuda",
        "cuDNN, which a warning at every first use of a GPU asks to install",
        "CuPy 14.0 (removed; its wheels had stopped bringing it before)",
        _cupy_from_12,
        apply=_do_not_warn_of_cudnn,
    ),
)
