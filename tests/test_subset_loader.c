/*
 * Loaders over subsets: what they share with others and what they refuse. That they deliver the
 * right samples in the right order is in test_subset_golden.c and test_loader_properties.c.
 */
#include "dataset.h"
#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT_NS ((int64_t)20000000000)

static const struct made set = {2000, 50, 40, 4, HR_CODEC_RAW, HR_FILTER_NONE};
static hr_dataset *data;

static hr_dataset *open_set(const char *name) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    made_ok(hr_dataset_open(made_path(name), NULL, &ds, &err), &err);
    return ds;
}

static hr_subset *every(uint64_t step, uint64_t first) {
    hr_subset *s = NULL;
    hr_error err = {0};
    made_ok(hr_subset_from_range(data, first, UINT64_MAX, step, &s, &err), &err);
    return s;
}

static hr_loader_options options(hr_subset *s) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 20;
    o.window_visits = 3;
    o.num_threads = 2;
    o.num_epochs = 1;
    o.io = HR_IO_CACHED;
    o.budget_bytes = (uint64_t)64 << 20;
    o.subset = s;
    return o;
}

static hr_loader *opened(const hr_loader_options *o) {
    hr_loader *l = NULL;
    hr_error err = {0};
    made_ok(hr_loader_open(data, o, &l, &err), &err);
    return l;
}

/* Batches until the end; returns how many samples came. */
static uint64_t run(hr_loader *l, const struct made *made) {
    hr_batch *b = NULL;
    hr_error err = {0};
    uint64_t n = 0;
    hr_status st;
    while ((st = hr_loader_next(l, LIMIT_NS, &b, &err)) == HR_OK) {
        assert_true(made_batch_right(b, made));
        n += hr_batch_num_samples(b);
        hr_batch_release(b);
    }
    assert_int_equal(st, HR_END_OF_EPOCH);
    return n;
}

static void loader__subset_of_all__delivers_as_without(void **state) {
    (void)state;
    hr_subset *all = every(1, 0);
    hr_loader_options o = options(all), whole = options(NULL);
    hr_loader *l = opened(&o), *k = opened(&whole);
    for (uint32_t i = 0; i < set.num_samples / 20; i++) {
        hr_batch *b = NULL, *c = NULL;
        made_ok(hr_loader_next(l, LIMIT_NS, &b, NULL), &(hr_error){0});
        made_ok(hr_loader_next(k, LIMIT_NS, &c, NULL), &(hr_error){0});
        assert_memory_equal(hr_batch_data_by_name(b, "y"), hr_batch_data_by_name(c, "y"), 20 * 8);
        hr_batch_release(b);
        hr_batch_release(c);
    }
    hr_loader_close(l);
    hr_loader_close(k);
    hr_subset_free(all);
}

static void loader__subset_freed_before_it__goes_on(void **state) {
    (void)state;
    const uint64_t list[] = {3, 4, 7, 51, 52, 400, 1999};
    const uint64_t before = hr_memory_in_use();
    hr_subset *s = NULL;
    made_ok(hr_subset_from_indices(data, list, 7, &s, NULL), &(hr_error){0});
    hr_loader_options o = options(s);
    hr_loader *l = opened(&o), *k = opened(&o);
    hr_subset_free(s);
    assert_int_equal(run(l, &set), 7);
    hr_loader_close(l);
    assert_int_equal(run(k, &set), 7);
    hr_loader_close(k);
    assert_int_equal(hr_memory_in_use(), before);
}

static void take_state(hr_subset *s, uint8_t out[HR_LOADER_STATE_BYTES]) {
    hr_loader_options o = options(s);
    hr_batch *b = NULL;
    size_t n = 0;
    hr_loader *l = opened(&o);
    made_ok(hr_loader_next(l, LIMIT_NS, &b, NULL), &(hr_error){0});
    hr_batch_release(b);
    made_ok(hr_loader_state(l, out, HR_LOADER_STATE_BYTES, &n, NULL), &(hr_error){0});
    hr_loader_close(l);
}

static void check_resume(hr_subset *s, const uint8_t *bytes, size_t n, hr_status status,
                         const char *words) {
    hr_loader_options o = options(s);
    hr_loader *l = NULL;
    hr_error err = {0};
    o.resume_state = bytes;
    o.resume_state_bytes = n;
    const hr_status st = hr_loader_open(data, &o, &l, &err);
    if (st != status || strstr(err.message, words) == NULL)
        fail_msg("%s: \"%s\" is not \"%s\"", hr_status_name(st), err.message, words);
    hr_loader_close(l);
}

