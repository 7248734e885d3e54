/*
 * Holds on batches (include/headrace/hold.h): what is held stays as it is, whatever is released and
 * closed before, and takes no more memory than itself. And states of places that are named.
 */
#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct made usual = {500, 23, 3700, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
#define BATCH 16u

struct taken {
    void *data[3];
    hr_taken_batch batch;
};

static hr_status take(hr_loader *l, struct taken *t, hr_error *err) {
    *t = (struct taken){.batch = {.struct_bytes = sizeof(t->batch), .num_data = 3}};
    t->batch.data = t->data;
    return hr_loader_take(l, -1, &t->batch, err);
}

static hr_loader *open_with(hr_dataset *ds, hr_loader_options *o) {
    hr_error err = {0};
    hr_loader *l = NULL;
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    return l;
}

/* Field x of the batch is what the samples in y say. */
static void check_x(const struct taken *t) {
    const int64_t *y = t->data[0];
    const uint8_t *x = t->data[1];
    for (uint32_t i = 0; i < t->batch.num_samples; i++)
        for (uint32_t k = 0; k < usual.row_bytes; k++)
            assert_int_equal(*x++, made_byte((uint64_t)y[i], k));
}

static void take__an_epoch__as_next_delivers_it(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(BATCH, HR_IO_CACHED, 2);
    o.flags |= HR_LOADER_PAD_LAST;
    hr_loader *taking = open_with(ds, &o), *asking = open_with(ds, &o);
    hr_error err = {0};
    struct taken t;
    hr_batch *b;
    hr_status st;
    while ((st = hr_loader_next(asking, -1, &b, &err)) == HR_OK) {
        made_ok(take(taking, &t, &err), &err);
        assert_int_equal(t.batch.num_samples, hr_batch_num_samples(b));
        assert_int_equal(t.batch.num_padding, hr_batch_num_padding(b));
        assert_int_equal(t.batch.epoch, hr_batch_epoch(b));
        assert_int_equal(t.batch.number, hr_batch_number(b));
        for (uint32_t i = 0; i < 3; i++)
            assert_ptr_equal(t.data[i], hr_batch_data(t.batch.batch, i));
        assert_memory_equal(t.data[0], hr_batch_data(b, 0), BATCH * sizeof(int64_t));
        check_x(&t);
        hr_batch_let_go(t.batch.batch);
        hr_batch_release(b);
    }
    assert_int_equal(st, HR_END_OF_EPOCH);
    assert_int_equal(take(taking, &t, &err), HR_END_OF_EPOCH);
    assert_null(t.batch.batch);
    hr_loader_close(taking);
    hr_loader_close(asking);
    hr_dataset_close(ds);
}

