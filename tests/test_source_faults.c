/*
 * Every system call, allocation and thread of a conversion fails in turn (link-time --wrap), from
 * .npy files, also shuffled and in Fortran order, from data sets, and from HDF5 through a helper,
 * which this program plays itself: a clear error that names the file, nothing that looks complete,
 * no descriptor and no process left, and the conversion can be resumed.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_helper.h"
#include "fault_calls.h"
#include "npy_header.h"
#include "shuffle.h"
#include "varlen_rows.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

static char folder[] = "/tmp/headrace-sources-XXXXXX";
static char self[4096];
static char target[256];

/* ---- what is converted ---- */

enum input {
    NPY,
    RAW,
    HDF5,
    SHUFFLED /* raw, by a temporary file */,
    DATASET,
    GZIP,
    CSV,
    FORTRAN, /* by a temporary file */
    VALUES,  /* a data set with values of variable length */
    RECORDS, /* of HDF5 */
    SEQUENCES,
    COLUMNS, /* a sparse matrix stored by these */
    MEMBERS, /* of a structured array */
    NUM_INPUTS
};
static char paths[NUM_INPUTS][256];
static const char *kept_field;      /* NULL: all are */
static uint64_t small_budget_bytes; /* in which the samples do not fit in memory */

#define SHUFFLED_SAMPLES 10000u
#define FORTRAN_SAMPLES  1024u /* of FORTRAN_VALUES each: more than may be in memory at once */
#define FORTRAN_VALUES   700u
#define VALUES_SAMPLES   700u

static void write_file(const char *path, const void *head, size_t head_bytes, uint64_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(head, 1, head_bytes, f), head_bytes);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(fwrite(&i, sizeof i, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

/* Value after value of all samples: sample i has i, FORTRAN_SAMPLES + i, ... */
static void write_fortran(const char *path) {
    uint8_t header[128] = "\x93NUMPY\1\0\x76";
    memset(header + 10, ' ', sizeof header - 10);
    int n = snprintf((char *)header + 10, sizeof header - 10,
                     "{'descr': '<u4', 'fortran_order': True, 'shape': (%u, %u)}", FORTRAN_SAMPLES,
                     FORTRAN_VALUES);
    header[10 + n] = ' ';
    header[sizeof header - 1] = '\n';
    write_file(path, header, sizeof header, FORTRAN_SAMPLES * FORTRAN_VALUES);
}

/* Both members of record i hold i. */
static void write_structured(const char *path) {
    uint8_t header[128] = "\x93NUMPY\1\0\x76";
    memset(header + 10, ' ', sizeof header - 10);
    int n = snprintf((char *)header + 10, sizeof header - 10,
                     "{'descr': [('a', '<u4'), ('b', '>u4')], 'fortran_order': False, 'shape': "
                     "(%u,)}",
                     FAKE_SAMPLES);
    header[10 + n] = ' ';
    header[sizeof header - 1] = '\n';
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, sizeof header, f), sizeof header);
    for (uint32_t i = 0; i < FAKE_SAMPLES; i++) {
        const uint32_t record[2] = {i, __builtin_bswap32(i)};
        assert_int_equal(fwrite(record, sizeof record, 1, f), 1);
    }
    assert_int_equal(fclose(f), 0);
}

static void write_inputs(void) {
    static const char *const names[] = {
        "x.npy", "x.bin", "x.h5",       "s.bin",        "x.hrd",      "x.idx.gz", "x.csv",
        "f.npy", "v.hrd", "records.h5", "sequences.h5", "columns.h5", "m.npy"};
    uint8_t header[2048];
    size_t n = hr__npy_header_print("<u4", FAKE_SAMPLES, NULL, 0, header, sizeof header);
    for (int i = 0; i < NUM_INPUTS; i++)
        (void)snprintf(paths[i], sizeof paths[i], "%s/%s", folder, names[i]);
    write_file(paths[NPY], header, n, FAKE_SAMPLES);
    write_file(paths[RAW], "", 0, FAKE_SAMPLES);
    write_file(paths[SHUFFLED], "", 0, SHUFFLED_SAMPLES);
    write_file(paths[HDF5], "\x89HDF\r\n\x1a\n", 8, 0);
    write_file(paths[RECORDS], "\x89HDF\r\n\x1a\n", 8, 0);
    write_file(paths[SEQUENCES], "\x89HDF\r\n\x1a\n", 8, 0);
    write_file(paths[COLUMNS], "\x89HDF\r\n\x1a\n", 8, 0);
    write_fortran(paths[FORTRAN]);
    write_structured(paths[MEMBERS]);
}

