/*
 * What is used of NVML, NVIDIA's library for looking at GPUs, declared here: it is loaded at run
 * time, and no header of it is needed. Types and names are those of its interface (NVML API
 * reference).
 */
#ifndef HEADRACE_GPU_MEMORY_H
#define HEADRACE_GPU_MEMORY_H

#include "headrace/gpu.h"

#define HR__NVML_LIBRARY       "libnvidia-ml.so.1"
#define HR__NVML_NOT_AVAILABLE UINT64_MAX /* a figure that the driver does not have */
#define HR__NVML_FULL          7          /* the caller's array is too small */

struct hr__nvml_memory {
    unsigned long long total, free, used;
};

struct hr__nvml_process {
    unsigned int pid;
    unsigned long long used_bytes;
    unsigned int gpu_instance, compute_instance;
};

/* hr_gpu_memory_read() with a library of that name. */
hr_status hr__nvml_read(const char *library, uint32_t index, hr_gpu_memory *out, hr_error *err);

#endif
