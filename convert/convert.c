/*
 * hr_convert(): the inputs are read ahead by threads of their own, and appended to a writer in
 * order, or shuffled; memory is divided between the two.
 */
#define _GNU_SOURCE
#include "headrace/convert.h"

#include "checked.h"
#include "clock.h"
#include "convert_options.h"
#include "convert_report.h"
#include "error.h"
#include "input_file.h"
#include "inputs.h"
#include "options.h"
#include "pipeline.h"
#include "shuffle.h"
#include "shuffle_options.h"
#include "space.h"
#include "writer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRESS_NS       INT64_C(100000000)
#define MAX_EMPTY_SAMPLES (UINT64_C(1) << 32) /* whose samples have no bytes: 256 MiB of chunks */

struct job {
    hr_convert_options opts;
    struct hr__inputs inputs;
    struct hr__read_plan plan;
    struct hr__budget budget;         /* of reading and shuffling; the rest is the writer's */
    bool shuffled;                    /* and not only said to be, as of samples without bytes */
    struct hr__shuffle_layout layout; /* of the writer's samples */
    char *provenance_json;            /* or NULL */
    hr_writer *writer;
    struct hr__pipeline *pipeline;
    uint64_t num_samples;
    uint64_t resumed_samples;
    uint64_t total_bytes; /* decoded */
    int64_t told_ns;      /* when progress was told last; 0: never */
    bool space_checked;
};

static void note(const struct job *job, const char *line) {
    if (job->opts.on_note != NULL)
        job->opts.on_note(job->opts.user, line);
}

/* A job that stops now can be resumed. */
static bool has_partial(const struct job *job) {
    hr_writer_info info = {.struct_bytes = sizeof info};
    return job->writer == NULL ||
           (hr_writer_describe(job->writer, &info, NULL) == HR_OK && info.codecs_chosen);
}

/* HR_ERR_CANCELLED if the caller wants to stop. At most ten calls a second, but for `now`. */
static hr_status tell_progress(struct job *job, uint64_t done_samples, bool now, hr_error *err) {
    int64_t time_ns = hr__now_ns();
    if (job->opts.on_progress == NULL ||
        (!now && job->told_ns != 0 && time_ns - job->told_ns < PROGRESS_NS))
        return HR_OK;
    job->told_ns = time_ns;
    hr_progress progress = {.done_samples = done_samples,
                            .total_samples = job->num_samples,
                            .total_bytes = job->total_bytes};
    progress.done_bytes = progress.done_samples * job->layout.sample_bytes;
    if (job->opts.on_progress(job->opts.user, &progress) == 0)
        return HR_OK;
    if (!has_partial(job))
        return hr__error_set(err, HR_ERR_CANCELLED,
                             "stopped before anything of %s was written; begin again",
                             job->opts.output);
    return hr__error_set(err, HR_ERR_CANCELLED,
                         "stopped after %llu of %llu samples; what is done is kept in %s.partial "
                         "and can be resumed",
                         (unsigned long long)progress.done_samples,
                         (unsigned long long)job->num_samples, job->opts.output);
}

/* Of a shuffle, that samples are read is half of the work. */
static uint64_t done_samples(const struct job *job, uint64_t read, uint64_t written) {
    return job->shuffled ? read / 2 + written / 2 + (read % 2 + written % 2) / 2 : written;
}

/* While what an interrupted conversion left is read again. */
static int on_resume(void *user, uint64_t written) {
    return tell_progress(user, done_samples(user, 0, written), false, NULL) != HR_OK;
}

static hr_status check_output(const struct job *job, hr_error *err) {
    const char *path = job->opts.output;
    struct stat out, in;
    if (stat(path, &out) != 0)
        return HR_OK;
    if (S_ISDIR(out.st_mode))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is a folder; name the file that is to be made", path);
    for (uint32_t i = 0; i < job->inputs.num_files; i++)
        if (stat(job->inputs.files[i].path, &in) == 0 && in.st_dev == out.st_dev &&
            in.st_ino == out.st_ino)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "the output %s is also an input; give it another name", path);
    if ((job->opts.flags & HR_CONVERT_REPLACE) == 0)
        return hr__error_set(err, HR_ERR_EXISTS,
                             "%s exists; give another name, or ask for it to be replaced", path);
    return HR_OK;
}

