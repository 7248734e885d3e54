/*
 * A shuffle from sources that are made up, with memory from the least on: every sample is where the
 * permutation says, once; the temporary file is gone; what is wrong in it is found.
 */
#define _GNU_SOURCE
#include "error.h"
#include "shuffle.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED    11u
#define SAMPLES 1500u
#define X_BYTES 600u

/* ---- sources: sample i of x begins with i, y is i mod 256, z has no bytes ---- */

struct made_up {
    struct hr__source base;
};

static hr_status open_reader(struct hr__source *src, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    (void)helpers;
    (void)budget;
    (void)err;
    *out = (struct hr__source_reader *)src;
    return HR_OK;
}

static uint64_t fails_at = UINT64_MAX;

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    const uint64_t size = ((const struct made_up *)(const void *)reader)->base.info.sample_bytes;
    for (uint64_t i = first; i < first + n && size > 0; i++) {
        uint8_t *sample = (uint8_t *)dst + (i - first) * size;
        if (i == fails_at)
            return hr__error_set(err, HR_ERR_DATA, "sample %llu is bad", (unsigned long long)i);
        memset(sample, (int)(i * 7 % 251), size);
        memcpy(sample, &i, size < sizeof i ? size : sizeof i);
    }
    return HR_OK;
}

static void close_reader(struct hr__source_reader *reader) {
    (void)reader;
}

static const struct hr__source_ops made_up_ops = {.name = "made up",
                                                  .open_reader = open_reader,
                                                  .read = read_samples,
                                                  .close_reader = close_reader};

static struct made_up sources[3];
static struct hr__input_field fields[3];
static struct hr__inputs inputs;

static void make_inputs(uint64_t num_samples) {
    static char names[3][2] = {"x", "y", "z"};
    const uint64_t bytes[3] = {X_BYTES, 1, 0};
    for (int f = 0; f < 3; f++) {
        sources[f].base = (struct hr__source){.ops = &made_up_ops,
                                              .info = {.num_samples = num_samples,
                                                       .sample_bytes = bytes[f],
                                                       .granule_samples = 1,
                                                       .max_readers = 1,
                                                       .dtype = HR_UINT8,
                                                       .rank = 1,
                                                       .shape = {bytes[f]}}};
        fields[f] = (struct hr__input_field){names[f], &sources[f].base};
    }
    inputs = (struct hr__inputs){.num_fields = 3, .fields = fields};
}

/* ---- a folder whose files can be made to fail ---- */

static struct {
    atomic_long count; /* operations on the temporary file */
    long fail_at;      /* this one fails, from 1 */
    int fail_errno;
    uint64_t flip_off; /* the byte there is another one when it is read */
    uint64_t cut_off;  /* reads end here */
    bool slow;         /* reads take a while */
    long opened, unlinked;
    const struct hr__file_ops *real;
} disk;

static bool fails(void) {
    return atomic_fetch_add(&disk.count, 1) + 1 == disk.fail_at;
}

static int64_t read_file(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    if (fails())
        return -disk.fail_errno;
    if (disk.slow)
        (void)usleep(400000);
    if (off + n_bytes > disk.cut_off)
        n_bytes = off < disk.cut_off ? (size_t)(disk.cut_off - off) : 0;
    const int64_t n = disk.real->read(ctx, buf, n_bytes, off);
    if (n > 0 && disk.flip_off >= off && disk.flip_off < off + (uint64_t)n)
        ((uint8_t *)buf)[disk.flip_off - off] ^= 0x10;
    return n;
}

static int write_file(void *ctx, const void *buf, size_t n_bytes, uint64_t off) {
    return fails() ? -disk.fail_errno : disk.real->write(ctx, buf, n_bytes, off);
}

static struct hr__file_ops faulty_file;

static int open_file(void *ctx, const char *path, int flags, struct hr__file *out) {
    if (fails())
        return -disk.fail_errno;
    const int rc = hr__posix_folder.open(ctx, path, flags, out);
    if (rc != 0)
        return rc;
    disk.opened++;
    disk.real = out->ops;
    faulty_file = *out->ops;
    faulty_file.read = read_file;
    faulty_file.write = write_file;
    out->ops = &faulty_file;
    return 0;
}

static int unlink_file(void *ctx, const char *path) {
    if (fails())
        return -disk.fail_errno;
    disk.unlinked++;
    return hr__posix_folder.unlink(ctx, path);
}

static struct hr__folder_ops faulty_folder;
static char folder[] = "/tmp/headrace-shuffle-XXXXXX";
static char target[64], spill_path[80];

