/*
 * headrace epoch: drives a loader as a training loop would, and reports.
 */
#define _GNU_SOURCE
#include "commands.h"
#include "dataset_text.h"
#include "epoch_result.h"
#include "exit_codes.h"
#include "index_file.h"
#include "interrupt.h"
#include "loader_args.h"
#include "output_path.h"
#include "progress.h"
#include "report.h"
#include "sizes.h"
#include "state_file.h"

#include "headrace/gpu.h"
#include "headrace/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char help[] =
    "Usage: headrace epoch FILE... [OPTIONS]\n"
    "Reads as a training loop would, and reports. Several files are one data set.\n"
    "\n"
    "      --batch N         samples per batch, of all ranks (default 256)\n"
    "      --shuffle         shuffled order;  --seed N;  --window W\n"
    "      --epochs N        how many (default 1);  --max-batches N  stop early\n"
    "      --streams N       streams;  --rank R  --world-size N, or --rank auto\n"
    "      --drop-last       leave out the last short batch;  --pad-last  fill it up\n"
    "      --fields A,B      only these;  --max-bytes S  --pad F=LEN  --truncate\n" SUBSET_ARGS_HELP
    "      --finish F=DTYPE[,chw][,standardize]  deliver F so;  --check-finite\n"
    "      --resume FILE     go on from a state;  --save-state FILE  keep the last\n"
    "      --index FILE.npy  sample indices as delivered;  --force  replace FILE.npy\n"
    "      --budget SIZE     memory;  --threads N  decode workers;  --numa auto|off\n"
    "      --io HOW          auto, direct, cached, threads, libaio;  --io-depth "
    "N\n" LOADER_ARGS_DEVICE_HELP
    "      --consume-ns N    pretend that a step takes N ns;  --pageable\n"
    "      --report          say what limits the epoch;  --trace FILE  what was when\n"
    "      --json  --quiet  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace epoch train.hrd --batch 256 --shuffle --epochs 2\n";

enum {
    OPT_EPOCHS = OPTIONS_LONG,
    OPT_MAX_BATCHES,
    OPT_RESUME,
    OPT_SAVE_STATE,
    OPT_INDEX,
    OPT_FORCE,
    OPT_CONSUME_NS,
    OPT_REPORT,
    OPT_TRACE,
    OPT_JSON,
    OPT_QUIET
};

