/*
 * hr_export(): which fields and samples are exported, and their bytes on the way to a sink.
 */
#define _GNU_SOURCE
#include "headrace/convert.h"

#include "checked.h"
#include "clock.h"
#include "convert_options.h"
#include "cpu.h"
#include "error.h"
#include "export_variable.h"
#include "numpy_elements.h"
#include "parallel_read.h"
#include "sample_range.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_RANGE_BYTES (UINT64_C(4) << 20)
/* Columns that are read together, whole: a table of thousands of fields has small ones. */
#define MAX_GROUP_BYTES   (UINT64_C(64) << 20)
#define GROUP_SHARE       4u  /* of the budget */
#define CHUNKS_PER_THREAD 16u /* of such a read, until it is told how far it is */
/* What hr_dataset_read() takes for itself: a thread more only where the budget has room for it. */
#define READ_BYTES  (UINT64_C(5) << 20)
#define PROGRESS_NS INT64_C(100000000)

void hr__export_note(const struct hr__export_job *job, const char *format, ...) {
    char line[HR_ERROR_MESSAGE_BYTES];
    va_list values;
    if (job->opts.on_note == NULL)
        return;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    job->opts.on_note(job->opts.user, line);
}

static hr_status choose_range(struct hr__export_job *job, hr_error *err) {
    job->first = job->opts.first_sample;
    return hr__sample_range_count(job->first, job->opts.end_sample, hr_dataset_num_samples(job->ds),
                                  "the data set has", &job->num_samples, err);
}

static hr_status add_item(struct hr__export_job *job, uint32_t field, hr_error *err) {
    struct hr__export_item *item = &job->items[job->num_items++];
    hr_status st;
    item->field = field;
    HR_TRY(hr_dataset_field(job->ds, field, &item->info, err));
    HR_TRY(hr__export_type_make(&item->info, &item->type, err));
    if (item->type.variable && job->ops->variable == NULL)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the values of the field %s differ in length, which .npy cannot hold; "
                             "export to .h5 or .npz, or leave the field out",
                             item->info.name);
    job->progress.total_bytes += job->num_samples * hr_dataset_sample_bytes(job->ds, field);
done:
    return st;
}

/* After all were found to be possible: this reads. */
static hr_status measure_items(struct hr__export_job *job, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < job->num_items; i++) {
        struct hr__export_item *item = &job->items[i];
        if (item->type.variable)
            st = hr__export_measure(job, item, err);
        job->progress.total_bytes += item->total_bytes;
    }
    return st;
}

static hr_status choose_fields(struct hr__export_job *job, hr_error *err) {
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
        for (uint32_t k = 0; st == HR_OK && k < i; k++)
            if (job->items[k].field == field)
                st = hr__error_set(err, HR_ERR_INVALID, "the field %s is named twice; name it once",
                                   job->items[k].info.name);
        if (st == HR_OK)
            st = add_item(job, field, err);
    }
    return st;
}

hr_status hr__export_tell(struct hr__export_job *job, bool now, hr_error *err) {
    int64_t time_ns = hr__now_ns();
    if (job->opts.on_progress == NULL ||
        (!now && job->told_ns != 0 && time_ns - job->told_ns < PROGRESS_NS))
        return HR_OK;
    job->told_ns = time_ns;
    if (job->opts.on_progress(job->opts.user, &job->progress) == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CANCELLED,
                         job->opts.kind == HR_EXPORT_NPY && job->progress.done_samples > 0
                             ? "stopped; files that are complete are kept in %s"
                             : "stopped; nothing of %s was made",
                         job->opts.path);
}

/* --- the bytes of one field ------------------------------------------------------------------ */

struct copy {
    struct hr__export_job *job;
    const struct hr__export_item *item;
    const struct hr__export_sink_ops *ops;
    struct hr__export_sink *sink;
    bool ucs4;           /* elements become code points, in `out` */
    const uint8_t *rows; /* all of them; NULL: they are read to `in` */
    uint8_t *in, *out;
    size_t in_bytes, out_bytes;
};

static uint64_t row_bytes(const struct hr__export_item *item) {
    return item->type.num_elements * item->type.width_bytes;
}

/* Samples read at once: whole chunks where they fit, so that each is decoded once. */
static uint64_t range_samples(const struct copy *c) {
    const struct hr__export_job *job = c->job;
    const struct hr__export_type *t = &c->item->type;
    uint64_t per_sample =
        t->num_elements * (t->width_bytes + (c->ucs4 ? (uint64_t)t->item_bytes : 0));
    uint64_t left = hr__budget_left(&job->budget);
    uint64_t room = hr__min_u64(TARGET_RANGE_BYTES * 2, left);
    uint64_t samples = per_sample == 0 ? UINT64_C(1) << 20 : room / per_sample;
    if (samples > job->samples_per_chunk)
        samples -= samples % job->samples_per_chunk;
    return hr__min_u64(hr__max_u64(samples, 1), hr__max_u64(job->num_samples, 1));
}

