/*
 * Going on from a state is as good as no interruption: at every batch and every end of epochs of
 * small data sets, by other ranks, threads, budgets and ways of reading than before.
 */
#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_EPOCHS  4u /* states are taken in all but the last */
#define MAX_BATCHES 128u
#define MAX_ROWS    64u
#define LIMIT_NS    ((int64_t)20000000000)

/* A whole run by one rank: the batches of all streams, and the states in between. */
struct run {
    uint32_t num_batches, per_epoch, num_states;
    uint32_t rows[MAX_BATCHES];
    int64_t y[MAX_BATCHES][MAX_ROWS];
    uint8_t padding[MAX_BATCHES][MAX_ROWS];
    struct {
        uint32_t batch, ends; /* delivered, and ends of epochs told, before it */
        uint8_t bytes[HR_LOADER_STATE_BYTES];
    } states[MAX_BATCHES + NUM_EPOCHS];
};

struct config {
    struct made made;
    uint32_t flags, batch, window, streams, files;
};

static const struct config configs[] = {
    {{90, 7, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE}, HR_LOADER_SHUFFLE, 10, 4, 1, 1},
    {{90, 7, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE}, HR_LOADER_SHUFFLE, 10, 4, 1, 4},
    {{90, 7, 5, 3, HR_CODEC_ZSTD, HR_FILTER_NONE}, HR_LOADER_SHUFFLE, 12, 8, 4, 1},
    {{91, 7, 5, 0, HR_CODEC_RAW, HR_FILTER_NONE},
     HR_LOADER_SHUFFLE | HR_LOADER_PAD_LAST,
     12,
     8,
     4,
     3},
    {{101, 5, 3, 2, HR_CODEC_ZSTD, HR_FILTER_NONE},
     HR_LOADER_SHUFFLE | HR_LOADER_PAD_LAST,
     18,
     48,
     6,
     1}, /* some streams whole, others not */
    {{60, 9, 4, 1, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE},
     HR_LOADER_SHUFFLE | HR_LOADER_PAD_LAST,
     16,
     3,
     1,
     1},
    {{5, 2, 4, 1, HR_CODEC_ZSTD, HR_FILTER_NONE},
     HR_LOADER_SHUFFLE | HR_LOADER_PAD_LAST,
     32,
     2,
     2,
     3}, /* fewer samples than one batch, none at all in the first file */
    {{80, 1, 4, 1, HR_CODEC_ZSTD, HR_FILTER_NONE},
     HR_LOADER_SHUFFLE | HR_LOADER_DROP_LAST,
     14,
     2,
     2,
     1},
    {{100, 8, 6, 0, HR_CODEC_ZSTD, HR_FILTER_NONE}, HR_LOADER_PAD_LAST, 12, 0, 3, 5},
    {{100, 8, 6, 0, HR_CODEC_ZSTD, HR_FILTER_NONE}, HR_LOADER_SHUFFLE, 16, 1000, 2, 1},
    {{70, 30, 6, 0, HR_CODEC_ZSTD, HR_FILTER_NONE}, HR_LOADER_SHUFFLE, 4, 1, 1, 1}, /* lanes */
};

/* Of what options_of() is about; NULL: the whole data set. */
static hr_subset *chosen;

enum { ALL, EVERY_SECOND, SOME, NUM_CHOICES };

static void choose(const hr_dataset *ds, int choice) {
    uint64_t list[128], n = 0;
    hr_error err = {0};
    hr_subset_free(chosen);
    chosen = NULL;
    if (choice == EVERY_SECOND)
        made_ok(hr_subset_from_range(ds, 1, UINT64_MAX, 2, &chosen, &err), &err);
    for (uint64_t i = 0; i < hr_dataset_num_samples(ds); i++)
        if (i * i % 7 != 2)
            list[n++] = i;
    if (choice == SOME)
        made_ok(hr_subset_from_indices(ds, list, n, &chosen, &err), &err);
}

static hr_dataset *make_and_open(const struct config *c) {
    return made_open_files("resume.hrd", &c->made, c->files);
}

