/*
 * The order of operations in the stand-in for CUDA: each rule of fake_cuda.h, by programs that it
 * makes right, which must be silent and see the right bytes whatever the seed, and by programs that
 * it leaves unordered, which must be reported whatever the seed.
 */
#include "fake_cuda_case.h"

#include <pthread.h>
#include <string.h>

#define UNORDERED "is not ordered after"

/* Rule 1. */

static void stream__operations_of_one__run_in_order(struct cuda_case *c) {
    for (int i = 0; i < 5; i++) {
        case_write(c->a, c->x, (unsigned char)i);
        case_read(c->a, c->x, (unsigned char)i);
        case_mark(c->a, i);
    }
    assert_int_equal(cudaStreamSynchronize(c->a), cudaSuccess);
    for (int i = 0; i < 5; i++)
        assert_int_equal(case_order[i], i);
}

static void stream__operations_of_two__are_not_ordered(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    case_read(c->b, c->x, 1);
}

static void stream__operations_of_two__run_in_either_order(void **state) {
    (void)state;
    int first_ran_first = 0;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        struct cuda_case c;
        case_open(&c, seed);
        case_mark(c.a, 1);
        case_mark(c.b, 2);
        assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
        first_ran_first += case_order[0] == 1;
        case_close_silent(&c);
    }
    assert_in_range(first_ran_first, CASE_SEEDS / 4, CASE_SEEDS * 19 / 20);
}

/* Rules 2 and 3. */

static void event__waited_for__orders_what_follows(struct cuda_case *c) {
    case_write(c->a, c->x, 7);
    cudaEventRecord(c->event, c->a);
    cudaStreamWaitEvent(c->b, c->event, 0);
    case_read(c->b, c->x, 7);
    cudaEventRecord(c->other, c->b);
    cudaStreamWaitEvent(c->a, c->other, 0);
    case_write(c->a, c->x, 8);
}

static void event__recorded_again__leaves_earlier_waits_as_they_were(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    cudaEventRecord(c->event, c->a);
    cudaStreamWaitEvent(c->b, c->event, 0);
    case_write(c->a, c->y, 2);
    cudaEventRecord(c->event, c->a);
    case_read(c->b, c->x, 1);
    assert_int_equal(fake_cuda_violations(), 0);
    case_read(c->b, c->y, 2); /* the wait was for the first record */
}

static void event__recorded_too_early__orders_nothing_later(struct cuda_case *c) {
    cudaEventRecord(c->event, c->a);
    case_write(c->a, c->x, 1);
    cudaStreamWaitEvent(c->b, c->event, 0);
    case_read(c->b, c->x, 1);
}

static void event__waited_for_too_late__orders_nothing_earlier(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    cudaEventRecord(c->event, c->a);
    case_read(c->b, c->x, 1);
    cudaStreamWaitEvent(c->b, c->event, 0);
}

static void event__waited_for_through_a_third_stream__orders(struct cuda_case *c) {
    case_write(c->a, c->x, 3);
    cudaEventRecord(c->event, c->a);
    cudaStreamWaitEvent(c->blocking, c->event, 0);
    cudaEventRecord(c->other, c->blocking); /* which has no work of its own */
    cudaStreamWaitEvent(c->b, c->other, 0);
    case_read(c->b, c->x, 3);
}

/* Rules 4 and 5. */

static void legacy__and_blocking_streams__wait_for_each_other(struct cuda_case *c) {
    case_write(c->blocking, c->x, 1);
    case_read(NULL, c->x, 1);
    case_write(cudaStreamLegacy, c->x, 2);
    case_read(c->blocking, c->x, 2);
    case_write(cudaStreamPerThread, c->y, 3);
    case_read(NULL, c->y, 3);
    case_write(NULL, c->y, 4);
    case_read(cudaStreamPerThread, c->y, 4);
}

static void legacy__after_a_non_blocking_stream__knows_nothing_of_it(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    case_read(NULL, c->x, 1);
}

static void legacy__before_a_non_blocking_stream__is_unknown_to_it(struct cuda_case *c) {
    case_write(NULL, c->x, 1);
    case_read(c->a, c->x, 1);
}

