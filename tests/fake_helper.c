/*
 * The common part of helpers that tests play.
 */
#define _GNU_SOURCE
#include "fake_helper.h"

#include "made_dataset.h"
#include "value_slot.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void fake_say(int socket, const struct hr__helper_message *m) {
    uint8_t buf[HR__HELPER_MESSAGE_BYTES];
    size_t n = hr__helper_encode(m, buf, sizeof buf);
    if (n == 0 || send(socket, buf, n, MSG_NOSIGNAL) != (ssize_t)n)
        _exit(9);
}

void fake_hear(int socket, struct hr__helper_message *m, int *fd) {
    static uint8_t buf[HR__HELPER_MESSAGE_BYTES];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = buf, .iov_len = sizeof buf};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    ssize_t n = recvmsg(socket, &msg, 0);
    if (n <= 0 || hr__helper_decode(buf, (size_t)n, m, NULL) != HR_OK)
        _exit(0);
    if (msg.msg_controllen >= CMSG_LEN(sizeof(int)))
        memcpy(fd, CMSG_DATA(&control.head), sizeof *fd);
}

const char *fake_program(const char *mode) {
    static char self[PATH_MAX];
    const char *path = made_path(mode);
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0 ||
        (symlink(self, path) != 0 && errno != EEXIST))
        abort();
    return path;
}

struct hr__helper_field fake_field(void) {
    return (struct hr__helper_field){.dtype = HR_UINT32,
                                     .num_samples = FAKE_SAMPLES,
                                     .sample_bytes = 4,
                                     .granule_samples = 1000,
                                     .chunk_bytes = 4000,
                                     .chunk_row_bytes = 4000,
                                     .flags = HR__HELPER_CHUNKED,
                                     .member = "x",
                                     .name = "x"};
}

uint32_t *fake_map(int fd, uint64_t slot_bytes) {
    void *p =
        mmap(NULL, HR__HELPER_NUM_SLOTS * slot_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        _exit(10);
    return p;
}

void fake_fill(uint32_t *rows, uint64_t slot_bytes, const struct hr__helper_message *m) {
    for (uint64_t i = 0; i < m->n; i++)
        rows[m->slot * (slot_bytes / 4) + i] = (uint32_t)(m->first + i);
}

/* Of records of two members, whose values are both the index. */
static struct hr__helper_field fake_member(uint32_t index) {
    struct hr__helper_field f = fake_field();
    f.member = f.name = index == 0 ? "r/a" : "r/b";
    f.chunk_bytes = f.chunk_row_bytes = 8000;
    f.record = (struct hr__helper_record){.path = "r", .bytes = 8, .at = 4 * index};
    return f;
}

/* Of files of some names, members that cannot be of the same records. */
static void say_members(int socket, const char *path) {
    for (uint32_t i = 0; i < 2; i++) {
        struct hr__helper_message m = {.type = HR__HELPER_FIELD, .field = fake_member(i)};
        if (strstr(path, "overfull") != NULL)
            m.field.record = (struct hr__helper_record){.path = "r", .bytes = 4};
        if (strstr(path, "wider") != NULL)
            m.field.record.bytes += i;
        if (strstr(path, "longer") != NULL)
            m.field.num_samples += i;
        fake_say(socket, &m);
    }
}

static void fill_records(uint32_t *rows, uint64_t slot_bytes, const struct hr__helper_message *m) {
    for (uint64_t i = 0; i < 2 * m->n; i++)
        rows[m->slot * (slot_bytes / 4) + i] = (uint32_t)(m->first + i / 2);
}

static struct hr__helper_field fake_sequences(void) {
    return (struct hr__helper_field){.dtype = HR_UINT32,
                                     .flags = HR__HELPER_CHUNKED | HR__HELPER_VARIABLE,
                                     .num_samples = FAKE_SEQUENCES,
                                     .granule_samples = 500,
                                     .chunk_bytes = 8000,
                                     .chunk_row_bytes = 8000,
                                     .member = "s",
                                     .name = "s"};
}

/* Column i of a matrix has values in row i only: of the same lengths as the sequences. Of files of
 * some names, what cannot be the two parts of one, or rows that there are none of. */
static struct hr__helper_field fake_columns(uint32_t index, const char *path) {
    struct hr__helper_field f = fake_sequences();
    f.flags |= HR__HELPER_SPARSE | HR__HELPER_BY_COLUMNS;
    f.rank = 1;
    f.shape[0] = strstr(path, "few-rows") != NULL ? 10 : FAKE_SEQUENCES;
    f.num_samples += strstr(path, "longer") != NULL ? index : 0;
    f.dtype = strstr(path, "real-rows") != NULL ? HR_FLOAT32 : HR_UINT32;
    f.member = f.name = index == 0 ? "m/indices" : "m/data";
    return f;
}

static uint32_t say_columns(int socket, const char *path) {
    const uint32_t n = strstr(path, "half") != NULL ? 1 : 2;
    for (uint32_t i = 0; i < n; i++) {
        struct hr__helper_message m = {.type = HR__HELPER_FIELD, .field = fake_columns(i, path)};
        fake_say(socket, &m);
    }
    return n;
}

/* As many as fit. */
static uint64_t fill_sequences(uint8_t *slot, uint64_t slot_bytes,
                               const struct hr__helper_message *m) {
    static int64_t offsets[HR__SLOT_MAX_VALUES + 1];
    static uint32_t values[HR__SLOT_MAX_VALUES * FAKE_LENGTHS];
    uint64_t n = m->n < HR__SLOT_MAX_VALUES ? m->n : HR__SLOT_MAX_VALUES;
    uint32_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        for (uint64_t k = 0; k < (m->first + i) % FAKE_LENGTHS; k++)
            values[at++] = (uint32_t)(m->first + i);
        offsets[i + 1] = (int64_t)(at * sizeof *values);
    }
    n = hr__value_slot_fits(offsets, n, slot_bytes);
    hr__value_slot_put(offsets, n, (const uint8_t *)values, slot);
    return n;
}