/* Rows in the sink's form. */
static hr_status write_rows(const struct copy *c, const uint8_t *rows, uint64_t n, hr_error *err) {
    const struct hr__export_type *t = &c->item->type;
    const uint64_t elements = n * t->num_elements;
    hr_status st = HR_OK;
    if (!c->ucs4)
        return c->ops->write(c->sink, rows, elements * t->width_bytes, err);
    HR_TRY(hr__utf8_to_ucs4(rows, elements, t->width_bytes, t->num_chars, c->out, err));
    st = c->ops->write(c->sink, c->out, elements * t->item_bytes, err);
done:
    return st;
}

/* One range: read, write. */
static hr_status copy_range(struct copy *c, uint64_t first, uint64_t n, hr_error *err) {
    struct hr__export_job *job = c->job;
    const uint64_t bytes = row_bytes(c->item);
    const struct hr__read_column column = {c->item->field, c->in};
    hr_status st;
    if (c->rows != NULL)
        return write_rows(c, c->rows + (first - job->first) * bytes, n, err);
    HR_TRY(hr__parallel_read(job->ds, &column, 1, first, n, job->num_threads, err));
    HR_TRY(write_rows(c, c->in, n, err));
    job->progress.done_bytes += n * bytes;
    st = hr__export_tell(job, false, err);
done:
    return st;
}

static hr_status make_buffers(struct copy *c, uint64_t step, hr_error *err) {
    const struct hr__export_type *t = &c->item->type;
    hr_status st = HR_OK;
    c->in_bytes = c->rows == NULL ? (size_t)(step * row_bytes(c->item)) : 0;
    c->out_bytes = c->ucs4 ? (size_t)(step * t->num_elements * t->item_bytes) : 0;
    c->in = hr__budget_take(&c->job->budget, c->in_bytes, "a buffer for exporting", &st, err);
    if (c->in != NULL && c->ucs4)
        c->out = hr__budget_take(&c->job->budget, c->out_bytes, "a buffer for exporting", &st, err);
    return st;
}

static hr_status copy_samples(struct copy *c, hr_error *err) {
    struct hr__export_job *job = c->job;
    uint64_t step = range_samples(c), n = 0;
    hr_status st;
    HR_TRY(make_buffers(c, step, err));
    for (uint64_t done = 0; done < job->num_samples; done += n) {
        uint64_t at = job->first + done;
        n = hr__min_u64(step - at % step, job->num_samples - done);
        HR_TRY(copy_range(c, at, n, err));
    }
done:
    hr__budget_free(&job->budget, c->out, c->out_bytes);
    hr__budget_free(&job->budget, c->in, c->in_bytes);
    return st;
}

/* rows: of the field, all of them; NULL: they are to be read. */
static hr_status export_field(struct hr__export_job *job, struct hr__export_sink *sink,
                              const struct hr__export_item *item, const uint8_t *rows,
                              hr_error *err) {
    const struct hr__export_sink_ops *ops = job->ops;
    struct copy copy = {.job = job, .item = item, .ops = ops, .sink = sink, .rows = rows};
    hr_status st;
    copy.ucs4 = ops->ucs4 && item->type.text;
    if (item->type.variable) {
        HR_TRY(ops->variable(sink, item, err));
    } else {
        HR_TRY(ops->begin(sink, item, err));
        HR_TRY(copy_samples(&copy, err));
        HR_TRY(ops->end(sink, err));
    }
    job->progress.done_samples += job->num_samples;
done:
    if (st != HR_OK)
        hr__error_prefix(err, "exporting the field %s", item->info.name);
    return st;
}

/* --- several fields -------------------------------------------------------------------------- */

/* Items from `first` on whose rows are held together, and their bytes: *n is 1 at least. */
static uint64_t find_group(const struct hr__export_job *job, uint32_t first, uint32_t *n) {
    const uint64_t most = hr__min_u64(MAX_GROUP_BYTES, hr__budget_left(&job->budget) / GROUP_SHARE);
    uint64_t bytes = 0;
    for (*n = 0; first + *n < job->num_items; ++*n) {
        const struct hr__export_item *item = &job->items[first + *n];
        uint64_t more;
        if (item->type.variable || !hr__mul_u64(row_bytes(item), job->num_samples, &more) ||
            more > most - bytes)
            break;
        bytes += more;
    }
    if (*n == 0)
        *n = 1;
    return bytes;
}

