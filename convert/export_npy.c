/*
 * Fields as .npy files, each written as .partial and renamed when complete.
 */
#define _GNU_SOURCE
#include "error.h"
#include "export_job.h"
#include "file.h"
#include "npy_header.h"
#include "partial_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct hr__export_sink {
    const struct hr__export_job *job;
    struct hr__partial_file partial; /* of the field at hand */
    uint64_t off;
    bool made_folder, finished;
};

static bool replaces(const struct hr__export_job *job) {
    return (job->opts.flags & HR_CONVERT_REPLACE) != 0;
}

static hr_status name_file(const struct hr__export_job *job, uint32_t i, hr_error *err) {
    struct hr__export_item *item = &job->items[i];
    item->path = hr__export_path(job->opts.path, item->info.name);
    if (item->path == NULL)
        return hr__error_no_memory(err, strlen(item->info.name), "the name of a file");
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(job->items[k].path, item->path) == 0)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "the fields %s and %s would both become %s; export them one by "
                                 "one, to different folders",
                                 job->items[k].info.name, item->info.name, item->path);
    return HR_OK;
}

/* Before anything is written: half of the files would be of no use. */
static hr_status check_targets(const struct hr__export_job *job, bool *made_folder, hr_error *err) {
    const struct hr__folder_ops *ops = &hr__posix_folder;
    *made_folder = mkdir(job->opts.path, 0777) == 0;
    if (!*made_folder && errno != EEXIST)
        return hr__error_os(err, errno, "the folder %s cannot be made", job->opts.path);
    struct stat there;
    if (!*made_folder && stat(job->opts.path, &there) == 0 && !S_ISDIR(there.st_mode))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is a file, and a folder is needed for .npy files; give another "
                             "name, or one that ends with .npz or .h5",
                             job->opts.path);
    for (uint32_t i = 0; i < job->num_items; i++)
        if (!replaces(job) && ops->exists(ops->ctx, job->items[i].path))
            return hr__error_set(err, HR_ERR_EXISTS,
                                 "%s exists; give another folder, or ask for it to be replaced",
                                 job->items[i].path);
    return HR_OK;
}

static hr_status npy_open(struct hr__export_job *job, struct hr__export_sink **out, hr_error *err) {
    hr_status st = HR_OK;
    *out = NULL;
    for (uint32_t i = 0; i < job->num_items; i++)
        HR_TRY(name_file(job, i, err));
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return hr__error_no_memory(err, sizeof **out, "an export");
    (*out)->job = job;
    st = check_targets(job, &(*out)->made_folder, err);
done:
    return st;
}

static hr_status npy_write(struct hr__export_sink *s, const uint8_t *bytes, uint64_t n_bytes,
                           hr_error *err) {
    hr_status st = hr__file_write_all(&s->partial.file, bytes, (size_t)n_bytes, s->off, err);
    s->off += n_bytes;
    return st;
}

static hr_status npy_begin(struct hr__export_sink *s, const struct hr__export_item *item,
                           hr_error *err) {
    uint8_t header[2048];
    hr_status st;
    s->off = 0;
    if (item->info.dtype == HR_BFLOAT16)
        hr__export_note(s->job,
                        "field %s is bfloat16, which .npy cannot name: %s holds its bits as uint16",
                        item->info.name, item->path);
    HR_TRY(
        hr__partial_file_open(&hr__posix_folder, item->path, replaces(s->job), &s->partial, err));
    HR_TRY(hr__partial_file_empty(&s->partial, err));
    size_t n_bytes = hr__npy_header_print(item->type.descr, s->job->num_samples, item->info.shape,
                                          item->info.rank, header, sizeof header);
    st = npy_write(s, header, n_bytes, err);
done:
    return st;
}

static hr_status npy_end(struct hr__export_sink *s, hr_error *err) {
    hr_status st = hr__partial_file_complete(&s->partial, replaces(s->job), err);
    hr__partial_file_close(&s->partial);
    return st;
}

static hr_status npy_finish(struct hr__export_sink *s, hr_error *err) {
    (void)err;
    s->finished = true; /* each file is complete already */
    return HR_OK;
}

static void npy_close(struct hr__export_sink *s) {
    if (s == NULL)
        return;
    hr__partial_file_close(&s->partial); /* removes it unless it is complete */
    if (s->made_folder && !s->finished)
        (void)rmdir(s->job->opts.path); /* where no file is in it */
    free(s);
}

const struct hr__export_sink_ops hr__export_to_npy = {
    .ucs4 = true,
    .open = npy_open,
    .begin = npy_begin,
    .write = npy_write,
    .end = npy_end,
    .finish = npy_finish,
    .close = npy_close,
};
