/*
 * Plain and compressed files behind one read.
 *
 * A file may be several gzip members one after the other, as `cat a.gz b.gz` makes it; zeros behind
 * the last one are padding, and anything else is damage.
 */
#include "input_stream.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BUFFER_BYTES   ((size_t)64 << 10)
#define MAX_REST_BYTES (UINT64_C(1) << 30)
#define GZIP_WINDOW    (15 + 16) /* the largest window, and gzip's header and checksum */

struct hr__gunzip {
    z_stream z;
    bool made, at_end, is_behind; /* of a whole member */
    uint64_t file_off;            /* of what follows `in` */
    uint64_t off;                 /* of what is inflated next */
    uint8_t in[BUFFER_BYTES];
    uint8_t skipped[BUFFER_BYTES];
};

bool hr__gzip_is(const uint8_t *bytes, size_t n_bytes) {
    return n_bytes >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

static hr_status gunzip_open(struct hr__gunzip **out, hr_error *err) {
    struct hr__gunzip *g = calloc(1, sizeof *g);
    if (g == NULL)
        return hr__error_no_memory(err, sizeof *g, "reading a compressed file");
    g->made = inflateInit2(&g->z, GZIP_WINDOW) == Z_OK;
    *out = g;
    return g->made ? HR_OK : hr__error_no_memory(err, 0, "reading a compressed file");
}

static void gunzip_close(struct hr__gunzip *g) {
    if (g == NULL)
        return;
    if (g->made)
        (void)inflateEnd(&g->z);
    free(g);
}

hr_status hr__input_stream_open(const char *path, bool gzip, struct hr__input_stream *out,
                                hr_error *err) {
    *out = (struct hr__input_stream){.path = path};
    hr_status st = hr__input_file_open(path, &out->file, err);
    if (st == HR_OK && gzip)
        st = gunzip_open(&out->gunzip, err);
    if (st != HR_OK)
        hr__input_stream_close(out);
    return st;
}

void hr__input_stream_close(struct hr__input_stream *s) {
    gunzip_close(s->gunzip);
    s->gunzip = NULL;
    hr__input_file_close(&s->file);
}

static hr_status damaged(const struct hr__input_stream *s, const char *why, hr_error *err) {
    return hr__error_at(err, HR_ERR_CORRUPT, s->gunzip->file_off - s->gunzip->z.avail_in,
                        "%s: what gzip compressed is damaged after %llu bytes (%s); copy it again, "
                        "and see what gunzip -t says",
                        s->path, (unsigned long long)s->gunzip->off, why);
}

/* More compressed bytes; none at the end of the file. */
static hr_status refill(struct hr__input_stream *s, hr_error *err) {
    struct hr__gunzip *g = s->gunzip;
    size_t found = 0;
    const hr_status st =
        hr__input_file_read(&s->file, s->path, g->in, BUFFER_BYTES, g->file_off, &found, err);
    if (st != HR_OK)
        return st;
    g->file_off += found;
    g->z.next_in = g->in;
    g->z.avail_in = (uInt)found;
    return HR_OK;
}

/* After the end of a member: another one, or padding up to the end of the file. */
static hr_status next_member(struct hr__input_stream *s, hr_error *err) {
    struct hr__gunzip *g = s->gunzip;
    for (;;) {
        if (g->z.avail_in == 0) {
            const hr_status st = refill(s, err);
            if (st != HR_OK)
                return st;
        }
        g->at_end = g->z.avail_in == 0;
        if (g->at_end)
            return HR_OK;
        if (*g->z.next_in != 0)
            break;
        g->z.next_in++;
        g->z.avail_in--;
    }
    (void)inflateReset(&g->z);
    g->is_behind = true;
    return HR_OK;
}

/* What inflate() says of garbage is that it is no gzip. */
static const char *reason(const struct hr__gunzip *g) {
    if (g->is_behind && g->z.total_out == 0)
        return "behind it stands what gzip did not write";
    return g->z.msg != NULL ? g->z.msg : "no gzip data";
}

/* One step: at most n_bytes more, at the end of all none. */
static hr_status inflate_some(struct hr__input_stream *s, uint8_t *dst, size_t n_bytes,
                              size_t *found, hr_error *err) {
    struct hr__gunzip *g = s->gunzip;
    hr_status st = HR_OK;
    if (g->z.avail_in == 0)
        st = refill(s, err);
    if (st != HR_OK)
        return st;
    g->z.next_out = dst;
    g->z.avail_out = (uInt)hr__min_u64(n_bytes, BUFFER_BYTES);
    const uInt room = g->z.avail_out, given = g->z.avail_in;
    const int rc = inflate(&g->z, Z_NO_FLUSH);
    *found = room - g->z.avail_out;
    g->off += *found;
    if (rc == Z_STREAM_END)
        return next_member(s, err);
    if (rc == Z_MEM_ERROR)
        return hr__error_no_memory(err, 0, "reading a compressed file");
    if (rc != Z_OK && rc != Z_BUF_ERROR)
        return damaged(s, reason(g), err);
    if (given == 0 && *found == 0)
        return damaged(s, "the file is cut off", err);
    return HR_OK;
}

static void begin_anew(struct hr__gunzip *g) {
    (void)inflateReset(&g->z);
    g->z.avail_in = 0;
    g->at_end = g->is_behind = false;
    g->file_off = g->off = 0;
}

static hr_status read_gzip(struct hr__input_stream *s, uint8_t *buf, size_t n_bytes, uint64_t off,
                           size_t *found, hr_error *err) {
    struct hr__gunzip *g = s->gunzip;
    if (off < g->off)
        begin_anew(g);
    *found = 0;
    while (*found < n_bytes && !g->at_end) {
        const bool skip = g->off < off;
        size_t n = 0;
        const hr_status st =
            skip ? inflate_some(s, g->skipped, (size_t)hr__min_u64(off - g->off, BUFFER_BYTES), &n,
                                err)
                 : inflate_some(s, buf + *found, n_bytes - *found, &n, err);
        if (st != HR_OK)
            return st;
        *found += skip ? 0 : n;
    }
    return HR_OK;
}

hr_status hr__input_stream_read(struct hr__input_stream *s, void *buf, size_t n_bytes, uint64_t off,
                                size_t *found, hr_error *err) {
    if (s->gunzip != NULL)
        return read_gzip(s, buf, n_bytes, off, found, err);
    return hr__input_file_read(&s->file, s->path, buf, n_bytes, off, found, err);
}

hr_status hr__input_stream_finish(struct hr__input_stream *s, uint64_t *end_off, hr_error *err) {
    struct hr__gunzip *g = s->gunzip;
    const uint64_t most = g != NULL ? g->off + MAX_REST_BYTES : 0;
    hr_status st = HR_OK;
    while (g != NULL && !g->at_end && st == HR_OK) {
        size_t found;
        if (g->off > most)
            return hr__error_set(err, HR_ERR_CORRUPT,
                                 "%s: more than %llu bytes lie behind what its header says; cut "
                                 "them off, or copy it again",
                                 s->path, (unsigned long long)MAX_REST_BYTES);
        st = inflate_some(s, g->skipped, BUFFER_BYTES, &found, err);
    }
    *end_off = g != NULL ? g->off : s->file.size_bytes;
    return st;
}
