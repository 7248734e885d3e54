/*
 * Every system call, allocation and thread of a comparison fails in turn (link-time --wrap): of a
 * .hrd file with .npy, and with HDF5 through a helper, which this program plays itself. A clear
 * error or the right answer, no descriptor and no process left.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_helper.h"
#include "fault_calls.h"
#include "headrace/headrace.h"
#include "npy_header.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ODD_ONE 70000u /* the .hrd file differs here */

static char folder[] = "/tmp/headrace-compare-XXXXXX";
static char set_path[128], npy_path[128], hdf5_path[128], self[4096];
static uint64_t num_told; /* elements that differ, as on_field was told */

static void write_inputs(void) {
    static uint32_t rows[FAKE_SAMPLES];
    const hr_field field = {.name = "x", .dtype = HR_UINT32};
    const void *const columns[] = {rows};
    uint8_t header[2048];
    hr_writer *w = NULL;
    for (uint32_t i = 0; i < FAKE_SAMPLES; i++)
        rows[i] = i;
    size_t n = hr__npy_header_print("<u4", FAKE_SAMPLES, NULL, 0, header, sizeof header);
    FILE *f = fopen(npy_path, "wb"), *h = fopen(hdf5_path, "wb");
    assert_true(f != NULL && h != NULL);
    assert_int_equal(fwrite(header, 1, n, f), n);
    assert_int_equal(fwrite(rows, 1, sizeof rows, f), sizeof rows);
    assert_int_equal(fwrite("\x89HDF\r\n\x1a\n", 1, 8, h), 8);
    assert_true(fclose(f) == 0 && fclose(h) == 0);
    rows[ODD_ONE] = 1;
    assert_int_equal(hr_writer_open(set_path, &field, 1, NULL, &w, NULL), HR_OK);
    assert_int_equal(hr_writer_append(w, FAKE_SAMPLES, columns, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
}

static int count_descriptors(void) {
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

static void note_field(void *user, const hr_compared_field *f) {
    (void)user;
    num_told += f->num_different;
    if (f->num_different > 0)
        assert_true(f->num_different == 1 && f->differences[0].sample == ODD_ONE);
}

static hr_status compare(const char *other, hr_compare_result *result, hr_error *err) {
    hr_compare_options o = HR_COMPARE_OPTIONS_INIT;
    o.a = set_path;
    o.b = other;
    o.num_threads = 2;
    o.budget_bytes = UINT64_C(32) << 20;
    o.helper_timeout_ns = INT64_C(5000000000);
    o.on_field = note_field;
    num_told = 0;
    *result = (hr_compare_result){.struct_bytes = sizeof *result};
    return hr_compare(&o, result, err);
}

/* Calls whose refusal is not a failure: the next one decides, or there is another way. */
static bool may_be_ignored(const char *call) {
    static const char *const names[] = {"stat",     "fstat",  "access",        "syscall",
                                        "realpath", "waitid", "pthread_create"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(call, names[i]) == 0)
            return true;
    return false;
}

static void check(enum fault_kind kind, bool is_failure, long nth, hr_status st,
                  const hr_compare_result *r, const hr_error *err) {
    const char *call = fault_hit();
    if (st == HR_OK) {
        if (r->equal != 0 || r->num_different != 1 || num_told != 1)
            fail_msg("%s (%ld): a difference is not seen", call, nth);
        if (is_failure && call != NULL && !may_be_ignored(call))
            fail_msg("%s (%ld) failed, and it went on", call, nth);
        return;
    }
    if (!is_failure || call == NULL || err->status != st || err->message[0] == '\0')
        fail_msg("%s (%ld): %s: %s", call, nth, hr_status_name(st), err->message);
    if (kind == FAULT_MEMORY && st != HR_ERR_NO_MEMORY)
        fail_msg("%s (%ld): %s: %s", call, nth, hr_status_name(st), err->message);
    const bool of_memory = st == HR_ERR_NO_MEMORY && strcmp(call, "mmap") == 0;
    if (kind == FAULT_SYSTEM && !of_memory && strstr(err->message, folder) == NULL)
        fail_msg("%s (%ld): no file is named in: %s", call, nth, err->message);
}

static void each_fails(const char *other, enum fault_kind kind, bool is_failure, long at_least) {
    long nth = 0;
    for (;; nth++) {
        hr_error err = {0};
        hr_compare_result r;
        int before = count_descriptors();
        fault_arm(kind, nth);
        hr_status st = compare(other, &r, &err);
        fault_disarm();
        assert_int_equal(count_descriptors(), before);
        errno = 0;
        assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
        check(kind, is_failure, nth, st, &r, &err);
        if (fault_hit() == NULL)
            break;
        assert_true(nth < 5000);
    }
    assert_true(nth >= at_least);
}

static void npy__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(npy_path, FAULT_SYSTEM, true, 8);
}

static void npy__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(npy_path, FAULT_MEMORY, true, 20);
}

static void npy__each_transfer_is_short__is_gone_on_with(void **state) {
    (void)state;
    each_fails(npy_path, FAULT_SHORT, false, 3);
}

static void hdf5__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(hdf5_path, FAULT_SYSTEM, true, 30);
}

static void hdf5__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(hdf5_path, FAULT_MEMORY, true, 30);
}

static void hdf5__each_call_is_interrupted__is_done_again(void **state) {
    (void)state;
    each_fails(hdf5_path, FAULT_INTERRUPT, false, 10);
}

static int setup(void **state) {
    (void)state;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(set_path, sizeof set_path, "%s/x.hrd", folder);
    (void)snprintf(npy_path, sizeof npy_path, "%s/x.npy", folder);
    (void)snprintf(hdf5_path, sizeof hdf5_path, "%s/x.h5", folder);
    fault_spawn_instead(self);
    write_inputs();
    return 0;
}

static int teardown(void **state) {
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(int argc, char **argv) {
    if (argc == 5) /* started as a helper */
        return fake_serve(atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy__each_system_call_fails__is_an_error),
        cmocka_unit_test(npy__each_allocation_fails__is_an_error),
        cmocka_unit_test(npy__each_transfer_is_short__is_gone_on_with),
        cmocka_unit_test(hdf5__each_system_call_fails__is_an_error),
        cmocka_unit_test(hdf5__each_allocation_fails__is_an_error),
        cmocka_unit_test(hdf5__each_call_is_interrupted__is_done_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
