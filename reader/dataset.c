/*
 * Opening data sets, of one file or several: budget, files, index.
 */
#include "dataset.h"

#include "checked.h"
#include "dataset_access.h"
#include "default_budget.h"
#include "error.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_SHARE 8u         /* the index takes at most so much of the budget: an eighth */
#define MAX_FILES   (1u << 20) /* as many as one process can open on ordinary systems */

static hr_status resolve_options(const hr_open_options *opts, hr_open_options *out, hr_error *err) {
    *out = (hr_open_options)HR_OPEN_OPTIONS_INIT;
    hr_status st = HR_OK;
    if (opts != NULL)
        st = hr__options_copy(opts, offsetof(hr_open_options, budget_bytes), out, sizeof(*out),
                              "hr_open_options", err);
    if (st != HR_OK)
        return st;
    if (out->flags != 0)
        return hr__error_set(err, HR_ERR_INVALID, "hr_open_options.flags is %#x, expected 0",
                             out->flags);
    if (out->budget_bytes == 0)
        out->budget_bytes = hr_default_budget();
    return HR_OK;
}

static hr_status part_add(hr_dataset *ds, uint32_t number, const struct hr__folder_ops *folder,
                          const char *path, hr_error *err) {
    struct hr__footer footer = {0};
    uint64_t footer_bytes = 0;
    hr_status st = hr__part_open(ds, number, folder, path, &footer, &footer_bytes, err);
    if (st == HR_OK)
        st = hr__dataset_join(ds, number, &footer, footer_bytes, err);
    hr__footer_free(&footer);
    return st;
}

static hr_status parts_make(hr_dataset *ds, size_t num_paths, hr_error *err) {
    uint64_t n_bytes = num_paths * (sizeof(*ds->files) + sizeof(*ds->parts));
    hr_status st = hr__budget_reserve(&ds->budget, n_bytes, "the table of files", err);
    if (st != HR_OK)
        return st;
    ds->files = calloc(num_paths, sizeof(*ds->files));
    ds->parts = calloc(num_paths, sizeof(*ds->parts));
    if (ds->files == NULL || ds->parts == NULL)
        return hr__error_no_memory(err, (size_t)n_bytes, "the table of files");
    ds->num_files = (uint32_t)num_paths;
    return HR_OK;
}

static hr_status check_paths(const char *const *paths, size_t num_paths, hr_error *err) {
    if (paths == NULL || num_paths == 0 || num_paths > MAX_FILES)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_dataset_open: %zu files are given, expected 1 to %u",
                             paths != NULL ? num_paths : 0, MAX_FILES);
    for (size_t i = 0; i < num_paths; i++)
        if (paths[i] == NULL)
            return hr__error_set(err, HR_ERR_INVALID, "hr_dataset_open: path %zu is NULL", i);
    return HR_OK;
}

/* All but the index. */
static hr_status open_parts(const struct hr__folder_ops *folder, const char *const *paths,
                            size_t num_paths, const hr_open_options *opts, hr_dataset **out,
                            hr_error *err) {
    hr_status st;
    hr_open_options o;
    hr_dataset *ds = NULL;
    HR_TRY(check_paths(paths, num_paths, err));
    HR_TRY(resolve_options(opts, &o, err));
    ds = calloc(1, sizeof(*ds));
    if (ds == NULL)
        return hr__error_no_memory(err, sizeof(*ds), "a data set");
    hr__budget_init(&ds->budget, o.budget_bytes);
    HR_TRY(parts_make(ds, num_paths, err));
    for (uint32_t i = 0; i < ds->num_files; i++)
        HR_TRY(part_add(ds, i, folder, paths[i], err));
    HR_TRY(hr__dataset_join_end(ds, err));
    ds->opening_bytes = atomic_load(&ds->budget.peak_bytes);
    *out = ds;
    ds = NULL;
done:
    hr_dataset_close(ds);
    return st;
}

/* Pages of all files from the first on, as many as fit their share of the budget. */
static hr_status index_load(hr_dataset *ds, hr_error *err) {
    hr_status st = HR_OK;
    uint64_t room = ds->budget.limit_bytes / INDEX_SHARE;
    bool all = true;
    for (uint32_t i = 0; i < ds->num_files && all && st == HR_OK; i++) {
        const struct hr__part *part = &ds->parts[i];
        uint64_t count = 0;
        for (; count < part->num_index_pages; count++) {
            size_t n_bytes = hr__part_index_page_bytes(part, count);
            if (n_bytes > room)
                break;
            room -= n_bytes;
        }
        all = count == part->num_index_pages;
        if (count > 0)
            st = hr__part_index_load(ds, i, count, err);
    }
    return st;
}

