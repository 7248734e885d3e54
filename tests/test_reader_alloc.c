/*
 * Every allocation, mapping and thread of a reader is refused in turn (link-time --wrap):
 * HR_ERR_NO_MEMORY, or success where it can do without; no leak, no hang, and the next try works.
 * Allocations inside of jansson are not refused: it does not tell lack of memory from bad text.
 */
#include "fake_nodes.h"
#include "loader.h"
#include "reader_pass.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

static const struct made set = {130, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

static atomic_long until_refusal = -1; /* so many more succeed, then one is refused; -1: none is */
static atomic_bool refused;
static atomic_bool threads_only;

static bool refuse(bool is_thread) {
    if (atomic_load(&threads_only) && !is_thread)
        return false;
    if (atomic_load(&until_refusal) < 0)
        return false;
    if (atomic_fetch_sub(&until_refusal, 1) != 0)
        return false;
    atomic_store(&refused, true);
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
int __real_posix_memalign(void **out, size_t align, size_t n);
char *__real_strdup(const char *s);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
int __wrap_posix_memalign(void **out, size_t align, size_t n);
char *__wrap_strdup(const char *s);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);

void *__wrap_malloc(size_t n) {
    return refuse(false) ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return refuse(false) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return refuse(false) ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n) {
    return refuse(false) ? NULL : __real_aligned_alloc(align, n);
}

int __wrap_posix_memalign(void **out, size_t align, size_t n) {
    return refuse(false) ? ENOMEM : __real_posix_memalign(out, align, n);
}

char *__wrap_strdup(const char *s) {
    return refuse(false) ? NULL : __real_strdup(s);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off) {
    errno = ENOMEM;
    return refuse(false) ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, off);
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg) {
    return refuse(true) ? EAGAIN : __real_pthread_create(t, attr, run, arg);
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void) {
    return refuse(false) ? NULL : __real_ZSTD_createDCtx();
}

enum {
    READ,
    GATHER,
    LOAD_CACHED,
    LOAD_DIRECT,
    LOAD_LIBAIO,
    LOAD_THREADS,
    FILES_CACHED, /* the same of several files */
    FILES_DIRECT,
    LOAD_ON_NODES,
    LOAD_SUBSET,
    SUBSET,
    SPLIT,
    SPLIT_STRATIFIED,
    PLAN,
    BENCH_MEMORY,
    BENCH_DISK,
    PROBE,
    VERIFY,
    NUM_CALLS
};

static const char *two_nodes;

/* sysfs: NULL, or of a machine with several nodes. */
static hr_status load(hr_dataset *ds, hr_io io, hr_subset *subset, const char *sysfs,
                      hr_error *err) {
    static const float scale[1] = {1}; /* values stay as they are */
    const hr_finish finish = {.struct_bytes = sizeof(finish),
                              .field = "w",
                              .flags = HR_FINISH_CHECK_FINITE,
                              .dtype = HR_FLOAT32,
                              .num_channels = 1,
                              .scale = scale};
    const struct hr__loader_setup setup = {.sysfs = sysfs};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 16;
    o.num_threads = 3;
    o.finish = &finish;
    o.num_finish = 1;
    o.num_epochs = 2;
    o.budget_bytes = (uint64_t)64 << 20;
    o.io = io;
    o.subset = subset;
    hr_status st = hr__loader_open(ds, &o, &setup, &l, err);
    if (st == HR_ERR_UNSUPPORTED && (io == HR_IO_DIRECT || io == HR_IO_LIBAIO))
        return hr_loader_open(ds, &o, &l, NULL) == HR_OK ? HR_ERR_INVALID : HR_OK;
    for (int ends = 0; st == HR_OK && ends < 2;) {
        st = hr_loader_next(l, -1, &b, err);
        if (st == HR_OK && !made_batch_right(b, &set))
            st = HR_ERR_INVALID;
        hr_batch_release(b);
        if (st == HR_END_OF_EPOCH) {
            ends++;
            st = HR_OK;
        }
    }
    hr_loader_close(l);
    return st;
}

/* Every third and some more: half by bits. */
static hr_status subset_make(hr_dataset *ds, hr_subset **out, hr_error *err) {
    uint64_t list[130], n = 0;
    for (uint64_t i = 0; i < 130; i++)
        if (i % 3 == 0 || i % 10 == 7)
            list[n++] = i;
    return hr_subset_from_indices(ds, list, n, out, err);
}

