/*
 * headrace verify: drives hr_dataset_verify() over files, and names what is damaged.
 */
#include "commands.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "json_out.h"
#include "options.h"
#include "output_path.h"
#include "plain.h"
#include "progress.h"
#include "report.h"
#include "salvage_file.h"
#include "sizes.h"

#include "headrace/dataset.h"

#include <inttypes.h>
#include <stdio.h>

static const char help[] =
    "Usage: headrace verify FILE... [OPTIONS]\n"
    "Reads and checks every byte, and names what is damaged.\n"
    "\n"
    "      --salvage OUT   make a new file of all that is whole of one FILE\n"
    "      --force         replace OUT if it is there\n"
    "      --budget SIZE   memory\n"
    "      --threads N     decoding threads (default: one per core)\n"
    "      --json          the findings as JSON\n"
    "      --quiet         only the exit code\n"
    "  -h, --help\n"
    "\n"
    "Exit code 0: whole. 3: damaged, or lost in part.\n"
    "\n"
    "Example:\n"
    "  headrace verify train.hrd\n"
    "  headrace verify damaged.hrd --salvage saved.hrd\n";

enum { OPT_SALVAGE = OPTIONS_LONG, OPT_FORCE, OPT_BUDGET, OPT_THREADS, OPT_JSON, OPT_QUIET };

static const struct option table[] = {
    {"salvage", required_argument, NULL, OPT_SALVAGE},
    {"force", no_argument, NULL, OPT_FORCE},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct verify_job {
    hr_verify_options opts;
    const char *salvage; /* the file to make; NULL: none */
    bool force, json, quiet, help;
    progress bar;
    const char *path;
    uint64_t num_damages, num_in_chunks; /* in chunks: of which samples are lost */
    uint64_t checked_bytes;
    json_t *files, *damages;
} verify_job;

static void add_damage(json_t *damages, const hr_damage *d) {
    json_t *one =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "what", json_out_text(d->what), "detail",
                  json_out_text(d->detail), "file_off",
                  d->file_off == UINT64_MAX ? json_null() : json_out_uint(d->file_off), "chunk",
                  d->chunk == UINT64_MAX ? json_null() : json_out_uint(d->chunk), "field",
                  d->field == UINT32_MAX ? json_null() : json_integer(d->field), "first_sample",
                  json_out_uint(d->first_sample), "samples", json_out_uint(d->num_samples));
    json_array_append_new(damages, one);
}

static void on_damage(void *user, const hr_damage *d) {
    verify_job *job = user;
    job->num_damages++;
    job->num_in_chunks += d->chunk != UINT64_MAX && d->num_samples > 0;
    if (job->json) {
        add_damage(job->damages, d);
        return;
    }
    if (job->quiet) {
        return;
    }
    progress_clear(&job->bar);
    plain_printf("%s: damaged: %s", job->path, d->what);
    if (d->file_off != UINT64_MAX) {
        printf(", at byte %" PRIu64, d->file_off);
    }
    plain_printf(": %s", d->detail);
    if (d->num_samples > 0) {
        printf("; %s %s lost", sizes_samples(d->first_sample, d->num_samples).text,
               d->num_samples == 1 ? "is" : "are");
    }
    putchar('\n');
}

static int on_progress(void *user, uint64_t done_bytes, uint64_t total_bytes) {
    verify_job *job = user;
    job->checked_bytes = done_bytes;
    progress_draw(&job->bar, done_bytes, total_bytes);
    return interrupt_seen();
}

static void add_file(verify_job *job, hr_status st, const hr_error *err) {
    json_t *one = json_pack("{s:o, s:b, s:s, s:o, s:o}", "file", json_out_text(job->path), "whole",
                            st == HR_OK, "status", hr_status_name(st), "message",
                            st == HR_OK ? json_null() : json_out_text(err->message), "damages",
                            json_incref(job->damages));
    json_array_append_new(job->files, one);
}

/* So that nobody is surprised that salvage counts more. */
static void print_what_is_lost(const verify_job *job) {
    if (job->num_in_chunks > 0 && !job->json && !job->quiet) {
        plain_printf(
            "%s: of each damaged frame its samples are lost, in its field; --salvage saves "
            "only chunks that are whole, so it drops all samples of these chunks\n",
            job->path);
    }
}

