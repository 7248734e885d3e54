/*
 * Input files that may be compressed by gzip: read at positions of what they hold. What is
 * compressed is read best in ascending order: going back begins anew. Files are untrusted.
 */
#ifndef HEADRACE_INPUT_STREAM_H
#define HEADRACE_INPUT_STREAM_H

#include "input_file.h"

#include <stdint.h>

struct hr__gunzip;

struct hr__input_stream {
    struct hr__input_file file;
    const char *path;          /* the caller's, for messages */
    struct hr__gunzip *gunzip; /* NULL: it is not compressed */
};

/* Begins with the magic of gzip. */
bool hr__gzip_is(const uint8_t *bytes, size_t n_bytes);

/* gzip: it is compressed. As hr__input_file_open(). */
hr_status hr__input_stream_open(const char *path, bool gzip, struct hr__input_stream *out,
                                hr_error *err);

/* As hr__input_file_read(). HR_ERR_CORRUPT: what is compressed is damaged or cut off. Its checksum
 * is checked when its end is read. */
hr_status hr__input_stream_read(struct hr__input_stream *s, void *buf, size_t n_bytes, uint64_t off,
                                size_t *found, hr_error *err);

/* Reads what is left of a compressed file, so that its checksum is checked. *end_off: all that the
 * file holds. HR_ERR_CORRUPT also where a GiB more is not the end: a few bytes can be made to hold
 * more than can be read. */
hr_status hr__input_stream_finish(struct hr__input_stream *s, uint64_t *end_off, hr_error *err);

void hr__input_stream_close(struct hr__input_stream *s); /* a zeroed one is fine */

#endif
