/*
 * Every system call and allocation of an export fails in turn (link-time --wrap): each FIELD.npy is
 * complete or not there at all, nothing half-written is left, and no descriptor.
 */
#define _GNU_SOURCE
#include "fault_calls.h"
#include "headrace/headrace.h"
#include "npy_header.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_SAMPLES 3000u

static char folder[] = "/tmp/headrace-export-XXXXXX";
static char set_path[128], out_path[128];
static uint32_t a[NUM_SAMPLES];
static uint8_t b[NUM_SAMPLES];

static const struct {
    const char *name, *descr;
    const void *bytes;
    size_t n_bytes;
} columns[] = {{"a", "<u4", a, sizeof a}, {"b", "|u1", b, sizeof b}};
#define NUM_FIELDS (sizeof columns / sizeof *columns)

static void write_set(void) {
    const hr_field fields[] = {{.name = "a", .dtype = HR_UINT32}, {.name = "b", .dtype = HR_UINT8}};
    const void *rows[] = {a, b};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    for (uint32_t i = 0; i < NUM_SAMPLES; i++) {
        a[i] = i * 7919;
        b[i] = (uint8_t)(i * 31);
    }
    o.samples_per_chunk = 300;
    o.num_threads = 1;
    assert_int_equal(hr_writer_open(set_path, fields, 2, &o, &w, NULL), HR_OK);
    assert_int_equal(hr_writer_append(w, NUM_SAMPLES, rows, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
}

static hr_status export(hr_dataset *ds, uint32_t flags, hr_error *err) {
    hr_export_options o = HR_EXPORT_OPTIONS_INIT;
    o.flags = flags;
    o.folder = out_path;
    o.num_threads = 2;
    o.budget_bytes = UINT64_C(32) << 20;
    return hr_export_npy(ds, &o, err);
}

static int count_entries(const char *path) {
    DIR *d = opendir(path);
    int n = 0;
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        (void)closedir(d);
    return n;
}

/* True if the file is there, and then it is complete. */
static bool is_whole(size_t field) {
    static uint8_t found[65536], header[2048];
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s.npy", out_path, columns[field].name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    size_t n = fread(found, 1, sizeof found, f);
    assert_int_equal(fclose(f), 0);
    size_t head =
        hr__npy_header_print(columns[field].descr, NUM_SAMPLES, NULL, 0, header, sizeof header);
    assert_int_equal(n, head + columns[field].n_bytes);
    assert_memory_equal(found, header, head);
    assert_memory_equal(found + head, columns[field].bytes, columns[field].n_bytes);
    return true;
}

/* Calls without which an export can be right: the next one decides. */
static bool may_be_ignored(const char *call) {
    return strcmp(call, "stat") == 0 || strcmp(call, "fstat") == 0 ||
           strcmp(call, "pthread_create") == 0;
}

static void check_result(enum fault_kind kind, long nth, hr_status st, const hr_error *err) {
    const char *call = fault_hit();
    int num_whole = 0;
    for (size_t i = 0; i < NUM_FIELDS; i++)
        num_whole += is_whole(i);
    int num_left = count_entries(out_path);
    /* What cannot be locked or measured may be another's: its partial file is not removed. */
    int num_partial = num_left - num_whole - 2; /* without "." and ".." */
    bool unknown = call != NULL && (strcmp(call, "fcntl") == 0 || strcmp(call, "fstat") == 0);
    if (num_left != 0 && num_partial != 0 && !(num_partial == 1 && unknown))
        fail_msg("%s (%ld): something is left beside the complete files", call, nth);
    if (st == HR_OK) {
        assert_int_equal(num_whole, NUM_FIELDS);
        if (call != NULL && !may_be_ignored(call))
            fail_msg("%s (%ld) failed, and it went on", call, nth);
        return;
    }
    if (call == NULL || err->status != st)
        fail_msg("%s", err->message);
    if (kind == FAULT_MEMORY && st != HR_ERR_NO_MEMORY)
        fail_msg("%s (%ld): %s: %s", call, nth, hr_status_name(st), err->message);
    if (kind == FAULT_SYSTEM && strstr(err->message, folder) == NULL)
        fail_msg("%s (%ld): no file is named in: %s", call, nth, err->message);
}

static void clean(void) {
    char command[256];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", out_path);
    assert_int_equal(system(command), 0);
}

static void each_fails(enum fault_kind kind, bool is_failure, long at_least) {
    long nth = 0;
    for (;; nth++) {
        hr_dataset *ds = NULL; /* which has kept nothing of an earlier export */
        hr_error err = {0};
        assert_int_equal(hr_dataset_open(set_path, NULL, &ds, NULL), HR_OK);
        int before = count_entries("/proc/self/fd");
        clean();
        fault_arm(kind, nth);
        hr_status st = export(ds, 0, &err);
        fault_disarm();
        assert_int_equal(count_entries("/proc/self/fd"), before);
        if (is_failure)
            check_result(kind, nth, st, &err);
        else if (st != HR_OK || !is_whole(0) || !is_whole(1))
            fail_msg("%s (%ld): %s", fault_hit(), nth, err.message);
        if (st != HR_OK && export(ds, HR_CONVERT_REPLACE, &err) != HR_OK)
            fail_msg("a second try: %s", err.message);
        hr_dataset_close(ds);
        if (fault_hit() == NULL)
            break;
        assert_true(nth < 5000);
    }
    assert_true(nth >= at_least);
}

static void export__each_system_call_fails__files_are_whole_or_absent(void **state) {
    (void)state;
    each_fails(FAULT_SYSTEM, true, 25);
}

static void export__each_allocation_fails__files_are_whole_or_absent(void **state) {
    (void)state;
    each_fails(FAULT_MEMORY, true, 15);
}

static void export__each_call_is_interrupted__is_done_again(void **state) {
    (void)state;
    each_fails(FAULT_INTERRUPT, false, 10);
}

static void export__each_transfer_is_short__is_gone_on_with(void **state) {
    (void)state;
    each_fails(FAULT_SHORT, false, 10);
}

static int setup(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(set_path, sizeof set_path, "%s/set.hrd", folder);
    (void)snprintf(out_path, sizeof out_path, "%s/out", folder);
    write_set();
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
        cmocka_unit_test(export__each_system_call_fails__files_are_whole_or_absent),
        cmocka_unit_test(export__each_allocation_fails__files_are_whole_or_absent),
        cmocka_unit_test(export__each_call_is_interrupted__is_done_again),
        cmocka_unit_test(export__each_transfer_is_short__is_gone_on_with),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