static const struct option table[] = {
    LOADER_ARGS_TABLE,
    {"epochs", required_argument, NULL, OPT_EPOCHS},
    {"max-batches", required_argument, NULL, OPT_MAX_BATCHES},
    {"resume", required_argument, NULL, OPT_RESUME},
    {"save-state", required_argument, NULL, OPT_SAVE_STATE},
    {"index", required_argument, NULL, OPT_INDEX},
    {"force", no_argument, NULL, OPT_FORCE},
    {"consume-ns", required_argument, NULL, OPT_CONSUME_NS},
    {"report", no_argument, NULL, OPT_REPORT},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

#define POLL_NS      100000000
#define TRACE_EVENTS 100000

typedef struct epoch_job {
    options_files files;
    loader_args loader;
    const char *resume_path, *save_path, *index_path, *trace_path;
    uint64_t max_batches, consume_ns;
    bool force, json, quiet, help;
    unsigned char state[HR_LOADER_STATE_BYTES + 1]; /* one more, to see what is too long */
    index_file index;
    uint64_t *indices;
    progress bar;
    uint64_t sample_bytes;            /* of the fields asked for */
    uint64_t batches;                 /* delivered */
    uint64_t done_bytes, total_bytes; /* for the bar */
    epoch_result result;
} epoch_job;

static bool take_option(const options *o, int value, epoch_job *job) {
    switch (value) {
    case OPT_EPOCHS:
        return options_uint(o, "epochs", 1, UINT64_MAX, &job->loader.opts.num_epochs);
    case OPT_MAX_BATCHES:
        return options_uint(o, "max-batches", 1, UINT64_MAX, &job->max_batches);
    case OPT_CONSUME_NS:
        return options_uint(o, "consume-ns", 0, INT64_MAX, &job->consume_ns);
    case OPT_RESUME:
        job->resume_path = optarg;
        return true;
    case OPT_SAVE_STATE:
        job->save_path = optarg;
        return true;
    case OPT_INDEX:
        job->index_path = optarg;
        return true;
    case OPT_TRACE:
        job->trace_path = optarg;
        job->loader.opts.trace_events = TRACE_EVENTS;
        return true;
    case OPT_FORCE:
    case OPT_REPORT:
    case OPT_JSON:
    case OPT_QUIET:
    case 'h':
        job->force |= value == OPT_FORCE;
        job->result.report |= value == OPT_REPORT;
        job->json |= value == OPT_JSON;
        job->quiet |= value == OPT_QUIET;
        job->help |= value == 'h';
        return true;
    default:
        return loader_args_take(o, value, &job->loader);
    }
}

static bool take_arguments(const options *o, epoch_job *job) {
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

static void consume(const epoch_job *job) {
    if (job->consume_ns > 0) {
        const struct timespec step = {(time_t)(job->consume_ns / 1000000000),
                                      (long)(job->consume_ns % 1000000000)};
        nanosleep(&step, NULL);
    }
}

/* What is to come, from the first batch on: known only then where a state was resumed. */
static void count_total(epoch_job *job, const hr_batch *first) {
    const hr_loader_info *i = &job->result.info;
    const uint64_t skipped = hr_batch_number(first) * i->local_batch_samples;
    uint64_t samples = i->samples_per_epoch * job->loader.opts.num_epochs;
    samples = samples > skipped ? samples - skipped : 0;
    if (job->max_batches > 0 && job->max_batches < samples / i->local_batch_samples) {
        samples = job->max_batches * i->local_batch_samples;
    }
    job->total_bytes = samples * job->sample_bytes;
}

/* On a terminal, what limits is looked up once a second. */
static void draw(epoch_job *job, hr_loader *loader) {
    if (progress_note_due(&job->bar) &&
        hr_loader_report(loader, &job->result.limits, NULL) == HR_OK &&
        job->result.limits.limit != HR_LIMIT_UNKNOWN) {
        char note[PROGRESS_NOTE_BYTES];
        snprintf(note, sizeof note, "limit: %s", hr_limit_name(job->result.limits.limit));
        progress_note(&job->bar, note);
    }
    progress_draw(&job->bar, job->done_bytes, job->total_bytes);
}

/* On a GPU as a training step does, without the step: on the default stream, which in this thread
 * is that of GPU 0. On the others there is no stream at hand, and nothing that uses the batch. */
static hr_status release(hr_batch *batch, hr_error *err) {
    hr_status st = HR_OK;
    if (hr_batch_device(batch) != HR_DEVICE_CUDA(0)) {
        hr_batch_release(batch);
        return HR_OK;
    }
    st = hr_batch_wait_on(batch, NULL, err);
    return st == HR_OK ? hr_batch_release_on(batch, NULL, err) : st;
}

/* EXIT_DONE, or an exit code after a report. Releases the batch. */
static int take_batch(epoch_job *job, hr_loader *loader, hr_batch *batch) {
    hr_error err = {.message = ""};
    const uint32_t samples = hr_batch_num_samples(batch);
    if (job->batches++ == 0) {
        count_total(job, batch);
    }
    job->result.epochs += hr_batch_number(batch) + 1 == job->result.info.batches_per_epoch;
    job->result.padding += hr_batch_num_padding(batch);
    job->done_bytes += samples * job->sample_bytes;
    bool written = true;
    hr_status st = HR_OK;
    if (job->index.whole.file != NULL) {
        st = hr_batch_indices(batch, job->indices, &err);
        written = st != HR_OK || index_file_add(&job->index, "epoch", job->indices, samples);
    }
    consume(job);
    if (st == HR_OK) {
        st = release(batch, &err);
    }
    if (st != HR_OK || !written) {
        progress_clear(&job->bar);
        return st != HR_OK ? report_status("epoch", st, &err) : EXIT_FAILED;
    }
    draw(job, loader);
    return EXIT_DONE;
}

/* After the last epoch the end comes for ever, so two ends without a batch between are the last. */
static int drive(epoch_job *job, hr_loader *loader) {
    hr_error err = {.message = ""};
    bool ended = false;
    while (job->max_batches == 0 || job->batches < job->max_batches) {
        hr_batch *batch = NULL;
        if (interrupt_seen()) {
            progress_clear(&job->bar);
            report_failure("epoch", "interrupted after %s batches", sizes_count(job->batches).text);
            return EXIT_INTERRUPTED;
        }
        const hr_status st = hr_loader_next(loader, POLL_NS, &batch, &err);
        if (st == HR_END_OF_EPOCH && ended) {
            break;
        }
        if (st == HR_TIMEOUT || st == HR_END_OF_EPOCH) {
            ended = ended || st == HR_END_OF_EPOCH;
            continue;
        }
        if (st != HR_OK) {
            progress_clear(&job->bar);
            return report_status("epoch", st, &err);
        }
        ended = false;
        const int code = take_batch(job, loader, batch);
        if (code != EXIT_DONE) {
            return code;
        }
    }
    return EXIT_DONE;
}

static bool save_state(const epoch_job *job, hr_loader *loader) {
    unsigned char state[HR_LOADER_STATE_BYTES];
    size_t bytes = 0;
    hr_error err = {.message = ""};
    if (job->save_path == NULL) {
        return true;
    }
    const hr_status st = hr_loader_state(loader, state, sizeof state, &bytes, &err);
    if (st != HR_OK) {
        report_status("epoch", st, &err);
        return false;
    }
    return state_file_write("epoch", job->save_path, state, bytes);
}

/* Of a run that failed, too: it shows how far it came. */
static bool save_trace(const epoch_job *job, hr_loader *loader) {
    hr_error err = {.message = ""};
    if (job->trace_path == NULL) {
        return true;
    }
    const hr_status st = hr_loader_trace_write(loader, job->trace_path, &err);
    if (st != HR_OK) {
        report_status("epoch", st, &err);
    }
    return st == HR_OK;
}

/* An interrupted run keeps its state and the indices so far: both are true as they stand. */
static int run_loader(epoch_job *job, hr_loader *loader, int64_t start_ns) {
    hr_error err = {.message = ""};
    job->result.open = loader;
    job->result.info.struct_bytes = sizeof job->result.info;
    job->result.limits.struct_bytes = sizeof job->result.limits;
    hr_status st = hr_loader_describe(loader, &job->result.info, &err);
    if (st != HR_OK) {
        return report_status("epoch", st, &err);
    }
    job->indices = calloc(job->result.info.local_batch_samples, sizeof *job->indices);
    if (job->indices == NULL) {
        return report_failure("epoch", "not enough memory");
    }
    const int code = drive(job, loader);
    job->result.took_ns = progress_now_ns() - start_ns;
    progress_clear(&job->bar);
    const bool traced = save_trace(job, loader);
    if (code != EXIT_DONE && code != EXIT_INTERRUPTED) {
        return code;
    }
    /* The indices first: a state that is ahead of them would lose some for ever. */
    if ((job->index.whole.file != NULL && !index_file_finish(&job->index, "epoch")) ||
        !save_state(job, loader) || !traced) {
        return EXIT_FAILED;
    }
    st = hr_loader_describe(loader, &job->result.info, &err);
    if (st == HR_OK) {
        st = hr_loader_report(loader, &job->result.limits, &err);
    }
    if (st != HR_OK) {
        return report_status("epoch", st, &err);
    }
    int printed = EXIT_DONE;
    if (job->json) {
        printed = epoch_result_print_json(&job->result);
    } else if (!job->quiet) {
        epoch_result_print(&job->result);
    }
    return code == EXIT_DONE ? printed : code;
}

/* Of values of variable length, as far as they are known, the mean. */
static uint64_t field_bytes(const hr_dataset *ds, uint32_t field) {
    hr_length_statistics lengths = {.struct_bytes = sizeof lengths};
    const bool known = hr_dataset_length_statistics(ds, field, &lengths, NULL) == HR_OK;
    return hr_dataset_sample_bytes(ds, field) + (known ? (uint64_t)lengths.mean_bytes : 0);
}

/* Bytes of one sample over the fields asked for; a name that is not there, the loader reports. */
static uint64_t sample_bytes(const hr_dataset *ds, const hr_loader_options *opts) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; opts->fields == NULL && i < hr_dataset_num_fields(ds); i++) {
        bytes += field_bytes(ds, i);
    }
    for (uint32_t i = 0; i < opts->num_fields; i++) {
        uint32_t field = 0;
        if (hr_dataset_find_field(ds, opts->fields[i], &field, NULL) == HR_OK) {
            bytes += field_bytes(ds, field);
        }
    }
    return bytes;
}

