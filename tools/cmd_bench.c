/*
 * headrace bench: what this machine can do with a file, and what share of it a loader reaches, by
 * hr_bench().
 */
#include "args.h"
#include "bench_text.h"
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "json_out.h"
#include "options.h"
#include "output_path.h"
#include "report.h"
#include "whole_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: headrace bench FILE... [OPTIONS]\n"
    "Measures decoding, reading and epochs in turns, each as a share of its limit.\n"
    "Several files are one data set. Nothing else should run meanwhile.\n"
    "\n"
    "      --rounds N        each measure is taken once in each (default 7)\n"
    "      --seconds T       length of a measure (default 1)\n"
    "      --measures A,B    only these: decode, read-sequential, read-shuffled,\n"
    "                        memory-sequential, memory-shuffled, disk-sequential,\n"
    "                        disk-shuffled\n"
    "      --batch N         samples per batch (default 256)\n"
    "      --window W        chunks mixed at a time (default: docs/order.md)\n"
    "      --seed N          of the shuffled order\n"
    "      --threads N       that decode and read (default: one per core)\n"
    "      --budget SIZE     memory\n"
    "      --svg FILE        a picture;  --force  replaces FILE\n"
    "      --json  --quiet  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace bench train.hrd --svg train.svg\n";

enum {
    OPT_ROUNDS = OPTIONS_LONG,
    OPT_SECONDS,
    OPT_MEASURES,
    OPT_BATCH,
    OPT_WINDOW,
    OPT_SEED,
    OPT_THREADS,
    OPT_BUDGET,
    OPT_SVG,
    OPT_FORCE,
    OPT_JSON,
    OPT_QUIET
};

static const struct option table[] = {
    {"rounds", required_argument, NULL, OPT_ROUNDS},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"measures", required_argument, NULL, OPT_MEASURES},
    {"batch", required_argument, NULL, OPT_BATCH},
    {"window", required_argument, NULL, OPT_WINDOW},
    {"seed", required_argument, NULL, OPT_SEED},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"svg", required_argument, NULL, OPT_SVG},
    {"force", no_argument, NULL, OPT_FORCE},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct bench_job {
    options_files files;
    hr_bench_options opts;
    const char *svg_path;
    bool force, json, quiet, help;
    bool on_terminal;
} bench_job;

static bool take_seconds(const options *o, bench_job *job) {
    if (!options_duration(o, "seconds", &job->opts.run_ns)) {
        return false;
    }
    if (job->opts.run_ns < 1000000 || job->opts.run_ns > INT64_C(3600000000000)) {
        report_usage(o->command, "--seconds: '%s' is out of range, 1ms to 1h", optarg);
        return false;
    }
    return true;
}

static bool take_measures(const options *o, bench_job *job) {
    const char *words[HR_BENCH_NUM_KINDS], *names[HR_BENCH_MAX_KINDS];
    uint32_t count = 0;
    args_error err;
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        words[kind] = hr_bench_kind_name(kind);
    }
    bool good = args_list(optarg, names, HR_BENCH_MAX_KINDS, &count, &err);
    for (uint32_t i = 0; good && i < count; i++) {
        size_t kind = 0;
        good = args_word(names[i], words, HR_BENCH_NUM_KINDS, &kind, &err);
        job->opts.measures |= good ? 1u << kind : 0;
    }
    if (!good) {
        report_usage(o->command, "--measures: %s", err.message);
    }
    return good;
}

static bool take_option(const options *o, int value, bench_job *job) {
    hr_bench_options *p = &job->opts;
    switch (value) {
    case OPT_ROUNDS:
        return options_uint32(o, "rounds", 1, 1000, &p->num_rounds);
    case OPT_SECONDS:
        return take_seconds(o, job);
    case OPT_MEASURES:
        return take_measures(o, job);
    case OPT_BATCH:
        return options_uint32(o, "batch", 1, UINT32_MAX, &p->batch_samples);
    case OPT_WINDOW:
        return options_uint32(o, "window", 1, UINT32_MAX, &p->window_visits);
    case OPT_SEED:
        return options_uint(o, "seed", 0, UINT64_MAX, &p->seed);
    case OPT_THREADS:
        return options_uint32(o, "threads", 1, 1024, &p->num_threads);
    case OPT_BUDGET:
        return options_size(o, "budget", &p->budget_bytes);
    case OPT_SVG:
        job->svg_path = optarg;
        return true;
    default:
        job->force |= value == OPT_FORCE;
        job->json |= value == OPT_JSON;
        job->quiet |= value == OPT_QUIET;
        job->help |= value == 'h';
        return true;
    }
}

