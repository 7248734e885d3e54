/*
 * headrace compare: drives hr_compare(), and says where two sets of arrays differ.
 */
#include "args.h"
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "json_out.h"
#include "options.h"
#include "plain.h"
#include "progress.h"
#include "report.h"
#include "sizes.h"
#include "value_text.h"

#include "headrace/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: headrace compare A B [OPTIONS]\n"
    "Are the arrays in A and B equal, bit for bit? Each is a .hrd file, .npy, .npz,\n"
    "HDF5 (also FILE.h5:/path), or a folder or pattern of these. Fields go by name.\n"
    "\n"
    "      --fields A,B         only these\n"
    "      --show N             differences shown of each field (default 10)\n"
    "      --follow-external    HDF5 links and parts outside the file's folder\n"
    "      --helpers N          processes that read one HDF5 file\n"
    "      --helper-timeout T   longest silence of one (default 60s)\n"
    "      --helper-memory SIZE  what one may use\n"
    "      --budget SIZE        memory\n"
    "      --threads N          that read and decode (default: one per core)\n"
    "      --json               the findings as JSON\n"
    "      --quiet              only the exit code\n"
    "  -h, --help\n"
    "\n"
    "Exit code 0: equal. 4: different.\n"
    "\n"
    "Example:\n"
    "  headrace compare train.hrd train.h5\n";

enum {
    OPT_FIELDS = OPTIONS_LONG,
    OPT_SHOW,
    OPT_FOLLOW,
    OPT_HELPERS,
    OPT_HELPER_TIMEOUT,
    OPT_HELPER_MEMORY,
    OPT_BUDGET,
    OPT_THREADS,
    OPT_JSON,
    OPT_QUIET
};