static hr_status load_subset(hr_dataset *ds, hr_error *err) {
    hr_subset *s = NULL;
    hr_status st = subset_make(ds, &s, err);
    if (st == HR_OK)
        st = load(ds, HR_IO_CACHED, s, NULL, err);
    hr_subset_free(s);
    return st;
}

static hr_status subset(hr_dataset *ds, hr_error *err) {
    hr_subset *s = NULL, *few = NULL, *range = NULL;
    hr_status st = subset_make(ds, &s, err);
    if (st == HR_OK)
        st = hr_subset_from_indices(ds, (const uint64_t[]){3, 4, 50}, 3, &few, err);
    if (st == HR_OK)
        st = hr_subset_from_range(ds, 3, 100, 7, &range, err);
    hr_subset_free(s);
    hr_subset_free(few);
    hr_subset_free(range);
    return st;
}

static hr_status split(hr_dataset *ds, const char *field, hr_error *err) {
    hr_split_options o = HR_SPLIT_OPTIONS_INIT;
    hr_subset *parts[3];
    o.fractions = (const double[]){0.5, 0.3, 0.1};
    o.num_fractions = 3;
    o.stratify_field = field;
    o.budget_bytes = (uint64_t)64 << 20;
    hr_status st = hr_split(ds, &o, parts, err);
    for (int i = 0; i < 3; i++) {
        if (st != HR_OK && parts[i] != NULL)
            return HR_ERR_INVALID;
        hr_subset_free(parts[i]);
    }
    return st;
}

static hr_status plan(hr_dataset *ds, hr_error *err) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader_plan p = {.struct_bytes = sizeof(p)};
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 16;
    o.budget_bytes = (uint64_t)64 << 20;
    return hr_loader_plan_make(ds, &o, &p, err);
}

/* Apart, because the end of an asynchronous context takes the kernel so long. */
static hr_status bench(hr_dataset *ds, bool disk, hr_error *err) {
    hr_bench_options o = HR_BENCH_OPTIONS_INIT;
    hr_bench_result r = {.struct_bytes = sizeof(r)};
    o.measures = 1u << (disk ? HR_BENCH_READ_SHUFFLED : HR_BENCH_MEMORY_SEQUENTIAL);
    o.batch_samples = 16;
    o.num_threads = disk ? 1 : 2;
    o.num_rounds = 1;
    o.run_ns = 1000000;
    o.budget_bytes = (uint64_t)64 << 20;
    return hr_bench(ds, &o, &r, err);
}

static hr_status probe(hr_dataset *ds, hr_error *err) {
    hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
    hr_probe_options o = HR_PROBE_OPTIONS_INIT;
    hr_probe_result r = {.struct_bytes = sizeof(r)};
    lo.flags = HR_LOADER_SHUFFLE;
    lo.batch_samples = 16;
    lo.num_threads = 2;
    lo.budget_bytes = (uint64_t)64 << 20;
    lo.io = HR_IO_CACHED;
    o.limit_ns = 20000000;
    return hr_probe(ds, &lo, &o, &r, err);
}

static hr_status call(const char *path, int which, hr_error *err) {
    hr_dataset *ds = NULL;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_verify_options v = HR_VERIFY_OPTIONS_INIT;
    v.budget_bytes = o.budget_bytes = (uint64_t)64 << 20;
    v.num_threads = 3;
    if (which == VERIFY)
        return hr_dataset_verify(path, &v, err);
    const char *const files[] = {path, path, path};
    const bool several = which == FILES_CACHED || which == FILES_DIRECT;
    hr_status st = hr_dataset_open_many(files, several ? 3 : 1, &o, &ds, err);
    if (st == HR_OK)
        st = which == READ               ? pass_read(ds, &set, err)
             : which == GATHER           ? pass_gather(ds, &set, err)
             : which == LOAD_CACHED      ? load(ds, HR_IO_CACHED, NULL, NULL, err)
             : which == LOAD_DIRECT      ? load(ds, HR_IO_DIRECT, NULL, NULL, err)
             : which == LOAD_LIBAIO      ? load(ds, HR_IO_LIBAIO, NULL, NULL, err)
             : which == LOAD_THREADS     ? load(ds, HR_IO_THREADS, NULL, NULL, err)
             : which == LOAD_ON_NODES    ? load(ds, HR_IO_CACHED, NULL, two_nodes, err)
             : which == FILES_CACHED     ? load(ds, HR_IO_CACHED, NULL, NULL, err)
             : which == FILES_DIRECT     ? load(ds, HR_IO_DIRECT, NULL, NULL, err)
             : which == LOAD_SUBSET      ? load_subset(ds, err)
             : which == SUBSET           ? subset(ds, err)
             : which == SPLIT            ? split(ds, NULL, err)
             : which == SPLIT_STRATIFIED ? split(ds, "y", err)
             : which == PLAN             ? plan(ds, err)
             : which == PROBE            ? probe(ds, err)
                                         : bench(ds, which == BENCH_DISK, err);
    else if (ds != NULL)
        st = HR_ERR_INVALID;
    hr_dataset_close(ds);
    return st;
}

