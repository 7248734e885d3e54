/*
 * Parts of a data set as texts. Names and numbers come from a file and may be anything it allows.
 */
#include "dataset_text.h"

#include "json_out.h"
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define SPARE_DESCRIPTORS 1200 /* a ring for each of up to 1,024 threads */

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

void dataset_dtype_text(const hr_field *field, char out[DATASET_DTYPE_BYTES]) {
    const bool sequence = field->element_dtype != 0;
    snprintf(out, DATASET_DTYPE_BYTES, "%s%s",
             hr_dtype_name(sequence ? field->element_dtype : field->dtype), sequence ? "[]" : "");
}

void dataset_uuid_text(const uint8_t uuid[16], char out[DATASET_UUID_BYTES]) {
    int used = 0;
    for (int i = 0; i < 16; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        used += snprintf(out + used, (size_t)(DATASET_UUID_BYTES - used), "%s%02x", dash, uuid[i]);
    }
}

json_t *dataset_shape_json(const hr_field *field) {
    json_t *shape = json_array();
    for (uint32_t i = 0; i < field->rank; i++) {
        json_array_append_new(shape, json_out_uint(field->shape[i]));
    }
    return shape;
}

void dataset_name_text(const hr_dataset *ds, char out[DATASET_NAME_BYTES]) {
    const uint32_t more = hr_dataset_num_files(ds) - 1;
    const int n = snprintf(out, DATASET_NAME_BYTES, "%s", hr_dataset_path(ds));
    if (more > 0 && n > 0 && n < DATASET_NAME_BYTES) {
        snprintf(out + n, DATASET_NAME_BYTES - (size_t)n, " and %" PRIu32 " more file%s", more,
                 more > 1 ? "s" : "");
    }
}

json_t *dataset_files_json(const hr_dataset *ds) {
    json_t *files = json_array();
    for (uint32_t i = 0; i < hr_dataset_num_files(ds); i++) {
        hr_file_info file = {.struct_bytes = sizeof file};
        if (hr_dataset_file(ds, i, &file, NULL) == HR_OK) {
            json_array_append_new(files, json_out_text(file.path));
        }
    }
    return files;
}

/* Two for each file, if it is read directly, and some for rings and outputs. This is the whole
 * process's limit, so only a program may raise it. */
static void allow_descriptors(size_t num_files) {
    struct rlimit limit;
    const rlim_t wanted = 2 * (rlim_t)num_files + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

hr_status dataset_open(const options_files *files, uint64_t budget_bytes, hr_dataset **out,
                       hr_error *err) {
    hr_open_options opts = HR_OPEN_OPTIONS_INIT;
    opts.budget_bytes = budget_bytes;
    allow_descriptors(files->count);
    return hr_dataset_open_many(files->paths, files->count, &opts, out, err);
}

hr_dataset *dataset_open_or_report(const char *command, const options_files *files,
                                   uint64_t budget_bytes, int *code) {
    hr_error err = {.message = ""};
    hr_dataset *ds = NULL;
    const hr_status st = dataset_open(files, budget_bytes, &ds, &err);
    if (st != HR_OK) {
        *code = report_status(command, st, &err);
        return NULL;
    }
    return ds;
}
