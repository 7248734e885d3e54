/*
 * Sample indices as an int64 .npy file. The length stands in the header, which has a fixed size and
 * is written twice: at first, and when the length is known.
 */
#define _GNU_SOURCE
#include "index_file.h"

#include "report.h"

#include <errno.h>
#include <inttypes.h>
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
    FILE *file = f->whole.file;
    return fseeko(file, 0, SEEK_SET) == 0 && fwrite(header, HEADER_BYTES, 1, file) == 1;
}

static bool failed(const char *path, const char *command) {
    report_failure(command, "%s: the index could not be written: %s", path, strerror(errno));
    return false;
}

bool index_file_open(index_file *f, const char *command, const char *path, bool replace) {
    *f = (index_file){0};
    if (!replace && access(path, F_OK) == 0) {
        report_failure(command, "%s exists already; --force replaces it", path);
        return false;
    }
    return (whole_file_open(&f->whole, path) && write_header(f)) || failed(path, command);
}

bool index_file_add(index_file *f, const char *command, const uint64_t *indices, size_t count) {
    /* Indices are below 2^53: the same bytes as int64. */
    f->count += count;
    return fwrite(indices, sizeof *indices, count, f->whole.file) == count ||
           failed(f->whole.path, command);
}

bool index_file_finish(index_file *f, const char *command) {
    const char *path = f->whole.path;
    return (write_header(f) && whole_file_finish(&f->whole)) || failed(path, command);
}

void index_file_close(index_file *f) {
    whole_file_close(&f->whole);
}
