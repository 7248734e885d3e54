/*
 * How long codecs are tried, and by how many threads (writer/codec_trial.c). What the clock of the
 * processor says is changed at link time.
 */
#define _GNU_SOURCE
#include "cpu.h"
#include "fault_disk.h"
#include "hrd_reader_util.h"
#include "writer_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TARGET     "t.hrd"
#define ROW_FLOATS 512u
#define NUM_ROWS   64u
#define MAX_SEEN   16u

/* Each frame takes so long; the threads that asked. */
static _Atomic int64_t step_ns, time_ns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t seen[MAX_SEEN];
static uint32_t num_seen;

int64_t __wrap_hr__thread_cpu_ns(void);

static void see(pthread_t id) {
    uint32_t i = 0;
    pthread_mutex_lock(&lock);
    while (i < num_seen && !pthread_equal(seen[i], id))
        i++;
    if (i == num_seen && num_seen < MAX_SEEN)
        seen[num_seen++] = id;
    pthread_mutex_unlock(&lock);
}

/* Sleeps, so that other threads have their turn also on one processor. */
int64_t __wrap_hr__thread_cpu_ns(void) {
    struct timespec pause = {.tv_nsec = 100000};
    (void)nanosleep(&pause, NULL);
    see(pthread_self());
    return atomic_fetch_add(&time_ns, step_ns);
}

/* A file of rows whose values have few digits, by the default goal; its footer's text. */
static char *footer_of(uint32_t num_threads, uint64_t expected_bytes) {
    const uint64_t shape[] = {ROW_FLOATS};
    const hr_field field = {.name = "x", .dtype = HR_FLOAT32, .rank = 1, .shape = shape};
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    float *x = malloc((size_t)NUM_ROWS * ROW_FLOATS * sizeof *x);
    uint32_t s = 1;
    for (size_t i = 0; i < (size_t)NUM_ROWS * ROW_FLOATS; i++)
        x[i] = (float)((s = s * 1664525u + 1013904223u) >> 22) / 256.0f;
    const void *columns[] = {x};
    num_seen = 0;
    o.num_threads = num_threads;
    if (hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, &o, &w, &err) != HR_OK)
        fail_msg("%s", err.message);
    hr__writer_expect(w, expected_bytes);
    if (hr_writer_append(w, NUM_ROWS, columns, &err) != HR_OK || hr_writer_commit(w, &err) != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(w);
    if (hrd_image_load_path(fault_disk_folder(d), TARGET, &im, &err) != HR_OK)
        fail_msg("%s", err.message);
    char *text = strdup(im.footer.json);
    hrd_image_free(&im);
    fault_disk_free(d);
    free(x);
    return text;
}

static bool was_tried(const char *footer, int level) {
    char text[32];
    (void)snprintf(text, sizeof text, "\"level\": %d,", level);
    return strstr(footer, text) != NULL;
}

static void trial__of_a_short_conversion__ends_after_the_first_level(void **state) {
    (void)state;
    step_ns = 10000000;
    char *footer = footer_of(2, 1);
    assert_true(was_tried(footer, 1));
    assert_false(was_tried(footer, -5) || was_tried(footer, -1) || was_tried(footer, 3));
    free(footer);
}

static void trial__of_a_long_or_unknown_conversion__tries_all_levels(void **state) {
    (void)state;
    const uint64_t expected_bytes[] = {UINT64_C(1) << 40, 0};
    step_ns = 10000000;
    for (size_t i = 0; i < 2; i++) {
        char *footer = footer_of(2, expected_bytes[i]);
        assert_true(was_tried(footer, 1) && was_tried(footer, -5));
        free(footer);
    }
}

static void trial__with_two_processors__is_done_by_two_threads(void **state) {
    (void)state;
    step_ns = 0;
    free(footer_of(2, 0));
    assert_int_equal(num_seen, hr__cpu_count() < 2 ? 1 : 2);
    free(footer_of(1, 0));
    assert_int_equal(num_seen, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trial__of_a_short_conversion__ends_after_the_first_level),
        cmocka_unit_test(trial__of_a_long_or_unknown_conversion__tries_all_levels),
        cmocka_unit_test(trial__with_two_processors__is_done_by_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
