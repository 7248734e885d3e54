/*
 * Tests that are programs for a GPU, without a framework for tests. The same sources run over the
 * stand-in for CUDA, so they call only what that has, and what is declared here.
 */
#ifndef HEADRACE_GPU_CASE_H
#define HEADRACE_GPU_CASE_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#define GPU_SKIPPED 77

/* ---- what is checked; a failure ends the process ---- */

void gpu_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#define GPU_CHECK(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            gpu_fail(__FILE__, __LINE__, __VA_ARGS__);                                             \
    } while (0)

/* A call of CUDA's by the test itself. */
#define GPU_CALL(call) gpu_call((call), #call, __FILE__, __LINE__)
void gpu_call(cudaError_t e, const char *call, const char *file, int line);

/* ---- running ---- */

struct gpu_case {
    const char *name;
    void (*run)(void);
};

#define GPU_CASE(function)                                                                         \
    { #function, function }

/* Whether there is a GPU; says its name, or why there is none. */
int gpu_is_there(void);
/* All cases, or those whose name has `only` in it where that is not NULL; each is named before it
 * begins. The exit status: 0, or 1 where none was run. */
int gpu_cases_run(const struct gpu_case *cases, size_t num_cases, const char *only);

/* ---- memory and streams ---- */

/* Of the host, registered with CUDA. */
void *gpu_host_alloc(size_t n_bytes);
void gpu_host_free(void *p);
/* A stream that does not wait for others. */
cudaStream_t gpu_stream(void);
/* The same numbers in every run. */
uint64_t gpu_random(uint64_t *state);

/* ---- kernels, in gpu_kernels.cu or on the stand-in ---- */

/* Turns one processor of the GPU for about so long, on a stream. */
cudaError_t gpu_delay(void *stream, uint32_t us);
/* Does what it must not: every later call of the process fails. */
cudaError_t gpu_break(void *stream);

#endif
