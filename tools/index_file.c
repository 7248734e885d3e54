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
