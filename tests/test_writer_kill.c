/*
 * kill -9 at 50 seeded instants: the target is absent or whole, and resuming gives the file that an
 * uninterrupted run gives.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "hrd_reader_util.h"
#include "writer_rows.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_SAMPLES 20000
#define NUM_KILLS   50

static char folder_path[] = "/tmp/hr-writer-kill-XXXXXX";
static char target[256];
static char partial[300];

static hr_status write_all(uint32_t flags, uint64_t *kept, hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = flags;
    o.samples_per_chunk = 100;
    o.num_threads = 2;
    o.codec = HR_CODEC_ZSTD;
    o.filter = HR_FILTER_BYTE_SHUFFLE;
    hr_writer *w = NULL;
    hr_status st = hr_writer_open(target, rows_fields, ROWS_NUM_FIELDS, &o, &w, err);
    *kept = hr_writer_num_samples(w);
    if (st == HR_OK)
        st = rows_append(w, rows_fields, ROWS_NUM_FIELDS, *kept, NUM_SAMPLES - *kept, 250, err);
    if (st == HR_OK)
        st = hr_writer_commit(w, err);
    hr_writer_close(w);
    return st;
}

static uint64_t payload_of_target(void) {
    struct hrd_image im;
    hr_error err = {0};
    const hr_status st = hrd_image_load_path(&hr__posix_folder, target, &im, &err);
    if (st != HR_OK)
        fail_msg("the target is not whole: %s", err.message);
    assert_int_equal(im.footer.num_samples, NUM_SAMPLES);
    const uint64_t hash = im.payload_hash;
    hrd_image_free(&im);
    return hash;
}

static void write_and_be_killed(int64_t delay_ns) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t kept;
        _exit(write_all(0, &kept, NULL) == HR_OK ? 0 : 1);
    }
    const struct timespec delay = {delay_ns / 1000000000, delay_ns % 1000000000};
    (void)nanosleep(&delay, NULL);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void writer__killed_at_any_instant__resumes_to_the_same_file(void **state) {
    (void)state;
    uint64_t kept = 0;
    uint64_t seed = 20240607;
    uint64_t num_resumed = 0;
    hr_error err = {0};
    const int64_t start_ns = hr__now_ns();
    assert_int_equal(write_all(0, &kept, &err), HR_OK);
    const int64_t whole_ns = hr__now_ns() - start_ns;
    const uint64_t wanted = payload_of_target();
    for (int i = 0; i < NUM_KILLS; i++) {
        (void)unlink(target);
        (void)unlink(partial);
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        write_and_be_killed((int64_t)((seed >> 33) % (uint64_t)(whole_ns + whole_ns / 8)));
        if (access(target, F_OK) == 0) {
            assert_int_equal(payload_of_target(), wanted);
            continue;
        }
        const hr_status st = write_all(HR_WRITER_RESUME, &kept, &err);
        if (st != HR_OK)
            fail_msg("cannot resume: %s", err.message);
        num_resumed += kept > 0;
        assert_int_equal(payload_of_target(), wanted);
    }
    /* Else the instants prove nothing. */
    assert_true(num_resumed > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer__killed_at_any_instant__resumes_to_the_same_file),
    };
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
