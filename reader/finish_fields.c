/*
 * The options of finishing against a data set. Options are a caller's and checked here; shapes and
 * statistics come from a file whose footer was checked when it was opened.
 */
#include "finish_fields.h"

#include "batch_values.h"
#include "checked.h"
#include "default_budget.h"
#include "dtype.h"
#include "error.h"
#include "options.h"
#include "size_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_ALIGN_BYTES 256u
#define KNOWN_FLAGS       (HR_FINISH_CHW | HR_FINISH_STANDARDIZE | HR_FINISH_CHECK_FINITE)

static const char *dtype_name(hr_dtype t) {
    const char *name = hr_dtype_name(t);
    return name != NULL ? name : "no dtype";
}

static hr_status check_dtype(const hr_finish *o, const struct hr__schema_field *f,
                             const struct hr__finish *plan, hr_error *err) {
    if (plan->to != plan->from && !hr__finish_converts(plan->from, plan->to))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "field %s: finishing cannot make %s of %s; it makes float16, bfloat16 "
                             "or float32 of uint8, int16, float16, float32 or float64",
                             f->name, dtype_name(plan->to), dtype_name(plan->from));
    bool scales = o->scale != NULL || o->shift != NULL || (o->flags & HR_FINISH_STANDARDIZE) != 0;
    if (scales && !hr__finish_converts(plan->from, plan->to))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "field %s: values delivered as %s, of %s, cannot be scaled or "
                             "shifted; ask for float16, bfloat16 or float32, of uint8, int16, "
                             "float16, float32 or float64",
                             f->name, dtype_name(plan->to), dtype_name(plan->from));
    if (plan->check_finite && !hr__dtype_is_real(plan->to))
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s is delivered as %s, which has no NaN and no infinity: leave "
                             "out HR_FINISH_CHECK_FINITE",
                             f->name, dtype_name(plan->to));
    return HR_OK;
}

static hr_status check_layout(const struct hr__schema_field *f, const struct hr__finish *plan,
                              hr_error *err) {
    if (!plan->to_chw)
        return HR_OK;
    if (f->rank != 3)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: samples have %u dimensions, expected three (height, width, "
                             "channels) for HR_FINISH_CHW",
                             f->name, f->rank);
    if (!hr__finish_moves(plan->from_bytes))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "field %s: HR_FINISH_CHW moves elements of 1, 2, 4 or 8 bytes, those "
                             "of %s have %u",
                             f->name, dtype_name(f->dtype), plan->from_bytes);
    return HR_OK;
}

static hr_status check_finite(const char *field, const char *what, const float *values, uint32_t n,
                              hr_error *err) {
    for (uint32_t i = 0; values != NULL && i < n; i++)
        if (!isfinite(values[i]))
            return hr__error_set(err, HR_ERR_INVALID,
                                 "field %s: the %s of channel %u is %g, expected a finite number",
                                 field, what, i, (double)values[i]);
    return HR_OK;
}

static uint64_t last_axis(const struct hr__schema_field *f) {
    return f->rank > 0 ? f->shape[f->rank - 1] : 1;
}

static hr_status check_scales(const hr_finish *o, const struct hr__schema_field *f, hr_error *err) {
    const bool any = o->scale != NULL || o->shift != NULL;
    hr_status st;
    if (((o->flags & HR_FINISH_CHW) != 0 || o->num_channels > 1) && last_axis(f) > INT32_MAX)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "field %s has %llu channels, at most %d",
                             f->name, (unsigned long long)last_axis(f), INT32_MAX);
    if (any && (o->flags & HR_FINISH_STANDARDIZE) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: HR_FINISH_STANDARDIZE finds scale and shift itself; leave "
                             "them out, or that flag",
                             f->name);
    if (!any && o->num_channels != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: num_channels is %u, but scale and shift are NULL", f->name,
                             o->num_channels);
    if (any && o->num_channels != 1 && o->num_channels != last_axis(f))
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: num_channels is %u, expected 1 or %llu, the length of the "
                             "last axis of a sample",
                             f->name, o->num_channels, (unsigned long long)last_axis(f));
    HR_TRY(check_finite(f->name, "scale", o->scale, o->num_channels, err));
    HR_TRY(check_finite(f->name, "shift", o->shift, o->num_channels, err));
done:
    return st;
}

/* scale and shift by the statistics of the field. */
static hr_status standardize(const hr_dataset *ds, uint32_t field, float *scale, float *shift,
                             hr_error *err) {
    const char *name = ds->footer.schema.fields[field].name;
    hr_statistics s = {.struct_bytes = sizeof(s)};
    hr_status st = hr_dataset_statistics(ds, field, &s, err);
    if (st != HR_OK)
        return st;
    if (!s.has_moments)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: the file has no mean and standard deviation to standardize "
                             "by; give scale and shift",
                             name);
    *scale = (float)(1 / s.std);
    *shift = (float)(-s.mean / s.std);
    if (!isfinite(*scale) || !isfinite(*shift) || *scale == 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: a mean of %g and a standard deviation of %g give no scale "
                             "and shift in float32; give your own",
                             name, s.mean, s.std);
    return HR_OK;
}

