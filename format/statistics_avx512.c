/*
 * The loops of statistics, compiled for AVX-512: two registers hold the lanes.
 */
#include <immintrin.h>

#define VECTOR_LANES    8
#define LEAST_F32(a, b) ((lanes_f32)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define MOST_F32(a, b)  ((lanes_f32)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define LEAST_F64(a, b) ((lanes)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define MOST_F64(a, b)  ((lanes)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#define WIDEN_F32(v)    ((lanes)_mm512_cvtps_pd((__m256)(v)))
#define WIDEN_I32(v)    ((lanes)_mm512_cvtepi32_pd((__m256i)(v)))
#define WIDEN_U32(v)    ((lanes)_mm512_cvtepu32_pd((__m256i)(v)))
#define HR__BLOCK_LOOPS hr__block_loops_avx512
#include "statistics_loops.h"
