/*
 * A GPU's memory by NVML. Each call loads the library, begins, asks, ends and lets go of it.
 */
#include "gpu_memory.h"

#include "error.h"
#include "options.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_PROCESSES 64u /* on one GPU */
#define MOST_PROCESSES  65536u

/* Each returns 0, or a number that error_text knows. */
struct nvml {
    void *library;
    bool begun;
    int (*begin)(void);
    int (*end)(void);
    const char *(*error_text)(int);
    int (*count)(unsigned int *);
    int (*handle)(unsigned int, void **);
    int (*name)(void *, char *, unsigned int);
    int (*memory)(void *, struct hr__nvml_memory *);
    int (*compute)(void *, unsigned int *, struct hr__nvml_process *); /* may be NULL */
    int (*graphics)(void *, unsigned int *, struct hr__nvml_process *);
};

/* ISO C has no cast from data to functions. The latest of two names that is there. */
static bool find(void *library, const char *name, const char *older, void *function,
                 size_t n_bytes) {
    void *symbol = dlsym(library, name);
    if (symbol == NULL && older != NULL)
        symbol = dlsym(library, older);
    memcpy(function, &symbol, n_bytes);
    return symbol != NULL;
}

#define FIND(n, member, name, older)                                                               \
    find((n)->library, name, older, &(n)->member, sizeof((n)->member))

static hr_status nvml_load(struct nvml *n, const char *library, hr_error *err) {
    n->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (n->library == NULL)
        return hr__error_set(err, HR_ERR_NO_DRIVER,
                             "the memory of GPUs cannot be seen: %s; it comes with NVIDIA's driver "
                             "(in a container: with the runtime's option for GPUs)",
                             dlerror());
    if (!FIND(n, begin, "nvmlInit_v2", NULL) || !FIND(n, end, "nvmlShutdown", NULL) ||
        !FIND(n, error_text, "nvmlErrorString", NULL) ||
        !FIND(n, count, "nvmlDeviceGetCount_v2", NULL) ||
        !FIND(n, handle, "nvmlDeviceGetHandleByIndex_v2", NULL) ||
        !FIND(n, name, "nvmlDeviceGetName", NULL) ||
        !FIND(n, memory, "nvmlDeviceGetMemoryInfo", NULL))
        return hr__error_set(err, HR_ERR_NO_DRIVER,
                             "%s lacks functions that this library needs; install NVIDIA's "
                             "driver again",
                             library);
    (void)FIND(n, compute, "nvmlDeviceGetComputeRunningProcesses_v3",
               "nvmlDeviceGetComputeRunningProcesses_v2");
    (void)FIND(n, graphics, "nvmlDeviceGetGraphicsRunningProcesses_v3",
               "nvmlDeviceGetGraphicsRunningProcesses_v2");
    return HR_OK;
}

static hr_status refused(const struct nvml *n, hr_status status, int rc, const char *what,
                         hr_error *err) {
    return hr__error_set(err, status, "NVML cannot %s: %s (%d); see whether nvidia-smi works here",
                         what, n->error_text(rc), rc);
}

static hr_status device_find(struct nvml *n, uint32_t index, void **device, hr_error *err) {
    unsigned int count = 0;
    int rc = n->begin();
    if (rc != 0)
        return refused(n, HR_ERR_NO_DRIVER, rc, "begin", err);
    n->begun = true;
    if ((rc = n->count(&count)) != 0)
        return refused(n, HR_ERR_DEVICE, rc, "count GPUs", err);
    if (index >= count)
        return hr__error_set(err, HR_ERR_NO_DEVICE,
                             "GPU %u was asked for, NVML counts %u, from 0; see nvidia-smi -L",
                             index, count);
    if ((rc = n->handle(index, device)) != 0)
        return refused(n, HR_ERR_DEVICE, rc, "open the GPU", err);
    return HR_OK;
}

/* What a list of processes says of this one; false: it is not in it, or its figure is not known. */
static bool process_bytes(int (*list)(void *, unsigned int *, struct hr__nvml_process *),
                          void *device, uint64_t *out) {
    unsigned int room = FIRST_PROCESSES, count = room;
    struct hr__nvml_process *processes = calloc(room, sizeof(*processes));
    int rc = processes != NULL ? list(device, &count, processes) : -1;
    while (rc == HR__NVML_FULL && room < MOST_PROCESSES) {
        room = count = room * 4;
        free(processes);
        processes = calloc(room, sizeof(*processes));
        rc = processes != NULL ? list(device, &count, processes) : -1;
    }
    bool found = false;
    for (unsigned int i = 0; rc == 0 && i < count && i < room; i++)
        if (processes[i].pid == (unsigned int)getpid() &&
            processes[i].used_bytes != HR__NVML_NOT_AVAILABLE) {
            *out = (found ? *out : 0) + processes[i].used_bytes;
            found = true;
        }
    free(processes);
    return found;
}

static hr_status device_ask(const struct nvml *n, void *device, hr_gpu_memory *out, hr_error *err) {
    struct hr__nvml_memory memory = {0};
    int rc = n->memory(device, &memory);
    if (rc != 0)
        return refused(n, HR_ERR_DEVICE, rc, "read the GPU's memory", err);
    out->total_bytes = memory.total;
    out->used_bytes = memory.used;
    out->free_bytes = memory.free;
    out->process_bytes = UINT64_MAX;
    if (n->name(device, out->name, sizeof(out->name)) != 0)
        out->name[0] = 0;
    out->name[sizeof(out->name) - 1] = 0;
    if ((n->compute == NULL || !process_bytes(n->compute, device, &out->process_bytes)) &&
        n->graphics != NULL)
        (void)process_bytes(n->graphics, device, &out->process_bytes);
    return HR_OK;
}

hr_status hr__nvml_read(const char *library, uint32_t index, hr_gpu_memory *out, hr_error *err) {
    struct nvml n = {.library = NULL};
    void *device = NULL;
    hr_gpu_memory memory = {.struct_bytes = sizeof(memory), .index = index};
    hr_status st = hr__result_check(out, offsetof(hr_gpu_memory, total_bytes), sizeof(*out),
                                    "hr_gpu_memory", err);
    if (st != HR_OK)
        return st;
    HR_TRY(nvml_load(&n, library, err));
    HR_TRY(device_find(&n, index, &device, err));
    HR_TRY(device_ask(&n, device, &memory, err));
    hr__result_copy(out, &memory, sizeof(memory));
done:
    if (n.begun)
        n.end();
    if (n.library != NULL)
        dlclose(n.library);
    return st;
}

hr_status hr_gpu_memory_read(uint32_t index, hr_gpu_memory *out, hr_error *err) {
    return hr__nvml_read(HR__NVML_LIBRARY, index, out, err);
}