static int verify_file(verify_job *job, const char *path) {
    hr_error err = {.message = ""};
    job->path = path;
    job->num_damages = 0;
    job->num_in_chunks = 0;
    job->damages = json_array();
    job->bar = progress_begin("verify", job->quiet);
    const int64_t start_ns = progress_now_ns();
    const hr_status st = hr_dataset_verify(path, &job->opts, &err);
    progress_clear(&job->bar);
    print_what_is_lost(job);
    int code = report_exit_code(st);
    if (st != HR_OK && !(job->quiet && st == HR_ERR_CORRUPT)) {
        code = report_status("verify", st, &err);
    } else if (st == HR_OK && !job->json && !job->quiet) {
        plain_printf("%s: whole, %s checked in %s\n", path, sizes_bytes(job->checked_bytes).text,
                     sizes_duration(progress_now_ns() - start_ns).text);
    }
    add_file(job, st, &err);
    json_decref(job->damages);
    return code;
}

static bool take_arguments(const options *o, verify_job *job) {
    for (int value; (value = options_next(o)) != OPTIONS_END;) {
        bool good = value != OPTIONS_BAD;
        if (value == OPT_BUDGET) {
            good = options_size(o, "budget", &job->opts.budget_bytes);
        } else if (value == OPT_THREADS) {
            good = options_uint32(o, "threads", 1, 1024, &job->opts.num_threads);
        }
        if (value == OPT_SALVAGE) {
            job->salvage = optarg;
        }
        job->force |= value == OPT_FORCE;
        job->json |= value == OPT_JSON;
        job->quiet |= value == OPT_QUIET;
        job->help |= value == 'h';
        if (!good || job->help) {
            return good;
        }
    }
    if (optind == o->argc) {
        report_usage(o->command, "FILE is missing");
        return false;
    }
    if (job->salvage != NULL && o->argc - optind > 1) {
        report_usage(o->command, "--salvage: %d files were given; name one", o->argc - optind);
        return false;
    }
    if (job->opts.num_threads != 0 && job->salvage != NULL) {
        report_usage(o->command,
                     "--threads is for checking; --salvage works with one, leave it out");
        return false;
    }
    if (job->force && job->salvage == NULL) {
        report_usage(o->command, "--force: there is no --salvage OUT to replace");
        return false;
    }
    return job->salvage == NULL || output_name_good(o->command, job->salvage, output_no_dataset,
                                                    "--salvage makes .hrd files");
}

/* Being stopped outweighs damage, and damage outweighs a file that could not be read. */
static int worse(int a, int b) {
    if (a == EXIT_DAMAGED || b == EXIT_DAMAGED) {
        return a == EXIT_INTERRUPTED || b == EXIT_INTERRUPTED ? EXIT_INTERRUPTED : EXIT_DAMAGED;
    }
    return a > b ? a : b;
}

int cmd_verify(int argc, char **argv) {
    const options o = {"verify", argc, argv, table, ":h"};
    verify_job job = {.opts = HR_VERIFY_OPTIONS_INIT};
    if (!take_arguments(&o, &job)) {
        return EXIT_USAGE;
    }
    if (job.help) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    if (job.salvage != NULL) {
        const salvage_file_job salvage = {argv[optind], job.salvage, job.opts.budget_bytes,
                                          job.force,    job.json,    job.quiet};
        return salvage_file(&salvage);
    }
    job.opts.user = &job;
    job.opts.on_damage = on_damage;
    job.opts.on_progress = on_progress;
    job.files = json_array();
    interrupt_watch();
    int code = EXIT_DONE;
    for (int i = optind; i < argc && !interrupt_seen(); i++) {
        job.checked_bytes = 0;
        code = worse(code, verify_file(&job, argv[i]));
    }
    if (!job.json) {
        json_decref(job.files);
        return code;
    }
    return worse(
        code, json_out_print("verify", json_pack("{s:o}", "files", job.files), JSON_OUT_MEASURED));
}
