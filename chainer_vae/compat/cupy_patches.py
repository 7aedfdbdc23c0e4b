"""CuPy: it has no cuDNN any more, which Chainer would ask for at every first use of a GPU, and
``copy=False`` means another thing."""

import importlib
import types
from typing import Any, Callable

from packaging.version import Version

from chainer_vae.compat.patch import Patch


def _cupy_from(version: str) -> Callable[[], bool]:
    def needed() -> bool:
        try:
            return Version(importlib.import_module("cupy").__version__) >= Version(version)
        except Exception:  # none, or one that does not import: Chainer keeps that error itself
            return False

    return needed


def _do_not_warn_of_cudnn(cuda: types.ModuleType) -> None:
    if cuda.available and not cuda.cudnn_enabled:
        cuda.check_cuda_available._already_warned = True


def _copy_where_needed(memory_utility: types.ModuleType) -> None:
    """In ChainerMN, for parameters of another type than what is sent, such as float16."""

    def array(x: Any, copy: bool, dtype: Any) -> Any:
        return x.astype(dtype, copy=copy)

    function = memory_utility.unpack_params
    backend = types.SimpleNamespace(get_array_module=lambda x: types.SimpleNamespace(array=array))
    chainer_and_names = {**function.__globals__, "chainer": types.SimpleNamespace(backend=backend)}
    memory_utility.unpack_params = types.FunctionType(  # type: ignore[attr-defined]
        function.__code__, chainer_and_names, function.__name__, function.__defaults__
    )


PATCHES = (
    Patch(
        "chainer.backends.cuda",
        "cuDNN, which a warning at every first use of a GPU asks to install",
        "CuPy 14.0 (removed; its wheels had stopped bringing it before)",
        _cupy_from("12.0"),
        apply=_do_not_warn_of_cudnn,
    ),
    Patch(
        "chainermn.communicators._memory_utility",
        "cupy.array copying in spite of copy=False",
        "CuPy 14.0",
        _cupy_from("14.0"),
        apply=_copy_where_needed,
    ),
)
