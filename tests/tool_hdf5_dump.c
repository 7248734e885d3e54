/*
 * For tests of HDF5 sources from outside: lists what hr__helper_sources_open() finds, or writes the
 * rows of one source as raw bytes; of values of variable length each behind its length, in 8 bytes.
 *     tool_hdf5_dump list FILE MEMBER
 *     tool_hdf5_dump rows FILE MEMBER INDEX OUT STEP [BUDGET_BYTES]
 * MEMBER "-": none. STEP: samples for each call of read. From the environment: FOLLOW, DENSE,
 * TIMEOUT_MS, MEMORY_BYTES. Prints one line of JSON; exit code 0, or 1 with the error as JSON.
 */
#include "budget.h"
#include "bytes.h"
#include "error.h"
#include "source.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t from_env(const char *name) {
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void print_and_free(json_t *j) {
    (void)json_dumpf(j, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(j);
}

static json_t *describe(const struct hr__source_info *i) {
    json_t *shape = json_array();
    for (uint32_t k = 0; k < i->rank; k++)
        (void)json_array_append_new(shape, json_integer((json_int_t)i->shape[k]));
    return json_pack("{s:s, s:s, s:s, s:i, s:o, s:I, s:I, s:I, s:i}", "member", i->member, "name",
                     i->default_name, "dtype", hr_dtype_name(i->dtype), "width",
                     (int)i->width_bytes, "shape", shape, "num_samples", (json_int_t)i->num_samples,
                     "sample_bytes", (json_int_t)i->sample_bytes, "granule",
                     (json_int_t)i->granule_samples, "max_readers", (int)i->max_readers);
}

static int failed(hr_status st, const hr_error *err) {
    print_and_free(json_pack("{s:s, s:s}", "status", hr_status_name(st), "message", err->message));
    return 1;
}

/* Reads all rows of src in steps; the first failure ends it. */
static hr_status write_rows(struct hr__source *src, struct hr__budget *budget, FILE *out,
                            uint64_t step, hr_error *err) {
    struct hr__source_reader *r = NULL;
    const struct hr__source_info *i = &src->info;
    size_t room = (size_t)(step * i->sample_bytes);
    hr_status st = HR_OK;
    uint8_t *rows = malloc(room + 1);
    if (rows == NULL)
        return hr__error_no_memory(err, room, "rows");
    HR_TRY(src->ops->open_reader(src, budget, NULL, &r, err));
    for (uint64_t at = 0; at < i->num_samples; at += step) {
        uint64_t n = i->num_samples - at < step ? i->num_samples - at : step;
        HR_TRY(src->ops->read(r, at, n, rows, err));
        if (fwrite(rows, 1, (size_t)(n * i->sample_bytes), out) != n * i->sample_bytes)
            HR_TRY(hr__error_set(err, HR_ERR_IO, "cannot write"));
    }
done:
    src->ops->close_reader(r);
    free(rows);
    return st;
}

/* One value behind its length. */
static bool write_value(const uint8_t *value, uint64_t n_bytes, FILE *out) {
    uint8_t length[8];
    hr__put_u64(length, n_bytes);
    return fwrite(length, 1, sizeof length, out) == sizeof length &&
           fwrite(value, 1, (size_t)n_bytes, out) == n_bytes;
}

/* The first n samples from `at` on. */
static hr_status write_some_values(struct hr__source *src, struct hr__source_reader *r, FILE *out,
                                   uint64_t at, uint64_t n, int64_t *offsets, hr_error *err) {
    uint8_t *values = NULL;
    hr_status st;
    HR_TRY(src->ops->read_values(r, at, n, offsets, NULL, 0, err));
    const uint64_t room = (uint64_t)offsets[n];
    values = malloc((size_t)room + 1);
    if (values == NULL)
        HR_TRY(hr__error_no_memory(err, room, "values"));
    HR_TRY(src->ops->read_values(r, at, n, offsets, values, room, err));
    for (uint64_t i = 0; i < n; i++)
        if (!write_value(values + offsets[i], (uint64_t)(offsets[i + 1] - offsets[i]), out))
            HR_TRY(hr__error_set(err, HR_ERR_IO, "cannot write"));
done:
    free(values);
    return st;
}

static hr_status write_values(struct hr__source *src, struct hr__budget *budget, FILE *out,
                              uint64_t step, hr_error *err) {
    struct hr__source_reader *r = NULL;
    const uint64_t num_samples = src->info.num_samples;
    hr_status st = HR_OK;
    int64_t *offsets = calloc((size_t)step + 1, sizeof *offsets);
    if (offsets == NULL)
        return hr__error_no_memory(err, step * sizeof *offsets, "offsets");
    HR_TRY(src->ops->open_reader(src, budget, NULL, &r, err));
    for (uint64_t at = 0; at < num_samples; at += step) {
        const uint64_t n = num_samples - at < step ? num_samples - at : step;
        HR_TRY(write_some_values(src, r, out, at, n, offsets, err));
    }
done:
    src->ops->close_reader(r);
    free(offsets);
    return st;
}

static int dump(struct hr__source **sources, uint32_t n, char **argv, int argc) {
    hr_error err = {.status = HR_OK};
    struct hr__budget budget;
    uint64_t index = strtoull(argv[4], NULL, 10), step = strtoull(argv[6], NULL, 10);
    hr__budget_init(&budget, argc > 7 ? strtoull(argv[7], NULL, 10) : UINT64_C(64) << 20);
    FILE *out = index < n && step > 0 ? fopen(argv[5], "wb") : NULL;
    if (out == NULL)
        return 2;
    hr_status st = sources[index]->ops->read_values != NULL
                       ? write_values(sources[index], &budget, out, step, &err)
                       : write_rows(sources[index], &budget, out, step, &err);
    int rc = fclose(out);
    if (st != HR_OK)
        return failed(st, &err);
    print_and_free(describe(&sources[index]->info));
    return rc != 0 || budget.reserved_bytes != 0 ? 3 : 0;
}

static void list(struct hr__source **sources, uint32_t n) {
    json_t *all = json_array();
    for (uint32_t i = 0; i < n; i++)
        (void)json_array_append_new(all, describe(&sources[i]->info));
    print_and_free(all);
}

int main(int argc, char **argv) {
    if (argc < 4 || (strcmp(argv[1], "list") != 0 && argc < 7))
        return 2;
    hr_error err = {.status = HR_OK};
    struct hr__helper_options opts = {.follow_external = from_env("FOLLOW") != 0,
                                      .sparse = from_env("DENSE") != 0 ? HR_SPARSE_DENSE
                                                                       : HR_SPARSE_REFUSE,
                                      .timeout_ns = (int64_t)from_env("TIMEOUT_MS") * 1000000,
                                      .memory_bytes = from_env("MEMORY_BYTES"),
                                      .max_helpers = 4};
    struct hr__source **sources = NULL;
    uint32_t n = 0;
    const char *member = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
    hr_status st = hr__helper_sources_open(argv[2], member, &opts, &sources, &n, &err);
    if (st != HR_OK)
        return failed(st, &err);
    int rc = 0;
    if (strcmp(argv[1], "list") == 0)
        list(sources, n);
    else
        rc = dump(sources, n, argv, argc);
    for (uint32_t i = 0; i < n; i++)
        sources[i]->ops->close(sources[i]);
    free(sources);
    return rc;
}