static hr_status convert(enum input input, uint32_t flags, hr_error *err) {
    const char *inputs[] = {paths[input]};
    hr_convert_options o = HR_CONVERT_OPTIONS_INIT;
    o.flags = flags;
    o.inputs = inputs;
    o.num_inputs = 1;
    o.output = target;
    o.budget_bytes = UINT64_C(16) << 20;
    o.num_threads = 2;
    o.num_helpers = 2;
    o.kept_fields = &kept_field;
    o.num_kept_fields = kept_field != NULL;
    o.raw_dtype = input == RAW || input == SHUFFLED || input == CSV ? "<u4" : NULL;
    o.helper_timeout_ns = INT64_C(5000000000);
    if (input == VALUES || input == SEQUENCES)
        o.budget_bytes = UINT64_C(32) << 20;
    if (input == COLUMNS) {
        o.budget_bytes = UINT64_C(96) << 20;
        o.sparse = HR_SPARSE_VARLEN;
    }
    if (input == FORTRAN)
        o.codec = HR_CODEC_RAW;
    if (input == SHUFFLED) {
        o.flags |= HR_CONVERT_SHUFFLE;
        o.shuffle_seed = 1;
        o.budget_bytes = small_budget_bytes;
        o.index_field = "row";
    }
    return hr_convert(&o, NULL, err);
}

/* A little more than the least. */
static void find_small_budget(void) {
    unsigned long long shuffling = 0, writing = 0;
    hr_error err = {0};
    small_budget_bytes = 1;
    assert_int_equal(convert(SHUFFLED, 0, &err), HR_ERR_BUDGET);
    const char *s = strstr(err.message, "reading and shuffling take ");
    const char *w = strstr(err.message, "writing needs at least ");
    assert_true(s != NULL && w != NULL);
    assert_int_equal(sscanf(s, "reading and shuffling take %llu", &shuffling), 1);
    assert_int_equal(sscanf(w, "writing needs at least %llu", &writing), 1);
    small_budget_bytes = shuffling + writing - 1;
    assert_int_equal(convert(SHUFFLED, 0, &err), HR_ERR_BUDGET);
    small_budget_bytes += SHUFFLED_SAMPLES * 9;
}

/* ---- what must hold ---- */

