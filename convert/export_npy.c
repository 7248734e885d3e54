/*
 * hr_export_npy(): fields become .npy files, each written as .partial and renamed when complete.
 */
#define _GNU_SOURCE
#include "headrace/convert.h"

#include "budget.h"
#include "checked.h"
#include "clock.h"
#include "convert_options.h"
#include "cpu.h"
#include "error.h"
#include "export_values.h"
#include "file.h"
#include "npy_header.h"
#include "numpy_elements.h"
#include "parallel_read.h"
#include "partial_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TARGET_RANGE_BYTES (UINT64_C(4) << 20)
/* What hr_dataset_read() takes for itself: a thread more only where the budget has room for it. */
#define READ_BYTES  (UINT64_C(5) << 20)
#define PROGRESS_NS INT64_C(100000000)

struct item { /* one field that is exported */
    uint32_t field;
    hr_field info;
    struct hr__export_type type;
    char *path;
};

struct job {
    hr_dataset *ds;
    hr_export_options opts;
    uint64_t first, num_samples;
    uint32_t num_items;
    struct item *items;
    uint32_t samples_per_chunk;
    uint32_t num_threads;
    struct hr__budget budget;
    hr_progress progress;
    int64_t told_ns;
};

static hr_status choose_range(struct job *job, hr_error *err) {
    uint64_t total = hr_dataset_num_samples(job->ds);
    job->first = job->opts.first_sample;
    job->num_samples = job->opts.num_samples;
    if (job->first > total)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the export begins at sample %llu, the data set has %llu",
                             (unsigned long long)job->first, (unsigned long long)total);
    if (job->num_samples == 0)
        job->num_samples = total - job->first;
    if (job->num_samples > total - job->first)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%llu samples from sample %llu on are asked for, the data set has "
                             "%llu",
                             (unsigned long long)job->num_samples, (unsigned long long)job->first,
                             (unsigned long long)total);
    return HR_OK;
}

static hr_status add_item(struct job *job, uint32_t field, hr_error *err) {
    struct item *item = &job->items[job->num_items];
    hr_status st;
    item->field = field;
    HR_TRY(hr_dataset_field(job->ds, field, &item->info, err));
    HR_TRY(hr__export_type_make(&item->info, &item->type, err));
    item->path = hr__export_path(job->opts.folder, item->info.name);
    if (item->path == NULL) {
        st = hr__error_no_memory(err, strlen(item->info.name), "the name of a file");
        goto done;
    }
    for (uint32_t i = 0; i < job->num_items; i++)
        if (strcmp(job->items[i].path, item->path) == 0) {
            st = hr__error_set(err, HR_ERR_INVALID,
                               "the fields %s and %s would both become %s; export them one by one, "
                               "to different folders",
                               job->items[i].info.name, item->info.name, item->path);
            free(item->path);
            goto done;
        }
    job->num_items++;
    job->progress.total_bytes += job->num_samples * hr_dataset_sample_bytes(job->ds, field);
done:
    return st;
}

static hr_status choose_fields(struct job *job, hr_error *err) {
    bool all = job->opts.fields == NULL;
    uint32_t n = all ? hr_dataset_num_fields(job->ds) : job->opts.num_fields;
    hr_status st = HR_OK;
    job->items = calloc((size_t)n + 1, sizeof *job->items);
    if (job->items == NULL)
        return hr__error_no_memory(err, n * sizeof *job->items, "the fields to export");
    for (uint32_t i = 0; st == HR_OK && i < n; i++) {
        uint32_t field = i;
        if (!all)
            st = hr_dataset_find_field(job->ds, job->opts.fields[i], &field, err);
        if (st == HR_OK)
            st = add_item(job, field, err);
    }
    return st;
}

/* Before anything is written: half of the files would be of no use. */
static hr_status check_targets(const struct job *job, hr_error *err) {
    const struct hr__folder_ops *ops = &hr__posix_folder;
    if (mkdir(job->opts.folder, 0777) != 0 && errno != EEXIST)
        return hr__error_os(err, errno, "the folder %s cannot be made", job->opts.folder);
    for (uint32_t i = 0; i < job->num_items; i++)
        if ((job->opts.flags & HR_CONVERT_REPLACE) == 0 &&
            ops->exists(ops->ctx, job->items[i].path))
            return hr__error_set(err, HR_ERR_EXISTS,
                                 "%s exists; give another folder, or ask for it to be replaced",
                                 job->items[i].path);
    return HR_OK;
}

static hr_status tell_progress(struct job *job, bool now, hr_error *err) {
    int64_t time_ns = hr__now_ns();
    if (job->opts.on_progress == NULL ||
        (!now && job->told_ns != 0 && time_ns - job->told_ns < PROGRESS_NS))
        return HR_OK;
    job->told_ns = time_ns;
    if (job->opts.on_progress(job->opts.user, &job->progress) == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CANCELLED, "stopped; files that are complete are kept in %s",
                         job->opts.folder);
}

/* Samples read at once: whole chunks where they fit, so that each is decoded once. */
static uint64_t range_samples(const struct job *job, const struct item *item) {
    uint64_t per_sample =
        item->type.num_elements * (item->type.width_bytes + (uint64_t)item->type.item_bytes);
    uint64_t room = hr__min_u64(TARGET_RANGE_BYTES * 2, job->budget.limit_bytes);
    uint64_t samples = per_sample == 0 ? UINT64_C(1) << 20 : room / per_sample;
    if (samples > job->samples_per_chunk)
        samples -= samples % job->samples_per_chunk;
    return hr__min_u64(hr__max_u64(samples, 1), hr__max_u64(job->num_samples, 1));
}

