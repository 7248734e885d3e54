/*
 * hr_compare(): both sides are opened, their columns paired by name, and each pair compared.
 */
#include "headrace/compare.h"

#include "checked.h"
#include "clock.h"
#include "compare_pair.h"
#include "compare_variable.h"
#include "convert_options.h"
#include "error.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

#define TELL_NS INT64_C(100000000)
/* Data sets, reading them, and all the rest get a third each. */
#define NUM_SHARES 3u
/* What hr_dataset_read() takes for itself: a thread more only where the budget has room for it. */
#define READ_BYTES (UINT64_C(5) << 20)

struct job {
    hr_compare_options opts;
    hr_compare_result result;
    struct hr__side a, b;
    struct hr__budget budget;
    struct hr__differences differences; /* of the field at hand */
    uint64_t before_bytes;              /* of the fields before it */
    int64_t told_ns;
    hr_progress progress;
};

/* --- which belong together ------------------------------------------------------------------ */

static bool asked_for(const hr_compare_options *o, const char *name) {
    bool asked = o->fields == NULL;
    for (uint32_t i = 0; i < o->num_fields && !asked; i++)
        asked = strcmp(o->fields[i], name) == 0;
    return asked;
}

/* Two sides of one array each belong together whatever their names are. */
static bool single(const struct job *job) {
    return job->a.num_columns == 1 && job->b.num_columns == 1 && job->opts.fields == NULL;
}

static const struct hr__column *counterpart(const struct job *job, const struct hr__side *in,
                                            const struct hr__column *of) {
    return single(job) ? &in->columns[0] : hr__side_find(in, of->field.name);
}

static hr_status check_names(const struct job *job, hr_error *err) {
    for (uint32_t i = 0; job->opts.fields != NULL && i < job->opts.num_fields; i++)
        if (hr__side_find(&job->a, job->opts.fields[i]) == NULL &&
            hr__side_find(&job->b, job->opts.fields[i]) == NULL)
            return hr__error_set(err, HR_ERR_NOT_FOUND, "neither %s nor %s has a field %s",
                                 job->opts.a, job->opts.b, job->opts.fields[i]);
    return HR_OK;
}

static uint32_t differs(const struct hr__column *a, const struct hr__column *b) {
    uint32_t bits = 0;
    if (a == NULL || b == NULL)
        return a == NULL ? HR_DIFFERS_ONLY_B : HR_DIFFERS_ONLY_A;
    if (a->field.dtype != b->field.dtype || a->width_bytes != b->width_bytes ||
        a->field.element_dtype != b->field.element_dtype)
        bits |= HR_DIFFERS_DTYPE;
    if (a->field.rank != b->field.rank ||
        memcmp(a->field.shape, b->field.shape, a->field.rank * sizeof *a->field.shape) != 0)
        bits |= HR_DIFFERS_SHAPE;
    if (a->num_samples != b->num_samples)
        bits |= HR_DIFFERS_SAMPLES;
    return bits;
}

static bool values_compare(const struct hr__column *a, const struct hr__column *b) {
    return (differs(a, b) & ~HR_DIFFERS_SAMPLES) == 0;
}

static uint64_t common_samples(const struct hr__column *a, const struct hr__column *b) {
    return values_compare(a, b) ? hr__min_u64(a->num_samples, b->num_samples) : 0;
}

/* --- one field ------------------------------------------------------------------------------ */

static hr_status tell(void *user, uint64_t done_bytes, hr_error *err) {
    struct job *job = user;
    int64_t now_ns = hr__now_ns();
    job->progress.done_bytes = job->before_bytes + done_bytes;
    if (job->opts.on_progress == NULL || now_ns - job->told_ns < TELL_NS)
        return HR_OK;
    job->told_ns = now_ns;
    if (job->opts.on_progress(job->opts.user, &job->progress) == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CANCELLED, "stopped before all of %s was compared with %s",
                         job->opts.a, job->opts.b);
}

static hr_status compare_values(struct job *job, const struct hr__column *a,
                                const struct hr__column *b, uint64_t num_samples, hr_error *err) {
    uint64_t threads = hr__max_u64(1, job->opts.budget_bytes / NUM_SHARES / READ_BYTES);
    const struct hr__pair pair = {.a = a,
                                  .b = b,
                                  .num_samples = num_samples,
                                  .budget = &job->budget,
                                  .num_threads =
                                      (uint32_t)hr__min_u64(job->opts.num_threads, threads),
                                  .user = job,
                                  .tell = tell};
    job->differences.n = 0;
    job->differences.num_different = 0;
    uint64_t num_bytes = num_samples * a->sample_bytes;
    hr_status st = hr__column_is_variable(a)
                       ? hr__pair_compare_variable(&pair, &job->differences, &num_bytes, err)
                       : hr__pair_compare(&pair, &job->differences, err);
    if (st != HR_OK)
        return st;
    job->before_bytes += num_bytes;
    job->progress.done_samples += num_samples;
    return tell(job, 0, err);
}

