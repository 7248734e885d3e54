/*
 * headrace info: what is in a file. Storage and reasons come from the footer's JSON.
 */
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "info_lengths.h"
#include "info_why.h"
#include "json_out.h"
#include "options.h"
#include "plain.h"
#include "report.h"
#include "sizes.h"
#include "text_table.h"

#include "headrace/loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: headrace info FILE... [OPTIONS]\n"
    "Shows fields, how they are stored and why, statistics, and what a loader needs.\n"
    "Several files are one data set; how it is stored is told of the first.\n"
    "\n"
    "      --budget SIZE   memory of the loader that is planned\n"
    "      --threads N     its decode workers\n"
    "      --why           what was tried for each field, and why one was chosen\n"
    "      --json          as JSON\n"
    "  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace info train.hrd\n";

enum { OPT_BUDGET = OPTIONS_LONG, OPT_THREADS, OPT_WHY, OPT_JSON };

static const struct option table[] = {
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"why", no_argument, NULL, OPT_WHY},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct info_view {
    hr_dataset *ds;
    json_t *footer; /* parsed, or NULL */
    bool why;
    hr_dataset_info info;
    hr_loader_plan plan;
    hr_status plan_status;
    hr_error plan_error;
} info_view;

static json_t *footer_field(const info_view *v, uint32_t index) {
    return json_array_get(json_object_get(v->footer, "fields"), index);
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double ratio_of(const hr_dataset_info *i) {
    return i->file_bytes > 0 ? (double)i->decoded_bytes / (double)i->file_bytes : 0;
}

static json_t *statistics_json(const hr_statistics *s) {
    if (!s->valid) {
        return json_null();
    }
    json_t *out = json_pack("{s:o, s:o, s:o, s:o}", "values", json_out_uint(s->num_values), "zeros",
                            json_out_uint(s->num_zeros), "nan", json_out_uint(s->num_nan), "inf",
                            json_out_uint(s->num_inf));
    json_object_set_new(out, "first_nan_sample",
                        s->num_nan > 0 ? json_out_uint(s->first_nan_sample) : json_null());
    json_object_set_new(out, "first_inf_sample",
                        s->num_inf > 0 ? json_out_uint(s->first_inf_sample) : json_null());
    if (s->has_moments) {
        json_object_set_new(out, "min", json_out_real(s->min));
        json_object_set_new(out, "max", json_out_real(s->max));
        json_object_set_new(out, "mean", json_out_real(s->mean));
        json_object_set_new(out, "std", json_out_real(s->std));
    }
    if (s->has_labels) {
        json_object_set_new(out, "longest_run_samples", json_out_uint(s->longest_run_samples));
        json_object_set_new(out, "distinct", json_out_uint(s->num_distinct));
        json_object_set_new(out, "distinct_overflow", json_boolean(s->distinct_overflow));
        json_object_set_new(out, "looks_sorted", json_boolean(s->looks_sorted));
    }
    return out;
}

static json_t *field_json(const info_view *v, uint32_t index) {
    hr_field field = {0};
    hr_statistics stats = {.struct_bytes = sizeof stats};
    if (hr_dataset_field(v->ds, index, &field, NULL) != HR_OK ||
        hr_dataset_statistics(v->ds, index, &stats, NULL) != HR_OK) {
        return NULL;
    }
    const json_t *in = footer_field(v, index);
    const char *element = field.element_dtype != 0 ? hr_dtype_name(field.element_dtype) : NULL;
    return json_pack("{s:s, s:s, s:s?, s:I, s:o, s:o, s:O?, s:O?, s:o, s:o}", "name", field.name,
                     "dtype", hr_dtype_name(field.dtype), "element_dtype", element, "width_bytes",
                     (json_int_t)field.width_bytes, "shape", dataset_shape_json(&field),
                     "sample_bytes", json_out_uint(hr_dataset_sample_bytes(v->ds, index)),
                     "storage", json_object_get(in, "storage"), "attributes",
                     json_object_get(in, "attributes"), "statistics", statistics_json(&stats),
                     "lengths", info_lengths_json(v->ds, index));
}

static json_t *files_json(const info_view *v) {
    json_t *files = json_array();
    for (uint32_t k = 0; k < hr_dataset_num_files(v->ds); k++) {
        hr_file_info f = {.struct_bytes = sizeof f};
        char uuid[DATASET_UUID_BYTES];
        if (hr_dataset_file(v->ds, k, &f, NULL) != HR_OK) {
            continue;
        }
        dataset_uuid_text(f.uuid, uuid);
        json_array_append_new(
            files,
            json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file",
                      json_out_text(f.path), "uuid", uuid, "commit", json_out_uint(f.commit_seq),
                      "first_sample", json_out_uint(f.first_sample), "samples",
                      json_out_uint(f.num_samples), "chunks", json_out_uint(f.num_chunks),
                      "segments", json_out_uint(f.num_segments), "file_bytes",
                      json_out_uint(f.file_bytes), "dead_bytes", json_out_uint(f.dead_bytes)));
    }
    return files;
}

