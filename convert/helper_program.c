/*
 * Where the source helper is: relative to the file this code was loaded from, so that a moved
 * prefix and a build tree work alike, then $HEADRACE_LIBEXEC.
 */
#define _GNU_SOURCE
#include "helper_process.h"

#include "error.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "headrace-source"

/* The folder of this code's file, without the slash, malloc'ed; "": it cannot be told. NULL: out of
 * memory. */
static char *own_folder(void) {
    Dl_info info;
    memset(&info, 0, sizeof info);
    /* In a static program dli_fname is argv[0], which need not be a path. */
    const char *name = "/proc/self/exe";
    if (dladdr((void *)(uintptr_t)&hr__helper_find, &info) != 0 && info.dli_fname != NULL &&
        strchr(info.dli_fname, '/') != NULL)
        name = info.dli_fname;
    char *path = realpath(name, NULL);
    if (path == NULL)
        return errno == ENOMEM ? NULL : strdup("");
    *strrchr(path, '/') = '\0';
    return path;
}

/* *out: FOLDER/BETWEEN/PROGRAM, malloc'ed, if that can be run, else unchanged. */
static hr_status program_in(const char *folder, const char *between, char **out, hr_error *err) {
    char *path;
    if (asprintf(&path, "%s%s/" PROGRAM, folder, between) < 0)
        return hr__error_no_memory(err, strlen(folder), "the name of a program");
    if (access(path, X_OK) == 0)
        *out = path;
    else
        free(path);
    return HR_OK;
}

hr_status hr__helper_find(char **out, hr_error *err) {
    /* lib/x86_64-linux-gnu/ is one folder deeper than lib/. */
    static const char *const between[] = {"/../libexec/headrace", "/../../libexec/headrace"};
    const char *libexec = secure_getenv("HEADRACE_LIBEXEC");
    hr_status st = HR_OK;
    *out = NULL;
    char *folder = own_folder();
    if (folder == NULL)
        return hr__error_no_memory(err, PATH_MAX, "the name of a folder");
    for (size_t i = 0; *folder != '\0' && *out == NULL && i < sizeof between / sizeof *between; i++)
        HR_TRY(program_in(folder, between[i], out, err));
    if (*out == NULL && libexec != NULL)
        HR_TRY(program_in(libexec, "", out, err));
    if (*out == NULL)
        st = hr__error_set(
            err, HR_ERR_HELPER,
            "the program " PROGRAM ", which reads and writes HDF5 and .npz files, is neither in %s"
            "%s nor in HEADRACE_LIBEXEC (%s); install Headrace with its helper, or "
            "set HEADRACE_LIBEXEC to the folder that holds it",
            *folder != '\0' ? folder : "?", between[0], libexec != NULL ? libexec : "not set");
done:
    free(folder);
    return st;
}
