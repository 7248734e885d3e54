/*
 * Loaders that finish: seeded data sets of every type, with any finishing of each field, order,
 * end, ranks, threads, budget and number of batches held, with a resume in the middle of the epoch,
 * against each value by itself. A hand-over that loses a batch would stall: every batch must come
 * within a time limit.
 */
#include "finish_elements.h"
#include "made_dataset.h"
#include "order_cases.h"

#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_SETS   30u
#define NUM_EPOCHS 2u
#define MAX_HELD   3u
#define NUM_FIELDS 6u
#define MOST_AXIS  12u
#define LIMIT_NS   ((int64_t)20000000000)

struct column {
    const char *name;
    hr_dtype dtype;
    uint32_t rank;
    uint64_t shape[3];
    uint64_t elements, bytes; /* of a sample */
    uint8_t *data;
};

struct subject {
    struct column columns[NUM_FIELDS];
    uint64_t num_samples;
    hr_dataset *ds;
    hr_loader_options o;
    hr_finish finish[NUM_FIELDS];
    float scale[NUM_FIELDS][MOST_AXIS], shift[NUM_FIELDS][MOST_AXIS];
    uint64_t random;
};

static void columns_make(struct subject *s) {
    uint64_t *r = &s->random;
    const struct column kinds[NUM_FIELDS] = {
        {"y", HR_INT64, 0, {0}, 0, 0, NULL},   {"u", HR_UINT8, 3, {0}, 0, 0, NULL},
        {"i", HR_INT16, 2, {0}, 0, 0, NULL},   {"h", HR_FLOAT16, 1, {0}, 0, 0, NULL},
        {"f", HR_FLOAT32, 3, {0}, 0, 0, NULL}, {"d", HR_FLOAT64, 3, {0}, 0, 0, NULL}};
    memcpy(s->columns, kinds, sizeof(kinds));
    for (uint32_t k = 0; k < NUM_FIELDS; k++) {
        struct column *c = &s->columns[k];
        c->elements = 1;
        for (uint32_t a = 0; a < c->rank; a++)
            c->elements *= c->shape[a] = case_between(r, 1, a == 2 ? 5 : MOST_AXIS);
        c->bytes = c->elements * hr_dtype_bytes(c->dtype);
        c->data = malloc(s->num_samples * c->bytes + 8);
        for (uint64_t i = 0; i < s->num_samples * c->bytes; i++)
            c->data[i] = (uint8_t)case_random(r);
        for (uint64_t i = 0; c->dtype == HR_FLOAT64 && i < s->num_samples * c->elements; i++)
            ((double *)c->data)[i] = (double)hr__bits_float((uint32_t)case_random(r)) / 3;
    }
}

static void subject_open(struct subject *s, uint64_t number) {
    hr_error err = {0};
    hr_writer *writer = NULL;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_field fields[NUM_FIELDS];
    const void *data[NUM_FIELDS];
    *s = (struct subject){.random = (number + 1) * 0x9e3779b97f4a7c15u};
    s->num_samples = 1 + case_random(&s->random) % 300;
    columns_make(s);
    for (uint32_t k = 0; k < NUM_FIELDS; k++) {
        const struct column *c = &s->columns[k];
        fields[k] =
            (hr_field){.name = c->name, .dtype = c->dtype, .rank = c->rank, .shape = c->shape};
        data[k] = c->data;
    }
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = case_between(&s->random, 1, 40);
    o.num_threads = 2;
    made_ok(hr_writer_open(made_path("set.hrd"), fields, NUM_FIELDS, &o, &writer, &err), &err);
    made_ok(hr_writer_append(writer, s->num_samples, data, &err), &err);
    made_ok(hr_writer_commit(writer, &err), &err);
    hr_writer_close(writer);
    made_ok(hr_dataset_open(made_path("set.hrd"), NULL, &s->ds, &err), &err);
}

static void subject_close(struct subject *s) {
    hr_dataset_close(s->ds);
    for (uint32_t k = 0; k < NUM_FIELDS; k++)
        free(s->columns[k].data);
}

static uint64_t last_axis(const struct column *c) {
    return c->rank > 0 ? c->shape[c->rank - 1] : 1;
}