static void mend_disk(void) {
    atomic_store(&disk.count, 0);
    disk.fail_at = disk.opened = disk.unlinked = 0;
    disk.flip_off = UINT64_MAX;
    disk.cut_off = UINT64_MAX;
    disk.slow = false;
}

/* ---- running ---- */

struct outcome {
    struct hr__shuffle_plan plan;
    uint64_t last_read;
    uint64_t stop_at; /* samples read or written */
    int waits;        /* how often it was told with all samples read and none written */
    uint64_t peak_bytes;
    uint64_t file_bytes;
};

static hr_writer *writer;

static hr_status tell(void *user, uint64_t read, hr_error *err) {
    struct outcome *o = user;
    assert_true(read >= o->last_read);
    o->last_read = read;
    if (read + hr_writer_num_samples(writer) >= o->stop_at)
        return hr__error_set(err, HR_ERR_CANCELLED, "stopped");
    o->waits += read == SAMPLES && hr_writer_num_samples(writer) == 0;
    if (disk.slow && o->waits == 3)
        return hr__error_set(err, HR_ERR_CANCELLED, "tired of waiting");
    return HR_OK;
}

static hr_status open_writer(uint32_t flags, bool with_index) {
    hr_field all[4] = {{.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = (uint64_t[]){X_BYTES}},
                       {.name = "y", .dtype = HR_UINT8, .rank = 1, .shape = (uint64_t[]){1}},
                       {.name = "z", .dtype = HR_UINT8, .rank = 1, .shape = (uint64_t[]){0}},
                       {.name = "row", .dtype = HR_INT64}};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    o.flags = flags | HR_WRITER_REPLACE;
    o.num_threads = 1;
    o.samples_per_chunk = 100;
    o.codec = HR_CODEC_RAW;
    const hr_status st = hr_writer_open(target, all, with_index ? 4 : 3, &o, &writer, &err);
    if (st != HR_OK)
        fail_msg("%s", err.message);
    return st;
}

/* Shuffles with so many bytes of memory; the writer stays open. */
static hr_status run(uint64_t memory_bytes, uint32_t threads, bool with_index, struct outcome *o,
                     hr_error *err) {
    struct hr__shuffle_layout layout;
    struct hr__read_plan reading;
    struct hr__budget budget;
    assert_int_equal(hr__shuffle_layout_make(&inputs, with_index, &layout, err), HR_OK);
    hr__read_plan_make(&inputs, memory_bytes / 4, 1, &reading);
    hr__budget_init(&budget, memory_bytes);
    const struct hr__shuffle_job job = {.inputs = &inputs,
                                        .layout = &layout,
                                        .read_plan = &reading,
                                        .budget = &budget,
                                        .num_threads = threads,
                                        .seed = SEED,
                                        .writer = writer,
                                        .folder = &faulty_folder,
                                        .output = target,
                                        .check_space = true,
                                        .user = o,
                                        .tell = tell};
    const struct hr__shuffle_memory m = {memory_bytes, reading.buffer_bytes * reading.num_buffers,
                                         threads};
    o->last_read = 0;
    if (!hr__shuffle_plan_make(&layout, inputs.fields[0].source->info.num_samples, &m, &o->plan))
        o->plan = (struct hr__shuffle_plan){0};
    const hr_status st = hr__shuffle_run(&job, err);
    o->peak_bytes = atomic_load(&budget.peak_bytes);
    assert_int_equal(atomic_load(&budget.reserved_bytes), 0);
    hr__budget_close(&budget);
    hr__shuffle_layout_free(&layout);
    if (disk.unlinked == disk.opened)
        assert_int_equal(access(spill_path, F_OK), -1);
    else
        assert_int_equal(unlink(spill_path), 0); /* that was what failed */
    return st;
}

static void check_samples(uint64_t n, bool with_index) {
    static uint8_t x[SAMPLES * X_BYTES], y[SAMPLES];
    static int64_t row[SAMPLES];
    struct hr__permutation p;
    hr_dataset *ds = NULL;
    hr_error err = {0};
    assert_int_equal(hr_dataset_open(target, NULL, &ds, &err), HR_OK);
    assert_int_equal(hr_dataset_num_samples(ds), n);
    assert_int_equal(hr_dataset_read(ds, 0, 0, n, x, sizeof x, &err), HR_OK);
    assert_int_equal(hr_dataset_read(ds, 1, 0, n, y, sizeof y, &err), HR_OK);
    if (with_index)
        assert_int_equal(hr_dataset_read(ds, 3, 0, n, row, sizeof row, &err), HR_OK);
    hr__shuffle_permutation(&p, n, SEED);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t place = hr__permutation_apply(&p, i);
        uint8_t expected[X_BYTES];
        (void)read_samples((struct hr__source_reader *)&sources[0], i, 1, expected, NULL);
        assert_memory_equal(x + place * X_BYTES, expected, X_BYTES);
        assert_int_equal(y[place], i % 256);
        if (with_index)
            assert_int_equal(row[place], i);
    }
    hr_dataset_close(ds);
}