static hr_status read_group(struct hr__export_job *job, struct hr__read_column *columns, uint32_t n,
                            hr_error *err) {
    const uint64_t step = (uint64_t)job->samples_per_chunk * CHUNKS_PER_THREAD * job->num_threads;
    const uint64_t end = job->first + job->num_samples;
    hr_status st = HR_OK;
    for (uint64_t at = job->first, next; at < end && st == HR_OK; at = next) {
        next = hr__min_u64(end, (at / step + 1) * step);
        st = hr__parallel_read(job->ds, columns, n, at, next - at, job->num_threads, err);
        for (uint32_t i = 0; i < n && st == HR_OK; i++) {
            const uint64_t bytes = (next - at) * hr_dataset_sample_bytes(job->ds, columns[i].field);
            columns[i].dst += bytes;
            job->progress.done_bytes += bytes;
        }
        if (st == HR_OK)
            st = hr__export_tell(job, false, err);
    }
    return st;
}

static hr_status export_group(struct hr__export_job *job, struct hr__export_sink *sink,
                              uint32_t first, uint32_t n, uint64_t n_bytes, hr_error *err) {
    const size_t list_bytes = n * sizeof(struct hr__read_column);
    struct hr__read_column *columns = NULL;
    uint8_t *rows = NULL;
    uint64_t at = 0;
    hr_status st = HR_OK;
    columns = hr__budget_take(&job->budget, list_bytes, "a list of fields", &st, err);
    if (columns != NULL)
        rows = hr__budget_take_raw(&job->budget, (size_t)n_bytes, "columns", &st, err);
    for (uint32_t i = 0; i < n && st == HR_OK; i++) {
        const struct hr__export_item *item = &job->items[first + i];
        columns[i] = (struct hr__read_column){item->field, rows + at};
        at += job->num_samples * row_bytes(item);
    }
    if (st == HR_OK)
        st = read_group(job, columns, n, err);
    at = 0;
    for (uint32_t i = 0; i < n && st == HR_OK; i++) {
        const struct hr__export_item *item = &job->items[first + i];
        st = export_field(job, sink, item, rows + at, err);
        at += job->num_samples * row_bytes(item);
        if (st == HR_OK)
            st = hr__export_tell(job, false, err);
    }
    hr__budget_free(&job->budget, rows, (size_t)n_bytes);
    hr__budget_free(&job->budget, columns, list_bytes);
    return st;
}

static hr_status export_fields(struct hr__export_job *job, struct hr__export_sink *sink,
                               hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0, n; i < job->num_items && st == HR_OK; i += n) {
        const uint64_t n_bytes = find_group(job, i, &n);
        st = n > 1 ? export_group(job, sink, i, n, n_bytes, err)
                   : export_field(job, sink, &job->items[i], NULL, err);
    }
    return st;
}

/* --- the whole ------------------------------------------------------------------------------ */

static hr_status prepare(struct hr__export_job *job, hr_error *err) {
    hr_dataset_info info = {.struct_bytes = sizeof info};
    hr_status st;
    HR_TRY(hr_dataset_describe(job->ds, &info, err));
    job->samples_per_chunk = info.samples_per_chunk > 0 ? info.samples_per_chunk : 1;
    hr__budget_init(&job->budget, job->opts.budget_bytes);
    job->num_threads = job->opts.num_threads != 0 ? job->opts.num_threads : hr__cpu_count();
    job->num_threads = (uint32_t)hr__min_u64(
        job->num_threads, hr__max_u64(1, job->opts.budget_bytes / 2 / READ_BYTES));
    HR_TRY(choose_range(job, err));
    HR_TRY(choose_fields(job, err));
    HR_TRY(measure_items(job, err));
    job->progress.total_samples = job->num_samples * job->num_items;
done:
    return st;
}

static hr_status run(struct hr__export_job *job, hr_error *err) {
    struct hr__export_sink *sink = NULL;
    hr_status st;
    job->ops = job->opts.kind == HR_EXPORT_HDF5  ? &hr__export_to_hdf5
               : job->opts.kind == HR_EXPORT_NPZ ? &hr__export_to_npz
                                                 : &hr__export_to_npy;
    HR_TRY(prepare(job, err));
    HR_TRY(job->ops->open(job, &sink, err));
    HR_TRY(export_fields(job, sink, err));
    HR_TRY(hr__export_tell(job, true, err));
    st = job->ops->finish(sink, err);
done:
    job->ops->close(sink);
    for (uint32_t i = 0; i < job->num_items; i++)
        free(job->items[i].path);
    free(job->items);
    hr__budget_close(&job->budget);
    return st;
}

hr_status hr_export(hr_dataset *ds, const hr_export_options *opts, hr_error *err) {
    struct hr__export_job job = {.ds = ds};
    hr_status st = hr__export_options_resolve(opts, &job.opts, err);
    return st == HR_OK ? run(&job, err) : st;
}

hr_status hr_export_npy(hr_dataset *ds, const hr_export_options *opts, hr_error *err) {
    struct hr__export_job job = {.ds = ds};
    hr_status st = hr__export_npy_options_resolve(opts, &job.opts, err);
    return st == HR_OK ? run(&job, err) : st;
}
