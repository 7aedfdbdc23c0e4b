"""Call every function, link, optimizer and distribution of Chainer, and write what they compute.

Usage: sweep.py OUT.npz [NAME]

An ordinary Chainer program: run it with Chainer as it was (Python 3.8, NumPy 1.21) and as it is
today, and give both files to compare_sweeps.py.  With a NAME, only the cases whose name begins so.
"""

import contextlib
import copy
import sys
import warnings

import chainer
import chainer.distributions as D
import chainer.functions as F
import chainer.gradient_check
import chainer.initializers as I
import chainer.links as L
import chainer.optimizer_hooks as H
import chainer.optimizers as O
import numpy as np
from chainer.training import extensions as X

MODULES = {"F": F, "L": L, "O": O, "D": D, "I": I, "H": H}

NOT_COVERED = {
    "F.forget": "computes what the function that it is given computes",
    "L.GoogLeNet": "of the links here; too large without its Caffe model",
    "L.ResNet101Layers": "of the links here; too large without its Caffe model",
    "L.ResNet152Layers": "of the links here; too large without its Caffe model",
    "L.ResNet50Layers": "of the links here; too large without its Caffe model",
    "L.TheanoFunction": "needs Theano",
    "L.VGG16Layers": "of the links here; too large without its Caffe model",
    "L.VGG19Layers": "of the links here; too large without its Caffe model",
}

FLOATS = (np.float32, np.float16, np.float64)

# What a Python number becomes: itself, or what comes of computing with arrays.
NUMBERS = {
    "": (float, int),
    ",float64": (np.float64, np.int64),
    ",float32": (np.float32, np.int32),
}


def words(text):
    return text.split()


def flat(value):
    """What is in lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [v for one in value for v in flat(one)]
    return [value]


def build(value, make):
    """A value in which what is in lists, tuples and dicts is what ``make`` makes of it."""
    if isinstance(value, (list, tuple)):
        return type(value)(build(v, make) for v in value)
    if isinstance(value, dict):
        return {name: build(v, make) for name, v in value.items()}
    return make(value)


# Inputs


class Array:
    """An array to be drawn, of the dtype of the case; one of floats becomes a Variable."""

    def __init__(self, draw, kind="f", variable=True):
        self.draw = draw
        self.kind = kind
        self.variable = variable


def N(*shape):
    return Array(lambda random: random.normal(size=shape))


def P(*shape):
    return Array(lambda random: random.uniform(0.2, 0.8, shape))


def Values(*values):
    return Array(lambda random: np.array(values))


def Labels(high, *shape):
    return Array(lambda random: random.randint(0, high, shape), "i")


def Raw(array):
    return Array(array.draw, array.kind, variable=False)


def ints(*values, dtype=np.int32):
    return np.array(values, dtype)


def square(*shape):
    """Square matrices that have an inverse, and are positive."""

    def draw(random):
        a = random.normal(size=shape)
        return a @ np.swapaxes(a, -1, -2) + 2 * np.eye(shape[-1])

    return Array(draw)


def lower(n, size):
    return Array(lambda random: np.tril(random.uniform(0.3, 1, (n, size, size))))


# Cases


CASES = []


class Case:
    def __init__(self, name, function, args, options):
        self.name = f"{name}#{sum(c.name.split('#')[0] == name for c in CASES)}"
        self.function = function
        self.args = args
        self.options = options

    def has_labels(self):
        return any(isinstance(v, Array) and v.kind == "i" for v in flat([self.args, self.options]))

    def has_numbers(self):
        return any(type(v) in (int, float) for v in flat([self.args, self.options]))


def case(name, *args, **options):
    """A call of what is named "F.name" or, with something after it, "F.name.something"."""
    module, function = name.split(".")[:2]
    CASES.append(Case(name, getattr(MODULES[module], function), args, options))


def program(name, *args, **options):
    """A case that the decorated function computes."""

    def add(function):
        CASES.append(Case(name, function, args, options))
        return function

    return add


class Result:
    """Outputs, further variables to take gradients by, and arrays to look at after that."""

    def __init__(self, ys, xs=(), after=()):
        self.ys = ys
        self.xs = list(xs)
        self.after = after


def of_link(link, method, inputs):
    if isinstance(link, chainer.Link):
        call = getattr(link, method)
    states = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(*inputs)  # the next call meets a state, and means that this one has moved
        ys = call(*inputs)
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            tested = copy.deepcopy(link)(*inputs) if method == "__call__" else ()
    for _, one in sorted(link.namedlinks()):
        states += [getattr(one, name) for name in sorted(one._persistent)]
    return Result([ys, tested], (p for _, p in sorted(link.namedparams())), states)


def link(name, args, inputs, method="__call__", **options):
    made = getattr(L, name.split(".")[1])

    def function(args, inputs, options):
        return of_link(made(*args, **options), method, inputs)

    CASES.append(Case(name, function, (args, inputs, options), {}))


# Functions of one array, and of which range.
for _name in words("""
    clipped_relu absolute arctan argmax argmin cast ceil cos cosh cumprod cumsum digamma elu erf
    erfc erfcx exp expm1 fix flatten floor hard_sigmoid identity leaky_relu lgamma log_ndtr
    logsumexp max mean min average ndtr prod relu relu6 sigmoid sign sin sinh selu softplus
    square sum tan tanh
"""):
    for _shape in ((3, 4), ()):
        _args = (np.float64,) if _name == "cast" else ()
        case(f"F.{_name}", N(*_shape), *_args)
for _name in words("""
    arccos arcsin arctanh erfcinv erfinv log log10 log1p log2 ndtri rsqrt sqrt digamma lgamma
"""):
    for _shape in ((3, 4), ()):
        case(f"F.{_name}", P(*_shape))
# And of two.
for _name in words("""
    absolute_error add arctan2 fmod maximum minimum squared_difference squared_error
    mean_absolute_error mean_squared_error
