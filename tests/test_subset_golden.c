/*
 * subset/1 and split/1 against the golden files under tests/golden/order, which order_reference.py
 * computed from docs/order.md: by whole loaders, and by hr_split(). They must never change.
 */
#include "golden_text.h"
#include "made_dataset.h"
#include "subset.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_SAMPLES 8192u
#define MAX_ROWS    128u
#define LIMIT_NS    ((int64_t)20000000000)

struct golden {
    FILE *file;
    hr_dataset *ds;
    hr_subset *subset;
    struct made made;
    hr_loader_options o;
    uint64_t num_batches, num_epochs;
};

static void read_options(struct golden *g) {
    char kind[32];
    static const uint32_t ends[] = {0, HR_LOADER_DROP_LAST, HR_LOADER_PAD_LAST};
    assert_int_equal(fscanf(g->file, "%31s", kind), 1);
    g->o = (hr_loader_options)HR_LOADER_OPTIONS_INIT;
    for (uint64_t left = golden_named(g->file, "segments"); left > 0; left--)
        (void)golden_number(g->file);
    g->made.samples_per_chunk = (uint32_t)golden_named(g->file, "S");
    g->o.batch_samples = (uint32_t)golden_named(g->file, "B");
    g->o.num_streams = (uint32_t)golden_named(g->file, "streams");
    g->o.window_visits = (uint32_t)golden_named(g->file, "W");
    (void)golden_named(g->file, "sample_bytes");
    g->o.seed = golden_named(g->file, "seed");
    g->o.flags = ends[golden_named(g->file, "drop")];
    g->o.flags |= strcmp(kind, "sequential/1") == 0 ? 0 : HR_LOADER_SHUFFLE;
    g->o.budget_bytes = (uint64_t)64 << 20;
    g->o.io = HR_IO_CACHED;
}

static struct golden case_open(const char *name) {
    static uint64_t indices[MAX_SAMPLES];
    struct golden g = {.file = golden_open(name)};
    hr_error err = {0};
    g.made = (struct made){.row_bytes = 24, .row_words = 3, .codec = HR_CODEC_ZSTD};
    g.made.num_samples = golden_named(g.file, "samples");
    const uint64_t hash = golden_named(g.file, "hash"), n = golden_named(g.file, "subset");
    assert_true(n <= MAX_SAMPLES);
    for (uint64_t i = 0; i < n; i++)
        indices[i] = golden_number(g.file);
    read_options(&g);
    g.ds = made_open("golden.hrd", &g.made);
    made_ok(hr_subset_from_indices(g.ds, indices, n, &g.subset, &err), &err);
    assert_int_equal(hr_subset_num_samples(g.subset), n);
    assert_true(g.subset->hash == hash);
    g.o.subset = g.subset;
    return g;
}

/* Rows of one batch as the file has them, and how many of each stream's slice are repeats. */
struct expected {
    uint64_t num_rows, rows[MAX_ROWS], repeats[8];
};

static void read_expected(struct golden *g, struct expected *e) {
    e->num_rows = golden_number(g->file);
    assert_true(e->num_rows <= MAX_ROWS);
    for (uint64_t i = 0; i < e->num_rows; i++)
        e->rows[i] = golden_number(g->file);
    for (uint32_t s = 0; s < g->o.num_streams && (g->o.flags & HR_LOADER_PAD_LAST) != 0; s++)
        e->repeats[s] = golden_number(g->file);
}

/* One rank's part of a batch. */
static void check_batch(const struct golden *g, const hr_batch *b, const struct expected *e) {
    const uint32_t each = g->o.num_streams / g->o.world_size;
    const uint64_t n = e->num_rows / g->o.world_size;
    const int64_t *y = hr_batch_data_by_name(b, "y");
    uint64_t index[MAX_ROWS], repeats = 0;
    assert_int_equal(hr_batch_num_samples(b), n);
    made_ok(hr_batch_indices(b, index, NULL), &(hr_error){0});
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(y[i], e->rows[g->o.rank * n + i]);
        assert_int_equal(index[i], (uint64_t)y[i]);
    }
    assert_true(made_batch_right(b, &g->made));
    for (uint32_t s = 0; s < each; s++)
        repeats += e->repeats[g->o.rank * each + s];
    assert_int_equal(hr_batch_num_padding(b), repeats);
}

