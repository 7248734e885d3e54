/*
 * What goes wrong on a GPU: each has its status and its sentence, and nothing hangs. A kernel that
 * fails ends the use of the GPU by its process: that is another one, this program with --broken.
 */
#include "gpu_lane.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFT_BYTES ((size_t)32 << 20)

extern char **environ;

static const struct made data = {.num_samples = 2000,
                                 .samples_per_chunk = 50,
                                 .row_bytes = 1000,
                                 .row_words = 10,
                                 .codec = HR_CODEC_ZSTD};

static hr_loader_options on_gpu(uint32_t index) {
    hr_loader_options o = made_shuffled(64, HR_IO_CACHED, 2);
    o.window_visits = 4;
    o.device = HR_DEVICE_CUDA(index);
    return o;
}

/* The message has these words. */
static void check_refused(const hr_loader_options *o, hr_status expected, const char *words) {
    hr_dataset *ds = made_open("refused.hrd", &data);
    hr_loader *loader = NULL;
    hr_error err = {0};
    const hr_status st = hr_loader_open(ds, o, &loader, &err);
    GPU_CHECK(st == expected && loader == NULL, "%s, expected %s: %s", hr_status_name(st),
              hr_status_name(expected), err.message);
    GPU_CHECK(strstr(err.message, words) != NULL, "'%s' does not say '%s'", err.message, words);
    printf("  says: %s\n", err.message);
    hr_dataset_close(ds);
}

static void open__no_such_gpu__refused(void) {
    const hr_loader_options o = on_gpu(99);
    check_refused(&o, HR_ERR_NO_DEVICE, "99");
}

static void open__small_device_budget__refused_with_what_fits(void) {
    hr_loader_options o = on_gpu(0);
    o.device_budget_bytes = 100000;
    check_refused(&o, HR_ERR_DEVICE_MEMORY, "device budget");
}

static void open__device_budget_of_what_is_needed__works(void) {
    hr_dataset *ds = made_open("fits.hrd", &data);
    hr_loader_options o = on_gpu(0);
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    hr_error err = {0};
    made_ok(hr_loader_plan_make(ds, &o, &plan, &err), &err);
    o.device_budget_bytes = plan.device_bytes;
    hr_loader_close(lane_loader(ds, &o));
    o.device_budget_bytes--;
    check_refused(&o, HR_ERR_DEVICE_MEMORY, "device budget");
    hr_dataset_close(ds);
}

/* All but little of the GPU's memory is taken, and the budget allows more than is left. */
static void open__gpu_is_full__refused(void) {
    size_t free_bytes, total_bytes;
    hr_loader_options o = on_gpu(0);
    void *taken[64];
    uint32_t num_taken = 0;
    GPU_CALL(cudaMemGetInfo(&free_bytes, &total_bytes));
    for (size_t n = free_bytes; n >= LEFT_BYTES && num_taken < 64;) {
        if (cudaMalloc(&taken[num_taken], n) == cudaSuccess)
            num_taken++;
        else
            n /= 2;
    }
    (void)cudaGetLastError();
    o.device_slots = 1000;
    o.device_budget_bytes = total_bytes;
    check_refused(&o, HR_ERR_DEVICE_MEMORY, "were free");
    while (num_taken > 0)
        GPU_CALL(cudaFree(taken[--num_taken]));
}

static void next__too_many_held__busy(void) {
    hr_dataset *ds = made_open("held.hrd", &data);
    const hr_loader_options o = on_gpu(0);
    hr_loader *loader = lane_loader(ds, &o);
    hr_batch *held[3] = {NULL};
    hr_error err = {0};
    for (uint32_t i = 0; i < 2; i++)
        made_ok(hr_loader_next(loader, -1, &held[i], &err), &err);
    GPU_CHECK(hr_loader_next(loader, -1, &held[2], &err) == HR_ERR_BUSY, "a third batch came");
    for (uint32_t i = 0; i < 2; i++)
        hr_batch_release(held[i]);
    made_ok(hr_loader_next(loader, -1, &held[2], &err), &err);
    hr_batch_release(held[2]);
    hr_loader_close(loader);
    hr_dataset_close(ds);
}

