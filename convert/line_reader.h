/*
 * Lines of an input stream, one after the other from any place. Files are untrusted: a line is at
 * most 16 MiB long.
 */
#ifndef HEADRACE_LINE_READER_H
#define HEADRACE_LINE_READER_H

#include "budget.h"
#include "input_stream.h"

#define HR__LINE_BLOCK_BYTES (UINT64_C(256) << 10)

struct hr__line_reader {
    struct hr__input_stream *stream;
    struct hr__budget *budget;
    char *bytes;
    size_t room_bytes, begin, end; /* what was read and not yet handed out is begin .. end - 1 */
    uint64_t off;                  /* in the stream, of `end` */
    bool at_end;                   /* nothing follows */
};

/* A line: without what ends it, "\n" or "\r\n". Valid until the next one is read. */
struct hr__line {
    const char *text;
    size_t n;
    uint64_t off; /* of its first byte in the stream */
};

/* Charges HR__LINE_BLOCK_BYTES, and more for longer lines. The stream is the caller's. Close it
 * also after a failure. */
hr_status hr__line_reader_open(struct hr__line_reader *r, struct hr__input_stream *stream,
                               struct hr__budget *budget, hr_error *err);
void hr__line_reader_close(struct hr__line_reader *r); /* a zeroed one is fine */

/* Goes on at the line that begins there. */
void hr__line_reader_seek(struct hr__line_reader *r, uint64_t off);

/* HR_OK, or HR_END_OF_EPOCH after the last. HR_ERR_UNSUPPORTED: a line that is too long. */
hr_status hr__line_reader_next(struct hr__line_reader *r, struct hr__line *out, hr_error *err);

#endif
