/*
 * Opening a data set to append to it.
 */
#define _GNU_SOURCE
#include "append_base.h"

#include "budget.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_ATTEMPTS 100

static hr_status lock(const struct hr__file *file, hr_error *err) {
    const int rc = file->ops->lock(file->ctx);
    if (rc == -EAGAIN || rc == -EACCES)
        return hr__error_set(err, HR_ERR_BUSY,
                             "another writer is at work on %s: wait for it, then append again",
                             file->path);
    return rc == 0 ? HR_OK : hr__error_os(err, -rc, "cannot lock %s", file->path);
}

static hr_status open_and_lock(struct hr__partial_file *p, hr_error *err) {
    const int rc = p->folder->open(p->folder->ctx, p->path, O_RDWR, &p->file);
    if (rc == -ENOENT)
        return hr__error_os(err, ENOENT,
                            "%s is not there to be appended to: name a data set that is, or make "
                            "it without append",
                            p->path);
    if (rc != 0)
        return hr__error_os(err, -rc, "cannot open %s to append to it", p->path);
    return lock(&p->file, err);
}

/* A compact copy takes the place of the file, not of a link to it. */
static char *resolve(const struct hr__folder_ops *folder, const char *path) {
    struct stat st;
    if (folder != &hr__posix_folder || lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
        return strdup(path);
    char *file = realpath(path, NULL);
    return file != NULL || errno == ENOMEM ? file : strdup(path);
}

hr_status hr__append_open(const struct hr__folder_ops *folder, const char *path,
                          struct hr__partial_file *out, hr_error *err) {
    hr_status st;
    *out = (struct hr__partial_file){.folder = folder};
    out->in_use = true;
    out->target = resolve(folder, path);
    out->path = out->target != NULL ? strdup(out->target) : NULL;
    if (out->path == NULL)
        return hr__error_no_memory(err, strlen(path), "a path");
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        HR_TRY(open_and_lock(out, err));
        if (hr__partial_file_has_name(out))
            return HR_OK;
        hr__file_close(&out->file);
    }
    st = hr__error_set(err, HR_ERR_BUSY, "%s is replaced again and again by other writers", path);
done:
    return st;
}

/* ---- the commit ---- */

static hr_status check_features(const uint8_t *page, hr_error *err) {
    const char *name = NULL;
    size_t n = 0;
    if (hr__superblock_optional_known(page, &name, &n))
        return HR_OK;
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "it has the feature \"%.*s\", which this version (%s) does not know, so "
                         "it cannot append; use a newer Headrace",
                         (int)n, name, hr_version());
}

static hr_status load_superblock(const struct hr__file *file, struct hr__append_base *out,
                                 hr_error *err) {
    uint8_t slots[2][HR__PAGE_BYTES];
    int chosen = 0;
    hr_status st;
    const int64_t size = file->ops->size(file->ctx);
    if (size < 0)
        return hr__error_os(err, (int)-size, "cannot tell its size");
    HR_TRY(hr__file_read_exact(file, slots[0], HR__PAGE_BYTES, 0, err));
    HR_TRY(hr__file_read_exact(file, slots[1], HR__PAGE_BYTES, HR__SLOT1_OFF, err));
    HR_TRY(hr__superblock_choose(slots[0], slots[1], &chosen, err));
    memcpy(out->page, slots[chosen], HR__PAGE_BYTES);
    out->other_off = chosen == 0 ? HR__SLOT1_OFF : 0;
    out->slots_equal = memcmp(slots[0], slots[1], HR__PAGE_BYTES) == 0;
    HR_TRY(hr__superblock_decode(out->page, &out->superblock, err));
    if (out->superblock.commit_seq == UINT64_MAX)
        HR_TRY(hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "its commit number is the last there is; convert the file anew, then "
                             "append"));
    HR_TRY(check_features(out->page, err));
    if (out->superblock.file_bytes > (uint64_t)size)
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "truncated: %lld bytes, the superblock says %llu; copy the file again",
                           (long long)size, (unsigned long long)out->superblock.file_bytes);
    out->has_tail = (uint64_t)size > out->superblock.file_bytes;
done:
    return st;
}

static hr_status load_footer(const struct hr__file *file, struct hr__budget *budget,
                             struct hr__append_base *out, hr_error *err) {
    const struct hr__superblock *sb = &out->superblock;
    const size_t n_bytes = (size_t)sb->footer_bytes;
    hr_status st = HR_OK;
    uint8_t *bytes = hr__budget_take(budget, n_bytes, "the footer", &st, err);
    if (bytes == NULL)
        return st;
    HR_TRY(hr__file_read_exact(file, bytes, n_bytes, sb->footer_off, err));
    HR_TRY(hr__budget_reserve(budget, hr__footer_decode_bytes(bytes, n_bytes), "the schema", err));
    HR_TRY(hr__footer_decode(bytes, n_bytes, sb, &out->footer, err));
    out->held_bytes = n_bytes + hr__footer_decode_bytes(bytes, n_bytes);
done:
    hr__budget_free(budget, bytes, n_bytes);
    return st;
}

hr_status hr__append_base_load(const struct hr__file *file, uint64_t budget_bytes,
                               struct hr__append_base *out, hr_error *err) {
    struct hr__budget budget;
    hr_error local = {.status = HR_OK};
    hr_error *e = err != NULL ? err : &local;
    *out = (struct hr__append_base){0};
    hr__budget_init(&budget, budget_bytes);
    hr_status st = load_superblock(file, out, e);
    if (st == HR_OK)
        st = load_footer(file, &budget, out, e);
    hr__budget_close(&budget);
    if (st != HR_OK)
        hr__error_name_file(e, file->path);
    return st;
}

hr_status hr__append_base_settle(const struct hr__append_base *base, const struct hr__file *file,
                                 hr_error *err) {
    hr_status st = HR_OK;
    if (!base->slots_equal) {
        HR_TRY(hr__file_write_all(file, base->page, HR__PAGE_BYTES, base->other_off, err));
        HR_TRY(hr__file_sync(file, err));
    }
    if (base->has_tail) {
        const int rc = file->ops->truncate(file->ctx, base->superblock.file_bytes);
        if (rc != 0)
            st = hr__error_os(err, -rc, "%s: cannot cut it to %llu bytes", file->path,
                              (unsigned long long)base->superblock.file_bytes);
    }
done:
    return st;
}

void hr__append_base_free(struct hr__append_base *base) {
    hr__footer_free(&base->footer);
}
