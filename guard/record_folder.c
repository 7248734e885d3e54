/*
 * The folder of records. Everything in it is untrusted: names, kinds of files, sizes and contents.
 */
#define _GNU_SOURCE
#include "record_folder.h"

#include "error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_GUARDS   64u /* of one process */
#define MOST_DEAD     16u /* records that stay */
#define OLD_NS        (INT64_C(7) * 24 * 3600 * 1000000000)
#define FRESH_NS      (INT64_C(60) * 1000000000)
#define WRITTEN       ".box"
#define TOLD          ".told"
#define PREFIX_FORMAT "run-%.8s-%" PRIu64 "-%" PRIu64 "-"

static int64_t unix_now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void name_prefix(const struct hr__process_id *id, char out[HR__RECORD_NAME_BYTES]) {
    snprintf(out, HR__RECORD_NAME_BYTES, PREFIX_FORMAT,
             id->boot_id[0] != 0 ? id->boot_id : "unknown", id->pid, id->start_ticks);
}

/* ---- writing ---- */

hr_status hr__record_write(int fd, const uint8_t page[HR__RECORD_BYTES], const char *path,
                           hr_error *err) {
    const ssize_t n = pwrite(fd, page, HR__RECORD_BYTES, 0);
    if (n == (ssize_t)HR__RECORD_BYTES)
        return HR_OK;
    return hr__error_os(err, n < 0 ? errno : ENOSPC,
                        "%s: the record cannot be written (4 KiB); free some space, or name "
                        "another folder",
                        path);
}

/* A POSIX lock: a child that is forked does not have it. Where there are no locks, none is needed
 * to write. */
static void lock_all(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)fcntl(fd, F_SETLK, &lock);
}

