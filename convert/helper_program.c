/*
 * Where the source helper is: relative to the file this code was loaded from, so that a moved
 * prefix and a build tree work alike, then $HEADRACE_LIBEXEC.
 */
#define _GNU_SOURCE
#include "helper_process.h"

#include "error.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "headrace-source"

/* The folder of this code's file, without the slash; malloc'ed, or NULL. */
static char *own_folder(void) {
    Dl_info info;
    memset(&info, 0, sizeof info);
    /* In a static program dli_fname is argv[0], which need not be a path. */
    const char *name = "/proc/self/exe";
    if (dladdr((void *)(uintptr_t)&hr__helper_find, &info) != 0 && info.dli_fname != NULL &&
        strchr(info.dli_fname, '/') != NULL)
        name = info.dli_fname;
    char *path = realpath(name, NULL);
    char *slash = path != NULL ? strrchr(path, '/') : NULL;
    if (slash == NULL) {
        free(path);
        return NULL;
    }
    *slash = '\0';
    return path;
}

/* FOLDER/BETWEEN/PROGRAM if that can be run; malloc'ed, or NULL. */
static char *program_in(const char *folder, const char *between) {
    char *path;
    if (asprintf(&path, "%s%s/" PROGRAM, folder, between) < 0)
        return NULL;
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

hr_status hr__helper_find(char **out, hr_error *err) {
    /* lib/x86_64-linux-gnu/ is one folder deeper than lib/. */
    static const char *const between[] = {"/../libexec/headrace", "/../../libexec/headrace"};
    *out = NULL;
    char *folder = own_folder();
    for (size_t i = 0; folder != NULL && *out == NULL && i < sizeof between / sizeof *between; i++)
        *out = program_in(folder, between[i]);
    const char *libexec = secure_getenv("HEADRACE_LIBEXEC");
    if (*out == NULL && libexec != NULL)
        *out = program_in(libexec, "");
    hr_status st = HR_OK;
    if (*out == NULL)
        st = hr__error_set(err, HR_ERR_HELPER,
                           "the program " PROGRAM ", which reads HDF5 files, is neither in %s"
                           "%s nor in HEADRACE_LIBEXEC (%s); install Headrace with its helper, or "
                           "set HEADRACE_LIBEXEC to the folder that holds it",
                           folder != NULL ? folder : "?", between[0],
                           libexec != NULL ? libexec : "not set");
    free(folder);
    return st;
}
