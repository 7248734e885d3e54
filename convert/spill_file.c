/*
 * Temporary files.
 */
#include "spill_file.h"

#include "error.h"
#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only a process that ended between making the file and unlinking it leaves one, and it is empty.
 */
static hr_status remove_leftover(const struct hr__folder_ops *folder, const char *path,
                                 const char *purpose, hr_error *err) {
    struct hr__file left = {0};
    int rc = folder->open(folder->ctx, path, O_RDONLY, &left);
    if (rc != 0)
        return hr__error_os(
            err, -rc, "%s, the name of a temporary file, cannot be looked at; move it away", path);
    const int64_t size = left.ops->size(left.ctx);
    hr__file_close(&left);
    if (size != 0)
        return hr__error_set(err, HR_ERR_EXISTS,
                             "%s is in the way of the temporary file that %s needs; move it away",
                             path, purpose);
    rc = folder->unlink(folder->ctx, path);
    return rc == 0
               ? HR_OK
               : hr__error_os(err, -rc,
                              "%s, left empty by another conversion, cannot be removed; remove it",
                              path);
}

static hr_status make(const struct hr__folder_ops *folder, const char *path, const char *purpose,
                      struct hr__file *out, hr_error *err) {
    int rc = folder->open(folder->ctx, path, O_RDWR | O_CREAT | O_EXCL, out);
    if (rc == -EEXIST) {
        const hr_status st = remove_leftover(folder, path, purpose, err);
        if (st != HR_OK)
            return st;
        rc = folder->open(folder->ctx, path, O_RDWR | O_CREAT | O_EXCL, out);
    }
    if (rc != 0)
        return hr__error_os(
            err, -rc,
            "%s, a temporary file for %s, cannot be made; choose a folder that can be written to",
            path, purpose);
    rc = folder->unlink(folder->ctx, path);
    if (rc == 0)
        return HR_OK;
    hr__file_close(out);
    return hr__error_os(err, -rc, "%s, a temporary file for %s, cannot be unlinked; remove it",
                        path, purpose);
}

hr_status hr__spill_file_open(const struct hr__folder_ops *folder, const char *output,
                              const struct hr__spill_use *use, uint64_t needed_bytes,
                              struct hr__file *out, hr_error *err) {
    const size_t n = strlen(output) + strlen(use->suffix);
    char *path = malloc(n + 1);
    *out = (struct hr__file){0};
    if (path == NULL)
        return hr__error_no_memory(err, n, "the name of a temporary file");
    (void)snprintf(path, n + 1, "%s%s", output, use->suffix);
    hr_status st = hr__space_check_spill(path, use->purpose, needed_bytes, err);
    if (st == HR_OK)
        st = make(folder, path, use->purpose, out, err);
    free(path);
    return st;
}

hr_status hr__spill_file_read(const struct hr__file *f, void *buf, size_t n_bytes, uint64_t off,
                              hr_error *err) {
    const int64_t n = f->ops->read(f->ctx, buf, n_bytes, off);
    if (n < 0)
        return hr__error_os(
            err, (int)-n,
            "%s: reading %zu bytes at %llu of the temporary file failed; check the disk, "
            "then convert again",
            f->path, n_bytes, (unsigned long long)off);
    return (size_t)n == n_bytes ? HR_OK : hr__spill_file_damaged(f, off + (uint64_t)n, err);
}

hr_status hr__spill_file_damaged(const struct hr__file *f, uint64_t off, hr_error *err) {
    return hr__error_at(err, HR_ERR_CORRUPT, off,
                        "%s: at %llu the temporary file does not hold what was written to it; "
                        "check the disk and the memory, then convert again",
                        f->path, (unsigned long long)off);
}