static void name_state(const char *path, hr_error *err) {
    char why[HR_ERROR_MESSAGE_BYTES];
    (void)snprintf(why, sizeof why, "%s", err->message);
    (void)snprintf(err->message, sizeof err->message, "%.200s: %.300s", path, why);
}

static int run(epoch_job *job) {
    hr_loader_options *opts = &job->loader.opts;
    int code = loader_args_finish("epoch", &job->loader);
    if (code != EXIT_DONE) {
        return code;
    }
    const char *const outputs[] = {job->save_path, job->index_path, job->trace_path};
    if (!output_paths_differ("epoch", outputs, sizeof outputs / sizeof outputs[0])) {
        return EXIT_USAGE;
    }
    code = EXIT_FAILED;
    if (!output_path_good("epoch", job->save_path, &job->files) ||
        !output_path_good("epoch", job->index_path, &job->files) ||
        !output_path_good("epoch", job->trace_path, &job->files)) {
        return EXIT_FAILED;
    }
    if (job->resume_path != NULL) {
        const int done = state_file_read("epoch", job->resume_path, job->state, sizeof job->state,
                                         &opts->resume_state_bytes);
        if (done != EXIT_DONE) {
            return done;
        }
        opts->resume_state = job->state;
    }
    hr_dataset *ds = dataset_open_or_report("epoch", &job->files, opts->budget_bytes, &code);
    if (ds == NULL) {
        return code;
    }
    job->result.ds = ds;
    job->result.loader = &job->loader;
    if (!finish_args_apply("epoch", &job->loader.finish, ds, opts)) {
        hr_dataset_close(ds);
        return EXIT_USAGE;
    }
    code = loader_args_choose("epoch", ds, &job->loader);
    if (code != EXIT_DONE) {
        hr_dataset_close(ds);
        return code;
    }
    code = EXIT_FAILED;
    if (job->index_path == NULL ||
        index_file_open(&job->index, "epoch", job->index_path, job->force)) {
        hr_error err = {.message = ""};
        hr_loader *loader = NULL;
        interrupt_watch();
        job->bar = progress_begin("epoch", job->quiet);
        job->sample_bytes = sample_bytes(ds, opts);
        const int64_t start_ns = progress_now_ns();
        const hr_status st = hr_loader_open(ds, opts, &loader, &err);
        if (st != HR_OK && job->resume_path != NULL && strstr(err.message, "the state") != NULL) {
            name_state(job->resume_path, &err);
        }
        code = st == HR_OK ? run_loader(job, loader, start_ns) : report_status("epoch", st, &err);
        hr_loader_close(loader);
    }
    index_file_close(&job->index);
    hr_dataset_close(ds);
    return code;
}

int cmd_epoch(int argc, char **argv) {
    const options o = {"epoch", argc, argv, table, ":h"};
    epoch_job job = {0};
    loader_args_init(&job.loader);
    job.loader.opts.num_epochs = 1;
    const bool good = take_arguments(&o, &job);
    if (!good || job.help) {
        fputs(good ? help : "", stdout);
        return good ? EXIT_DONE : EXIT_USAGE;
    }
    const int code = run(&job);
    loader_args_end(&job.loader);
    free(job.indices);
    return code;
}
