/*
 * Lengths, in bytes.
 */
#include "info_lengths.h"

#include "json_out.h"
#include "sizes.h"
#include "text_table.h"

#include <stdbool.h>

static bool lengths_of(const hr_dataset *ds, uint32_t field, hr_length_statistics *out) {
    *out = (hr_length_statistics){.struct_bytes = sizeof *out};
    return hr_dataset_length_statistics(ds, field, out, NULL) == HR_OK && out->valid == 1;
}

json_t *info_lengths_json(const hr_dataset *ds, uint32_t field) {
    hr_length_statistics s;
    if (!lengths_of(ds, field, &s)) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "values", json_out_uint(s.num_values),
                     "empty", json_out_uint(s.num_empty), "total_bytes",
                     json_out_uint(s.total_bytes), "min_bytes", json_out_uint(s.min_bytes),
                     "max_bytes", json_out_uint(s.max_bytes), "mean_bytes",
                     json_out_real(s.mean_bytes), "std_bytes", json_out_real(s.std_bytes));
}

uint64_t info_decoded_bytes(const hr_dataset *ds, uint32_t field) {
    hr_length_statistics s;
    if (lengths_of(ds, field, &s)) {
        return s.total_bytes;
    }
    return hr_dataset_sample_bytes(ds, field) * hr_dataset_num_samples(ds);
}

void info_lengths_print(const hr_dataset *ds) {
    text_table table = {.num_columns = 6, .left = 1};
    text_table_add(&table,
                   (const char *[]){"lengths", "shortest", "longest", "mean", "std", "empty"});
    for (uint32_t k = 0; k < hr_dataset_num_fields(ds); k++) {
        hr_field field = {0};
        hr_length_statistics s;
        if (hr_dataset_field(ds, k, &field, NULL) != HR_OK || !lengths_of(ds, k, &s)) {
            continue;
        }
        const sizes_text shortest = sizes_bytes(s.min_bytes), longest = sizes_bytes(s.max_bytes),
                         mean = sizes_bytes((uint64_t)(s.mean_bytes + 0.5)),
                         std = sizes_bytes((uint64_t)(s.std_bytes + 0.5)),
                         empty = sizes_count(s.num_empty);
        text_table_add(&table, (const char *[]){field.name, shortest.text, longest.text, mean.text,
                                                std.text, empty.text});
    }
    text_table_print(&table);
}