static void state__with_a_subset__names_it_and_refuses_others(void **state) {
    (void)state;
    uint8_t part[HR_LOADER_STATE_BYTES], whole[HR_LOADER_STATE_BYTES];
    uint64_t list[1000], n = 0;
    static const uint8_t zeros[HR_LOADER_STATE_BYTES];
    hr_subset *second = every(2, 0), *other = every(2, 1), *fewer = every(2, 2), *same = NULL;
    for (uint64_t i = 0; i < set.num_samples; i += 2)
        list[n++] = i;
    made_ok(hr_subset_from_indices(data, list, n, &same, NULL), &(hr_error){0});
    take_state(second, part);
    take_state(NULL, whole);
    assert_string_equal((const char *)part + 8, "interleaved/1 subset/1");
    assert_string_equal((const char *)whole + 8, "interleaved/1");
    assert_memory_equal(whole + 120, zeros, sizeof(whole) - 120);
    check_resume(same, part, sizeof(part), HR_OK, "");
    check_resume(same, part, 144, HR_OK, "");
    check_resume(other, part, sizeof(part), HR_ERR_MISMATCH,
                 "a subset of 1000 samples, this loader's has 1000, and they are not the same");
    check_resume(fewer, part, sizeof(part), HR_ERR_MISMATCH,
                 "a subset of 1000 samples, this loader's has 999");
    check_resume(NULL, part, sizeof(part), HR_ERR_MISMATCH,
                 "in the order interleaved/1 subset/1, this loader's is interleaved/1;");
    check_resume(second, whole, sizeof(whole), HR_ERR_MISMATCH,
                 "in the order interleaved/1, this loader's is interleaved/1 subset/1;");
    check_resume(second, part, 143, HR_ERR_CORRUPT, "the state (143 bytes) is none");
    for (size_t at = 120; at < 144; at++) {
        part[at] ^= 4;
        check_resume(second, part, sizeof(part), HR_ERR_CORRUPT, "or is damaged");
        part[at] ^= 4;
    }
    hr_subset_free(second);
    hr_subset_free(other);
    hr_subset_free(fewer);
    hr_subset_free(same);
}

static void check_refused(hr_loader_options o, hr_status status, const char *words) {
    hr_loader *l = NULL;
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    hr_error err = {0};
    assert_int_equal(hr_loader_open(data, &o, &l, &err), status);
    if (strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, err.message);
    assert_int_equal(hr_loader_plan_make(data, &o, &plan, &err), status);
    assert_non_null(strstr(err.message, words));
}

static void loader__subset_of_other_data__refused(void **state) {
    (void)state;
    made_write(made_path("other.hrd"), &set);
    hr_dataset *kept = data;
    data = open_set("other.hrd");
    hr_subset *s = every(3, 0);
    hr_dataset_close(data);
    data = kept;
    check_refused(options(s), HR_ERR_MISMATCH, "made of another data set (another UUID)");
    hr_subset_free(s);
    s = every(3, 0);
    data->footer.commit_seq++;
    check_refused(options(s), HR_ERR_MISMATCH,
                  "made of commit 1 with 2000 samples, this data set is commit 2 with 2000");
    data->footer.commit_seq--;
    hr_subset_free(s);
}

static void loader__subset_too_small_for_the_options__refused(void **state) {
    (void)state;
    hr_subset *s = every(200, 0);
    hr_loader_options o = options(s);
    o.flags |= HR_LOADER_DROP_LAST;
    check_refused(o, HR_ERR_INVALID, "for its order, the subset is a data set of 10 samples: ");
    o = options(s);
    o.num_streams = 2;
    o.window_visits = 2;
    check_refused(o, HR_ERR_INVALID, "for its order, the subset is a data set of 10 samples: ");
    hr_subset_free(s);
}

