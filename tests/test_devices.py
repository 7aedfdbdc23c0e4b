"""Every way in which a GPU can be out of reach, told apart, with a stand-in for CuPy.

What the stand-in does was seen: of CuPy 12.3, 13.6 and 14.2 on a machine without an NVIDIA driver.
"""

import contextlib
import re
import sys
import types
from importlib import metadata

import numpy as np
import pytest
from chainer.backends import cuda
from packaging.requirements import Requirement

from chainer_vae import InputError, devices


class CUDARuntimeError(RuntimeError):
    def __init__(self, status):
        super().__init__(f"cudaError {status}")
        self.status = status


def fake_cupy(driver=13000, runtime=13000, count=1, error=None, computing=None):
    def get_device_count():
        if error is not None:
            raise CUDARuntimeError(error)
        return count

    class RandomState(np.random.RandomState):
        def normal(self, size, dtype):  # as CuPy's has it
            if computing is not None:
                raise computing
            return super().normal(size=size).astype(dtype)

    module = types.ModuleType("cupy")
    module.__version__ = "14.2.0"
    module.random = types.SimpleNamespace(RandomState=RandomState)
    module.cuda = types.SimpleNamespace(
        Device=lambda gpu: contextlib.nullcontext(),
        runtime=types.SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            errorInsufficientDriver=35,
            errorNoDevice=100,
            driverGetVersion=lambda: driver,
            runtimeGetVersion=lambda: runtime,
            getDeviceCount=get_device_count,
            getDeviceProperties=lambda i: {"name": b"NVIDIA H100"},
        ),
    )
    return module


@pytest.fixture
def cupy(monkeypatch):
    def install(module):
        monkeypatch.setitem(sys.modules, "cupy", module)

    return install


@pytest.fixture
def broken_cupy(monkeypatch):
    """``import cupy`` fails as CuPy fails: its own text, from the real cause."""

    def install(cause):
        monkeypatch.delitem(sys.modules, "cupy", raising=False)

        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "cupy" and isinstance(cause, ImportError):
                    raise ImportError("=====\nFailed to import CuPy.\n=====") from cause
                if name == "cupy":
                    raise cause

        monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])

    return install


def test_cpu():
    devices.use_device(-1)


def test_no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(InputError, match=r"--gpu 0: CuPy is not installed; "):
        devices.use_device(0)


def test_how_to_install_cupy_is_as_the_extras_say():
    extras = [r for r in map(Requirement, metadata.requires("chainer-vae")) if "cupy" in r.name]
    for minor in range(9, 15):
        said = devices.how_to_install_cupy((3, minor))
        for extra in ("cuda12", "cuda13"):
            needed = {"extra": extra, "python_version": f"3.{minor}"}
            for requirement in (r for r in extras if r.marker.evaluate(needed)):
                assert re.search(rf"-m pip install ['\"]{requirement.name}", said)
                assert str(requirement.specifier) in said.replace(">=13,<14", "<14,>=13")
    assert "no wheel for Python 3.15" in devices.how_to_install_cupy((3, 15))


def test_cupy_that_does_not_import(broken_cupy):
    broken_cupy(ImportError("libcuda.so.1: cannot open shared object file"))
    assert devices.gpu_fault(0).startswith("no NVIDIA driver is installed (libcuda.so.1")
    broken_cupy(ImportError("numpy.core.multiarray failed to import\nmore"))
    assert devices.gpu_fault(0) == (
        "CuPy is installed but cannot be imported: numpy.core.multiarray failed to import"
    )
    broken_cupy(SyntaxError("half-written"))
    assert devices.gpu_fault(0) == "CuPy is installed but cannot be imported: half-written"
    report = dict(devices.report())
    assert report["CuPy"].startswith("not installed, or")
    assert report["GPU"].startswith("not available")


@pytest.mark.parametrize(
    ("module", "gpu", "message"),
    [
        (fake_cupy(driver=0, error=35), 0, "no NVIDIA driver is installed"),
        (
            fake_cupy(driver=11040, error=35),
            0,
            "driver is too old: it knows CUDA 11.4, but this CuPy needs 13.0",
        ),
        (fake_cupy(error=100), 0, "the NVIDIA driver finds no GPU"),
        (fake_cupy(error=999), 0, "CUDA does not work here: cudaError 999"),
        (fake_cupy(count=2), 2, "there is no such GPU; this machine has 0: NVIDIA H100, 1: NVI"),
    ],
)
def test_faults(cupy, module, gpu, message):
    cupy(module)
    fault = devices.gpu_fault(gpu)
    assert message in fault
    assert "\n" not in fault
    with pytest.raises(InputError, match=rf"^--gpu {gpu}: "):
        devices.use_device(gpu)


def test_cuda_library_missing(cupy, monkeypatch):
    cupy(fake_cupy())
    monkeypatch.setattr(cuda, "available", False)
    monkeypatch.setattr(cuda, "_resolution_error", ImportError("libcublas.so.13: not found"))
    assert devices.gpu_fault(0).startswith("CuPy cannot load a CUDA library (libcublas.so.13: not")


def of_cupy(text, kind=RuntimeError):
    """An error as CuPy raises it."""
    return type("CUDAError", (kind,), {"__module__": "cupy_backends.cuda.api.runtime"})(text)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("CuPy failed to load libnvrtc.so.12: OSError: not\nthere"),
            "CuPy cannot compute on it (CuPy failed to load libnvrtc.so.12: OSError: not);"
            " if a library or a header of CUDA is missing, ",
        ),
        (
            of_cupy("cudaErrorMemoryAllocation: out of memory"),
            "too little of its memory is free (cudaErrorMemoryAllocation: out of memory)",
        ),
    ],
)
def test_a_first_computation_that_fails(cupy, monkeypatch, error, message):
    cupy(fake_cupy(computing=error))
    monkeypatch.setattr(cuda, "available", True)
    fault = devices.gpu_fault(0)
    assert fault.startswith(message) and "\n" not in fault
    assert dict(devices.report())["GPU"].endswith(f"--gpu 0 would say: {fault}")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (of_cupy("Out of memory allocating 1,024 bytes", MemoryError), True),
        (of_cupy("cudaErrorMemoryAllocation: out of memory"), True),
        (of_cupy("CUBLAS_STATUS_ALLOC_FAILED"), True),
        (of_cupy("CUBLAS_STATUS_NOT_INITIALIZED"), True),
        (of_cupy("CURAND_STATUS_ALLOCATION_FAILED"), True),
        (of_cupy("CUDA_ERROR_OUT_OF_MEMORY: out of memory"), True),
        (of_cupy("cudaErrorIllegalAddress: an illegal memory access was encountered"), False),
        (RuntimeError("out of memory"), False),  # who knows of which
    ],
)
def test_out_of_memory_is_told_apart(error, expected):
    assert devices.is_out_of_memory(error) is expected


def test_a_gpu_that_works(cupy, monkeypatch):
    cupy(fake_cupy())
    monkeypatch.setattr(cuda, "available", True)
    assert devices.gpu_fault(0) is None
    report = dict(devices.report())
    assert report["GPU 0"] == "NVIDIA H100"
    assert report["CUDA"] == "13.0, driver for 13.0"
    assert report["--gpu 0"] == "ready"
