/*
 * The writer of a conversion, and the division of memory between it, reading and shuffling.
 */
#define _GNU_SOURCE
#include "convert_job.h"

#include "attributes.h"
#include "checked.h"
#include "error.h"
#include "provenance.h"
#include "shuffle_plan.h"
#include "size_text.h"
#include "writer_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_SHUFFLE_READERS   64u
#define SHUFFLE_READING_SHARE 64u

static void note(const struct hr__convert_job *job, const char *line) {
    if (job->opts.on_note != NULL)
        job->opts.on_note(job->opts.user, line);
}

/* What the source says, and what an export should restore; malloc'ed, or NULL for none. Of an
 * append only what tells what the values are: the file keeps its attributes. */
static hr_status attributes_of(const struct hr__convert_job *job,
                               const struct hr__source_info *info, char **out, hr_error *err) {
    char numpy[64], differing[64];
    char *own = NULL;
    if (hr__convert_is_append(job)) {
        const hr_status st = hr__attributes_own(info->attributes_json, &own, err);
        if (st != HR_OK)
            return st;
    }
    const char *texts[] = {info->numpy_dtype != NULL ? numpy : NULL,
                           hr__convert_is_append(job) ? own : info->attributes_json};
    if (info->numpy_dtype != NULL)
        snprintf(numpy, sizeof numpy, "{\"headrace:numpy_dtype\": \"%.24s\"}", info->numpy_dtype);
    const hr_status st = hr__attributes_join(texts, 2, out, differing, sizeof differing, err);
    free(own);
    return st;
}

/* What the writer is told of the fields, of which there are layout.num_fields; the attributes'
 * texts are in `texts`. */
static hr_status describe_fields(const struct hr__convert_job *job, hr_field *fields, char **texts,
                                 hr_error *err) {
    for (uint32_t i = 0; i < job->inputs.num_fields; i++) {
        const struct hr__source_info *info = &job->inputs.fields[i].source->info;
        fields[i] = (hr_field){.name = job->inputs.fields[i].name,
                               .dtype = info->dtype,
                               .element_dtype = info->element_dtype,
                               .rank = info->rank,
                               .shape = info->shape};
        if (hr_dtype_bytes(info->dtype) == 0)
            fields[i].width_bytes = info->width_bytes;
        hr_status st = attributes_of(job, info, &texts[i], err);
        if (st != HR_OK) {
            hr__error_prefix(err, "the attributes of %s", job->inputs.fields[i].name);
            return st;
        }
        fields[i].attributes_json = texts[i];
    }
    if (job->layout.has_index)
        fields[job->inputs.num_fields] =
            (hr_field){.name = job->opts.index_field, .dtype = HR_INT64};
    return HR_OK;
}

/* Others: who takes so much of the budget, for a message; NULL: nobody. A writer that gets one byte
 * says how many it needs. */
static hr_status open_writer_beside(struct hr__convert_job *job, const hr_field *fields,
                                    const char *others, uint64_t others_bytes, hr_error *err) {
    const hr_convert_options *o = &job->opts;
    const struct hr__writer_share share = {others, others_bytes, o->budget_bytes};
    hr_writer_options w = HR_WRITER_OPTIONS_INIT;
    w.flags = ((o->flags & HR_CONVERT_REPLACE) != 0 ? HR_WRITER_REPLACE : 0) |
              ((o->flags & HR_CONVERT_RESUME) != 0 ? HR_WRITER_RESUME : 0) |
              (hr__convert_is_append(job) ? HR_WRITER_APPEND : 0);
    w.budget_bytes = others_bytes < o->budget_bytes ? o->budget_bytes - others_bytes : 1;
    w.num_threads = o->num_threads;
    w.chunk_bytes = o->chunk_bytes;
    w.codec = o->codec;
    w.filter = o->filter;
    w.level = o->level;
    w.optimize = o->optimize;
    w.disk_bytes_per_s = o->disk_bytes_per_s;
    w.num_sources = job->inputs.num_files;
    w.sources = job->inputs.files;
    w.attributes_json = hr__convert_is_append(job) ? NULL : job->inputs.attributes_json;
    w.provenance_json = job->provenance_json;
    w.user = job;
    w.on_resume = hr__convert_on_resume;
    return hr__writer_open_shared(o->output, fields, job->layout.num_fields, &w, &share,
                                  &job->writer, err);
}

