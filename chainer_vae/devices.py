"""What this machine has, and what ``--gpu`` can use of it."""

import importlib
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any, Optional

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_vae import compat, kernels, shell, validation
from chainer_vae.errors import InputError
from chainer_vae.version import __version__


def how_to_install_cupy(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """What to do where CuPy or a library of CUDA is missing; setup.py's extras are the same."""
    if python < (3, 10):
        # CuPy 13, the last for Python 3.9, has no release for CUDA 13.
        requirements = ["cupy-cuda12x>=13,<14"]
    elif python < (3, 15):
        requirements = ["cupy-cuda13x[ctk]>=14", "cupy-cuda12x[ctk]>=14"]
    else:
        return f"it has no wheel for Python 3.{python[1]} yet; a GPU needs Python 3.9 to 3.14"
    install = sys.executable, "-m", "pip", "install"
    return "run: " + " or ".join(shell.command(*install, r) for r in requirements)


def use_device(gpu: int) -> None:
    """Make a GPU the current device; a negative number stands for the CPU.

    Args:
        gpu: The CUDA number of the GPU, from 0.

    Raises:
        InputError: That GPU cannot be used; the message says why, and what to do.
    """
    gpu = validation.whole_number("gpu", gpu, -validation.MAX_SIZE, validation.MAX_SIZE)
    if gpu < 0:
        return
    fault = gpu_fault(gpu)
    if fault is not None:
        raise InputError(f"--gpu {gpu}: {fault}")
    cuda.get_device_from_id(gpu).use()  # no cover: needs a GPU


def move_model(model: chainer.Link, gpu: int) -> None:
    """Put a model on a GPU; a negative number leaves it on the CPU."""
    if gpu >= 0:
        model.to_device(f"@cupy:{gpu}")


def gpu_fault(gpu: int) -> Optional[str]:
    """Why GPU number ``gpu`` cannot be used, and what to do; None where it can."""
    try:
        cupy = importlib.import_module("cupy")
    except Exception as error:  # whatever a broken installation raises
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return f"CuPy is not installed; {how_to_install_cupy()}"
        reason = _first_line(error.__cause__ or error)
        if "libcuda.so" in reason:
            return f"no NVIDIA driver is installed ({reason})"
        return f"CuPy is installed but cannot be imported: {reason}"

    runtime = cupy.cuda.runtime
    driver_version = runtime.driverGetVersion()
    if driver_version == 0:
        return "no NVIDIA driver is installed; install one, or leave --gpu out to use the CPU"
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if error.status == runtime.errorInsufficientDriver:
            return (
                f"the NVIDIA driver is too old: it knows CUDA {_cuda_version(driver_version)},"
                f" but this CuPy needs {_cuda_version(runtime.runtimeGetVersion())};"
                " update the driver, or install CuPy for an older CUDA"
            )
        if error.status == runtime.errorNoDevice:
            return "the NVIDIA driver finds no GPU"
        return f"CUDA does not work here: {error}"
    if gpu >= count:
        there = ", ".join(f"{i}: {gpu_name(cupy, i)}" for i in range(count))
        return f"there is no such GPU; this machine has {there or 'none'}"
    if not cuda.available:
        reason = _first_line(cuda._resolution_error)
        return f"CuPy cannot load a CUDA library ({reason}); {how_to_install_cupy()}"
    try:
        _compute_something(cupy, gpu)
    except Exception as error:  # whatever CuPy and CUDA raise
        reason = _first_line(error)
        if is_out_of_memory(error):
            return f"too little of its memory is free ({reason})"
        return (
            f"CuPy cannot compute on it ({reason}); if a library or a header of CUDA is missing,"
            f" {how_to_install_cupy()}"
        )
    return None


@cache  # once it has not failed
def _compute_something(cupy: Any, gpu: int) -> None:
    """CuPy loads some libraries, and compiles what it runs, only when they are needed."""
    with cupy.cuda.Device(gpu):
        x = cupy.random.RandomState(0).normal(size=(2, 2), dtype="f4")
        float((x @ x).sum())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the host or the GPU has too little memory, in the words of whichever library."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).upper()
    of_cuda = type(error).__module__.startswith("cupy")
    # cuBLAS says that it is not initialized where there was too little memory to do it.
    words = ("OUT OF MEMORY", "_ALLOC", "CUBLAS_STATUS_NOT_INITIALIZED")
    return of_cuda and any(word in text for word in words)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else repr(error)


def gpu_name(cupy: Any, gpu: int) -> str:
    """The product name of a GPU, for example "NVIDIA H100 80GB HBM3"."""
    name = cupy.cuda.runtime.getDeviceProperties(gpu)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    found = {
        "chainer-vae": __version__,
        "python": platform.python_version(),
        "chainer": chainer.__version__,
        "numpy": np.__version__,
        "cupy": getattr(cuda.cupy, "__version__", None) if cuda.available else None,
    }
    return {name: version for name, version in found.items() if version is not None}


def describe(gpu: int) -> str:
    """The device that a result was computed on, in words."""
    if gpu >= 0:  # no cover: needs a GPU
        return gpu_name(cuda.cupy, gpu)
    return f"{cpu_name()}, {os.cpu_count()} cores, {blas()}, kernels: {kernels.describe()}"


def cpu_name() -> str:
    """The processor's name, as well as this system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:  # no cover: on other systems than Linux
        pass
    return platform.processor() or platform.machine()  # no cover: on other systems than Linux


def blas() -> str:
    """The library that multiplies NumPy's matrices, its kernel and its number of threads."""
    from threadpoolctl import threadpool_info

    found = [
        f"{pool['internal_api']} {pool['version']}"
        f" ({pool.get('architecture', '?')}, {pool['num_threads']} threads)"
        for pool in threadpool_info()
        # SciPy, which scikit-learn needs and Chainer imports, has a library of its own.
        if pool["user_api"] == "blas" and not _is_scipy(pool["filepath"])
    ]
    return ", ".join(found) or "unknown BLAS"


def _is_scipy(library: str) -> bool:
    return any(part in ("scipy", "scipy.libs") for part in Path(library).parts[-3:-1])


def cpu_fault() -> Optional[str]:
    """Why Chainer cannot train on this machine's CPU; None where it can: it makes a step."""
    try:
        layer = chainer.links.Linear(3, 2)
        optimizer = chainer.optimizers.Adam()
        optimizer.setup(layer)
        before = layer.W.array.copy()
        ones = np.ones((4, 3), np.float32)
        optimizer.update(lambda: chainer.functions.sum(chainer.functions.softplus(layer(ones))))
        trained = np.isfinite(layer.W.array).all() and (layer.W.array != before).any()
    except Exception as error:  # whatever a broken installation raises
        return _first_line(error)
    return None if trained else "a step of Adam left the weights as they were, or not finite"


def report() -> list[tuple[str, str]]:
    """What ``chainer-vae doctor`` prints: pairs of a name and what was found."""
    fault = cpu_fault()
    cpu = f"{cpu_name()}, {os.cpu_count()} cores"
    lines = [
        ("CPU", f"ready ({cpu})" if fault is None else f"not ready ({cpu}): {fault}"),
        ("BLAS", blas()),
        ("kernels", kernels.describe()),
        ("chainer-vae", __version__),
        ("Python", f"{platform.python_version()} ({platform.platform()})"),
        ("NumPy", np.__version__),
        ("Chainer", chainer.__version__),
    ]
    fault = gpu_fault(0)
    cupy = sys.modules.get("cupy")
    lines.append(("CuPy", getattr(cupy, "__version__", "not installed, or cannot be imported")))
    if cupy is not None and fault is None:
        runtime = cupy.cuda.runtime
        versions = runtime.runtimeGetVersion(), runtime.driverGetVersion()
        lines.append(("CUDA", "{}, driver for {}".format(*map(_cuda_version, versions))))
        lines += [(f"GPU {i}", gpu_name(cupy, i)) for i in range(runtime.getDeviceCount())]
        lines.append(("--gpu 0", "ready"))
    else:
        lines.append(("GPU", f"not available, and not needed; --gpu 0 would say: {fault}"))
    # The long lists come last.
    lines += [
        ("patched", f"{patch.module}: {patch.gone}, changed in {patch.since}")
        for patch in compat.applied()
    ]
    from chainer_vae.compat.lending import gone_here  # for this list alone

    lines += [
        ("--lend lends", f"{module}: {', '.join(names)}") for module, names in gone_here().items()
    ]
    return lines
