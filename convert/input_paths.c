/*
 * From the text of an input to files.
 */
#define _GNU_SOURCE
#include "input_paths.h"

#include "error.h"
#include "name_ending.h"
#include "natural_order.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static hr_status add_path(struct hr__input_paths *p, char *path, hr_error *err) {
    if (path != NULL && p->n == p->room) {
        size_t room = p->room == 0 ? 16 : p->room * 2;
        char **grown = realloc(p->paths, room * sizeof *grown);
        if (grown == NULL) {
            free(path);
            path = NULL;
        } else {
            p->paths = grown;
            p->room = room;
        }
    }
    if (path == NULL)
        return hr__error_no_memory(err, sizeof *p->paths, "a list of files");
    p->paths[p->n++] = path;
    return HR_OK;
}

/* Which files of a folder are meant. */
enum wanted { WANTED_KNOWN, WANTED_ANY, WANTED_DATA_SETS };

static bool is_wanted(const char *name, enum wanted wanted) {
    static const char *const own[] = {".hrd", ".partial"};
    static const char *const known[] = {".npy", ".npz",  ".h5",     ".hdf5",  ".hdf",
                                        ".he5", ".h5ad", ".idx",    "-ubyte", "-ubyte.gz",
                                        ".csv", ".tsv",  ".csv.gz", ".tsv.gz"};
    if (name[0] == '.')
        return false;
    if (wanted == WANTED_DATA_SETS)
        return hr__name_ends(name, own[0]);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (hr__name_ends(name, own[i]))
            return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (hr__name_ends(name, known[i]))
            return true;
    return wanted == WANTED_ANY;
}

static bool is_folder(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static hr_status list_folder(const char *folder, enum wanted wanted, struct hr__input_paths *out,
                             hr_error *err) {
    hr_status st = HR_OK;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return hr__error_os(err, errno, "%s cannot be listed", folder);
    const char *slash = hr__name_ends(folder, "/") || strcmp(folder, "/") == 0 ? "" : "/";
    const struct dirent *entry;
    while (st == HR_OK && (errno = 0, entry = readdir(dir)) != NULL) {
        char *path = NULL;
        if (!is_wanted(entry->d_name, wanted))
            continue;
        if (asprintf(&path, "%s%s%s", folder, slash, entry->d_name) < 0)
            path = NULL;
        if (path != NULL && is_folder(path))
            free(path);
        else
            st = add_path(out, path, err);
    }
    if (st == HR_OK && errno != 0)
        st = hr__error_os(err, errno, "%s cannot be listed", folder);
    closedir(dir);
    if (st == HR_OK && out->n == 0)
        st = hr__error_set(err, HR_ERR_NOT_FOUND,
                           wanted == WANTED_DATA_SETS
                               ? "the folder %s holds no data set (.hrd)"
                               : "the folder %s holds no file that can be converted (.npy, .npz, "
                                 ".h5, .hdf5, .h5ad, .csv, .idx, -ubyte)",
                           folder);
    return st;
}

static hr_status match_pattern(const char *pattern, struct hr__input_paths *out, hr_error *err) {
    hr_status st = HR_OK;
    glob_t found = {0};
    int rc = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &found);
    if (rc == GLOB_NOSPACE)
        st = hr__error_no_memory(err, strlen(pattern), "the files of a pattern");
    else if (rc == GLOB_ABORTED)
        st = hr__error_os(err, errno, "%s: a folder in it cannot be listed", pattern);
    for (size_t i = 0; rc == 0 && st == HR_OK && i < found.gl_pathc; i++)
        if (!is_folder(found.gl_pathv[i]))
            st = add_path(out, strdup(found.gl_pathv[i]), err);
    globfree(&found);
    if (st == HR_OK && out->n == 0)
        st = hr__error_set(err, HR_ERR_NOT_FOUND, "no file matches %s", pattern);
    return st;
}

/* The last place where `mark` stands, behind something; or NULL. */
static const char *find_last(const char *text, const char *mark) {
    const char *found = NULL;
    for (const char *p = strstr(text, mark); p != NULL; p = strstr(p + 1, mark))
        if (p > text)
            found = p;
    return found;
}

/* The colon of FILE:/MEMBER or FILE.hrd:FIELD, for a text that is no file itself; or NULL. */
static const char *find_member(const char *text) {
    static const char of_dataset[] = ".hrd:";
    const char *found = find_last(text, of_dataset);
    return found != NULL ? found + sizeof of_dataset - 2 : find_last(text, ":/");
}

static bool is_file(const char *name, size_t n_bytes) {
    struct stat s;
    char *path = strndup(name, n_bytes);
    const bool found = path != NULL && stat(path, &s) == 0 && S_ISREG(s.st_mode);
    free(path);
    return found;
}

static hr_status find_files(const char *name, enum wanted wanted, struct hr__input_paths *out,
                            hr_error *err) {
    struct stat s;
    if (stat(name, &s) == 0)
        return S_ISDIR(s.st_mode) ? list_folder(name, wanted, out, err)
                                  : add_path(out, strdup(name), err);
    int os_errno = errno;
    if (strpbrk(name, "*?[") != NULL)
        return match_pattern(name, out, err);
    const char *colon = strrchr(name, ':');
    const int before = colon != NULL ? (int)(colon - name) : 0;
    if (before > 0 && is_file(name, (size_t)before))
        return hr__error_set(err, HR_ERR_NOT_FOUND,
                             "there is no file %s; what lies in %.*s is named behind a slash: "
                             "%.*s:/%s",
                             name, before, name, before, name, colon + 1);
    return hr__error_os(err, os_errno, "there is no file %s", name);
}

hr_status hr__input_paths_find(const char *text, bool any_file, struct hr__input_paths *out,
                               hr_error *err) {
    hr_status st = HR_OK;
    struct stat s;
    char *name = NULL;
    *out = (struct hr__input_paths){0};
    if (text == NULL || *text == '\0') {
        st = hr__error_set(err, HR_ERR_INVALID, "an input has no name");
        goto done;
    }
    const char *colon = stat(text, &s) == 0 ? NULL : find_member(text);
    name = colon == NULL ? strdup(text) : strndup(text, (size_t)(colon - text));
    if (colon != NULL)
        out->member = strdup(colon + 1);
    if (name == NULL || (colon != NULL && out->member == NULL)) {
        st = hr__error_no_memory(err, strlen(text), "the name of an input");
        goto done;
    }
    HR_TRY(find_files(name, any_file ? WANTED_ANY : WANTED_KNOWN, out, err));
    hr__natural_sort(out->paths, out->n);
done:
    free(name);
    if (st != HR_OK)
        hr__input_paths_free(out);
    return st;
}

hr_status hr__input_paths_find_parts(const char *text, struct hr__input_paths *out, hr_error *err) {
    *out = (struct hr__input_paths){0};
    if (text == NULL || *text == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "a part has no name");
    const hr_status st = find_files(text, WANTED_DATA_SETS, out, err);
    if (st == HR_OK)
        hr__natural_sort(out->paths, out->n);
    else
        hr__input_paths_free(out);
    return st;
}

void hr__input_paths_free(struct hr__input_paths *p) {
    for (size_t i = 0; i < p->n; i++)
        free(p->paths[i]);
    free(p->paths);
    free(p->member);
    *p = (struct hr__input_paths){0};
}