hr_status hr__dataset_open_many_in(const struct hr__folder_ops *folder, const char *const *paths,
                                   size_t num_paths, const hr_open_options *opts, hr_dataset **out,
                                   hr_error *err) {
    hr_error local = {0};
    hr_error *e = err != NULL ? err : &local; /* the names of files are put before its message */
    if (out == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_dataset_open: out must not be NULL");
    *out = NULL;
    hr_status st = open_parts(folder, paths, num_paths, opts, out, e);
    if (st != HR_OK)
        return st;
    st = index_load(*out, e);
    if (st != HR_OK) {
        hr__dataset_name_error(*out, e);
        hr_dataset_close(*out);
        *out = NULL;
    }
    return st;
}

hr_status hr__dataset_open_in(const struct hr__folder_ops *folder, const char *path,
                              const hr_open_options *opts, hr_dataset **out, hr_error *err) {
    return hr__dataset_open_many_in(folder, &path, 1, opts, out, err);
}

hr_status hr__dataset_open_bare(const struct hr__folder_ops *folder, const char *path,
                                const hr_open_options *opts, hr_dataset **out, hr_error *err) {
    *out = NULL;
    return open_parts(folder, &path, 1, opts, out, err);
}

hr_status hr_dataset_open_many(const char *const *paths, size_t num_paths,
                               const hr_open_options *opts, hr_dataset **out, hr_error *err) {
    return hr__dataset_open_many_in(&hr__posix_folder, paths, num_paths, opts, out, err);
}

hr_status hr_dataset_open(const char *path, const hr_open_options *opts, hr_dataset **out,
                          hr_error *err) {
    return hr__dataset_open_in(&hr__posix_folder, path, opts, out, err);
}

/* A budget that has just room for one index page more takes it, so what is left for the rest falls
 * by that page there: to INDEX_SHARE - 1 times the pages held. The first budget that works may be
 * followed by some that do not; counted are the pages up to the last place where the rest does not
 * fit. */
uint64_t hr__dataset_smallest_budget(const hr_dataset *ds, uint64_t other_bytes) {
    uint64_t rest_bytes = other_bytes + atomic_load(&ds->budget.reserved_bytes);
    uint64_t sum_bytes = 0, pages_bytes = 0;
    for (uint32_t i = 0; i < ds->num_files; i++)
        rest_bytes -= ds->parts[i].held_bytes;
    for (uint32_t i = 0; i < ds->num_files; i++) {
        const struct hr__part *part = &ds->parts[i];
        for (uint64_t p = 0; p < part->num_index_pages; p++) {
            sum_bytes += hr__part_index_page_bytes(part, p);
            if ((INDEX_SHARE - 1) * sum_bytes < rest_bytes)
                pages_bytes = sum_bytes;
        }
    }
    return hr__max_u64(ds->opening_bytes, rest_bytes + pages_bytes);
}

void hr_dataset_close(hr_dataset *ds) {
    if (ds == NULL)
        return;
    hr__access_calls_close(ds);
    for (uint32_t i = 0; i < ds->num_files; i++) {
        struct hr__part *part = &ds->parts[i];
        hr__budget_free(&ds->budget, part->index, (size_t)part->held_bytes);
        free(part->index_pages);
        free(part->segments);
        hr__file_close(&ds->files[i]);
    }
    hr__footer_free(&ds->footer);
    free(ds->parts);
    free(ds->files);
    free(ds->name);
    hr__budget_close(&ds->budget);
    free(ds);
}

const char *hr__dataset_name(const hr_dataset *ds) {
    return ds->name != NULL ? ds->name : ds->files[0].path;
}

void hr__dataset_name_error(const hr_dataset *ds, hr_error *err) {
    for (uint32_t i = 0; err != NULL && i < ds->num_files; i++) {
        const char *path = ds->files[i].path;
        if (strncmp(err->message, path, strlen(path)) == 0)
            return;
    }
    hr__error_prefix(err, "%s", hr__dataset_name(ds));
}