/* Of raw data, each stored byte is one of a sample: all are read, a tenth is wanted. */
static void report__every_tenth_sample__reads_ten_times_what_is_wanted(void **state) {
    (void)state;
    hr_subset *s = every(10, 3);
    hr_loader_options o = options(s);
    hr_loader *l = opened(&o);
    hr_loader_report_info r = {.struct_bytes = sizeof(r)};
    hr_loader_info i = {.struct_bytes = sizeof(i)};
    hr_loader_plan p = {.struct_bytes = sizeof(p)};
    char text[2048];
    assert_int_equal(run(l, &set), 200);
    made_ok(hr_loader_report(l, &r, NULL), &(hr_error){0});
    made_ok(hr_loader_describe(l, &i, NULL), &(hr_error){0});
    made_ok(hr_loader_plan_make(data, &o, &p, NULL), &(hr_error){0});
    const double beside = (double)r.read_bytes / (double)r.wanted_bytes;
    assert_int_equal(r.wanted_bytes, 200 * (8 + 40 + 4 * 4));
    assert_int_equal(r.visits, 4); /* virtual chunks, that end where chunks do */
    uint64_t reads = 0;
    for (int k = 0; k < HR_LATENCY_BUCKETS; k++)
        reads += r.latency_counts[k];
    assert_int_equal(reads, 40);
    assert_true(beside > 10 && beside < 14);
    assert_true(p.read_amplification > 0.9 * beside && p.read_amplification < 1.1 * beside);
    assert_true(i.order_samples == 200 && i.dataset_samples == 2000);
    assert_true(r.order_samples == 200 && p.order_samples == 200 && p.dataset_samples == 2000);
    assert_true(hr_loader_report_text(&r, text, sizeof(text)) < sizeof(text));
    assert_non_null(strstr(text, "a subset: 200 of 2000 samples"));
    hr_loader_close(l);
    hr_subset_free(s);
}

/* Chunks hold samples of 1.5 MiB in two frames each; of those not wanted none is decoded. */
static void loader__samples_in_several_frames__right_ones(void **state) {
    (void)state;
    const struct made made = {10, 4, 3 << 19, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    const uint64_t list[] = {1, 2, 5, 9};
    hr_dataset *kept = data;
    made_write(made_path("large.hrd"), &made);
    data = open_set("large.hrd");
    hr_subset *s = NULL;
    made_ok(hr_subset_from_indices(data, list, 4, &s, NULL), &(hr_error){0});
    hr_loader_options o = options(s);
    o.batch_samples = 2;
    hr_loader *l = opened(&o);
    assert_int_equal(run(l, &made), 4);
    hr_loader_close(l);
    hr_subset_free(s);
    hr_dataset_close(data);
    data = kept;
}

static hr_subset *drawn(uint64_t num_samples, uint32_t percent) {
    uint64_t *list = calloc(num_samples, sizeof(*list)), n = 0;
    hr_subset *s = NULL;
    hr_error err = {0};
    for (uint64_t i = 0; i < num_samples; i++)
        if (i * 0x9e3779b97f4a7c15u >> 32 < percent * (UINT64_C(1) << 32) / 100)
            list[n++] = i;
    made_ok(hr_subset_from_indices(data, list, n, &s, &err), &err);
    free(list);
    return s;
}

/* Of fields whose rows are so small that frames are taken together: in pieces of chunks, and where
 * few are wanted. */
static void loader__parts_of_many_small_rows__right_ones(void **state) {
    (void)state;
    const struct made made = {9000, 4000, 60, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    hr_dataset *kept = data;
    made_write(made_path("small.hrd"), &made);
    data = open_set("small.hrd");
    for (uint64_t step = 1; step < 90; step += 3) {
        hr_subset *s = step % 2 == 0 ? drawn(9000, (uint32_t)(100 / step)) : every(step, step / 2);
        hr_loader_options o = options(s);
        hr_loader *l = opened(&o);
        assert_int_equal(run(l, &made), hr_subset_num_samples(s));
        hr_loader_close(l);
        hr_subset_free(s);
    }
    hr_dataset_close(data);
    data = kept;
}

/* Of files with short last chunks, consecutive samples and others: every one once, by its index. */
static void loader__parts_of_several_files__right_ones(void **state) {
    (void)state;
    const struct made made = {700, 30, 40, 4, HR_CODEC_ZSTD, HR_FILTER_NONE};
    hr_dataset *kept = data;
    for (uint32_t num_files = 2; num_files <= 5; num_files++) {
        data = made_open_files("part.hrd", &made, num_files);
        hr_subset *parts[] = {drawn(700, 80), drawn(700, 5), every(1, 17), every(1, 0),
                              every(9, 4)};
        for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
            uint8_t seen[700] = {0};
            uint64_t index[700], row[20];
            const uint64_t n = hr_subset_num_samples(parts[k]);
            hr_loader_options o = options(parts[k]);
            hr_batch *b = NULL;
            hr_loader *l = opened(&o);
            while (hr_loader_next(l, LIMIT_NS, &b, NULL) == HR_OK) {
                const int64_t *y = hr_batch_data_by_name(b, "y");
                assert_true(made_batch_right(b, &made));
                made_ok(hr_batch_indices(b, row, NULL), &(hr_error){0});
                for (uint32_t i = 0; i < hr_batch_num_samples(b); i++) {
                    assert_int_equal(row[i], (uint64_t)y[i]);
                    seen[y[i]]++;
                }
                hr_batch_release(b);
            }
            made_ok(hr_subset_indices(parts[k], 0, n, index, NULL), &(hr_error){0});
            for (uint64_t i = 0, at = 0; i < 700; i++) {
                const bool wanted = at < n && index[at] == i;
                assert_int_equal(seen[i], wanted);
                at += wanted;
            }
            hr_loader_close(l);
            hr_subset_free(parts[k]);
        }
        hr_dataset_close(data);
    }
    data = kept;
}

static void damage(const char *path, uint64_t off) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)off, SEEK_SET), 0);
    const int byte = fgetc(f);
    assert_int_equal(fseek(f, (long)off, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, f), byte ^ 1);
    assert_int_equal(fclose(f), 0);
}

