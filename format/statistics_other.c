/*
 * Processors without loops of their own for statistics.
 */
#include "statistics_block.h"

const struct hr__block_loops *hr__block_loops(void) {
    return &hr__block_loops_plain;
}
