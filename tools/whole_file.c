/*
 * Files that are renamed when they are complete.
 */
#define _GNU_SOURCE
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool whole_file_open(whole_file *f, const char *path) {
    struct stat there;
    *f = (whole_file){.path = path};
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        errno = EINVAL; /* a device or a pipe is not replaced */
        return false;
    }
    if (asprintf(&f->partial, "%s.partial", path) < 0) {
        f->partial = NULL;
        errno = ENOMEM;
        return false;
    }
    /* A link of that name leads to somebody else's file. */
    const int fd = open(f->partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    f->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (f->file == NULL && fd >= 0) {
        (void)close(fd);
    }
    return f->file != NULL;
}

bool whole_file_finish(whole_file *f) {
    const bool finished =
        fflush(f->file) == 0 && fsync(fileno(f->file)) == 0 && rename(f->partial, f->path) == 0;
    if (finished) {
        (void)fclose(f->file); /* all of it is on the disk */
        f->file = NULL;
    }
    whole_file_close(f);
    return finished;
}

void whole_file_close(whole_file *f) {
    const int why = errno;
    if (f->file != NULL) {
        (void)fclose(f->file);
        (void)unlink(f->partial);
    }
    free(f->partial);
    *f = (whole_file){0};
    errno = why;
}
