/*
 * Images of `head`.
 */
#define _GNU_SOURCE
#include "head_job.h"

#include "png_file.h"
#include "sizes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MOST_COLUMNS 64 /* of an image on a terminal; its height likewise */

static hr_status check_room(const head_field *v, uint64_t n_bytes, const char *then,
                            hr_error *err) {
    if (n_bytes <= v->budget_bytes) {
        return HR_OK;
    }
    head_fail(err, HR_ERR_BUDGET, "");
    snprintf(err->message, sizeof err->message,
             "the images of the field %.200s take %s, the budget is %s; give a larger --budget%s",
             v->field.name, sizes_bytes(n_bytes).text, sizes_bytes(v->budget_bytes).text, then);
    return HR_ERR_BUDGET;
}

/* Sample i as an image; to be freed also after a failure. */
static hr_status make_image(const head_job *job, head_field *v, uint32_t i, image *out,
                            hr_error *err) {
    const hr_status st = head_field_read(v, job->first + i, err);
    if (st != HR_OK) {
        return st;
    }
    return image_make(&v->field, &v->layout, v->sample, out)
               ? HR_OK
               : head_fail(err, HR_ERR_NO_MEMORY, "not enough memory for an image");
}

/* --- on a terminal -------------------------------------------------------------------------- */

/* All samples, each made small before the next is read. */
static hr_status make_small(const head_job *job, head_field *v, image *images, hr_error *err) {
    const uint64_t most = job->term.columns < MOST_COLUMNS ? job->term.columns : MOST_COLUMNS;
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < job->count; i++) {
        st = make_image(job, v, i, &images[i], err);
        if (st == HR_OK) {
            image_shrink(&images[i], most, MOST_COLUMNS);
        }
    }
    return st;
}

static hr_status print_images(const head_job *job, const image *images, hr_error *err) {
    char(*texts)[24] = calloc(job->count, sizeof *texts);
    const char **captions = calloc(job->count, sizeof *captions);
    hr_status st = HR_OK;
    if (texts == NULL || captions == NULL) {
        st = head_fail(err, HR_ERR_NO_MEMORY, "not enough memory for the captions");
    }
    for (uint32_t i = 0; st == HR_OK && i < job->count; i++) {
        snprintf(texts[i], sizeof texts[i], "%" PRIu64, job->first + i);
        captions[i] = texts[i];
    }
    if (st == HR_OK) {
        terminal_print_images(&job->term, images, captions, job->count);
    }
    free(captions);
    free(texts);
    return st;
}

static hr_status show_images(const head_job *job, head_field *v, hr_error *err) {
    image *images = calloc(job->count, sizeof *images);
    if (images == NULL) {
        return head_fail(err, HR_ERR_NO_MEMORY, "not enough memory for the images");
    }
    hr_status st = make_small(job, v, images, err);
    if (st == HR_OK) {
        st = print_images(job, images, err);
    }
    for (uint32_t i = 0; i < job->count; i++) {
        image_free(&images[i]);
    }
    free(images);
    return st;
}

/* --- PNG ------------------------------------------------------------------------------------ */

bool head_png_is_file(const char *path) {
    const size_t n = strlen(path);
    return n > 4 && strcasecmp(path + n - 4, ".png") == 0;
}

static hr_status fill_grid(const head_job *job, head_field *v, uint32_t columns, image *grid,
                           hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < job->count; i++) {
        image one = {0, 0, NULL};
        st = make_image(job, v, i, &one, err);
        if (st == HR_OK) {
            image_grid_put(grid, columns, i, &one);
        }
        image_free(&one);
    }
    return st;
}

static hr_status write_grid(head_job *job, head_field *v, hr_error *err) {
    uint32_t columns = 1;
    while (columns * columns < job->count) {
        columns++;
    }
    image grid = {0, 0, NULL};
    hr_status st = check_room(v, image_grid_bytes(&v->layout, job->count, columns),
                              ", or a folder with --png: one at a time", err);
    if (st == HR_OK && !image_grid(&v->layout, job->count, columns, &grid)) {
        st = head_fail(err, HR_ERR_NO_MEMORY, "not enough memory for all images in one");
    }
    if (st == HR_OK) {
        st = fill_grid(job, v, columns, &grid, err);
    }
    if (st == HR_OK) {
        st = png_write(job->png, &grid, job->force, err);
    }
    job->num_pngs += st == HR_OK;
    image_free(&grid);
    return st;
}

/* FOLDER/FIELD-SAMPLE.png, "__" for each '/' in the field's name. */
static hr_status write_one(const head_job *job, const head_field *v, uint32_t i, const image *one,
                           hr_error *err) {
    char name[2 * HR_MAX_NAME_BYTES + 1], *to = name, *path = NULL;
    for (const char *from = v->field.name; *from != '\0'; from++) {
        if (*from == '/') {
            *to++ = '_';
        }
        *to++ = *from == '/' ? '_' : *from;
    }
    *to = '\0';
    if (asprintf(&path, "%s/%s-%05" PRIu64 ".png", job->png, name, job->first + i) < 0) {
        return head_fail(err, HR_ERR_NO_MEMORY, "not enough memory for the name of a file");
    }
    const hr_status st = png_write(path, one, job->force, err);
    free(path);
    return st;
}

static hr_status write_pngs(head_job *job, head_field *v, hr_error *err) {
    hr_status st = HR_OK;
    (void)mkdir(job->png, 0777); /* what is wrong with it shows with the first file */
    for (uint32_t i = 0; st == HR_OK && i < job->count; i++) {
        image one = {0, 0, NULL};
        st = make_image(job, v, i, &one, err);
        if (st == HR_OK) {
            st = write_one(job, v, i, &one, err);
        }
        job->num_pngs += st == HR_OK;
        image_free(&one);
    }
    return st;
}

hr_status head_images(head_job *job, head_field *v, hr_error *err) {
    const hr_status st = check_room(v, image_bytes(&v->layout), "", err);
    if (st != HR_OK || job->count == 0) {
        return st;
    }
    return job->png == NULL             ? show_images(job, v, err)
           : head_png_is_file(job->png) ? write_grid(job, v, err)
                                        : write_pngs(job, v, err);
}
