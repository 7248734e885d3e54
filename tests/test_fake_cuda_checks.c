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

static void race__of_neighbouring_bytes__is_none(struct cuda_case *c) {
    cudaMemsetAsync(c->x, 1, CASE_BYTES / 2, c->a);
    cudaMemsetAsync(c->x + CASE_BYTES / 2, 1, CASE_BYTES / 2, c->b);
}

static void race__of_one_byte__is_reported(struct cuda_case *c) {
    cudaMemsetAsync(c->x, 1, CASE_BYTES / 2 + 1, c->a);
    cudaMemsetAsync(c->x + CASE_BYTES / 2, 1, CASE_BYTES / 2, c->b);
}

static void race__of_two_readers__is_none(struct cuda_case *c) {
    upload(c, c->x, 4);
    cudaStreamWaitEvent(c->b, c->event, 0);
    case_read(c->a, c->x, 4);
    case_read(c->b, c->x, 4);
}

static void race__with_a_reader_before_the_last_one__is_reported(struct cuda_case *c) {
    upload(c, c->x, 4);
    cudaStreamWaitEvent(c->b, c->event, 0);
    cudaStreamWaitEvent(c->blocking, c->event, 0);
    case_read(c->blocking, c->x, 4);
    case_read(c->b, c->x, 4);
    cudaEventRecord(c->event, c->b);
    cudaStreamWaitEvent(c->a, c->event, 0); /* of one reader only */
    case_write(c->a, c->x, 5);
}

static void race__in_host_memory__is_reported(struct cuda_case *c) {
    upload(c, c->x, 4);
    upload(c, c->y, 4);
    cudaMemcpyAsync(c->host, c->x, CASE_BYTES, cudaMemcpyDeviceToHost, c->a); /* after both */
    assert_int_equal(fake_cuda_violations(), 0);
    cudaMemsetAsync(c->y, 4, CASE_BYTES, c->a);
    cudaEventRecord(c->event, c->a);
    cudaMemcpyAsync(c->y, c->host, CASE_BYTES, cudaMemcpyHostToDevice, c->b);
}

static void memory__read_before_anything_wrote_it__is_reported(struct cuda_case *c) {
    cudaMemsetAsync(c->x, 1, 100, c->a);
    cudaMemsetAsync(c->x + 101, 1, CASE_BYTES - 101, c->a);
    case_read(c->a, c->x, 1);
}

static void memory__written_piece_by_piece__may_be_read(struct cuda_case *c) {
    cudaMemsetAsync(c->x + 100, 1, CASE_BYTES - 100, c->a);
    cudaMemsetAsync(c->x, 1, 50, c->a);
    cudaMemsetAsync(c->x + 50, 1, 50, c->a);
    case_read(c->a, c->x, 1);
}

/* b */

static void source__written_before_the_copy_is_known_to_be_done__is_reported(struct cuda_case *c) {
    upload(c, c->x, 4);
    if (c->seed % 2 == 0)
        fake_cuda_run_all(); /* it has run, but who knows? */
    c->host[77] = 5;
}

static void source__of_a_copy_beside_what_is_known_to_be_done__is_watched(struct cuda_case *c) {
    upload(c, c->x, 4);
    case_mark(c->b, 1);
    fake_cuda_run_all();
    cudaStreamSynchronize(c->b);
    c->host[78] = 5;
}

static void source__written_once_the_copy_is_known_to_be_done__is_fine(struct cuda_case *c) {
    for (unsigned char i = 0; i < 4; i++) {
        upload(c, c->x, i);
        case_read(c->a, c->x, i);
        c->host[CASE_BYTES] = i; /* a neighbour */
        if (i % 2 == 0)
            cudaEventSynchronize(c->event);
        while (cudaEventQuery(c->event) == cudaErrorNotReady) {
        }
    }
}

static void source__written_by_a_later_operation__is_fine(struct cuda_case *c) {
    upload(c, c->x, 4);
    cudaMemsetAsync(c->y, 9, CASE_BYTES, c->a);
    cudaMemcpyAsync(c->host, c->y, CASE_BYTES, cudaMemcpyDeviceToHost, c->a);
    case_read(c->a, c->x, 4);
    cudaStreamSynchronize(c->a);
    assert_int_equal(c->host[3], 9);
}