static uint64_t chunk_off(uint64_t chunk) {
    struct hr__index_cache cache = {0};
    struct hr__chunk_at e;
    made_ok(hr__dataset_locate(data, chunk, &cache, &e, NULL), &(hr_error){0});
    hr__index_cache_free(&cache);
    return e.entry.page * 4096;
}

static void loader__damaged_chunk__named_where_it_is_needed(void **state) {
    (void)state;
    hr_dataset *kept = data;
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_subset *s = NULL;
    made_write(made_path("bad.hrd"), &set);
    data = open_set("bad.hrd");
    damage(made_path("bad.hrd"), chunk_off(7) + 50); /* samples 350 to 399 */
    made_ok(hr_subset_from_range(data, 400, 2000, 3, &s, NULL), &(hr_error){0});
    hr_loader_options o = options(s);
    hr_loader *l = opened(&o);
    assert_int_equal(run(l, &set), hr_subset_num_samples(s));
    hr_loader_close(l);
    hr_subset_free(s);
    made_ok(hr_subset_from_range(data, 0, 2000, 399, &s, NULL), &(hr_error){0});
    o.subset = s; /* sample 399 */
    l = opened(&o);
    assert_int_equal(hr_loader_next(l, LIMIT_NS, &b, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "chunk 7"));
    hr_loader_close(l);
    hr_subset_free(s);
    hr_dataset_close(data);
    data = kept;
}

/* Closed at any moment, also while visits of fifty pieces go on. */
static void loader__sparse_subset_closed_early__leaves_nothing(void **state) {
    (void)state;
    const uint64_t before = hr_memory_in_use();
    hr_subset *s = every(49, 1);
    hr_loader_options o = options(s);
    o.num_epochs = 0;
    for (uint32_t k = 0; k < 60; k++) {
        hr_batch *b = NULL;
        o.num_threads = 1 + k % 4;
        hr_loader *l = opened(&o);
        for (uint32_t i = 0; i < k % 7; i++) {
            hr_batch_release(b);
            b = NULL;
            hr_status st = hr_loader_next(l, LIMIT_NS, &b, NULL);
            assert_true(st == HR_OK || st == HR_END_OF_EPOCH);
        }
        hr_loader_close(l);
    }
    hr_subset_free(s);
    assert_int_equal(hr_memory_in_use(), before);
}

static int setup(void **state) {
    (void)state;
    made_write(made_path("set.hrd"), &set);
    data = open_set("set.hrd");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_dataset_close(data);
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader__subset_of_all__delivers_as_without),
        cmocka_unit_test(loader__subset_freed_before_it__goes_on),
        cmocka_unit_test(state__with_a_subset__names_it_and_refuses_others),
        cmocka_unit_test(loader__subset_of_other_data__refused),
        cmocka_unit_test(loader__subset_too_small_for_the_options__refused),
        cmocka_unit_test(report__every_tenth_sample__reads_ten_times_what_is_wanted),
        cmocka_unit_test(loader__samples_in_several_frames__right_ones),
        cmocka_unit_test(loader__parts_of_many_small_rows__right_ones),
        cmocka_unit_test(loader__parts_of_several_files__right_ones),
        cmocka_unit_test(loader__damaged_chunk__named_where_it_is_needed),
        cmocka_unit_test(loader__sparse_subset_closed_early__leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
