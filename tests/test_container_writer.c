/*
 * Exports through a helper, which this program plays itself, well or badly: the file "mode" beside
 * the one that is made says how. Whatever happens, the file is complete or not there at all; every
 * system call and allocation of the export fails in turn (link-time --wrap).
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_helper.h"
#include "fault_calls.h"
#include "hdf5_chunks.h"
#include "headrace/headrace.h"
#include "value_slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUM_SAMPLES 70000u
#define ROW_BYTES   16u
#define DIE_AT      4u /* chunk */

/* --- the helper ----------------------------------------------------------------------------- */

struct played {
    char mode[32];
    int socket, file;
    uint8_t *slots;
    uint64_t slot_bytes;
    struct hr__chunks chunks;
};

static bool is(const struct played *p, const char *mode) {
    return strcmp(p->mode, mode) == 0;
}

/* "die" happens late in the chunks, "values die" late in the values. */
static bool is_late(const struct played *p, const struct hr__helper_message *m, const char *mode) {
    const size_t prefix = m->type == HR__HELPER_VALUES ? strlen("values ") : 0;
    if (m->first + m->n <= DIE_AT || strlen(p->mode) < prefix)
        return false;
    return strncmp(p->mode, "values ", prefix) == 0 && strcmp(p->mode + prefix, mode) == 0;
}

static void play_create(struct played *p, const struct hr__helper_message *m, int fd) {
    char path[256];
    (void)snprintf(path, sizeof path, "%.*s/mode", (int)(strrchr(m->path, '/') - m->path), m->path);
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(p->mode, sizeof p->mode, f) == NULL)
        _exit(11);
    (void)fclose(f);
    p->slots = (uint8_t *)fake_map(fd, m->slot_bytes);
    p->slot_bytes = m->slot_bytes;
    p->file = open(m->path, O_WRONLY);
}

/* What a slot holds of the array's bytes. */
static const uint8_t *find_bytes(const struct played *p, const struct hr__helper_message *m,
                                 uint64_t *n_bytes) {
    static uint64_t ends[HR__SLOT_MAX_VALUES];
    const uint8_t *slot = p->slots + m->slot * p->slot_bytes;
    *n_bytes = hr__chunks_bytes(&p->chunks, m->first, m->n);
    if (m->type == HR__HELPER_WRITE)
        return slot;
    if (hr__value_slot_take(slot, p->slot_bytes, m->n, 4, ends, NULL) != HR_OK)
        _exit(5);
    *n_bytes = ends[m->n - 1];
    return hr__value_slot_values(slot, m->n);
}

/* The bytes of all arrays, one after the other: what the test will look for. */
static void play_write(struct played *p, const struct hr__helper_message *m,
                       struct hr__helper_message *answer) {
    uint64_t n_bytes;
    const uint8_t *bytes = find_bytes(p, m, &n_bytes);
    if (is_late(p, m, "die"))
        (void)raise(SIGKILL);
    while (is_late(p, m, "hang"))
        (void)pause();
    if (is_late(p, m, "other_slot"))
        answer->slot ^= 1;
    if (is_late(p, m, "unasked"))
        answer->type = HR__HELPER_HELLO, answer->text = "";
    if (is_late(p, m, "full"))
        *answer = (struct hr__helper_message){
            .type = HR__HELPER_ERROR, .status = HR_ERR_NO_SPACE, .text = "a \033[31m full disk"};
    if (write(p->file, bytes, n_bytes) != (ssize_t)n_bytes)
        _exit(4);
}

static void play_one(struct played *p) {
    struct hr__helper_message m, answer = {.type = HR__HELPER_DONE};
    int fd = -1;
    fake_hear(p->socket, &m, &fd);
    answer.slot = m.slot;
    answer.first = m.first;
    answer.n = m.n;
    switch (m.type) {
    case HR__HELPER_CREATE:
        play_create(p, &m, fd);
        break;
    case HR__HELPER_ARRAY:
        hr__chunks_make(&m.field, &p->chunks);
        break;
    case HR__HELPER_WRITE:
    case HR__HELPER_VALUES:
        play_write(p, &m, &answer);
        break;
    case HR__HELPER_FINISH:
        if (is(p, "die_at_end"))
            _exit(6);
        break;
    default:
        break;
    }
    fake_say(p->socket, &answer);
}

