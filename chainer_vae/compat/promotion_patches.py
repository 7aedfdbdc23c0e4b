"""NumPy 2 (NEP 50): of what type is what comes of an array and a number, and which numbers fit.

NumPy 1 let a number, Python's or its own, take the type of the array that it meets, and computed
with two numbers, or a number and an array without axes, in float64.  Since 2.0, Python's numbers
take the other's type always, and NumPy's own never; one that an integer type cannot hold raises.
"""

import functools
import types
from typing import Any, Callable

import numpy

from chainer_vae.compat.patch import Patch, installed_version, numpy_from

Apply = Callable[[types.ModuleType], None]


def _make_of_python_numbers(name: str, kind: Any) -> Apply:
    """Let a function keep its numbers of this kind as Python's, which leave an array its type."""

    def python_number(value: Any) -> Any:
        return value.item() if isinstance(value, kind) else value

    def apply(module: types.ModuleType) -> None:
        function = getattr(module, name)
        init = function.__init__

        @functools.wraps(init)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            named = {key: python_number(value) for key, value in kwargs.items()}
            init(self, *map(python_number, args), **named)

        function.__init__ = __init__

    return apply


def _scale_boxes_in_float64(name: str) -> Apply:
    def apply(module: types.ModuleType) -> None:
        function = getattr(module, name)
        forward = function.forward_cpu

        def forward_cpu(self: Any, inputs: Any) -> Any:
            if type(self.spatial_scale) in (int, float):
                self.spatial_scale = numpy.float64(self.spatial_scale)
            return forward(self, inputs)

        function.forward_cpu = forward_cpu

    return apply


def _wrapped(value: Any, dtype: Any) -> Any:
    """An integer in a type that may not hold it, as in C."""
    return numpy.asarray(int(value)).astype(dtype)[()]


def _wrap_constants(basic_math: Any) -> None:
    def preprocess_const(x: Any, value: Any) -> Any:
        # NumPy's own numbers are cast as ever.
        if x.dtype.kind in "iu" and not isinstance(value, numpy.generic):
            return _wrapped(value, x.dtype)
        return x.dtype.type(value)

    basic_math._preprocess_const = preprocess_const


class _Coefficient(float):
    """A number whose product with an array of one number is computed in float64, and then a number
    that takes the type of the gradient."""

    __array_ufunc__ = None  # so that NumPy leaves the product to this class

    def __rmul__(self, other: Any) -> float:
        return float(other) * float(self)


def _scale_by_a_number(softmax_cross_entropy: Any) -> None:
    forward = softmax_cross_entropy.SoftmaxCrossEntropy.forward_cpu

    def forward_cpu(self: Any, inputs: Any) -> Any:
        outputs = forward(self, inputs)
        if isinstance(self._coeff, float):
            self._coeff = _Coefficient(self._coeff)
        return outputs

    softmax_cross_entropy.SoftmaxCrossEntropy.forward_cpu = forward_cpu


def _wrap_padding(convert: Any) -> None:
    concat = convert._concat_arrays_with_padding

    def concat_arrays_with_padding(arrays: Any, padding: Any) -> Any:
        if isinstance(padding, int) and arrays[0].dtype.kind in "iu":
            padding = _wrapped(padding, arrays[0].dtype)
        return concat(arrays, padding)

    convert._concat_arrays_with_padding = concat_arrays_with_padding


def _wrap_padding_of_sequences(pad_sequence: Any) -> None:
    forward = pad_sequence.PadSequence.forward

    def forward_wrapped(self: Any, xs: Any) -> Any:
        if isinstance(self.padding, (int, numpy.integer)) and xs[0].dtype.kind in "iu":
            self.padding = _wrapped(self.padding, xs[0].dtype)
        return forward(self, xs)

    pad_sequence.PadSequence.forward = forward_wrapped


def _multiply_sparse_in_float32(sparse_matmul: Any) -> None:
    matmul = sparse_matmul._coo_matmul_cpu

    def coo_matmul_cpu(data: Any, row: Any, col: Any, shape: Any, dense: Any, dtype: Any) -> Any:
        # As SciPy itself did.
        if data.dtype == numpy.float16:
            data = data.astype(numpy.float32)
        if dense.dtype == numpy.float16:
            dense = dense.astype(numpy.float32)
        return matmul(data, row, col, shape, dense, dtype)

    sparse_matmul._coo_matmul_cpu = coo_matmul_cpu


def _numbers_for(param: Any, rule: Any) -> types.SimpleNamespace:
    """An update rule as its formula sees it: numbers of float64 for a parameter that is a number
    itself, Python's for an array."""
    kind = numpy.float64 if param.ndim == 0 else float
    hyperparam = {name: kind(value) for name, value in rule.hyperparam.get_dict().items()}
    return types.SimpleNamespace(
        state=rule.state, hyperparam=types.SimpleNamespace(**hyperparam), kind=kind
    )


