/*
 * What the stand-in for CUDA finds: each violation of fake_cuda.h (a to i) by a program that
 * commits it, which must be found whatever the seed, beside one that does not, which must be
 * silent.
 */
#include "fake_cuda_case.h"

#include <stdlib.h>
#include <string.h>

static void upload(struct cuda_case *c, unsigned char *to, unsigned char value) {
    memset(c->host, value, CASE_BYTES);
    assert_int_equal(cudaMemcpyAsync(to, c->host, CASE_BYTES, cudaMemcpyHostToDevice, c->a),
                     cudaSuccess);
    cudaEventRecord(c->event, c->a);
}

/* a: bytes. Races between kernels are in test_fake_cuda_order.c. */

static void race__of_neighbouring_bytes__is_none(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        cudaMemsetAsync(c.x, 1, CASE_BYTES / 2, c.a);
        cudaMemsetAsync(c.x + CASE_BYTES / 2, 1, CASE_BYTES / 2, c.b);
        case_close_silent(&c);
    }
}

static void race__of_one_byte__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        cudaMemsetAsync(c.x, 1, CASE_BYTES / 2 + 1, c.a);
        cudaMemsetAsync(c.x + CASE_BYTES / 2, 1, CASE_BYTES / 2, c.b);
        case_close_with(&c, "from byte 128 of device allocation 0");
    }
}

static void race__of_two_readers__is_none(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        upload(&c, c.x, 4);
        cudaStreamWaitEvent(c.b, c.event, 0);
        case_read(c.a, c.x, 4);
        case_read(c.b, c.x, 4);
        case_close_silent(&c);
    }
}

static void race__with_a_reader_before_the_last_one__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        upload(&c, c.x, 4);
        cudaStreamWaitEvent(c.b, c.event, 0);
        cudaStreamWaitEvent(c.blocking, c.event, 0);
        case_read(c.blocking, c.x, 4);
        case_read(c.b, c.x, 4);
        cudaEventRecord(c.event, c.b);
        cudaStreamWaitEvent(c.a, c.event, 0); /* of one reader only */
        case_write(c.a, c.x, 5);
        case_close_with(&c, "is not ordered after 'read'");
    }
}

static void race__in_host_memory__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    case_open(&c, 1);
    upload(&c, c.x, 4);
    upload(&c, c.y, 4);
    cudaMemcpyAsync(c.host, c.x, CASE_BYTES, cudaMemcpyDeviceToHost, c.a); /* after both */
    assert_int_equal(fake_cuda_violations(), 0);
    cudaMemsetAsync(c.y, 4, CASE_BYTES, c.a);
    cudaEventRecord(c.event, c.a);
    cudaMemcpyAsync(c.y, c.host, CASE_BYTES, cudaMemcpyHostToDevice, c.b);
    case_close_with(&c, "host address");
}

static void memory__read_before_anything_wrote_it__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    case_open(&c, 1);
    cudaMemsetAsync(c.x, 1, 100, c.a);
    cudaMemsetAsync(c.x + 101, 1, CASE_BYTES - 101, c.a);
    case_read(c.a, c.x, 1);
    case_close_with(&c, "from byte 100 of device allocation 0");
    case_open(&c, 1);
    cudaMemsetAsync(c.x + 100, 1, CASE_BYTES - 100, c.a);
    cudaMemsetAsync(c.x, 1, 50, c.a);
    cudaMemsetAsync(c.x + 50, 1, 50, c.a);
    case_read(c.a, c.x, 1);
    case_close_silent(&c);
}

/* b */

static void source__written_before_the_copy_is_known_to_be_done__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        upload(&c, c.x, 4);
        if (seed % 2 == 0)
            fake_cuda_run_all(); /* it has run, but who knows? */
        c.host[77] = 5;
        case_close_with(&c, "byte 77");
    }
}

