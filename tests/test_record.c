/*
 * Records as bytes and as files (guard/record.h, guard/record_folder.h): what is written is read
 * again, what is damaged or hostile is not, and what is old is removed.
 */
#define _GNU_SOURCE
#include "hash.h"
#include "made_record.h"
#include "record_folder.h"

#include "bytes.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_S 86400

static struct hr__process_id self_id(void) {
    struct hr__process_id id;
    hr__process_id_own(&id);
    return id;
}

static hr_status newest(struct hr__found_record *out) {
    const struct hr__process_id self = self_id();
    return hr__record_newest(made_records, &self, out, NULL);
}

/* The tick at which a process began. */
static uint64_t start_of(pid_t pid) {
    char path[64], text[1024] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    assert_true(f != NULL && fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    const char *at = strrchr(text, ')');
    for (int i = 0; i < 20; i++)
        at = strchr(at + 1, ' ');
    return strtoull(at, NULL, 10);
}

/* ---- bytes ---- */

static void page__written_and_read__is_the_same(void **state) {
    (void)state;
    uint8_t page[HR__RECORD_BYTES];
    struct hr__record r = made_record(), back;
    for (uint64_t i = 0; i < HR__MOST_EPOCHS + 5; i++) {
        const struct hr__epoch_memory m = {i * 3, i * 1000, i * 10};
        hr__epochs_note(&r.epochs, &m);
    }
    r.nan_batch = 12;
    hr__record_encode(&r, page);
    assert_true(hr__record_decode(page, &back));
    assert_int_equal(back.epochs.count, HR__MOST_EPOCHS);
    assert_memory_equal(&back.epochs.at, &r.epochs.at, sizeof(r.epochs.at));
    assert_true(back.nan_batch == 12 && back.id.start_ticks == r.id.start_ticks);
    assert_string_equal(back.command, "python train.py");
    assert_string_equal(back.limit_name, r.limit_name);
    assert_string_equal(back.id.boot_id, r.id.boot_id);
}

static void page__any_bit_flipped__is_refused(void **state) {
    (void)state;
    uint8_t page[HR__RECORD_BYTES];
    struct hr__record r = made_record(), back;
    hr__record_encode(&r, page);
    for (size_t i = 0; i < 8 * sizeof(page); i++) {
        page[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(hr__record_decode(page, &back));
        page[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(hr__record_decode(page, &back));
}

/* Bytes with a good hash, as somebody could write who knows the layout. */
static void page__any_content_with_a_good_hash__is_read_safely(void **state) {
    (void)state;
    uint8_t page[HR__RECORD_BYTES];
    struct hr__record r = made_record(), back;
    hr__record_encode(&r, page);
    for (int seed = 0; seed < 200; seed++) {
        srand((unsigned)seed);
        for (size_t i = 16; i < sizeof(page) - 8; i++)
            page[i] = (uint8_t)(seed % 2 == 0 ? 0xff : rand());
        hr__put_u64(page + sizeof(page) - 8, hr__hash(page, sizeof(page) - 8));
        assert_true(hr__record_decode(page, &back));
        assert_true(strlen(back.command) < sizeof(back.command));
        for (const char *c = back.command; *c != 0; c++)
            assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
    }
    hr__put_u32(page + 12, HR__MOST_EPOCHS + 1);
    hr__put_u64(page + sizeof(page) - 8, hr__hash(page, sizeof(page) - 8));
    assert_false(hr__record_decode(page, &back));
}

/* ---- files ---- */

static void newest__among_several__is_the_last_written(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    for (uint32_t i = 0; i < 5; i++) {
        snprintf(r.command, sizeof(r.command), "run %u", i);
        made_record_put(&r, i, i == 3 ? 10 : 100);
    }
    assert_int_equal(newest(&found), HR_OK);
    assert_string_equal(found.record.command, "run 3");
    assert_false(found.told);
}

static void newest__ended_running_or_of_this_process__is_passed_over(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    r.ended = 1;
    made_record_put(&r, 0, 10);
    r.ended = 0;
    r.id.start_ticks--; /* this very process */
    made_record_put(&r, 1, 10);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    r.id.pid = (uint64_t)child;
    r.id.start_ticks = start_of(child);
    made_record_put(&r, 2, 10);
    assert_int_equal(newest(&found), HR_ERR_NOT_FOUND);
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT); /* dead, and not waited for */
    assert_int_equal(newest(&found), HR_OK);
    waitpid(child, NULL, 0);
    assert_int_equal(newest(&found), HR_OK);
}

/* Two containers that share the folder do not see each other's processes. */
static void newest__of_another_name_space__is_gone_when_its_lock_is(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    int ready[2];
    r.id.pid_space++;
    const char *path = made_record_put(&r, 0, 1);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR);
        _exit(fd < 0 || fcntl(fd, F_SETLK, &lock) != 0 || write(ready[1], "x", 1) != 1 ||
              pause() != 0);
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(newest(&found), HR_ERR_NOT_FOUND);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(newest(&found), HR_OK);
    close(ready[0]);
    close(ready[1]);
}

/* A machine that shares the folder may be alive. */
static void newest__of_another_boot__is_gone_after_a_minute(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    r.id.boot_id[0] = r.id.boot_id[0] == 'a' ? 'b' : 'a';
    made_record_put(&r, 0, 5);
    assert_int_equal(newest(&found), HR_ERR_NOT_FOUND);
    made_record_put(&r, 0, 90);
    assert_int_equal(newest(&found), HR_OK);
}

static void newest__hostile_files__are_passed_over(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    char path[PATH_MAX];
    assert_int_equal(mkfifo(made_record_path("run-00000000-1-1-0.box"), 0600), 0);
    assert_int_equal(mkdir(made_record_path("run-00000000-1-1-1.box"), 0700), 0);
    assert_int_equal(symlink("/etc/passwd", made_record_path("run-00000000-1-1-2.box")), 0);
    snprintf(path, sizeof(path), "%s", made_record_put(&r, 7, 10));
    assert_int_equal(truncate(path, 1ll << 40), 0);
    snprintf(path, sizeof(path), "%s", made_record_put(&r, 8, 10));
    assert_int_equal(rename(path, made_record_path("run-x-1-1-1.box.bak")), 0);
    assert_int_equal(newest(&found), HR_ERR_NOT_FOUND);
    made_record_put(&r, 9, 10);
    assert_int_equal(newest(&found), HR_OK);
}

static void newest__cut_at_any_byte__is_passed_over(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    const char *path = made_record_put(&r, 0, 10);
    for (off_t n = HR__RECORD_BYTES - 1; n >= 0; n -= n > 64 ? 37 : 1) {
        assert_int_equal(truncate(path, n), 0);
        assert_int_equal(newest(&found), HR_ERR_NOT_FOUND);
    }
}

static void newest__no_folder__says_so(void **state) {
    (void)state;
    struct hr__found_record found;
    const struct hr__process_id self = self_id();
    hr_error err;
    assert_int_equal(hr__record_newest("/no/such", &self, &found, &err), HR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such"));
}

static void told__marked__is_told_from_then_on(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    made_record_put(&r, 0, 10);
    assert_int_equal(newest(&found), HR_OK);
    assert_true(hr__record_mark_told(made_records, found.name));
    char missing[HR__RECORD_NAME_BYTES] = "run-00000000-9-9-9.box";
    assert_false(hr__record_mark_told(made_records, missing));
    assert_int_equal(newest(&found), HR_OK);
    assert_true(found.told);
    assert_int_equal(made_records_count(), 1);
}

/* ---- cleaning ---- */

static void clean__old_and_many__leaves_the_16_newest(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__found_record found;
    const struct hr__process_id self = self_id();
    for (uint32_t i = 0; i < 30; i++) /* number 0 is the newest; from 20 on they are too old */
        made_record_put(&r, i, i < 20 ? 100 + i : 8 * DAY_S);
    FILE *f = fopen(made_record_path("notes.txt"), "w");
    fclose(f);
    hr__records_clean(made_records, &self);
    assert_int_equal(made_records_count(), 16 + 1);
    assert_int_equal(newest(&found), HR_OK);
    assert_non_null(strstr(found.name, "-0.box"));
}

static void clean__of_processes_that_run__stays(void **state) {
    (void)state;
    struct hr__record r = made_record();
    struct hr__process_id self = self_id();
    r.id.pid = (uint64_t)getppid();
    r.id.start_ticks = start_of(getppid());
    made_record_put(&r, 0, 30 * DAY_S);
    hr__records_clean(made_records, &self);
    assert_int_equal(made_records_count(), 1);
}

static void clean__damaged_ones__go_when_they_are_old(void **state) {
    (void)state;
    struct hr__record r = made_record();
    const struct hr__process_id self = self_id();
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    const char *path = made_record_put(&r, 0, 0);
    assert_int_equal(truncate(path, 100), 0);
    hr__records_clean(made_records, &self);
    assert_int_equal(made_records_count(), 1);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    hr__records_clean(made_records, &self);
    assert_int_equal(made_records_count(), 0);
}

/* ---- growth ---- */

static void growth__from_an_epoch_on__is_found(void **state) {
    (void)state;
    struct hr__epochs e = {0};
    struct hr__growth g;
    const uint64_t mib = 1 << 20;
    for (uint64_t i = 0; i < 10; i++) { /* flat to the end of epoch 3, then 310 MiB each */
        const uint64_t rest = i <= 3 ? 500 * mib : (500 + 310 * (i - 3)) * mib;
        const struct hr__epoch_memory m = {i, rest + 64 * mib, 64 * mib};
        hr__epochs_note(&e, &m);
    }
    assert_true(hr__epochs_growth(&e, &g));
    assert_true(g.bytes_per_epoch == 310.0 * (double)mib);
    assert_true(g.first_epoch == 4);
}

static void growth__none_or_too_few_epochs__is_none(void **state) {
    (void)state;
    struct hr__epochs e = {0};
    struct hr__growth g;
    const uint64_t mib = 1 << 20;
    for (uint64_t i = 0; i < 6; i++) {
        assert_false(hr__epochs_growth(&e, &g));
        const struct hr__epoch_memory m = {i, 5000 * mib + (i % 2) * 2 * mib, 64 * mib};
        hr__epochs_note(&e, &m);
    }
    const struct hr__epoch_memory behind = {2, 1, 1};
    hr__epochs_note(&e, &behind);
    assert_int_equal(e.count, 6);
    assert_true(e.at[5].epoch == 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_records_make, made_records_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(page__written_and_read__is_the_same),
        TEST(page__any_bit_flipped__is_refused),
        TEST(page__any_content_with_a_good_hash__is_read_safely),
        TEST(newest__among_several__is_the_last_written),
        TEST(newest__ended_running_or_of_this_process__is_passed_over),
        TEST(newest__of_another_name_space__is_gone_when_its_lock_is),
        TEST(newest__of_another_boot__is_gone_after_a_minute),
        TEST(newest__hostile_files__are_passed_over),
        TEST(newest__cut_at_any_byte__is_passed_over),
        TEST(newest__no_folder__says_so),
        TEST(told__marked__is_told_from_then_on),
        TEST(clean__old_and_many__leaves_the_16_newest),
        TEST(clean__of_processes_that_run__stays),
        TEST(clean__damaged_ones__go_when_they_are_old),
        TEST(growth__from_an_epoch_on__is_found),
        TEST(growth__none_or_too_few_epochs__is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
