/*
 * A stand-in for NVIDIA's libnvidia-ml.so.1: a module that is loaded in its place. What it answers
 * is in $FAKE_NVML: "init", "count", "handle", "memory" or "name" fails; "absent": this process is
 * in no list; "many": it is the last of more processes than are asked for at first; "unknown": its
 * memory is; "graphics": it is in that list only.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAILED    999
#define TOO_SMALL 7
#define MANY      300u

struct memory {
    unsigned long long total, free, used;
};

struct process {
    unsigned int pid;
    unsigned long long used_bytes;
    unsigned int gpu_instance, compute_instance;
};

int nvmlInit_v2(void);
int nvmlShutdown(void);
const char *nvmlErrorString(int rc);
int nvmlDeviceGetCount_v2(unsigned int *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device);
int nvmlDeviceGetName(void *device, char *name, unsigned int n_bytes);
int nvmlDeviceGetMemoryInfo(void *device, struct memory *out);
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, struct process *out);
int nvmlDeviceGetGraphicsRunningProcesses_v2(void *device, unsigned int *count,
                                             struct process *out);

static int is(const char *word) {
    const char *set = getenv("FAKE_NVML");
    return set != NULL && strcmp(set, word) == 0;
}

int nvmlInit_v2(void) {
    return is("init") ? FAILED : 0;
}

int nvmlShutdown(void) {
    return 0;
}

const char *nvmlErrorString(int rc) {
    return rc == FAILED ? "the stand-in was told to" : "something else";
}

int nvmlDeviceGetCount_v2(unsigned int *count) {
    *count = 2;
    return is("count") ? FAILED : 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    static char devices[2];
    *device = &devices[index];
    return is("handle") ? FAILED : 0;
}

int nvmlDeviceGetName(void *device, char *name, unsigned int n_bytes) {
    (void)device;
    strncpy(name, "Stand-in GPU", n_bytes);
    return is("name") ? FAILED : 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *out) {
    (void)device;
    out->total = 1000;
    out->used = 300;
    out->free = 700;
    return is("memory") ? FAILED : 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count,
                                            struct process *out) {
    const unsigned int n = is("many") ? MANY : 2;
    const unsigned int room = *count;
    (void)device;
    *count = n;
    if (room < n)
        return TOO_SMALL;
    for (unsigned int i = 0; i < n; i++)
        out[i] = (struct process){.pid = 1, .used_bytes = 77};
    if (is("absent") || is("graphics"))
        return 0;
    out[n - 1].pid = (unsigned int)getpid();
    out[n - 1].used_bytes = is("unknown") ? ~0ull : 120;
    return 0;
}

int nvmlDeviceGetGraphicsRunningProcesses_v2(void *device, unsigned int *count,
                                             struct process *out) {
    (void)device;
    *count = is("graphics") ? 1 : 0;
    if (is("graphics"))
        out[0] = (struct process){.pid = (unsigned int)getpid(), .used_bytes = 55};
    return 0;
}
