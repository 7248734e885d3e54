/*
 * Encoding and decoding of the helper's messages. Input is untrusted on both sides.
 *
 * Invariants:
 * 1. A decoded message has only zeros in the members its type does not use, and no NULL text in
 *    those it does.
 * 2. Every byte of an accepted packet is accounted for: no trailing bytes, no free padding.
 */
#define _GNU_SOURCE
#include "helper_protocol.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "schema.h"

#include <string.h>

#define HEAD_BYTES 16u
#define KNOWN_FIELD_FLAGS                                                                          \
    (HR__HELPER_CHUNKED | HR__HELPER_STREAM | HR__HELPER_GROWING | HR__HELPER_FORTRAN |            \
     HR__HELPER_SPARSE | HR__HELPER_BY_COLUMNS | HR__HELPER_VARIABLE)
#define MAGIC 0x48535248u /* "HRSH" */

/* One cursor serves both directions, so that the two can never differ in layout. */
struct cursor {
    uint8_t *out;      /* encoding */
    const uint8_t *in; /* decoding */
    size_t pos, end;
    bool failed;
};

static bool take(struct cursor *c, size_t n_bytes, size_t *at) {
    if (c->failed || n_bytes > c->end - c->pos) {
        c->failed = true;
        return false;
    }
    *at = c->pos;
    c->pos += n_bytes;
    return true;
}

static void do_u32(struct cursor *c, uint32_t *v) {
    size_t at;
    if (!take(c, 4, &at))
        return;
    if (c->out != NULL)
        hr__put_u32(c->out + at, *v);
    else
        *v = hr__get_u32(c->in + at);
}

static void do_u64(struct cursor *c, uint64_t *v) {
    size_t at;
    if (!take(c, 8, &at))
        return;
    if (c->out != NULL)
        hr__put_u64(c->out + at, *v);
    else
        *v = hr__get_u64(c->in + at);
}

static void do_text(struct cursor *c, const char **text) {
    uint32_t n_bytes = 0;
    if (c->out != NULL) {
        const char *s = *text != NULL ? *text : "";
        size_t n = strnlen(s, HR__HELPER_PATH_BYTES + 1);
        if (n > HR__HELPER_PATH_BYTES)
            c->failed = true;
        n_bytes = (uint32_t)n;
    }
    do_u32(c, &n_bytes);
    size_t at;
    if (c->failed || n_bytes > HR__HELPER_PATH_BYTES || !take(c, (size_t)n_bytes + 1, &at)) {
        c->failed = true;
        return;
    }
    if (c->out != NULL) {
        memcpy(c->out + at, *text != NULL ? *text : "", (size_t)n_bytes + 1);
        return;
    }
    const char *s = (const char *)c->in + at;
    if (s[n_bytes] != '\0' || memchr(s, '\0', n_bytes) != NULL)
        c->failed = true;
    else
        *text = s;
}

static bool width_valid(const struct hr__helper_field *f) {
    if (hr__dtype_is_fixed_width(f->dtype))
        return f->width_bytes <= INT32_MAX;
    return f->width_bytes == 0;
}

/* Samples of no known size: how many there are is bounded by what their references take. */
static bool variable_valid(const struct hr__helper_field *f) {
    const bool whole = hr__dtype_is_variable(f->dtype);
    const uint32_t rank = (f->flags & HR__HELPER_BY_COLUMNS) != 0 ? 1 : 0;
    if (f->rank != rank || (rank == 1 && (whole || f->shape[0] > INT64_MAX / 16)))
        return false;
    return (whole || (hr_dtype_bytes(f->dtype) != 0 && f->dtype != HR_BOOL)) &&
           f->width_bytes == 0 && f->sample_bytes == 0 && f->granule_samples != 0 &&
           (f->flags & ~KNOWN_FIELD_FLAGS) == 0 && f->num_samples <= INT64_MAX / 16;
}

uint32_t hr__helper_unit_bytes(const struct hr__helper_field *f) {
    return hr__dtype_is_variable(f->dtype) ? 1 : (uint32_t)hr_dtype_bytes(f->dtype);
}