static hr_status measure(struct job *job, hr_error *err) {
    job->num_samples = job->inputs.fields[0].source->info.num_samples;
    const hr_status st =
        hr__shuffle_layout_make(&job->inputs, job->opts.index_field != NULL, &job->layout, err);
    if (st != HR_OK)
        return st;
    const uint64_t sample_bytes = job->layout.sample_bytes;
    job->shuffled = (job->opts.flags & HR_CONVERT_SHUFFLE) != 0 && sample_bytes > 0;
    if (!hr__mul_u64(sample_bytes, job->num_samples, &job->total_bytes))
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "the inputs have more than 2^64 bytes");
    if (sample_bytes == 0 && job->num_samples > MAX_EMPTY_SAMPLES)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "%llu samples of no bytes at all are more than the %llu that are "
                             "converted",
                             (unsigned long long)job->num_samples,
                             (unsigned long long)MAX_EMPTY_SAMPLES);
    return HR_OK;
}

/* What the writer is told of the fields, of which there are layout.num_fields; the attributes'
 * texts are in `texts`. */
static void describe_fields(const struct job *job, hr_field *fields, char (*texts)[64]) {
    for (uint32_t i = 0; i < job->inputs.num_fields; i++) {
        const struct hr__source_info *info = &job->inputs.fields[i].source->info;
        fields[i] = (hr_field){.name = job->inputs.fields[i].name,
                               .dtype = info->dtype,
                               .rank = info->rank,
                               .shape = info->shape};
        if (hr_dtype_bytes(info->dtype) == 0)
            fields[i].width_bytes = info->width_bytes;
        if (info->numpy_dtype != NULL) {
            snprintf(texts[i], sizeof texts[i], "{\"headrace:numpy_dtype\": \"%.24s\"}",
                     info->numpy_dtype);
            fields[i].attributes_json = texts[i];
        }
    }
    if (job->layout.has_index)
        fields[job->inputs.num_fields] =
            (hr_field){.name = job->opts.index_field, .dtype = HR_INT64};
}

static hr_status open_writer_with(struct job *job, const hr_field *fields, uint64_t budget_bytes,
                                  hr_error *err) {
    const hr_convert_options *o = &job->opts;
    hr_writer_options w = HR_WRITER_OPTIONS_INIT;
    w.flags = ((o->flags & HR_CONVERT_REPLACE) != 0 ? HR_WRITER_REPLACE : 0) |
              ((o->flags & HR_CONVERT_RESUME) != 0 ? HR_WRITER_RESUME : 0);
    w.budget_bytes = budget_bytes;
    w.num_threads = o->num_threads;
    w.chunk_bytes = o->chunk_bytes;
    w.codec = o->codec;
    w.filter = o->filter;
    w.level = o->level;
    w.optimize = o->optimize;
    w.disk_bytes_per_s = o->disk_bytes_per_s;
    w.num_sources = job->inputs.num_files;
    w.sources = job->inputs.files;
    w.provenance_json = job->provenance_json;
    w.user = job;
    w.on_resume = on_resume;
    return hr_writer_open(o->output, fields, job->layout.num_fields, &w, &job->writer, err);
}

/* The buffers of the plan, and the readers' own memory. */
static uint64_t reading_bytes(const struct job *job) {
    uint64_t bytes = job->plan.buffer_bytes * job->plan.num_buffers;
    return hr__add_u64(bytes, hr__read_plan_reader_bytes(&job->inputs), &bytes) ? bytes
                                                                                : UINT64_MAX;
}

/* HR_ERR_BUDGET where reading with the plan leaves the writer too little. */
static hr_status try_plan(struct job *job, const hr_field *fields, uint64_t for_reading,
                          hr_error *err) {
    const uint64_t budget_bytes = job->opts.budget_bytes;
    hr__budget_init(&job->budget, for_reading);
    /* A writer that gets one byte says how many it needs. */
    uint64_t for_writing = for_reading < budget_bytes ? budget_bytes - for_reading : 1;
    return open_writer_with(job, fields, for_writing, err);
}

/* A quarter of the budget is for reading; where the writer then lacks memory, half of that, and so
 * on, down to what reading cannot do without. */