static hr_loader_options options_of(const struct config *c) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = c->flags;
    o.batch_samples = c->batch;
    o.window_visits = c->window;
    o.num_streams = c->streams;
    o.seed = 77;
    o.first_epoch = 5;
    o.num_epochs = NUM_EPOCHS;
    o.num_threads = 2;
    o.io = HR_IO_CACHED;
    o.budget_bytes = (uint64_t)64 << 20;
    o.subset = chosen;
    return o;
}

static void take_state(hr_loader *l, struct run *r, uint32_t ends) {
    size_t n = 0;
    r->states[r->num_states].batch = r->num_batches;
    r->states[r->num_states].ends = ends;
    assert_int_equal(
        hr_loader_state(l, r->states[r->num_states++].bytes, HR_LOADER_STATE_BYTES, &n, NULL),
        HR_OK);
    assert_int_equal(n, HR_LOADER_STATE_BYTES);
}

static void take_batch(struct run *r, const struct made *m, hr_batch *b) {
    const uint32_t n = hr_batch_num_samples(b);
    assert_true(r->num_batches < MAX_BATCHES && n <= MAX_ROWS);
    assert_true(made_batch_right(b, m));
    r->rows[r->num_batches] = n;
    memcpy(r->y[r->num_batches], hr_batch_data_by_name(b, "y"), n * sizeof(int64_t));
    assert_int_equal(hr_batch_padding(b, r->padding[r->num_batches], NULL), HR_OK);
    r->num_batches++;
    hr_batch_release(b);
}

static struct run *run_whole(hr_dataset *ds, const struct config *c) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    struct run *r = calloc(1, sizeof(*r));
    const hr_loader_options o = options_of(c);
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    take_state(l, r, 0);
    for (uint32_t ends = 0; ends < NUM_EPOCHS;) {
        hr_status st = hr_loader_next(l, LIMIT_NS, &b, &err);
        if (st == HR_OK)
            take_batch(r, &c->made, b);
        else
            assert_int_equal(st, HR_END_OF_EPOCH);
        ends += st == HR_END_OF_EPOCH;
        r->per_epoch = ends == 0 ? r->num_batches : r->per_epoch;
        if (ends < NUM_EPOCHS)
            take_state(l, r, ends);
    }
    hr_loader_close(l);
    return r;
}

/* What comes from state k on, for one rank, is what came after it to all. */
static void run_rest(hr_dataset *ds, const struct config *c, const struct run *r, uint32_t k,
                     hr_loader_options o) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    uint32_t batch = r->states[k].batch, ends = r->states[k].ends;
    o.resume_state = r->states[k].bytes;
    o.resume_state_bytes = HR_LOADER_STATE_BYTES;
    o.num_epochs = NUM_EPOCHS - ends;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    for (; ends < NUM_EPOCHS; ends++) {
        for (; batch < (ends + 1) * r->per_epoch; batch++) {
            uint8_t padding[MAX_ROWS];
            made_ok(hr_loader_next(l, LIMIT_NS, &b, &err), &err);
            const uint32_t n = hr_batch_num_samples(b), at = o.rank * n;
            assert_int_equal(n * o.world_size, r->rows[batch]);
            assert_true(made_batch_right(b, &c->made));
            assert_memory_equal(hr_batch_data_by_name(b, "y"), r->y[batch] + at,
                                n * sizeof(int64_t));
            assert_int_equal(hr_batch_padding(b, padding, NULL), HR_OK);
            assert_memory_equal(padding, r->padding[batch] + at, n);
            assert_int_equal(hr_batch_number(b), batch % r->per_epoch);
            assert_int_equal(hr_batch_epoch(b), 5 + ends);
            hr_batch_release(b);
        }
        assert_int_equal(hr_loader_next(l, LIMIT_NS, &b, &err), HR_END_OF_EPOCH);
    }
    hr_loader_close(l);
}

