/*
 * hr_split(): a data set falls into parts (split/1, docs/order.md, 10). Options come from a user,
 * labels from a file, through a loader that checks them.
 */
#include "checked.h"
#include "default_budget.h"
#include "error.h"
#include "label_classes.h"
#include "options.h"
#include "order_internal.h"
#include "size_text.h"
#include "split_sizes.h"
#include "subset.h"

#include "headrace/loader.h"

#include <stddef.h>
#include <string.h>

#define BLOCK_SAMPLES     256u
#define LABEL_BATCH_BYTES (256u << 10)

#define LEAST_BATCH_SAMPLES 256u

struct split {
    hr_dataset *ds;
    hr_split_options o;
    uint64_t num_samples;
    struct hr__budget budget; /* of what is not the parts' own */
    uint64_t sizes[HR__MAX_PARTS];
    uint64_t part_bytes; /* of all */
    struct hr__subset_maker makers[HR__MAX_PARTS];
    struct hr__label_classes classes;
    struct line *lines; /* of each class */
};

/* A class in the line-up. */
struct line {
    uint64_t first_place;
    uint64_t next_rank;
    struct hr__permutation places;
};

static hr_status options_resolve(const hr_split_options *opts, hr_split_options *o, hr_error *err) {
    *o = (hr_split_options)HR_SPLIT_OPTIONS_INIT;
    hr_status st = hr__options_copy(opts, offsetof(hr_split_options, reserved), o, sizeof(*o),
                                    "hr_split_options", err);
    if (st != HR_OK)
        return st;
    if ((o->flags & ~HR_SPLIT_CONTIGUOUS) != 0 || o->reserved != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_split_options has unknown flags %#x or a reserved member that is "
                             "not 0; leave them out, or use the Headrace that they were written "
                             "for",
                             o->flags & ~HR_SPLIT_CONTIGUOUS);
    if (o->num_fractions == 0 || o->num_fractions > HR__MAX_PARTS || o->fractions == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "%u fractions were given, expected 1 to %u",
                             o->fractions != NULL ? o->num_fractions : 0, HR__MAX_PARTS);
    if ((o->flags & HR_SPLIT_CONTIGUOUS) != 0 && o->stratify_field != NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "a contiguous split follows the order of the data set, so it cannot "
                             "be stratified by %s; leave one of the two out",
                             o->stratify_field);
    if (o->budget_bytes == 0)
        o->budget_bytes = hr_default_budget();
    return HR_OK;
}

static hr_status split_contiguous(const struct split *s, hr_subset **parts, hr_error *err) {
    uint64_t first = 0;
    for (uint32_t j = 0; j < s->o.num_fractions; j++) {
        hr_status st = hr__subset_range(s->ds, first, 1, s->sizes[j], &parts[j], err);
        if (st != HR_OK)
            return st;
        first += s->sizes[j];
    }
    return HR_OK;
}

/* Each part within what the others leave of the budget. */
static hr_status makers_begin(struct split *s, hr_error *err) {
    for (uint32_t j = 0; j < s->o.num_fractions; j++) {
        hr_status st = hr__subset_begin(s->ds, s->sizes[j], s->o.budget_bytes - s->part_bytes,
                                        &s->makers[j], err);
        if (st != HR_OK)
            return st;
        s->part_bytes += s->makers[j].subset->memory_bytes;
    }
    return HR_OK;
}

static void makers_finish(struct split *s, hr_subset **parts) {
    for (uint32_t j = 0; j < s->o.num_fractions; j++)
        parts[j] = hr__subset_finish(&s->makers[j]);
}

static void deal(struct split *s, uint64_t index, uint64_t place) {
    const uint32_t part = hr__split_deal(s->num_samples, s->sizes, s->o.num_fractions, place);
    if (part < s->o.num_fractions)
        hr__subset_add(&s->makers[part], index);
}

static void places_init(const struct split *s, uint64_t class, uint64_t num_samples,
                        struct hr__permutation *out) {
    hr__permutation_init(out, num_samples, hr__order_key(s->o.seed, 0, HR__KEY_SPLIT, 0, class));
}

static void split_drawn(struct split *s) {
    struct hr__permutation places;
    uint64_t block[BLOCK_SAMPLES];
    places_init(s, 0, s->num_samples, &places);
    for (uint64_t i = 0; i < s->num_samples; i += BLOCK_SAMPLES) {
        const uint64_t left = s->num_samples - i, n = left < BLOCK_SAMPLES ? left : BLOCK_SAMPLES;
        hr__permutation_range(&places, i, n, block);
        for (uint64_t k = 0; k < n; k++)
            deal(s, i + k, block[k]);
    }
}

/* ---- stratified ---- */

static hr_status lines_make(struct split *s, hr_error *err) {
    const struct hr__label_classes *c = &s->classes;
    hr_status st;
    uint64_t first = 0;
    s->lines = hr__budget_take_raw(&s->budget, c->num_classes * sizeof(*s->lines),
                                   "classes of labels", &st, err);
    if (s->lines == NULL)
        return st;
    for (uint32_t x = 0; x < c->num_classes; x++) {
        s->lines[x].first_place = first;
        s->lines[x].next_rank = 0;
        places_init(s, x, c->counts[x], &s->lines[x].places);
        first += c->counts[x];
    }
    return HR_OK;
}

