/*
 * Finding and opening the GPU module. Once opened it stays loaded: a CUDA runtime cannot be taken
 * out of a process.
 */
#define _GNU_SOURCE
#include "gpu_module.h"

#include "error.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE   "headrace-cuda.so"
#define VARIABLE "HEADRACE_CUDA"

/* The module in the folder of the file that this code is in. False: that cannot be told. */
static bool path_beside_us(char path[PATH_MAX]) {
    Dl_info info;
    memset(&info, 0, sizeof(info));
    /* In a static program dli_fname is argv[0], which need not be a path. */
    const char *name = "/proc/self/exe";
    if (dladdr((void *)(uintptr_t)&hr__gpu_module_open, &info) != 0 && info.dli_fname != NULL &&
        strchr(info.dli_fname, '/') != NULL)
        name = info.dli_fname;
    if (realpath(name, path) == NULL)
        return false;
    char *file = strrchr(path, '/') + 1;
    if (strlen(MODULE) >= PATH_MAX - (size_t)(file - path))
        return false;
    strcpy(file, MODULE);
    return true;
}

static hr_status module_load(const char *path, const struct hr__gpu_ops **out, hr_error *err) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL)
        return hr__error_set(err, HR_ERR_NO_DEVICE_MODULE,
                             "%s cannot be loaded: %s; install Headrace's CUDA module again, or "
                             "use a loader without a device",
                             path, dlerror());
    void *symbol = dlsym(handle, HR__GPU_MODULE_SYMBOL);
    hr__gpu_module_fn *module;
    memcpy(&module, &symbol, sizeof(module)); /* ISO C has no cast from data to functions */
    *out = symbol != NULL ? module(HR__GPU_ABI) : NULL;
    dlclose(handle);
    if (*out == NULL)
        return hr__error_set(err, HR_ERR_NO_DEVICE_MODULE,
                             "%s is of another version than the library %s; install both from one "
                             "release",
                             path, hr_version());
    return HR_OK;
}

hr_status hr__gpu_module_open(const struct hr__gpu_ops **out, hr_error *err) {
    char beside[PATH_MAX] = "";
    const char *path = secure_getenv(VARIABLE);
    *out = NULL;
    if (path == NULL) {
        if (!path_beside_us(beside) || access(beside, F_OK) != 0)
            return hr__error_set(err, HR_ERR_NO_DEVICE_MODULE,
                                 "a GPU was asked for, and the CUDA module of this library (%s) is "
                                 "not there; build Headrace with a CUDA toolkit, install its CUDA "
                                 "package, or use a loader without a device",
                                 beside[0] != '\0' ? beside : MODULE);
        path = beside;
    }
    return module_load(path, out, err);
}
