/*
 * headrace join: drives hr_join().
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
#include "sizes.h"

#include "headrace/join.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char help[] =
    "Usage: headrace join PART... -o ALL.hrd [OPTIONS]\n"
    "Makes one file of parts that were written apart, by copying their chunks.\n"
    "\n"
    "PART is a file, a folder or a pattern; its files in the order of their numbers.\n"
    "All need the same fields, and the same samples per chunk.\n"
    "\n"
    "  -o, --output FILE   the file to make\n"
    "      --attributes W  same (default): differing ones are refused; first:\n"
    "                      those of the first part\n"
    "      --force         replace an existing file\n"
    "      --resume        go on with an interrupted join\n"
    "      --no-space-check  do not look for room on the disk first\n"
    "      --budget SIZE   memory\n"
    "      --threads N     copying threads (default: one per core, at most 8)\n"
    "      --json          the result as JSON\n"
    "      --quiet\n"
    "  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace join 'parts/part-*.hrd' -o train.hrd\n";

enum {
    OPT_ATTRIBUTES = OPTIONS_LONG,
    OPT_FORCE,
    OPT_RESUME,
    OPT_NO_SPACE_CHECK,
    OPT_BUDGET,
    OPT_THREADS,
    OPT_JSON,
    OPT_QUIET
};

static const struct option table[] = {
    {"output", required_argument, NULL, 'o'},
    {"attributes", required_argument, NULL, OPT_ATTRIBUTES},
    {"force", no_argument, NULL, OPT_FORCE},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"no-space-check", no_argument, NULL, OPT_NO_SPACE_CHECK},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct join_job {
    hr_join_options opts;
    bool json, quiet, help;
    progress bar;
} join_job;

static bool take_attributes(const options *o, join_job *job) {
    static const char *const words[] = {"same", "first"};
    size_t which;
    if (!options_word(o, "attributes", words, 2, &which)) {
        return false;
    }
    job->opts.flags |= which == 1 ? HR_JOIN_FIRST_ATTRIBUTES : 0;
    return true;
}

static bool take_option(const options *o, int value, join_job *job) {
    switch (value) {
    case 'o':
        job->opts.output = optarg;
        return true;
    case OPT_ATTRIBUTES:
        return take_attributes(o, job);
    case OPT_BUDGET:
        return options_size(o, "budget", &job->opts.budget_bytes);
    case OPT_THREADS:
        return options_uint32(o, "threads", 1, 1024, &job->opts.num_threads);
    default:
        job->opts.flags |= value == OPT_FORCE            ? HR_JOIN_REPLACE
                           : value == OPT_RESUME         ? HR_JOIN_RESUME
                           : value == OPT_NO_SPACE_CHECK ? HR_JOIN_NO_SPACE_CHECK
                                                         : 0;
        job->json |= value == OPT_JSON;
        job->quiet |= value == OPT_QUIET;
        job->help |= value == 'h';
        return true;
    }
}

static bool take_arguments(const options *o, join_job *job) {
    options_files parts;
    for (int value; (value = options_next(o)) != OPTIONS_END;) {
        if (value == OPTIONS_BAD || !take_option(o, value, job)) {
            return false;
        }
        if (job->help) {
            return true;
        }
    }
    if (!options_take_files(o, &parts)) {
        return false;
    }
    job->opts.parts = parts.paths;
    job->opts.num_parts = (uint32_t)parts.count;
    if (job->opts.output == NULL) {
        report_usage(o->command, "the output is missing: -o ALL.hrd");
        return false;
    }
    return output_name_good(o->command, job->opts.output, output_no_dataset,
                            "join makes a .hrd file");
}

static int on_progress(void *user, const hr_progress *now) {
    join_job *job = user;
    progress_draw(&job->bar, now->done_bytes, now->total_bytes);
    return interrupt_seen();
}

static void on_note(void *user, const char *line) {
    join_job *job = user;
    if (!job->quiet) {
        progress_clear(&job->bar);
        report_line(line);
    }
}

/* One for each part; how many there are is known only when the patterns are. This is the whole
 * process's limit, so only a program may raise it. */
static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int print_result(const join_job *job, const hr_join_result *r) {
    if (job->json) {
        return json_out_print(
            "join",
            json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "output",
                      json_out_text(job->opts.output), "parts", (json_int_t)r->num_parts, "samples",
                      json_out_uint(r->num_samples), "resumed_samples",
                      json_out_uint(r->resumed_samples), "chunks", json_out_uint(r->num_chunks),
                      "segments", json_out_uint(r->num_segments), "stored_bytes",
                      json_out_uint(r->stored_bytes), "seconds", json_out_seconds(r->elapsed_ns)),
            JSON_OUT_MEASURED);
    }
    if (!job->quiet) {
        plain_printf("%s: %s of %s, %s in %s\n", job->opts.output,
                     sizes_of(r->num_samples, "sample").text, sizes_of(r->num_parts, "part").text,
                     sizes_bytes(r->stored_bytes).text, sizes_duration(r->elapsed_ns).text);
    }
    return EXIT_DONE;
}

static int run_job(join_job *job) {
    hr_join_result result = {.struct_bytes = sizeof result};
    hr_error err = {.message = ""};
    job->opts.user = job;
    job->opts.on_progress = on_progress;
    job->opts.on_note = on_note;
    job->bar = progress_begin("join", job->quiet);
    allow_descriptors();
    interrupt_watch();
    const hr_status st = hr_join(&job->opts, &result, &err);
    progress_clear(&job->bar);
    return st == HR_OK ? print_result(job, &result) : report_status("join", st, &err);
}

int cmd_join(int argc, char **argv) {
    const options o = {"join", argc, argv, table, ":o:h"};
    join_job job = {.opts = HR_JOIN_OPTIONS_INIT};
    if (!take_arguments(&o, &job)) {
        return EXIT_USAGE;
    }
    if (job.help) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    return run_job(&job);
}