bool hr__helper_field_valid(const struct hr__helper_field *f) {
    if ((f->flags & HR__HELPER_VARIABLE) != 0)
        return hr__dtype_valid(f->dtype) && variable_valid(f);
    if (!hr__dtype_valid(f->dtype) || hr__dtype_is_variable(f->dtype) || !width_valid(f))
        return false;
    if (f->rank > HR_MAX_RANK || f->granule_samples == 0 || (f->flags & ~KNOWN_FIELD_FLAGS) != 0)
        return false;
    if ((f->flags & HR__HELPER_BY_COLUMNS) != 0 && f->rank != 1)
        return false;
    uint64_t bytes = hr__dtype_is_fixed_width(f->dtype) ? f->width_bytes : hr_dtype_bytes(f->dtype);
    bool empty = bytes == 0;
    for (uint32_t i = 0; i < f->rank; i++)
        empty = empty || f->shape[i] == 0;
    if (f->record.path != NULL && f->record.path[0] != '\0' && !hr__helper_record_valid(f))
        return false;
    if (empty)
        return f->sample_bytes == 0;
    for (uint32_t i = 0; i < f->rank; i++) {
        if (!hr__mul_u64(bytes, f->shape[i], &bytes))
            return false;
    }
    uint64_t total;
    return bytes == f->sample_bytes && bytes <= HR__MAX_SAMPLE_BYTES &&
           hr__mul_u64(bytes, f->num_samples, &total) && total <= INT64_MAX;
}

struct hr__helper_field hr__helper_field_of_elements(const struct hr__helper_field *f) {
    struct hr__helper_field elements = *f;
    elements.rank = 0;
    memset(elements.shape, 0, sizeof elements.shape);
    elements.flags &= ~HR__HELPER_FORTRAN;
    elements.sample_bytes = f->width_bytes != 0 ? f->width_bytes : hr_dtype_bytes(f->dtype);
    for (uint32_t i = 0; i < f->rank; i++)
        elements.num_samples *= f->shape[i];
    return elements;
}

/* Where there is none, only that is said. */
static void do_record(struct cursor *c, struct hr__helper_field *f) {
    struct hr__helper_record *r = &f->record;
    do_text(c, &r->path);
    if (c->failed || r->path == NULL || r->path[0] == '\0')
        return;
    do_u32(c, &r->rank);
    do_u64(c, &r->bytes);
    do_u64(c, &r->at);
    if (r->rank > f->rank)
        c->failed = true;
    for (uint32_t i = r->rank; !c->failed && i < f->rank; i++)
        do_u64(c, &r->steps[i]);
}

static void do_field(struct cursor *c, struct hr__helper_field *f) {
    uint32_t dtype = (uint32_t)f->dtype;
    do_u32(c, &dtype);
    f->dtype = (hr_dtype)dtype;
    do_u32(c, &f->width_bytes);
    do_u32(c, &f->rank);
    do_u32(c, &f->flags);
    if (f->rank > HR_MAX_RANK)
        c->failed = true;
    for (uint32_t i = 0; !c->failed && i < f->rank; i++)
        do_u64(c, &f->shape[i]);
    do_u64(c, &f->num_samples);
    do_u64(c, &f->sample_bytes);
    do_u64(c, &f->granule_samples);
    do_u64(c, &f->chunk_bytes);
    do_u64(c, &f->chunk_row_bytes);
    do_text(c, &f->member);
    do_text(c, &f->name);
    do_record(c, f);
    if (!c->failed && !hr__helper_field_valid(f))
        c->failed = true;
}

static void do_flags(struct cursor *c, uint32_t *flags, uint32_t known) {
    do_u32(c, flags);
    if ((*flags & ~known) != 0)
        c->failed = true;
}