static void check_rank(struct golden *g) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    g->num_batches = golden_named(g->file, "batches");
    g->num_epochs = golden_named(g->file, "epochs");
    for (uint64_t k = 0; k < g->num_epochs; k++) {
        g->o.first_epoch = golden_named(g->file, "epoch");
        g->o.num_epochs = 1;
        made_ok(hr_loader_open(g->ds, &g->o, &l, &err), &err);
        for (uint64_t n = 0; n < g->num_batches; n++) {
            struct expected e = {0};
            read_expected(g, &e);
            made_ok(hr_loader_next(l, LIMIT_NS, &b, &err), &err);
            check_batch(g, b, &e);
            hr_batch_release(b);
        }
        assert_int_equal(hr_loader_next(l, LIMIT_NS, &b, &err), HR_END_OF_EPOCH);
        hr_loader_close(l);
    }
}

static void check_subset(const char *name) {
    struct golden g = case_open(name);
    const uint64_t window = golden_named(g.file, "window");
    const long begin = ftell(g.file);
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    for (uint32_t world = 1; world <= g.o.num_streams; world++) {
        for (uint32_t rank = 0; rank < world && g.o.num_streams % world == 0; rank++) {
            g.o.world_size = world;
            g.o.rank = rank;
            g.o.num_threads = 1 + (world + rank) % 3;
            made_ok(hr_loader_plan_make(g.ds, &g.o, &plan, NULL), &(hr_error){0});
            assert_int_equal(plan.window_visits, window);
            assert_int_equal(plan.order_samples, hr_subset_num_samples(g.subset));
            assert_int_equal(fseek(g.file, begin, SEEK_SET), 0);
            check_rank(&g);
        }
    }
    hr_subset_free(g.subset);
    hr_dataset_close(g.ds);
    fclose(g.file);
}

static void subset__golden_files__same_batches(void **state) {
    (void)state;
    static const char *const names[] = {"range",
                                        "range_padded",
                                        "range_streams",
                                        "range_sequential",
                                        "every",
                                        "most",
                                        "most_lanes",
                                        "some",
                                        "last",
                                        "few",
                                        "one",
                                        "one_padded",
                                        "all",
                                        "streams",
                                        "whole",
                                        "streams_padded",
                                        "streams_mixed",
                                        "large_chunks",
                                        "single_samples",
                                        "some_sequential"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        char file[64];
        snprintf(file, sizeof file, "subset_%s.txt", names[k]);
        check_subset(file);
    }
}

/* Samples whose labels are those of the reference. */
static hr_dataset *labelled(uint64_t num_samples) {
    hr_error err = {0};
    const hr_field field = {.name = "label", .dtype = HR_INT32};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_dataset *ds = NULL;
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = 37;
    made_ok(hr_writer_open(made_path("labels.hrd"), &field, 1, &o, &w, &err), &err);
    for (uint64_t i = 0; i < num_samples; i++) {
        const int32_t label = i % 11 > 2 ? (int32_t)(i * i % 7) : 0;
        made_ok(hr_writer_append(w, 1, (const void *[]){&label}, &err), &err);
    }
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    made_ok(hr_dataset_open(made_path("labels.hrd"), NULL, &ds, &err), &err);
    return ds;
}

static void check_part(FILE *f, const hr_subset *part) {
    uint64_t first, last;
    const uint64_t n = golden_number(f);
    assert_int_equal(hr_subset_num_samples(part), n);
    assert_true(part->hash == golden_number(f));
    made_ok(hr_subset_indices(part, 0, 1, &first, NULL), &(hr_error){0});
    made_ok(hr_subset_indices(part, n - 1, 1, &last, NULL), &(hr_error){0});
    assert_int_equal(first, golden_number(f));
    assert_int_equal(last, golden_number(f));
}

static void split__golden_file__same_parts(void **state) {
    (void)state;
    FILE *f = golden_open("splits.txt");
    uint64_t num_samples;
    uint32_t count = 0;
    for (; fscanf(f, "%" SCNu64, &num_samples) == 1; count++) {
        double fractions[64];
        hr_subset *parts[64];
        hr_error err = {0};
        hr_split_options o = HR_SPLIT_OPTIONS_INIT;
        o.seed = golden_number(f);
        o.stratify_field = golden_number(f) != 0 ? "label" : NULL;
        o.flags = golden_number(f) != 0 ? HR_SPLIT_CONTIGUOUS : 0;
        o.num_fractions = (uint32_t)golden_number(f);
        o.fractions = fractions;
        assert_true(o.num_fractions <= 64);
        for (uint32_t j = 0; j < o.num_fractions; j++)
            assert_int_equal(fscanf(f, "%lf", &fractions[j]), 1);
        hr_dataset *ds = labelled(num_samples);
        made_ok(hr_split(ds, &o, parts, &err), &err);
        for (uint32_t j = 0; j < o.num_fractions; j++) {
            check_part(f, parts[j]);
            hr_subset_free(parts[j]);
        }
        hr_dataset_close(ds);
    }
    assert_int_equal(count, 12);
    fclose(f);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subset__golden_files__same_batches),
        cmocka_unit_test(split__golden_file__same_parts),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