static int count_descriptors(void) {
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

static void assert_no_child(void) {
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void read_field(hr_dataset *ds, uint32_t field, void *out, uint32_t n, size_t n_bytes) {
    hr_error err = {0};
    assert_int_equal(hr_dataset_num_samples(ds), n);
    if (hr_dataset_read(ds, field, 0, n, out, n_bytes, &err) != HR_OK)
        fail_msg("%s", err.message);
}

static void assert_shuffled(hr_dataset *ds) {
    static uint32_t rows[SHUFFLED_SAMPLES];
    static int64_t before[SHUFFLED_SAMPLES];
    struct hr__permutation p;
    read_field(ds, 0, rows, SHUFFLED_SAMPLES, sizeof rows);
    read_field(ds, 1, before, SHUFFLED_SAMPLES, sizeof before);
    hr__shuffle_permutation(&p, SHUFFLED_SAMPLES, 1);
    for (uint32_t i = 0; i < SHUFFLED_SAMPLES; i++) {
        const uint64_t place = hr__permutation_apply(&p, i);
        assert_int_equal(rows[place], i);
        assert_int_equal(before[place], i);
    }
}

static void assert_in_order(hr_dataset *ds, uint32_t field) {
    static uint32_t rows[FAKE_SAMPLES];
    read_field(ds, field, rows, FAKE_SAMPLES, sizeof rows);
    for (uint32_t i = 0; i < FAKE_SAMPLES; i++)
        assert_int_equal(rows[i], i);
}

static void assert_put_together(hr_dataset *ds) {
    static uint32_t rows[FORTRAN_SAMPLES * FORTRAN_VALUES];
    read_field(ds, 0, rows, FORTRAN_SAMPLES, sizeof rows);
    uint32_t num_wrong = 0;
    for (uint32_t i = 0; i < FORTRAN_SAMPLES; i++)
        for (uint32_t k = 0; k < FORTRAN_VALUES; k++)
            num_wrong += rows[i * FORTRAN_VALUES + k] != k * FORTRAN_SAMPLES + i;
    assert_int_equal(num_wrong, 0);
}

static void assert_same_values(hr_dataset *ds) {
    hr_error err = {0};
    if (varlen_read(ds, VALUES_SAMPLES, 300, &err) != HR_OK)
        fail_msg("%s", err.message);
}

static void assert_sequences(hr_dataset *ds, uint32_t field) {
    static int64_t offsets[FAKE_SEQUENCES + 1];
    static uint32_t values[FAKE_SEQUENCES * FAKE_LENGTHS];
    uint64_t n_bytes = 0;
    hr_error err = {0};
    assert_int_equal(hr_dataset_num_samples(ds), FAKE_SEQUENCES);
    if (hr_dataset_read_values(ds, field, 0, FAKE_SEQUENCES, offsets, values, sizeof values,
                               &n_bytes, &err) != HR_OK)
        fail_msg("%s", err.message);
    uint64_t at = 0;
    for (uint32_t i = 0; i < FAKE_SEQUENCES; i++) {
        assert_int_equal(offsets[i], at * sizeof *values);
        for (uint32_t k = 0; k < i % FAKE_LENGTHS; k++)
            assert_int_equal(values[at++], i);
    }
    assert_int_equal(n_bytes, at * sizeof *values);
}

static void assert_target_whole(enum input input) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    if (hr_dataset_verify(target, NULL, &err) != HR_OK ||
        hr_dataset_open(target, NULL, &ds, &err) != HR_OK)
        fail_msg("%s", err.message);
    if (input == SHUFFLED)
        assert_shuffled(ds);
    else if (input == FORTRAN)
        assert_put_together(ds);
    else if (input == VALUES)
        assert_same_values(ds);
    else if (input == SEQUENCES || input == COLUMNS)
        assert_sequences(ds, 0);
    else
        assert_in_order(ds, 0);
    if (input == RECORDS || input == MEMBERS)
        assert_in_order(ds, 1);
    if (input == COLUMNS)
        assert_sequences(ds, 1);
    hr_dataset_close(ds);
}

/* Calls whose refusal is not a failure: the next one decides, or there is another way. */
static bool may_be_ignored(const char *call) {
    static const char *const names[] = {"stat",    "fstat",    "statvfs", "access",
                                        "syscall", "realpath", "waitid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(call, names[i]) == 0)
            return true;
    return false;
}

static void check_failure(enum fault_kind kind, long nth, hr_status st, const hr_error *err) {
    const char *call = fault_hit();
    if (st == HR_OK) {
        if (!may_be_ignored(call))
            fail_msg("%s (%ld) failed, and it went on", call, nth);
        return;
    }
    if (err->status != st || err->message[0] == '\0')
        fail_msg("%s (%ld): %s without a message", call, nth, hr_status_name(st));
    if (kind == FAULT_MEMORY && st != HR_ERR_NO_MEMORY)
        fail_msg("%s (%ld): %s: %s", call, nth, hr_status_name(st), err->message);
    const bool of_memory = st == HR_ERR_NO_MEMORY && strcmp(call, "mmap") == 0;
    if (kind == FAULT_SYSTEM && !of_memory && strstr(err->message, folder) == NULL)
        fail_msg("%s (%ld): no file is named in: %s", call, nth, err->message);
}

/* The nth call of the kind fails; true: there was an nth. */
static bool one_fault(enum input input, enum fault_kind kind, long nth) {
    hr_error err = {0};
    int before = count_descriptors();
    fault_arm(kind, nth);
    hr_status st = convert(input, 0, &err);
    fault_disarm();
    assert_int_equal(count_descriptors(), before);
    assert_no_child();
    if (fault_hit() != NULL)
        check_failure(kind, nth, st, &err);
    else if (st != HR_OK)
        fail_msg("%s", err.message);
    if (st == HR_OK || access(target, F_OK) == 0)
        assert_target_whole(input);
    if (st != HR_OK && nth % 4 == 0) { /* what is left can be gone on with */
        st = convert(input, HR_CONVERT_RESUME | HR_CONVERT_REPLACE, &err);
        if (st != HR_OK)
            fail_msg("after a fault in call %ld: %s", nth, err.message);
        assert_target_whole(input);
    }
    (void)unlink(target);
    return fault_hit() != NULL;
}

/* Under ThreadSanitizer, which makes a conversion 30 times as slow, every fifth call fails. */
static long stride(void) {
    const char *sanitizers = getenv("HEADRACE_SANITIZE");
    return sanitizers != NULL && strcmp(sanitizers, "thread") == 0 ? 5 : 1;
}

static void each_fails(enum input input, enum fault_kind kind, long at_least) {
    char partial[300];
    long nth = 0;
    (void)snprintf(partial, sizeof partial, "%s.partial", target);
    while (one_fault(input, kind, nth)) {
        (void)unlink(partial);
        nth += stride();
        assert_true(nth < 5000);
    }
    assert_true(nth >= at_least);
}

static void npy__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(NPY, FAULT_SYSTEM, 30);
}

static void npy__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(NPY, FAULT_MEMORY, 60);
}

