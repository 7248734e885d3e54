/*
 * hr_compare(): both sides are opened, their columns paired by name, and the pairs compared; those
 * whose sources share what they read together. They are told of in the order of a's columns.
 */
#define _GNU_SOURCE
#include "headrace/compare.h"

#include "checked.h"
#include "clock.h"
#include "compare_variable.h"
#include "comparison.h"
#include "convert_options.h"
#include "error.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TELL_NS INT64_C(100000000)
/* Data sets, reading them, and all the rest get a third each. */
#define NUM_SHARES 3u
/* Of the budget, for what is kept of pairs that are compared together. */
#define LISTS_SHARE 16u
#define MAX_LISTS   17u /* of one pair: its own, and one for each worker */
/* Columns with a descriptor each, beside those of a data set. */
#define MAX_OPEN_BESIDE 64u
/* What hr_dataset_read() takes for itself: a thread more only where the budget has room for it. */
#define READ_BYTES (UINT64_C(5) << 20)

/* Of a column of a. */
struct match {
    struct hr__column *a, *b;     /* b NULL: there is none */
    bool compares;                /* values, too */
    uint64_t num_samples;         /* of the values */
    struct hr__differences found; /* it has a list from when it is compared until it was told of */
};

struct job {
    hr_compare_options opts;
    hr_compare_result result;
    struct hr__side a, b;
    struct hr__budget budget;
    struct hr__helper_group helpers[HR__COMPARE_MAX_WORKERS]; /* kept from field to field */
    struct match *matches;                                    /* of the columns of a */
    char *spill_path;
    uint64_t before_bytes; /* of the pairs before those at hand */
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

static struct hr__column *counterpart(const struct job *job, const struct hr__side *in,
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

/* --- values -------------------------------------------------------------------------------- */

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

static size_t list_bytes(const struct job *job) {
    return job->opts.max_differences * sizeof(hr_difference);
}

static bool share(const struct hr__column *c, const struct hr__column *other) {
    const void *company = hr__column_company(c);
    return company != NULL && company == hr__column_company(other);
}

/* Records and lines are read for all of their members in any case. A data set is read column by
 * column as well, which takes longer only where there are many: so others may have to stay closed.
 */
static bool wants(const struct hr__column *c, const struct hr__column *other,
                  const struct hr__column *opposite) {
    return share(c, other) && (c->ds == NULL || hr__column_is_light(opposite));
}

/* Whether the values of two pairs are compared together. */
static bool belong_together(const struct match *m, const struct match *other) {
    return !hr__column_is_variable(m->a) && !hr__column_is_variable(other->a) &&
           m->num_samples == other->num_samples &&
           (wants(m->a, other->a, other->b) || wants(m->b, other->b, other->a));
}

/* Those that are compared together with the first, which is among them: their numbers. */
static uint32_t find_group(const struct job *job, uint32_t first, uint32_t *members) {
    const uint64_t lists = job->budget.limit_bytes / LISTS_SHARE / MAX_LISTS / list_bytes(job);
    const struct match *m = &job->matches[first];
    const bool both = hr__column_company(m->a) != NULL && hr__column_company(m->b) != NULL;
    const uint64_t most = both ? lists : hr__min_u64(lists, MAX_OPEN_BESIDE);
    uint32_t n = 0;
    members[n++] = first;
    for (uint32_t i = first + 1; i < job->a.num_columns && n < most; i++)
        if (job->matches[i].compares && job->matches[i].found.list == NULL &&
            belong_together(&job->matches[first], &job->matches[i]))
            members[n++] = i;
    return n;
}

static hr_status run(struct job *job, const struct hr__pair *pairs, uint32_t n,
                     uint64_t num_samples, hr_error *err) {
    uint64_t threads = hr__max_u64(1, job->opts.budget_bytes / NUM_SHARES / READ_BYTES);
    const struct hr__comparison c = {.pairs = pairs,
                                     .num_pairs = n,
                                     .num_samples = num_samples,
                                     .budget = &job->budget,
                                     .num_threads =
                                         (uint32_t)hr__min_u64(job->opts.num_threads, threads),
                                     .helpers = job->helpers,
                                     .user = job,
                                     .tell = tell};
    uint64_t num_bytes = num_samples * hr__comparison_sample_bytes(&c);
    const hr_status st = hr__column_is_variable(pairs[0].a)
                             ? hr__comparison_run_variable(&c, &num_bytes, err)
                             : hr__comparison_run(&c, err);
    if (st != HR_OK)
        return st;
    job->before_bytes += num_bytes;
    job->progress.done_samples += num_samples * n;
    return tell(job, 0, err);
}

static hr_status prepare(struct job *job, struct match *m, struct hr__pair *pair, hr_error *err) {
    hr_status st = HR_OK;
    m->found.room = job->opts.max_differences;
    m->found.list =
        hr__budget_take(&job->budget, list_bytes(job), "a list of differences", &st, err);
    *pair = (struct hr__pair){m->a, m->b, &m->found};
    return st;
}

static hr_status compare_group(struct job *job, uint32_t first, hr_error *err) {
    uint32_t *members = calloc(job->a.num_columns, sizeof *members);
    struct hr__pair *pairs = calloc(job->a.num_columns, sizeof *pairs);
    hr_status st = HR_OK;
    uint32_t n = 0;
    if (members == NULL || pairs == NULL) {
        st = hr__error_no_memory(err, job->a.num_columns * sizeof *pairs, "a list of fields");
        goto done;
    }
    n = find_group(job, first, members);
    if (n == 1) {
        hr__column_set_alone(job->matches[first].a);
        hr__column_set_alone(job->matches[first].b);
    }
    for (uint32_t i = 0; i < n; i++)
        HR_TRY(prepare(job, &job->matches[members[i]], &pairs[i], err));
    st = run(job, pairs, n, job->matches[first].num_samples, err);
done:
    free(pairs);
    free(members);
    return st;
}

/* --- fields --------------------------------------------------------------------------------- */

static void tell_field(struct job *job, const struct hr__column *a, const struct hr__column *b,
                       const struct match *m) {
    hr_compared_field found = {.differs = differs(a, b),
                               .a = a != NULL ? &a->field : NULL,
                               .b = b != NULL ? &b->field : NULL,
                               .num_samples_a = a != NULL ? a->num_samples : 0,
                               .num_samples_b = b != NULL ? b->num_samples : 0};
    if (m != NULL && m->compares) {
        found.compared_samples = m->num_samples;
        found.num_elements = m->num_samples * a->elements_per_sample;
        found.num_different = m->found.num_different;
        found.num_differences = m->found.n;
        found.differences = m->found.list;
        found.differs |= found.num_different > 0 ? HR_DIFFERS_VALUES : 0;
    }
    job->result.num_fields++;
    job->result.num_different += found.differs != 0;
    if (job->opts.on_field != NULL)
        job->opts.on_field(job->opts.user, &found);
}

static void forget(struct job *job, struct match *m) {
    hr__budget_free(&job->budget, m->found.list, list_bytes(job));
    m->found.list = NULL;
}

static hr_status compare_all(struct job *job, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < job->a.num_columns; i++) {
        struct match *m = &job->matches[i];
        if (!asked_for(&job->opts, m->a->field.name))
            continue;
        if (m->compares && m->found.list == NULL)
            HR_TRY(compare_group(job, i, err));
        tell_field(job, m->a, m->b, m);
        forget(job, m);
    }
    for (uint32_t i = 0; i < job->b.num_columns; i++) {
        const struct hr__column *b = &job->b.columns[i];
        if (asked_for(&job->opts, b->field.name) && counterpart(job, &job->a, b) == NULL)
            tell_field(job, NULL, b, NULL);
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

/* Where samples do not lie one after the other. */
static hr_status name_spill(struct job *job, hr_error *err) {
    const char *folder = secure_getenv("TMPDIR");
    if (asprintf(&job->spill_path, "%s/headrace-compare-%ld", folder != NULL ? folder : "/var/tmp",
                 (long)getpid()) >= 0)
        return HR_OK;
    job->spill_path = NULL;
    return hr__error_no_memory(err, 0, "the name of a temporary file");
}

static hr_status open_side(const struct job *job, const char *path, hr_sparse sparse,
                           struct hr__side *out, hr_error *err) {
    const struct hr__side_options how = {.opts = &job->opts,
                                         .sparse = sparse,
                                         .budget_bytes = job->opts.budget_bytes / NUM_SHARES,
                                         .spill_path = job->spill_path};
    return hr__side_open(path, &how, out, err);
}

static hr_status open_sides(struct job *job, hr_error *err) {
    hr_status st;
    HR_TRY(name_spill(job, err));
    HR_TRY(open_side(job, job->opts.a, HR_SPARSE_DENSE, &job->a, err));
    HR_TRY(open_side(job, job->opts.b, hr__side_sparse(&job->a), &job->b, err));
    if (job->a.ds == NULL && hr__side_sparse(&job->b) != HR_SPARSE_DENSE) {
        hr__side_close(&job->a);
        HR_TRY(open_side(job, job->opts.a, hr__side_sparse(&job->b), &job->a, err));
    }
    st = check_names(job, err);
done:
    return st;
}

/* Columns whose values are not compared are nobody's company. */
static void leave_out(struct hr__side *side, const struct job *job) {
    for (uint32_t i = 0; i < side->num_columns; i++) {
        bool compared = false;
        for (uint32_t k = 0; k < job->a.num_columns && !compared; k++)
            compared = job->matches[k].compares && (job->matches[k].a == &side->columns[i] ||
                                                    job->matches[k].b == &side->columns[i]);
        if (!compared)
            hr__column_set_alone(&side->columns[i]);
    }
}

static hr_status match_columns(struct job *job, hr_error *err) {
    job->matches = calloc((size_t)job->a.num_columns + 1, sizeof *job->matches);
    if (job->matches == NULL)
        return hr__error_no_memory(err, job->a.num_columns * sizeof *job->matches,
                                   "a list of fields");
    for (uint32_t i = 0; i < job->a.num_columns; i++) {
        struct hr__column *a = &job->a.columns[i], *b = counterpart(job, &job->b, a);
        struct match *m = &job->matches[i];
        *m = (struct match){.a = a, .b = b, .num_samples = common_samples(a, b)};
        m->compares = asked_for(&job->opts, a->field.name) && values_compare(a, b);
        if (!m->compares)
            continue;
        job->progress.total_samples += m->num_samples;
        job->progress.total_bytes +=
            m->num_samples * a->sample_bytes + variable_bytes(a, m->num_samples);
    }
    leave_out(&job->a, job);
    leave_out(&job->b, job);
    return HR_OK;
}

static void close_job(struct job *job) {
    for (uint32_t i = 0; job->matches != NULL && i < job->a.num_columns; i++)
        forget(job, &job->matches[i]);
    free(job->matches);
    for (uint32_t i = 0; i < HR__COMPARE_MAX_WORKERS; i++)
        hr__helper_group_close(&job->helpers[i]);
    hr__side_close(&job->b);
    hr__side_close(&job->a);
    free(job->spill_path);
    hr__budget_close(&job->budget);
}

hr_status hr_compare(const hr_compare_options *opts, hr_compare_result *result, hr_error *err) {
    struct job job = {.result = {.struct_bytes = sizeof job.result}};
    int64_t start_ns = hr__now_ns();
    hr_status st;
    HR_TRY(hr__result_check(result, offsetof(hr_compare_result, num_fields), sizeof *result,
                            "hr_compare_result", err));
    HR_TRY(hr__compare_options_resolve(opts, &job.opts, err));
    hr__budget_init(&job.budget, job.opts.budget_bytes / NUM_SHARES);
    for (uint32_t i = 0; i < HR__COMPARE_MAX_WORKERS; i++)
        job.helpers[i] =
            (struct hr__helper_group){.num_groups = HR__COMPARE_MAX_WORKERS, .keeps = true};
    HR_TRY(open_sides(&job, err));
    HR_TRY(match_columns(&job, err));
    HR_TRY(compare_all(&job, err));
    job.result.equal = job.result.num_different == 0;
    job.result.compared_bytes = job.before_bytes;
    job.result.elapsed_ns = hr__now_ns() - start_ns;
    hr__result_copy(result, &job.result, sizeof job.result);
done:
    if (st == HR_ERR_BUDGET)
        hr__error_prefix(err, "of the budget a third each is for data sets, for reading them, and "
                              "for the rest, and this is said of one of these");
    close_job(&job);
    return st;
}
