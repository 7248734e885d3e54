/*
 * Classes of labels: a table of hashes that grows.
 */
#include "label_classes.h"

#include "dtype.h"
#include "error.h"
#include "hash.h"

#include <string.h>

#define FIRST_ROOM  256u
#define TABLE_TIMES 4u

static hr_status check_field(const hr_dataset *ds, uint32_t field, const hr_field *f,
                             hr_error *err) {
    const uint64_t label_bytes = hr_dataset_sample_bytes(ds, field);
    uint64_t elements = 1;
    hr_statistics s = {.struct_bytes = sizeof(s)};
    if (hr__dtype_is_variable(f->dtype))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "field %s has values of variable length, which this version does not "
                             "read; stratify by another",
                             f->name);
    if (f->dtype > HR_UINT64 && f->dtype != HR_FIXED_BYTES && f->dtype != HR_FIXED_UTF8)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s is %s, and labels to stratify by are integers, bool, or "
                             "fixed bytes or text; stratify by such a field",
                             f->name, hr_dtype_name(f->dtype));
    for (uint32_t d = 0; d < f->rank; d++)
        elements = f->shape[d] == 1 ? elements : 0;
    if (elements != 1 || label_bytes == 0 || label_bytes > HR__MAX_LABEL_BYTES)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s has %llu bytes a sample, and labels to stratify by are one "
                             "value of at most %u bytes; stratify by such a field",
                             f->name, (unsigned long long)label_bytes, HR__MAX_LABEL_BYTES);
    if (hr_dataset_statistics(ds, field, &s, NULL) == HR_OK && s.distinct_overflow)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s has more than %u different values; stratify by labels of "
                             "fewer classes",
                             f->name, HR__MAX_CLASSES);
    return HR_OK;
}

hr_status hr__label_classes_begin(const hr_dataset *ds, const char *field,
                                  struct hr__budget *budget, struct hr__label_classes *out,
                                  hr_error *err) {
    hr_field f;
    uint32_t number = 0;
    hr_status st;
    *out = (struct hr__label_classes){.budget = budget, .last = HR__MAX_CLASSES};
    HR_TRY(hr_dataset_find_field(ds, field, &number, err));
    HR_TRY(hr_dataset_field(ds, number, &f, err));
    HR_TRY(check_field(ds, number, &f, err));
    out->field_name = f.name;
    out->label_bytes = (uint32_t)hr_dataset_sample_bytes(ds, number);
done:
    return st;
}

static size_t room_bytes(const struct hr__label_classes *c) {
    return (size_t)c->room *
           (c->label_bytes + sizeof(*c->counts) + TABLE_TIMES * sizeof(*c->table));
}

void hr__label_classes_free(struct hr__label_classes *c) {
    if (c->budget != NULL) /* counts begin the one allocation */
        hr__budget_free(c->budget, c->counts, room_bytes(c));
    *c = (struct hr__label_classes){0};
}

static const uint8_t *label_of(const struct hr__label_classes *c, uint32_t class) {
    return c->labels + (size_t) class * c->label_bytes;
}

/* The slot of a label: its own, or the empty one where it would go. */
static uint32_t *slot_of(const struct hr__label_classes *c, const uint8_t *label) {
    const uint32_t mask = c->room * TABLE_TIMES - 1;
    uint32_t at = (uint32_t)hr__hash(label, c->label_bytes) & mask;
    while (c->table[at] != 0 && memcmp(label_of(c, c->table[at] - 1), label, c->label_bytes) != 0)
        at = (at + 1) & mask;
    return &c->table[at];
}

static hr_status grow(struct hr__label_classes *c, hr_error *err) {
    struct hr__label_classes more = *c;
    hr_status st;
    more.room = c->room > 0 ? 2 * c->room : FIRST_ROOM;
    more.counts = hr__budget_take(c->budget, room_bytes(&more), "classes of labels", &st, err);
    if (more.counts == NULL)
        return st;
    more.table = (uint32_t *)(void *)(more.counts + more.room);
    more.labels = (uint8_t *)(more.table + (size_t)more.room * TABLE_TIMES);
    if (c->num_classes > 0) {
        memcpy(more.counts, c->counts, c->num_classes * sizeof(*c->counts));
        memcpy(more.labels, c->labels, (size_t)c->num_classes * c->label_bytes);
    }
    for (uint32_t i = 0; i < c->num_classes; i++)
        *slot_of(&more, label_of(&more, i)) = i + 1;
    hr__label_classes_free(c);
    *c = more;
    return HR_OK;
}

static hr_status add_class(struct hr__label_classes *c, const uint8_t *label, hr_error *err) {
    if (c->num_classes == HR__MAX_CLASSES)
        return hr__error_set(err, HR_ERR_INVALID,
                             "field %s has more than %u different values; stratify by labels of "
                             "fewer classes",
                             c->field_name, HR__MAX_CLASSES);
    hr_status st = c->num_classes == c->room ? grow(c, err) : HR_OK;
    if (st != HR_OK)
        return st;
    c->last = c->num_classes;
    memcpy(c->labels + (size_t)c->num_classes * c->label_bytes, label, c->label_bytes);
    *slot_of(c, label) = ++c->num_classes;
    return HR_OK;
}

uint32_t hr__label_classes_find(struct hr__label_classes *c, const uint8_t *label) {
    if (c->num_classes == 0)
        return HR__MAX_CLASSES;
    if (c->last < c->num_classes && memcmp(label_of(c, c->last), label, c->label_bytes) == 0)
        return c->last;
    const uint32_t found = *slot_of(c, label);
    c->last = found != 0 ? found - 1 : HR__MAX_CLASSES;
    return c->last;
}

hr_status hr__label_classes_count(struct hr__label_classes *c, const uint8_t *label,
                                  hr_error *err) {
    hr_status st = HR_OK;
    if (hr__label_classes_find(c, label) == HR__MAX_CLASSES)
        st = add_class(c, label, err);
    if (st == HR_OK)
        c->counts[c->last]++;
    return st;
}
