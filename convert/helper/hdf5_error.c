/*
 * Errors of the HDF5 library as ours.
 */
#include "helper.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct innermost {
    char text[192];
    bool out_of_memory;
};

static herr_t visit(unsigned n, const H5E_error2_t *e, void *arg) {
    struct innermost *in = arg;
    if (n == 0 && e->desc != NULL)
        (void)snprintf(in->text, sizeof in->text, "%s", e->desc);
    if (e->maj_num == H5E_RESOURCE && e->min_num == H5E_NOSPACE)
        in->out_of_memory = true;
    return 0;
}

bool h5_error_is(const char *text) {
    struct innermost in;
    memset(&in, 0, sizeof in);
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &in);
    return strcmp(in.text, text) == 0;
}

hr_status h5_error(hr_error *err, hr_status status, const char *format, ...) {
    struct innermost in;
    memset(&in, 0, sizeof in);
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &in);
    (void)H5Eclear2(H5E_DEFAULT);
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (in.out_of_memory)
        return hr__error_set(err, HR_ERR_HELPER,
                             "%s: the helper's memory limit does not suffice; raise it, unless the "
                             "file is damaged",
                             what);
    bool newer = strstr(in.text, "bad version number") != NULL;
    return hr__error_set(err, status, "%s: HDF5 says: %s%s", what,
                         in.text[0] != '\0' ? in.text : "(nothing)",
                         newer ? "; if it was written by a later HDF5, write it anew with h5py's "
                                 "libver=('earliest', 'v110')"
                               : "");
}
