/* Softplus, the reconstruction error and Adam, for float32: in one pass each, of which NumPy needs
   many (engine/cpu_kernels.py).

   They are compiled for several instruction sets; __init__.py chooses by supports(). */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef _MSC_VER
#define EXPORT __declspec(dllexport)
#define INLINE static __forceinline
#define restrict __restrict
#else
#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
#endif

/* Beyond this, e^-x is 1e-30, as in engine/cpu_kernels.py: no subnormal number. */
#define FLOOR 69.0f

INLINE float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

INLINE uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

/* x, but no more than y; NaN stays NaN. */
INLINE float at_most(float x, float y) { return y < x ? y : x; }

/* e^x - 1 for |x| <= ln(2) / 2, by the polynomial of Cephes. */
INLINE float small_expm1(float x) {
    float p = 1.9875691500e-4f;
    p = p * x + 1.3981999507e-3f;
    p = p * x + 8.3334519073e-3f;
    p = p * x + 4.1665795894e-2f;
    p = p * x + 1.6666665459e-1f;
    p = p * x + 5.0000001201e-1f;
    return p * (x * x) + x;
}

/* x = n ln(2) + r with |r| <= ln(2) / 2, for |x| < 87: r, and 2^n into ``power``. */
INLINE float reduce(float x, float *power) {
    /* Adding 1.5 * 2^23 rounds to a whole number, and leaves it in the lowest bits. */
    const float shift = 12582912.0f;
    float shifted = x * 1.44269504f + shift;
    float n = shifted - shift;
    *power = float_of((bits_of(shifted) << 23) + bits_of(1.0f));
    return (x - n * 0.693359375f) - n * -2.12194440e-4f; /* ln(2) in two parts */
}

INLINE float exp_(float x) {
    float power, r = reduce(x, &power);
    return power * small_expm1(r) + power;
}

/* 1 - e^-x for 0 <= x < 87, exact near 0, too. */
INLINE float one_minus_exp(float x) {
    float power, r = reduce(-x, &power);
    return (1.0f - power) - power * small_expm1(r);
}

/* ln(1 + e) for 0 <= e <= 1, by the polynomial of Cephes for ln(1 + f). */
INLINE float log1p_(float e) {
    /* 1 + e = 1 + f, or where that is above sqrt(2), 2 (1 + f). */
    int above = e > 0.41421356f;
    float f = above ? 0.5f * (e - 1.0f) : e;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    float y = f + (p * f - 0.5f) * (f * f);
    return above ? y + 0.693147181f : y;
}

/* ln(1 + e^a), of e = e^-|a|; NaN stays NaN. */
INLINE float softplus_(float a, float e) { return (a < 0 ? 0 : a) + log1p_(e); }

#define WITH_(name, suffix) name##_##suffix
#define WITH(name, suffix) WITH_(name, suffix)

#if !defined(_MSC_VER) && (defined(__x86_64__) || defined(__i386__))
#define SUFFIX avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#include "kernels_body.h"
#define SUFFIX avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "kernels_body.h"

/* Whether this machine has the instructions of a suffix. */
EXPORT int supports(const char *suffix) {
    __builtin_cpu_init();
    if (strcmp(suffix, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (strcmp(suffix, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return strcmp(suffix, "baseline") == 0;
}
#else
EXPORT int supports(const char *suffix) { return strcmp(suffix, "baseline") == 0; }
#endif

/* What every processor of this kind has: SSE2, NEON. */
#define SUFFIX baseline
#define TARGET
#include "kernels_body.h"

/* setuptools builds modules of Python; nobody imports this one. */
EXPORT void *PyInit__kernels(void) { return NULL; }