static void raw__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(RAW, FAULT_SYSTEM, 30);
}

static void hdf5__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(HDF5, FAULT_SYSTEM, 60);
}

static void shuffled__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(SHUFFLED, FAULT_SYSTEM, 60);
}

static void shuffled__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(SHUFFLED, FAULT_MEMORY, 80);
}

static void fortran__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(FORTRAN, FAULT_SYSTEM, 50);
}

static void fortran__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(FORTRAN, FAULT_MEMORY, 60);
}

static void hdf5__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(HDF5, FAULT_MEMORY, 80);
}

static void records__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(RECORDS, FAULT_SYSTEM, 60);
}

static void records__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(RECORDS, FAULT_MEMORY, 80);
}

static void sequences__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(SEQUENCES, FAULT_SYSTEM, 60);
}

static void sequences__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(SEQUENCES, FAULT_MEMORY, 80);
}

static void columns__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(COLUMNS, FAULT_SYSTEM, 60);
}

static void columns__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(COLUMNS, FAULT_MEMORY, 80);
}

static void members__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(MEMBERS, FAULT_SYSTEM, 30);
}

static void members__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(MEMBERS, FAULT_MEMORY, 60);
}

/* An input of a helper that says what it may not. */
static void assert_refused(enum input input, const char *name, hr_status expected,
                           const char *said) {
    char ordinary[sizeof paths[input]];
    hr_error err = {0};
    memcpy(ordinary, paths[input], sizeof ordinary);
    (void)snprintf(paths[input], sizeof paths[input], "%s/%s", folder, name);
    write_file(paths[input], "\x89HDF\r\n\x1a\n", 8, 0);
    assert_int_equal(convert(input, 0, &err), expected);
    assert_non_null(strstr(err.message, said));
    assert_no_child();
    assert_int_not_equal(access(target, F_OK), 0);
    memcpy(paths[input], ordinary, sizeof ordinary);
}

static void attributes__without_end__are_a_broken_protocol(void **state) {
    (void)state;
    assert_refused(HDF5, "endless.h5", HR_ERR_HELPER, "too many attributes");
}

static void refusals__without_end__are_a_broken_protocol(void **state) {
    (void)state;
    kept_field = "x";
    assert_refused(HDF5, "refusing.h5", HR_ERR_HELPER, "too many refusals");
    kept_field = NULL;
}

static void attributes__that_are_no_json__are_refused(void **state) {
    (void)state;
    assert_refused(HDF5, "broken.h5", HR_ERR_CORRUPT, "the attributes of x");
}

