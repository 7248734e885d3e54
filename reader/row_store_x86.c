/*
 * The row stores of x86-64 that this processor can run.
 */
#include "row_store_x86.h"

#include "cpu.h"

static const struct hr__row_store *const all[] = {
    &hr__row_store_avx512, &hr__row_store_avx2, &hr__row_store_sse2, &hr__row_store_portable, NULL};

const struct hr__row_store *const *hr__row_stores(void) {
    if (hr__cpu_has_avx512_vbmi())
        return all;
    return hr__cpu_has_avx2() ? all + 1 : all + 2;
}