static int print_json(const info_view *v) {
    const hr_dataset_info *i = &v->info;
    char uuid[DATASET_UUID_BYTES];
    dataset_uuid_text(i->uuid, uuid);
    json_t *fields = json_array();
    for (uint32_t k = 0; k < hr_dataset_num_fields(v->ds); k++) {
        json_array_append_new(fields, field_json(v, k));
    }
    const hr_loader_plan *p = &v->plan;
    json_t *loader =
        v->plan_status != HR_OK
            ? json_null()
            : json_pack("{s:i, s:b, s:I, s:o, s:o, s:b, s:o}", "batch", 256, "shuffle", 1, "window",
                        (json_int_t)p->window_visits, "peak_bytes", json_out_uint(p->peak_bytes),
                        "smallest_budget_bytes", json_out_uint(p->smallest_reopen_bytes), "fits",
                        (int)p->fits, "inflation", json_out_real(p->inflation));
    return json_out_print(
        "info",
        json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:O?, s:O?, "
                  "s:o}",
                  "file", json_out_text(hr_dataset_path(v->ds)), "files", files_json(v), "uuid",
                  uuid, "commit", json_out_uint(i->commit_seq), "samples",
                  json_out_uint(i->num_samples), "chunks", json_out_uint(i->num_chunks),
                  "samples_per_chunk", (json_int_t)i->samples_per_chunk, "segments",
                  json_out_uint(i->num_segments), "decoded_bytes", json_out_uint(i->decoded_bytes),
                  "file_bytes", json_out_uint(i->file_bytes), "dead_bytes",
                  json_out_uint(i->dead_bytes), "ratio", json_out_real(ratio_of(i)), "fields",
                  fields, "attributes", json_object_get(v->footer, "attributes"), "provenance",
                  json_object_get(v->footer, "provenance"), "loader", loader),
        JSON_OUT_EXACT);
}

/* "zstd + bit-shuffle" */
static void storage_text(const json_t *storage, char *out, size_t room_bytes) {
    const char *filter = text_of(storage, "filter");
    const bool filtered = filter[0] != '\0' && strcmp(filter, "none") != 0;
    snprintf(out, room_bytes, "%.40s%s%.40s", text_of(storage, "codec"), filtered ? " + " : "",
             filtered ? filter : "");
}

static void print_fields(const info_view *v) {
    const bool many = v->info.num_files > 1;
    text_table list = {.num_columns = 5, .left = 1 | 2 | 4 | 16};
    text_table_add(&list, (const char *[]){"field", "dtype", "shape", "decoded",
                                           many ? "stored in the first file as" : "stored as"});
    for (uint32_t k = 0; k < hr_dataset_num_fields(v->ds); k++) {
        hr_field field = {0};
        if (hr_dataset_field(v->ds, k, &field, NULL) != HR_OK) {
            continue;
        }
        char shape[DATASET_SHAPE_BYTES], dtype[DATASET_DTYPE_BYTES], storage[128];
        dataset_shape_text(&field, shape);
        dataset_dtype_text(&field, dtype);
        storage_text(json_object_get(footer_field(v, k), "storage"), storage, sizeof storage);
        const sizes_text decoded = sizes_bytes(info_decoded_bytes(v->ds, k));
        text_table_add(&list, (const char *[]){field.name, dtype, shape, decoded.text, storage});
    }
    text_table_print(&list);
}

