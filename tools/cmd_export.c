/*
 * headrace export: drives hr_export().
 */
#include "args.h"
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "json_out.h"
#include "options.h"
#include "output_path.h"
#include "plain.h"
#include "progress.h"
#include "report.h"
#include "sizes.h"

#include "headrace/convert.h"

#include <stdio.h>

static const char help[] =
    "Usage: headrace export FILE... -o OUT [OPTIONS]\n"
    "Writes fields, of several files one after the other, as OUT says: F.h5 one HDF5\n"
    "file, F.npz one archive, anything else a folder with FIELD.npy for each (which\n"
    "cannot hold values of variable length).\n"
    "\n"
    "  -o, --output OUT    the file or folder\n"
    "      --fields A,B    only these\n"
    "      --range A:B     only samples from A up to, without, B\n"
    "      --gzip N        compression of a file, 1 to 9 (default 4), 0 for none\n"
    "      --kind K        npy, npz or hdf5, whatever OUT ends with\n"
    "      --force         replace files that are there\n"
    "      --budget SIZE   memory\n"
    "      --threads N     that decode and compress (default: one per core)\n"
    "      --helper-timeout T    longest silence of the process that writes a file\n"
    "      --helper-memory SIZE  what that may use\n"
    "      --json          the result as JSON\n"
    "      --quiet\n"
    "  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace export train.hrd -o train.h5 --fields y --range 0:1000\n";

enum {
    OPT_FIELDS = OPTIONS_LONG,
    OPT_RANGE,
    OPT_GZIP,
    OPT_KIND,
    OPT_FORCE,
    OPT_HELPER_TIMEOUT,
    OPT_HELPER_MEMORY,
    OPT_BUDGET,
    OPT_THREADS,
    OPT_JSON,
    OPT_QUIET
};

