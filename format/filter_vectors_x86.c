/*
 * x86-64: AVX2 where the processor has it.
 */
#include "filter_vectors.h"

#include "cpu.h"

const struct hr__delta_steps *hr__delta_steps_best(void) {
    return hr__cpu_has_avx2() ? &hr__delta_steps_avx2 : &hr__delta_steps_base;
}

const struct hr__bit_planes *hr__bit_planes_best(void) {
    return hr__cpu_has_avx2() ? &hr__bit_planes_avx2 : &hr__bit_planes_base;
}
