/*
 * What appends leave behind: at most as much as there is, whatever readers of older commits have
 * open, and they go on reading what they opened.
 */
#define _GNU_SOURCE
#include "made_dataset.h"

#include "superblock.h"
#include "thread.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char target[4200];
static char partial[4300];

static struct stat stat_of(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0)
        fail_msg("%s is not there", path);
    return st;
}

static uint64_t size_of(const char *path) {
    return (uint64_t)stat_of(path).st_size;
}

static void assert_verifies(const char *path, uint64_t num_samples) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    if (hr_dataset_verify(path, NULL, &err) != HR_OK ||
        hr_dataset_open(path, NULL, &ds, &err) != HR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(hr_dataset_num_samples(ds), num_samples);
    hr_dataset_close(ds);
}

/* Every sample, in order. */
static void assert_reads(hr_dataset *ds, const struct made *m) {
    hr_loader *l = NULL;
    hr_error err = {0};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.batch_samples = 64;
    o.num_threads = 1;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    assert_int_equal(made_drain(l, m), m->num_samples);
    hr_loader_close(l);
}

/* ---- sizes ---- */

struct growth {
    struct made data;
    uint64_t largest_ratio_1000; /* of any size on the way to what it would be without dead bytes */
    uint64_t num_compacted;
};

