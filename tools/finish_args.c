/*
 * Finishing on the command line. Which types and shapes go together, the library decides.
 */
#include "finish_args.h"

#include "args.h"
#include "json_out.h"
#include "plain.h"
#include "report.h"
#include "sizes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_WORDS 8

static bool take_word(const options *o, const char *word, hr_finish *f) {
    if (strcmp(word, "chw") == 0) {
        f->flags |= HR_FINISH_CHW;
    } else if (strcmp(word, "standardize") == 0) {
        f->flags |= HR_FINISH_STANDARDIZE;
    } else if (hr_dtype_from_name(word, &f->dtype, NULL) != HR_OK) {
        report_usage(o->command,
                     "--finish: '%s' is no dtype, nor chw or standardize; write "
                     "image=float16,chw,standardize",
                     word);
        return false;
    }
    return true;
}

static hr_finish *entry_of(finish_args *a, const char *field) {
    for (uint32_t i = 0; i < a->count; i++) {
        if (strcmp(a->entries[i].field, field) == 0) {
            return &a->entries[i];
        }
    }
    return NULL;
}

static hr_finish *entry_add(const char *command, finish_args *a, const char *field) {
    if (a->count == FINISH_ARGS_MAX) {
        report_usage(command, "more than %d fields to finish or to check", FINISH_ARGS_MAX);
        return NULL;
    }
    hr_finish *f = &a->entries[a->count++];
    *f = (hr_finish)HR_FINISH_INIT;
    f->field = field;
    return f;
}

bool finish_args_take(const options *o, finish_args *a) {
    const char *words[MOST_WORDS];
    uint32_t count = 0;
    args_error err;
    char *equals = strrchr(optarg, '='); /* names of fields may have one */
    if (equals == NULL || equals == optarg) {
        report_usage(o->command, "--finish %s: write FIELD=DTYPE[,chw][,standardize]", optarg);
        return false;
    }
    *equals = '\0';
    if (!args_list(equals + 1, words, MOST_WORDS, &count, &err)) {
        report_usage(o->command, "--finish: %s", err.message);
        return false;
    }
    hr_finish *f = entry_add(o->command, a, optarg);
    for (uint32_t i = 0; f != NULL && i < count; i++) {
        if (!take_word(o, words[i], f)) {
            return false;
        }
    }
    return f != NULL;
}

static bool is_floating(hr_dtype t) {
    return t == HR_FLOAT16 || t == HR_BFLOAT16 || t == HR_FLOAT32 || t == HR_FLOAT64;
}

/* Fields that the loader delivers, and the name of one. */
static uint32_t num_delivered(const hr_dataset *ds, const hr_loader_options *opts) {
    return opts->num_fields != 0 ? opts->num_fields : hr_dataset_num_fields(ds);
}

static bool delivered(const hr_dataset *ds, const hr_loader_options *opts, uint32_t i,
                      hr_field *out) {
    uint32_t field = i;
    return (opts->num_fields == 0 ||
            hr_dataset_find_field(ds, opts->fields[i], &field, NULL) == HR_OK) &&
           hr_dataset_field(ds, field, out, NULL) == HR_OK;
}

static bool add_check(const char *command, finish_args *a, const hr_field *field) {
    hr_finish *f = entry_of(a, field->name);
    if (!is_floating(f != NULL && f->dtype != 0 ? f->dtype : field->dtype)) {
        return true;
    }
    if (f == NULL) {
        f = entry_add(command, a, field->name);
    }
    if (f != NULL) {
        f->flags |= HR_FINISH_CHECK_FINITE;
    }
    return f != NULL;
}

bool finish_args_apply(const char *command, finish_args *a, const hr_dataset *ds,
                       hr_loader_options *opts) {
    for (uint32_t i = 0; a->check_finite && i < num_delivered(ds, opts); i++) {
        hr_field field;
        if (delivered(ds, opts, i, &field) && !add_check(command, a, &field)) {
            return false;
        }
    }
    opts->finish = a->count > 0 ? a->entries : NULL;
    opts->num_finish = a->count;
    return true;
}

/* What is known of a field that was checked. */
static bool found(hr_loader *loader, uint32_t i, hr_bad_values *out) {
    *out = (hr_bad_values){.struct_bytes = sizeof *out};
    return hr_loader_bad_values(loader, i, out, NULL) == HR_OK && out->checked != 0;
}

void finish_args_print(const hr_dataset *ds, const hr_loader_options *opts, hr_loader *loader) {
    uint32_t checked = 0, clean = 0;
    for (uint32_t i = 0; i < num_delivered(ds, opts); i++) {
        hr_field field;
        hr_bad_values bad;
        if (!found(loader, i, &bad) || !delivered(ds, opts, i, &field)) {
            continue;
        }
        checked++;
        clean += bad.num_nan + bad.num_inf == 0;
        if (bad.num_nan + bad.num_inf > 0) {
            plain_printf("field %s: %s NaN, %s infinite; the first in sample %" PRIu64
                         ", row %u of batch %" PRIu64 " of epoch %" PRIu64 "\n",
                         field.name, sizes_count(bad.num_nan).text, sizes_count(bad.num_inf).text,
                         bad.first_sample, bad.first_row, bad.first_batch, bad.first_epoch);
        }
    }
    if (clean > 0) {
        printf("all values are finite in %u of %u fields checked\n", clean, checked);
    }
}

json_t *finish_args_json(const hr_dataset *ds, const hr_loader_options *opts, hr_loader *loader) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < num_delivered(ds, opts); i++) {
        hr_field field;
        hr_bad_values bad;
        if (!found(loader, i, &bad) || !delivered(ds, opts, i, &field)) {
            continue;
        }
        const bool any = bad.num_nan + bad.num_inf > 0;
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "field", json_out_text(field.name),
                      "nan", json_out_uint(bad.num_nan), "inf", json_out_uint(bad.num_inf),
                      "first_sample", any ? json_out_uint(bad.first_sample) : json_null(),
                      "first_epoch", any ? json_out_uint(bad.first_epoch) : json_null(),
                      "first_batch", any ? json_out_uint(bad.first_batch) : json_null(),
                      "first_row", any ? json_out_uint(bad.first_row) : json_null()));
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}