static hr_status divide_memory(struct job *job, const hr_field *fields, hr_error *err) {
    const uint64_t budget_bytes = job->opts.budget_bytes;
    uint32_t readers = hr__read_plan_readers(&job->inputs, job->opts.num_helpers);
    struct hr__read_plan least;
    hr__read_plan_make(&job->inputs, 0, 1, &least);
    for (uint64_t share = budget_bytes / 4; share / 2 > least.buffer_bytes; share /= 2) {
        hr__read_plan_make(&job->inputs, share / 2, readers, &job->plan);
        hr_status st = try_plan(job, fields, hr__max_u64(share, reading_bytes(job)), err);
        if (st != HR_ERR_BUDGET)
            return st;
    }
    job->plan = least;
    hr_status st = try_plan(job, fields, reading_bytes(job), err);
    if (st == HR_ERR_BUDGET)
        hr__error_prefix(err,
                         "the budget is %llu bytes, of which reading the source takes %llu, and "
                         "these must be added to what follows",
                         (unsigned long long)budget_bytes, (unsigned long long)reading_bytes(job));
    return st;
}

/* What the writer does not need is for reading, of which a quarter, and for shuffling. */
static void plan_shuffle(struct job *job) {
    const uint64_t memory = job->opts.budget_bytes - hr__writer_keep_to_need(job->writer);
    hr__budget_init(&job->budget, memory);
    hr__read_plan_make(&job->inputs, memory / 4,
                       hr__read_plan_readers(&job->inputs, job->opts.num_helpers), &job->plan);
    if (reading_bytes(job) > memory / 2)
        hr__read_plan_make(&job->inputs, 0, 1, &job->plan);
}

/* Half of the budget is for reading and shuffling; where the writer then lacks memory, half of
 * that, and so on, down to the least. */
static hr_status divide_memory_to_shuffle(struct job *job, const hr_field *fields, hr_error *err) {
    const uint64_t budget_bytes = job->opts.budget_bytes;
    hr__read_plan_make(&job->inputs, 0, 1, &job->plan);
    const uint64_t least =
        hr__shuffle_plan_least(&job->layout, job->num_samples, reading_bytes(job));
    hr_status st = HR_ERR_BUDGET;
    for (uint64_t share = budget_bytes / 2; share > least && st == HR_ERR_BUDGET; share /= 2)
        st = open_writer_with(job, fields, budget_bytes - share, err);
    /* A writer that gets one byte says how many it needs. */
    if (st == HR_ERR_BUDGET)
        st = open_writer_with(job, fields, least < budget_bytes ? budget_bytes - least : 1, err);
    if (st == HR_OK)
        plan_shuffle(job);
    if (st == HR_ERR_BUDGET)
        hr__error_prefix(err,
                         "the budget is %llu bytes, of which reading and shuffling take %llu, and "
                         "these must be added to what follows",
                         (unsigned long long)budget_bytes, (unsigned long long)least);
    return st;
}

static hr_status open_writer(struct job *job, hr_error *err) {
    hr_status st;
    hr_field *fields = calloc(job->layout.num_fields, sizeof *fields);
    char(*texts)[64] = calloc(job->layout.num_fields, sizeof *texts);
    if (fields == NULL || texts == NULL) {
        st = hr__error_no_memory(err, job->layout.num_fields * sizeof *fields, "the fields");
        goto done;
    }
    describe_fields(job, fields, texts);
    HR_TRY(hr__shuffle_provenance(&job->opts, &job->provenance_json, err));
    HR_TRY(job->shuffled ? divide_memory_to_shuffle(job, fields, err)
                         : divide_memory(job, fields, err));
    job->resumed_samples = hr_writer_num_samples(job->writer);
    if ((job->opts.flags & HR_CONVERT_RESUME) != 0) {
        char line[128];
        if (job->resumed_samples == 0)
            snprintf(line, sizeof line, "nothing is there to resume: it begins anew");
        else
            snprintf(line, sizeof line, "resumed after %llu of %llu samples",
                     (unsigned long long)job->resumed_samples,
                     (unsigned long long)job->num_samples);
        note(job, line);
    }
done:
    free(texts);
    free(fields);
    return st;
}

/* As soon as the writer knows how well the data compress. */
static hr_status check_space(struct job *job, hr_error *err) {
    hr_writer_info info = {.struct_bytes = sizeof info};
    if (job->space_checked || (job->opts.flags & HR_CONVERT_NO_SPACE_CHECK) != 0)
        return HR_OK;
    hr_status st = hr_writer_describe(job->writer, &info, err);
    if (st != HR_OK || !info.codecs_chosen)
        return st;
    job->space_checked = true;
    return hr__space_check(job->opts.output,
                           hr__space_needed(&info, job->total_bytes, job->num_samples), err);
}