static void take__as_many_as_are_allowed__busy_until_one_goes(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(BATCH, HR_IO_CACHED, 2);
    hr_loader *l = open_with(ds, &o);
    hr_error err = {0};
    struct taken first, second, third;
    made_ok(take(l, &first, &err), &err);
    made_ok(take(l, &second, &err), &err);
    assert_int_equal(first.batch.num_held, 1);
    assert_int_equal(second.batch.num_held, 2);
    assert_int_equal(take(l, &third, &err), HR_ERR_BUSY);
    made_ok(hr_batch_hold(first.batch.batch, &err), &err);
    hr_batch_let_go(first.batch.batch);
    assert_int_equal(take(l, &third, &err), HR_ERR_BUSY);
    hr_batch_let_go(first.batch.batch);
    made_ok(take(l, &third, &err), &err);
    check_x(&second);
    check_x(&third);
    hr_batch_let_go(second.batch.batch);
    hr_batch_let_go(third.batch.batch);
    hr_batch_let_go(NULL);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* With rows held as they were decoded, and as they were finished. */
static void close__a_batch_is_held__only_its_memory_stays(void **state) {
    const bool finished = *(const bool *)*state;
    hr_finish finish = HR_FINISH_INIT;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(BATCH, HR_IO_CACHED, 2);
    uint8_t copy[BATCH * 3700];
    float words[BATCH * 3];
    hr_error err = {0};
    struct taken t;
    finish.field = "x";
    finish.flags = HR_FINISH_CHECK_FINITE;
    finish.dtype = HR_FLOAT32;
    o.finish = &finish;
    o.num_finish = finished ? 1 : 0;
    const uint64_t before = hr_memory_in_use();
    hr_loader *l = open_with(ds, &o);
    made_ok(take(l, &t, &err), &err);
    const uint64_t open_bytes = hr_memory_in_use() - before;
    memcpy(copy, t.data[1], sizeof(copy));
    memcpy(words, t.data[2], sizeof(words));
    hr_loader_close(l);
    hr_dataset_close(ds);
    const uint64_t held_bytes = hr_memory_in_use();
    assert_true(held_bytes >= sizeof(copy));
    assert_true(held_bytes < open_bytes / 4);
    assert_memory_equal(copy, t.data[1], sizeof(copy));
    assert_memory_equal(words, t.data[2], sizeof(words));
    hr_batch_let_go(t.batch.batch);
    assert_int_equal(hr_memory_in_use(), 0);
}

static void hold__a_batch_that_was_released__refused(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(BATCH, HR_IO_CACHED, 2);
    hr_loader *l = open_with(ds, &o);
    hr_error err = {0};
    hr_batch *b;
    made_ok(hr_loader_next(l, -1, &b, &err), &err);
    made_ok(hr_batch_hold(b, &err), &err);
    hr_batch_release(b);
    made_ok(hr_batch_hold(b, &err), &err); /* its holder may hold it once more */
    hr_batch_let_go(b);
    hr_batch_let_go(b);
    assert_int_equal(hr_batch_hold(b, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "released"));
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* In the child the parent's threads are gone, which TSan calls a leak. */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "report_thread_leaks=0";
}
#endif

static void hold__in_a_forked_child__refused_and_harmless(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(BATCH, HR_IO_CACHED, 2);
    hr_loader *l = open_with(ds, &o);
    hr_error err = {0};
    struct taken t, none;
    int how;
    made_ok(take(l, &t, &err), &err);
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = hr_batch_hold(t.batch.batch, &err) == HR_ERR_FORKED &&
                             take(l, &none, &err) == HR_ERR_FORKED;
        hr_batch_let_go(t.batch.batch);
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    hr_batch_let_go(t.batch.batch);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void state_at__each_place__as_the_loader_gives_it_there(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(BATCH, HR_IO_CACHED, 2);
    hr_loader *l = open_with(ds, &o), *asked = open_with(ds, &o);
    uint8_t there[HR_LOADER_STATE_BYTES], named[HR_LOADER_STATE_BYTES];
    hr_error err = {0};
    size_t n_bytes;
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        hr_batch *b = NULL;
        for (uint64_t number = 0;; number++) {
            made_ok(hr_loader_state(l, there, sizeof(there), &n_bytes, &err), &err);
            made_ok(hr_loader_state_at(asked, epoch, number, named, sizeof(named), &n_bytes, &err),
                    &err);
            assert_int_equal(n_bytes, HR_LOADER_STATE_BYTES);
            assert_memory_equal(there, named, sizeof(there));
            const hr_status st = hr_loader_next(l, -1, &b, &err);
            hr_batch_release(b);
            if (st == HR_END_OF_EPOCH)
                break;
            made_ok(st, &err);
        }
    }
    const uint64_t too_far = (usual.num_samples + BATCH - 1) / BATCH + 1;
    assert_int_equal(hr_loader_state_at(asked, 0, too_far, named, sizeof(named), &n_bytes, &err),
                     HR_ERR_INVALID);
    assert_int_equal(hr_loader_state_at(asked, 0, 0, named, 7, &n_bytes, &err), HR_ERR_INVALID);
    hr_loader_close(l);
    hr_loader_close(asked);
    hr_dataset_close(ds);
}

static int cleanup(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    static const bool rows = false, finished = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__an_epoch__as_next_delivers_it),
        cmocka_unit_test(take__as_many_as_are_allowed__busy_until_one_goes),
        cmocka_unit_test_prestate(close__a_batch_is_held__only_its_memory_stays, (void *)&rows),
        cmocka_unit_test_prestate(close__a_batch_is_held__only_its_memory_stays, (void *)&finished),
        cmocka_unit_test(hold__a_batch_that_was_released__refused),
        cmocka_unit_test(hold__in_a_forked_child__refused_and_harmless),
        cmocka_unit_test(state_at__each_place__as_the_loader_gives_it_there),
    };
    return cmocka_run_group_tests(tests, NULL, cleanup);
}