"""):
    for _shape in ((3, 4), ()):
        case(f"F.{_name}", N(*_shape), N(*_shape))
case("F.add", N(3), N(3), N(3))

# Activation
for _shape in ((3, 4), ()):
    case("F.clipped_relu.z", N(*_shape), 0.7)
    case("F.elu.alpha", N(*_shape), 1.3)
    case("F.leaky_relu.slope", N(*_shape), 0.3)
    case("F.rrelu", N(*_shape), 0.1, 0.3)
    case("F.selu.alpha", N(*_shape), 1.7, 1.1)
    case("F.softplus.beta", N(*_shape), 1.3)
    case("F.rrelu.mask", N(*_shape), return_r=True)
case("F.clipped_relu.int", N(3, 4), 1)
case("F.crelu", N(3, 4), axis=1)
case("F.log_softmax", N(3, 4), axis=1)
case("F.softmax", N(3, 4), axis=1)
case("F.lstm", N(3, 2), N(3, 8))
case("F.slstm", N(3, 2), N(3, 2), N(3, 8), N(3, 8))
case("F.tree_lstm", N(3, 2), N(3, 2), N(3, 10))
case("F.maxout", N(3, 6), 2)
case("F.prelu", N(3, 4), N(4))
case("F.swish", N(3, 4), N(4))
case("F.swish", N(3, 4), N())

# Array
case("F.as_strided", N(3, 4), (2, 3), (4, 2), 1)
case("F.broadcast", N(3, 1), N(1, 4))
case("F.broadcast_to", N(3, 1), (3, 4))
case("F.cast.float16", N(3, 4), np.float16)
case("F.cast.string", N(3, 4), "float32")
case("F.concat", (N(3, 2), N(3, 1)), axis=1)
case("F.copy", N(3, 4), -1)
case("F.depth2space", N(2, 8, 3, 3), 2)
case("F.space2depth", N(2, 3, 4, 4), 2)
case("F.diagonal", N(3, 4), 1)
case("F.dstack", (N(3, 2), N(3, 2)))
case("F.hstack", (N(3, 2), N(3, 1)))
case("F.vstack", (N(3, 2), N(1, 2)))
case("F.stack", (N(3, 2), N(3, 2)), axis=1)
case("F.expand_dims", N(3, 4), 1)
case("F.flip", N(3, 4), 1)
case("F.fliplr", N(3, 4))
case("F.flipud", N(3, 4))
case("F.get_item", N(3, 4), (1, slice(1, 3)))
case("F.get_item.indices", N(3, 4), [[0, 2], [1, 1]])
case("F.im2col", N(2, 3, 5, 5), 3, stride=2, pad=1)
case("F.moveaxis", N(3, 4, 2), 0, 2)
case("F.pad", N(3, 4), 2, "constant", constant_values=1.3)
case("F.pad.edge", N(3, 4), ((1, 1), (2, 0)), "edge")
case("F.pad_sequence", [N(3), N(2), N(1)], padding=1.3)
case("F.pad_sequence", [N(3, 2), N(2, 2)], length=4, padding=-1)
case("F.permutate", N(3, 4), ints(2, 0, 1))
case("F.permutate", N(3, 4), ints(2, 0, 1), inv=True)
case("F.repeat", N(3, 4), 2, axis=1)
case("F.repeat", N(3), (2, 0, 1), axis=0)
case("F.reshape", N(3, 4), (2, 6))
case("F.reshape", N(3, 4), (2, -1))
for _mode in ("bilinear", "nearest"):
    for _align in (False, True):
        case("F.resize_images", N(1, 2, 4, 5), (7, 3), mode=_mode, align_corners=_align)
case("F.rollaxis", N(3, 4, 2), 2)
case("F.scatter_add", N(3, 4), (1, slice(1, 3)), N(2))
case("F.scatter_add", N(3, 4), [0, 0], N(2, 4))
case("F.select_item", N(3, 4), Labels(4, 3))
case("F.separate", N(3, 4), axis=1)
case("F.spatial_transformer_grid", N(2, 2, 3), (4, 5))
case("F.spatial_transformer_sampler", N(2, 3, 4, 4), N(2, 2, 3, 3))
case("F.split_axis", N(3, 6), 3, axis=1)
case("F.split_axis", N(3, 6), (1, 4), axis=1)
case("F.squeeze", N(3, 1, 4), axis=1)
case("F.swapaxes", N(3, 4, 2), 0, 2)
case("F.tile", N(3, 4), (2, 1))
case("F.tile", N(3, 4), 2)
case("F.transpose", N(3, 4, 2), (2, 0, 1))
case("F.transpose_sequence", [N(3, 2), N(2, 2), N(1, 2)])
case("F.where", np.array([True, False, True]), N(3), N(3))
case("F.where", np.array([True, False, True]), Raw(N(3)), np.float32(1.3))

# Connection
case("F.bilinear", N(3, 2), N(3, 4), N(2, 4, 5))
case("F.bilinear", N(3, 2), N(3, 4), N(2, 4, 5), N(2, 5), N(4, 5), N(5))
for _d in (1, 2, 3):
    _x, _y = N(2, 4, *[5] * _d), N(2, 4, *[3] * _d)
    _more = () if _d == 2 else (2,)
    _kernel, _half = [3] * _d, N(6, 2, *[3] * _d)
    for _name in (f"convolution_{_d}d", "convolution_nd"):
        case(f"F.{_name}", _x, N(6, 4, *_kernel), N(6), stride=2, pad=1, cover_all=True)
        case(f"F.{_name}", _x, _half, None, dilate=2, groups=2)
    for _name in (f"deconvolution_{_d}d", "deconvolution_nd"):
        case(f"F.{_name}", _y, N(4, 6, *_kernel), N(6), stride=2, pad=1)
        case(f"F.{_name}", _y, N(4, 3, *_kernel), None, dilate=2, groups=2)
    for _name in (f"{_d}d", "nd"):
        for _pool in ("average_pooling_", "max_pooling_"):
            case(f"F.{_pool}{_name}", _x, 3 if _name != "nd" else (3,) * _d, stride=2, pad=1)
        case(f"F.unpooling_{_name}", _y, 2 if _name != "nd" else (2,) * _d, stride=2, pad=1)
    case(f"F.max_pooling_{_d}d.indices", _x, 3, return_indices=True)
for _d in (1, 3):
    _x = N(2, 4, *[5] * _d)
    case(f"F.average_pooling_{_d}d.pad_value", _x, 3, stride=2, pad=1, pad_value=None)
case("F.deformable_convolution_2d_sampler", N(2, 3, 5, 5), N(2, 18, 3, 3), N(4, 3, 3, 3), N(4))
case("F.depthwise_convolution_2d", N(2, 3, 5, 5), N(2, 3, 3, 3), N(6), stride=2, pad=1)
case("F.dilated_convolution_2d", N(2, 3, 7, 7), N(2, 3, 3, 3), N(2), dilate=2)
case("F.local_convolution_2d", N(2, 3, 4, 4), N(2, 2, 2, 3, 3, 3), N(2, 2, 2))
case("F.embed_id", Labels(5, 3, 2), N(5, 4))
case("F.embed_id", Labels(5, 3, 2), N(5, 4), ignore_label=1)
case("F.linear", N(3, 4), N(5, 4), N(5))
case("F.linear", N(3, 2, 4), N(5, 4), n_batch_axes=2)
case("F.shift", N(2, 9, 4, 4), ksize=3, dilate=1)

# Recurrent networks: weights of each layer.
_xs = [N(3, 2), N(2, 2), N(1, 2)]
for _n, _kind in ((2, "rnn"), (6, "gru"), (8, "lstm")):
    for _ways, _bi in ((1, ""), (2, "bi")):
        _ws = [
            [N(3, size)] * (_n // 2) + [N(3, 3)] * (_n // 2)
            for size in [2] * _ways + [3 * _ways] * _ways
        ]
        _bs = [[N(3)] * _n] * (2 * _ways)
        _h = [N(2 * _ways, 3, 3)] * (2 if _kind == "lstm" else 1)
        case(f"F.n_step_{_bi}{_kind}", 2, 0.3, *_h, _ws, _bs, _xs)
        if _kind == "rnn":
            case(f"F.n_step_{_bi}rnn", 2, 0.3, *_h, _ws, _bs, _xs, activation="relu")

# Evaluation
case("F.accuracy", N(6, 4), Labels(4, 6))
case("F.accuracy", N(6, 4), Labels(4, 6), ignore_label=1)
case("F.binary_accuracy", N(6), Labels(2, 6))
for _name in ("classification_summary", "f1_score", "precision", "recall"):
    case(f"F.{_name}", N(9, 3), Labels(3, 9))
    case(f"F.{_name}", N(9, 3), Labels(3, 9), label_num=4, ignore_label=1)
case("F.classification_summary", N(9, 3), Labels(3, 9), beta=1.3)
case("F.r2_score", N(6, 3), N(6, 3))
case("F.r2_score", N(6, 3), N(6, 3), multioutput="raw_values")

# Loss
for _reduce in ("no", "mean"):
    case("F.black_out", N(3, 4), Labels(5, 3), N(5, 4), ints(*[[0, 1], [2, 3], [4, 1]]), _reduce)
    case("F.connectionist_temporal_classification", [N(2, 4)] * 5, ints([1, 2], [3, 1]), 0,
         reduce=_reduce)  # fmt: skip
    case("F.contrastive", N(4, 3), N(4, 3), Labels(2, 4), margin=1.3, reduce=_reduce)
    case("F.crf1d", N(4, 4), [N(3, 4), N(2, 4)], [ints(1, 2, 3), ints(0, 2)], reduce=_reduce)
    case("F.hinge", N(4, 3), Labels(3, 4), norm="L1", reduce=_reduce)
    case("F.hinge", N(4, 3), Labels(3, 4), norm="L2", reduce=_reduce)
    case("F.sigmoid_cross_entropy", N(4, 3), Labels(2, 4, 3), reduce=_reduce)
    case("F.sigmoid_cross_entropy", N(4, 3), ints(*[[0, 1, -1]] * 4), False, reduce=_reduce)
    case("F.softmax_cross_entropy", N(4, 3), Labels(3, 4), reduce=_reduce)
    case("F.softmax_cross_entropy", N(4, 3), ints(0, 1, -1, 2), normalize=False, reduce=_reduce)
    case("F.softmax_cross_entropy", N(4, 3), Labels(3, 4), class_weight=Raw(P(3)), reduce=_reduce)
    case("F.softmax_cross_entropy", N(4, 3), Labels(3, 4), ignore_label=1, reduce=_reduce,
         enable_double_backprop=True)  # fmt: skip
    case("F.softmax_cross_entropy", N(4, 3), Raw(P(4, 3)), reduce=_reduce)
    case("F.softmax_cross_entropy", N(4, 3, 2), Labels(3, 4, 2), reduce=_reduce)
    case("F.triplet", N(4, 3), N(4, 3), N(4, 3), margin=0.3, reduce=_reduce)
for _reduce in ("no", "sum", "mean"):
    case("F.bernoulli_nll", P(3, 4), N(3, 4), _reduce)
    case("F.gaussian_kl_divergence", N(3, 4), N(3, 4), _reduce)
    case("F.gaussian_nll", N(3, 4), N(3, 4), N(3, 4), _reduce)
for _reduce in ("no", "half_squared_sum"):
    case("F.cross_covariance", N(4, 3), N(4, 2), _reduce)
    case("F.decov", N(4, 3), _reduce)
case("F.argmax_crf1d", N(4, 4), [N(3, 4), N(2, 4)])
_clusters = ints(*[[[0, 1, 2, 1]] * 4] * 2)
case("F.discriminative_margin_based_clustering_loss", N(2, 5, 4, 4), _clusters, 0.3, 1.3, 3, 1,
     1.1, 0.9, 0.003)  # fmt: skip
case("F.huber_loss", N(3, 4), N(3, 4), 0.7)
case("F.huber_loss", N(3, 4), N(3, 4), 1, reduce="no")


def samples(shape):
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape) % 5


for _reduce in ("no", "sum"):
    case("F.negative_sampling", N(3, 4), Labels(5, 3), N(5, 4), samples, 3, reduce=_reduce)

# Mathematics
case("F.average", N(3, 4), axis=1, weights=P(4))
case("F.mean", N(3, 4), axis=(0, 1), keepdims=True)
case("F.batch_l2_norm_squared", N(3, 4))
case("F.batch_matmul", N(2, 3, 4), N(2, 4, 3))
for _name in ("batch_det", "batch_inv"):
    case(f"F.{_name}", square(2, 3, 3))
for _name in ("det", "inv", "cholesky"):
    case(f"F.{_name}", square(3, 3))
case("F.bias", N(3, 4), N(4))
case("F.scale", N(3, 4), N(4))
case("F.clip", N(3, 4), -0.7, 0.3)
case("F.clip", N(3, 4), -1, 1)
case("F.clip", N(), -0.7, 0.3)
case("F.cumsum", N(3, 4), axis=1)
case("F.cumprod", N(3, 4), axis=1)
case("F.einsum", "ij,jk->ik", N(3, 4), N(4, 2))
case("F.fft", (N(3, 4), N(3, 4)))
case("F.ifft", (N(3, 4), N(3, 4)))
case("F.fmod", N(3, 4), P(3, 4))
case("F.linear_interpolate", P(3, 4), N(3, 4), N(3, 4))
case("F.logsumexp", N(3, 4), axis=1)
case("F.matmul", N(3, 4), N(4, 2))
case("F.matmul", N(4), N(4))
case("F.matmul", N(4, 3), N(2, 4), transa=True, transb=True)
for _name in ("argmax", "argmin", "max", "min", "prod", "sum", "mean"):
    case(f"F.{_name}", N(3, 4), axis=1)
case("F.sum", N(3, 4), axis=(0, 1), keepdims=True)
case("F.polygamma", ints(0, 1, 2), P(3))
case("F.zeta", Raw(Values(1.5, 2.5, 3.5)), P(3))
case("F.sum_to", N(3, 4), (3, 1))
case("F.sum_to", N(3, 4), ())
case("F.tensordot", N(3, 4), N(4, 2), axes=1)

for _transposed in (False, True):

    @program("F.sparse_matmul", N(3, 4), N(4, 3), _transposed)
    def _(a, b, transposed):
        sparse = chainer.utils.to_coo(np.where(a.array > 0, a.array, 0), requires_grad=True)
        one = F.sparse_matmul(sparse, b) if not transposed else F.sparse_matmul(sparse, a, True)
        return Result([one, F.sparse_matmul(b, sparse)], [sparse.data])


# Noise
case("F.dropout", N(3, 4), 0.3)
case("F.dropout", N(), 0.3)
case("F.gaussian", N(3, 4), N(3, 4))
case("F.gaussian", N(), N())
case("F.gumbel_softmax", N(3, 4), tau=0.3)
case("F.simplified_dropconnect", N(3, 4), N(5, 4), N(5), ratio=0.3)
case("F.simplified_dropconnect", N(3, 4), N(5, 4), ratio=0.3, use_batchwise_mask=False)
case("F.zoneout", N(3, 4), N(3, 4), 0.3)

# Normalization
_image = N(4, 6, 3, 3)
case("F.batch_normalization", N(4, 3), N(3), N(3), eps=1.3e-3)
case("F.batch_normalization", _image, N(6), N(6), eps=1.3e-3, decay=0.87,
     running_mean=Raw(N(6)), running_var=Raw(P(6)))  # fmt: skip
case("F.batch_normalization.axis", N(4, 3), N(4), N(4), axis=1)
case("F.fixed_batch_normalization", N(4, 3), N(3), N(3), N(3), P(3), eps=1.3e-3)
case("F.fixed_batch_normalization", _image, N(6), N(6), N(6), P(6))
case("F.batch_renormalization", N(4, 3), N(3), N(3), 1.7, 0.3, eps=1.3e-3, decay=0.87,
     running_mean=Raw(N(3)), running_var=Raw(P(3)), update_statistics=True)  # fmt: skip
case("F.batch_renormalization", _image, N(6), N(6), 1.7, 0.3, running_mean=Raw(N(6)),
     running_var=Raw(P(6)))  # fmt: skip
case("F.fixed_batch_renormalization", N(4, 3), N(3), N(3), N(3), P(3), eps=1.3e-3)
case("F.decorrelated_batch_normalization", N(9, 4), groups=2, eps=1.3e-3, decay=0.87,
     running_mean=Raw(N(2, 2)), running_projection=Raw(square(2, 2, 2)))  # fmt: skip
_fixed = Raw(N(2, 2)), Raw(square(2, 2, 2))
case("F.fixed_decorrelated_batch_normalization", N(9, 4), *_fixed, groups=2)
case("F.group_normalization", _image, 3, N(6), N(6), eps=1.3e-3)
case("F.normalize", N(3, 4), eps=1.3e-3)
case("F.normalize", N(3, 4, 2), axis=(1, 2))
case("F.layer_normalization", N(3, 4), N(4), N(4), eps=1.3e-3)
case("F.local_response_normalization", N(3, 7, 2), n=5, k=1.7, alpha=1.3e-3, beta=0.7)
case("F.local_response_normalization", N(3, 7, 2), k=2)

# Pooling; the scale rounds in the middle between two pixels.
_image = Array(lambda random: random.permutation(2 * 2 * 64 * 64).reshape(2, 2, 64, 64) / 4096)
_boxes = Values([0, 0, 45, 45], [3, 7, 40.2, 33.3], [0, 12, 50, 62], [15, 15, 17, 15])
_indexed = Values([0, 0, 0, 45, 45], [1, 7, 3, 33, 40], [0, 5, 10, 63, 50], [1, 15, 15, 15, 17])
_of = ints(0, 1, 0, 1)
for _scale in (0.7, 0.3, 0.6, 0.9, 1 / 3, 0.55):
    case(f"F.roi_pooling_2d.{_scale:.2}", _image, _indexed, 2, 2, _scale)
    case(f"F.roi_pooling_2d.{_scale:.2}", _image, _indexed, 7, 3, _scale)
    for _name in ("roi_average_pooling_2d", "roi_max_pooling_2d"):
        case(f"F.{_name}.{_scale:.2}", _image, _boxes, _of, 2, _scale)
        case(f"F.{_name}.{_scale:.2}", _image, _boxes, _of, (7, 3), _scale)
    for _name in ("roi_average_align_2d", "roi_max_align_2d"):
        case(f"F.{_name}.{_scale:.2}", _image, _boxes, _of, 3, _scale)
        case(f"F.{_name}.{_scale:.2}", _image, _boxes, _of, 2, _scale)
        case(f"F.{_name}.{_scale:.2}", _image, _boxes, _of, (7, 3), _scale, sampling_ratio=(2, 3))
case("F.spatial_pyramid_pooling_2d", N(2, 3, 6, 6), 3, "max")


@program("F.upsampling_2d", N(2, 3, 4, 4))
def _(x):
    y, indexes = F.max_pooling_2d(x, 2, return_indices=True)
    return F.upsampling_2d(y, indexes, 2, outsize=(4, 4))


# A Variable and numbers


def operators(x, number):
    ys = []
    for operator in words("+ - * / // ** % @ == <"):
        for text in (f"x {operator} number", f"number {operator} x"):
            try:
                ys.append(eval(text))
            except Exception as error:
                ys.append(np.array(type(error).__name__))
    return ys


for _number in (1.3, 3, -1, 256, 1e5, 1e-9):
    program(f"Variable.operators.{_number}", P(3, 2), _number)(operators)
    program(f"Variable.operators.{_number}", P(), _number)(operators)
for _dtype in ("uint8", "int8", "int32", "int64"):
    for _number in (3, -1, 256, 300.5, 2**40):

        @program(f"Variable.{_dtype}.{_number}", _number)
        def _(number, dtype=_dtype):
            return operators(chainer.Variable(np.array([1, 2, 200 % 128], dtype)), number)


program("Variable.array", P(3, 2), Raw(P(3, 2)))(lambda x, y: [x + y, y + x, x * y, x**y, x - y])
program("Variable.zero", P(3, 2), Raw(P()))(lambda x, y: [x + y, y + x, x * y, x / y, x**y])
program("Variable.debug_print", P(3, 2))(lambda x: [np.array(x.debug_print()[-120:])])
program("Variable.other", P(3, 2))(lambda x: [x.mean(), abs(-x), x.T, x[1:], x.reshape(-1)])

# Integers
for _dtype in ("uint8", "int8", "uint16", "int32", "int64", "float32", "bool"):
    for _padding in (0, -1, 300, 1.7):

        @program(f"dataset.{_dtype}", _padding)
        def _(padding, dtype=_dtype):
            arrays = [np.ones(3, dtype), np.ones(2, dtype)]
            return [
                chainer.dataset.concat_examples(arrays, padding=padding),
                chainer.dataset.concat_examples([(a, i) for i, a in enumerate(arrays)],
                                                padding=(padding, None)),
                chainer.dataset.concat_examples([{"a": a} for a in arrays], padding=padding)["a"],
            ]  # fmt: skip

        @program(f"F.pad_sequence.{_dtype}", _padding)
        def _(padding, dtype=_dtype):
            return F.pad_sequence([np.ones(3, dtype), np.ones(2, dtype)], padding=padding)

    for _name in words("max sum absolute clip cumsum sign maximum square where"):

        @program(f"F.{_name}.{_dtype}")
        def _(name=_name, dtype=_dtype):
            x = np.array([1, 2, 100], dtype)
            more = {"clip": (-1, 300), "maximum": (x,)}.get(name, ())
            return F.where(x > 1, x, -1) if name == "where" else getattr(F, name)(x, *more)


for _padding in (-1, 3):
    program("dataset.list", _padding)(
        lambda padding: chainer.dataset.concat_examples([[1, 2], [3, 4]], padding=padding)
    )

program("gradient_check", P(3, 2), Raw(N(3, 2)), 1e-3)(
    lambda x, g, eps: chainer.gradient_check.numerical_grad(
        lambda: (np.square(x.array),), (x.array,), (g,), eps
    )
)

# Links
_square = N(2, 3, 5, 5)
link("L.BatchNormalization", (4,), (N(3, 4),), decay=0.87, eps=1.3e-3)
link("L.BatchNormalization", (None,), (_square,), axis=(0, 2, 3), use_gamma=False)
link("L.BatchRenormalization", (4,), (N(3, 4),), rmax=1.7, dmax=0.3, decay=0.87, eps=1.3e-3)
link("L.DecorrelatedBatchNormalization", (4,), (N(9, 4),), groups=2, decay=0.87, eps=1.3e-3)
link("L.GroupNormalization", (3,), (N(4, 6, 3, 3),), eps=1.3e-3)
link("L.LayerNormalization", (4,), (N(3, 4),), eps=1.3e-3)
link("L.Bias", (), (N(3, 4),), shape=(4,))
link("L.Scale", (), (N(3, 4),), W_shape=(4,), bias_term=True)
link("L.Bilinear", (2, 4, 3), (N(3, 2), N(3, 4)))
link("L.BinaryHierarchicalSoftmax", (4, ((0, 1), (2, 3))), (N(3, 4), Labels(4, 3)))
link("L.BlackOut", (4, [3, 1, 2, 5], 2), (N(3, 4), Labels(4, 3)))
link("L.NegativeSampling", (4, [3, 1, 2, 5], 2), (N(3, 4), Labels(4, 3)), power=0.7)
link("L.CRF1d", (4,), ([N(3, 4), N(2, 4)], [ints(1, 2, 3), ints(0, 2)]))
link("L.CRF1d", (4,), ([N(3, 4), N(2, 4)],), method="argmax")
link("L.ChildSumTreeLSTM", (2, 3), (N(2, 3), N(2, 3), N(2, 3), N(2, 3), N(2, 2)))
link("L.NaryTreeLSTM", (2, 3), (N(2, 3), N(2, 3), N(2, 3), N(2, 3), N(2, 2)), n_ary=2)
for _d in (1, 2, 3):
    link(f"L.Convolution{_d}D", (4, 6, 3), (N(2, 4, *[5] * _d),), stride=2, pad=1)
    link(f"L.Deconvolution{_d}D", (4, 6, 3), (N(2, 4, *[3] * _d),), stride=2, pad=1)
    link("L.ConvolutionND", (_d, 4, 6, 3), (N(2, 4, *[5] * _d),), stride=2, pad=1)
    link("L.DeconvolutionND", (_d, 4, 6, 3), (N(2, 4, *[3] * _d),), stride=2, pad=1)
link("L.DeformableConvolution2D", (3, 4, 3), (_square,), stride=2, pad=1, offset_initialW=0.1)
link("L.DepthwiseConvolution2D", (3, 2, 3), (_square,), stride=2, pad=1)
link("L.DilatedConvolution2D", (3, 4, 3), (_square,), dilate=2)
link("L.LocalConvolution2D", (3, 4, (5, 5), 3), (_square,))
link("L.MLPConvolution2D", (3, (4, 5), 3), (_square,))
link("L.Inception", (3, 2, 3, 4, 2, 3, 2), (_square,))
link("L.InceptionBN", (3, 2, 3, 4, 2, 3, "avg", 2), (_square,))
link("L.InceptionBN", (3, 0, 3, 4, 2, 3, "max"), (_square,), stride=2)
link("L.EmbedID", (5, 4), (Labels(5, 3),), ignore_label=1)
link("L.GRU", (2, 3), (N(3, 2),))
link("L.StatefulGRU", (2, 3), (N(3, 2),))
link("L.StatefulMGU", (2, 3), (N(3, 2),))
link("L.StatefulPeepholeLSTM", (2, 3), (N(3, 2),))
link("L.StatefulZoneoutLSTM", (2, 3), (N(3, 2),), c_ratio=0.3, h_ratio=0.6)
link("L.StatelessGRU", (2, 3), (N(3, 3), N(3, 2)))
link("L.StatelessLSTM", (2, 3), (N(3, 3), N(3, 3), N(3, 2)))
link("L.StatelessMGU", (2, 3), (N(3, 3), N(3, 2)))
link("L.LSTM", (2, 3), (N(3, 2),), forget_bias_init=1.3)
link("L.Highway", (4,), (N(3, 4),), init_bt=-1.3)
link("L.Linear", (4, 3), (N(2, 4),), initial_bias=0.3)
link("L.Linear", (None, 3), (N(2, 4),), initialW=0.3)
link("L.Maxout", (4, 3, 2), (N(2, 4),), initial_bias=0.3)
for _name in ("RNNReLU", "RNNTanh", "GRU", "LSTM"):
    for _bi in ("", "Bi"):
        _h = [N(4 if _bi else 2, 3, 3)] * (2 if _name == "LSTM" else 1)
        link(f"L.NStep{_bi}{_name}", (2, 2, 3, 0.3), (*_h, _xs))
link("L.PReLU", ((4,),), (N(3, 4),), init=0.3)
link("L.Swish", ((4,),), (N(3, 4),), beta_init=1.3)
link("L.Swish", ((),), (N(3, 4),), beta_init=1.3)
link("L.SimplifiedDropconnect", (4, 3), (N(2, 4),), ratio=0.3)


@program("L.Parameter", N(3, 4))
def _(x):
    return of_link(L.Parameter(x.array), "__call__", ())


for _loss in (F.softmax_cross_entropy, F.hinge):

    @program("L.Classifier", N(6, 4), Labels(3, 6))
    def _(x, t, loss=_loss):
        link = L.Classifier(L.Linear(4, 3), loss)
        result = of_link(link, "__call__", (x, t))
        return Result(result.ys, result.xs, [link.loss, link.accuracy])


# Optimizers


def optimize(make, *args, **options):
    """Three updates: of a matrix, of a number, and of float16 through float32."""
    after = []
    for fp32 in (False, True):
        link = chainer.Link()
        with link.init_scope():
            for name, shape in (("w", (3, 2)), ("b", ()), ("v", (2,))):
                setattr(link, name, chainer.Parameter(I.Normal(1.0), shape))
        optimizer = make(*args, **options)
        hooks = []
        if not isinstance(optimizer, chainer.Optimizer):
            hooks, optimizer = [optimizer], O.MomentumSGD(0.13)
        if fp32:
            optimizer.use_fp32_update()
        optimizer.setup(link)
        for hook in hooks:
            optimizer.add_hook(hook)
        for _ in range(3):
            for _, param in sorted(link.namedparams()):
                param.grad = np.random.normal(size=param.shape).astype(param.dtype)
            optimizer.update()
        for _, param in sorted(link.namedparams()):
            after += [param, param.grad]
            after += [value for _, value in sorted((param.update_rule.state or {}).items())]
        after += [v for _, v in sorted(optimizer.hyperparam.get_dict().items())]
        after += [getattr(optimizer, "lr", 0.0)]
        with contextlib.suppress(NotImplementedError):
            optimizer.new_epoch()
    return Result([], (), after)


def optimizer(name, *args, **options):
    make = getattr(MODULES[name[0]], name.split(".")[1])
    CASES.append(Case(name, optimize, (make, *args), options))


_adam = dict(alpha=1.3e-2, beta1=0.87, beta2=0.993, eps=1.3e-3)
_bound = dict(_adam, final_lr=0.13, gamma=1.3e-2)
for _name in words("AMSBound AMSGrad AdaBound AdaDelta AdaGrad Adam AdamW CorrectedMomentumSGD"):
    optimizer(f"O.{_name}")
for _name in words("MSVAG MomentumSGD NesterovAG RMSprop RMSpropGraves SGD SMORMS3"):
    optimizer(f"O.{_name}")
optimizer("O.AMSBound", **_bound)
optimizer("O.AMSGrad", **_adam)
optimizer("O.AdaBound", **_bound)
optimizer("O.AdaDelta", 0.87, 1.3e-3)
optimizer("O.AdaGrad", 0.13, 1.3e-3)
optimizer("O.Adam", **_adam)
optimizer("O.Adam", weight_decay_rate=0.013, amsgrad=True, **_adam)
optimizer("O.Adam", weight_decay_rate=0.013, adabound=True, **_bound)
optimizer("O.AdamW", weight_decay_rate=0.013, **_adam)
optimizer("O.CorrectedMomentumSGD", 0.13, 0.87)
optimizer("O.MSVAG", 0.13, 0.87, 1.1, 0.013)
optimizer("O.MomentumSGD", 0.13, 0.87)
optimizer("O.NesterovAG", 0.13, 0.87)
optimizer("O.RMSprop", 0.13, 0.87, 1.3e-3)
optimizer("O.RMSprop", 0.13, 0.87, 1.3e-3, eps_inside_sqrt=True)
optimizer("O.RMSpropGraves", 0.13, 0.87, 0.7, 1.3e-3)
optimizer("O.SGD", 0.13)
optimizer("O.SMORMS3", 0.13, 1.3e-7)
optimizer("H.GradientClipping", 0.7)
optimizer("H.GradientHardClipping", -0.7, 0.3)
optimizer("H.GradientLARS", 0.013, 0.13, 1.3e-3)
optimizer("H.GradientNoise", 0.3)
optimizer("H.Lasso", 0.013)
optimizer("H.WeightDecay", 0.013)


def shift(extension, *args, **options):
    """The learning rates that an extension of the Trainer sets."""

    class Trainer:
        updater = type("", (), dict(epoch=1, iteration=3))

    optimizer = O.SGD(0.13)
    Trainer.updater.get_optimizer = lambda name: optimizer
    one = extension("lr", *args, optimizer=optimizer, **options)
    one.initialize(Trainer)
    rates = [optimizer.lr]
    for _ in range(4):
        one(Trainer)
        rates.append(optimizer.lr)
    return Result([], (), rates)


program("extensions", 0.87)(lambda *args: shift(X.ExponentialShift, *args))
program("extensions", 0.87, 2.3)(lambda *args: shift(X.InverseShift, *args))
program("extensions", (0.13, 0.7), (1, 3))(lambda *args: shift(X.LinearShift, *args))
program("extensions", 0.87, [1, 2], 0.13)(lambda *args: shift(X.MultistepShift, *args))
program("extensions", 0.87, 3)(lambda *args: shift(X.PolynomialShift, *args))
program("extensions", 0.87, 2)(lambda *args: shift(X.StepShift, *args))
program("extensions", 0.013, 3, 0.13)(lambda *args: shift(X.WarmupShift, *args))

# Initializers
for _name, _args in {
    "Constant": (1.3,), "GlorotNormal": (1.3,), "GlorotUniform": (1.3,), "HeNormal": (1.3,),
    "HeUniform": (1.3,), "Identity": (1.3,), "LeCunNormal": (1.3,), "LeCunUniform": (1.3,),
    "NaN": (), "Normal": (1.3,), "One": (), "Orthogonal": (1.3,), "Uniform": (1.3,), "Zero": (),
    "DownsamplingConvFilter": (), "UpsamplingDeconvFilter": (),
}.items():  # fmt: skip

    @program(f"I.{_name}", *_args)
    def _(*args, name=_name):
        shape = (3, 3, 4, 4) if "Filter" in name else (4, 4)
        return I.generate_array(getattr(I, name)(*args), shape, np, chainer.config.dtype)


# Distributions: what is asked of each, with the events to ask for.
STATISTICS = words("mean mode variance stddev entropy covariance params")
OF_EVENTS = words(
    "log_prob prob cdf log_cdf survival_function log_survival_function perplexity icdf"
)


def distribution(name, event, **params):
    made = getattr(D, name.split(".")[1])

    def values(value):
        return list(value.values()) if isinstance(value, dict) else value

    def has(attribute):
        return getattr(made, attribute) is not getattr(chainer.Distribution, attribute)

    for statistic in filter(has, STATISTICS):
        program(f"{name}.{statistic}", **params)(
            lambda statistic=statistic, **p: values(getattr(made(**p), statistic))
        )
    for method in filter(has, OF_EVENTS):
        program(f"{name}.{method}", P(3) if method == "icdf" else event, **params)(
            lambda x, method=method, **p: getattr(made(**p), method)(x)
        )
    program(f"{name}.sample", **params)(lambda **p: made(**p).sample(5))
    program(f"{name}.sample_n", **params)(lambda **p: made(**p).sample_n(2))
    program(f"{name}.kl_divergence", params, params)(
        lambda p, q: chainer.kl_divergence(made(**p), made(**q))
    )
    program(f"{name}.cross_entropy", params, params)(
        lambda p, q: chainer.cross_entropy(made(**p), made(**q))
    )


distribution("D.Bernoulli", Raw(Labels(2, 3)), p=P(3))
distribution("D.Bernoulli", Raw(Labels(2, 3)), logit=N(3), binary_check=True)
distribution("D.Beta", P(3), a=P(3), b=P(3))
distribution("D.Categorical", Raw(Labels(4, 3)), p=P(3, 4))
distribution("D.Categorical", Raw(Labels(4, 3)), logit=N(3, 4))
distribution("D.Cauchy", N(3), loc=N(3), scale=P(3))
distribution("D.Chisquare", P(3), k=P(3))
distribution("D.Chisquare", P(3), k=Array(lambda random: random.randint(1, 5, 3), "i"))
distribution("D.Dirichlet", Values([0.2, 0.3, 0.5], [0.5, 0.1, 0.4]), alpha=P(2, 3))
distribution("D.Exponential", P(3), lam=P(3))
distribution("D.Gamma", P(3), k=P(3), theta=P(3))
distribution("D.Geometric", Raw(Values(1, 2, 5)), p=P(3))
distribution("D.Gumbel", N(3), loc=N(3), scale=P(3))
distribution("D.Laplace", N(3), loc=N(3), scale=P(3))
distribution("D.LogNormal", P(3), mu=N(3), sigma=P(3))
distribution("D.MultivariateNormal", N(2, 3), loc=N(2, 3), scale_tril=lower(2, 3))
distribution("D.Normal", N(3), loc=N(3), scale=P(3))
distribution("D.Normal", N(3), loc=N(3), log_scale=N(3))
distribution("D.Normal", N(), loc=N(), scale=P())
distribution("D.OneHotCategorical", Raw(Values([0, 1, 0], [1, 0, 0])), p=P(2, 3))
distribution("D.Pareto", Values(1.5, 2.5, 0.9), scale=P(3), alpha=P(3))
distribution("D.Poisson", Raw(Values(1, 2, 5)), lam=P(3))
distribution("D.Uniform", P(3), low=N(3), high=Values(3, 2.5, 4))
distribution("D.Uniform", P(3), loc=N(3), scale=P(3))
for _name in (*STATISTICS, *OF_EVENTS, "sample"):

    @program(f"D.Independent.{_name}", N(2, 3), N(2, 3), P(2, 3))
    def _(x, loc, scale, name=_name):
        one = D.Independent(D.Normal(loc, scale), 1)
        value = getattr(one, name)
        value = value() if name == "sample" else value(x) if name in OF_EVENTS else value
        return list(value.values()) if name == "params" else value


# Running them


def as_array(value):
    if isinstance(value, (chainer.Variable, chainer.Parameter)):
        value = value.array
    return np.array("None") if value is None else np.asarray(value)


def run(case, dtype, number, label):
    """Yield what a case computes: names and arrays; where it raises, the exception's name."""
    random, variables, raw = np.random.RandomState(1), [], []

    def make(value):
        if isinstance(value, Array):
            array = np.asarray(value.draw(random)).astype(label if value.kind == "i" else dtype)
            if value.kind == "f" and value.variable:
                variables.append(chainer.Variable(array))
                return variables[-1]
            raw.append(array)
            return array
        if type(value) in (float, int):
            convert = number[type(value) is int]
            # By an array, since only that wraps in every version of NumPy.
            return value if convert in (float, int) else np.array(value).astype(convert)[()]
        return value

    np.random.seed(0)
    step = "forward"
    try:
        args, options = build((case.args, case.options), make)
        with chainer.using_config("dtype", dtype):
            result = case.function(*args, **options)
        if not isinstance(result, Result):
            result = Result(result)
        ys = flat(result.ys)
        yield from (("y", as_array(y)) for y in ys)
        yield from (("after", as_array(y)) for y in [*result.after, *raw])
        step = "backward"
        ys = [y for y in ys if isinstance(y, chainer.Variable) and y.dtype.kind == "f"]
        ys = [y for y in ys if y.requires_grad and y.creator_node is not None]
        xs = [x for x in variables + result.xs if x.array is not None]
        if not (ys and xs):
            return
        gys = [chainer.Variable(random.normal(size=y.shape).astype(y.dtype)) for y in ys]
        gs = chainer.grad(ys, xs, gys)
        yield from (("g", as_array(g)) for g in gs)
        step = "twice"
        gs = chainer.grad(ys, xs, gys, enable_double_backprop=True)
        gs = [g for g in gs if g is not None and g.requires_grad and g.creator_node is not None]
        ggs = [chainer.Variable(random.normal(size=g.shape).astype(g.dtype)) for g in gs]
        if gs:
            yield from (("gg", as_array(g)) for g in chainer.grad(gs, xs, ggs))
    except Exception as error:
        yield step, np.array(f"raises {type(error).__name__}")


def main():
    out, only = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    covered = {
        ".".join(case.name.split("#")[0].split(".")[:2]) for case in CASES
    } | NOT_COVERED.keys()
    for letter, module in MODULES.items():
        public = {f"{letter}.{n}" for n in dir(module) if n[0] != "_" and callable(vars(module)[n])}
        if letter in "FLOD" and public - covered:
            print("without a case:", *sorted(public - covered))
    arrays, calls = {}, 0
    for case in CASES:
        if not case.name.startswith(only):
            continue
        for suffix, number in NUMBERS.items():
            for dtype in FLOATS:
                for label in (np.int32, np.int64, np.uint8):
                    if suffix and not case.has_numbers():
                        continue
                    if label != np.int32 and not (case.has_labels() and dtype == np.float32):
                        continue
                    calls += 1
                    name = f"{case.name}({dtype.__name__}{suffix},{label.__name__})"
                    for j, (part, array) in enumerate(run(case, dtype, number, label)):
                        arrays[f"{name} {part}{j}"] = array
    np.savez_compressed(out, **arrays)
    print(f"{len(CASES)} cases, {calls} calls, {len(arrays)} arrays")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    main()
