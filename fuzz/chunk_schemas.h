/*
 * The schemas that chunks of the fuzz target and of its corpus follow.
 */
#ifndef HEADRACE_CHUNK_SCHEMAS_H
#define HEADRACE_CHUNK_SCHEMAS_H

#include "schema.h"

#define NUM_CHUNK_SCHEMAS 4u

/* 0: float32 [3] with labels; 1: samples above 1 MiB; 2: samples of no bytes beside others;
 * 3: values of variable length. Aborts if memory is short. */
void chunk_schema_make(uint32_t which, struct hr__schema *out);

#endif