def _compute_as_before(smorms3: Any) -> None:
    update = smorms3.SMORMS3Rule.update_core_cpu

    def update_core_cpu(self: Any, param: Any) -> None:
        if param.grad is not None and param.ndim == 0:
            for name, value in self.state.items():
                self.state[name] = numpy.float64(value)
        update(_numbers_for(param, self), param)

    smorms3.SMORMS3Rule.update_core_cpu = update_core_cpu


def _compute_as_before_by_powers(msvag: Any) -> None:
    update = msvag.MSVAGRule.update_core_cpu

    def update_core_cpu(self: Any, param: Any) -> None:
        numbers = _numbers_for(param, self)
        numbers.beta_power = numbers.kind(self.beta_power)
        update(numbers, param)
        self.beta_power = float(numbers.beta_power)

    msvag.MSVAGRule.update_core_cpu = update_core_cpu


def _name_the_cpu(variable: Any) -> None:
    debug_print = variable.Variable.debug_print

    @functools.wraps(debug_print)
    def debug_print_of_chainer(self: Any) -> Any:
        return debug_print(self).replace("\n- device: cpu\n", "\n- device: CPU\n")

    variable.Variable.debug_print = debug_print_of_chainer


def _scipy_without_float16() -> bool:
    version = installed_version("scipy")
    return version is not None and version.release >= (1, 15)


def _since_2(module: str, gone: str, apply: Apply) -> Patch:
    return Patch(f"chainer.{module}", gone, "NumPy 2.0", numpy_from("2.0"), apply=apply)


def _since_1_24(module: str, gone: str, apply: Apply) -> Patch:
    since = "NumPy 1.24 (deprecated), 2.0 (raises)"
    return Patch(f"chainer.{module}", gone, since, numpy_from("1.24"), apply=apply)


_PYTHON_NUMBERS = {
    "layer_normalization": ("LayerNormalization", numpy.number),
    "local_response_normalization": ("LocalResponseNormalization", numpy.number),
    # Not of integers: it refuses an axis that is NumPy's.
    "batch_normalization": ("FixedBatchNormalization", numpy.floating),
    "batch_renormalization": ("BatchRenormalizationFunction", numpy.number),
}
_BOXES = {
    "roi_pooling_2d": "ROIPooling2D",
    "roi_average_pooling_2d": "ROIAveragePooling2D",
    "roi_max_pooling_2d": "ROIMaxPooling2D",
    "roi_average_align_2d": "ROIAverageAlign2D",
    "roi_max_align_2d": "ROIMaxAlign2D",
}

PATCHES = (
    *(
        _since_2(
            f"functions.normalization.{module}",
            "NumPy's numbers (eps=np.float64(...)) leaving float32 arrays float32",
            _make_of_python_numbers(name, kind),
        )
        for module, (name, kind) in _PYTHON_NUMBERS.items()
    ),
    *(
        _since_2(
            f"functions.pooling.{module}",
            "boxes of float32 scaled in float64, and rounded after that",
            _scale_boxes_in_float64(name),
        )
        for module, name in _BOXES.items()
    ),
    _since_1_24(
        "functions.math.basic_math",
        "numbers out of an integer type's range (Variable of uint8 + 256) wrapping",
        _wrap_constants,
    ),
    Patch(
        "chainer.dataset.convert",
        "numpy.full wrapping what is out of an integer type's range (-1 for uint8)",
        "NumPy 2.1",
        numpy_from("2.1"),
        apply=_wrap_padding,
    ),
    _since_1_24(
        "functions.array.pad_sequence",
        "padding out of an integer type's range (-1 for uint8) wrapping",
        _wrap_padding_of_sequences,
    ),
    _since_2(
        "functions.loss.softmax_cross_entropy",
        "gradients of float32 and float16 scaled by a number of their own type",
        _scale_by_a_number,
    ),
    _since_2(
        "optimizers.smorms3",
        "float32 arrays and NumPy's numbers giving float32, float32 numbers float64",
        _compute_as_before,
    ),
    _since_2(
        "optimizers.msvag",
        "float32 arrays and NumPy's numbers giving float32, float32 numbers float64",
        _compute_as_before_by_powers,
    ),
    _since_2(
        "variable",
        "arrays without a device, which debug_print() calls CPU",
        _name_the_cpu,
    ),
    Patch(
        "chainer.functions.math.sparse_matmul",
        "sparse matrices of float16",
        "SciPy 1.15",
        _scipy_without_float16,
        apply=_multiply_sparse_in_float32,
    ),
)