/* Refuses the nth of each call in turn until a call needs fewer; those of a probe, which takes its
 * time, in steps that grow. */
static void refuse_each(int which) {
    const char *path = made_path("alloc.hrd");
    for (long nth = 0;; nth += which == PROBE ? 1 + nth / 16 : 1) {
        hr_error err = {0};
        atomic_store(&refused, false);
        atomic_store(&until_refusal, nth);
        hr_status st = call(path, which, &err);
        atomic_store(&until_refusal, -1);
        if (!atomic_load(&refused)) {
            made_ok(st, &err);
            assert_true(nth > (atomic_load(&threads_only) ? 1 : 10));
            return;
        }
        if (st != HR_OK && (st != HR_ERR_NO_MEMORY || err.status != st || err.message[0] == 0))
            fail_msg("call %d, refusal %ld: %s: %s", which, nth, hr_status_name(st), err.message);
        assert_true(nth < 10000);
    }
}

static void read__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(READ);
}

static void gather__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(GATHER);
}

static void loader__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(LOAD_CACHED);
    refuse_each(LOAD_DIRECT);
    refuse_each(LOAD_LIBAIO);
    refuse_each(LOAD_THREADS);
    refuse_each(LOAD_ON_NODES);
}

static void files__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(FILES_CACHED);
    refuse_each(FILES_DIRECT);
}

static void loader__of_a_subset_each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(LOAD_SUBSET);
}

static void subset__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(SUBSET);
}

static void split__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(SPLIT);
    refuse_each(SPLIT_STRATIFIED);
}

static void plan__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(PLAN);
}

static void bench__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(BENCH_MEMORY);
    refuse_each(BENCH_DISK);
}

static void probe__many_allocations_refused__no_memory(void **state) {
    (void)state;
    refuse_each(PROBE);
}

static void verify__each_allocation_refused__no_memory(void **state) {
    (void)state;
    refuse_each(VERIFY);
}

static void threads__each_refused__no_memory_or_done_without(void **state) {
    (void)state;
    atomic_store(&threads_only, true);
    refuse_each(LOAD_CACHED);
    refuse_each(LOAD_THREADS);
    refuse_each(LOAD_ON_NODES);
    refuse_each(BENCH_MEMORY);
    refuse_each(PROBE);
    refuse_each(VERIFY);
    atomic_store(&threads_only, false);
}

static int setup(void **state) {
    (void)state;
    static const struct fake_node nodes[] = {{"node0", "0"}, {"node1", "1"}, {NULL, NULL}};
    made_write(made_path("alloc.hrd"), &set);
    two_nodes = fake_nodes("0-1", nodes);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__each_allocation_refused__no_memory),
        cmocka_unit_test(gather__each_allocation_refused__no_memory),
        cmocka_unit_test(loader__each_allocation_refused__no_memory),
        cmocka_unit_test(files__each_allocation_refused__no_memory),
        cmocka_unit_test(loader__of_a_subset_each_allocation_refused__no_memory),
        cmocka_unit_test(subset__each_allocation_refused__no_memory),
        cmocka_unit_test(split__each_allocation_refused__no_memory),
        cmocka_unit_test(plan__each_allocation_refused__no_memory),
        cmocka_unit_test(bench__each_allocation_refused__no_memory),
        cmocka_unit_test(probe__many_allocations_refused__no_memory),
        cmocka_unit_test(verify__each_allocation_refused__no_memory),
        cmocka_unit_test(threads__each_refused__no_memory_or_done_without),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, setup, teardown);
}