/* An own name; of several guards the first that is free. -1: errno. */
static int create_file(const char *folder, const struct hr__process_id *id, char path[PATH_MAX]) {
    char prefix[HR__RECORD_NAME_BYTES];
    name_prefix(id, prefix);
    for (uint32_t i = 0; i < MOST_GUARDS; i++) {
        if (snprintf(path, PATH_MAX, "%s/%s%u" WRITTEN, folder, prefix, i) >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

hr_status hr__record_create(const char *folder, const struct hr__process_id *id,
                            const uint8_t page[HR__RECORD_BYTES], int *fd, char *path,
                            hr_error *err) {
    char whole[PATH_MAX]; /* the process may change its working directory */
    *fd = -1;
    if ((mkdir(folder, 0777) != 0 && errno != EEXIST) || realpath(folder, whole) == NULL)
        return hr__error_os(err, errno,
                            "%s: the folder for records cannot be made; name another one "
                            "(record_folder, $HEADRACE_STATE_DIR), or none",
                            folder);
    *fd = create_file(whole, id, path);
    if (*fd < 0)
        return hr__error_os(err, errno,
                            "%s: no record can be made here; name another folder (record_folder, "
                            "$HEADRACE_STATE_DIR), or none",
                            folder);
    lock_all(*fd);
    hr_status st = hr__record_write(*fd, page, path, err);
    if (st != HR_OK) {
        unlink(path);
        close(*fd);
        *fd = -1;
    }
    return st;
}

/* ---- names ---- */

/* Skips digits, one at least, and the character behind them. */
static const char *skip_number(const char *text, char behind) {
    const size_t n = strspn(text, "0123456789");
    return n > 0 && text[n] == behind ? text + n + 1 : NULL;
}

/* A name as hr__record_create() or hr__record_mark_told() makes them. */
static bool is_record_name(const char *name, bool *told) {
    if (strlen(name) >= HR__RECORD_NAME_BYTES || strncmp(name, "run-", 4) != 0)
        return false;
    const char *at = strchr(name + 4, '-');
    at = at != NULL && at - name <= 12 ? skip_number(at + 1, '-') : NULL;
    at = at != NULL ? skip_number(at, '-') : NULL;
    at = at != NULL ? skip_number(at, '.') : NULL;
    if (at == NULL)
        return false;
    *told = strcmp(at - 1, TOLD) == 0;
    return *told || strcmp(at - 1, WRITTEN) == 0;
}

/* ---- reading ---- */

/* Somebody holds the lock. */
static bool is_locked(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Whoever holds the lock lives. A process of this boot and name space can be looked for besides; of
 * another machine that shares the folder locks may not reach here. */
static bool is_gone(int fd, const struct hr__record *r, const struct hr__process_id *self) {
    const bool same_boot = strcmp(r->id.boot_id, self->boot_id) == 0;
    const int64_t now_ns = unix_now_ns();
    if (is_locked(fd))
        return false;
    if (same_boot)
        return r->id.pid_space != self->pid_space || !hr__process_runs(&r->id);
    return now_ns < FRESH_NS || r->written_unix_ns < (uint64_t)(now_ns - FRESH_NS);
}

/* Not for own records: to close a file gives up its lock. */
static bool read_record(int folder_fd, const char *name, const struct hr__process_id *self,
                        struct hr__record *out, bool *gone) {
    uint8_t page[HR__RECORD_BYTES];
    struct stat st;
    bool good = false;
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == HR__RECORD_BYTES &&
        pread(fd, page, sizeof(page), 0) == (ssize_t)sizeof(page) && hr__record_decode(page, out)) {
        good = true;
        *gone = is_gone(fd, out, self);
    }
    close(fd);
    return good;
}

/* The next record that is not of this process; NULL: there is no more. */
static const char *next_name(DIR *d, const struct hr__process_id *self, bool *told) {
    char own[HR__RECORD_NAME_BYTES];
    name_prefix(self, own);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (is_record_name(e->d_name, told) && strncmp(e->d_name, own, strlen(own)) != 0)
            return e->d_name;
    return NULL;
}

hr_status hr__record_newest(const char *folder, const struct hr__process_id *self,
                            struct hr__found_record *out, hr_error *err) {
    struct hr__record r;
    const char *name;
    bool told, gone, found = false;
    DIR *d = opendir(folder);
    if (d == NULL)
        return hr__error_os(err, errno,
                            "%s: no record can be read here; name the folder that the guard "
                            "was given",
                            folder);
    while ((name = next_name(d, self, &told)) != NULL) {
        if (!read_record(dirfd(d), name, self, &r, &gone) || !gone || r.ended != 0 ||
            (found && r.written_unix_ns <= out->record.written_unix_ns))
            continue;
        out->record = r;
        out->told = told;
        snprintf(out->name, sizeof(out->name), "%s", name);
        found = true;
    }
    closedir(d);
    if (found)
        return HR_OK;
    return hr__error_set(err, HR_ERR_NOT_FOUND,
                         "%s: no record of a process that ended without closing its guard", folder);
}

bool hr__record_mark_told(const char *folder, char name[HR__RECORD_NAME_BYTES]) {
    char from[PATH_MAX], to[PATH_MAX], told[HR__RECORD_NAME_BYTES];
    const size_t stem = strlen(name) - (sizeof(WRITTEN) - 1);
    if (snprintf(told, sizeof(told), "%.*s" TOLD, (int)stem, name) >= (int)sizeof(told) ||
        snprintf(from, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX ||
        snprintf(to, PATH_MAX, "%s/%s", folder, told) >= PATH_MAX || rename(from, to) != 0)
        return false;
    strcpy(name, told);
    return true;
}

/* ---- cleaning ---- */

/* One pass: removes what is old, and tells which is the oldest that stays. How many stay. */
static uint32_t clean_pass(DIR *d, const struct hr__process_id *self,
                           char oldest[HR__RECORD_NAME_BYTES]) {
    struct hr__record r;
    struct stat st;
    const char *name;
    int64_t oldest_ns = INT64_MAX;
    uint32_t dead = 0;
    bool told, gone;
    rewinddir(d);
    while ((name = next_name(d, self, &told)) != NULL) {
        if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (read_record(dirfd(d), name, self, &r, &gone) && !gone)
            continue;
        const int64_t at_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        if (unix_now_ns() - at_ns > OLD_NS && unlinkat(dirfd(d), name, 0) == 0)
            continue;
        dead++;
        if (at_ns < oldest_ns) {
            oldest_ns = at_ns;
            snprintf(oldest, HR__RECORD_NAME_BYTES, "%s", name);
        }
    }
    return dead;
}

void hr__records_clean(const char *folder, const struct hr__process_id *self) {
    char oldest[HR__RECORD_NAME_BYTES];
    DIR *d = opendir(folder);
    if (d == NULL)
        return;
    while (clean_pass(d, self, oldest) > MOST_DEAD && unlinkat(dirfd(d), oldest, 0) == 0)
        ;
    closedir(d);
}
