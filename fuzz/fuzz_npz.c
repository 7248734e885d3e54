/*
 * Archives from any bytes, read as the helper reads them: an error, or arrays of which every row
 * that they say they have can be read, or an error that says why not; also from the end to the
 * beginning.
 */
#define _GNU_SOURCE
#include "npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_BYTES  65536u
#define MAX_READS   64u /* of each array: the rest is as the beginning */
#define MAX_MEMBERS 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct archive {
    const char *path;
    int slots; /* their memfd */
    uint32_t num_found;
};

static void must(bool holds) {
    if (!holds)
        abort();
}

static void check(hr_status st, const hr_error *err) {
    must(st == HR_OK || (err->status == st && err->message[0] != '\0'));
}

static void read_rows(struct npz_reader *r, bool backwards) {
    const uint64_t rows = r->field.num_samples;
    for (uint32_t i = 0; i < MAX_READS && i < rows; i++) {
        hr_error err = {0};
        hr_status st = npz_reader_read(r, i % 2, backwards ? rows - 1 - i : i, 1, &err);
        check(st, &err);
        if (st != HR_OK)
            return;
    }
}

static void read_array(const struct archive *a, const char *member, uint32_t flags) {
    const struct hr__helper_message open = {.type = HR__HELPER_OPEN,
                                            .flags = flags,
                                            .slot_bytes = SLOT_BYTES,
                                            .path = a->path,
                                            .member = member};
    struct npz_reader r = {0};
    hr_error err = {0};
    hr_status st = npz_reader_open(&r, &open, a->slots, &err);
    check(st, &err);
    if (st == HR_OK && r.field.sample_bytes > 0 && r.field.sample_bytes <= SLOT_BYTES) {
        read_rows(&r, false);
        read_rows(&r, true);
    }
    npz_reader_close(&r);
}

static hr_status found(void *arg, const struct hr__helper_field *field, hr_error *err) {
    struct archive *a = arg;
    (void)err;
    must(hr__helper_field_valid(field));
    if (a->num_found++ >= MAX_MEMBERS)
        return HR_OK;
    if (field->record.path != NULL) {
        read_array(a, field->record.path, HR__HELPER_RECORDS);
    } else {
        read_array(a, field->member, 0);
        read_array(a, field->member, HR__HELPER_ELEMENTS);
    }
    return HR_OK;
}

static int make_file(const char *name, const void *bytes, size_t size) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t empty[SLOT_BYTES * HR__HELPER_NUM_SLOTS];
    char path[64];
    hr_error err = {0};
    int fd = make_file("archive", data, size);
    struct archive a = {.path = path, .slots = make_file("slots", empty, sizeof empty)};
    struct npz_archive archive = {0};
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (npz_is_archive(path)) {
        hr_status st = npz_archive_open(&archive, path, &err);
        if (st == HR_OK)
            st = npz_list(&archive, "", found, NULL, &a, &err);
        check(st, &err);
        npz_archive_close(&archive);
    }
    (void)close(a.slots);
    (void)close(fd);
    return 0;
}
