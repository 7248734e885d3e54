/*
 * PNG by libpng's simplified interface.
 */
#define _GNU_SOURCE
#include "png_file.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hr_status fail(hr_error *err, hr_status status, const char *path, const char *why) {
    err->status = status;
    err->os_errno = status == HR_ERR_IO ? errno : 0;
    snprintf(err->message, sizeof err->message, "%.300s cannot be made: %.150s", path, why);
    return status;
}

static hr_status write_pixels(const char *path, const image *i, hr_error *err) {
    png_image png = {.version = PNG_IMAGE_VERSION};
    png.width = (png_uint_32)i->width;
    png.height = (png_uint_32)i->height;
    png.format = PNG_FORMAT_RGB;
    FILE *f = fopen(path, "wbe");
    if (f == NULL) {
        return fail(err, HR_ERR_IO, path, strerror(errno));
    }
    const bool written = png_image_write_to_stdio(&png, f, 0, i->rgb, 0, NULL) != 0;
    if (fclose(f) != 0) {
        return fail(err, HR_ERR_IO, path, strerror(errno));
    }
    return written ? HR_OK : fail(err, HR_ERR_IO, path, png.message);
}

hr_status png_write(const char *path, const image *i, bool replace, hr_error *err) {
    char *partial = NULL;
    if (!replace && access(path, F_OK) == 0) {
        return fail(err, HR_ERR_EXISTS, path, "it exists");
    }
    if (asprintf(&partial, "%s.partial", path) < 0) {
        return fail(err, HR_ERR_NO_MEMORY, path, "out of memory");
    }
    hr_status st = write_pixels(partial, i, err);
    if (st == HR_OK && rename(partial, path) != 0) {
        st = fail(err, HR_ERR_IO, path, strerror(errno));
    }
    if (st != HR_OK) {
        unlink(partial);
    }
    free(partial);
    return st;
}
