"""NumPy: names and ways of calling that it dropped, and what it computes differently since 2.0."""

import types
from typing import Any, Callable

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


def _with_numpy(function: Any, **names: Any) -> Callable[..., Any]:
    """A function as it is, with these names in ``numpy``; its module, which compares others with
    ``numpy``, keeps the real one."""
    numpy_and_names = {**function.__globals__, "numpy": Extended(numpy, **names)}
    return types.FunctionType(function.__code__, numpy_and_names, function.__name__)


def _provide_float(resize_images: Any) -> None:
    function = resize_images.compute_indices_and_weights
    resize_images.compute_indices_and_weights = _with_numpy(function, float=float)


def _take_out_by_position(convert: Any) -> None:
    def maximum(x: Any, y: Any, out: Any) -> Any:
        return numpy.maximum(x, y, out=out)

    function = convert._concat_arrays_with_padding
    convert._concat_arrays_with_padding = _with_numpy(function, maximum=maximum)


def _fix_by_trunc(fix: Any) -> None:
    array_module = fix.backend.get_array_module
    fix.backend = Extended(
        fix.backend,
        get_array_module=lambda x: types.SimpleNamespace(fix=array_module(x).trunc),
    )


def _initialize_reshaped(maxout: Any) -> None:
    from chainer.initializer import Initializer

    class Reshaped(Initializer):
        """Lets a function initialize a view of the array, which has the shape it expects."""

        def __init__(self, function: Callable[[Any], None], shape: tuple[int, ...]) -> None:
            super().__init__()
            self.function = function
            self.shape = shape

        def __call__(self, array: Any) -> None:
            self.function(array.reshape(self.shape))

    init = maxout.Maxout.__init__

    def __init__(
        self: Any,
        in_size: int,
        out_size: int,
        pool_size: int,
        initialW: Any = None,
        initial_bias: Any = 0,
    ) -> None:
        if callable(initialW) and not isinstance(initialW, Initializer):
            initialW = Reshaped(initialW, (out_size, pool_size, in_size))
        if callable(initial_bias) and not isinstance(initial_bias, Initializer):
            initial_bias = Reshaped(initial_bias, (out_size, pool_size))
        init(self, in_size, out_size, pool_size, initialW, initial_bias)

    maxout.Maxout.__init__ = __init__


def _index_by_tuple(categorical: types.ModuleType) -> None:
    def log_prob(self: Any, x: Any) -> Any:
        axes = numpy.meshgrid(*(range(n) for n in self.batch_shape), indexing="ij")
        index = (*axes, getattr(x, "array", x).astype(numpy.int32))
        return self.log_p[index]

    categorical.Categorical.log_prob = log_prob


def _convert_arrays_of_one_number(multi_node_iterator: Any) -> None:
    multi_node_iterator.int = lambda x: int(numpy.asarray(x).item())


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
    Patch(
        "chainer.dataset.convert",
        "numpy.maximum taking out by position",
        "NumPy 2.4 (deprecated)",
        numpy_from("2.4"),
        apply=_take_out_by_position,
    ),
    Patch(
        "chainermn.iterators.multi_node_iterator",
        "int() of an array of one number",
        "NumPy 1.25 (deprecated), 2.4 (removed)",
        numpy_from("1.25"),
        apply=_convert_arrays_of_one_number,
    ),
    Patch(
        "chainer.functions.math.fix",
        "numpy.fix",
        "NumPy 2.5 (deprecated)",
        numpy_from("2.5"),
        apply=_fix_by_trunc,
    ),
    Patch(
        "chainer.links.activation.maxout",
        "assigning to an array's shape",
        "NumPy 2.5 (deprecated)",
        numpy_from("2.5"),
        apply=_initialize_reshaped,
    ),
)
