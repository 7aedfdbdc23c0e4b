"""The random numbers of ``numpy.random``, generated on a GPU: the same ones, but for rounding.

Its ``RandomState`` is the Mersenne Twister MT19937.  It holds a block of 624 words of 32 bits; word
i of the next block is made from ::

    those of the last block at i, i + 1 and i + 397; or, from i = 227 on, its own at i - 227

so that 227 words at a time can be made side by side.  Two words, tempered, give a number u in
[0, 1) with 53 bits.  Normal numbers are made from pairs of these (the polar method): with
x = 2 u - 1 for each of the two, a pair counts if r^2 = x1^2 + x2^2 is less than 1, and gives ::

    x2 f, x1 f      with f = sqrt(-2 ln(r^2) / r^2)

About 21 of 100 pairs do not count, so how many words an array of n numbers takes depends on the
words.

Source: Matsumoto and Nishimura, "Mersenne Twister", 1998; Marsaglia and Bray, "A Convenient Method
for Generating Normal Variables", 1964.

Import this only where CuPy is installed.
"""

import math
from functools import cache
from typing import Any

import cupy as cp
import numpy as np

from chainer_vae.random_numbers import NUMPY

BLOCK = 624  # words
PIECE = 2**22  # pairs that are made at a time, at most: 90 MB of words

_TWISTER = r"""
// One block of threads; of words, the first 624 are there.
extern "C" __global__ void vae_mt19937(unsigned* words, int blocks) {
    __shared__ unsigned y[2][624];
    for (int i = threadIdx.x; i < 624; i += blockDim.x) y[0][i] = words[i];
    __syncthreads();
    for (int block = 1; block < blocks; ++block) {
        const unsigned* old = y[(block - 1) % 2];
        unsigned* now = y[block % 2];
        for (int first = 0; first < 624; first += 227) {
            const int i = first + threadIdx.x;
            if (threadIdx.x < 227 && i < 624) {
                const unsigned next = i < 623 ? old[i + 1] : now[0];
                const unsigned far = i < 227 ? old[i + 397] : now[i - 227];
                const unsigned both = (old[i] & 0x80000000u) | (next & 0x7fffffffu);
                now[i] = far ^ (both >> 1) ^ (both & 1 ? 0x9908b0dfu : 0u);
                words[(size_t)block * 624 + i] = now[i];
            }
            __syncthreads();
        }
    }
}
"""


@cache
def _twister() -> Any:
    return cp.RawModule(code=_TWISTER).get_function("vae_mt19937")


_PAIRS = r"""
__device__ unsigned vae_tempered(unsigned y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}
// 2 u - 1
__device__ double vae_symmetric(unsigned high, unsigned low) {
    const double u = (vae_tempered(high) >> 5) * 67108864.0 + (vae_tempered(low) >> 6);
    return 2 * (u / 9007199254740992.0) - 1;
}
"""
_PAIR = """
    const long long at = first + 4 * (long long)i;
    const double x1 = vae_symmetric(words[at], words[at + 1]);
    const double x2 = vae_symmetric(words[at + 2], words[at + 3]);
    const double r2 = x1 * x1 + x2 * x2;
"""
_counts = cp.ElementwiseKernel(
    "raw uint32 words, int64 first",
    "int32 counts",
    f"{_PAIR} counts = r2 < 1 && r2 != 0",
    "vae_pair_counts",
    preamble=_PAIRS,
)
# number: how many pairs count, up to and with this one
_normal = cp.ElementwiseKernel(
    "raw uint32 words, int64 first, int32 counts, int32 number, int32 pairs",
    "raw float32 out, raw int32 tried",
    f"""
    if (counts && number <= pairs) {{
        {_PAIR}
        const double f = sqrt(-2 * log(r2) / r2);
        out[2 * number - 2] = x2 * f;
        out[2 * number - 1] = x1 * f;
        if (number == pairs) tried[0] = i + 1;
    }}
    """,
    "vae_normal",
    preamble=_PAIRS,
)


def standard_normal(n: int, random: Any = NUMPY) -> cp.ndarray:
    """What ``random.standard_normal(n)`` gives, in float32, and leaves behind.

    Args:
        n: How many numbers.
        random: A ``numpy.random.RandomState``; by default, that of ``numpy.random``.

    Returns:
        cupy.ndarray: Shape (n,); complete when this returns.
    """
    out = cp.empty(n, cp.float32)
    state: Any = random.get_state()
    _, keys, position, has_gauss, gauss = state
    kept = int(has_gauss and n > 0)  # the second one of a pair made before
    pairs = (n - kept) // 2
    if kept:
        random.set_state(("MT19937", keys, position, 0, 0.0))
        out[:1] = gauss
    for start in range(0, pairs, PIECE):
        part = out[kept + 2 * start : kept + 2 * min(start + PIECE, pairs)]
        keys, position = _pairs(part, keys, position)
        random.set_state(("MT19937", keys, position, 0, 0.0))
    if kept + 2 * pairs < n:  # half a pair
        out[-1:] = random.standard_normal()
    cp.cuda.get_current_stream().synchronize()
    return out


def _pairs(out: cp.ndarray, keys: Any, position: int) -> tuple[Any, int]:
    """Fill ``out`` with whole pairs; gives the generator's words, and its place in them, after."""
    pairs = out.size // 2
    # A pair takes 4 / pi tries on average; 17 standard deviations more.
    tries = int(pairs * 4 / math.pi + 10 * math.sqrt(pairs)) + 50
    blocks = -(-(position + 4 * tries) // BLOCK)
    words = cp.empty(blocks * BLOCK, cp.uint32)
    words[:BLOCK].set(keys.astype(np.uint32))
    _twister()((1,), (256,), (words, np.int32(blocks)))
    counts = cp.empty(tries, cp.int32)
    _counts(words, position, counts)
    tried = cp.zeros(1, cp.int32)
    _normal(words, position, counts, cp.cumsum(counts, dtype=cp.int32), pairs, out, tried)
    used = int(tried[0])
    # Else what is there would be taken for noise.
    if not used:  # no cover: a GPU that fails without an error
        raise RuntimeError("the GPU did not draw the noise that it was asked for")
    end = position + 4 * used
    block = (end - 1) // BLOCK
    return words[block * BLOCK : (block + 1) * BLOCK].get(), end - block * BLOCK