/* One append more; counted whether it made a new file. */
static void grow(struct growth *g, uint64_t num_samples) {
    hr_dataset *ds = NULL;
    hr_dataset_info info = {.struct_bytes = sizeof info};
    const ino_t before = stat_of(target).st_ino;
    made_append(target, &g->data, num_samples);
    g->data.num_samples = num_samples;
    g->num_compacted += stat_of(target).st_ino != before;
    assert_int_equal(hr_dataset_open(target, NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    hr_dataset_close(ds);
    assert_int_equal(info.file_bytes, size_of(target));
    const uint64_t ratio = info.file_bytes * 1000 / (info.file_bytes - info.dead_bytes);
    if (ratio > g->largest_ratio_1000)
        g->largest_ratio_1000 = ratio;
}

static void append_often(uint32_t row_bytes, int32_t codec, uint64_t per_append) {
    struct growth g = {.data = {.num_samples = per_append, .row_bytes = row_bytes, .codec = codec}};
    made_write(target, &g.data);
    for (uint64_t n = 2; n <= 1000; n++)
        grow(&g, n * per_append);
    struct made whole = g.data;
    const char *at_once = made_path("whole.hrd");
    made_write(at_once, &whole);
    const uint64_t compact = size_of(at_once), grown = size_of(target);
    print_message("rows of %u bytes: %llu bytes after 1000 appends, %llu at once; %llu copies; at "
                  "most %.3f times what counts\n",
                  row_bytes + 8, (unsigned long long)grown, (unsigned long long)compact,
                  (unsigned long long)g.num_compacted, (double)g.largest_ratio_1000 / 1000);
    assert_true(grown <= 2 * compact);
    assert_true(g.largest_ratio_1000 <= 2000);
    assert_verifies(target, 1000 * per_append);
    assert_int_equal(unlink(at_once), 0);
}

static void append__a_thousand_times_wide_rows__leaves_at_most_twice_the_size(void **state) {
    (void)state;
    append_often(784, HR_CODEC_ZSTD, 100);
}

/* A chunk holds what 327 appends bring, so the last one is written anew by each of them. */
static void append__a_thousand_times_narrow_rows__leaves_at_most_twice_the_size(void **state) {
    (void)state;
    append_often(0, HR_CODEC_RAW, 100);
}

/* ---- readers of older commits ---- */

static void append__often__readers_of_every_commit_keep_what_they_opened(void **state) {
    (void)state;
    struct made m = {.num_samples = 300, .samples_per_chunk = 64, .row_bytes = 100};
    struct made at[40];
    hr_dataset *ds[40];
    made_write(target, &m);
    const ino_t before = stat_of(target).st_ino;
    for (int i = 0; i < 40; i++) {
        at[i] = m;
        made_ok(hr_dataset_open(target, NULL, &ds[i], NULL), &(hr_error){.message = "open"});
        made_append(target, &m, m.num_samples + 50);
        m.num_samples += 50;
    }
    assert_true(stat_of(target).st_ino != before); /* a copy has taken the name */
    for (int i = 0; i < 40; i++) {
        assert_int_equal(hr_dataset_num_samples(ds[i]), at[i].num_samples);
        assert_reads(ds[i], &at[i]);
        hr_dataset_close(ds[i]);
    }
    assert_verifies(target, m.num_samples);
}

struct reading {
    hr_dataset *ds;
    struct made m;
    atomic_bool end;
    atomic_uint_fast64_t num_epochs;
};

/* Shuffled epochs until it is told to end: each batch is checked. */
static void *read_epochs(void *arg) {
    struct reading *r = arg;
    hr_error err = {0};
    while (!atomic_load(&r->end) || atomic_load(&r->num_epochs) == 0) {
        hr_loader *l = NULL;
        hr_loader_options o = made_shuffled(32, HR_IO_AUTO, 2);
        o.seed = atomic_load(&r->num_epochs);
        made_ok(hr_loader_open(r->ds, &o, &l, &err), &err);
        if (made_drain(l, &r->m) != r->m.num_samples)
            made_ok(HR_ERR_DATA, &(hr_error){.message = "an epoch is not whole"});
        hr_loader_close(l);
        atomic_fetch_add(&r->num_epochs, 1);
    }
    return NULL;
}

/* Waits until so many are over; how many then are. */
static uint64_t await_epochs(struct reading *r, uint64_t n) {
    while (atomic_load(&r->num_epochs) < n)
        (void)sched_yield();
    return atomic_load(&r->num_epochs);
}

static void append__while_a_loader_shuffles__each_epoch_is_the_old_commit(void **state) {
    (void)state;
    struct made m = {
        .num_samples = 2000, .samples_per_chunk = 64, .row_bytes = 100, .row_words = 4};
    struct reading r = {.m = m};
    hr_error err = {0};
    struct hr__thread thread = {0};
    made_write(target, &m);
    made_ok(hr_dataset_open(target, NULL, &r.ds, &err), &err);
    made_ok(hr__thread_start(&thread, "epochs", read_epochs, &r, &err), &err);
    const ino_t before = stat_of(target).st_ino;
    const uint64_t num_before = await_epochs(&r, 1);
    for (int i = 0; i < 60; i++) {
        made_append(target, &m, m.num_samples + 37);
        m.num_samples += 37;
    }
    assert_true(stat_of(target).st_ino != before);
    (void)await_epochs(&r, num_before + 2); /* the last of these began behind the copy */
    atomic_store(&r.end, true);
    hr__thread_join(&thread);
    hr_dataset_close(r.ds);
    assert_verifies(target, m.num_samples);
}

/* A pipe says when the reader has the file open, another when it may end. */
static void append__while_another_process_shuffles__each_epoch_is_the_old_commit(void **state) {
    (void)state;
    struct made m = {.num_samples = 2000, .samples_per_chunk = 64, .row_bytes = 100};
    int ready[2], end[2], status = 0;
    char byte = 0;
    made_write(target, &m);
    assert_int_equal(pipe(ready) | pipe2(end, O_NONBLOCK), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct reading r = {.m = m};
        if (hr_dataset_open(target, NULL, &r.ds, NULL) != HR_OK || write(ready[1], "r", 1) != 1)
            _exit(1);
        while (read(end[0], &byte, 1) != 1) {
            atomic_store(&r.end, true);
            atomic_store(&r.num_epochs, 0);
            read_epochs(&r);
        }
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    const ino_t before = stat_of(target).st_ino;
    for (int i = 0; i < 60; i++) {
        made_append(target, &m, m.num_samples + 37);
        m.num_samples += 37;
    }
    assert_true(stat_of(target).st_ino != before);
    assert_int_equal(write(end[1], "e", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_verifies(target, m.num_samples);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(end[i]);
    }
}

/* ---- whose place a copy may take ---- */

/* Appends until as much is dead that a copy is due often; whether one was made. */
static bool append_much(struct made *m) {
    const ino_t before = stat_of(target).st_ino;
    bool made_one = false;
    for (int i = 0; i < 30; i++) {
        made_append(target, m, m->num_samples + 10);
        m->num_samples += 10;
        made_one |= stat_of(target).st_ino != before;
    }
    assert_verifies(target, m->num_samples);
    return made_one;
}

static void copy__of_a_file__has_its_permissions(void **state) {
    (void)state;
    struct made m = {.num_samples = 100, .row_bytes = 1000};
    made_write(target, &m);
    assert_int_equal(chmod(target, 0640), 0);
    assert_true(append_much(&m));
    assert_int_equal(stat_of(target).st_mode & 07777, 0640);
    assert_int_equal(access(partial, F_OK), -1);
}

static void copy__of_a_file_with_another_name__is_not_made(void **state) {
    (void)state;
    struct made m = {.num_samples = 100, .row_bytes = 1000};
    const char *other = made_path("other.hrd");
    made_write(target, &m);
    assert_int_equal(link(target, other), 0);
    assert_false(append_much(&m));
    assert_int_equal(access(partial, F_OK), -1);
    assert_int_equal(unlink(other), 0);
    /* What was put off is made up for. */
    assert_true(append_much(&m));
}

static void copy__of_a_file_that_a_link_names__replaces_the_file(void **state) {
    (void)state;
    struct made m = {.num_samples = 100, .row_bytes = 1000};
    struct stat st;
    char link_path[4200];
    (void)snprintf(link_path, sizeof link_path, "%s", made_path("link.hrd"));
    made_write(target, &m);
    assert_int_equal(symlink(target, link_path), 0);
    const ino_t before = stat_of(target).st_ino;
    for (int i = 0; i < 30; i++) {
        made_append(link_path, &m, m.num_samples + 10);
        m.num_samples += 10;
    }
    assert_int_not_equal(stat_of(target).st_ino, before);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_verifies(link_path, m.num_samples);
    assert_int_equal(unlink(link_path), 0);
}

/* A conversion to the same name was interrupted, or is going on. */
static void copy__where_a_job_is_unfinished__leaves_it_alone(void **state) {
    (void)state;
    struct made m = {.num_samples = 100, .row_bytes = 1000};
    const hr_field field = {.name = "z", .dtype = HR_INT8};
    const int8_t row = 1;
    const void *columns[1] = {&row};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    made_write(target, &m);
    o.flags = HR_WRITER_REPLACE;
    o.codec = HR_CODEC_RAW;
    made_ok(hr_writer_open(target, &field, 1, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, 1, columns, &err), &err);
    const ino_t job = stat_of(partial).st_ino;
    assert_false(append_much(&m));
    hr_writer_close(w);
    assert_false(append_much(&m));
    assert_int_equal(stat_of(partial).st_ino, job);
    assert_true(size_of(partial) > 0);
    assert_int_equal(unlink(partial), 0);
    assert_true(append_much(&m));
}

/* What a copy leaves that is killed has this file's job record. */
static void copy__after_one_that_was_cut_short__is_made(void **state) {
    (void)state;
    struct made m = {.num_samples = 100, .row_bytes = 1000};
    made_write(target, &m);
    uint8_t *bytes = malloc(HR__DATA_OFF);
    FILE *from = fopen(target, "rb"), *to = fopen(partial, "wb");
    assert_int_equal(fread(bytes, 1, HR__DATA_OFF, from), HR__DATA_OFF);
    memset(bytes, 0, HR__JOB_OFF);
    memset(bytes + HR__SLOT1_OFF, 0, HR__PAGE_BYTES);
    assert_int_equal(fwrite(bytes, 1, HR__DATA_OFF, to), HR__DATA_OFF);
    fclose(from);
    fclose(to);
    free(bytes);
    assert_true(append_much(&m));
    assert_int_equal(access(partial, F_OK), -1);
}

static void copy__in_a_folder_that_cannot_be_written_to__is_not_made(void **state) {
    (void)state;
    if (geteuid() == 0)
        skip();
    struct made m = {.num_samples = 100, .row_bytes = 1000};
    char folder[4200];
    (void)snprintf(folder, sizeof folder, "%s", target);
    *strrchr(folder, '/') = '\0';
    made_write(target, &m);
    assert_int_equal(chmod(folder, 0500), 0);
    const bool made_one = append_much(&m);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_false(made_one);
}

/* Schemas that do not fit between the slots have their job record's text behind them. */
static void copy__of_a_large_schema__takes_its_job_record_along(void **state) {
    (void)state;
    static char names[900][80];
    static hr_field fields[900];
    static const void *columns[900];
    static const int8_t row = 1;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    for (int f = 0; f < 900; f++) {
        memset(names[f], 'n', 60);
        (void)snprintf(names[f] + 60, 20, "%d", f);
        fields[f] = (hr_field){.name = names[f], .dtype = HR_INT8};
        columns[f] = &row;
    }
    o.flags = HR_WRITER_REPLACE;
    o.codec = HR_CODEC_RAW;
    o.samples_per_chunk = 4;
    (void)unlink(target);
    ino_t before = 0;
    for (uint64_t n = 1; n <= 20; n++) {
        hr_writer *w = NULL;
        made_ok(hr_writer_open(target, fields, 900, &o, &w, &err), &err);
        made_ok(hr_writer_append(w, 1, columns, &err), &err);
        made_ok(hr_writer_commit(w, &err), &err);
        hr_writer_close(w);
        if (n == 1)
            before = stat_of(target).st_ino;
        o = (hr_writer_options)HR_WRITER_OPTIONS_INIT;
        o.flags = HR_WRITER_APPEND;
        assert_verifies(target, n);
    }
    assert_int_not_equal(stat_of(target).st_ino, before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__a_thousand_times_wide_rows__leaves_at_most_twice_the_size),
        cmocka_unit_test(append__a_thousand_times_narrow_rows__leaves_at_most_twice_the_size),
        cmocka_unit_test(append__often__readers_of_every_commit_keep_what_they_opened),
        cmocka_unit_test(append__while_a_loader_shuffles__each_epoch_is_the_old_commit),
        cmocka_unit_test(append__while_another_process_shuffles__each_epoch_is_the_old_commit),
        cmocka_unit_test(copy__of_a_file__has_its_permissions),
        cmocka_unit_test(copy__of_a_file_with_another_name__is_not_made),
        cmocka_unit_test(copy__of_a_file_that_a_link_names__replaces_the_file),
        cmocka_unit_test(copy__where_a_job_is_unfinished__leaves_it_alone),
        cmocka_unit_test(copy__after_one_that_was_cut_short__is_made),
        cmocka_unit_test(copy__in_a_folder_that_cannot_be_written_to__is_not_made),
        cmocka_unit_test(copy__of_a_large_schema__takes_its_job_record_along),
    };
    /* Thousands of commits: without a disk to wait for, where there is such a place. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    (void)snprintf(target, sizeof target, "%s", made_path("t.hrd"));
    (void)snprintf(partial, sizeof partial, "%s.partial", target);
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return rc;
}
