"""NumPy: names that it dropped, and what it computes differently since version 2.0."""

import types
from typing import Any

import numpy

from chainer_vae.compat.patch import Extended, Patch, always, numpy_from


def _numpy_with_distutils() -> types.ModuleType:
    # Chainer asks only whether NumPy was built on macOS' Accelerate of before 2020.
    system_info = types.SimpleNamespace(get_info=lambda name: {})
    return Extended(numpy, distutils=types.SimpleNamespace(system_info=system_info))


def _numpy_with_sctypes() -> types.ModuleType:
    return Extended(
        numpy,
        sctypes={
            "int": [numpy.int8, numpy.int16, numpy.int32, numpy.int64],
            "float": [numpy.float16, numpy.float32, numpy.float64, numpy.longdouble],
        },
    )


def _provide_float(resize_images: types.ModuleType) -> None:
    # Only this function uses numpy.float; the others compare ``xp is numpy``.
    function = resize_images.compute_indices_and_weights
    names = {**function.__globals__, "numpy": Extended(numpy, float=float)}
    resize_images.compute_indices_and_weights = types.FunctionType(  # type: ignore[attr-defined]
        function.__code__, names, function.__name__
    )


def _index_by_tuple(categorical: types.ModuleType) -> None:
    def log_prob(self: Any, x: Any) -> Any:
        axes = numpy.meshgrid(*(range(n) for n in self.batch_shape), indexing="ij")
        index = (*axes, getattr(x, "array", x).astype(numpy.int32))
        return self.log_p[index]

    categorical.Categorical.log_prob = log_prob


def _sum_in_float64(reporter: types.ModuleType) -> None:
    add = reporter.Summary.add

    def add_in_float64(self: Any, value: Any, weight: Any = 1) -> None:
        if isinstance(value, (numpy.floating, numpy.ndarray)) and value.dtype.kind == "f":
            value = value.astype(numpy.float64)
        add(self, value, weight)

    reporter.Summary.add = add_in_float64


PATCHES = (
    Patch(
        "chainer._environment_check",
        "numpy.distutils",
        # Before that, too: importing it would add a name to the user's numpy.
        "NumPy 1.23 (deprecated), Python 3.12 (removed)",
        always,
        provide={"numpy.distutils.system_info": _numpy_with_distutils},
    ),
    Patch(
        "chainer.functions.array.as_strided",
        "numpy.sctypes",
        "NumPy 2.0",
        numpy_from("2.0"),
        provide={"numpy": _numpy_with_sctypes},
    ),
    Patch(
        "chainer.functions.array.resize_images",
        "numpy.float",
        "NumPy 1.20 (deprecated), 1.24 (removed)",
        numpy_from("1.20"),
        apply=_provide_float,
    ),
    Patch(
        "chainer.distributions.categorical",
        "numpy.meshgrid giving a list",
        "NumPy 2.0",
        numpy_from("2.0"),
        apply=_index_by_tuple,
    ),
    Patch(
        "chainer.reporter",
        "means of float32 and float16 values (Evaluator, LogReport) summed in float64",
        "NumPy 2.0",
        numpy_from("2.0"),
        apply=_sum_in_float64,
    ),
)