static _Noreturn void play(int socket) {
    struct hr__helper_message hello = {.type = HR__HELPER_HELLO, .text = "fake"};
    struct played p = {.socket = socket, .file = -1};
    fake_say(socket, &hello);
    for (;;)
        play_one(&p);
}

/* --- what is exported ----------------------------------------------------------------------- */

static char folder[] = "/tmp/headrace-container-XXXXXX";
static char set_path[128], out_path[128], mode_path[128], self[4096];
static uint8_t rows[NUM_SAMPLES][ROW_BYTES];
static int64_t labels[NUM_SAMPLES];
static int32_t numbers[3 * NUM_SAMPLES]; /* 0 to 6 of each sample, one after the other */
static int64_t starts[NUM_SAMPLES + 1];

/* What the fake helper makes of the fields. */
static const struct {
    const void *bytes;
    size_t n_bytes;
} arrays[] = {{rows, sizeof rows}, {labels, sizeof labels}, {numbers, sizeof numbers}};
#define NUM_ARRAYS (sizeof arrays / sizeof *arrays)
#define ALL_BYTES  (sizeof rows + sizeof labels + sizeof numbers)

static void fill_numbers(void) {
    for (uint32_t i = 0; i < 3 * NUM_SAMPLES; i++)
        numbers[i] = (int32_t)(i * 7);
    for (uint32_t i = 0; i < NUM_SAMPLES; i++) {
        const int64_t whole = i - i % 7;
        starts[i] = 4 * (3 * whole + (int64_t)(i % 7) * (i % 7 - 1) / 2);
    }
    starts[NUM_SAMPLES] = sizeof numbers;
}