static bool is_float(hr_dtype t) {
    return t >= HR_FLOAT16 && t <= HR_FLOAT64;
}

/* The scale and shift of the field's statistics; false: there are none. */
static bool standardized(const struct subject *s, uint32_t k, float *scale, float *shift) {
    hr_statistics st = {.struct_bytes = sizeof(st)};
    assert_int_equal(hr_dataset_statistics(s->ds, k, &st, NULL), HR_OK);
    *scale = (float)(1 / st.std);
    *shift = (float)(-st.mean / st.std);
    return st.has_moments && isfinite(*scale) && isfinite(*shift) && *scale != 0;
}

/* Any finishing that the field allows; false: none. */
static bool choose_finish(struct subject *s, uint32_t k, hr_finish *out) {
    static const hr_dtype targets[] = {(hr_dtype)0, HR_FLOAT16, HR_BFLOAT16, HR_FLOAT32};
    const struct column *c = &s->columns[k];
    uint64_t *r = &s->random;
    *out = (hr_finish)HR_FINISH_INIT;
    out->field = c->name;
    if (c->rank == 3 && case_random(r) % 2)
        out->flags |= HR_FINISH_CHW;
    if (c->dtype != HR_INT64) /* which is in no cast */
        out->dtype = targets[case_random(r) % 4];
    const hr_dtype to = out->dtype != 0 ? out->dtype : c->dtype;
    const bool scales = to == HR_FLOAT16 || to == HR_BFLOAT16 || to == HR_FLOAT32;
    const uint64_t how = scales ? case_random(r) % 5 : 0;
    float scale, shift;
    if (how == 4 && standardized(s, k, &scale, &shift)) {
        out->flags |= HR_FINISH_STANDARDIZE;
    } else if (how % 4 != 0) {
        out->num_channels = case_random(r) % 2 ? 1 : (uint32_t)last_axis(c);
        out->scale = how & 1 ? s->scale[k] : NULL;
        out->shift = how & 2 ? s->shift[k] : NULL;
    }
    if (is_float(to) && case_random(r) % 2)
        out->flags |= HR_FINISH_CHECK_FINITE;
    return case_random(r) % 4 != 0;
}

/* All of it is found in finish[k]; field "": not finished. */
static void choose_all(struct subject *s, hr_finish *given) {
    s->o.num_finish = 0;
    for (uint32_t k = 0; k < NUM_FIELDS; k++) {
        for (uint32_t c = 0; c < MOST_AXIS; c++) {
            s->scale[k][c] = (float)case_random(&s->random) / 0x1p44f;
            s->shift[k][c] = (float)case_random(&s->random) / 0x1p40f - 100;
        }
        if (choose_finish(s, k, &s->finish[k]))
            given[s->o.num_finish++] = s->finish[k];
        else
            s->finish[k] = (hr_finish){.field = ""};
    }
    s->o.finish = given;
}

/* Element e of a sample as it should be delivered, at out. */
static void one_value(const struct subject *s, uint32_t k, const uint8_t *sample, uint64_t e,
                      hr_dtype to, void *out) {
    const struct column *c = &s->columns[k];
    const hr_finish *f = &s->finish[k];
    const bool moved = to == c->dtype && f->scale == NULL && f->shift == NULL &&
                       (f->flags & HR_FINISH_STANDARDIZE) == 0;
    if (moved) {
        memcpy(out, sample + e * hr_dtype_bytes(to), hr_dtype_bytes(to));
        return;
    }
    const uint64_t channel = f->num_channels > 1 ? e % last_axis(c) : 0;
    float scale = f->scale != NULL ? f->scale[channel] : 1;
    float shift = f->shift != NULL ? f->shift[channel] : -0.0f;
    if ((f->flags & HR_FINISH_STANDARDIZE) != 0)
        assert_true(standardized(s, k, &scale, &shift));
    volatile float y = hr__value_load(c->dtype, sample, e);
    y = y * scale;
    y = y + shift;
    hr__value_store(to, out, 0, y);
}

