/*
 * Parts of a data set as texts. Names and numbers come from a file and may be anything it allows.
 */
#include "dataset_text.h"

#include "json_out.h"
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void dataset_shape_text(const hr_field *field, char out[DATASET_SHAPE_BYTES]) {
    size_t used = 1;
    strcpy(out, "(");
    for (uint32_t i = 0; i < field->rank; i++) {
        char part[32];
        const char *after = field->rank == 1 ? "," : i + 1 < field->rank ? ", " : "";
        const int n = snprintf(part, sizeof part, "%" PRIu64 "%s", field->shape[i], after);
        if (n < 0 || used + (size_t)n + 5 > DATASET_SHAPE_BYTES) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(out + used, part, (size_t)n);
        used += (size_t)n;
    }
    memcpy(out + used, ")", 2);
}

void dataset_uuid_text(const uint8_t uuid[16], char out[DATASET_UUID_BYTES]) {
    int used = 0;
    for (int i = 0; i < 16; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        used += snprintf(out + used, (size_t)(DATASET_UUID_BYTES - used), "%s%02x", dash, uuid[i]);
    }
}

void dataset_print_plain(const char *text) {
    for (; *text != '\0'; text++) {
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
    }
}

json_t *dataset_shape_json(const hr_field *field) {
    json_t *shape = json_array();
    for (uint32_t i = 0; i < field->rank; i++) {
        json_array_append_new(shape, json_out_uint(field->shape[i]));
    }
    return shape;
}

hr_dataset *dataset_open_or_report(const char *command, const char *path, uint64_t budget_bytes,
                                   int *code) {
    hr_open_options opts = HR_OPEN_OPTIONS_INIT;
    opts.budget_bytes = budget_bytes;
    hr_error err = {.message = ""};
    hr_dataset *ds = NULL;
    const hr_status st = hr_dataset_open(path, &opts, &ds, &err);
    if (st != HR_OK) {
        *code = report_status(command, st, &err);
        return NULL;
    }
    return ds;
}
