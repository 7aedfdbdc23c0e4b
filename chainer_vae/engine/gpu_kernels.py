"""The functions of :mod:`chainer_vae.engine.cpu_kernels` on a GPU: one or two CUDA kernels each.

Except for :func:`draw`, nothing here allocates memory or waits for the GPU, so a step can be
captured in a CUDA graph.  CuPy refuses to call cuBLAS while it captures (cupy issue 6290), although
cuBLAS itself allows it; therefore the products call cuBLAS by ctypes.

Import this only where CuPy is installed.
"""

import ctypes
import math
from functools import cache
from typing import Any, Optional

import chainer.functions as F
import cupy as cp
import numpy as np

from chainer_vae.engine.cpu_kernels import CEILING, FLOOR, Activation
from chainer_vae.engine.gpu_noise import standard_normal

WORKSPACE = 32 * 2**20  # bytes that cuBLAS may use beside the matrices, for each stream

empty = cp.empty


class _Handle:
    """cuBLAS, for use on one stream."""

    def __init__(self, stream: int) -> None:
        self._blas = _cublas()
        self._handle = ctypes.c_void_p()
        _check(self._blas.cublasCreate_v2(ctypes.byref(self._handle)))
        self._workspace = cp.empty(WORKSPACE, cp.uint8)
        pointer = ctypes.c_void_p(self._workspace.data.ptr)
        _check(self._blas.cublasSetStream_v2(self._handle, ctypes.c_void_p(stream)))
        _check(self._blas.cublasSetWorkspace_v2(self._handle, pointer, ctypes.c_size_t(WORKSPACE)))

    def dot(self, a: cp.ndarray, b: cp.ndarray, out: cp.ndarray) -> None:
        # cuBLAS counts by columns: to it, a matrix in rows is the transposed one, and
        # out = a b is out^T = b^T a^T.
        (rows, depth), columns = a.shape, b.shape[1]
        a_ld, a_transposed = _layout(a)
        b_ld, b_transposed = _layout(b)
        out_ld, out_transposed = _layout(out)
        assert not out_transposed and b.shape == (depth, columns) and out.shape == (rows, columns)
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        _check(
            self._blas.cublasSgemm_v2(
                self._handle,
                ctypes.c_int(b_transposed),
                ctypes.c_int(a_transposed),
                ctypes.c_int(columns),
                ctypes.c_int(rows),
                ctypes.c_int(depth),
                ctypes.byref(one),
                ctypes.c_void_p(b.data.ptr),
                ctypes.c_int(b_ld),
                ctypes.c_void_p(a.data.ptr),
                ctypes.c_int(a_ld),
                ctypes.byref(zero),
                ctypes.c_void_p(out.data.ptr),
                ctypes.c_int(out_ld),
            )
        )