static const struct option table[] = {
    {"fields", required_argument, NULL, OPT_FIELDS},
    {"show", required_argument, NULL, OPT_SHOW},
    {"follow-external", no_argument, NULL, OPT_FOLLOW},
    {"helpers", required_argument, NULL, OPT_HELPERS},
    {"helper-timeout", required_argument, NULL, OPT_HELPER_TIMEOUT},
    {"helper-memory", required_argument, NULL, OPT_HELPER_MEMORY},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct compare_job {
    hr_compare_options opts;
    const char *names[ARGS_MAX_LIST];
    bool json, quiet, help;
    progress bar;
    json_t *fields;
} compare_job;

static bool take_fields(const options *o, compare_job *job) {
    args_error err;
    job->opts.fields = job->names;
    if (args_list(optarg, job->names, ARGS_MAX_LIST, &job->opts.num_fields, &err)) {
        return true;
    }
    report_usage(o->command, "--fields: %s", err.message);
    return false;
}

static bool take_option(const options *o, int value, compare_job *job) {
    switch (value) {
    case OPT_FIELDS:
        return take_fields(o, job);
    case OPT_SHOW:
        return options_uint32(o, "show", 1, 4096, &job->opts.max_differences);
    case OPT_HELPERS:
        return options_uint32(o, "helpers", 1, 1024, &job->opts.num_helpers);
    case OPT_HELPER_TIMEOUT:
        return options_duration(o, "helper-timeout", &job->opts.helper_timeout_ns);
    case OPT_HELPER_MEMORY:
        return options_size(o, "helper-memory", &job->opts.helper_memory_bytes);
    case OPT_BUDGET:
        return options_size(o, "budget", &job->opts.budget_bytes);
    case OPT_THREADS:
        return options_uint32(o, "threads", 1, 1024, &job->opts.num_threads);
    default:
        job->opts.flags |= value == OPT_FOLLOW ? HR_CONVERT_FOLLOW_EXTERNAL : 0;
        job->json |= value == OPT_JSON;
        job->quiet |= value == OPT_QUIET;
        job->help |= value == 'h';
        return true;
    }
}

static bool take_arguments(const options *o, compare_job *job) {
    for (int value; (value = options_next(o)) != OPTIONS_END;) {
        if (value == OPTIONS_BAD || !take_option(o, value, job)) {
            return false;
        }
        if (job->help) {
            return true;
        }
    }
    options_files files;
    if (!options_take_files(o, &files)) {
        return false;
    }
    if (files.count != 2) {
        report_usage(o->command, "%s given; name two", sizes_of(files.count, "file").text);
        return false;
    }
    job->opts.a = files.paths[0];
    job->opts.b = files.paths[1];
    return true;
}

/* --- one field ------------------------------------------------------------------------------ */

/* Where an element stands in its sample: one index for each axis. */
static void find_position(const hr_field *field, uint64_t element, uint64_t *position) {
    for (uint32_t i = field->rank; i > 0; i--) {
        const uint64_t n = field->shape[i - 1];
        position[i - 1] = n > 0 ? element % n : 0;
        element = n > 0 ? element / n : 0;
    }
}

/* Numbers of a sequence, as many as were kept. */
static value_text sequence_text(hr_dtype dtype, const uint8_t *bytes, uint32_t n_bytes) {
    const uint32_t width = hr_dtype_bytes(dtype);
    value_text all = {.text = "["};
    for (uint32_t at = 0; at + width <= n_bytes; at += width) {
        const value_text one = value_text_of(dtype, width, bytes + at, true, VALUE_EXACT);
        const size_t used = strlen(all.text);
        if (used + strlen(one.text) + sizeof " ...]" > sizeof all.text) {
            strcat(all.text, " ...");
            break;
        }
        snprintf(all.text + used, sizeof all.text - used, "%s%s", at > 0 ? " " : "", one.text);
    }
    strcat(all.text, "]");
    return all;
}

static value_text side_text(const hr_field *field, const uint8_t *bytes, uint32_t n_bytes) {
    if (field->element_dtype != 0) {
        return sequence_text(field->element_dtype, bytes, n_bytes);
    }
    return value_text_of(field->dtype, n_bytes, bytes, true, VALUE_EXACT);
}

static json_t *side_json(const hr_field *field, uint64_t num_samples) {
    if (field == NULL) {
        return json_null();
    }
    const char *element = field->element_dtype != 0 ? hr_dtype_name(field->element_dtype) : NULL;
    return json_pack("{s:o, s:s, s:s?, s:I, s:o, s:o}", "name", json_out_text(field->name), "dtype",
                     hr_dtype_name(field->dtype), "element_dtype", element, "width_bytes",
                     (json_int_t)value_width(field), "shape", dataset_shape_json(field), "samples",
                     json_out_uint(num_samples));
}

static json_t *difference_json(const hr_field *field, const hr_difference *d) {
    uint64_t position[HR_MAX_RANK];
    json_t *list = json_array();
    find_position(field, d->element, position);
    for (uint32_t i = 0; i < field->rank; i++) {
        json_array_append_new(list, json_out_uint(position[i]));
    }
    return json_pack("{s:o, s:o, s:I, s:o, s:o}", "sample", json_out_uint(d->sample), "position",
                     list, "first_byte", (json_int_t)d->first_byte, "a",
                     json_out_text(side_text(field, d->a, d->a_bytes).text), "b",
                     json_out_text(side_text(field, d->b, d->b_bytes).text));
}

static const struct {
    uint32_t bit;
    const char *word;
} words[] = {{HR_DIFFERS_VALUES, "values"},    {HR_DIFFERS_DTYPE, "dtype"},
             {HR_DIFFERS_SHAPE, "shape"},      {HR_DIFFERS_SAMPLES, "samples"},
             {HR_DIFFERS_ONLY_A, "only in a"}, {HR_DIFFERS_ONLY_B, "only in b"}};

static json_t *field_json(const hr_compared_field *f) {
    json_t *differs = json_array(), *differences = json_array();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((f->differs & words[i].bit) != 0) {
            json_array_append_new(differs, json_string(words[i].word));
        }
    }
    for (uint32_t i = 0; i < f->num_differences; i++) {
        json_array_append_new(differences, difference_json(f->a, &f->differences[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "a", side_json(f->a, f->num_samples_a),
                     "b", side_json(f->b, f->num_samples_b), "differs", differs, "compared_samples",
                     json_out_uint(f->compared_samples), "elements", json_out_uint(f->num_elements),
                     "different", json_out_uint(f->num_different), "differences", differences);
}

static void print_difference(const hr_compared_field *f, const hr_difference *d) {
    uint64_t position[HR_MAX_RANK];
    find_position(f->a, d->element, position);
    printf("    [%" PRIu64, d->sample);
    for (uint32_t i = 0; i < f->a->rank; i++) {
        printf(", %" PRIu64, position[i]);
    }
    printf("]: ");
    if (d->first_byte > 0) {
        printf("from byte %" PRIu64 " on ", d->first_byte);
    }
    printf("%s and %s\n", side_text(f->a, d->a, d->a_bytes).text,
           side_text(f->b, d->b, d->b_bytes).text);
}

static void print_type(const hr_field *field) {
    char shape[DATASET_SHAPE_BYTES];
    dataset_shape_text(field, shape);
    if (field->element_dtype != 0) {
        printf("%s[]", hr_dtype_name(field->element_dtype));
        return;
    }
    printf("%s", hr_dtype_name(field->dtype));
    if (field->dtype == HR_FIXED_BYTES || field->dtype == HR_FIXED_UTF8) {
        printf(" of %" PRIu32 " bytes", field->width_bytes);
    }
    printf(" %s", shape);
}

static void print_values(const hr_compared_field *f) {
    printf(", %s of %s elements differ%s\n", sizes_count(f->num_different).text,
           sizes_count(f->num_elements).text,
           f->num_different > f->num_differences ? "; the first are" : "");
    for (uint32_t i = 0; i < f->num_differences; i++) {
        print_difference(f, &f->differences[i]);
    }
}

static void print_field(const compare_job *job, const hr_compared_field *f) {
    const uint32_t types = HR_DIFFERS_DTYPE | HR_DIFFERS_SHAPE;
    plain_put(f->a != NULL ? f->a->name : f->b->name, stdout);
    if (f->a == NULL || f->b == NULL) {
        plain_printf(": only in %s\n", f->b == NULL ? job->opts.a : job->opts.b);
        return;
    }
    printf(": ");
    print_type(f->a);
    if ((f->differs & types) != 0) {
        printf(" and ");
        print_type(f->b);
    }
    if ((f->differs & HR_DIFFERS_SAMPLES) != 0) {
        printf(", %s and %s samples", sizes_count(f->num_samples_a).text,
               sizes_count(f->num_samples_b).text);
    }
    if ((f->differs & HR_DIFFERS_VALUES) != 0) {
        print_values(f);
    } else if (f->differs == 0) {
        printf(", equal\n");
    } else {
        printf("%s\n", (f->differs & types) != 0 ? "" : ", equal as far as both have them");
    }
}

static void on_field(void *user, const hr_compared_field *f) {
    compare_job *job = user;
    if (job->json) {
        json_array_append_new(job->fields, field_json(f));
    } else if (!job->quiet) {
        progress_clear(&job->bar);
        print_field(job, f);
    }
}

/* --- the whole ------------------------------------------------------------------------------ */

static int on_progress(void *user, const hr_progress *now) {
    compare_job *job = user;
    progress_draw(&job->bar, now->done_bytes, now->total_bytes);
    return interrupt_seen();
}

static int print_result(compare_job *job, const hr_compare_result *r) {
    const int code = r->equal ? EXIT_DONE : EXIT_DIFFERENT;
    if (job->json) {
        const int printed = json_out_print(
            "compare",
            json_pack("{s:o, s:o, s:b, s:O, s:o, s:o}", "a", json_out_text(job->opts.a), "b",
                      json_out_text(job->opts.b), "equal", (int)r->equal, "fields", job->fields,
                      "bytes", json_out_uint(r->compared_bytes), "seconds",
                      json_out_seconds(r->elapsed_ns)),
            JSON_OUT_MEASURED);
        return printed == EXIT_DONE ? code : printed;
    }
    if (!job->quiet && r->equal) {
        printf("equal: %s, %s compared in %s\n", r->num_fields == 1 ? "one field" : "all fields",
               sizes_bytes(r->compared_bytes).text, sizes_duration(r->elapsed_ns).text);
    } else if (!job->quiet) {
        printf("different: %" PRIu32 " of %" PRIu32 " field%s, %s compared in %s\n",
               r->num_different, r->num_fields, r->num_fields == 1 ? "" : "s",
               sizes_bytes(r->compared_bytes).text, sizes_duration(r->elapsed_ns).text);
    }
    return code;
}

static int run_job(compare_job *job) {
    hr_error err = {.message = ""};
    hr_compare_result result = {.struct_bytes = sizeof result};
    job->opts.user = job;
    job->opts.on_progress = on_progress;
    job->opts.on_field = on_field;
    job->fields = json_array();
    job->bar = progress_begin("compare", job->quiet);
    interrupt_watch();
    const hr_status st = hr_compare(&job->opts, &result, &err);
    progress_clear(&job->bar);
    const int code = st == HR_OK ? print_result(job, &result) : report_status("compare", st, &err);
    json_decref(job->fields);
    return code;
}

int cmd_compare(int argc, char **argv) {
    const options o = {"compare", argc, argv, table, ":h"};
    compare_job job = {.opts = HR_COMPARE_OPTIONS_INIT};
    if (!take_arguments(&o, &job)) {
        return EXIT_USAGE;
    }
    if (job.help) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    return run_job(&job);
}
