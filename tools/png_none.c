/*
 * In the place of png_file.c, where there is no libpng.
 */
#include "png_file.h"

#include <stdio.h>

hr_status png_write(const char *path, const image *i, bool replace, hr_error *err) {
    (void)i;
    (void)replace;
    err->status = HR_ERR_UNSUPPORTED;
    snprintf(err->message, sizeof err->message,
             "%.300s cannot be made: this headrace was built without libpng", path);
    return err->status;
}