static void legacy__wait_in_it__holds_back_only_its_own_work(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    cudaEventRecord(c->event, c->a);
    cudaStreamWaitEvent(NULL, c->event, 0);
    case_read(NULL, c->x, 1);
    case_read(c->blocking, c->x, 1); /* through the read in the legacy stream */
    assert_int_equal(fake_cuda_violations(), 0);
    case_write(c->a, c->y, 1);
    cudaEventRecord(c->event, c->a);
    cudaStreamWaitEvent(NULL, c->event, 0);
    case_read(c->blocking, c->y, 1);
}

static void legacy__record_in_it__captures_blocking_streams(struct cuda_case *c) {
    case_write(c->blocking, c->x, 1);
    cudaEventRecord(c->event, NULL);
    cudaStreamWaitEvent(c->a, c->event, 0);
    case_read(c->a, c->x, 1);
}

static void *read_in_per_thread_stream(void *at) {
    case_read(cudaStreamPerThread, at, 1);
    return NULL;
}

static void per_thread__of_two_threads__are_two_streams(struct cuda_case *c) {
    pthread_t thread;
    case_write(cudaStreamPerThread, c->x, 1);
    assert_int_equal(pthread_create(&thread, NULL, read_in_per_thread_stream, c->x), 0);
    pthread_join(thread, NULL);
}

/* Rule 6. */

static void stream__destroyed_with_its_event__lets_work_go_on(struct cuda_case *c) {
    cudaEvent_t event;
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    case_write(c->a, c->x, 9);
    cudaEventRecord(event, c->a);
    cudaStreamWaitEvent(c->b, event, 0);
    cudaStreamDestroy(c->a);
    cudaEventDestroy(event);
    c->a = NULL;
    case_read(c->b, c->x, 9);
}

static void stream__in_the_place_of_a_destroyed_one__is_not_after_it(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    cudaEventRecord(c->event, c->a);
    if (c->seed % 2 == 0)
        fake_cuda_run_all();
    cudaStreamDestroy(c->a);
    cudaStreamCreateWithFlags(&c->a, cudaStreamNonBlocking);
    case_read(c->a, c->x, 1);
}

static void stream__in_the_place_of_a_finished_one__starts_anew(struct cuda_case *c) {
    for (int i = 0; i < 3; i++)
        case_mark(c->a, i);
    cudaStreamSynchronize(c->a);
    cudaStreamDestroy(c->a);
    cudaStreamCreateWithFlags(&c->a, cudaStreamNonBlocking);
    case_write(c->a, c->x, 1);
    case_read(c->b, c->x, 1);
}

/* Rule 7. */

static void host__not_told_that_work_is_done__orders_nothing(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    fake_cuda_run_all();
    case_read(c->b, c->x, 1);
}

static void host__told_that_work_is_done__orders_what_follows(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    cudaEventRecord(c->event, c->a);
    while (cudaEventQuery(c->event) == cudaErrorNotReady) {
    }
    case_read(c->b, c->x, 1);
    assert_int_equal(cudaStreamSynchronize(c->b), cudaSuccess);
    case_write(c->a, c->x, 2);
    while (cudaStreamQuery(c->a) == cudaErrorNotReady) {
    }
    case_write(c->b, c->x, 3);
    assert_int_equal(cudaEventRecord(c->event, c->b), cudaSuccess);
    assert_int_equal(cudaEventSynchronize(c->event), cudaSuccess);
    case_read(c->a, c->x, 3);
}

/* Rule 8. */

static void scheduler__over_many_seeds__is_early_and_late(void **state) {
    (void)state;
    int ran = 0;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        struct cuda_case c;
        case_open(&c, seed);
        case_mark(c.a, 1);
        ran += case_num_order;
        case_close_silent(&c);
    }
    assert_in_range(ran, CASE_SEEDS / 5, CASE_SEEDS * 4 / 5);
}

