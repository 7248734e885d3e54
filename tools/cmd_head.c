/*
 * headrace head: a few samples, as a person wants to see them.
 */
#include "args.h"
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "head_job.h"
#include "head_json.h"
#include "head_numbers.h"
#include "json_out.h"
#include "options.h"
#include "output_path.h"
#include "plain.h"
#include "report.h"
#include "sizes.h"
#include "value_text.h"

#include "headrace/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_SAMPLES 1000

static const char help[] =
    "Usage: headrace head FILE... [OPTIONS]\n"
    "Shows the first samples: numbers aligned, texts as texts, and on a terminal with\n"
    "colours images as images.\n"
    "\n"
    "  -n, --count N       so many samples (default 5)\n"
    "      --from I        beginning with sample I (default 0)\n"
    "      --fields A,B    only these\n"
    "      --numbers       images as numbers too\n"
    "      --png OUT       images as PNG: F.png all in one, else a folder of them\n"
    "      --force         replace files that are there\n"
    "      --budget SIZE   memory\n"
    "      --json          as JSON, at most 1,000 elements of a sample\n"
    "  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace head train.hrd -n 8\n";

enum { OPT_FROM = OPTIONS_LONG, OPT_FIELDS, OPT_NUMBERS, OPT_PNG, OPT_FORCE, OPT_BUDGET, OPT_JSON };

static const struct option table[] = {
    {"count", required_argument, NULL, 'n'},
    {"from", required_argument, NULL, OPT_FROM},
    {"fields", required_argument, NULL, OPT_FIELDS},
    {"numbers", no_argument, NULL, OPT_NUMBERS},
    {"png", required_argument, NULL, OPT_PNG},
    {"force", no_argument, NULL, OPT_FORCE},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_option(const options *o, int value, head_job *job) {
    args_error err;
    switch (value) {
    case 'n':
        return options_uint32(o, "count", 1, MOST_SAMPLES, &job->count);
    case OPT_FROM:
        return options_uint(o, "from", 0, UINT64_MAX, &job->first);
    case OPT_FIELDS:
        if (!args_list(optarg, job->names, ARGS_MAX_LIST, &job->num_names, &err)) {
            report_usage(o->command, "--fields: %s", err.message);
            return false;
        }
        return true;
    case OPT_PNG:
        job->png = optarg;
        return true;
    case OPT_BUDGET:
        return options_size(o, "budget", &job->budget_bytes);
    default:
        job->numbers |= value == OPT_NUMBERS;
        job->force |= value == OPT_FORCE;
        job->json |= value == OPT_JSON;
        job->help |= value == 'h';
        return true;
    }
}

static bool take_arguments(const options *o, head_job *job) {
    for (int value; (value = options_next(o)) != OPTIONS_END;) {
        if (value == OPTIONS_BAD || !take_option(o, value, job)) {
            return false;
        }
        if (job->help) {
            return true;
        }
    }
    const char *wrong =
        job->png != NULL && job->json      ? "--json shows no images; leave out --png"
        : job->png != NULL && job->numbers ? "--numbers is for what is shown; leave out --png"
        : job->force && job->png == NULL   ? "--force: there is no --png OUT to replace"
                                           : NULL;
    if (wrong != NULL) {
        report_usage(o->command, "%s", wrong);
        return false;
    }
    return options_take_files(o, &job->files);
}

/* --- one field ------------------------------------------------------------------------------ */

static void print_title(const head_field *v) {
    char shape[DATASET_SHAPE_BYTES];
    dataset_shape_text(&v->field, shape);
    plain_put(v->field.name, stdout);
    const bool sequence = v->field.element_dtype != 0;
    printf("  %s%s%s%s\n", hr_dtype_name(sequence ? v->field.element_dtype : v->field.dtype),
           sequence ? "[]" : "", v->field.rank > 0 ? " " : "", v->field.rank > 0 ? shape : "");
}

static int digits_of(uint64_t number) {
    int n = 1;
    for (; number >= 10; number /= 10) {
        n++;
    }
    return n;
}

/* Columns are the same for all samples, so they are all read before the first is printed. */
static hr_status measure(const head_job *job, head_field *v, int *width, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < job->count; i++) {
        st = head_field_read(v, job->first + i, err);
        if (st == HR_OK) {
            *width = numbers_width(&v->shown, v->sample, job->term.utf8, *width);
        }
    }
    return st;
}

static hr_status show_numbers(const head_job *job, head_field *v, hr_error *err) {
    const int digits = digits_of(job->first + job->count);
    int width = 0;
    hr_status st = measure(job, v, &width, err);
    for (uint32_t i = 0; st == HR_OK && i < job->count; i++) {
        st = head_field_read(v, job->first + i, err);
        if (st == HR_OK) {
            const int indent = printf("  %*" PRIu64 "  ", digits, job->first + i);
            const numbers_place place = {(uint32_t)indent, job->term.there ? job->term.columns : 0};
            numbers_print(&v->shown, v->sample, &place, job->term.utf8, width);
        }
    }
    return st;
}

/* --- all fields ----------------------------------------------------------------------------- */