static hr_status compare_field(struct job *job, const struct hr__column *a,
                               const struct hr__column *b, hr_error *err) {
    uint64_t num_samples = common_samples(a, b);
    hr_status st = HR_OK;
    hr_compared_field found = {.differs = differs(a, b),
                               .a = a != NULL ? &a->field : NULL,
                               .b = b != NULL ? &b->field : NULL,
                               .num_samples_a = a != NULL ? a->num_samples : 0,
                               .num_samples_b = b != NULL ? b->num_samples : 0,
                               .compared_samples = num_samples};
    if (values_compare(a, b)) {
        HR_TRY(compare_values(job, a, b, num_samples, err));
        found.num_elements = num_samples * a->elements_per_sample;
        found.num_different = job->differences.num_different;
        found.num_differences = job->differences.n;
        found.differences = job->differences.list;
        found.differs |= found.num_different > 0 ? HR_DIFFERS_VALUES : 0;
    }
    job->result.num_fields++;
    job->result.num_different += found.differs != 0;
    if (job->opts.on_field != NULL)
        job->opts.on_field(job->opts.user, &found);
done:
    return st;
}

static hr_status compare_all(struct job *job, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < job->a.num_columns; i++) {
        const struct hr__column *a = &job->a.columns[i];
        if (asked_for(&job->opts, a->field.name))
            HR_TRY(compare_field(job, a, counterpart(job, &job->b, a), err));
    }
    for (uint32_t i = 0; i < job->b.num_columns; i++) {
        const struct hr__column *b = &job->b.columns[i];
        if (asked_for(&job->opts, b->field.name) && counterpart(job, &job->a, b) == NULL)
            HR_TRY(compare_field(job, NULL, b, err));
    }
done:
    return st;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* Of the first samples of a field of variable length, about, where that is known. */
static uint64_t variable_bytes(const struct hr__column *c, uint64_t num_samples) {
    hr_length_statistics lengths = {.struct_bytes = sizeof lengths};
    if (c->ds == NULL || !hr__column_is_variable(c) ||
        hr_dataset_length_statistics(c->ds, c->index, &lengths, NULL) != HR_OK)
        return 0;
    return num_samples == c->num_samples ? lengths.total_bytes
                                         : (uint64_t)((double)num_samples * lengths.mean_bytes);
}

static hr_status open_sides(struct job *job, hr_error *err) {
    uint64_t share = job->opts.budget_bytes / NUM_SHARES;
    hr_status st;
    HR_TRY(hr__side_open(job->opts.a, &job->opts, HR_SPARSE_DENSE, share, &job->a, err));
    HR_TRY(hr__side_open(job->opts.b, &job->opts, hr__side_sparse(&job->a), share, &job->b, err));
    if (job->a.ds == NULL && hr__side_sparse(&job->b) != HR_SPARSE_DENSE) {
        hr__side_close(&job->a);
        HR_TRY(
            hr__side_open(job->opts.a, &job->opts, hr__side_sparse(&job->b), share, &job->a, err));
    }
    HR_TRY(check_names(job, err));
    for (uint32_t i = 0; i < job->a.num_columns; i++) {
        const struct hr__column *a = &job->a.columns[i];
        if (!asked_for(&job->opts, a->field.name))
            continue;
        uint64_t samples = common_samples(a, counterpart(job, &job->b, a));
        job->progress.total_samples += samples;
        job->progress.total_bytes += samples * a->sample_bytes + variable_bytes(a, samples);
    }
done:
    return st;
}

static hr_status make_list(struct job *job, hr_error *err) {
    hr_status st = HR_OK;
    struct hr__differences *d = &job->differences;
    hr__budget_init(&job->budget, job->opts.budget_bytes / NUM_SHARES);
    d->room = job->opts.max_differences;
    d->list =
        hr__budget_take(&job->budget, d->room * sizeof *d->list, "a list of differences", &st, err);
    return st;
}

hr_status hr_compare(const hr_compare_options *opts, hr_compare_result *result, hr_error *err) {
    struct job job = {.result = {.struct_bytes = sizeof job.result}};
    int64_t start_ns = hr__now_ns();
    hr_status st;
    HR_TRY(hr__result_check(result, offsetof(hr_compare_result, num_fields), sizeof *result,
                            "hr_compare_result", err));
    HR_TRY(hr__compare_options_resolve(opts, &job.opts, err));
    HR_TRY(make_list(&job, err));
    HR_TRY(open_sides(&job, err));
    HR_TRY(compare_all(&job, err));
    job.result.equal = job.result.num_different == 0;
    job.result.compared_bytes = job.before_bytes;
    job.result.elapsed_ns = hr__now_ns() - start_ns;
    hr__result_copy(result, &job.result, sizeof job.result);
done:
    hr__side_close(&job.b);
    hr__side_close(&job.a);
    hr__budget_free(&job.budget, job.differences.list,
                    job.differences.room * sizeof *job.differences.list);
    hr__budget_close(&job.budget);
    return st;
}
