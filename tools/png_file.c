/*
 * PNG by libpng's simplified interface.
 */
#include "png_file.h"

#include "whole_file.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static hr_status fail(hr_error *err, hr_status status, const char *path, const char *why) {
    err->status = status;
    err->os_errno = status == HR_ERR_IO ? errno : 0;
    snprintf(err->message, sizeof err->message, "%.300s cannot be made: %.150s", path, why);
    return status;
}

static hr_status write_pixels(const char *path, FILE *file, const image *i, hr_error *err) {
    png_image png = {.version = PNG_IMAGE_VERSION};
    png.width = (png_uint_32)i->width;
    png.height = (png_uint_32)i->height;
    png.format = PNG_FORMAT_RGB;
    return png_image_write_to_stdio(&png, file, 0, i->rgb, 0, NULL) != 0
               ? HR_OK
               : fail(err, HR_ERR_IO, path, png.message);
}

hr_status png_write(const char *path, const image *i, bool replace, hr_error *err) {
    whole_file f;
    if (!replace && access(path, F_OK) == 0) {
        return fail(err, HR_ERR_EXISTS, path, "it exists");
    }
    hr_status st = whole_file_open(&f, path) ? write_pixels(path, f.file, i, err)
                                             : fail(err, HR_ERR_IO, path, strerror(errno));
    if (st == HR_OK && !whole_file_finish(&f)) {
        st = fail(err, HR_ERR_IO, path, strerror(errno));
    }
    whole_file_close(&f);
    return st;
}
