/*
 * The schemas of chunk_schemas.h.
 */
#include "chunk_schemas.h"

#include <stdlib.h>

static const uint64_t three[] = {3}, large[] = {150000}, none[] = {4, 0};

static const struct {
    uint32_t num_fields, samples_per_chunk;
    hr_field fields[3];
} schemas[NUM_CHUNK_SCHEMAS] = {
    {2,
     64,
     {{.name = "x", .dtype = HR_FLOAT32, .rank = 1, .shape = three},
      {.name = "y", .dtype = HR_INT64}}},
    {2,
     2,
     {{.name = "big", .dtype = HR_FLOAT64, .rank = 1, .shape = large},
      {.name = "y", .dtype = HR_UINT16}}},
    {3,
     100,
     {{.name = "none", .dtype = HR_INT8, .rank = 2, .shape = none},
      {.name = "word", .dtype = HR_FIXED_UTF8, .width_bytes = 5},
      {.name = "z", .dtype = HR_COMPLEX128}}},
    {2, 16, {{.name = "text", .dtype = HR_VAR_UTF8}, {.name = "y", .dtype = HR_INT8}}},
};

void chunk_schema_make(uint32_t which, struct hr__schema *out) {
    if (hr__schema_make(schemas[which].fields, schemas[which].num_fields,
                        schemas[which].samples_per_chunk, out, NULL) != HR_OK)
        abort();
}