static void source__of_a_copy_beside_what_is_known_to_be_done__is_watched(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        upload(&c, c.x, 4);
        case_mark(c.b, 1);
        fake_cuda_run_all();
        cudaStreamSynchronize(c.b);
        c.host[78] = 5;
        case_close_with(&c, "byte 78");
    }
}

static void source__written_once_the_copy_is_known_to_be_done__is_fine(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        for (unsigned char i = 0; i < 4; i++) {
            upload(&c, c.x, i);
            case_read(c.a, c.x, i);
            c.host[CASE_BYTES] = i; /* a neighbour */
            if (i % 2 == 0)
                cudaEventSynchronize(c.event);
            while (cudaEventQuery(c.event) == cudaErrorNotReady) {
            }
        }
        case_close_silent(&c);
    }
}

static void source__written_by_a_later_operation__is_fine(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        upload(&c, c.x, 4);
        cudaMemsetAsync(c.y, 9, CASE_BYTES, c.a);
        cudaMemcpyAsync(c.host, c.y, CASE_BYTES, cudaMemcpyDeviceToHost, c.a);
        case_read(c.a, c.x, 4);
        cudaStreamSynchronize(c.a);
        assert_int_equal(c.host[3], 9);
        case_close_silent(&c);
        case_open(&c, seed);
        upload(&c, c.x, 4);
        c.host[5] = 1;
        cudaMemsetAsync(c.y, 9, CASE_BYTES, c.a);
        cudaMemcpyAsync(c.host, c.y, CASE_BYTES, cudaMemcpyDeviceToHost, c.a);
        case_close_with(&c, "byte 5");
    }
}

static void destination__of_a_copy_to_the_host__holds_garbage_until_it_has_run(void **state) {
    (void)state;
    struct cuda_case c;
    case_open(&c, 1);
    fake_cuda_hold(true);
    cudaMemsetAsync(c.x, 1, CASE_BYTES, c.a);
    memset(c.host, 1, CASE_BYTES);
    cudaMemcpyAsync(c.host, c.x, CASE_BYTES, cudaMemcpyDeviceToHost, c.a);
    assert_int_not_equal(c.host[0], 1);
    assert_int_equal(cudaStreamSynchronize(c.a), cudaSuccess);
    assert_int_equal(c.host[0], 1);
    case_close_silent(&c);
}

/* c */

static void copy__of_pageable_memory__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    unsigned char bytes[CASE_BYTES] = {0};
    case_open(&c, 1);
    assert_int_equal(cudaMemcpyAsync(c.x, bytes, CASE_BYTES, cudaMemcpyHostToDevice, c.a),
                     cudaSuccess);
    case_close_with(&c, "not registered");
    case_open(&c, 1);
    assert_int_equal(cudaMemcpyAsync(c.x, c.pages + 4096 - CASE_BYTES + 1, CASE_BYTES,
                                     cudaMemcpyHostToDevice, c.b),
                     cudaSuccess); /* but for its last byte */
    case_close_with(&c, "not registered");
    case_open(&c, 1);
    cudaMemcpyAsync(c.x, c.host, CASE_BYTES, cudaMemcpyHostToDevice, c.a);
    cudaMemcpyAsync(bytes, c.x, CASE_BYTES, cudaMemcpyDeviceToHost, c.a);
    case_close_with(&c, "not registered");
    case_open(&c, 1);
    cudaMemcpy(c.x, bytes, CASE_BYTES, cudaMemcpyHostToDevice);
    cudaMemcpy(bytes, c.x, CASE_BYTES, cudaMemcpyDeviceToHost);
    case_close_silent(&c);
}

/* d */

static void memory__freed_in_use__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        unsigned char *z;
        case_open(&c, seed);
        cudaMalloc((void **)&z, CASE_BYTES);
        upload(&c, z, 4);
        if (seed % 2 == 0)
            fake_cuda_run_all();
        cudaFree(z);
        case_close_with(&c, "cudaFree of byte 0 of device allocation 2");
        case_open(&c, seed);
        cudaMalloc((void **)&z, CASE_BYTES);
        upload(&c, z, 4);
        cudaEventSynchronize(c.event);
        cudaFree(z);
        case_close_silent(&c);
    }
}

