/*
 * Archives, and whether their members can be read. All that an archive says is untrusted.
 */
#define _GNU_SOURCE
#include "npz.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_RATIO 1032u /* deflate makes no more of a byte */

bool npz_is_archive(const char *path) {
    char magic[4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = pread(fd, magic, sizeof magic, 0);
    (void)close(fd);
    return n == (ssize_t)sizeof magic &&
           (memcmp(magic, "PK\3\4", 4) == 0 || memcmp(magic, "PK\5\6", 4) == 0);
}

hr_status npz_error(zip_error_t *e, const char *what, hr_error *err) {
    int code = zip_error_code_zip(e);
    if (code == ZIP_ER_MEMORY)
        return hr__error_set(err, HR_ERR_HELPER,
                             "%s: the helper's memory limit does not suffice; raise it, unless the "
                             "file is damaged",
                             what);
    if (zip_error_system_type(e) == ZIP_ET_SYS && zip_error_code_system(e) != 0)
        return hr__error_os(err, zip_error_code_system(e), "%s", what);
    if (code == ZIP_ER_CRC)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "%s: its bytes do not have the checksum that the archive says; copy "
                             "or save it again",
                             what);
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "%s: the archive is damaged or cut off (libzip says: %s); check it with "
                         "unzip -t, copy or save it again",
                         what, zip_error_strerror(e));
}

hr_status npz_archive_open(struct npz_archive *a, const char *path, hr_error *err) {
    struct stat s;
    int code = 0;
    *a = (struct npz_archive){0};
    if (stat(path, &s) != 0)
        return hr__error_os(err, errno, "cannot open the file");
    a->file_bytes = (uint64_t)s.st_size;
    a->zip = zip_open(path, ZIP_RDONLY, &code);
    if (a->zip != NULL)
        return HR_OK;
    zip_error_t e;
    zip_error_init_with_code(&e, code);
    hr_status st = npz_error(&e, "cannot be opened as .npz", err);
    zip_error_fini(&e);
    return st;
}

void npz_archive_close(struct npz_archive *a) {
    if (a->zip != NULL)
        zip_discard(a->zip);
    *a = (struct npz_archive){0};
}

static hr_status check_method(const zip_stat_t *s, hr_error *err) {
    if ((s->valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && s->encryption_method != ZIP_EM_NONE)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it is encrypted; unpack the archive and convert the .npy files");
    if (s->comp_method != ZIP_CM_STORE && s->comp_method != ZIP_CM_DEFLATE)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it is compressed by method %u of zip; stored and deflated (0 and 8, "
                             "as numpy.savez_compressed writes) can be read",
                             s->comp_method);
    return HR_OK;
}

/* A size that the member cannot have is refused at once, not after reading for hours. */
static hr_status check_sizes(const struct npz_archive *a, const zip_stat_t *s, hr_error *err) {
    bool stored = s->comp_method == ZIP_CM_STORE;
    if (s->comp_size <= a->file_bytes &&
        (stored ? s->size == s->comp_size : s->size / MAX_RATIO <= s->comp_size))
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "the archive is damaged: %llu bytes cannot have become %llu in a file of "
                         "%llu; copy or save it again",
                         (unsigned long long)s->size, (unsigned long long)s->comp_size,
                         (unsigned long long)a->file_bytes);
}

hr_status npz_archive_entry(const struct npz_archive *a, zip_uint64_t index, struct npz_entry *out,
                            hr_error *err) {
    const zip_uint64_t needed =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    zip_stat_t s;
    zip_stat_init(&s);
    if (zip_stat_index(a->zip, index, 0, &s) != 0)
        return npz_error(zip_get_error(a->zip), "a member cannot be described", err);
    if ((s.valid & needed) != needed)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "the archive is damaged: a member has no name, size or checksum");
    *out = (struct npz_entry){.index = index, .size_bytes = s.size, .name = s.name};
    hr_status st = check_method(&s, err);
    return st == HR_OK ? check_sizes(a, &s, err) : st;
}