static const struct option table[] = {
    {"output", required_argument, NULL, 'o'},
    {"fields", required_argument, NULL, OPT_FIELDS},
    {"range", required_argument, NULL, OPT_RANGE},
    {"gzip", required_argument, NULL, OPT_GZIP},
    {"kind", required_argument, NULL, OPT_KIND},
    {"force", no_argument, NULL, OPT_FORCE},
    {"helper-timeout", required_argument, NULL, OPT_HELPER_TIMEOUT},
    {"helper-memory", required_argument, NULL, OPT_HELPER_MEMORY},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct export_job {
    options_files files;
    hr_export_options opts;
    const char *fields[ARGS_MAX_LIST];
    bool json, quiet, help;
    progress bar;
} export_job;

static bool take_gzip(const options *o, export_job *job) {
    uint32_t level = 0;
    if (!options_uint32(o, "gzip", 0, 9, &level)) {
        return false;
    }
    job->opts.gzip_level = level == 0 ? HR_EXPORT_NO_GZIP : (int32_t)level;
    return true;
}

static bool take_kind(const options *o, export_job *job) {
    static const char *const words[] = {"auto", "npy", "npz",
                                        "hdf5"}; /* in the order of hr_export_kind */
    size_t place = 0;
    if (!options_word(o, "kind", words, sizeof words / sizeof words[0], &place)) {
        return false;
    }
    job->opts.kind = (int32_t)place;
    return true;
}

static bool take_option(const options *o, int value, export_job *job) {
    args_error err;
    switch (value) {
    case 'o':
        job->opts.path = optarg;
        return true;
    case OPT_FIELDS:
        job->opts.fields = job->fields;
        if (!args_list(optarg, job->fields, ARGS_MAX_LIST, &job->opts.num_fields, &err)) {
            report_usage(o->command, "--fields: %s", err.message);
            return false;
        }
        return true;
    case OPT_RANGE:
        return options_range(o, "range", &job->opts.first_sample, &job->opts.end_sample);
    case OPT_GZIP:
        return take_gzip(o, job);
    case OPT_KIND:
        return take_kind(o, job);
    case OPT_HELPER_TIMEOUT:
        return options_duration(o, "helper-timeout", &job->opts.helper_timeout_ns);
    case OPT_HELPER_MEMORY:
        return options_size(o, "helper-memory", &job->opts.helper_memory_bytes);
    case OPT_FORCE:
        job->opts.flags |= HR_CONVERT_REPLACE;
        return true;
    case OPT_BUDGET:
        return options_size(o, "budget", &job->opts.budget_bytes);
    case OPT_THREADS:
        return options_uint32(o, "threads", 1, 1024, &job->opts.num_threads);
    default:
        job->json |= value == OPT_JSON;
        job->quiet |= value == OPT_QUIET;
        job->help |= value == 'h';
        return true;
    }
}

static bool take_arguments(const options *o, export_job *job) {
    static const char *const others[] = {".hrd",  ".npy", ".csv", ".tsv",
                                         ".h5ad", ".gz",  ".zip", NULL};
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
    if (job->opts.path == NULL) {
        report_usage(o->command, "the file or folder to make is missing: -o OUT");
        return false;
    }
    return output_name_good(o->command, job->opts.path, others,
                            "export makes F.npz, F.h5, or a folder of .npy files");
}

static int on_progress(void *user, const hr_progress *now) {
    export_job *job = user;
    progress_draw(&job->bar, now->done_bytes, now->total_bytes);
    return interrupt_seen();
}

static void on_note(void *user, const char *line) {
    export_job *job = user;
    if (!job->quiet) {
        progress_clear(&job->bar);
        report_line(line);
    }
}

/* Of a range that the export has found to be one. */
static uint64_t num_exported(const hr_dataset *ds, const export_job *job) {
    const uint64_t end = job->opts.end_sample;
    return (end != 0 ? end : hr_dataset_num_samples(ds)) - job->opts.first_sample;
}

static int run_job(hr_dataset *ds, export_job *job) {
    hr_error err = {.message = ""};
    job->opts.user = job;
    job->opts.on_progress = on_progress;
    job->opts.on_note = on_note;
    job->bar = progress_begin("export", job->quiet);
    interrupt_watch();
    const int64_t start_ns = progress_now_ns();
    const hr_status st = hr_export(ds, &job->opts, &err);
    const int64_t took_ns = progress_now_ns() - start_ns;
    progress_clear(&job->bar);
    if (st != HR_OK) {
        return report_status("export", st, &err);
    }
    const uint64_t samples = num_exported(ds, job);
    const uint32_t fields =
        job->opts.fields != NULL ? job->opts.num_fields : hr_dataset_num_fields(ds);
    if (job->json) {
        return json_out_print(
            "export",
            json_pack("{s:o, s:o, s:o, s:I, s:o, s:o}", "file", json_out_text(hr_dataset_path(ds)),
                      "files", dataset_files_json(ds), "output", json_out_text(job->opts.path),
                      "fields", (json_int_t)fields, "samples", json_out_uint(samples), "seconds",
                      json_out_seconds(took_ns)),
            JSON_OUT_MEASURED);
    }
    if (!job->quiet) {
        plain_printf("%s: %s of %s in %s\n", job->opts.path, sizes_of(samples, "sample").text,
                     sizes_of(fields, "field").text, sizes_duration(took_ns).text);
    }
    return EXIT_DONE;
}

int cmd_export(int argc, char **argv) {
    const options o = {"export", argc, argv, table, ":o:h"};
    export_job job = {.opts = HR_EXPORT_OPTIONS_INIT};
    if (!take_arguments(&o, &job)) {
        return EXIT_USAGE;
    }
    if (job.help) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    int code = EXIT_FAILED;
    hr_dataset *ds = dataset_open_or_report("export", &job.files, job.opts.budget_bytes, &code);
    if (ds != NULL) {
        code = run_job(ds, &job);
        hr_dataset_close(ds);
    }
    return code;
}
