/*
 * Every allocation of the format's own code fails in turn (link-time --wrap; not those inside
 * jansson, which does not survive all of them: see format/json_text.c): HR_ERR_NO_MEMORY with a
 * message, nothing half-built, no leak.
 */
#include "footer.h"
#include "hash.h"
#include "headrace/writer.h"
#include "json_text.h"
#include "statistics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static long allocations_left = -1; /* negative: none fails */

static bool may_allocate(void) {
    if (allocations_left > 0)
        allocations_left--;
    else if (allocations_left == 0)
        return false;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n) {
    return may_allocate() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t n) {
    return may_allocate() ? __real_realloc(p, n) : NULL;
}

void *__wrap_aligned_alloc(size_t align, size_t n) {
    return may_allocate() ? __real_aligned_alloc(align, n) : NULL;
}

static const uint64_t shape[] = {2, 3};
static const hr_field fields[] = {
    {.name = "x",
     .dtype = HR_FLOAT32,
     .rank = 2,
     .shape = shape,
     .attributes_json = "{\"unit\": \"m\", \"scale\": [1.5, 9007199254740993]}"},
    {.name = "word", .dtype = HR_FIXED_UTF8, .width_bytes = 4},
    {.name = "y", .dtype = HR_INT64},
};
#define NUM_FIELDS 3u

/* What the cases work on, made without failures. */
struct material {
    struct hr__footer footer;
    struct hr__segment segment;
    struct hr__index_page_ref page;
    struct hr__superblock sb;
    uint8_t *bytes;
    size_t n_bytes;
    char *json;
    size_t json_bytes;
};

static struct hr__statistics *labels_make(void) {
    static const int64_t labels[] = {3, 3, 1, 1, 0, 0, 700, INT64_MIN, -1};
    struct hr__statistics *s = hr__statistics_new(HR_INT64, true);
    assert_non_null(s);
    assert_int_equal(hr__statistics_add(s, labels, 0, 9, 1, NULL), HR_OK);
    return s;
}

static void material_make(struct material *m) {
    *m = (struct material){.segment = {.num_chunks = 1, .num_samples = 5},
                           .page = {.off = HR__DATA_OFF}};
    struct hr__footer *f = &m->footer;
    assert_int_equal(hr__schema_make(fields, NUM_FIELDS, 8, &f->schema, NULL), HR_OK);
    f->schema.fields[2].statistics = labels_make();
    f->schema.fields[0].storage = (struct hr__storage){.codec = HR__CODEC_ZSTD,
                                                       .filter = HR__FILTER_DELTA_BYTE_SHUFFLE,
                                                       .element_bytes = 4,
                                                       .distance_bytes = 12,
                                                       .level = 1};
    f->commit_seq = f->num_chunks = f->num_segments = f->num_index_pages = f->max_chunk_pages = 1;
    f->num_samples = 5;
    f->segments = &m->segment;
    f->index_pages = &m->page;
    assert_int_equal(hr__footer_encode(f, &m->bytes, &m->n_bytes, NULL), HR_OK);
    assert_int_equal(hr__schema_print(&f->schema, &m->json, &m->json_bytes, NULL), HR_OK);
    m->sb = (struct hr__superblock){.commit_seq = 1,
                                    .footer_off = HR__DATA_OFF,
                                    .footer_bytes = m->n_bytes,
                                    .footer_hash = hr__hash(m->bytes, m->n_bytes),
                                    .file_bytes = UINT64_C(1) << 30};
}

static void material_free(struct material *m) {
    hr__schema_free(&m->footer.schema);
    free(m->bytes);
    free(m->json);
}

typedef hr_status (*work)(const struct material *m, hr_error *err);

/* least: allocations that the work surely makes. */
static void each_allocation_fails(work run, long least) {
    struct material m;
    hr_status st = HR_ERR_NO_MEMORY;
    long n = 0;
    material_make(&m);
    for (; st != HR_OK; n++) {
        hr_error err = {.status = HR_OK};
        allocations_left = n;
        st = run(&m, &err);
        allocations_left = -1;
        if (st != HR_OK && st != HR_ERR_NO_MEMORY)
            fail_msg("allocation %ld: %s: %s", n, hr_status_name(st), err.message);
        assert_int_equal(err.status, st);
        assert_true(st == HR_OK || err.message[0] != '\0');
    }
    assert_true(n > least);
    material_free(&m);
}

static hr_status footer_encode(const struct material *m, hr_error *err) {
    uint8_t *bytes = (uint8_t *)1;
    size_t n_bytes = 0;
    hr_status st = hr__footer_encode(&m->footer, &bytes, &n_bytes, err);
    if (st == HR_OK) {
        assert_int_equal(n_bytes, m->n_bytes);
        assert_memory_equal(bytes, m->bytes, n_bytes);
        free(bytes);
    } else {
        assert_null(bytes);
    }
    return st;
}