static void records__whose_members_do_not_fit__are_a_broken_protocol(void **state) {
    (void)state;
    assert_refused(HDF5, "records-overfull.h5", HR_ERR_HELPER,
                   "members that do not fit their records");
    assert_refused(HDF5, "records-wider.h5", HR_ERR_HELPER,
                   "members that do not fit their records");
    assert_refused(HDF5, "records-longer.h5", HR_ERR_HELPER,
                   "members that do not fit their records");
}

static void keep_line(void *user, const char *line) {
    (void)strncat(user, line, 1000);
}

static void columns__that_are_no_matrix__are_refused(void **state) {
    (void)state;
    assert_refused(COLUMNS, "columns-half.h5", HR_ERR_HELPER, "without its two parts");
    assert_refused(COLUMNS, "columns-longer.h5", HR_ERR_HELPER, "without its two parts");
    assert_refused(COLUMNS, "columns-real-rows.h5", HR_ERR_HELPER, "without its two parts");
    assert_refused(COLUMNS, "columns-few-rows.h5", HR_ERR_CORRUPT, "a row that is none of 10");
}

static void attributes_and_notes__arrive_without_control_characters(void **state) {
    (void)state;
    char lines[4096] = "";
    const char *inputs[] = {paths[HDF5]};
    hr_convert_options o = HR_CONVERT_OPTIONS_INIT;
    hr_dataset *ds = NULL;
    hr_field field;
    o.inputs = inputs;
    o.num_inputs = 1;
    o.output = target;
    o.user = lines;
    o.on_note = keep_line;
    assert_int_equal(hr_convert(&o, NULL, NULL), HR_OK);
    assert_non_null(strstr(lines, "a ?[31m note; a ?[31m note"));
    assert_int_equal(hr_dataset_open(target, NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_field(ds, 0, &field, NULL), HR_OK);
    assert_non_null(strstr(field.attributes_json, "\"unit\""));
    hr_dataset_close(ds);
    (void)unlink(target);
}

/* Signals and short transfers are no failures. */
static void each_is_survived(enum input input, enum fault_kind kind, long at_least) {
    long nth = 0;
    for (;; nth += stride()) {
        hr_error err = {0};
        fault_arm(kind, nth);
        hr_status st = convert(input, 0, &err);
        fault_disarm();
        if (st != HR_OK)
            fail_msg("%s (%ld): %s", fault_hit(), nth, err.message);
        assert_target_whole(input);
        assert_no_child();
        (void)unlink(target);
        if (fault_hit() == NULL)
            break;
        assert_true(nth < 5000);
    }
    assert_true(nth >= at_least);
}

static void npy__each_transfer_is_short__is_gone_on_with(void **state) {
    (void)state;
    each_is_survived(NPY, FAULT_SHORT, 10);
}

static void fortran__each_transfer_is_short__is_gone_on_with(void **state) {
    (void)state;
    each_is_survived(FORTRAN, FAULT_SHORT, 10);
}

static void hdf5__each_call_is_interrupted__is_done_again(void **state) {
    (void)state;
    each_is_survived(HDF5, FAULT_INTERRUPT, 20);
}

static void dataset__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(DATASET, FAULT_SYSTEM, 30);
}

static void dataset__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(DATASET, FAULT_MEMORY, 60);
}

static void values__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(VALUES, FAULT_SYSTEM, 30);
}

static void values__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(VALUES, FAULT_MEMORY, 60);
}

static void gzip__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(GZIP, FAULT_SYSTEM, 30);
}

static void csv__each_system_call_fails__is_an_error(void **state) {
    (void)state;
    each_fails(CSV, FAULT_SYSTEM, 30);
}

static void csv__each_allocation_fails__is_an_error(void **state) {
    (void)state;
    each_fails(CSV, FAULT_MEMORY, 60);
}

static void make_csv(void) {
    FILE *f = fopen(paths[CSV], "w");
    assert_non_null(f);
    for (uint32_t i = 0; i < FAKE_SAMPLES; i++)
        assert_true(fprintf(f, "%u\n", i) > 0);
    assert_int_equal(fclose(f), 0);
}

