/*
 * A loader's state in a file.
 */
#include "state_file.h"

#include "exit_codes.h"
#include "report.h"
#include "whole_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int state_file_read(const char *command, const char *path, void *out, size_t room, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return report_failure(command, "%s: %s", path, strerror(errno));
    }
    *bytes = fread(out, 1, room, file);
    const bool failed = ferror(file) != 0;
    const bool more = !failed && fgetc(file) != EOF;
    fclose(file);
    if (failed) {
        return report_failure(command, "%s: reading failed: %s", path, strerror(errno));
    }
    if (more) {
        report_failure(command,
                       "%s is no saved state: it is longer than one; give a file that "
                       "--save-state made",
                       path);
        return EXIT_DAMAGED;
    }
    return EXIT_DONE;
}

bool state_file_write(const char *command, const char *path, const void *state, size_t bytes) {
    whole_file f;
    const bool good = whole_file_open(&f, path) && fwrite(state, 1, bytes, f.file) == bytes &&
                      whole_file_finish(&f);
    whole_file_close(&f);
    if (!good) {
        report_failure(command, "%s: the state could not be saved: %s", path, strerror(errno));
    }
    return good;
}
