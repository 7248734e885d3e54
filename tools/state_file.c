/*
 * A loader's state in a file. A state that is being replaced is there, old or new, at any instant.
 */
#define _GNU_SOURCE
#include "state_file.h"

#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool state_file_read(const char *command, const char *path, void *out, size_t room, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        report_failure(command, "%s: %s", path, strerror(errno));
        return false;
    }
    *bytes = fread(out, 1, room, file);
    const bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) {
        report_failure(command, "%s: reading failed: %s", path, strerror(errno));
    }
    return !failed;
}

static bool write_whole(const char *path, const void *state, size_t bytes) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return false;
    }
    bool good = fwrite(state, 1, bytes, file) == bytes && fflush(file) == 0;
    good = good && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && good;
}

bool state_file_write(const char *command, const char *path, const void *state, size_t bytes) {
    char *partial = NULL;
    if (asprintf(&partial, "%s.partial", path) < 0) {
        report_failure(command, "not enough memory");
        return false;
    }
    const bool good = write_whole(partial, state, bytes) && rename(partial, path) == 0;
    if (!good) {
        report_failure(command, "%s: the state could not be saved: %s", path, strerror(errno));
        unlink(partial);
    }
    free(partial);
    return good;
}
