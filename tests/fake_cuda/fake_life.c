/*
 * The stand-in as a module that `headrace` opens ($HEADRACE_CUDA): two GPUs, from the time when it
 * is loaded to the end of the process, which then fails if there was a complaint.
 */
#include "fake_cuda.h"

#include <unistd.h>

__attribute__((constructor)) static void begin(void) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    config.num_devices = 2;
    fake_cuda_begin(&config);
}

__attribute__((destructor)) static void end(void) {
    if (fake_cuda_end() == 0)
        return;
    fake_cuda_print(stderr);
    _exit(99);
}