static void do_slot(struct cursor *c, struct hr__helper_message *m) {
    uint64_t end;
    do_u32(c, &m->slot);
    do_u64(c, &m->first);
    do_u64(c, &m->n);
    if (m->slot >= HR__HELPER_NUM_SLOTS || !hr__add_u64(m->first, m->n, &end))
        c->failed = true;
}

/* The number of an array. */
static void do_array(struct cursor *c, uint32_t *array) {
    do_u32(c, array);
    if (*array >= HR__HELPER_MAX_ARRAYS)
        c->failed = true;
}

static void do_status(struct cursor *c, hr_status *status) {
    uint32_t number = (uint32_t)*status;
    do_u32(c, &number);
    if (number < (uint32_t)HR_ERR_INVALID || number > (uint32_t)HR_ERR_DATA)
        c->failed = true;
    else
        *status = (hr_status)number;
}

/* A number between two others. */
static void do_bounded(struct cursor *c, uint32_t *v, uint32_t least, uint32_t most) {
    do_u32(c, v);
    if (*v < least || *v > most)
        c->failed = true;
}

static void do_attribute(struct cursor *c, struct hr__helper_message *m) {
    uint32_t dtype = (uint32_t)m->dtype;
    do_flags(c, &m->flags, HR__HELPER_SCALAR);
    do_u32(c, &dtype);
    do_bounded(c, &m->slot, 0, HR__HELPER_NUM_SLOTS - 1);
    do_u32(c, &m->count);
    do_text(c, &m->member);
    do_text(c, &m->text);
    m->dtype = (hr_dtype)dtype;
    if (m->dtype != HR_INT64 && m->dtype != HR_FLOAT64 && m->dtype != HR_BOOL &&
        m->dtype != HR_FIXED_UTF8)
        c->failed = true;
}

/* Elements of a type of its own width, of which a value is any number. */
static void do_variable(struct cursor *c, struct hr__helper_message *m) {
    do_flags(c, &m->flags, HR__HELPER_TEXT);
    do_field(c, &m->field);
    if (hr_dtype_bytes(m->field.dtype) == 0 || m->field.rank != 0 || m->field.flags != 0)
        c->failed = true;
    if ((m->flags & HR__HELPER_TEXT) != 0 && m->field.dtype != HR_UINT8)
        c->failed = true;
}

static void do_body(struct cursor *c, struct hr__helper_message *m) {
    switch (m->type) {
    case HR__HELPER_LIST:
        do_flags(c, &m->flags,
                 HR__HELPER_FOLLOW_EXTERNAL | HR__HELPER_DENSE | HR__HELPER_ROW_VALUES |
                     HR__HELPER_GO_ON);
        do_text(c, &m->path);
        do_text(c, &m->member);
        break;
    case HR__HELPER_OPEN:
        do_flags(c, &m->flags,
                 HR__HELPER_FOLLOW_EXTERNAL | HR__HELPER_ELEMENTS | HR__HELPER_RECORDS |
                     HR__HELPER_ROW_VALUES);
        do_array(c, &m->array);
        do_u64(c, &m->memory_bytes);
        do_u64(c, &m->slot_bytes);
        do_u64(c, &m->cache_bytes);
        do_text(c, &m->path);
        do_text(c, &m->member);
        break;
    case HR__HELPER_CREATE:
        do_flags(c, &m->flags, HR__HELPER_ZIP);
        do_bounded(c, &m->level, 0, HR__HELPER_MAX_LEVEL);
        do_bounded(c, &m->count, 1, HR__HELPER_MAX_THREADS);
        do_u64(c, &m->slot_bytes);
        do_text(c, &m->path);
        break;
    case HR__HELPER_ATTRIBUTE:
        do_attribute(c, m);
        break;
    case HR__HELPER_BEGIN_VALUES:
        do_variable(c, m);
        break;
    case HR__HELPER_FINISH:
        break;
    case HR__HELPER_CLOSE:
        do_array(c, &m->array);
        break;
    case HR__HELPER_READ:
    case HR__HELPER_ROWS:
        do_array(c, &m->array);
        do_slot(c, m);
        break;
    case HR__HELPER_WRITE:
    case HR__HELPER_VALUES:
    case HR__HELPER_DONE:
        do_slot(c, m);
        break;
    case HR__HELPER_HELLO:
    case HR__HELPER_ATTRIBUTES:
    case HR__HELPER_NOTE:
        do_text(c, &m->text);
        break;
    case HR__HELPER_FIELD:
    case HR__HELPER_OPENED:
        do_field(c, &m->field);
        break;
    case HR__HELPER_ARRAY:
        do_field(c, &m->field);
        c->failed = c->failed || (m->field.flags & HR__HELPER_VARIABLE) != 0;
        break;
    case HR__HELPER_LIST_END:
        do_u32(c, &m->count);
        break;
    case HR__HELPER_REFUSED:
        do_status(c, &m->status);
        do_text(c, &m->member);
        do_text(c, &m->text);
        break;
    case HR__HELPER_ERROR:
        do_status(c, &m->status);
        do_text(c, &m->text);
        break;
    default:
        c->failed = true;
    }
}

