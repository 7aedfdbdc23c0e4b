/* The functions of kernels.c for one instruction set: TARGET, and SUFFIX of their names. */

/* a becomes ln(1 + e^(a + b)); a is (rows, n), b has a number for each row. */
TARGET EXPORT void WITH(softplus, SUFFIX)(float *restrict a, const float *restrict b,
                                          ptrdiff_t rows, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < rows; i++, a += n) {
        float bias = b[i];
        for (ptrdiff_t j = 0; j < n; j++) {
            float l = a[j] + bias;
            a[j] = softplus_(l, exp_(-at_most(fabsf(l), FLOOR)));
        }
    }
}

/* g is multiplied by the derivative, 1 - e^-h, where h = ln(1 + e^a). */
TARGET EXPORT void WITH(softplus_chain, SUFFIX)(float *restrict g, const float *restrict h,
                                                ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j++)
        g[j] *= one_minus_exp(at_most(h[j], FLOOR));
}

/* The sum of ln(1 + e^l) - x l for logits l = a + b; and, if scale is not 0, the derivative by l
   times that into a.  a and x are (rows, k, n) and (rows, n). */
TARGET EXPORT double WITH(bernoulli, SUFFIX)(float *restrict a, const float *restrict b,
                                             const float *restrict x, ptrdiff_t rows, ptrdiff_t k,
                                             ptrdiff_t n, float scale) {
    double total = 0;
    for (ptrdiff_t i = 0; i < rows; i++, x += n) {
        float bias = b[i];
        for (ptrdiff_t sample = 0; sample < k; sample++, a += n) {
            float sum = 0;
#ifndef _MSC_VER
#pragma omp simd reduction(+ : sum)
#endif
            for (ptrdiff_t j = 0; j < n; j++) {
                float l = a[j] + bias;
                float e = exp_(-at_most(fabsf(l), FLOOR));
                sum += softplus_(l, e) - x[j] * l;
                a[j] = scale * ((l > 0 ? 1 : e) / (1 + e) - x[j]);
            }
            total += sum;
        }
    }
    return total;
}

/* As adam in engine/cpu_kernels.py, where rest1 is 1 - beta1, and rest2 1 - beta2; g is left as it is. */
TARGET EXPORT void WITH(adam, SUFFIX)(float *restrict p, float *restrict m, float *restrict v,
                                      const float *restrict g, ptrdiff_t n, float step,
                                      float beta1, float rest1, float beta2, float rest2,
                                      float eps) {
    for (ptrdiff_t j = 0; j < n; j++) {
        m[j] = beta1 * m[j] + rest1 * g[j];
        v[j] = beta2 * v[j] + rest2 * (g[j] * g[j]);
        p[j] -= step * (m[j] / (sqrtf(v[j]) + eps));
    }
}

#undef SUFFIX
#undef TARGET