static void fill(float *to, const float *from, uint32_t given, uint32_t n) {
    for (uint32_t c = 0; c < n; c++)
        to[c] = from[given == 1 ? 0 : c];
}

/* The plan's tables: an entry for each of its channels. */
static hr_status make_tables(const hr_dataset *ds, uint32_t field, const hr_finish *o,
                             uint64_t budget_bytes, struct hr__finished_field *out, hr_error *err) {
    struct hr__finish *plan = &out->plan;
    const float *scale = o->scale, *shift = o->shift;
    uint32_t given = o->num_channels;
    float by_statistics[2];
    if ((o->flags & HR_FINISH_STANDARDIZE) != 0) {
        hr_status st = standardize(ds, field, &by_statistics[0], &by_statistics[1], err);
        if (st != HR_OK)
            return st;
        scale = &by_statistics[0];
        shift = &by_statistics[1];
        given = 1;
    }
    if (scale == NULL && shift == NULL)
        return HR_OK;
    const size_t n = plan->channels;
    const uint64_t n_bytes = 2 * (uint64_t)n * sizeof(*out->tables);
    if (n_bytes > budget_bytes)
        return hr__error_set(err, HR_ERR_BUDGET,
                             "field %s: scales and shifts of %u channels need %s, which is more "
                             "than the budget of %s; give a larger one, or finish it without them",
                             o->field, plan->channels, hr__size_text(n_bytes).text,
                             hr__size_text(budget_bytes).text);
    out->tables = calloc(2 * n, sizeof(*out->tables));
    if (out->tables == NULL)
        return hr__error_no_memory(err, n_bytes, "scales and shifts");
    if (scale != NULL)
        fill(out->tables, scale, given, plan->channels), plan->scale = out->tables;
    if (shift != NULL)
        fill(out->tables + n, shift, given, plan->channels), plan->shift = out->tables + n;
    return HR_OK;
}

static struct hr__finish as_stored(const struct hr__schema_field *f) {
    uint32_t bytes = f->width_bytes != 0 ? f->width_bytes : hr_dtype_bytes(f->dtype);
    return (struct hr__finish){.from = f->dtype,
                               .to = f->dtype,
                               .sample_elements = f->num_elements,
                               .plane_elements = f->num_elements,
                               .channels = 1,
                               .from_bytes = bytes,
                               .to_bytes = bytes};
}

static hr_status field_make(const hr_dataset *ds, uint32_t field, const hr_finish *o,
                            uint64_t budget_bytes, struct hr__finished_field *out, hr_error *err) {
    const struct hr__schema_field *f = &ds->footer.schema.fields[field];
    struct hr__finish *plan = &out->plan;
    hr_status st;
    if (hr__dtype_is_variable(f->dtype))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "field %s has values of variable length, which cannot be finished; "
                             "leave it out of finish",
                             f->name);
    if (o->dtype != 0 && o->dtype != f->dtype) {
        plan->to = o->dtype;
        plan->to_bytes = hr_dtype_bytes(o->dtype);
    }
    plan->to_chw = (o->flags & HR_FINISH_CHW) != 0;
    plan->check_finite = (o->flags & HR_FINISH_CHECK_FINITE) != 0;
    HR_TRY(check_dtype(o, f, plan, err));
    HR_TRY(check_layout(f, plan, err));
    HR_TRY(check_scales(o, f, err));
    if ((plan->to_chw || o->num_channels > 1) && last_axis(f) > 0) {
        plan->channels = (uint32_t)last_axis(f);
        plan->plane_elements = f->num_elements / plan->channels;
    }
    HR_TRY(make_tables(ds, field, o, budget_bytes, out, err));
    if (plan->to_chw) {
        out->shape[0] = f->shape[2];
        out->shape[1] = f->shape[0];
        out->shape[2] = f->shape[1];
    }
    out->writes = hr__finish_writes(plan);
done:
    return st;
}

static hr_status flags_check(const hr_finish *o, hr_error *err) {
    if (o->field == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_finish has no field; name one");
    if ((o->flags & ~KNOWN_FLAGS) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s: hr_finish has unknown flags %#x; leave them out, or use "
                             "the Headrace that they were written for",
                             o->field, o->flags & ~KNOWN_FLAGS);
    return HR_OK;
}

/* One entry of the options, for the field that it names. */
static hr_status entry_make(const hr_dataset *ds, const hr_finish *o, const uint32_t *fields,
                            uint32_t num_fields, uint64_t budget_bytes, bool *taken,
                            struct hr__finished_field *out, hr_error *err) {
    uint32_t field = 0;
    bool delivered = false;
    hr_status st;
    HR_TRY(flags_check(o, err));
    HR_TRY(hr_dataset_find_field(ds, o->field, &field, err));
    for (uint32_t i = 0; i < num_fields; i++) {
        if (fields[i] != field)
            continue;
        delivered = true;
        if (taken[i])
            return hr__error_set(err, HR_ERR_INVALID,
                                 "field %s is finished twice; make one hr_finish of both",
                                 o->field);
        taken[i] = true;
        HR_TRY(field_make(ds, field, o, budget_bytes, &out[i], err));
    }
    if (!delivered)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s is to be finished, but not among the fields that the loader "
                             "delivers; add it there, or leave it out here",
                             o->field);
done:
    return st;
}