size_t hr__helper_encode(const struct hr__helper_message *m, uint8_t *buf, size_t cap_bytes) {
    if (cap_bytes < HEAD_BYTES)
        return 0;
    if (cap_bytes > HR__HELPER_MESSAGE_BYTES)
        cap_bytes = HR__HELPER_MESSAGE_BYTES;
    struct hr__helper_message copy = *m;
    struct cursor c = {.out = buf, .pos = HEAD_BYTES, .end = cap_bytes};
    do_body(&c, &copy);
    if (c.failed)
        return 0;
    hr__put_u32(buf, MAGIC);
    hr__put_u16(buf + 4, (uint16_t)HR__HELPER_VERSION);
    hr__put_u16(buf + 6, (uint16_t)m->type);
    hr__put_u32(buf + 8, (uint32_t)(c.pos - HEAD_BYTES));
    hr__put_u32(buf + 12, 0);
    return c.pos;
}

static hr_status check_head(const uint8_t *buf, size_t n_bytes, hr_error *err) {
    if (n_bytes < HEAD_BYTES || n_bytes > HR__HELPER_MESSAGE_BYTES)
        return hr__error_set(err, HR_ERR_HELPER, "a packet of %zu bytes, expected %u to %u",
                             n_bytes, HEAD_BYTES, HR__HELPER_MESSAGE_BYTES);
    if (hr__get_u32(buf) != MAGIC)
        return hr__error_set(err, HR_ERR_HELPER, "a packet that is no message (0x%08x)",
                             hr__get_u32(buf));
    if (hr__get_u16(buf + 4) != HR__HELPER_VERSION)
        return hr__error_set(err, HR_ERR_HELPER,
                             "protocol version %u, expected %u: library and helper are of "
                             "different versions, install them together",
                             hr__get_u16(buf + 4), HR__HELPER_VERSION);
    if (hr__get_u32(buf + 8) != n_bytes - HEAD_BYTES || hr__get_u32(buf + 12) != 0)
        return hr__error_set(err, HR_ERR_HELPER, "a packet of %zu bytes that claims %u of body",
                             n_bytes, hr__get_u32(buf + 8));
    return HR_OK;
}

hr_status hr__helper_decode(const uint8_t *buf, size_t n_bytes, struct hr__helper_message *out,
                            hr_error *err) {
    memset(out, 0, sizeof *out);
    hr_status st = check_head(buf, n_bytes, err);
    if (st != HR_OK)
        return st;
    out->type = (enum hr__helper_type)hr__get_u16(buf + 6);
    struct cursor c = {.in = buf, .pos = HEAD_BYTES, .end = n_bytes};
    do_body(&c, out);
    if (!c.failed && c.pos == n_bytes)
        return HR_OK;
    unsigned type = hr__get_u16(buf + 6);
    memset(out, 0, sizeof *out);
    return hr__error_set(err, HR_ERR_HELPER, "a malformed message (type %u, %zu bytes)", type,
                         n_bytes);
}