static void count_bad(hr_dtype to, const uint8_t *value, uint64_t row, hr_bad_values *bad) {
    const uint64_t magnitude = hr__magnitude(to, value, 0);
    bad->num_nan += magnitude > hr__infinity(to);
    bad->num_inf += magnitude == hr__infinity(to);
    if (magnitude >= hr__infinity(to) && bad->first_sample == UINT64_MAX) {
        bad->first_row = (uint32_t)row;
        bad->first_sample = 0; /* filled by the caller */
    }
}

static void check_shape(const struct subject *s, uint32_t k, const hr_batch *b, hr_dtype to) {
    const struct column *c = &s->columns[k];
    hr_field field;
    assert_int_equal(hr_batch_field(b, k, &field, NULL), HR_OK);
    assert_int_equal(field.dtype, to);
    assert_int_equal(field.rank, c->rank);
    const bool chw = (s->finish[k].flags & HR_FINISH_CHW) != 0;
    for (uint32_t a = 0; a < c->rank; a++)
        assert_int_equal(field.shape[a], c->shape[chw ? (a + 2) % 3 : a]);
}

/* The values of a field, and what is said of them. */
static void check_field(const struct subject *s, uint32_t k, const hr_batch *b,
                        const uint64_t *indices, hr_bad_values *sum) {
    const struct column *c = &s->columns[k];
    const hr_finish *f = &s->finish[k];
    const hr_dtype to = f->dtype != 0 ? f->dtype : c->dtype;
    const uint32_t to_bytes = hr_dtype_bytes(to);
    const bool chw = (f->flags & HR_FINISH_CHW) != 0, checked = f->flags & HR_FINISH_CHECK_FINITE;
    const uint8_t *data = hr_batch_data(b, k);
    hr_bad_values bad = {.first_sample = UINT64_MAX}, told = {.struct_bytes = sizeof(told)};
    check_shape(s, k, b, to);
    assert_int_equal((uintptr_t)data % 256, 0);
    for (uint32_t row = 0; row < hr_batch_num_samples(b); row++)
        for (uint64_t e = 0; e < c->elements; e++) {
            uint8_t value[8];
            const uint64_t place =
                chw ? hr__chw_place(e, c->shape[0] * c->shape[1], (uint32_t)c->shape[2]) : e;
            one_value(s, k, c->data + indices[row] * c->bytes, e, to, value);
            assert_memory_equal(data + (row * c->elements + place) * to_bytes, value, to_bytes);
            if (checked)
                count_bad(to, value, row, &bad);
        }
    if (bad.first_sample != UINT64_MAX)
        bad.first_sample = indices[bad.first_row];
    assert_int_equal(hr_batch_bad_values(b, k, &told, NULL), HR_OK);
    assert_int_equal(told.checked, checked);
    assert_int_equal(told.num_nan, bad.num_nan);
    assert_int_equal(told.num_inf, bad.num_inf);
    assert_int_equal(told.first_row, bad.first_row);
    assert_true(told.first_sample == bad.first_sample);
    sum->num_nan += bad.num_nan;
    sum->num_inf += bad.num_inf;
    if (sum->first_sample == UINT64_MAX && bad.first_sample != UINT64_MAX) {
        sum->first_sample = bad.first_sample;
        sum->first_epoch = hr_batch_epoch(b);
        sum->first_batch = hr_batch_number(b);
    }
}

static void check_batch(const struct subject *s, const hr_batch *b, hr_bad_values *sums) {
    uint64_t indices[256];
    assert_int_equal(hr_batch_indices(b, indices, NULL), HR_OK);
    for (uint32_t k = 0; k < NUM_FIELDS; k++)
        check_field(s, k, b, indices, &sums[k]);
}

static void check_sums(hr_loader *l, const hr_bad_values *sums) {
    for (uint32_t k = 0; k < NUM_FIELDS; k++) {
        hr_bad_values told = {.struct_bytes = sizeof(told)};
        assert_int_equal(hr_loader_bad_values(l, k, &told, NULL), HR_OK);
        assert_int_equal(told.num_nan, sums[k].num_nan);
        assert_int_equal(told.num_inf, sums[k].num_inf);
        assert_true(told.first_sample == sums[k].first_sample);
        assert_int_equal(told.first_epoch, sums[k].first_epoch);
        assert_int_equal(told.first_batch, sums[k].first_batch);
    }
}

