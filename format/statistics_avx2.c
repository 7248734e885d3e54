/*
 * The loops of statistics, compiled for AVX2: four registers hold the lanes.
 */
#include <immintrin.h>

#define VECTOR_LANES    4
#define LEAST_F32(a, b) ((lanes_f32)_mm_min_ps((__m128)(a), (__m128)(b)))
#define MOST_F32(a, b)  ((lanes_f32)_mm_max_ps((__m128)(a), (__m128)(b)))
#define LEAST_F64(a, b) ((lanes)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define MOST_F64(a, b)  ((lanes)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#define WIDEN_F32(v)    ((lanes)_mm256_cvtps_pd((__m128)(v)))
#define WIDEN_I32(v)    ((lanes)_mm256_cvtepi32_pd((__m128i)(v)))
#define WIDEN_U32(v)    WIDEN(v)
#define HR__BLOCK_LOOPS hr__block_loops_avx2
#include "statistics_loops.h"
