/*
 * Writing archives by libzip. The messages are untrusted; the file is our own.
 */
#define _GNU_SOURCE
#include "npz_write.h"

#include "checked.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLDEST_TIME                                                                                \
    315532800 /* 1980: the same data are the same archive, as numpy.savez() has it */

/* --- the file, as libzip writes to it ------------------------------------------------------- */

static zip_int64_t fail_file(zip_error_t *e, int os_errno) {
    zip_error_set(e, ZIP_ER_WRITE, os_errno);
    return -1;
}

static zip_int64_t put(struct npz_writer *w, const uint8_t *data, uint64_t n_bytes,
                       zip_error_t *e) {
    for (uint64_t done = 0; done < n_bytes;) {
        ssize_t n = pwrite(w->fd, data + done, n_bytes - done, (off_t)(w->at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_file(e, n < 0 ? errno : EIO);
        done += (uint64_t)n;
    }
    w->at += n_bytes;
    return (zip_int64_t)n_bytes;
}

static zip_int64_t seek(struct npz_writer *w, void *data, zip_uint64_t n_bytes, zip_error_t *e) {
    struct stat s;
    zip_uint64_t size = fstat(w->fd, &s) == 0 ? (zip_uint64_t)s.st_size : 0;
    zip_int64_t to = zip_source_seek_compute_offset(w->at, size, data, n_bytes, e);
    if (to < 0)
        return -1;
    w->at = (uint64_t)to;
    return 0;
}

static zip_int64_t file_callback(void *arg, void *data, zip_uint64_t n_bytes,
                                 zip_source_cmd_t command) {
    struct npz_writer *w = arg;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_BEGIN_WRITE,
            ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE,
            ZIP_SOURCE_SEEK_WRITE, ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, -1);
    case ZIP_SOURCE_STAT:
        zip_stat_init(data);
        ((zip_stat_t *)data)->size = 0;
        ((zip_stat_t *)data)->valid = ZIP_STAT_SIZE;
        return sizeof(zip_stat_t);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&w->file_error, data, n_bytes);
    case ZIP_SOURCE_WRITE:
        return put(w, data, n_bytes, &w->file_error);
    case ZIP_SOURCE_SEEK_WRITE:
        return seek(w, data, n_bytes, &w->file_error);
    case ZIP_SOURCE_TELL_WRITE:
        return (zip_int64_t)w->at;
    case ZIP_SOURCE_BEGIN_WRITE:
        w->at = 0;
        return 0;
    default:
        return 0; /* nothing is read, and whose file it is the library decides */
    }
}

/* --- members, as libzip reads them ---------------------------------------------------------- */

/* The message at hand brings the next chunks of this member. */
static hr_status take_message(struct npz_writer *w, struct npz_member *m, hr_error *err) {
    const struct hr__helper_message *now = &w->message;
    uint64_t n_bytes = now->type == HR__HELPER_WRITE && now->first == m->next
                           ? hr__chunks_bytes(&m->chunks, now->first, now->n)
                           : 0;
    if (n_bytes == 0 || n_bytes > w->slot_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "chunks that are not the next ones were sent");
    m->next += now->n;
    w->bytes = w->shared + now->slot * w->slot_bytes;
    w->left = n_bytes;
    return HR_OK;
}

static zip_int64_t read_member(struct npz_member *m, uint8_t *to, uint64_t n_bytes) {
    struct npz_writer *w = m->writer;
    uint64_t done = 0;
    while (done < n_bytes && (w->left > 0 || m->next < m->chunks.count)) {
        hr_status st = HR_OK;
        if (w->left == 0 && w->bytes != NULL)
            st = w->next(w->arg, &w->message, &w->failure);
        if (st == HR_OK && w->left == 0)
            st = take_message(w, m, &w->failure);
        if (st != HR_OK)
            return -1;
        uint64_t take = hr__min_u64(w->left, n_bytes - done);
        memcpy(to + done, w->bytes, (size_t)take);
        w->bytes += take;
        w->left -= take;
        done += take;
    }
    return (zip_int64_t)done;
}

static zip_int64_t member_callback(void *arg, void *data, zip_uint64_t n_bytes,
                                   zip_source_cmd_t command) {
    struct npz_member *m = arg;
    int codes[2] = {ZIP_ER_READ, 0};
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              -1);
    case ZIP_SOURCE_STAT: {
        zip_stat_t *s = data;
        zip_stat_init(s);
        s->size = hr__chunks_bytes(&m->chunks, 0, m->chunks.count);
        s->mtime = OLDEST_TIME;
        s->valid = ZIP_STAT_SIZE | ZIP_STAT_MTIME;
        return sizeof *s;
    }
    case ZIP_SOURCE_READ:
        return read_member(m, data, n_bytes);
    case ZIP_SOURCE_ERROR:
        memcpy(data, codes, sizeof codes);
        return sizeof codes;
    default:
        return 0;
    }
}

