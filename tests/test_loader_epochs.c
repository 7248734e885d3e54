/*
 * From one epoch to the next: how many can be in memory, and when the next is made
 * (reader/loader.h, invariant 7).
 */
#define _GNU_SOURCE
#include "clock.h"
#include "loader.h"
#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define LIMIT_NS ((int64_t)20000000000)

static hr_dataset *make_and_open(const struct made *m) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path("epochs.hrd"), m);
    made_ok(hr_dataset_open(made_path("epochs.hrd"), NULL, &ds, &err), &err);
    return ds;
}

static hr_loader *open_loader(hr_dataset *ds, uint32_t batch, uint32_t held, uint32_t threads) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE | HR_LOADER_PAD_LAST;
    o.batch_samples = batch;
    o.window_visits = 2;
    o.max_held_batches = held;
    o.num_threads = threads;
    o.budget_bytes = (uint64_t)64 << 20;
    o.io = HR_IO_CACHED;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    return l;
}

static uint64_t epochs_alive(hr_loader *l) {
    pthread_mutex_lock(&l->lock);
    uint64_t n = l->epochs_alive;
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* Never waits for ever, and the end of each epoch is told. */
static hr_batch *next_batch(hr_loader *l) {
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_status st = hr_loader_next(l, LIMIT_NS, &b, &err);
    if (st == HR_END_OF_EPOCH)
        st = hr_loader_next(l, LIMIT_NS, &b, &err);
    made_ok(st, &err);
    return b;
}

/* One batch is an epoch, or two are; the first batches are held from beginning to end. */
static void epochs__tiny_ones_and_held_batches__stay_within_their_budget(void **state) {
    (void)state;
    const struct made m = {23, 4, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_dataset *ds = make_and_open(&m);
    for (uint32_t held = 1; held <= 9; held += 2)
        for (uint32_t batch = 12; batch <= 48; batch *= 2) {
            hr_batch *kept[9];
            uint64_t most = 0;
            hr_loader *l = open_loader(ds, batch, held, 1 + held % 3);
            const uint64_t limit = hr__loader_max_epochs(&l->config);
            for (uint32_t i = 0; i + 1 < held; i++)
                kept[i] = next_batch(l);
            for (int i = 0; i < 300; i++) {
                hr_batch *b = next_batch(l);
                assert_true(made_batch_right(b, &m));
                hr_batch_release(b);
                uint64_t alive = epochs_alive(l);
                most = alive > most ? alive : most;
            }
            for (uint32_t i = 0; i + 1 < held; i++)
                assert_true(made_batch_right(kept[i], &m));
            assert_true(most >= 2 && most <= limit);
            assert_true(l->order_budget.peak_bytes <=
                        hr__order_bytes(&l->config.order_params, limit));
            hr_loader_close(l);
        }
    hr_dataset_close(ds);
}

/* A ring for eleven epochs, and a limit of four: more are not made, and work goes on. */
static void epochs__as_many_as_may_be__wait_until_one_has_gone(void **state) {
    (void)state;
    const struct made m = {23, 4, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_dataset *ds = make_and_open(&m);
    hr_loader *l = open_loader(ds, 24, 9, 3);
    pthread_mutex_lock(&l->lock);
    l->config.max_held_batches = 1;
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < 300; i++) {
        hr_batch_release(next_batch(l));
        if (i % 50 == 0) {
            const struct timespec pause = {.tv_nsec = 20000000}; /* for more to be made */
            nanosleep(&pause, NULL);
        }
        assert_true(i < 20 || epochs_alive(l) <= 4);
    }
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* The ring holds far less than an epoch, so nobody has come near its end yet. */
static void epochs__half_of_one_admitted__the_next_is_made(void **state) {
    (void)state;
    const struct made m = {40001, 10, 900, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    hr_dataset *ds = make_and_open(&m);
    hr_loader *l = open_loader(ds, 40, 2, 2);
    const uint64_t batches = 1001;
    for (uint64_t b = 0; b < batches * 6 / 10; b++)
        hr_batch_release(next_batch(l));
    bool made = false, still_first = false;
    for (int64_t began_ns = hr__now_ns(); !made && hr__now_ns() - began_ns < LIMIT_NS;) {
        const struct timespec pause = {.tv_nsec = 1000000};
        pthread_mutex_lock(&l->lock);
        made = l->next_epoch != NULL;
        still_first = l->admit_epoch->epoch == 0 && l->next_item < l->admit_epoch->num_items;
        pthread_mutex_unlock(&l->lock);
        nanosleep(&pause, NULL);
    }
    assert_true(made && still_first);
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
        cmocka_unit_test(epochs__tiny_ones_and_held_batches__stay_within_their_budget),
        cmocka_unit_test(epochs__as_many_as_may_be__wait_until_one_has_gone),
        cmocka_unit_test(epochs__half_of_one_admitted__the_next_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