/* Attributes and notes of the field and of the file; of files of some names, what they may not be.
 */
static void say_list(int socket, const char *path) {
    struct hr__helper_message attributes = {.type = HR__HELPER_ATTRIBUTES, .text = "{\"unit\":"};
    struct hr__helper_message rest = {.type = HR__HELPER_ATTRIBUTES, .text = "\"K\"}"};
    struct hr__helper_message note = {.type = HR__HELPER_NOTE, .text = "a \033[31m note"};
    struct hr__helper_message field = {.type = HR__HELPER_FIELD, .field = fake_field()};
    struct hr__helper_message refused = {.type = HR__HELPER_REFUSED,
                                         .status = HR_ERR_UNSUPPORTED,
                                         .member = "y",
                                         .text = "a reference"};
    while (strstr(path, "refusing") != NULL)
        fake_say(socket, &refused);
    fake_say(socket, &attributes);
    while (strstr(path, "endless") != NULL)
        fake_say(socket, &attributes);
    if (strstr(path, "broken") == NULL)
        fake_say(socket, &rest);
    fake_say(socket, &note);
    fake_say(socket, &field);
    fake_say(socket, &attributes);
    fake_say(socket, &rest);
    fake_say(socket, &note);
}

enum fake_kind { INDICES, RECORDS, SEQUENCES, COLUMNS };

static enum fake_kind kind_of(const char *path) {
    return strstr(path, "records") != NULL     ? RECORDS
           : strstr(path, "sequences") != NULL ? SEQUENCES
           : strstr(path, "columns") != NULL   ? COLUMNS
                                               : INDICES;
}

static struct hr__helper_message list(int socket, const char *path) {
    const struct hr__helper_message sequences = {.type = HR__HELPER_FIELD,
                                                 .field = fake_sequences()};
    const enum fake_kind kind = kind_of(path);
    uint32_t n = 1 + (kind == RECORDS);
    if (kind == RECORDS)
        say_members(socket, path);
    else if (kind == COLUMNS)
        n = say_columns(socket, path);
    else if (kind == SEQUENCES)
        fake_say(socket, &sequences);
    else
        say_list(socket, path);
    return (struct hr__helper_message){.type = HR__HELPER_LIST_END, .count = n};
}

static struct hr__helper_message opened(const struct hr__helper_message *m) {
    struct hr__helper_message answer = {.type = HR__HELPER_OPENED, .field = fake_field()};
    const struct hr__helper_field member = fake_member(0);
    if ((m->flags & HR__HELPER_RECORDS) != 0)
        answer.field = hr__helper_field_of_records(&member);
    else if (kind_of(m->path) == SEQUENCES)
        answer.field = fake_sequences();
    else if (kind_of(m->path) == COLUMNS)
        answer.field = fake_columns(strstr(m->member, "data") != NULL, m->path);
    return answer;
}

struct fake_array {
    enum fake_kind kind;
    uint64_t slot_bytes;
    uint32_t *rows; /* NULL: it is not open */
};

static struct fake_array array_of(const struct hr__helper_message *m, int fd) {
    struct fake_array a = {.kind = kind_of(m->path), .slot_bytes = m->slot_bytes};
    a.rows = fake_map(fd, m->slot_bytes);
    if (a.kind == RECORDS && (m->flags & HR__HELPER_RECORDS) == 0)
        a.kind = INDICES;
    return a;
}

static struct hr__helper_message rows_of(const struct fake_array *a,
                                         const struct hr__helper_message *m) {
    struct hr__helper_message answer = *m;
    answer.type = HR__HELPER_ROWS;
    if (a->kind == SEQUENCES || a->kind == COLUMNS)
        answer.n = fill_sequences((uint8_t *)a->rows + m->slot * a->slot_bytes, a->slot_bytes, m);
    else
        (a->kind == RECORDS ? fill_records : fake_fill)(a->rows, a->slot_bytes, m);
    return answer;
}

int fake_serve(int socket) {
    struct hr__helper_message m, hello = {.type = HR__HELPER_HELLO, .text = "fake"};
    static struct fake_array arrays[HR__HELPER_MAX_ARRAYS];
    fake_say(socket, &hello);
    for (;;) {
        struct hr__helper_message answer = {.type = HR__HELPER_DONE};
        int fd = -1;
        fake_hear(socket, &m, &fd);
        if (m.type == HR__HELPER_LIST) {
            answer = list(socket, m.path);
        } else if (m.type == HR__HELPER_OPEN && arrays[m.array].rows == NULL) {
            arrays[m.array] = array_of(&m, fd);
            answer = opened(&m);
        } else if (m.type == HR__HELPER_READ && arrays[m.array].rows != NULL) {
            answer = rows_of(&arrays[m.array], &m);
        } else if (m.type == HR__HELPER_CLOSE && arrays[m.array].rows != NULL) {
            arrays[m.array].rows = NULL;
        } else {
            _exit(11);
        }
        fake_say(socket, &answer);
    }
}
