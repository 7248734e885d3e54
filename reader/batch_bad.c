/*
 * Values that are no finite numbers: what the check of each batch found, and of all that were
 * delivered.
 */
#include "error.h"
#include "loader.h"
#include "options.h"

#include <stdlib.h>

hr_status hr__bad_make(struct hr_loader *l, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    l->last_bad_epoch = l->last_bad_batch = UINT64_MAX;
    l->bad = calloc((size_t)c->num_outs * c->num_fields, sizeof(*l->bad));
    l->bad_found = calloc(c->num_fields, sizeof(*l->bad_found));
    if (l->bad == NULL || l->bad_found == NULL)
        return hr__error_no_memory(err, (size_t)c->num_outs * c->num_fields * sizeof(*l->bad),
                                   "the check for finite values");
    for (uint32_t i = 0; i < c->num_outs; i++)
        l->outs[i].bad = l->bad + (size_t)i * c->num_fields;
    for (uint32_t i = 0; i < c->num_fields; i++)
        l->bad_found[i] = (hr_bad_values){.struct_bytes = sizeof(hr_bad_values),
                                          .checked = c->finish.fields[i].plan.check_finite,
                                          .first_sample = UINT64_MAX};
    return HR_OK;
}

static hr_bad_values of_batch(const struct hr_batch *b, uint32_t field) {
    hr_bad_values v = {.struct_bytes = sizeof(v), .first_sample = UINT64_MAX};
    if (!b->bad_known)
        return v;
    const struct hr__finish_bad *bad = &b->bad[field];
    v.checked = b->loader->config.finish.fields[field].plan.check_finite;
    v.num_nan = bad->num_nan;
    v.num_inf = bad->num_inf;
    if (bad->first_row != UINT64_MAX) {
        v.first_epoch = b->epoch->epoch;
        v.first_batch = b->batch;
        v.first_row = (uint32_t)bad->first_row;
        v.first_sample = hr__batch_sample(b, bad->first_row);
    }
    return v;
}

void hr__bad_count(struct hr_loader *l, const struct hr_batch *b) {
    if (!b->bad_known || !b->delivered)
        return;
    for (uint32_t i = 0; l->bad != NULL && i < l->config.num_fields; i++) {
        if (b->bad[i].first_row == UINT64_MAX)
            continue;
        hr_bad_values *sum = &l->bad_found[i], v = of_batch(b, i);
        l->last_bad_epoch = b->epoch->epoch;
        l->last_bad_batch = b->batch;
        v.num_nan += sum->num_nan;
        v.num_inf += sum->num_inf;
        if (sum->first_sample == UINT64_MAX)
            *sum = v;
        sum->num_nan = v.num_nan;
        sum->num_inf = v.num_inf;
    }
}

static hr_status check(const struct hr_loader *l, uint32_t field, const hr_bad_values *out,
                       hr_error *err) {
    hr_status st =
        hr__result_check(out, offsetof(hr_bad_values, num_nan), sizeof(*out), "hr_bad_values", err);
    if (st == HR_OK)
        st = hr__loader_check_fork(l, err);
    if (st != HR_OK)
        return st;
    if (field >= l->config.num_fields)
        return hr__error_set(err, HR_ERR_INVALID, "field %u asked for, the loader has 0 to %u",
                             field, l->config.num_fields - 1);
    return HR_OK;
}

hr_status hr_batch_bad_values(const hr_batch *b, uint32_t field, hr_bad_values *out,
                              hr_error *err) {
    hr_status st = check(b->loader, field, out, err);
    if (st != HR_OK)
        return st;
    pthread_mutex_lock(&b->loader->lock); /* the upload thread may be about to know */
    const hr_bad_values v = of_batch(b, field);
    pthread_mutex_unlock(&b->loader->lock);
    hr__result_copy(out, &v, sizeof(v));
    return HR_OK;
}

hr_status hr_loader_bad_values(hr_loader *l, uint32_t field, hr_bad_values *out, hr_error *err) {
    hr_status st = check(l, field, out, err);
    if (st != HR_OK)
        return st;
    hr_bad_values v = {.struct_bytes = sizeof(v), .first_sample = UINT64_MAX};
    pthread_mutex_lock(&l->lock);
    if (l->bad_found != NULL)
        v = l->bad_found[field];
    pthread_mutex_unlock(&l->lock);
    hr__result_copy(out, &v, sizeof(v));
    return HR_OK;
}