static void source__written_before_a_later_operation_does__is_reported(struct cuda_case *c) {
    upload(c, c->x, 4);
    c->host[5] = 1;
    cudaMemsetAsync(c->y, 9, CASE_BYTES, c->a);
    cudaMemcpyAsync(c->host, c->y, CASE_BYTES, cudaMemcpyDeviceToHost, c->a);
}

static void
destination__of_a_copy_to_the_host__holds_garbage_until_it_has_run(struct cuda_case *c) {
    fake_cuda_hold(true);
    cudaMemsetAsync(c->x, 1, CASE_BYTES, c->a);
    memset(c->host, 1, CASE_BYTES);
    cudaMemcpyAsync(c->host, c->x, CASE_BYTES, cudaMemcpyDeviceToHost, c->a);
    assert_int_not_equal(c->host[0], 1);
    assert_int_equal(cudaStreamSynchronize(c->a), cudaSuccess);
    assert_int_equal(c->host[0], 1);
}

/* c */

static void copy__of_pageable_memory__is_reported(struct cuda_case *c) {
    unsigned char bytes[CASE_BYTES] = {0};
    assert_int_equal(cudaMemcpyAsync(c->x, bytes, CASE_BYTES, cudaMemcpyHostToDevice, c->a),
                     cudaSuccess);
}

static void copy__of_memory_registered_but_for_a_byte__is_reported(struct cuda_case *c) {
    unsigned char *at = c->pages + CASE_PAGES_BYTES - CASE_BYTES + 1;
    assert_int_equal(cudaMemcpyAsync(c->x, at, CASE_BYTES - 1, cudaMemcpyHostToDevice, c->a),
                     cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(c->a), cudaSuccess);
    assert_int_equal(fake_cuda_violations(), 0);
    cudaHostUnregister(c->pages);
    cudaHostRegister(c->pages, CASE_PAGES_BYTES - 1, cudaHostRegisterDefault);
    assert_int_equal(cudaMemcpyAsync(c->x, at, CASE_BYTES - 1, cudaMemcpyHostToDevice, c->a),
                     cudaSuccess);
}

static void copy__to_pageable_memory__is_reported(struct cuda_case *c) {
    unsigned char bytes[CASE_BYTES];
    cudaMemcpyAsync(c->x, c->host, CASE_BYTES, cudaMemcpyHostToDevice, c->a);
    cudaMemcpyAsync(bytes, c->x, CASE_BYTES, cudaMemcpyDeviceToHost, c->a);
}

static void copy__of_pageable_memory_that_waits__is_fine(struct cuda_case *c) {
    unsigned char bytes[CASE_BYTES] = {3};
    cudaMemcpy(c->x, bytes, CASE_BYTES, cudaMemcpyHostToDevice);
    bytes[0] = 0;
    cudaMemcpy(bytes, c->x, CASE_BYTES, cudaMemcpyDeviceToHost);
    assert_int_equal(bytes[0], 3);
}

/* d */

static void memory__freed_in_use__is_reported(struct cuda_case *c) {
    unsigned char *z;
    cudaMalloc((void **)&z, CASE_BYTES);
    upload(c, z, 4);
    if (c->seed % 2 == 0)
        fake_cuda_run_all(); /* it is done, but who knows? */
    cudaFree(z);
}

static void memory__freed_when_its_use_is_known_to_be_done__is_fine(struct cuda_case *c) {
    unsigned char *z;
    cudaMalloc((void **)&z, CASE_BYTES);
    upload(c, z, 4);
    cudaEventSynchronize(c->event);
    cudaFree(z);
}

static void memory__unregistered_in_use__is_reported(struct cuda_case *c) {
    unsigned char *more = malloc(CASE_BYTES);
    memset(more, 1, CASE_BYTES);
    cudaHostRegister(more, CASE_BYTES, cudaHostRegisterPortable);
    cudaMemcpyAsync(c->x, more, CASE_BYTES, cudaMemcpyHostToDevice, c->a);
    cudaHostUnregister(more);
    free(more);
    case_read(c->a, c->x, 1);
}

static void memory__past_an_allocation__is_reported(struct cuda_case *c) {
    assert_int_equal(cudaMemsetAsync(c->x + 1, 0, CASE_BYTES, c->a), cudaErrorInvalidValue);
}