def _layout(matrix: cp.ndarray) -> tuple[int, bool]:
    """The distance of rows, in elements, and whether these are the columns of ``matrix``."""
    down, right = (stride // matrix.itemsize for stride in matrix.strides)
    if right == 1 and (down >= matrix.shape[1] or len(matrix) == 1):
        return max(down, matrix.shape[1]), False
    assert down == 1, "a matrix must be a part of one in rows, or of a transposed one"
    return max(right, len(matrix)), True


@cache
def _cublas() -> ctypes.CDLL:  # no cover: needs a GPU
    cp.cuda.device.get_cublas_handle()  # lets CuPy find and load the library
    return ctypes.CDLL(f"libcublas.so.{cp.cuda.runtime.runtimeGetVersion() // 1000}")


def fault() -> Optional[str]:
    """Why nothing here can be used; None if it can."""
    try:
        _cublas()
    except OSError as error:  # no cover: needs CuPy without cuBLAS
        return f"cuBLAS cannot be loaded ({error})"
    return None


def _check(status: int) -> None:
    if status in (1, 3):  # CUBLAS_STATUS_NOT_INITIALIZED, CUBLAS_STATUS_ALLOC_FAILED
        raise MemoryError("cuBLAS found too little on the GPU")
    if status != 0:
        raise RuntimeError(f"cuBLAS failed with status {status}")


@cache
def _handle(device: int, stream: int) -> _Handle:
    return _Handle(stream)


def dot(a: cp.ndarray, b: cp.ndarray, out: cp.ndarray) -> None:
    """a b into ``out``, on the current stream."""
    _handle(cp.cuda.Device().id, cp.cuda.get_current_stream().ptr).dot(a, b, out)


# CUDA's min and max would drop a NaN; these comparisons keep it.
_EXP = f"const T e = exp(l < (T){FLOOR} ? (T){FLOOR} : l > (T){CEILING} ? (T){CEILING} : l);"
_LOG = "const T s = log1p(e);"
_SOFTPLUS = "(l > s ? l : s)"


def _activation(name: str, apply: str, chain: str) -> Activation:
    applied = cp.ElementwiseKernel("T b", "T a", f"const T l = a + b; {apply}", f"vae_{name}")
    chained = cp.ElementwiseKernel("T h", "T g", f"g *= {chain};", f"vae_{name}_chain")
    return Activation(lambda a, b, t: applied(b, a), lambda g, h, t: chained(h, g))


ACTIVATIONS: dict[Any, Activation] = {
    F.softplus: _activation("softplus", f"{_EXP} {_LOG} a = {_SOFTPLUS}", "-expm1(-h)"),
    F.tanh: _activation("tanh", "a = tanh(l)", "1 - h * h"),
    F.relu: _activation("relu", "a = l < 0 ? (T)0 : l", "(T)(h > 0)"),
    F.sigmoid: _activation("sigmoid", f"{_EXP} a = e / (1 + e)", "h * (1 - h)"),
}

_add_bias = cp.ElementwiseKernel("T b", "T a", "a += b", "vae_add_bias")


def add_bias(a: cp.ndarray, b: cp.ndarray) -> None:
    _add_bias(b, a)


# CuPy's own sums may allocate memory to work in, which a captured graph must not.
_SUMS = r"""
__device__ void sum_block(float sum, float* out) {
    __shared__ float warps[32];
    for (int i = 16; i; i >>= 1) sum += __shfl_down_sync(~0u, sum, i);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0;
        for (int i = 16; i; i >>= 1) sum += __shfl_down_sync(~0u, sum, i);
        if (threadIdx.x == 0) *out = sum;
    }
}

// A block for each row.
extern "C" __global__ void vae_sum_rows(const float* a, float* out, int columns) {
    a += (size_t)blockIdx.x * columns;
    float sum = 0;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += a[i];
    sum_block(sum, out + blockIdx.x);
}

// One block.
extern "C" __global__ void vae_kl(
    const float* mu, const float* ln_var, const float* sigma, float* out, int size) {
    float sum = 0;
    for (int i = threadIdx.x; i < size; i += blockDim.x)
        sum += mu[i] * mu[i] + sigma[i] * sigma[i] - ln_var[i] - 1;
    sum_block(sum / 2, out);
}
"""


@cache
def _sums(name: str) -> Any:
    return cp.RawModule(code=_SUMS).get_function(name)


def sum_columns(a: cp.ndarray, out: cp.ndarray) -> None:
    rows, columns = a.shape
    threads = 32 if columns <= 64 else 128
    _sums("vae_sum_rows")((rows,), (threads,), (a, out, np.int32(columns)))


def draw(shape: tuple[int, ...], random: Any) -> cp.ndarray:
    return standard_normal(math.prod(shape), random).reshape(shape)


_sample = cp.ElementwiseKernel(
    "T mu, T ln_var, T eps",
    "T noise, T z",
    "noise = exp(ln_var / 2) * eps; z = mu + noise",
    "vae_sample",
)
_sigma = cp.ElementwiseKernel("T ln_var", "T sigma", "sigma = exp(ln_var / 2)", "vae_sigma")


def sample(
    mu: cp.ndarray,
    ln_var: cp.ndarray,
    eps: cp.ndarray,
    sigma: cp.ndarray,
    noise: cp.ndarray,
    z: cp.ndarray,
) -> None:
    _sigma(ln_var, sigma)
    _sample(mu[:, None], ln_var[:, None], eps.transpose(2, 0, 1), noise, z)


_sample_chain = cp.ElementwiseKernel(
    "raw T g_z, raw T noise, T mu, T sigma, T c, int32 k, int32 n",
    "T g_mu, T g_ln_var",
    """
    const int unit = i / n, image = i % n;
    T plain = 0, noisy = 0;
    for (int j = 0; j < k; ++j) {
        const T g = g_z[(unit * k + j) * n + image];
        plain += g;
        noisy += g * noise[(unit * k + j) * n + image];
    }
    g_mu = plain + c * mu;
    g_ln_var = (noisy + c * (sigma * sigma - 1)) / 2;
    """,
    "vae_sample_chain",
)


def sample_chain(
    g_mu: cp.ndarray,
    g_ln_var: cp.ndarray,
    g_z: cp.ndarray,
    noise: cp.ndarray,
    mu: cp.ndarray,
    sigma: cp.ndarray,
    c: float,
) -> None:
    _, k, n = g_z.shape
    _sample_chain(g_z, noise, mu, sigma, c, k, n, g_mu, g_ln_var)


def gaussian_kl(mu: cp.ndarray, ln_var: cp.ndarray, sigma: cp.ndarray, out: cp.ndarray) -> None:
    _sums("vae_kl")((1,), (512,), (mu, ln_var, sigma, out, np.int32(mu.size)))


_bernoulli = cp.ElementwiseKernel(
    "T b, T x, T scale, bool chain",
    "T a, T t",
    f"""
    const T l = a + b;
    {_EXP}
    {_LOG}
    t = {_SOFTPLUS} - x * l;
    if (chain) a = (e / (1 + e) - x) * scale;
    """,
    "vae_bernoulli",
)


def bernoulli(
    a: cp.ndarray,
    b: cp.ndarray,
    x: cp.ndarray,
    e: cp.ndarray,
    t: cp.ndarray,
    out: cp.ndarray,
    scale: Optional[float] = None,
) -> None:
    _bernoulli(b, x, 0 if scale is None else scale, scale is not None, a, t)
    rows = e.reshape(1, -1)[:, : len(t)]
    sum_columns(t.reshape(len(t), -1), rows)
    sum_columns(rows, out)


_adam = cp.ElementwiseKernel(
    "T g, raw T step, raw T factors",
    "T p, T m, T v",
    """
    m = factors[0] * m + factors[1] * g;
    v = factors[2] * v + factors[3] * g * g;
    p -= step[0] * m / (sqrt(v) + factors[4]);
    """,
    "vae_adam",
)


def adam(
    p: cp.ndarray,
    m: cp.ndarray,
    v: cp.ndarray,
    g: cp.ndarray,
    step: cp.ndarray,
    factors: cp.ndarray,
) -> None:
    """As on the CPU, but ``g`` stays, and what a step takes beside the arrays is in arrays, too:
    ``step``, shape (1,), and ``factors``, which are beta1, 1 - beta1, beta2, 1 - beta2, eps."""
    _adam(g, step, factors, p, m, v)
