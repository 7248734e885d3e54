/*
 * PNG files, where the command was built with libpng (png_file.c); else png_none.c.
 */
#ifndef HEADRACE_PNG_FILE_H
#define HEADRACE_PNG_FILE_H

#include "head_image.h"

#include "headrace/status.h"

/** Writes PATH.partial, then gives it its name. HR_ERR_EXISTS unless replace. */
hr_status png_write(const char *path, const image *i, bool replace, hr_error *err);

#endif
