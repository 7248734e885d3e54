/*
 * The loops of statistics for any processor of the kind that the library is built for.
 */
#define VECTOR_LANES    2
#define LEAST_F32(a, b) ((lanes_f32)SELECT(lanes_i32, (a) < (b), a, b))
#define MOST_F32(a, b)  ((lanes_f32)SELECT(lanes_i32, (a) > (b), a, b))
#define LEAST_F64(a, b) ((lanes)SELECT(lanes_i64, (a) < (b), a, b))
#define MOST_F64(a, b)  ((lanes)SELECT(lanes_i64, (a) > (b), a, b))
#define WIDEN_F32(v)    WIDEN(v)
#define WIDEN_I32(v)    WIDEN(v)
#define WIDEN_U32(v)    WIDEN(v)
#define HR__BLOCK_LOOPS hr__block_loops_plain
#include "statistics_loops.h"