static hr_status write_header(const struct job *job, const struct item *item,
                              const struct hr__file *file, uint64_t *off, hr_error *err) {
    uint8_t header[2048];
    *off = hr__npy_header_print(item->type.descr, job->num_samples, item->info.shape,
                                item->info.rank, header, sizeof header);
    return hr__file_write_all(file, header, (size_t)*off, 0, err);
}

/* One range: read, bring into NumPy's form, write. */
static hr_status copy_range(struct job *job, const struct item *item, const struct hr__file *file,
                            uint64_t first, uint64_t n, uint8_t *in, uint8_t *out, uint64_t off,
                            hr_error *err) {
    const struct hr__export_type *t = &item->type;
    size_t in_bytes = (size_t)(n * t->num_elements * t->width_bytes);
    hr_status st;
    HR_TRY(hr__parallel_read(job->ds, item->field, first, n, job->num_threads, in, err));
    if (t->text)
        HR_TRY(hr__utf8_to_ucs4(in, n * t->num_elements, t->width_bytes, t->num_chars, out, err));
    HR_TRY(hr__file_write_all(file, t->text ? out : in,
                              (size_t)(n * t->num_elements * t->item_bytes), off, err));
    job->progress.done_bytes += in_bytes;
    st = tell_progress(job, false, err);
done:
    return st;
}

static hr_status copy_samples(struct job *job, const struct item *item, const struct hr__file *file,
                              hr_error *err) {
    const struct hr__export_type *t = &item->type;
    uint64_t step = range_samples(job, item), off = 0, n = 0;
    size_t in_bytes = (size_t)(step * t->num_elements * t->width_bytes) + 1;
    size_t out_bytes = t->text ? (size_t)(step * t->num_elements * t->item_bytes) + 1 : 0;
    uint8_t *in = NULL, *out = NULL;
    hr_error refused = {.status = HR_ERR_NO_MEMORY};
    hr_status st;
    in = hr__budget_alloc(&job->budget, in_bytes, "a buffer for exporting", &refused);
    if (in != NULL && t->text)
        out = hr__budget_alloc(&job->budget, out_bytes, "a buffer for exporting", &refused);
    if (in == NULL || (t->text && out == NULL)) {
        st = refused.status;
        if (err != NULL)
            *err = refused;
        goto done;
    }
    HR_TRY(write_header(job, item, file, &off, err));
    for (uint64_t done = 0; done < job->num_samples; done += n) {
        uint64_t at = job->first + done;
        n = hr__min_u64(step - at % step, job->num_samples - done);
        HR_TRY(copy_range(job, item, file, at, n, in, out, off, err));
        off += n * t->num_elements * t->item_bytes;
    }
done:
    hr__budget_free(&job->budget, out, out_bytes);
    hr__budget_free(&job->budget, in, in_bytes);
    return st;
}

static hr_status export_field(struct job *job, const struct item *item, hr_error *err) {
    bool replace = (job->opts.flags & HR_CONVERT_REPLACE) != 0;
    struct hr__partial_file partial;
    hr_status st;
    HR_TRY(hr__partial_file_open(&hr__posix_folder, item->path, replace, &partial, err));
    HR_TRY(hr__partial_file_empty(&partial, err));
    HR_TRY(copy_samples(job, item, &partial.file, err));
    HR_TRY(hr__partial_file_complete(&partial, replace, err));
done:
    if (st != HR_OK)
        hr__error_prefix(err, "exporting the field %s", item->info.name);
    hr__partial_file_close(&partial); /* removes it unless it is complete */
    return st;
}

static void note_item(const struct job *job, const struct item *item) {
    char line[HR_ERROR_MESSAGE_BYTES];
    if (job->opts.on_note == NULL || item->info.dtype != HR_BFLOAT16)
        return;
    snprintf(line, sizeof line,
             "field %s is bfloat16, which .npy cannot name: %s holds its bits as uint16",
             item->info.name, item->path);
    job->opts.on_note(job->opts.user, line);
}

static hr_status prepare(struct job *job, const hr_export_options *opts, hr_error *err) {
    hr_dataset_info info = {.struct_bytes = sizeof info};
    hr_status st;
    HR_TRY(hr__export_options_resolve(opts, &job->opts, err));
    HR_TRY(hr_dataset_describe(job->ds, &info, err));
    job->samples_per_chunk = info.samples_per_chunk > 0 ? info.samples_per_chunk : 1;
    hr__budget_init(&job->budget, job->opts.budget_bytes);
    job->num_threads = job->opts.num_threads != 0 ? job->opts.num_threads : hr__cpu_count();
    job->num_threads = (uint32_t)hr__min_u64(
        job->num_threads, hr__max_u64(1, job->opts.budget_bytes / 2 / READ_BYTES));
    HR_TRY(choose_range(job, err));
    HR_TRY(choose_fields(job, err));
    HR_TRY(check_targets(job, err));
    job->progress.total_samples = job->num_samples * job->num_items;
done:
    return st;
}

hr_status hr_export_npy(hr_dataset *ds, const hr_export_options *opts, hr_error *err) {
    struct job job = {.ds = ds};
    hr_status st;
    HR_TRY(prepare(&job, opts, err));
    for (uint32_t i = 0; i < job.num_items; i++) {
        note_item(&job, &job.items[i]);
        HR_TRY(export_field(&job, &job.items[i], err));
        job.progress.done_samples += job.num_samples;
    }
    st = tell_progress(&job, true, err);
done:
    for (uint32_t i = 0; i < job.num_items; i++)
        free(job.items[i].path);
    free(job.items);
    hr__budget_close(&job.budget);
    return st;
}