static bool take_arguments(const options *o, bench_job *job) {
    for (int value; (value = options_next(o)) != OPTIONS_END;) {
        if (value == OPTIONS_BAD || !take_option(o, value, job)) {
            return false;
        }
        if (job->help) {
            return true;
        }
    }
    return options_take_files(o, &job->files);
}

static void clear_line(const bench_job *job) {
    if (job->on_terminal) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

static int on_progress(void *user, const hr_bench_progress *p) {
    const bench_job *job = user;
    if (job->on_terminal && p->round == 0) {
        fputs("\rbench: a first look\033[K", stderr);
    } else if (job->on_terminal) {
        fprintf(stderr, "\rbench: round %u of %u: %s\033[K", p->round, p->num_rounds,
                bench_kind_text(p->kind));
    }
    return interrupt_seen();
}

static bool write_svg(const bench_job *job, const char *name, const hr_bench_result *r) {
    char *text = bench_svg(name, r);
    whole_file f = {0};
    if (text == NULL) {
        report_failure("bench", "not enough memory for the picture");
        return false;
    }
    const bool good =
        whole_file_open(&f, job->svg_path) && fputs(text, f.file) >= 0 && whole_file_finish(&f);
    whole_file_close(&f);
    free(text);
    if (!good) {
        report_failure("bench", "%s: the picture could not be written: %s", job->svg_path,
                       strerror(errno));
    }
    return good;
}

static int print_result(const bench_job *job, const hr_dataset *ds, const hr_bench_result *r) {
    char name[DATASET_NAME_BYTES];
    dataset_name_text(ds, name);
    if (job->svg_path != NULL && !write_svg(job, name, r)) {
        return EXIT_FAILED;
    }
    if (job->json) {
        json_t *root = bench_json(hr_dataset_path(ds), r);
        json_object_set_new(root, "files", dataset_files_json(ds));
        return json_out_print("bench", root, JSON_OUT_MEASURED);
    }
    if (!job->quiet) {
        bench_text_print(name, r);
    }
    return EXIT_DONE;
}

static int run(bench_job *job) {
    int code = EXIT_FAILED;
    hr_error err = {.message = ""};
    hr_bench_result result = {.struct_bytes = sizeof result};
    if (!output_path_good("bench", job->svg_path, &job->files)) {
        return EXIT_FAILED;
    }
    if (job->svg_path != NULL && !job->force && access(job->svg_path, F_OK) == 0) {
        return report_failure("bench", "%s exists already; --force replaces it", job->svg_path);
    }
    hr_dataset *ds = dataset_open_or_report("bench", &job->files, job->opts.budget_bytes, &code);
    if (ds == NULL) {
        return code;
    }
    interrupt_watch();
    job->on_terminal = !job->quiet && isatty(STDERR_FILENO);
    job->opts.user = job;
    job->opts.on_progress = on_progress;
    const hr_status st = hr_bench(ds, &job->opts, &result, &err);
    clear_line(job);
    code = st == HR_OK ? print_result(job, ds, &result) : report_status("bench", st, &err);
    hr_dataset_close(ds);
    return code;
}

int cmd_bench(int argc, char **argv) {
    const options o = {"bench", argc, argv, table, ":h"};
    bench_job job = {.opts = HR_BENCH_OPTIONS_INIT};
    const bool good = take_arguments(&o, &job);
    if (!good || job.help) {
        fputs(good ? help : "", stdout);
        return good ? EXIT_DONE : EXIT_USAGE;
    }
    return run(&job);
}