static hr_status footer_decode(const struct material *m, hr_error *err) {
    struct hr__footer f;
    hr_status st = hr__footer_decode(m->bytes, m->n_bytes, &m->sb, &f, err);
    assert_true(st == HR_OK || (f.segments == NULL && f.schema.fields == NULL));
    hr__footer_free(&f);
    return st;
}

static hr_status schema_make(const struct material *m, hr_error *err) {
    struct hr__schema s;
    (void)m;
    hr_status st = hr__schema_make(fields, NUM_FIELDS, 8, &s, err);
    assert_true(st == HR_OK || s.fields == NULL);
    hr__schema_free(&s);
    return st;
}

static hr_status schema_parse(const struct material *m, hr_error *err) {
    struct hr__schema s;
    hr_status st = hr__schema_parse(m->json, m->json_bytes, 8, &s, err);
    assert_true(st == HR_OK || s.fields == NULL);
    hr__schema_free(&s);
    return st;
}

static hr_status schema_print(const struct material *m, hr_error *err) {
    char *json = NULL;
    size_t n_bytes = 0;
    hr_status st = hr__schema_print(&m->footer.schema, &json, &n_bytes, err);
    if (st == HR_OK)
        assert_string_equal(json, m->json);
    else
        assert_null(json);
    free(json);
    return st;
}

static hr_status schema_print_job(const struct material *m, hr_error *err) {
    char *json = NULL;
    size_t n_bytes = 0;
    hr_status st = hr__schema_print_job(&m->footer.schema, "{\"level\": 3}",
                                        "[{\"path\": \"x.npy\"}]", &json, &n_bytes, err);
    assert_true((st == HR_OK) == (json != NULL));
    free(json);
    return st;
}

static hr_status json_member(const struct material *m, hr_error *err) {
    char *text = NULL;
    hr_status st = hr__json_member(m->json, m->json_bytes, "fields", &text, err);
    assert_true((st == HR_OK) == (text != NULL));
    free(text);
    return st;
}

/* Enough values for the set of distinct ones to grow. */
static hr_status statistics_collect(const struct material *m, hr_error *err) {
    int64_t labels[500];
    (void)m;
    for (int i = 0; i < 500; i++)
        labels[i] = i / 2;
    struct hr__statistics *a = hr__statistics_new(HR_INT64, true);
    struct hr__statistics *b = hr__statistics_new(HR_INT64, true);
    hr_status st = HR_ERR_NO_MEMORY;
    if (a != NULL && b != NULL)
        st = hr__statistics_add(a, labels, 0, 500, 1, err);
    else
        *err = (hr_error){.status = st, .message = "no accumulator"};
    if (st == HR_OK)
        st = hr__statistics_merge(b, a, err);
    hr__statistics_free(a);
    hr__statistics_free(b);
    return st;
}

static hr_status statistics_json(const struct material *m, hr_error *err) {
    struct hr__statistics *again = NULL;
    hr_status st = HR_ERR_NO_MEMORY;
    json_t *json = hr__statistics_to_json(m->footer.schema.fields[2].statistics, true);
    if (json != NULL)
        st = hr__statistics_from_json(json, HR_INT64, true, &again, err);
    else
        *err = (hr_error){.status = st, .message = "no JSON"};
    assert_true((st == HR_OK) == (again != NULL));
    hr__statistics_free(again);
    json_decref(json);
    return st;
}

#define CASE(run, least)                                                                           \
    static void run##__each_allocation_fails__is_no_memory(void **state) {                         \
        (void)state;                                                                               \
        each_allocation_fails(run, least);                                                         \
    }

CASE(footer_encode, 3)
CASE(footer_decode, 10)
CASE(schema_make, 6)
CASE(schema_parse, 8)
CASE(schema_print, 2)
CASE(schema_print_job, 3)
CASE(json_member, 1)
CASE(statistics_collect, 4)
CASE(statistics_json, 2)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footer_encode__each_allocation_fails__is_no_memory),
        cmocka_unit_test(footer_decode__each_allocation_fails__is_no_memory),
        cmocka_unit_test(schema_make__each_allocation_fails__is_no_memory),
        cmocka_unit_test(schema_parse__each_allocation_fails__is_no_memory),
        cmocka_unit_test(schema_print__each_allocation_fails__is_no_memory),
        cmocka_unit_test(schema_print_job__each_allocation_fails__is_no_memory),
        cmocka_unit_test(json_member__each_allocation_fails__is_no_memory),
        cmocka_unit_test(statistics_collect__each_allocation_fails__is_no_memory),
        cmocka_unit_test(statistics_json__each_allocation_fails__is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
