/*
 * headrace split: drives hr_split(), and writes what is in each part.
 */
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "index_file.h"
#include "json_out.h"
#include "output_path.h"
#include "plain.h"
#include "report.h"
#include "sizes.h"
#include "subset_args.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: headrace split FILE... --fractions F,F,... --out PART.npy --out ...\n"
    "Writes the sample indices of each part of a split, for epoch --subset.\n"
    "\n"
    "      --fractions F,... of the samples, together at most 1: 0.8,0.1,0.1\n"
    "      --out FILE.npy    one for each fraction, in their order\n"
    "      --seed N          another draw (default 0)\n"
    "      --stratify FIELD  every label in proportion in every part\n"
    "      --contiguous      parts are ranges, not drawn\n"
    "      --force           replace files that are there\n"
    "      --budget SIZE     memory\n"
    "      --json            the result as JSON\n"
    "      --quiet\n"
    "  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace split train.hrd --fractions 0.9,0.1 --out fit.npy --out check.npy\n";

enum {
    OPT_FRACTIONS = OPTIONS_LONG,
    OPT_OUT,
    OPT_SEED,
    OPT_STRATIFY,
    OPT_CONTIGUOUS,
    OPT_FORCE,
    OPT_BUDGET,
    OPT_JSON,
    OPT_QUIET
};

static const struct option table[] = {
    {"fractions", required_argument, NULL, OPT_FRACTIONS},
    {"out", required_argument, NULL, OPT_OUT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"stratify", required_argument, NULL, OPT_STRATIFY},
    {"contiguous", no_argument, NULL, OPT_CONTIGUOUS},
    {"force", no_argument, NULL, OPT_FORCE},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

#define BLOCK_SAMPLES 4096u

typedef struct split_job {
    hr_split_options opts;
    double fractions[SUBSET_MAX_PARTS];
    const char *out[SUBSET_MAX_PARTS];
    uint32_t num_out;
    bool force, json, quiet, help;
    options_files files;
    hr_subset *parts[SUBSET_MAX_PARTS];
} split_job;

static bool take_out(split_job *job) {
    if (job->num_out == SUBSET_MAX_PARTS) {
        report_usage("split", "--out: more than %d files", SUBSET_MAX_PARTS);
        return false;
    }
    job->out[job->num_out++] = optarg;
    return true;
}

static bool take_option(const options *o, int value, split_job *job) {
    switch (value) {
    case OPT_FRACTIONS:
        return subset_args_fractions(o, "fractions", job->fractions, &job->opts.num_fractions);
    case OPT_OUT:
        return take_out(job);
    case OPT_SEED:
        return options_uint(o, "seed", 0, UINT64_MAX, &job->opts.seed);
    case OPT_STRATIFY:
        job->opts.stratify_field = optarg;
        return true;
    case OPT_BUDGET:
        return options_size(o, "budget", &job->opts.budget_bytes);
    default:
        job->opts.flags |= value == OPT_CONTIGUOUS ? HR_SPLIT_CONTIGUOUS : 0;
        job->force |= value == OPT_FORCE;
        job->json |= value == OPT_JSON;
        job->quiet |= value == OPT_QUIET;
        job->help |= value == 'h';
        return true;
    }
}

static bool take_arguments(const options *o, split_job *job) {
    for (int value; (value = options_next(o)) != OPTIONS_END;) {
        if (value == OPTIONS_BAD || !take_option(o, value, job)) {
            return false;
        }
        if (job->help) {
            return true;
        }
    }
    if (!options_take_files(o, &job->files)) {
        return false;
    }
    if (job->opts.num_fractions == 0 || job->opts.num_fractions != job->num_out) {
        report_usage("split",
                     "%u fractions and %u files to write were given; give one --out for "
                     "each of --fractions",
                     job->opts.num_fractions, job->num_out);
        return false;
    }
    return output_paths_differ("split", job->out, job->num_out);
}

static bool write_indices(index_file *f, const hr_subset *part) {
    uint64_t block[BLOCK_SAMPLES];
    const uint64_t total = hr_subset_num_samples(part);
    hr_error err = {.message = ""};
    for (uint64_t at = 0; at < total; at += BLOCK_SAMPLES) {
        const uint64_t n = total - at < BLOCK_SAMPLES ? total - at : BLOCK_SAMPLES;
        const hr_status st = hr_subset_indices(part, at, n, block, &err);
        if (st != HR_OK) {
            report_status("split", st, &err);
            return false;
        }
        if (!index_file_add(f, "split", block, (size_t)n)) {
            return false;
        }
    }
    return true;
}

/* All are written before the first gets its name. */
static bool write_parts(const split_job *job, index_file *files) {
    for (uint32_t i = 0; i < job->num_out; i++) {
        if (!index_file_open(&files[i], "split", job->out[i], job->force) ||
            !write_indices(&files[i], job->parts[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < job->num_out; i++) {
        if (!index_file_finish(&files[i], "split")) {
            return false;
        }
    }
    return true;
}

static int print_result(const split_job *job, const hr_dataset *ds) {
    json_t *parts = json_array();
    for (uint32_t i = 0; i < job->num_out; i++) {
        const uint64_t samples = hr_subset_num_samples(job->parts[i]);
        if (!job->json && !job->quiet) {
            plain_printf("%s: %s\n", job->out[i], sizes_of(samples, "sample").text);
        }
        json_array_append_new(parts, json_pack("{s:o, s:o}", "output", json_out_text(job->out[i]),
                                               "samples", json_out_uint(samples)));
    }
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:s?, s:o}", "file", json_out_text(hr_dataset_path(ds)), "samples",
        json_out_uint(hr_dataset_num_samples(ds)), "seed", json_out_uint(job->opts.seed),
        "stratify", job->opts.stratify_field, "parts", parts);
    json_object_set_new(root, "files", dataset_files_json(ds));
    if (job->json) {
        return json_out_print("split", root, JSON_OUT_EXACT);
    }
    json_decref(root);
    return EXIT_DONE;
}

static int run_job(split_job *job, hr_dataset *ds) {
    index_file files[SUBSET_MAX_PARTS] = {{.count = 0}};
    hr_error err = {.message = ""};
    job->opts.fractions = job->fractions;
    const hr_status st = hr_split(ds, &job->opts, job->parts, &err);
    if (st != HR_OK) {
        return report_status("split", st, &err);
    }
    const int code = write_parts(job, files) ? print_result(job, ds) : EXIT_FAILED;
    for (uint32_t i = 0; i < job->num_out; i++) {
        index_file_close(&files[i]);
        hr_subset_free(job->parts[i]);
    }
    return code;
}

int cmd_split(int argc, char **argv) {
    const options o = {"split", argc, argv, table, ":h"};
    split_job job = {.opts = HR_SPLIT_OPTIONS_INIT};
    if (!take_arguments(&o, &job)) {
        return EXIT_USAGE;
    }
    if (job.help) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    int code = EXIT_FAILED;
    for (uint32_t i = 0; i < job.num_out; i++) {
        if (!output_path_good("split", job.out[i], &job.files)) {
            return EXIT_FAILED;
        }
    }
    hr_dataset *ds = dataset_open_or_report("split", &job.files, job.opts.budget_bytes, &code);
    if (ds != NULL) {
        code = run_job(&job, ds);
        hr_dataset_close(ds);
    }
    return code;
}