static hr_status copy_samples(struct job *job, hr_error *err) {
    hr_status st;
    HR_TRY(hr__pipeline_open(&job->inputs, &job->plan, job->resumed_samples, &job->budget,
                             &job->pipeline, err));
    for (;;) {
        struct hr__range range;
        HR_TRY(tell_progress(job, hr_writer_num_samples(job->writer), false, err));
        st = hr__pipeline_next(job->pipeline, PROGRESS_NS, &range, err);
        if (st == HR_TIMEOUT)
            continue;
        if (st == HR_END_OF_EPOCH)
            break;
        if (st != HR_OK)
            goto done;
        HR_TRY(hr_writer_append(job->writer, range.num_samples, range.columns, err));
        hr__pipeline_release(job->pipeline);
        HR_TRY(check_space(job, err));
    }
    st = tell_progress(job, hr_writer_num_samples(job->writer), true, err);
done:
    return st;
}

static hr_status tell_shuffle(void *user, uint64_t read, hr_error *err) {
    struct job *job = user;
    const uint64_t written = hr_writer_num_samples(job->writer);
    const hr_status st = check_space(job, err);
    return st == HR_OK ? tell_progress(job, done_samples(job, read, written), false, err) : st;
}

static hr_status shuffle_samples(struct job *job, hr_error *err) {
    const struct hr__shuffle_job shuffle = {
        .inputs = &job->inputs,
        .layout = &job->layout,
        .read_plan = &job->plan,
        .budget = &job->budget,
        .num_threads = job->opts.num_threads,
        .seed = job->opts.shuffle_seed,
        .writer = job->writer,
        .folder = &hr__posix_folder,
        .output = job->opts.output,
        .check_space = (job->opts.flags & HR_CONVERT_NO_SPACE_CHECK) == 0,
        .user = job,
        .tell = tell_shuffle,
    };
    const hr_status st = hr__shuffle_run(&shuffle, err);
    return st == HR_OK ? tell_progress(job, job->num_samples, true, err) : st;
}

static hr_status finish(struct job *job, hr_convert_result *result, hr_error *err) {
    hr_writer_info info = {.struct_bytes = sizeof info};
    hr_status st;
    HR_TRY(hr__inputs_check_unchanged(&job->inputs, err));
    HR_TRY(hr_writer_commit(job->writer, err));
    HR_TRY(hr_writer_describe(job->writer, &info, err));
    result->num_fields = job->layout.num_fields;
    result->num_samples = job->num_samples;
    result->resumed_samples = job->resumed_samples;
    result->decoded_bytes = job->total_bytes;
    result->stored_bytes = info.stored_bytes;
    hr_writer_close(job->writer);
    job->writer = NULL;
    HR_TRY(hr__convert_report(&job->opts, result, err));
done:
    return st;
}

static void close_job(struct job *job) {
    hr__pipeline_close(job->pipeline);
    hr_writer_close(job->writer);
    hr__inputs_close(&job->inputs);
    hr__budget_close(&job->budget);
    hr__shuffle_layout_free(&job->layout);
    free(job->provenance_json);
}

hr_status hr_convert(const hr_convert_options *opts, hr_convert_result *result, hr_error *err) {
    struct job job = {0};
    hr_convert_result done_so_far = {.struct_bytes = sizeof done_so_far};
    int64_t began_ns = hr__now_ns();
    hr_status st;
    HR_TRY(hr__convert_options_resolve(opts, &job.opts, err));
    if (result != NULL)
        HR_TRY(hr__result_check(result, offsetof(hr_convert_result, num_samples), sizeof(*result),
                                "hr_convert_result", err));
    HR_TRY(hr__inputs_open(&job.opts, &job.inputs, err));
    HR_TRY(check_output(&job, err));
    HR_TRY(hr__shuffle_check_index(&job.opts, &job.inputs, err));
    HR_TRY(measure(&job, err));
    HR_TRY(open_writer(&job, err));
    HR_TRY(job.shuffled ? shuffle_samples(&job, err) : copy_samples(&job, err));
    HR_TRY(finish(&job, &done_so_far, err));
    done_so_far.elapsed_ns = hr__now_ns() - began_ns;
    if (result != NULL)
        hr__result_copy(result, &done_so_far, sizeof(done_so_far));
done:
    close_job(&job);
    return st;
}
