/*
 * Which loops of statistics run, on x86-64.
 */
#include "cpu.h"
#include "statistics_block.h"

const struct hr__block_loops *hr__block_loops(void) {
    return hr__cpu_has_avx512_vbmi() ? &hr__block_loops_avx512
           : hr__cpu_has_avx2()      ? &hr__block_loops_avx2
                                     : &hr__block_loops_plain;
}
