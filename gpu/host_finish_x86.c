/*
 * Which loops of finishing run, on x86-64.
 */
#include "cpu.h"
#include "host_finish_block.h"

const struct hr__finish_loops *hr__finish_loops(void) {
    return hr__cpu_has_avx2() && hr__cpu_has_f16c() ? &hr__finish_loops_avx2
                                                    : &hr__finish_loops_plain;
}