static void print_statistics(const info_view *v) {
    text_table list = {.num_columns = 8, .left = 1};
    text_table_add(&list,
                   (const char *[]){"field", "min", "max", "mean", "std", "zeros", "NaN", "Inf"});
    for (uint32_t k = 0; k < hr_dataset_num_fields(v->ds); k++) {
        hr_field field = {0};
        hr_statistics s = {.struct_bytes = sizeof s};
        if (hr_dataset_field(v->ds, k, &field, NULL) != HR_OK ||
            hr_dataset_statistics(v->ds, k, &s, NULL) != HR_OK || !s.valid) {
            continue;
        }
        const double figures[] = {s.min, s.max, s.mean, s.std};
        char texts[4][32];
        for (int f = 0; f < 4; f++) {
            snprintf(texts[f], sizeof texts[f], s.has_moments ? "%.6g" : "-", figures[f]);
        }
        const sizes_text zeros = sizes_count(s.num_zeros), nan = sizes_count(s.num_nan),
                         inf = sizes_count(s.num_inf);
        text_table_add(&list, (const char *[]){field.name, texts[0], texts[1], texts[2], texts[3],
                                               zeros.text, nan.text, inf.text});
    }
    text_table_print(&list);
}

static void print_warnings(const info_view *v) {
    for (uint32_t k = 0; k < hr_dataset_num_fields(v->ds); k++) {
        hr_field field = {0};
        hr_statistics s = {.struct_bytes = sizeof s};
        if (hr_dataset_field(v->ds, k, &field, NULL) != HR_OK ||
            hr_dataset_statistics(v->ds, k, &s, NULL) != HR_OK) {
            continue;
        }
        if (s.num_nan > 0) {
            plain_printf("warning: '%s' has NaN, first in sample %" PRIu64 "\n", field.name,
                         s.first_nan_sample);
        }
        if (s.num_inf > 0) {
            plain_printf("warning: '%s' has Inf, first in sample %" PRIu64 "\n", field.name,
                         s.first_inf_sample);
        }
        if (s.looks_sorted) {
            plain_printf(
                "warning: '%s' looks like sorted labels (%s values, longest run %s): train "
                "shuffled, better after convert --shuffle\n",
                field.name, sizes_count(s.num_distinct).text,
                sizes_count(s.longest_run_samples).text);
        }
    }
}

/* Its provenance may be anything that JSON can hold. */
static void print_shuffle(const info_view *v) {
    const json_t *shuffle = json_object_get(json_object_get(v->footer, "provenance"), "shuffle");
    const char *index = text_of(shuffle, "index_field");
    if (!json_is_object(shuffle)) {
        return;
    }
    fputs("shuffled as it was made: ", stdout);
    plain_put(text_of(shuffle, "name"), stdout);
    printf("/%lld, seed ", (long long)json_integer_value(json_object_get(shuffle, "version")));
    plain_put(text_of(shuffle, "seed"), stdout);
    if (index[0] != '\0') {
        fputs("; each sample's index before it is the field '", stdout);
        plain_put(index, stdout);
        putchar('\'');
    }
    putchar('\n');
}

static void print_files(const info_view *v) {
    text_table list = {.num_columns = 6, .left = 32};
    text_table_add(&list,
                   (const char *[]){"first sample", "samples", "chunks", "stored", "dead", "file"});
    for (uint32_t k = 0; k < hr_dataset_num_files(v->ds); k++) {
        hr_file_info f = {.struct_bytes = sizeof f};
        if (hr_dataset_file(v->ds, k, &f, NULL) != HR_OK) {
            continue;
        }
        const sizes_text first = sizes_count(f.first_sample), samples = sizes_count(f.num_samples),
                         chunks = sizes_count(f.num_chunks), stored = sizes_bytes(f.file_bytes),
                         dead = sizes_bytes(f.dead_bytes);
        text_table_add(&list, (const char *[]){first.text, samples.text, chunks.text, stored.text,
                                               dead.text, f.path});
    }
    text_table_print(&list);
}

