/*
 * kill -9 at seeded instants of appends, compact copies among them: every commit that was told of
 * is there, nothing else is, and the next append goes on. HEADRACE_KILLS: how often, else 120.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "hrd_reader_util.h"
#include "writer_rows.h"

#include "headrace/headrace.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_KILLS   120
#define MAX_SAMPLES 4000 /* then the file is begun anew */
#define STEP        70

static char folder_path[64] = "/tmp/hr-append-kill-XXXXXX";
static char target[128];
static char partial[160];

static hr_status write_rows(uint64_t n, uint32_t flags, hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.flags = flags;
    o.num_threads = 2;
    o.samples_per_chunk = 100;
    hr_status st = hr_writer_open(target, rows_fields, ROWS_NUM_FIELDS, &o, &w, err);
    if (st == HR_OK)
        st = rows_append(w, rows_fields, ROWS_NUM_FIELDS, hr_writer_num_samples(w), n, 33, err);
    if (st == HR_OK)
        st = hr_writer_commit(w, err);
    hr_writer_close(w);
    return st;
}

/* The samples of the data set, all of which are right. */
static uint64_t check_target(uint64_t *commit_seq) {
    struct hrd_image im;
    hr_error err = {0};
    if (hrd_image_load_path(&hr__posix_folder, target, &im, &err) != HR_OK ||
        hr_dataset_verify(target, NULL, &err) != HR_OK)
        fail_msg("the file is not whole: %s", err.message);
    const uint64_t n = im.footer.num_samples;
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, n, im.columns));
    *commit_seq = im.superblock.commit_seq;
    hrd_image_free(&im);
    return n;
}

/* Appends until it is killed; told: the samples of the last commit that has returned. */
static void append_until_killed(uint64_t *told) {
    hr_error err = {0};
    while (write_rows(STEP, HR_WRITER_APPEND, &err) == HR_OK)
        __atomic_fetch_add(told, STEP, __ATOMIC_SEQ_CST);
    (void)fprintf(stderr, "append failed: %s\n", err.message);
    _exit(1);
}

static void kill_after(int64_t delay_ns, uint64_t *told) {
    int status = 0;
    const struct timespec delay = {delay_ns / 1000000000, delay_ns % 1000000000};
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        append_until_killed(told);
    (void)nanosleep(&delay, NULL);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

/* Another one after a compact copy. */
static ino_t file_of_target(void) {
    struct stat st;
    assert_int_equal(stat(target, &st), 0);
    return st.st_ino;
}

static int64_t time_of_an_append(void) {
    const int64_t start_ns = hr__now_ns();
    for (int i = 0; i < 10; i++)
        assert_int_equal(write_rows(STEP, HR_WRITER_APPEND, NULL), HR_OK);
    return (hr__now_ns() - start_ns) / 10;
}

static void append__killed_at_any_instant__keeps_every_commit(void **state) {
    (void)state;
    const char *asked = getenv("HEADRACE_KILLS");
    const long num_kills = asked != NULL ? atol(asked) : NUM_KILLS;
    uint64_t seed = 20260301, num_lost = 0, num_partials = 0, num_copies = 0, seq = 0;
    uint64_t *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(told != MAP_FAILED);
    assert_int_equal(write_rows(50, 0, NULL), HR_OK);
    const int64_t append_ns = time_of_an_append();
    *told = check_target(&seq);
    ino_t file = file_of_target();
    for (long i = 0; i < num_kills; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        kill_after((int64_t)((seed >> 33) % (uint64_t)(4 * append_ns)), told);
        const uint64_t seq_before = seq;
        const uint64_t n = check_target(&seq);
        const ino_t file_after = file_of_target();
        num_copies += file_after != file;
        file = file_after;
        /* The commit that was going on is there, or not; each has its number. */
        assert_true(n == *told || n == *told + STEP);
        assert_true(seq >= seq_before);
        num_lost += n == *told;
        num_partials += access(partial, F_OK) == 0;
        *told = n;
        if (n > MAX_SAMPLES) {
            assert_int_equal(write_rows(50, HR_WRITER_REPLACE, NULL), HR_OK);
            *told = check_target(&seq);
            file = file_of_target();
        }
    }
    print_message("%ld kills: %llu in an append that left no trace, %llu in a copy; %llu copies\n",
                  num_kills, (unsigned long long)num_lost, (unsigned long long)num_partials,
                  (unsigned long long)num_copies);
    /* Else the instants prove nothing. */
    assert_true(num_lost > 0 && num_lost < (uint64_t)num_kills && num_copies > 0);
    assert_int_equal(write_rows(STEP, HR_WRITER_APPEND, NULL), HR_OK);
    assert_int_equal(check_target(&seq), *told + STEP);
    (void)munmap(told, sizeof *told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__killed_at_any_instant__keeps_every_commit),
    };
    /* A killed process leaves what it has written, whether a disk has it yet or not. */
    if (access("/dev/shm", W_OK) == 0)
        (void)strcpy(folder_path, "/dev/shm/hr-append-kill-XXXXXX");
    if (mkdtemp(folder_path) == NULL)
        return 1;
    (void)snprintf(target, sizeof target, "%s/t.hrd", folder_path);
    (void)snprintf(partial, sizeof partial, "%s.partial", target);
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(target);
    (void)unlink(partial);
    (void)rmdir(folder_path);
    return rc;
}