/* --- the archive ---------------------------------------------------------------------------- */

static hr_status zip_failed(zip_error_t *e, const char *what, hr_error *err) {
    int os_errno = zip_error_code_system(e);
    if (zip_error_code_zip(e) == ZIP_ER_MEMORY)
        return hr__error_set(err, HR_ERR_HELPER,
                             "%s: the helper's memory limit does not suffice; allow it more", what);
    if (os_errno == EFBIG)
        return hr__error_set(err, HR_ERR_IO, "%s: files may not be so large (ulimit -f)", what);
    if (zip_error_system_type(e) == ZIP_ET_SYS && os_errno != 0)
        return hr__error_os(err, os_errno, "%s", what);
    return hr__error_set(err, HR_ERR_IO, "%s: libzip says: %s", what, zip_error_strerror(e));
}

hr_status npz_writer_open(struct npz_writer *w, const char *path, uint32_t level,
                          const uint8_t *shared, uint64_t slot_bytes, hr_error *err) {
    zip_error_t e;
    w->level = level;
    w->shared = shared;
    w->slot_bytes = slot_bytes;
    w->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (w->fd < 0)
        return hr__error_os(err, errno, "cannot be written");
    zip_error_init(&e);
    zip_source_t *source = zip_source_function_create(file_callback, w, &e);
    if (source != NULL)
        w->zip = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &e);
    hr_status st = w->zip != NULL ? HR_OK : zip_failed(&e, "the archive cannot be begun", err);
    zip_error_fini(&e);
    return st;
}

static hr_status add_member(struct npz_writer *w, struct npz_member *m, hr_error *err) {
    zip_source_t *source = zip_source_function(w->zip, member_callback, m);
    zip_int64_t index =
        source != NULL ? zip_file_add(w->zip, m->name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (source != NULL && index < 0)
        zip_source_free(source);
    int32_t method = w->level > 0 ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
    if (index < 0 || zip_set_file_compression(w->zip, (zip_uint64_t)index, method, w->level) != 0)
        return zip_failed(zip_get_error(w->zip), "an array cannot be added to the archive", err);
    return HR_OK;
}

hr_status npz_writer_member(struct npz_writer *w, const struct hr__helper_field *f, hr_error *err) {
    if (w->zip == NULL || w->bytes != NULL)
        return hr__error_set(err, HR_ERR_INVALID, "an array comes after the first bytes");
    struct npz_member *m = calloc(1, sizeof *m);
    struct npz_member **grown = realloc(w->members, (w->num_members + 1) * sizeof(void *));
    if (grown != NULL)
        w->members = grown;
    if (m != NULL)
        m->name = strdup(f->member);
    if (m == NULL || grown == NULL || m->name == NULL) {
        if (m != NULL)
            free(m->name);
        free(m);
        return hr__error_no_memory(err, sizeof *m, "an array of the archive");
    }
    m->writer = w;
    hr__chunks_make(f, &m->chunks);
    w->members[w->num_members++] = m;
    return add_member(w, m, err);
}

hr_status npz_writer_write(struct npz_writer *w, const struct hr__helper_message *m, npz_next next,
                           void *arg, hr_error *err) {
    if (w->num_members == 0 || w->bytes != NULL)
        return hr__error_set(err, HR_ERR_INVALID, "chunks of no array were sent");
    w->message = *m;
    w->next = next;
    w->arg = arg;
    hr_status st = take_message(w, w->members[0], err);
    if (st != HR_OK)
        return st;
    if (zip_close(w->zip) == 0) {
        w->zip = NULL;
        w->complete = true;
        return HR_OK;
    }
    if (w->failure.status == HR_OK)
        return zip_failed(zip_get_error(w->zip), "the archive cannot be written", err);
    *err = w->failure;
    return err->status;
}

hr_status npz_writer_finish(struct npz_writer *w, hr_error *err) {
    if (!w->complete)
        return hr__error_set(err, HR_ERR_INVALID, "the archive is ended before it is complete");
    return close(w->fd) == 0 ? HR_OK : hr__error_os(err, errno, "the archive cannot be completed");
}