/* Nothing of CUDA's is called in the child. */
static int child_of(hr_loader *loader, hr_batch *b) {
    hr_batch *other = NULL;
    if (hr_loader_next(loader, 0, &other, NULL) != HR_ERR_FORKED)
        return 2;
    if (hr_batch_wait_on(b, NULL, NULL) != HR_ERR_FORKED ||
        hr_batch_release_on(b, NULL, NULL) != HR_ERR_FORKED)
        return 3;
    hr_batch_release(b);
    hr_loader_close(loader);
    return 0;
}

static void fork__child_of_a_loader__gets_an_error(void) {
    hr_dataset *ds = made_open("forked.hrd", &data);
    const hr_loader_options o = on_gpu(0);
    struct lane lane;
    hr_loader *loader = lane_loader(ds, &o);
    hr_batch *b = NULL;
    hr_error err = {0};
    int status = -1;
    lane_open(&lane, &data, o.batch_samples, NULL, true, 1);
    made_ok(hr_loader_next(loader, -1, &b, &err), &err);
    const pid_t child = fork();
    if (child == 0)
        _exit(child_of(loader, b));
    GPU_CHECK(waitpid(child, &status, 0) == child && status == 0, "the child ended with %d",
              status);
    lane_use(&lane, b);
    (void)lane_epoch(&lane, loader);
    GPU_CHECK(lane.num_samples == data.num_samples, "samples are missing after the fork");
    lane_close(&lane);
    hr_loader_close(loader);
    hr_dataset_close(ds);
}

/* ---- a kernel that fails ---- */

/* The caller's kernel fails; the loader says so, at the latest when it needs the GPU again. */
static int run_broken(void) {
    hr_dataset *ds = made_open("broken.hrd", &data);
    hr_loader_options o = on_gpu(0);
    o.num_epochs = 0;
    hr_loader *loader = lane_loader(ds, &o);
    cudaStream_t stream = gpu_stream();
    hr_error err = {0};
    hr_status st = HR_OK;
    hr_batch *b = NULL;
    (void)gpu_break(stream);
    for (uint32_t i = 0; i < 100000 && st == HR_OK; i++) {
        st = hr_loader_next(loader, INT64_C(60000000000), &b, &err);
        if (st == HR_OK && (st = hr_batch_wait_on(b, stream, &err)) == HR_OK)
            st = hr_batch_release_on(b, stream, &err);
    }
    printf("  %s: %s\n", hr_status_name(st), err.message);
    GPU_CHECK(st == HR_ERR_DEVICE, "the loader goes on");
    GPU_CHECK(strstr(err.message, "kernel") != NULL, "the message does not speak of a kernel");
    hr_loader_close(loader); /* must come back */
    hr_dataset_close(ds);
    made_cleanup();
    fflush(stdout);
    _Exit(0); /* the GPU is beyond tidying up */
}

static void kernel__that_fails__is_a_status_and_close_comes_back(void) {
    char self[] = "/proc/self/exe", broken[] = "--broken";
    char *const args[] = {self, broken, NULL};
    pid_t child;
    int status = -1;
    fflush(stdout);
    GPU_CHECK(posix_spawn(&child, self, NULL, NULL, args, environ) == 0, "the child cannot start");
    GPU_CHECK(waitpid(child, &status, 0) == child && status == 0, "the child ended with %d",
              status);
}

int main(int argc, char **argv) {
    static const struct gpu_case cases[] = {
        GPU_CASE(open__no_such_gpu__refused),
        GPU_CASE(open__small_device_budget__refused_with_what_fits),
        GPU_CASE(open__device_budget_of_what_is_needed__works),
        GPU_CASE(open__gpu_is_full__refused),
        GPU_CASE(next__too_many_held__busy),
        GPU_CASE(fork__child_of_a_loader__gets_an_error),
        GPU_CASE(kernel__that_fails__is_a_status_and_close_comes_back),
    };
    if (!gpu_is_there())
        return GPU_SKIPPED;
    if (argc > 1 && strcmp(argv[1], "--broken") == 0)
        return run_broken();
    const int failed =
        gpu_cases_run(cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
    made_cleanup();
    return failed;
}
