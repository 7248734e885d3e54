/*
 * What the tests of the stand-in for CUDA share: a machine with a few streams and allocations, and
 * kernels that write a value to all bytes of a range, or report a range that has another.
 */
#ifndef HEADRACE_FAKE_CUDA_CASE_H
#define HEADRACE_FAKE_CUDA_CASE_H

#include "fake_cuda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CASE_BYTES       256 /* of an allocation, and of a piece of host memory */
#define CASE_SEEDS       200
#define CASE_PAGES_BYTES 4096 /* of registered memory */

struct cuda_case {
    uint64_t seed;
    cudaStream_t a, b; /* non-blocking */
    cudaStream_t blocking;
    cudaEvent_t event, other;
    unsigned char *x, *y; /* device memory */
    unsigned char *host;  /* CASE_BYTES of registered memory */
    unsigned char *pages; /* that it is in */
};

/* A test is a program that is run with each of CASE_SEEDS seeds: one that is right, or one about
 * which a violation says these words. */
struct case_program {
    void (*run)(struct cuda_case *c);
    const char *words;
};
struct CMUnitTest case_test(const char *name, struct case_program *program);
#define CASE_SILENT(run)           CASE_COMPLAINS(run, NULL)
#define CASE_COMPLAINS(run, words) case_test(#run, &(struct case_program){run, words})

/* Begins with a seed, and makes all of it. */
void case_open(struct cuda_case *c, uint64_t seed);
/* Synchronises, releases and ends; the violations. */
uint64_t case_close(struct cuda_case *c);

/* case_close(), and there were none. */
void case_close_silent(struct cuda_case *c);
/* case_close(), and one of the violations has these words. */
void case_close_with(struct cuda_case *c, const char *words);

/* Kernels over CASE_BYTES. */
void case_write(cudaStream_t stream, unsigned char *at, unsigned char value);
void case_read(cudaStream_t stream, const unsigned char *at, unsigned char expected);
/* A kernel that does nothing with memory; appends number to case_order. */
void case_mark(cudaStream_t stream, int number);
extern int case_order[16];
extern int case_num_order;

#endif