static hr_status count_labels(struct split *s, const uint8_t *labels, uint32_t n, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t k = 0; k < n && st == HR_OK; k++)
        st = hr__label_classes_count(&s->classes, labels + (size_t)k * s->classes.label_bytes, err);
    return st;
}

static hr_status deal_labels(struct split *s, uint64_t index, const uint8_t *labels, uint32_t n,
                             hr_error *err) {
    for (uint32_t k = 0; k < n; k++) {
        const uint8_t *label = labels + (size_t)k * s->classes.label_bytes;
        const uint32_t x = hr__label_classes_find(&s->classes, label);
        if (x == HR__MAX_CLASSES || s->lines[x].next_rank == s->classes.counts[x])
            return hr__error_set(err, HR_ERR_CORRUPT,
                                 "%s: field %s was read twice, with different values; run headrace "
                                 "verify",
                                 hr__dataset_name(s->ds), s->classes.field_name);
        struct line *line = &s->lines[x];
        deal(s, index + k,
             line->first_place + hr__permutation_apply(&line->places, line->next_rank++));
    }
    return HR_OK;
}

/* One reading of all labels, in their order. */
static hr_status read_labels(struct split *s, hr_loader *l, bool dealing, hr_error *err) {
    uint64_t index = 0;
    hr_batch *b = NULL;
    hr_status st;
    while ((st = hr_loader_next(l, -1, &b, err)) == HR_OK) {
        const uint32_t n = hr_batch_num_samples(b);
        const uint8_t *labels = hr_batch_data(b, 0);
        st = dealing ? deal_labels(s, index, labels, n, err) : count_labels(s, labels, n, err);
        hr_batch_release(b);
        if (st != HR_OK)
            return st;
        index += n;
    }
    return st == HR_END_OF_EPOCH ? HR_OK : st;
}

/* Half of what the parts leave of the budget is for reading, the other for the classes. Where that
 * is too little, batches are smaller, which makes no difference to the parts, then one thread reads
 * with most of it. */
static hr_status labels_open(struct split *s, hr_loader **out, hr_error *err) {
    const uint64_t left = s->o.budget_bytes - s->part_bytes;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_status st;
    o.batch_samples = LABEL_BATCH_BYTES / s->classes.label_bytes;
    o.num_epochs = 2;
    o.fields = &s->o.stratify_field;
    o.num_fields = 1;
    o.budget_bytes = left / 2 + 1; /* 0 would be the default */
    while ((st = hr_loader_open(s->ds, &o, out, err)) == HR_ERR_BUDGET && o.num_threads != 1) {
        if (o.batch_samples > LEAST_BATCH_SAMPLES) {
            o.batch_samples = (uint32_t)hr__max_u64(o.batch_samples / 8, LEAST_BATCH_SAMPLES);
        } else {
            o.num_threads = 1;
            o.budget_bytes = left - left / 8 + 1;
        }
    }
    hr__budget_init(&s->budget, left + 1 - o.budget_bytes);
    if (st == HR_ERR_BUDGET)
        hr__error_prefix(err,
                         "of the budget of %s, %s are for reading labels: what the parts leave, "
                         "but for an eighth",
                         hr__size_text(s->o.budget_bytes).text, hr__size_text(o.budget_bytes).text);
    return st;
}

static hr_status split_stratified(struct split *s, hr_error *err) {
    hr_loader *l = NULL;
    hr_status st;
    HR_TRY(hr__label_classes_begin(s->ds, s->o.stratify_field, &s->budget, &s->classes, err));
    HR_TRY(labels_open(s, &l, err));
    HR_TRY(read_labels(s, l, false, err));
    HR_TRY(lines_make(s, err));
    HR_TRY(read_labels(s, l, true, err));
done:
    hr_loader_close(l);
    if (s->lines != NULL)
        hr__budget_free(&s->budget, s->lines, s->classes.num_classes * sizeof(*s->lines));
    hr__label_classes_free(&s->classes);
    hr__budget_close(&s->budget);
    return st;
}

static hr_status split_run(struct split *s, hr_subset **parts, hr_error *err) {
    hr_status st;
    HR_TRY(hr__split_sizes(s->num_samples, s->o.fractions, s->o.num_fractions, s->sizes, err));
    if ((s->o.flags & HR_SPLIT_CONTIGUOUS) != 0)
        return split_contiguous(s, parts, err);
    HR_TRY(makers_begin(s, err));
    if (s->o.stratify_field != NULL)
        HR_TRY(split_stratified(s, err));
    else
        split_drawn(s);
    makers_finish(s, parts);
done:
    return st;
}

hr_status hr_split(hr_dataset *ds, const hr_split_options *opts, hr_subset **parts, hr_error *err) {
    struct split s = {.ds = ds};
    if (ds == NULL || parts == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_split: ds and parts must not be NULL");
    hr_status st = options_resolve(opts, &s.o, err);
    if (s.o.num_fractions <= HR__MAX_PARTS)
        memset(parts, 0, s.o.num_fractions * sizeof(*parts));
    if (st != HR_OK)
        return st;
    s.num_samples = hr_dataset_num_samples(ds);
    st = split_run(&s, parts, err);
    for (uint32_t j = 0; j < s.o.num_fractions; j++) {
        hr__subset_abandon(&s.makers[j]);
        if (st != HR_OK) {
            hr_subset_free(parts[j]);
            parts[j] = NULL;
        }
    }
    if (st != HR_OK)
        hr__dataset_name_error(ds, err);
    return st;
}
