/*
 * For programs that were written for a GPU: a machine of the stand-in (fake_cuda.h) from the start
 * of the process to its end, which is a failure where the stand-in has complained.
 * $FAKE_CUDA_SEED chooses the order of its work.
 */
#include "fake_cuda.h"

#include <stdlib.h>
#include <unistd.h>

#define EXIT_COMPLAINED 99

__attribute__((constructor)) static void machine_begin(void) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    const char *seed = getenv("FAKE_CUDA_SEED");
    config.num_devices = 2;
    config.seed = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    fake_cuda_begin(&config);
}

__attribute__((destructor)) static void machine_end(void) {
    if (fake_cuda_end() == 0)
        return;
    fake_cuda_print(stderr);
    _exit(EXIT_COMPLAINED);
}