/* What it reserves is what it said, and what the process is charged with. */
static hr_loader *open_checked(struct subject *s, hr_error *err) {
    hr_loader *l = NULL;
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    made_ok(hr_loader_open(s->ds, &s->o, &l, err), err);
    made_ok(hr_loader_describe(l, &info, err), err);
    assert_int_equal(info.reserved_bytes, hr_memory_in_use());
    assert_true(info.reserved_bytes <= info.budget_bytes);
    return l;
}

/* Up to so many batches, holding as many as it may; returns how many came. */
static uint64_t run_loader(struct subject *s, hr_loader *l, uint64_t most_batches) {
    hr_error err = {0};
    hr_batch *held[MAX_HELD];
    uint32_t num_held = 0;
    bool ended = false;
    uint64_t num_batches = 0;
    hr_bad_values sums[NUM_FIELDS], again[NUM_FIELDS];
    for (uint32_t k = 0; k < NUM_FIELDS; k++)
        sums[k] = again[k] = (hr_bad_values){.first_sample = UINT64_MAX};
    while (num_batches < most_batches) {
        if (num_held == s->o.max_held_batches) {
            const uint32_t which = (uint32_t)(case_random(&s->random) % num_held);
            check_batch(s, held[which], again); /* nobody wrote to it meanwhile */
            hr_batch_release(held[which]);
            held[which] = held[--num_held];
        }
        const hr_status st = hr_loader_next(l, LIMIT_NS, &held[num_held], &err);
        if (st == HR_END_OF_EPOCH) {
            if (ended)
                break;
            ended = true;
            continue;
        }
        made_ok(st, &err);
        ended = false;
        check_batch(s, held[num_held++], sums);
        num_batches++;
    }
    check_sums(l, sums);
    return num_batches;
}

static void check_rank(struct subject *s) {
    hr_error err = {0};
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    hr_finish given[NUM_FIELDS];
    uint8_t state[HR_LOADER_STATE_BYTES];
    size_t state_bytes = 0;
    choose_all(s, given);
    s->o.max_held_batches = 1 + (uint32_t)(case_random(&s->random) % MAX_HELD);
    s->o.num_threads = 1 + (uint32_t)(case_random(&s->random) % 4);
    s->o.budget_bytes = (uint64_t)64 << 20;
    s->o.resume_state = NULL;
    made_ok(hr_loader_plan_make(s->ds, &s->o, &plan, &err), &err);
    if (case_random(&s->random) % 2)
        s->o.budget_bytes = plan.smallest_budget_bytes;
    hr_loader *l = open_checked(s, &err);
    memset(given, 0, sizeof(given)); /* was copied */
    const uint64_t all = plan.batches_per_epoch * NUM_EPOCHS, some = case_random(&s->random) % all;
    assert_int_equal(run_loader(s, l, some), some);
    made_ok(hr_loader_state(l, state, sizeof(state), &state_bytes, &err), &err);
    hr_loader_close(l); /* with batches held */
    s->o.resume_state = state;
    s->o.resume_state_bytes = state_bytes;
    const uint64_t told = some > 0 ? (some - 1) / plan.batches_per_epoch : 0; /* ends of epochs */
    s->o.num_epochs = NUM_EPOCHS - told;
    s->o.num_finish = 0;
    for (uint32_t k = 0; k < NUM_FIELDS; k++)
        if (s->finish[k].field[0] != '\0')
            given[s->o.num_finish++] = s->finish[k];
    l = open_checked(s, &err);
    assert_int_equal(run_loader(s, l, UINT64_MAX), all - some);
    hr_loader_close(l);
    s->o.num_epochs = NUM_EPOCHS;
}