static bool has_direct(hr_dataset *ds, hr_loader_options o) {
    hr_loader *l = NULL;
    o.io = HR_IO_DIRECT;
    const bool has = hr_loader_open(ds, &o, &l, NULL) == HR_OK;
    hr_loader_close(l);
    return has;
}

/* World sizes that divide the streams take turns over the states; each rank of one is tried. */
static uint32_t next_world(uint32_t world, uint32_t streams) {
    do
        world = world % streams + 1;
    while (streams % world != 0);
    return world;
}

static void resume_everywhere(hr_dataset *ds, const struct config *c) {
    struct run *r = run_whole(ds, c);
    hr_loader_options o = options_of(c);
    const bool direct = has_direct(ds, o);
    uint32_t world = 1;
    assert_int_equal(r->num_batches, NUM_EPOCHS * r->per_epoch);
    for (uint32_t k = 0; k < r->num_states; k++) {
        world = next_world(world, c->streams);
        o.world_size = world;
        for (o.rank = 0; o.rank < world; o.rank++) {
            hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
            o.io = direct && (k + o.rank) % 16 == 5 ? HR_IO_DIRECT : HR_IO_CACHED;
            o.num_threads = o.io == HR_IO_DIRECT ? 1 : 1 + (k + o.rank) % 4; /* closing is slow */
            o.budget_bytes = (uint64_t)64 << 20;
            assert_int_equal(hr_loader_plan_make(ds, &o, &plan, NULL), HR_OK);
            if (k % 2 == 0)
                o.budget_bytes = plan.smallest_budget_bytes;
            run_rest(ds, c, r, k, o);
        }
    }
    free(r);
}

/* Fewer samples may be too few for so many streams. */
static bool works(hr_dataset *ds, const struct config *c) {
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    const hr_loader_options o = options_of(c);
    return hr_loader_plan_make(ds, &o, &plan, NULL) == HR_OK;
}

static void resume__at_every_batch_by_other_ranks__is_no_interruption(void **state) {
    (void)state;
    uint32_t resumed = 0;
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        hr_dataset *ds = make_and_open(&configs[i]);
        for (int choice = ALL; choice < NUM_CHOICES; choice++) {
            choose(ds, choice);
            assert_true(choice != ALL || works(ds, &configs[i]));
            if (!works(ds, &configs[i]))
                continue;
            resume_everywhere(ds, &configs[i]);
            resumed++;
        }
        choose(ds, ALL);
        hr_dataset_close(ds);
    }
    assert_true(resumed >= 25);
}

static void state__of_another_end_of_the_data__is_refused_in_words(void **state) {
    (void)state;
    static const uint32_t flags[] = {0, HR_LOADER_DROP_LAST, HR_LOADER_PAD_LAST};
    static const char *const words[] = {"kept", "dropped", "padded"};
    struct config c = configs[0];
    hr_dataset *ds = make_and_open(&c);
    for (int saved = 0; saved < 3; saved++) {
        c.flags = HR_LOADER_SHUFFLE | flags[saved];
        struct run *r = run_whole(ds, &c);
        for (int opened = 0; opened < 3; opened++) {
            char expected[100];
            hr_error err = {0};
            hr_loader *l = NULL;
            hr_loader_options o = options_of(&c);
            o.flags = HR_LOADER_SHUFFLE | flags[opened];
            o.resume_state = r->states[3].bytes;
            o.resume_state_bytes = HR_LOADER_STATE_BYTES;
            hr_status st = hr_loader_open(ds, &o, &l, &err);
            assert_int_equal(st, opened == saved ? HR_OK : HR_ERR_MISMATCH);
            snprintf(expected, sizeof(expected), "short last batches %s, this loader has them %s",
                     words[saved], words[opened]);
            assert_true(opened == saved || strstr(err.message, expected) != NULL);
            hr_loader_close(l);
        }
        free(r);
    }
    hr_dataset_close(ds);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume__at_every_batch_by_other_ranks__is_no_interruption),
        cmocka_unit_test(state__of_another_end_of_the_data__is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
