/*
 * hr_convert(): the inputs are read by the writer's threads (input_fetch.h), or ahead by threads of
 * their own (pipeline.h), and appended to a writer, in order or shuffled.
 */
#include "headrace/convert.h"

#include "clock.h"
#include "convert_job.h"
#include "convert_options.h"
#include "convert_report.h"
#include "error.h"
#include "options.h"
#include "pipeline.h"
#include "shuffle.h"
#include "shuffle_options.h"
#include "space.h"
#include "writer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRESS_NS INT64_C(100000000)

/* Of the inputs. */
static uint64_t written_samples(const struct hr__convert_job *job) {
    return hr_writer_num_samples(job->writer) - job->old_samples;
}

/* A job that stops now can be resumed. */
static bool has_partial(const struct hr__convert_job *job) {
    hr_writer_info info = {.struct_bytes = sizeof info};
    return job->writer == NULL ||
           (hr_writer_describe(job->writer, &info, NULL) == HR_OK && info.codecs_chosen);
}

/* HR_ERR_CANCELLED if the caller wants to stop. At most ten calls a second, but for `now`. */
static hr_status tell_progress(struct hr__convert_job *job, uint64_t done_samples, bool now,
                               hr_error *err) {
    int64_t time_ns = hr__now_ns();
    if (job->opts.on_progress == NULL ||
        (!now && job->told_ns != 0 && time_ns - job->told_ns < PROGRESS_NS))
        return HR_OK;
    job->told_ns = time_ns;
    hr_progress progress = {.done_samples = done_samples,
                            .total_samples = job->num_samples,
                            .total_bytes = job->total_bytes};
    progress.done_bytes = hr__convert_bytes_of(job, done_samples);
    if (job->opts.on_progress(job->opts.user, &progress) == 0)
        return HR_OK;
    if (hr__convert_is_append(job))
        return hr__error_set(err, HR_ERR_CANCELLED,
                             "stopped before the samples were appended; %s is as it was, append "
                             "them again",
                             job->opts.output);
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
static uint64_t work_done(const struct hr__convert_job *job, uint64_t read, uint64_t written) {
    return job->shuffled ? read / 2 + written / 2 + (read % 2 + written % 2) / 2 : written;
}

int hr__convert_on_resume(void *user, uint64_t written) {
    return tell_progress(user, work_done(user, 0, written), false, NULL) != HR_OK;
}

static hr_status check_output(const struct hr__convert_job *job, hr_error *err) {
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
    if ((job->opts.flags & HR_CONVERT_REPLACE) == 0 && !hr__convert_is_append(job))
        return hr__error_set(err, HR_ERR_EXISTS,
                             "%s exists; give another name, or ask for it to be replaced", path);
    return HR_OK;
}

/* As soon as the writer knows how well the data compress. */
static hr_status check_space(struct hr__convert_job *job, hr_error *err) {
    hr_writer_info info = {.struct_bytes = sizeof info};
    if (job->space_checked || (job->opts.flags & HR_CONVERT_NO_SPACE_CHECK) != 0)
        return HR_OK;
    hr_status st = hr_writer_describe(job->writer, &info, err);
    if (st != HR_OK || !info.codecs_chosen)
        return st;
    job->space_checked = true;
    return hr__space_check(job->opts.output,
                           hr__space_needed(&info, job->old_bytes + job->total_bytes,
                                            job->old_samples + job->num_samples),
                           hr__convert_is_append(job) ? "append again" : "resume", err);
}

static hr_status fetch_samples(struct hr__convert_job *job, hr_error *err) {
    const struct hr__row_source *rows = &job->fetch.rows;
    uint64_t done = job->resumed_samples;
    hr_status st;
    HR_TRY(hr__input_fetch_open(&job->fetch, &job->inputs, hr__writer_threads(job->writer), done,
                                &job->budget, err));
    HR_TRY(tell_progress(job, done, false, err));
    HR_TRY(hr__writer_fetch_first(job->writer, rows, job->num_samples - done, err));
    HR_TRY(check_space(job, err));
    done = hr_writer_num_samples(job->writer);
    HR_TRY(hr__writer_fetch_rest(job->writer, rows, job->num_samples - done, err));
    do
        HR_TRY(tell_progress(job, done, false, err));
    while ((st = hr__writer_fetch_wait(job->writer, PROGRESS_NS, &done, err)) == HR_TIMEOUT);
    if (st == HR_OK)
        st = tell_progress(job, done, true, err);
done:
    return st;
}

static hr_status copy_samples(struct hr__convert_job *job, hr_error *err) {
    hr_status st;
    HR_TRY(hr__pipeline_open(&job->inputs, &job->plan, job->resumed_samples, NULL, &job->budget,
                             &job->pipeline, err));
    for (;;) {
        struct hr__range range;
        HR_TRY(tell_progress(job, written_samples(job), false, err));
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
    st = tell_progress(job, written_samples(job), true, err);
done:
    return st;
}

/* How much the writer needs shows only as the values come. */
static hr_status append_values(struct hr__convert_job *job, const struct hr__range *range,
                               hr_error *err) {
    const hr_status st = hr_writer_append(job->writer, range->num_samples, range->columns, err);
    if (st == HR_ERR_BUDGET)
        hr__error_prefix(err,
                         "the budget is %llu bytes, of which reading has %llu, and the rest is too "
                         "little for writing these values; give twice as much",
                         (unsigned long long)job->opts.budget_bytes,
                         (unsigned long long)job->budget.limit_bytes);
    return st;
}

static hr_status copy_values(struct hr__convert_job *job, hr_error *err) {
    hr_status st;
    HR_TRY(hr__value_reader_open(&job->values, &job->inputs, &job->plan, &job->budget, err));
    for (uint64_t done = job->resumed_samples; done < job->num_samples;) {
        struct hr__range range;
        HR_TRY(tell_progress(job, done, false, err));
        HR_TRY(hr__value_reader_next(&job->values, done, job->num_samples - done, &range, err));
        HR_TRY(append_values(job, &range, err));
        HR_TRY(check_space(job, err));
        done += range.num_samples;
    }
    st = tell_progress(job, job->num_samples, true, err);
done:
    return st;
}

static hr_status tell_shuffle(void *user, uint64_t read, hr_error *err) {
    struct hr__convert_job *job = user;
    const uint64_t written = hr_writer_num_samples(job->writer);
    const hr_status st = check_space(job, err);
    return st == HR_OK ? tell_progress(job, work_done(job, read, written), false, err) : st;
}

static hr_status shuffle_samples(struct hr__convert_job *job, hr_error *err) {
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

static hr_status finish(struct hr__convert_job *job, hr_convert_result *result, hr_error *err) {
    hr_writer_info info = {.struct_bytes = sizeof info};
    hr_status st;
    HR_TRY(hr__inputs_check_unchanged(&job->inputs, err));
    hr__inputs_note_surplus(&job->inputs, &job->opts);
    HR_TRY(hr_writer_commit(job->writer, err));
    HR_TRY(hr_writer_describe(job->writer, &info, err));
    result->num_fields = job->layout.num_fields;
    result->num_samples = job->old_samples + job->num_samples;
    result->old_samples = job->old_samples;
    result->resumed_samples = job->resumed_samples;
    result->decoded_bytes =
        job->has_values ? info.decoded_bytes : result->num_samples * job->layout.sample_bytes;
    result->stored_bytes = info.stored_bytes;
    hr_writer_close(job->writer);
    job->writer = NULL;
    HR_TRY(hr__convert_report(&job->opts, result, err));
done:
    return st;
}

static void close_job(struct hr__convert_job *job) {
    hr__pipeline_close(job->pipeline);
    hr_writer_close(job->writer);
    hr__input_fetch_close(&job->fetch);
    hr__value_reader_close(&job->values);
    hr__inputs_close(&job->inputs);
    hr__budget_close(&job->budget);
    hr__shuffle_layout_free(&job->layout);
    free(job->provenance_json);
}

hr_status hr_convert(const hr_convert_options *opts, hr_convert_result *result, hr_error *err) {
    struct hr__convert_job job = {0};
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
    HR_TRY(hr__convert_measure(&job, err));
    HR_TRY(hr__convert_open_writer(&job, err));
    HR_TRY(job.shuffled     ? shuffle_samples(&job, err)
           : job.fetched    ? fetch_samples(&job, err)
           : job.has_values ? copy_values(&job, err)
                            : copy_samples(&job, err));
    HR_TRY(finish(&job, &done_so_far, err));
    done_so_far.elapsed_ns = hr__now_ns() - began_ns;
    if (result != NULL)
        hr__result_copy(result, &done_so_far, sizeof(done_so_far));
done:
    close_job(&job);
    return st;
}