static void loader__any_finishing__delivers_each_value_finished(void **state) {
    (void)state;
    static const uint32_t flags[] = {0, HR_LOADER_DROP_LAST, HR_LOADER_PAD_LAST};
    for (uint64_t number = 0; number < NUM_SETS; number++) {
        struct subject s;
        hr_error err = {0};
        hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
        subject_open(&s, number);
        s.o = (hr_loader_options)HR_LOADER_OPTIONS_INIT;
        s.o.num_streams = s.num_samples > 160 ? 1 + (uint32_t)(case_random(&s.random) % 2) : 1;
        s.o.flags = flags[case_random(&s.random) % 3] |
                    (case_random(&s.random) % 3 != 0 ? HR_LOADER_SHUFFLE : 0);
        s.o.batch_samples = s.o.num_streams * case_between(&s.random, 1, 40);
        s.o.seed = case_random(&s.random);
        s.o.num_epochs = NUM_EPOCHS;
        s.o.world_size = s.o.num_streams;
        for (s.o.rank = 0; s.o.rank < s.o.world_size; s.o.rank++)
            if (hr_loader_plan_make(s.ds, &s.o, &plan, &err) == HR_OK)
                check_rank(&s);
        subject_close(&s);
    }
}

/* Every value, and what is said of those that are infinite: some in about half of the rows. */
static void check_large(const hr_batch *b, const struct made *m, float scale) {
    const float *w = hr_batch_data_by_name(b, "w");
    const int64_t *y = hr_batch_data_by_name(b, "y");
    hr_bad_values bad = {.struct_bytes = sizeof(bad)};
    uint64_t num_inf = 0, first_row = UINT64_MAX;
    for (uint64_t i = 0; i < hr_batch_num_samples(b); i++)
        for (uint32_t k = 0; k < m->row_words; k++) {
            const float value = made_word((uint64_t)y[i], k) * scale;
            if (w[i * m->row_words + k] != value)
                fail_msg("sample %d, value %u", (int)y[i], k);
            num_inf += isinf(value) != 0;
            if (isinf(value) && first_row == UINT64_MAX)
                first_row = i;
        }
    assert_int_equal(hr_batch_bad_values(b, 2, &bad, NULL), HR_OK);
    assert_int_equal(bad.num_inf, num_inf);
    assert_true(num_inf > 0 && bad.first_row == first_row);
    assert_int_equal(bad.first_sample, y[first_row]);
}

/* Many parts, several workers at one batch, and a program whose threads round otherwise. */
static void loader__large_batches_by_many_threads__are_finished_by_parts(void **state) {
    (void)state;
    const struct made m = {600, 16, 1, 8000, HR_CODEC_ZSTD, HR_FILTER_NONE};
    static const float scale[1] = {1.48e35f}; /* of large values, infinite */
    hr_finish f = HR_FINISH_INIT;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_error err = {0};
    made_write(made_path("large.hrd"), &m);
    made_ok(hr_dataset_open(made_path("large.hrd"), NULL, &ds, &err), &err);
    f.field = "w";
    f.flags = HR_FINISH_CHECK_FINITE;
    f.scale = scale;
    f.num_channels = 1;
    o.batch_samples = 150;
    o.flags = HR_LOADER_SHUFFLE;
    o.num_threads = 4;
    o.num_epochs = 2;
    o.budget_bytes = (uint64_t)256 << 20;
    o.finish = &f;
    o.num_finish = 1;
    assert_int_equal(fesetround(FE_TOWARDZERO), 0);
    hr_status st = hr_loader_open(ds, &o, &l, &err);
    assert_int_equal(fesetround(FE_TONEAREST), 0);
    made_ok(st, &err);
    for (uint32_t n = 0; n < 8;) {
        st = hr_loader_next(l, LIMIT_NS, &b, &err);
        if (st == HR_END_OF_EPOCH)
            continue;
        made_ok(st, &err);
        n++;
        check_large(b, &m, scale[0]);
        hr_batch_release(b);
    }
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_loader_report_info report = {.struct_bytes = sizeof(report)};
    char text[2048];
    made_ok(hr_loader_describe(l, &info, &err), &err);
    made_ok(hr_loader_report(l, &report, &err), &err);
    assert_true(info.finish_ns > 0);
    assert_true(report.finish_ns == info.finish_ns && report.finish_ns <= report.thread_ns);
    assert_true(hr_loader_report_text(&report, text, sizeof(text)) < sizeof(text));
    assert_non_null(strstr(text, "finishing"));
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader__any_finishing__delivers_each_value_finished),
        cmocka_unit_test(loader__large_batches_by_many_threads__are_finished_by_parts),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