static void finish(void) {
    hr_error err = {0};
    if (hr_writer_commit(writer, &err) != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(writer);
}

static void give_up(void) {
    char partial[80];
    hr_writer_close(writer);
    (void)snprintf(partial, sizeof partial, "%s.partial", target);
    (void)unlink(partial);
}

/* ---- tests ---- */

static void shuffle__any_memory__gives_the_same_order(void **state) {
    (void)state;
    const uint64_t counts[] = {1, 2, 100, 257, 1001, SAMPLES};
    unsigned in_memory = 0, resident = 0, single = 0, many = 0, refused = 0;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
        for (uint64_t memory = 3000; memory < 2000000; memory = memory * 7 / 4) {
            struct outcome o = {.stop_at = UINT64_MAX};
            hr_error err = {0};
            const bool with_index = memory % 2 == 0;
            make_inputs(counts[k]);
            mend_disk();
            open_writer(0, with_index);
            const hr_status st = run(memory, memory % 3 == 0 ? 1 : 8, with_index, &o, &err);
            assert_int_equal(st, o.plan.num_samples > 0 ? HR_OK : HR_ERR_BUDGET);
            assert_true(o.peak_bytes <= memory);
            assert_int_equal(disk.opened, st == HR_OK && !o.plan.in_memory);
            assert_int_equal(disk.unlinked, disk.opened);
            if (st != HR_OK) {
                refused++;
                give_up();
                continue;
            }
            finish();
            check_samples(counts[k], with_index);
            in_memory += o.plan.in_memory;
            resident += o.plan.resident;
            single += !o.plan.in_memory && !o.plan.resident;
            many += o.plan.num_buckets > 20;
        }
    assert_true(in_memory > 5 && resident > 5 && single > 0 && many > 1 && refused > 5);
}

/* By file, in several buckets and pieces. */
#define BY_FILE UINT64_C(150000)

static void shuffle__resumed_in_the_middle__leaves_out_what_is_there(void **state) {
    (void)state;
    make_inputs(SAMPLES);
    mend_disk();
    for (uint64_t memory = BY_FILE; memory <= BY_FILE * 100; memory *= 100) {
        struct outcome o = {.stop_at = SAMPLES * 3 / 2};
        hr_error err = {0};
        open_writer(0, true);
        assert_int_equal(run(BY_FILE, 1, true, &o, &err), HR_ERR_CANCELLED);
        hr_writer_close(writer);
        open_writer(HR_WRITER_RESUME, true);
        const uint64_t kept = hr_writer_num_samples(writer);
        assert_true(kept > 0 && kept < SAMPLES);
        o.stop_at = UINT64_MAX;
        assert_int_equal(run(memory, 1, true, &o, &err), HR_OK);
        assert_int_equal(o.last_read, SAMPLES);
        assert_int_equal(o.plan.in_memory, memory != BY_FILE);
        finish();
        check_samples(SAMPLES, true);
    }
    /* All is there: nothing is read again. */
    struct outcome o = {.stop_at = UINT64_MAX};
    hr_error err = {0};
    make_inputs(0);
    open_writer(0, true);
    assert_int_equal(run(BY_FILE, 1, true, &o, &err), HR_OK);
    assert_int_equal(o.last_read, 0);
    give_up();
}

static void shuffle__each_operation_on_the_file_fails__is_an_error(void **state) {
    (void)state;
    static const int errors[] = {EIO, ENOSPC};
    long count = 0;
    make_inputs(SAMPLES);
    for (long nth = 1; nth == 1 || nth <= count; nth++) {
        struct outcome o = {.stop_at = UINT64_MAX};
        hr_error err = {0};
        mend_disk();
        disk.fail_at = nth;
        disk.fail_errno = errors[nth % 2];
        open_writer(0, true);
        assert_int_equal(run(BY_FILE, 1, true, &o, &err),
                         disk.fail_errno == EIO ? HR_ERR_IO : HR_ERR_NO_SPACE);
        assert_non_null(strstr(err.message, spill_path));
        give_up();
        if (nth > 1)
            continue;
        mend_disk(); /* how many are there? */
        open_writer(0, true);
        assert_int_equal(run(BY_FILE, 1, true, &o, &err), HR_OK);
        count = atomic_load(&disk.count);
        give_up();
    }
    assert_true(count > 20);
}

static void shuffle__any_flipped_byte_in_the_file__is_found(void **state) {
    (void)state;
    const uint64_t n_bytes = SAMPLES * (HR__PLACE_BYTES + X_BYTES + 1 + HR__INDEX_BYTES);
    make_inputs(SAMPLES);
    for (uint64_t off = 0; off < n_bytes; off = off < 8 ? off + 1 : off * 3 / 2) {
        struct outcome o = {.stop_at = UINT64_MAX};
        hr_error err = {0};
        mend_disk();
        disk.flip_off = off;
        open_writer(0, true);
        assert_int_equal(run(BY_FILE, 8, true, &o, &err), HR_ERR_CORRUPT);
        assert_int_equal(o.plan.file_bytes, n_bytes);
        assert_non_null(strstr(err.message, spill_path));
        /* Nothing of the damaged bucket was handed on. */
        assert_true(hr_writer_num_samples(writer) <=
                    off / (n_bytes / SAMPLES) / o.plan.bucket_samples * o.plan.bucket_samples);
        give_up();
    }
}

static void shuffle__a_file_that_is_cut_off__is_found(void **state) {
    (void)state;
    struct outcome o = {.stop_at = UINT64_MAX};
    hr_error err = {0};
    make_inputs(SAMPLES);
    mend_disk();
    disk.cut_off = 300000;
    open_writer(0, false);
    assert_int_equal(run(BY_FILE, 1, false, &o, &err), HR_ERR_CORRUPT);
    assert_true(err.file_off == 300000);
    give_up();
}

static void shuffle__a_source_that_fails__is_told(void **state) {
    (void)state;
    make_inputs(SAMPLES);
    fails_at = 1000;
    for (uint64_t memory = BY_FILE; memory <= BY_FILE * 100; memory *= 100) {
        struct outcome o = {.stop_at = UINT64_MAX};
        hr_error err = {0};
        mend_disk();
        open_writer(0, true);
        assert_int_equal(run(memory, 1, true, &o, &err), HR_ERR_DATA);
        assert_string_equal(err.message, "sample 1000 is bad");
        give_up();
    }
    fails_at = UINT64_MAX;
}

static void shuffle__stopped_anywhere__leaves_nothing_behind(void **state) {
    (void)state;
    make_inputs(SAMPLES);
    for (uint64_t at = 0; at < 2 * SAMPLES; at += 301) {
        struct outcome o = {.stop_at = at};
        hr_error err = {0};
        mend_disk();
        open_writer(0, true);
        assert_int_equal(run(BY_FILE, 1, true, &o, &err), HR_ERR_CANCELLED);
        assert_int_equal(disk.unlinked, disk.opened);
        give_up();
    }
}

static void shuffle__while_a_slow_file_is_read__can_be_stopped(void **state) {
    (void)state;
    struct outcome o = {.stop_at = UINT64_MAX};
    hr_error err = {0};
    make_inputs(SAMPLES);
    mend_disk();
    disk.slow = true;
    open_writer(0, false);
    assert_int_equal(run(BY_FILE, 1, false, &o, &err), HR_ERR_CANCELLED);
    assert_string_equal(err.message, "tired of waiting");
    assert_int_equal(hr_writer_num_samples(writer), 0);
    give_up();
}

static int setup(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(target, sizeof target, "%s/t.hrd", folder);
    (void)snprintf(spill_path, sizeof spill_path, "%s.shuffle", target);
    faulty_folder = hr__posix_folder;
    faulty_folder.open = open_file;
    faulty_folder.unlink = unlink_file;
    return 0;
}

static int teardown(void **state) {
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffle__any_memory__gives_the_same_order),
        cmocka_unit_test(shuffle__resumed_in_the_middle__leaves_out_what_is_there),
        cmocka_unit_test(shuffle__each_operation_on_the_file_fails__is_an_error),
        cmocka_unit_test(shuffle__any_flipped_byte_in_the_file__is_found),
        cmocka_unit_test(shuffle__a_file_that_is_cut_off__is_found),
        cmocka_unit_test(shuffle__a_source_that_fails__is_told),
        cmocka_unit_test(shuffle__stopped_anywhere__leaves_nothing_behind),
        cmocka_unit_test(shuffle__while_a_slow_file_is_read__can_be_stopped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
