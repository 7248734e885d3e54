/*
 * Sample indices as an int64 .npy file. The length stands in the header, which has a fixed size and
 * is written twice: at first, and when the length is known.
 */
#define _GNU_SOURCE
#include "index_file.h"

#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_BYTES 128

static bool write_header(index_file *f) {
    char text[HEADER_BYTES - 9];
    const int n =
        snprintf(text, sizeof text,
                 "{'descr': '<i8', 'fortran_order': False, 'shape': (%" PRIu64 ",), }", f->count);
    unsigned char header[HEADER_BYTES] = "\x93NUMPY\x01\x00\x76";
    memset(header + 10, ' ', HEADER_BYTES - 11);
    memcpy(header + 10, text, (size_t)n);
    header[HEADER_BYTES - 1] = '\n';
    return fseeko(f->file, 0, SEEK_SET) == 0 && fwrite(header, HEADER_BYTES, 1, f->file) == 1;
}

static bool failed(const index_file *f, const char *command) {
    report_failure(command, "%s: the index could not be written: %s", f->path, strerror(errno));
    return false;
}

bool index_file_open(index_file *f, const char *command, const char *path, bool replace) {
    f->path = path;
    if (!replace && access(path, F_OK) == 0) {
        report_failure(command, "%s exists already; --force replaces it", path);
        return false;
    }
    if (asprintf(&f->partial, "%s.partial", path) < 0) {
        f->partial = NULL;
        return failed(f, command);
    }
    f->file = fopen(f->partial, "wb");
    return (f->file != NULL && write_header(f)) || failed(f, command);
}

bool index_file_add(index_file *f, const char *command, const uint64_t *indices, size_t count) {
    /* Indices are below 2^53: the same bytes as int64. */
    f->count += count;
    return fwrite(indices, sizeof *indices, count, f->file) == count || failed(f, command);
}

bool index_file_finish(index_file *f, const char *command) {
    bool good = write_header(f) && fflush(f->file) == 0;
    good = fclose(f->file) == 0 && good;
    f->file = NULL;
    return (good && rename(f->partial, f->path) == 0) || failed(f, command);
}

void index_file_close(index_file *f) {
    if (f->file != NULL) {
        fclose(f->file);
        unlink(f->partial);
    }
    free(f->partial);
    *f = (index_file){0};
}

/* ---- reading ---- */

#define MAX_HEADER_BYTES 65536u

/* The length of the header's text, which begins at *begin; 0: there is none. */
static size_t header_text(FILE *file, size_t *begin) {
    unsigned char head[12];
    if (fread(head, 1, 10, file) != 10 || memcmp(head, "\x93NUMPY", 6) != 0 || head[6] < 1 ||
        head[6] > 3) {
        return 0;
    }
    *begin = head[6] == 1 ? 10 : 12;
    if (head[6] > 1 && fread(head + 10, 1, 2, file) != 2) {
        return 0;
    }
    size_t n = head[8] + ((size_t)head[9] << 8);
    n += head[6] > 1 ? ((size_t)head[10] << 16) + ((size_t)head[11] << 24) : 0;
    return n <= MAX_HEADER_BYTES ? n : 0;
}

/* What stands behind a key of the header, which other text cannot contain; NULL: nothing. */
static const char *header_value(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at != NULL ? at + strlen(key) + strspn(at + strlen(key), " :") : NULL;
}

/* The header as numpy.save() writes it for one dimension of 64-bit integers. */
static bool read_header(FILE *file, uint64_t *count, size_t *begin) {
    char text[MAX_HEADER_BYTES + 1];
    const size_t n = header_text(file, begin);
    if (n == 0 || fread(text, 1, n, file) != n) {
        return false;
    }
    text[n] = '\0';
    *begin += n;
    const char *type = header_value(text, "'descr'"), *shape = header_value(text, "'shape'");
    if (type == NULL || shape == NULL ||
        (strncmp(type, "'<i8'", 5) != 0 && strncmp(type, "'<u8'", 5) != 0)) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    const bool digits = *shape == '(' && shape[1] >= '0' && shape[1] <= '9';
    *count = digits ? strtoull(shape + 1, &end, 10) : 0;
    return digits && errno == 0 && strncmp(end, ",)", 2) == 0;
}

/* Never more memory than the file has bytes. */
static uint64_t *read_values(FILE *file, uint64_t count, size_t begin) {
    if (fseeko(file, 0, SEEK_END) != 0) {
        return NULL;
    }
    const off_t size = ftello(file);
    if (size < (off_t)begin || count > ((uint64_t)size - begin) / sizeof(uint64_t) ||
        fseeko(file, (off_t)begin, SEEK_SET) != 0) {
        errno = EINVAL;
        return NULL;
    }
    uint64_t *values = malloc(count > 0 ? (size_t)count * sizeof *values : 1);
    if (values != NULL && fread(values, sizeof *values, (size_t)count, file) != count) {
        free(values);
        values = NULL;
    }
    return values;
}

bool index_file_read(const char *command, const char *path, uint64_t **out, uint64_t *count) {
    FILE *file = fopen(path, "rb");
    size_t begin = 0;
    *out = NULL;
    if (file == NULL) {
        report_failure(command, "%s: %s", path, strerror(errno));
        return false;
    }
    if (!read_header(file, count, &begin)) {
        report_failure(command,
                       "%s: expected a one-dimensional .npy file of int64, as "
                       "numpy.save(FILE, indices.astype('int64')) writes it",
                       path);
    } else {
        *out = read_values(file, *count, begin);
        if (*out == NULL) {
            report_failure(command, "%s: its %" PRIu64 " indices could not be read: %s", path,
                           *count, errno == EINVAL ? "it ends before them" : strerror(errno));
        }
    }
    fclose(file);
    return *out != NULL;
}
