/*
 * What the processor offers, and how many processors this process may use.
 */
#ifndef HEADRACE_CPU_H
#define HEADRACE_CPU_H

#include <stdbool.h>
#include <stdint.h>

bool hr__cpu_has_avx2(void);
bool hr__cpu_has_f16c(void);
bool hr__cpu_has_avx512_vbmi(void); /* with F, BW, DQ, VL */

/* Processors this process may run on (affinity mask and cgroup CPU quota), at least 1. */
uint32_t hr__cpu_count(void);

#endif
