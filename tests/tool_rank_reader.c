/*
 * What test_ranks.py starts under mpirun and torchrun: one rank that reads, and is killed.
 *
 *   tool_rank_reader FILE FOLDER [STATE]
 *
 * Reads two epochs in 8 streams, from STATE on. Files of rank R in FOLDER:
 *   R.pid, R.rank    process; "RANK WORLD_SIZE LOCAL_RANK LAUNCHER", as the environment says
 *   R.log            a line for each batch: epoch, number, sample indices
 *   R.states         its state after each batch, HR_LOADER_STATE_BYTES each
 * Both are written batch by batch, past any buffer, so that a killed process leaves what it did.
 */
#define _GNU_SOURCE
#include "headrace/headrace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STREAMS    8u
#define BATCH      64u
#define EPOCHS     2u
#define STEP_NS    10000000 /* a step of training, in which a kill may fall */
#define LINE_BYTES (BATCH * 22 + 64)

struct reader {
    hr_dataset *data;
    hr_loader *loader;
    hr_rank_info ranks;
    int log_fd, states_fd;
};

static int fail(const char *what) {
    fprintf(stderr, "tool_rank_reader: %s\n", what);
    return 1;
}

static int create(const char *folder, uint32_t rank, const char *kind) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%" PRIu32 ".%s", folder, rank, kind);
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
}

static int introduce(const struct reader *r, const char *folder) {
    const int pid_fd = create(folder, r->ranks.rank, "pid");
    const int rank_fd = create(folder, r->ranks.rank, "rank");
    const int failed = pid_fd < 0 || rank_fd < 0 || dprintf(pid_fd, "%d\n", (int)getpid()) < 0 ||
                       dprintf(rank_fd, "%" PRIu32 " %" PRIu32 " %" PRIu32 " %s\n", r->ranks.rank,
                               r->ranks.world_size, r->ranks.local_rank, r->ranks.launcher) < 0;
    close(pid_fd);
    close(rank_fd);
    return failed;
}

static int log_batch(const struct reader *r, const hr_batch *batch) {
    uint64_t indices[BATCH];
    char line[LINE_BYTES];
    if (hr_batch_indices(batch, indices, NULL) != HR_OK)
        return 1;
    int n = snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64, hr_batch_epoch(batch),
                     hr_batch_number(batch));
    for (uint32_t i = 0; i < hr_batch_num_samples(batch); i++)
        n += snprintf(line + n, sizeof line - (size_t)n, " %" PRIu64, indices[i]);
    line[n++] = '\n';
    return write(r->log_fd, line, (size_t)n) != n;
}

static int log_state(const struct reader *r) {
    unsigned char state[HR_LOADER_STATE_BYTES];
    size_t n_bytes = 0;
    return hr_loader_state(r->loader, state, sizeof state, &n_bytes, NULL) != HR_OK ||
           n_bytes != sizeof state || write(r->states_fd, state, n_bytes) != (ssize_t)n_bytes;
}

/* The state goes first: whoever finds a whole line finds the state behind it. */
static int read_all(const struct reader *r, hr_error *err) {
    const struct timespec step = {0, STEP_NS};
    for (;;) {
        hr_batch *batch = NULL;
        const hr_status st = hr_loader_next(r->loader, -1, &batch, err);
        if (st != HR_OK && st != HR_END_OF_EPOCH)
            return fail(err->message);
        if (batch != NULL && hr_batch_epoch(batch) == EPOCHS)
            return 0;
        if (batch != NULL && (log_state(r) || log_batch(r, batch)))
            return fail("a log cannot be written");
        hr_batch_release(batch);
        nanosleep(&step, NULL);
    }
}

static int open_loader(struct reader *r, const char *state_path, hr_error *err) {
    unsigned char state[HR_LOADER_STATE_BYTES];
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = BATCH;
    o.window_visits = 4 * STREAMS;
    o.seed = 5;
    o.num_streams = STREAMS;
    o.rank = r->ranks.rank;
    o.world_size = r->ranks.world_size;
    o.num_threads = 1;
    if (state_path != NULL) {
        FILE *f = fopen(state_path, "rb");
        if (f == NULL || fread(state, sizeof state, 1, f) != 1)
            return fail("the state cannot be read");
        fclose(f);
        o.resume_state = state;
        o.resume_state_bytes = sizeof state;
    }
    return hr_loader_open(r->data, &o, &r->loader, err) == HR_OK ? 0 : fail(err->message);
}

int main(int argc, char **argv) {
    hr_error err = {.message = ""};
    struct reader r = {.ranks.struct_bytes = sizeof r.ranks};
    if (argc < 3)
        return fail("usage: tool_rank_reader FILE FOLDER [STATE]");
    if (hr_rank_from_environment(NULL, &r.ranks, &err) != HR_OK ||
        hr_dataset_open(argv[1], NULL, &r.data, &err) != HR_OK)
        return fail(err.message);
    r.log_fd = create(argv[2], r.ranks.rank, "log");
    r.states_fd = create(argv[2], r.ranks.rank, "states");
    if (r.log_fd < 0 || r.states_fd < 0 || introduce(&r, argv[2]))
        return fail("the folder cannot be written to");
    int failed = open_loader(&r, argc > 3 ? argv[3] : NULL, &err);
    failed = failed || read_all(&r, &err);
    hr_loader_close(r.loader);
    hr_dataset_close(r.data);
    close(r.log_fd);
    close(r.states_fd);
    return failed;
}