static void memory__freed_before__is_reported(struct cuda_case *c) {
    unsigned char *z;
    cudaMalloc((void **)&z, CASE_BYTES);
    cudaFree(z);
    assert_int_equal(cudaMemcpyAsync(z, c->host, CASE_BYTES, cudaMemcpyHostToDevice, c->a),
                     cudaErrorInvalidValue);
}

static void memory__freed_from_its_middle__is_reported(struct cuda_case *c) {
    assert_int_equal(cudaFree(c->x + 8), cudaErrorInvalidValue);
}

static void memory__unregistered_from_its_middle__is_reported(struct cuda_case *c) {
    assert_int_equal(cudaHostUnregister(c->pages + 8), cudaErrorHostMemoryNotRegistered);
}

static void copy__in_the_wrong_direction__is_reported(struct cuda_case *c) {
    assert_int_equal(cudaMemcpyAsync(c->x, c->host, 8, cudaMemcpyDeviceToHost, c->a),
                     cudaErrorInvalidValue);
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

static void launch(struct cuda_case *c, void (*fn)(void *), bool may_write) {
    const struct fake_cuda_range range = {c->x, CASE_BYTES};
    cudaMemsetAsync(c->x, 0, CASE_BYTES, c->a);
    fake_cuda_launch(c->a, &(struct fake_cuda_kernel){.name = "wrong",
                                                      .fn = fn,
                                                      .arg = &c->x,
                                                      .arg_bytes = sizeof c->x,
                                                      .reads = &range,
                                                      .num_reads = !may_write,
                                                      .writes = &range,
                                                      .num_writes = may_write});
}

static void kernel__that_writes_past_an_allocation__is_reported(struct cuda_case *c) {
    launch(c, writes_past_its_end, true);
}

static void kernel__that_writes_what_it_may_read__is_reported(struct cuda_case *c) {
    launch(c, writes_what_it_may_read, false);
}

static void kernel__that_reads_more_than_it_declared__is_reported(struct cuda_case *c) {
    launch(c, reads_more_than_it_may, true);
}

/* f */

static void stream__destroyed__is_reported(struct cuda_case *c) {
    cudaStream_t stream;
    (void)c;
    cudaStreamCreate(&stream);
    cudaStreamDestroy(stream);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
}

static void event__destroyed__is_reported(struct cuda_case *c) {
    const cudaEvent_t destroyed = c->other;
    cudaEventDestroy(c->other);
    cudaEventCreate(&c->other); /* in its place */
    assert_int_equal(cudaEventRecord(destroyed, c->a), cudaErrorInvalidResourceHandle);
}

/* They succeed, as the real ones do. */
static void event__never_recorded_but_asked__is_reported(struct cuda_case *c) {
    assert_int_equal(cudaEventQuery(c->event), cudaSuccess);
}

static void event__never_recorded_but_synchronised__is_reported(struct cuda_case *c) {
    assert_int_equal(cudaEventSynchronize(c->event), cudaSuccess);
}

static void event__never_recorded_but_waited_for__is_reported(struct cuda_case *c) {
    assert_int_equal(cudaStreamWaitEvent(c->b, c->event, 0), cudaSuccess);
}

static void work__of_a_destroyed_stream_without_an_event__is_reported(struct cuda_case *c) {
    case_write(c->a, c->x, 1);
    cudaStreamDestroy(c->a);
    c->a = NULL;
}

static void work__whose_last_event_is_destroyed__is_reported(struct cuda_case *c) {
    cudaEvent_t event;
    cudaEventCreate(&event);
    case_write(c->a, c->x, 1);
    cudaEventRecord(event, c->a);
    cudaStreamDestroy(c->a);
    c->a = NULL;
    assert_int_equal(fake_cuda_violations(), 0);
    cudaEventDestroy(event);
}

/* i */

static void end__with_a_stream_left__is_reported(struct cuda_case *c) {
    cudaStream_t stream;
    (void)c;
    cudaStreamCreate(&stream);
}

static void end__with_an_event_left__is_reported(struct cuda_case *c) {
    cudaEvent_t event;
    (void)c;
    cudaEventCreate(&event);
}

static void end__with_an_allocation_left__is_reported(struct cuda_case *c) {
    void *z;
    (void)c;
    cudaMalloc(&z, 8);
}

static void end__with_a_registration_left__is_reported(struct cuda_case *c) {
    static unsigned char more[CASE_BYTES];
    (void)c;
    cudaHostRegister(more, sizeof more, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE_SILENT(race__of_neighbouring_bytes__is_none),
        CASE_COMPLAINS(race__of_one_byte__is_reported, "from byte 128 of device allocation 0"),
        CASE_SILENT(race__of_two_readers__is_none),
        CASE_COMPLAINS(race__with_a_reader_before_the_last_one__is_reported,
                       "is not ordered after 'read'"),
        CASE_COMPLAINS(race__in_host_memory__is_reported, "host address"),
        CASE_COMPLAINS(memory__read_before_anything_wrote_it__is_reported,
                       "from byte 100 of device allocation 0"),
        CASE_SILENT(memory__written_piece_by_piece__may_be_read),
        CASE_COMPLAINS(source__written_before_the_copy_is_known_to_be_done__is_reported, "byte 77"),
        CASE_COMPLAINS(source__of_a_copy_beside_what_is_known_to_be_done__is_watched, "byte 78"),
        CASE_SILENT(source__written_once_the_copy_is_known_to_be_done__is_fine),
        CASE_SILENT(source__written_by_a_later_operation__is_fine),
        CASE_COMPLAINS(source__written_before_a_later_operation_does__is_reported, "byte 5"),
        CASE_SILENT(destination__of_a_copy_to_the_host__holds_garbage_until_it_has_run),
        CASE_COMPLAINS(copy__of_pageable_memory__is_reported, "not registered"),
        CASE_COMPLAINS(copy__of_memory_registered_but_for_a_byte__is_reported, "not registered"),
        CASE_COMPLAINS(copy__to_pageable_memory__is_reported, "not registered"),
        CASE_SILENT(copy__of_pageable_memory_that_waits__is_fine),
        CASE_COMPLAINS(memory__freed_in_use__is_reported,
                       "cudaFree of byte 0 of device allocation 2"),
        CASE_SILENT(memory__freed_when_its_use_is_known_to_be_done__is_fine),
        CASE_COMPLAINS(memory__unregistered_in_use__is_reported,
                       "cudaHostUnregister of host address"),
        CASE_COMPLAINS(memory__past_an_allocation__is_reported, "not in one allocation"),
        CASE_COMPLAINS(memory__freed_before__is_reported, "freed allocation 2"),
        CASE_COMPLAINS(memory__freed_from_its_middle__is_reported, "no allocation"),
        CASE_COMPLAINS(memory__unregistered_from_its_middle__is_reported,
                       "nothing registered begins"),
        CASE_COMPLAINS(copy__in_the_wrong_direction__is_reported, "really a host-to-device copy"),
        CASE_COMPLAINS(kernel__that_writes_past_an_allocation__is_reported,
                       "written past the allocation of 256 bytes"),
        CASE_COMPLAINS(kernel__that_writes_what_it_may_read__is_reported,
                       "writes 1 bytes from byte 0"),
        CASE_COMPLAINS(kernel__that_reads_more_than_it_declared__is_reported,
                       "reads 257 bytes from byte 0"),
        CASE_COMPLAINS(stream__destroyed__is_reported, "of a stream that is unknown or destroyed"),
        CASE_COMPLAINS(event__destroyed__is_reported, "of an event that is unknown or destroyed"),
        CASE_COMPLAINS(event__never_recorded_but_asked__is_reported,
                       "cudaEventQuery of event 0, which was never recorded"),
        CASE_COMPLAINS(event__never_recorded_but_synchronised__is_reported,
                       "cudaEventSynchronize of event 0, which was never recorded"),
        CASE_COMPLAINS(event__never_recorded_but_waited_for__is_reported,
                       "cudaStreamWaitEvent of event 0, which was never recorded"),
        CASE_COMPLAINS(work__of_a_destroyed_stream_without_an_event__is_reported,
                       "after cudaStreamDestroy nothing can be made to wait"),
        CASE_COMPLAINS(work__whose_last_event_is_destroyed__is_reported,
                       "after cudaEventDestroy nothing can be made to wait"),
        CASE_COMPLAINS(end__with_a_stream_left__is_reported, "1 streams were never destroyed"),
        CASE_COMPLAINS(end__with_an_event_left__is_reported, "1 events were never destroyed"),
        CASE_COMPLAINS(end__with_an_allocation_left__is_reported,
                       "1 allocations were never freed, 8 bytes"),
        CASE_COMPLAINS(end__with_a_registration_left__is_reported,
                       "1 ranges of host memory are still registered"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