static void write_set(void) {
    static const uint64_t shape[] = {ROW_BYTES};
    const hr_field fields[] = {
        {.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = shape},
        {.name = "y", .dtype = HR_INT64, .attributes_json = "{\"unit\": \"mm\", \"n\": [1, 2]}"},
        {.name = "t",
         .dtype = HR_VAR_BYTES,
         .element_dtype = HR_INT32,
         .attributes_json = "{\"of\": \"tokens\"}"}};
    const hr_varlen_column tokens = {starts, numbers, sizeof numbers};
    const void *const columns[] = {rows, labels, &tokens};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    for (uint32_t i = 0; i < NUM_SAMPLES; i++) {
        labels[i] = i;
        for (uint32_t k = 0; k < ROW_BYTES; k++)
            rows[i][k] = (uint8_t)(i + k);
    }
    fill_numbers();
    o.attributes_json = "{\"title\": \"rows\", \"good\": true}";
    assert_int_equal(hr_writer_open(set_path, fields, 3, &o, &w, NULL), HR_OK);
    assert_int_equal(hr_writer_append(w, NUM_SAMPLES, columns, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
}

static void use_helper(const char *mode) {
    FILE *f = fopen(mode_path, "w");
    assert_non_null(f);
    assert_true(fputs(mode, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static hr_export_options options(void) {
    hr_export_options o = HR_EXPORT_OPTIONS_INIT;
    o.path = out_path;
    o.num_threads = 2;
    o.budget_bytes = UINT64_C(64) << 20;
    o.helper_timeout_ns = INT64_C(5000000000);
    return o;
}

static hr_status export(const hr_export_options *o, hr_error *err) {
    hr_dataset *ds = NULL;
    assert_int_equal(hr_dataset_open(set_path, NULL, &ds, NULL), HR_OK);
    hr_status st = hr_export(ds, o, err);
    hr_dataset_close(ds);
    return st;
}

static bool exists(const char *suffix) {
    char path[160];
    (void)snprintf(path, sizeof path, "%s%s", out_path, suffix);
    return access(path, F_OK) == 0;
}

static void assert_whole(void) {
    static uint8_t found[ALL_BYTES + 1];
    FILE *f = fopen(out_path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(found, 1, sizeof found, f), ALL_BYTES);
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0, at = 0; i < NUM_ARRAYS; at += arrays[i++].n_bytes)
        assert_memory_equal(found + at, arrays[i].bytes, arrays[i].n_bytes);
}

static void assert_nothing_left(void) {
    assert_false(exists(""));
    assert_false(exists(".partial"));
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void remove_output(void) {
    (void)unlink(out_path);
}

/* --- the tests ------------------------------------------------------------------------------ */

static void export__all_bytes__reach_the_helper_in_order(void **state) {
    (void)state;
    use_helper("good");
    for (uint64_t budget = 20; budget <= 64; budget += 22) {
        hr_export_options o = options();
        hr_error err = {0};
        o.budget_bytes = budget << 20;
        if (export(&o, &err) != HR_OK)
            fail_msg("%s", err.message);
        assert_whole();
        assert_false(exists(".partial"));
        assert_int_equal(export(&o, NULL), HR_ERR_EXISTS);
        remove_output();
    }
}

static void refused(const char *mode, hr_status expected, const char *words) {
    hr_export_options o = options();
    hr_error err = {0};
    int64_t begin = hr__now_ns();
    use_helper(mode);
    o.helper_timeout_ns = INT64_C(300000000);
    assert_int_equal(export(&o, &err), expected);
    if (strstr(err.message, words) == NULL || strstr(err.message, out_path) == NULL)
        fail_msg("%s: %s", mode, err.message);
    assert_null(strchr(err.message, '\033'));
    assert_true(hr__now_ns() - begin < INT64_C(20000000000));
    assert_nothing_left();
}

static void export__helper_fails__an_error_and_nothing_is_left(void **state) {
    (void)state;
    refused("die", HR_ERR_HELPER, "the helper that writes this file was ended by signal 9");
    refused("hang", HR_ERR_HELPER, "said nothing for 0.3 s");
    refused("other_slot", HR_ERR_HELPER, "broke its protocol");
    refused("unasked", HR_ERR_HELPER, "broke its protocol");
    refused("full", HR_ERR_NO_SPACE, "full disk");
    refused("values die", HR_ERR_HELPER, "was ended by signal 9");
    refused("values hang", HR_ERR_HELPER, "said nothing for 0.3 s");
    refused("values other_slot", HR_ERR_HELPER, "broke its protocol");
    refused("values unasked", HR_ERR_HELPER, "broke its protocol");
    refused("values full", HR_ERR_NO_SPACE, "full disk");
    refused("die_at_end", HR_ERR_HELPER, "ended with exit code 6; nothing was made");
}

static void export__helper_fails__what_was_there_stays(void **state) {
    (void)state;
    hr_export_options o = options();
    use_helper("good");
    assert_int_equal(export(&o, NULL), HR_OK);
    o.flags = HR_CONVERT_REPLACE;
    use_helper("die");
    assert_int_equal(export(&o, NULL), HR_ERR_HELPER);
    assert_whole();
    assert_false(exists(".partial"));
    remove_output();
}

static int stop(void *user, const hr_progress *progress) {
    (void)user;
    return progress->done_bytes > 1000;
}

static void export__cancelled_or_refused__nothing_is_left(void **state) {
    (void)state;
    hr_export_options o = options();
    hr_error err = {0};
    use_helper("good");
    o.on_progress = stop;
    assert_int_equal(export(&o, &err), HR_ERR_CANCELLED);
    assert_non_null(strstr(err.message, "nothing of"));
    assert_nothing_left();
    o = options();
    o.budget_bytes = 1 << 18;
    assert_int_equal(export(&o, NULL), HR_ERR_BUDGET);
    assert_nothing_left();
    o = options();
    o.gzip_level = 10;
    assert_int_equal(export(&o, NULL), HR_ERR_INVALID);
    o = options();
    o.kind = 4;
    assert_int_equal(export(&o, NULL), HR_ERR_INVALID);
    o = options();
    o.path = NULL;
    assert_int_equal(export(&o, NULL), HR_ERR_INVALID);
    assert_nothing_left();
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

/* Calls whose refusal is not a failure: the next one decides, or there is another way. */
static bool may_be_ignored(const char *call) {
    static const char *const names[] = {"stat",     "fstat",  "access",        "syscall",
                                        "realpath", "waitid", "pthread_create"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(call, names[i]) == 0)
            return true;
    return false;
}

static void check(enum fault_kind kind, long nth, hr_status st, const hr_error *err) {
    const char *call = fault_hit();
    if (st == HR_OK) {
        assert_whole();
        if (call != NULL && kind != FAULT_INTERRUPT && !may_be_ignored(call))
            fail_msg("%s (%ld) failed, and it went on", call, nth);
        return;
    }
    if (call == NULL || kind == FAULT_INTERRUPT || err->status != st || err->message[0] == '\0')
        fail_msg("%s (%ld): %s: %s", call, nth, hr_status_name(st), err->message);
    if (exists(""))
        assert_whole(); /* only the folder's fsync came after */
    if (kind == FAULT_MEMORY && st != HR_ERR_NO_MEMORY)
        fail_msg("%s (%ld): %s: %s", call, nth, hr_status_name(st), err->message);
}

static void each_fails(enum fault_kind kind, long at_least) {
    long nth = 0;
    hr_dataset *ds = NULL;
    hr_export_options o = options();
    use_helper("good");
    assert_int_equal(hr_dataset_open(set_path, NULL, &ds, NULL), HR_OK);
    for (;; nth++) {
        hr_error err = {0};
        int before = count_descriptors();
        fault_arm(kind, nth);
        hr_status st = hr_export(ds, &o, &err);
        fault_disarm();
        assert_int_equal(count_descriptors(), before);
        check(kind, nth, st, &err);
        /* What cannot be locked or measured may be another's: it is not removed. */
        bool unknown = fault_hit() != NULL &&
                       (strcmp(fault_hit(), "fcntl") == 0 || strcmp(fault_hit(), "fstat") == 0);
        assert_true(!exists(".partial") || unknown);
        remove_output();
        if (fault_hit() == NULL)
            break;
        assert_true(nth < 5000);
    }
    hr_dataset_close(ds);
    assert_true(nth >= at_least);
}

static void export__each_system_call_fails__whole_or_absent(void **state) {
    (void)state;
    each_fails(FAULT_SYSTEM, 30);
}

static void export__each_allocation_fails__whole_or_absent(void **state) {
    (void)state;
    each_fails(FAULT_MEMORY, 20);
}

static void export__each_call_is_interrupted__is_done_again(void **state) {
    (void)state;
    each_fails(FAULT_INTERRUPT, 10);
}

static int setup(void **state) {
    (void)state;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || mkdtemp(folder) == NULL)
        return -1;
    fault_spawn_instead(self);
    (void)snprintf(mode_path, sizeof mode_path, "%s/mode", folder);
    (void)snprintf(set_path, sizeof set_path, "%s/set.hrd", folder);
    (void)snprintf(out_path, sizeof out_path, "%s/out.h5", folder);
    write_set();
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
        play(atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export__all_bytes__reach_the_helper_in_order),
        cmocka_unit_test(export__helper_fails__an_error_and_nothing_is_left),
        cmocka_unit_test(export__helper_fails__what_was_there_stays),
        cmocka_unit_test(export__cancelled_or_refused__nothing_is_left),
        cmocka_unit_test(export__each_system_call_fails__whole_or_absent),
        cmocka_unit_test(export__each_allocation_fails__whole_or_absent),
        cmocka_unit_test(export__each_call_is_interrupted__is_done_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