static void memory__unregistered_in_use__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        unsigned char *more = malloc(CASE_BYTES);
        memset(more, 1, CASE_BYTES);
        case_open(&c, seed);
        cudaHostRegister(more, CASE_BYTES, cudaHostRegisterPortable);
        cudaMemcpyAsync(c.x, more, CASE_BYTES, cudaMemcpyHostToDevice, c.a);
        cudaHostUnregister(more);
        free(more);
        case_read(c.a, c.x, 1);
        case_close_with(&c, "cudaHostUnregister");
    }
}

static void memory__used_outside_an_allocation__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    unsigned char *z;
    case_open(&c, 1);
    assert_int_equal(cudaMemsetAsync(c.x + 1, 0, CASE_BYTES, c.a), cudaErrorInvalidValue);
    case_close_with(&c, "not in one allocation");
    case_open(&c, 1);
    cudaMalloc((void **)&z, CASE_BYTES);
    cudaFree(z);
    assert_int_equal(cudaMemcpyAsync(z, c.host, CASE_BYTES, cudaMemcpyHostToDevice, c.a),
                     cudaErrorInvalidValue);
    case_close_with(&c, "freed allocation 2");
    case_open(&c, 1);
    assert_int_equal(cudaFree(c.x + 8), cudaErrorInvalidValue);
    case_close_with(&c, "no allocation");
    case_open(&c, 1);
    assert_int_equal(cudaHostUnregister(c.pages + 8), cudaErrorHostMemoryNotRegistered);
    case_close_with(&c, "nothing registered begins");
    case_open(&c, 1);
    assert_int_equal(cudaMemcpyAsync(c.x, c.host, 8, cudaMemcpyDeviceToHost, c.a),
                     cudaErrorInvalidValue);
    case_close_with(&c, "really a host-to-device copy");
}

/* e */

static void writes_past_its_end(void *arg) {
    unsigned char *bytes = fake_cuda_write(*(unsigned char **)arg, CASE_BYTES);
    volatile size_t past = CASE_BYTES + 1;
    bytes[past] = 1;
}

static void writes_what_it_may_read(void *arg) {
    *(unsigned char *)fake_cuda_write(*(unsigned char **)arg, 1) = 1;
}

static void reads_more_than_it_may(void *arg) {
    (void)fake_cuda_read(*(unsigned char **)arg, CASE_BYTES + 1);
}

static void kernel__that_leaves_what_it_declared__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    const struct {
        void (*fn)(void *);
        const char *words;
        bool writes;
    } kernels[] = {{writes_past_its_end, "written past the allocation of 256 bytes", true},
                   {writes_what_it_may_read, "writes 1 bytes from byte 0", false},
                   {reads_more_than_it_may, "reads 257 bytes from byte 0", true}};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        case_open(&c, i);
        cudaMemsetAsync(c.x, 0, CASE_BYTES, c.a);
        const struct fake_cuda_range range = {c.x, CASE_BYTES};
        fake_cuda_launch(c.a, &(struct fake_cuda_kernel){.name = "wrong",
                                                         .fn = kernels[i].fn,
                                                         .arg = &c.x,
                                                         .arg_bytes = sizeof c.x,
                                                         .reads = &range,
                                                         .num_reads = !kernels[i].writes,
                                                         .writes = &range,
                                                         .num_writes = kernels[i].writes});
        case_close_with(&c, kernels[i].words);
    }
}

/* f */

