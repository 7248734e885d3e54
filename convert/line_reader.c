/*
 * Lines.
 */
#include "line_reader.h"

#include "error.h"

#include <string.h>

#define MAX_LINE_BYTES ((size_t)16 << 20)

hr_status hr__line_reader_open(struct hr__line_reader *r, struct hr__input_stream *stream,
                               struct hr__budget *budget, hr_error *err) {
    *r = (struct hr__line_reader){.stream = stream, .budget = budget};
    hr_status st = HR_OK;
    r->bytes = hr__budget_take_raw(budget, HR__LINE_BLOCK_BYTES, "lines of text", &st, err);
    r->room_bytes = r->bytes != NULL ? HR__LINE_BLOCK_BYTES : 0;
    return st;
}

void hr__line_reader_close(struct hr__line_reader *r) {
    if (r->bytes != NULL)
        hr__budget_free(r->budget, r->bytes, r->room_bytes);
    *r = (struct hr__line_reader){0};
}

void hr__line_reader_seek(struct hr__line_reader *r, uint64_t off) {
    const uint64_t begin_off = r->off - (r->end - r->begin);
    if (off >= begin_off && off <= r->off) {
        r->begin += (size_t)(off - begin_off);
        return;
    }
    r->begin = r->end = 0;
    r->off = off;
    r->at_end = false;
}

static hr_status grow(struct hr__line_reader *r, hr_error *err) {
    hr_status st = HR_OK;
    if (r->room_bytes >= MAX_LINE_BYTES)
        return hr__error_at(err, HR_ERR_UNSUPPORTED, r->off - r->end,
                            "%s: the line at byte %llu is longer than 16 MiB; is it text?",
                            r->stream->path, (unsigned long long)(r->off - r->end));
    char *grown = hr__budget_take_raw(r->budget, r->room_bytes * 2, "a long line", &st, err);
    if (grown == NULL)
        return st;
    memcpy(grown, r->bytes, r->end);
    hr__budget_free(r->budget, r->bytes, r->room_bytes);
    r->bytes = grown;
    r->room_bytes *= 2;
    return HR_OK;
}

/* More bytes behind those that are there. */
static hr_status refill(struct hr__line_reader *r, hr_error *err) {
    memmove(r->bytes, r->bytes + r->begin, r->end - r->begin);
    r->end -= r->begin;
    r->begin = 0;
    hr_status st = r->end == r->room_bytes ? grow(r, err) : HR_OK;
    if (st != HR_OK)
        return st;
    const size_t wanted = r->room_bytes - r->end;
    size_t found = 0;
    st = hr__input_stream_read(r->stream, r->bytes + r->end, wanted, r->off, &found, err);
    if (st != HR_OK)
        return st;
    r->end += found;
    r->off += found;
    r->at_end = found < wanted;
    return HR_OK;
}

hr_status hr__line_reader_next(struct hr__line_reader *r, struct hr__line *out, hr_error *err) {
    size_t searched = 0;
    const char *newline = NULL;
    for (;;) {
        const size_t n = r->end - r->begin;
        if (n > searched)
            newline = memchr(r->bytes + r->begin + searched, '\n', n - searched);
        if (newline != NULL || r->at_end)
            break;
        searched = n;
        const hr_status st = refill(r, err);
        if (st != HR_OK)
            return st;
    }
    if (newline == NULL && r->begin == r->end)
        return HR_END_OF_EPOCH;
    const char *text = r->bytes + r->begin;
    size_t n = newline != NULL ? (size_t)(newline - text) : r->end - r->begin;
    out->off = r->off - (r->end - r->begin);
    r->begin += n + (newline != NULL);
    out->text = text;
    out->n = n > 0 && text[n - 1] == '\r' ? n - 1 : n;
    return HR_OK;
}