/* IDX, big-endian. */
static void make_gzip(void) {
    const uint8_t head[] = {
        0, 0, 12, 1, 0, FAKE_SAMPLES >> 16, FAKE_SAMPLES >> 8 & 255, FAKE_SAMPLES & 255};
    gzFile f = gzopen(paths[GZIP], "wb");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, head, sizeof head), sizeof head);
    for (uint32_t i = 0; i < FAKE_SAMPLES; i++) {
        const uint32_t swapped = __builtin_bswap32(i);
        assert_int_equal(gzwrite(f, &swapped, sizeof swapped), sizeof swapped);
    }
    assert_int_equal(gzclose(f), Z_OK);
}

static void make_dataset(void) {
    hr_error err = {0};
    if (convert(NPY, 0, &err) != HR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(rename(target, paths[DATASET]), 0);
}

static void make_values(void) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    hr_writer *w = NULL;
    o.samples_per_chunk = 200;
    o.num_threads = 1;
    hr_status st = hr_writer_open(paths[VALUES], varlen_fields, VARLEN_NUM_FIELDS, &o, &w, &err);
    if (st == HR_OK)
        st = varlen_append(w, 0, VALUES_SAMPLES, 100, &err);
    if (st == HR_OK)
        st = hr_writer_commit(w, &err);
    hr_writer_close(w);
    if (st != HR_OK)
        fail_msg("%s", err.message);
}

static int setup(void **state) {
    (void)state;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(target, sizeof target, "%s/t.hrd", folder);
    fault_spawn_instead(self);
    write_inputs();
    find_small_budget();
    make_dataset();
    make_gzip();
    make_csv();
    make_values();
    return 0;
}

static int teardown(void **state) {
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(int argc, char **argv) {
    if (argc == 5)
        return fake_serve(atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy__each_system_call_fails__is_an_error),
        cmocka_unit_test(npy__each_allocation_fails__is_an_error),
        cmocka_unit_test(npy__each_transfer_is_short__is_gone_on_with),
        cmocka_unit_test(fortran__each_system_call_fails__is_an_error),
        cmocka_unit_test(fortran__each_allocation_fails__is_an_error),
        cmocka_unit_test(fortran__each_transfer_is_short__is_gone_on_with),
        cmocka_unit_test(raw__each_system_call_fails__is_an_error),
        cmocka_unit_test(shuffled__each_system_call_fails__is_an_error),
        cmocka_unit_test(shuffled__each_allocation_fails__is_an_error),
        cmocka_unit_test(dataset__each_system_call_fails__is_an_error),
        cmocka_unit_test(csv__each_system_call_fails__is_an_error),
        cmocka_unit_test(csv__each_allocation_fails__is_an_error),
        cmocka_unit_test(gzip__each_system_call_fails__is_an_error),
        cmocka_unit_test(dataset__each_allocation_fails__is_an_error),
        cmocka_unit_test(values__each_system_call_fails__is_an_error),
        cmocka_unit_test(values__each_allocation_fails__is_an_error),
        cmocka_unit_test(hdf5__each_system_call_fails__is_an_error),
        cmocka_unit_test(hdf5__each_allocation_fails__is_an_error),
        cmocka_unit_test(records__each_system_call_fails__is_an_error),
        cmocka_unit_test(records__each_allocation_fails__is_an_error),
        cmocka_unit_test(sequences__each_system_call_fails__is_an_error),
        cmocka_unit_test(sequences__each_allocation_fails__is_an_error),
        cmocka_unit_test(columns__each_system_call_fails__is_an_error),
        cmocka_unit_test(columns__each_allocation_fails__is_an_error),
        cmocka_unit_test(members__each_system_call_fails__is_an_error),
        cmocka_unit_test(members__each_allocation_fails__is_an_error),
        cmocka_unit_test(records__whose_members_do_not_fit__are_a_broken_protocol),
        cmocka_unit_test(columns__that_are_no_matrix__are_refused),
        cmocka_unit_test(attributes__without_end__are_a_broken_protocol),
        cmocka_unit_test(refusals__without_end__are_a_broken_protocol),
        cmocka_unit_test(attributes__that_are_no_json__are_refused),
        cmocka_unit_test(attributes_and_notes__arrive_without_control_characters),
        cmocka_unit_test(hdf5__each_call_is_interrupted__is_done_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