static uint64_t reading_bytes(const struct hr__convert_job *job) {
    return hr__read_plan_bytes(&job->inputs, &job->plan);
}

/* HR_ERR_BUDGET where reading with the plan leaves the writer too little. */
static hr_status try_plan(struct hr__convert_job *job, const hr_field *fields, uint64_t for_reading,
                          hr_error *err) {
    hr__budget_init(&job->budget, for_reading);
    return open_writer_beside(job, fields, "reading the source takes", for_reading, err);
}

/* A quarter of the budget is for reading; where the writer then lacks memory, half of that, and so
 * on, down to what reading cannot do without. */
static hr_status divide_memory(struct hr__convert_job *job, const hr_field *fields, hr_error *err) {
    const uint64_t budget_bytes = job->opts.budget_bytes;
    uint32_t readers = hr__read_plan_readers(&job->inputs, job->opts.num_helpers);
    struct hr__read_plan least;
    hr__read_plan_make(&job->inputs, 0, 1, &least);
    for (uint64_t share = budget_bytes / 4; share / 2 > least.buffer_bytes; share /= 2) {
        hr__inputs_set_room(&job->inputs, share / 2);
        hr__read_plan_make(&job->inputs, share / 2, readers, &job->plan);
        hr_status st = try_plan(job, fields, hr__max_u64(share, reading_bytes(job)), err);
        if (st != HR_ERR_BUDGET)
            return st;
    }
    job->plan = least;
    hr__inputs_set_room(&job->inputs, 0);
    return try_plan(job, fields, reading_bytes(job), err);
}

/* Reading needs no buffers: all memory is for writing. */
static hr_status leave_memory(struct hr__convert_job *job, const hr_field *fields, hr_error *err) {
    hr__budget_init(&job->budget, 0);
    return open_writer_beside(job, fields, NULL, 0, err);
}

/* Of memory for reading and shuffling. Those who read put the samples in their places, too, where
 * these are in memory: then many readers are of use, whose buffers are to leave room for samples.
 */
static void plan_shuffle_reading(struct hr__convert_job *job, uint64_t memory) {
    const uint32_t threads = (uint32_t)hr__min_u64(job->opts.num_threads, MAX_SHUFFLE_READERS);
    if (hr__input_fetch_fits(&job->inputs, threads))
        hr__read_plan_make(&job->inputs, memory / SHUFFLE_READING_SHARE, threads, &job->plan);
    else
        hr__read_plan_make(&job->inputs, memory / 4,
                           hr__read_plan_readers(&job->inputs, job->opts.num_helpers), &job->plan);
}

/* What the writer does not need is for reading, of which a quarter, and for shuffling. */
static void plan_shuffle(struct hr__convert_job *job) {
    const uint64_t memory = job->opts.budget_bytes - hr__writer_keep_to_need(job->writer);
    hr__budget_init(&job->budget, memory);
    hr__inputs_set_room(&job->inputs, memory / 8);
    plan_shuffle_reading(job, memory);
    if (reading_bytes(job) > memory / 2) {
        hr__inputs_set_room(&job->inputs, 0);
        hr__read_plan_make(&job->inputs, 0, 1, &job->plan);
    }
}

/* Half of the budget is for reading and shuffling; where the writer then lacks memory, half of
 * that, and so on, down to the least. */
