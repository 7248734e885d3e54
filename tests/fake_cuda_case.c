/*
 * A machine for tests of the stand-in.
 */
#define _GNU_SOURCE
#include "fake_cuda_case.h"

#include <string.h>
#include <sys/mman.h>

int case_order[16];
int case_num_order;

static void done(cudaError_t error) {
    assert_int_equal(error, cudaSuccess);
}

void case_open(struct cuda_case *c, uint64_t seed) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    c->seed = config.seed = seed;
    fake_cuda_begin(&config);
    case_num_order = 0;
    done(cudaStreamCreateWithFlags(&c->a, cudaStreamNonBlocking));
    done(cudaStreamCreateWithFlags(&c->b, cudaStreamNonBlocking));
    done(cudaStreamCreate(&c->blocking));
    done(cudaEventCreate(&c->event));
    done(cudaEventCreate(&c->other));
    done(cudaMalloc((void **)&c->x, CASE_BYTES));
    done(cudaMalloc((void **)&c->y, CASE_BYTES));
    c->pages =
        mmap(NULL, CASE_PAGES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(c->pages, MAP_FAILED);
    c->host = c->pages;
    done(cudaHostRegister(c->pages, CASE_PAGES_BYTES, cudaHostRegisterDefault));
}

uint64_t case_close(struct cuda_case *c) {
    fake_cuda_steady(false);
    done(cudaDeviceSynchronize());
    done(cudaFree(c->x));
    done(cudaFree(c->y));
    if (c->a != NULL)
        done(cudaStreamDestroy(c->a));
    done(cudaStreamDestroy(c->b));
    done(cudaStreamDestroy(c->blocking));
    done(cudaEventDestroy(c->event));
    done(cudaEventDestroy(c->other));
    done(cudaHostUnregister(c->pages));
    munmap(c->pages, CASE_PAGES_BYTES);
    return fake_cuda_end();
}

void case_close_silent(struct cuda_case *c) {
    if (case_close(c) != 0) {
        fake_cuda_print(stderr);
        fail_msg("the stand-in has complained about a right program");
    }
}

void case_close_with(struct cuda_case *c, const char *words) {
    if (case_close(c) == 0 || !fake_cuda_complained(words)) {
        fake_cuda_print(stderr);
        fail_msg("no violation with the words '%s'", words);
    }
}

static void run_with_each_seed(void **state) {
    const struct case_program *program = *state;
    for (uint64_t seed = 0; seed < CASE_SEEDS; seed++) {
        struct cuda_case c;
        case_open(&c, seed);
        program->run(&c);
        if (program->words == NULL)
            case_close_silent(&c);
        else
            case_close_with(&c, program->words);
    }
}

struct CMUnitTest case_test(const char *name, struct case_program *program) {
    return (struct CMUnitTest){
        .name = name, .test_func = run_with_each_seed, .initial_state = program};
}

/* ---- kernels ---- */

struct range_arg {
    unsigned char *at;
    unsigned char value;
};

static void write_range(void *arg) {
    const struct range_arg *r = arg;
    memset(fake_cuda_write(r->at, CASE_BYTES), r->value, CASE_BYTES);
}

static void read_range(void *arg) {
    const struct range_arg *r = arg;
    const unsigned char *bytes = fake_cuda_read(r->at, CASE_BYTES);
    for (int i = 0; i < CASE_BYTES; i++)
        if (bytes[i] != r->value) {
            fake_cuda_report("byte %d is %d, expected %d", i, bytes[i], r->value);
            return;
        }
}

void case_write(cudaStream_t stream, unsigned char *at, unsigned char value) {
    const struct range_arg arg = {at, value};
    const struct fake_cuda_range range = {at, CASE_BYTES};
    done(fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "write",
                                                             .fn = write_range,
                                                             .arg = &arg,
                                                             .arg_bytes = sizeof arg,
                                                             .writes = &range,
                                                             .num_writes = 1}));
}

void case_read(cudaStream_t stream, const unsigned char *at, unsigned char expected) {
    const struct range_arg arg = {(unsigned char *)(uintptr_t)at, expected};
    const struct fake_cuda_range range = {at, CASE_BYTES};
    done(fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "read",
                                                             .fn = read_range,
                                                             .arg = &arg,
                                                             .arg_bytes = sizeof arg,
                                                             .reads = &range,
                                                             .num_reads = 1}));
}

static void mark(void *arg) {
    case_order[case_num_order++] = *(const int *)arg;
}

void case_mark(cudaStream_t stream, int number) {
    done(fake_cuda_launch(
        stream, &(struct fake_cuda_kernel){
                    .name = "mark", .fn = mark, .arg = &number, .arg_bytes = sizeof number}));
}