static hr_status do_json(head_job *job, head_field *v, hr_error *err) {
    json_t *samples = json_array();
    bool complete = true;
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < job->count; i++) {
        st = head_field_read(v, job->first + i, err);
        if (st == HR_OK) {
            complete = complete && head_elements(&v->shown) <= HEAD_JSON_ELEMENTS;
            json_array_append_new(samples, head_sample_json(&v->shown, v->sample));
        }
    }
    const char *element =
        v->field.element_dtype != 0 ? hr_dtype_name(v->field.element_dtype) : NULL;
    json_array_append_new(
        job->fields,
        json_pack("{s:o, s:s, s:s?, s:I, s:o, s:b, s:o}", "name", json_out_text(v->field.name),
                  "dtype", hr_dtype_name(v->field.dtype), "element_dtype", element, "width_bytes",
                  (json_int_t)value_width(&v->field), "shape", dataset_shape_json(&v->field),
                  "complete", (int)complete, "samples", samples));
    return st;
}

static hr_status do_field(head_job *job, head_field *v, hr_error *err) {
    if (job->json) {
        return do_json(job, v, err);
    }
    if (job->png != NULL) {
        return v->is_image ? head_images(job, v, err) : HR_OK;
    }
    print_title(v);
    const bool show = v->is_image && !job->numbers && terminal_shows_images(&job->term);
    return show ? head_images(job, v, err) : show_numbers(job, v, err);
}

static hr_status do_index(head_job *job, uint32_t index, hr_error *err) {
    head_field v = {.sample = NULL};
    hr_status st = head_field_open(job->ds, index, job->budget_bytes, &v, err);
    if (st == HR_OK) {
        st = do_field(job, &v, err);
    }
    head_field_close(&v);
    return st;
}

static hr_status do_fields(head_job *job, hr_error *err) {
    const uint32_t n = job->num_names > 0 ? job->num_names : hr_dataset_num_fields(job->ds);
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < n; i++) {
        uint32_t index = i;
        if (job->num_names > 0) {
            st = hr_dataset_find_field(job->ds, job->names[i], &index, err);
        }
        if (st == HR_OK) {
            st = do_index(job, index, err);
        }
    }
    return st;
}

/* Before anything is shown: which samples, and whether --png can be. */
static bool check(head_job *job) {
    const uint64_t total = hr_dataset_num_samples(job->ds);
    uint32_t images = 0;
    if (job->first > 0 && job->first >= total) {
        report_failure("head", "there is no sample %" PRIu64 ": the data set has %" PRIu64,
                       job->first, total);
        return false;
    }
    if (job->count > total - job->first) {
        job->count = (uint32_t)(total - job->first);
    }
    for (uint32_t i = 0; i < hr_dataset_num_fields(job->ds); i++) {
        hr_field field;
        image_layout layout;
        bool asked = job->num_names == 0;
        if (hr_dataset_field(job->ds, i, &field, NULL) != HR_OK) {
            continue;
        }
        for (uint32_t k = 0; k < job->num_names; k++) {
            asked |= strcmp(job->names[k], field.name) == 0;
        }
        images += asked && image_layout_of(&field, &layout);
    }
    if (job->png != NULL && (images == 0 || job->count == 0)) {
        report_failure("head", "there are no images: fields of uint8 or floats, of shape (H, W), "
                               "(H, W, C) or (C, H, W) with 1, 3 or 4 channels, at least 8 by 8");
        return false;
    }
    if (job->png != NULL && head_png_is_file(job->png) && images > 1) {
        report_failure("head",
                       "%" PRIu32 " fields are images; name one with --fields, or a "
                       "folder with --png",
                       images);
        return false;
    }
    return job->png == NULL || !head_png_is_file(job->png) ||
           output_path_good("head", job->png, &job->files);
}

static int print_json(head_job *job) {
    return json_out_print("head",
                          json_pack("{s:o, s:o, s:o, s:o, s:o, s:O}", "file",
                                    json_out_text(hr_dataset_path(job->ds)), "files",
                                    dataset_files_json(job->ds), "total",
                                    json_out_uint(hr_dataset_num_samples(job->ds)), "first",
                                    json_out_uint(job->first), "count", json_integer(job->count),
                                    "fields", job->fields),
                          JSON_OUT_EXACT);
}

static int run_job(head_job *job) {
    hr_error err = {.message = ""};
    if (!check(job)) {
        return EXIT_FAILED;
    }
    job->term = terminal_look();
    job->fields = json_array();
    const hr_status st = do_fields(job, &err);
    int code = st == HR_OK ? EXIT_DONE : report_status("head", st, &err);
    if (st == HR_OK && job->json) {
        code = print_json(job);
    } else if (st == HR_OK && job->png != NULL) {
        const uint32_t images = head_png_is_file(job->png) ? job->count : job->num_pngs;
        plain_printf("%s: %s\n", job->png, sizes_of(images, "image").text);
    }
    json_decref(job->fields);
    return code;
}

int cmd_head(int argc, char **argv) {
    const options o = {"head", argc, argv, table, ":n:h"};
    head_job job = {.count = 5};
    if (!take_arguments(&o, &job)) {
        return EXIT_USAGE;
    }
    if (job.help) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    int code = EXIT_FAILED;
    job.ds = dataset_open_or_report("head", &job.files, job.budget_bytes, &code);
    if (job.ds != NULL) {
        code = run_job(&job);
        hr_dataset_close(job.ds);
    }
    return code;
}