static int print_text(const info_view *v) {
    const hr_dataset_info *i = &v->info;
    const bool one = i->num_files == 1;
    char uuid[DATASET_UUID_BYTES], name[DATASET_NAME_BYTES];
    dataset_uuid_text(i->uuid, uuid);
    dataset_name_text(v->ds, name);
    plain_printf("%s: %s in %s of %s\n", name, sizes_of(i->num_samples, "sample").text,
                 sizes_of(i->num_chunks, "chunk").text, sizes_count(i->samples_per_chunk).text);
    printf("%s decoded, %s in the %s (ratio %.2f), %s dead\n", sizes_bytes(i->decoded_bytes).text,
           sizes_bytes(i->file_bytes).text, one ? "file" : "files", ratio_of(i),
           sizes_bytes(i->dead_bytes).text);
    if (one) {
        printf("UUID %s, commit %" PRIu64 "\n", uuid, i->commit_seq);
        print_shuffle(v);
    } else {
        print_files(v);
    }
    print_fields(v);
    print_statistics(v);
    info_lengths_print(v->ds);
    if (v->why) {
        info_why_print(v->ds, v->footer);
    }
    putchar('\n');
    print_warnings(v);
    if (v->plan_status == HR_OK) {
        /* Opening may take more than the loader, for as long as the schema is parsed. */
        const uint64_t least = v->plan.smallest_reopen_bytes;
        const uint64_t memory_bytes = least > v->plan.peak_bytes ? least : v->plan.peak_bytes;
        printf("a shuffled loader of batches of 256: window %u, inflation %.3f,\n"
               "%s of memory (at least %s)\n",
               v->plan.window_visits, v->plan.inflation, sizes_bytes(memory_bytes).text,
               sizes_bytes(least).text);
    } else {
        plain_printf("no loader: %s\n", v->plan_error.message);
    }
    return EXIT_DONE;
}

static int run(const options_files *files, const hr_loader_options *opts, bool json, bool why) {
    int code = EXIT_FAILED;
    info_view v = {.ds = dataset_open_or_report("info", files, 0, &code), .why = why};
    if (v.ds == NULL) {
        return code;
    }
    hr_error err = {.message = ""};
    v.info.struct_bytes = sizeof v.info;
    v.plan.struct_bytes = sizeof v.plan;
    const hr_status st = hr_dataset_describe(v.ds, &v.info, &err);
    if (st != HR_OK) {
        code = report_status("info", st, &err);
    } else {
        v.plan_status = hr_loader_plan_make(v.ds, opts, &v.plan, &v.plan_error);
        v.footer = json_loads(hr_dataset_json(v.ds), 0, NULL);
        code = json ? print_json(&v) : print_text(&v);
        json_decref(v.footer);
    }
    hr_dataset_close(v.ds);
    return code;
}

int cmd_info(int argc, char **argv) {
    const options o = {"info", argc, argv, table, ":h"};
    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.batch_samples = 256;
    opts.flags = HR_LOADER_SHUFFLE;
    bool json = false, why = false;
    for (int value; (value = options_next(&o)) != OPTIONS_END;) {
        bool good = value != OPTIONS_BAD;
        if (value == OPT_BUDGET) {
            good = options_size(&o, "budget", &opts.budget_bytes);
        } else if (value == OPT_THREADS) {
            good = options_uint32(&o, "threads", 1, 1024, &opts.num_threads);
        }
        if (!good) {
            return EXIT_USAGE;
        }
        if (value == 'h') {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        json |= value == OPT_JSON;
        why |= value == OPT_WHY;
    }
    options_files files;
    return options_take_files(&o, &files) ? run(&files, &opts, json, why) : EXIT_USAGE;
}