static void scheduler__held__runs_only_what_it_is_told_to(struct cuda_case *c) {
    fake_cuda_hold(true);
    case_mark(c->a, 1);
    case_mark(c->a, 2);
    for (int i = 0; i < 50; i++)
        assert_int_equal(cudaStreamQuery(c->a), cudaErrorNotReady);
    assert_int_equal(case_num_order, 0);
    assert_true(fake_cuda_step());
    assert_int_equal(case_num_order, 1);
    assert_int_equal(cudaStreamSynchronize(c->a), cudaSuccess);
    assert_int_equal(case_num_order, 2);
    assert_false(fake_cuda_step());
}

static uint64_t hash_of_a_program(uint64_t of_seed) {
    struct cuda_case c;
    case_open(&c, of_seed);
    for (int i = 0; i < 10; i++) {
        case_write(c.a, c.x, (unsigned char)i);
        case_write(c.b, c.y, (unsigned char)i);
        cudaEventRecord(c.event, c.a);
        while (cudaEventQuery(c.event) != cudaSuccess) {
        }
    }
    case_close_silent(&c);
    return fake_cuda_trace_hash();
}

static void scheduler__with_the_same_seed__does_the_same(void **state) {
    (void)state;
    uint64_t last = 0;
    int changes = 0;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        const uint64_t hash = hash_of_a_program(seed);
        assert_true(hash == hash_of_a_program(seed));
        changes += hash != last;
        last = hash;
    }
    assert_in_range(changes, CASE_SEEDS / 2, CASE_SEEDS); /* eager seeds are alike */
}

/* Rule 9. */

static void copy__of_pageable_memory__has_read_it_at_return(struct cuda_case *c) {
    unsigned char source[CASE_BYTES];
    fake_cuda_allow_pageable(true);
    memset(source, 5, sizeof source);
    cudaMemcpyAsync(c->x, source, sizeof source, cudaMemcpyHostToDevice, c->a);
    memset(source, 6, sizeof source);
    case_read(c->a, c->x, 5);
    memset(source, 0, sizeof source);
    cudaMemcpyAsync(source, c->x, sizeof source, cudaMemcpyDeviceToHost, c->a);
    assert_int_equal(source[CASE_BYTES - 1], 5); /* that direction waits */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE_SILENT(stream__operations_of_one__run_in_order),
        CASE_COMPLAINS(stream__operations_of_two__are_not_ordered, UNORDERED),
        cmocka_unit_test(stream__operations_of_two__run_in_either_order),
        CASE_SILENT(event__waited_for__orders_what_follows),
        CASE_COMPLAINS(event__recorded_again__leaves_earlier_waits_as_they_were, UNORDERED),
        CASE_COMPLAINS(event__recorded_too_early__orders_nothing_later, UNORDERED),
        CASE_COMPLAINS(event__waited_for_too_late__orders_nothing_earlier, UNORDERED),
        CASE_SILENT(event__waited_for_through_a_third_stream__orders),
        CASE_SILENT(legacy__and_blocking_streams__wait_for_each_other),
        CASE_COMPLAINS(legacy__after_a_non_blocking_stream__knows_nothing_of_it, UNORDERED),
        CASE_COMPLAINS(legacy__before_a_non_blocking_stream__is_unknown_to_it, UNORDERED),
        CASE_COMPLAINS(legacy__wait_in_it__holds_back_only_its_own_work, UNORDERED),
        CASE_SILENT(legacy__record_in_it__captures_blocking_streams),
        CASE_COMPLAINS(per_thread__of_two_threads__are_two_streams, UNORDERED),
        CASE_SILENT(stream__destroyed_with_its_event__lets_work_go_on),
        CASE_COMPLAINS(stream__in_the_place_of_a_destroyed_one__is_not_after_it, UNORDERED),
        CASE_COMPLAINS(stream__in_the_place_of_a_finished_one__starts_anew, UNORDERED),
        CASE_COMPLAINS(host__not_told_that_work_is_done__orders_nothing, UNORDERED),
        CASE_SILENT(host__told_that_work_is_done__orders_what_follows),
        cmocka_unit_test(scheduler__over_many_seeds__is_early_and_late),
        CASE_SILENT(scheduler__held__runs_only_what_it_is_told_to),
        cmocka_unit_test(scheduler__with_the_same_seed__does_the_same),
        CASE_SILENT(copy__of_pageable_memory__has_read_it_at_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