static void handle__destroyed__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    cudaStream_t stream;
    cudaEvent_t event;
    case_open(&c, 1);
    cudaStreamCreate(&stream);
    cudaStreamDestroy(stream);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
    case_close_with(&c, "cudaStreamSynchronize of a stream that is unknown or destroyed");
    case_open(&c, 1);
    cudaEventCreate(&event);
    cudaEventDestroy(event);
    cudaEventCreate(&c.other); /* in the place of the first */
    assert_int_equal(cudaEventRecord(event, c.a), cudaErrorInvalidResourceHandle);
    case_close_with(&c, "cudaEventRecord of an event that is unknown or destroyed");
}

static void event__never_recorded__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    cudaError_t (*const calls[])(cudaEvent_t) = {cudaEventQuery, cudaEventSynchronize};
    for (size_t i = 0; i < 2; i++) {
        case_open(&c, 1);
        assert_int_equal(calls[i](c.event), cudaSuccess); /* as the real ones */
        case_close_with(&c, "never recorded");
    }
    case_open(&c, 1);
    assert_int_equal(cudaStreamWaitEvent(c.b, c.event, 0), cudaSuccess);
    case_close_with(&c, "never recorded");
}

static void work__that_nothing_can_be_made_to_wait_for__is_reported(void **state) {
    (void)state;
    struct cuda_case c;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        case_open(&c, seed);
        case_write(c.a, c.x, 1);
        cudaStreamDestroy(c.a);
        c.a = NULL;
        case_close_with(&c, "after cudaStreamDestroy nothing can be made to wait");
        case_open(&c, seed);
        cudaEvent_t event;
        cudaEventCreate(&event);
        case_write(c.a, c.x, 1);
        cudaEventRecord(event, c.a);
        cudaStreamDestroy(c.a);
        c.a = NULL;
        assert_int_equal(fake_cuda_violations(), 0);
        cudaEventDestroy(event);
        case_close_with(&c, "after cudaEventDestroy nothing can be made to wait");
    }
}

/* i */

static void end__with_something_left__is_reported(void **state) {
    (void)state;
    static unsigned char more[CASE_BYTES];
    const char *const words[] = {"1 streams", "1 events", "1 allocations were never freed, 8 bytes",
                                 "1 ranges of host memory"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct cuda_case c;
        cudaStream_t stream;
        cudaEvent_t event;
        void *z;
        case_open(&c, i);
        if (i == 0)
            cudaStreamCreate(&stream);
        else if (i == 1)
            cudaEventCreate(&event);
        else if (i == 2)
            cudaMalloc(&z, 8);
        else
            cudaHostRegister(more, sizeof more, 0);
        case_close_with(&c, words[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(race__of_neighbouring_bytes__is_none),
        cmocka_unit_test(race__of_one_byte__is_reported),
        cmocka_unit_test(race__of_two_readers__is_none),
        cmocka_unit_test(race__with_a_reader_before_the_last_one__is_reported),
        cmocka_unit_test(race__in_host_memory__is_reported),
        cmocka_unit_test(memory__read_before_anything_wrote_it__is_reported),
        cmocka_unit_test(source__written_before_the_copy_is_known_to_be_done__is_reported),
        cmocka_unit_test(source__of_a_copy_beside_what_is_known_to_be_done__is_watched),
        cmocka_unit_test(source__written_once_the_copy_is_known_to_be_done__is_fine),
        cmocka_unit_test(source__written_by_a_later_operation__is_fine),
        cmocka_unit_test(destination__of_a_copy_to_the_host__holds_garbage_until_it_has_run),
        cmocka_unit_test(copy__of_pageable_memory__is_reported),
        cmocka_unit_test(memory__freed_in_use__is_reported),
        cmocka_unit_test(memory__unregistered_in_use__is_reported),
        cmocka_unit_test(memory__used_outside_an_allocation__is_reported),
        cmocka_unit_test(kernel__that_leaves_what_it_declared__is_reported),
        cmocka_unit_test(handle__destroyed__is_reported),
        cmocka_unit_test(event__never_recorded__is_reported),
        cmocka_unit_test(work__that_nothing_can_be_made_to_wait_for__is_reported),
        cmocka_unit_test(end__with_something_left__is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