static hr_status divide_memory_to_shuffle(struct hr__convert_job *job, const hr_field *fields,
                                          hr_error *err) {
    const char *others = "reading and shuffling take";
    hr__inputs_set_room(&job->inputs, 0);
    hr__read_plan_make(&job->inputs, 0, 1, &job->plan);
    const uint64_t least =
        hr__shuffle_plan_least(&job->layout, job->num_samples, reading_bytes(job));
    hr_status st = HR_ERR_BUDGET;
    for (uint64_t share = job->opts.budget_bytes / 2; share > least && st == HR_ERR_BUDGET;
         share /= 2)
        st = open_writer_beside(job, fields, others, share, err);
    if (st == HR_ERR_BUDGET)
        st = open_writer_beside(job, fields, others, least, err);
    if (st == HR_OK)
        plan_shuffle(job);
    return st;
}

static hr_status measure_old(struct hr__convert_job *job, hr_error *err) {
    hr_writer_info info = {.struct_bytes = sizeof info};
    const hr_status st = hr_writer_describe(job->writer, &info, err);
    job->old_samples = info.num_samples;
    job->old_bytes = info.decoded_bytes;
    return st;
}

/* Of what an interrupted conversion left, where this one does not go on with it. */
static uint64_t unfinished_bytes(const struct hr__convert_job *job) {
    char path[PATH_MAX];
    struct stat st;
    if ((job->opts.flags & (HR_CONVERT_RESUME | HR_CONVERT_APPEND)) != 0 ||
        snprintf(path, sizeof path, "%s.partial", job->opts.output) >= (int)sizeof path ||
        stat(path, &st) != 0)
        return 0;
    return (uint64_t)st.st_size;
}

static void tell_beginning(const struct hr__convert_job *job, uint64_t unfinished) {
    char line[192] = "";
    if (unfinished > 0)
        snprintf(line, sizeof line,
                 "an unfinished conversion was there (%s): this one begins anew; resume goes "
                 "on with one",
                 hr__size_text(unfinished).text);
    else if ((job->opts.flags & HR_CONVERT_RESUME) == 0)
        return;
    else if (job->resumed_samples == 0)
        snprintf(line, sizeof line, "nothing is there to resume: it begins anew");
    else
        snprintf(line, sizeof line, "resumed after %llu of %llu samples",
                 (unsigned long long)job->resumed_samples, (unsigned long long)job->num_samples);
    note(job, line);
}

hr_status hr__convert_open_writer(struct hr__convert_job *job, hr_error *err) {
    const uint64_t unfinished = unfinished_bytes(job);
    hr_status st;
    hr_field *fields = calloc(job->layout.num_fields, sizeof *fields);
    char **texts = calloc(job->layout.num_fields, sizeof *texts);
    if (fields == NULL || texts == NULL) {
        st = hr__error_no_memory(err, job->layout.num_fields * sizeof *fields, "the fields");
        goto done;
    }
    HR_TRY(describe_fields(job, fields, texts, err));
    const bool append = hr__convert_is_append(job);
    if (!append) /* which adds its sources to what the file says, and no more */
        HR_TRY(hr__provenance_make(&job->opts, &job->inputs, &job->provenance_json, err));
    /* The threads fetch whole chunks; an append may have to begin with the rest of one. */
    job->fetched =
        !job->shuffled && !append && hr__input_fetch_fits(&job->inputs, job->opts.num_threads);
    HR_TRY(job->shuffled  ? divide_memory_to_shuffle(job, fields, err)
           : job->fetched ? leave_memory(job, fields, err)
                          : divide_memory(job, fields, err));
    hr__writer_expect(job->writer, job->total_bytes);
    if (append)
        HR_TRY(measure_old(job, err));
    else
        job->resumed_samples = hr_writer_num_samples(job->writer);
    tell_beginning(job, unfinished);
done:
    for (uint32_t i = 0; texts != NULL && i < job->layout.num_fields; i++)
        free(texts[i]);
    free(texts);
    free(fields);
    return st;
}