/* Where each field lies in an output slot. */
static hr_status lay_out(const hr_dataset *ds, const uint32_t *fields,
                         const uint64_t *value_capacities, uint32_t num_fields,
                         uint32_t slot_samples, struct hr__finished_fields *out, hr_error *err) {
    for (uint32_t i = 0; i < num_fields; i++) {
        struct hr__finished_field *f = &out->fields[i];
        uint64_t bytes = 0;
        bool fits = hr__mul_u64(f->plan.sample_elements, f->plan.to_bytes, &f->sample_bytes) &&
                    hr__mul_u64(f->sample_bytes, slot_samples, &bytes);
        f->packs = value_capacities[i] > 0;
        f->writes |= f->packs;
        if (f->packs)
            bytes = hr__values_out_bytes(slot_samples, value_capacities[i]);
        fits = fits && bytes <= UINT64_MAX / 4 && out->out_bytes <= UINT64_MAX / 4;
        if (!fits)
            return hr__error_set(err, HR_ERR_BUDGET,
                                 "a batch of %u samples of field %s as %s does not fit any memory; "
                                 "use a smaller batch",
                                 slot_samples, ds->footer.schema.fields[fields[i]].name,
                                 dtype_name(f->plan.to));
        out->keeps_rows |= !f->writes;
        out->works |= f->writes || f->plan.check_finite;
        if (!f->writes)
            continue;
        f->out_off = out->out_bytes;
        out->out_bytes += hr__round_up(bytes, FIELD_ALIGN_BYTES);
    }
    return HR_OK;
}

/* That a loader may have at all. */
static uint64_t most_bytes(const hr_loader_options *opts) {
    return opts->budget_bytes != 0 ? opts->budget_bytes
                                   : hr__max_u64(hr_default_budget(), hr__stretched_budget());
}

hr_status hr__finished_fields_make(const hr_dataset *ds, const hr_loader_options *opts,
                                   const uint32_t *fields, const uint64_t *value_capacities,
                                   uint32_t num_fields, uint32_t slot_samples,
                                   struct hr__finished_fields *out, hr_error *err) {
    hr_status st = HR_OK;
    bool *taken = NULL, packs = false;
    for (uint32_t i = 0; i < num_fields; i++)
        packs |= value_capacities[i] > 0;
    if (opts->num_finish == 0 && !packs)
        return HR_OK;
    if (opts->finish == NULL && opts->num_finish > 0)
        return hr__error_set(err, HR_ERR_INVALID, "num_finish is %u, but finish is NULL",
                             opts->num_finish);
    out->fields = calloc(num_fields, sizeof(*out->fields));
    taken = calloc(num_fields, sizeof(*taken));
    if (out->fields == NULL || taken == NULL) {
        st = hr__error_no_memory(err, num_fields * sizeof(*out->fields), "finishing");
        goto done;
    }
    for (uint32_t i = 0; i < num_fields; i++)
        out->fields[i].plan = as_stored(&ds->footer.schema.fields[fields[i]]);
    for (uint32_t i = 0; i < opts->num_finish; i++) {
        hr_finish o = HR_FINISH_INIT;
        HR_TRY(hr__options_copy_entry(opts->finish, i, sizeof(o), &o, sizeof(o), "hr_finish", err));
        HR_TRY(entry_make(ds, &o, fields, num_fields, most_bytes(opts), taken, out->fields, err));
    }
    HR_TRY(lay_out(ds, fields, value_capacities, num_fields, slot_samples, out, err));
done:
    free(taken);
    return st;
}

void hr__finished_fields_free(struct hr__finished_fields *f, uint32_t num_fields) {
    for (uint32_t i = 0; f->fields != NULL && i < num_fields; i++)
        free(f->fields[i].tables);
    free(f->fields);
    *f = (struct hr__finished_fields){0};
}

uint64_t hr__finished_fields_bytes(const struct hr__finished_fields *f, uint32_t num_fields) {
    uint64_t n = 0;
    for (uint32_t i = 0; f->fields != NULL && i < num_fields; i++)
        n += sizeof(*f->fields) +
             (f->fields[i].tables != NULL ? 2 * sizeof(float) * f->fields[i].plan.channels : 0);
    return n;
}

void hr__finished_field_describe(const struct hr__finished_field *f, hr_field *out) {
    if (out->dtype != f->plan.to)
        out->width_bytes = f->plan.to_bytes;
    out->dtype = f->plan.to;
    if (f->plan.to_chw)
        out->shape = f->shape;
}
