/*
 * Outputs against inputs and folders.
 */
#define _GNU_SOURCE
#include "output_path.h"

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static bool same_file(const struct stat *a, const char *path) {
    struct stat b;
    return stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

static bool is_no_input(const char *command, const char *path, const options_files *inputs) {
    struct stat output;
    if (stat(path, &output) != 0) {
        return true;
    }
    for (size_t i = 0; i < inputs->count; i++) {
        if (same_file(&output, inputs->paths[i])) {
            report_failure(command, "%s is an input, too; name another file to write", path);
            return false;
        }
    }
    return true;
}

/* A device or a pipe would be replaced. */
static bool is_file_or_nothing(const char *command, const char *path) {
    struct stat output;
    if (stat(path, &output) != 0 || S_ISREG(output.st_mode)) {
        return true;
    }
    report_failure(command, "%s is no regular file; name another file to write", path);
    return false;
}

/* With the slash, malloc'ed. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
}

static bool folder_good(const char *command, const char *path) {
    char *folder = folder_of(path);
    const bool good = folder != NULL && access(folder, W_OK | X_OK) == 0;
    if (!good) {
        report_failure(command, "%s cannot be written: the folder %s: %s", path,
                       folder != NULL ? folder : "", strerror(errno));
    }
    free(folder);
    return good;
}

/* The folder of a path, however it is written. */
static bool stat_folder(const char *path, struct stat *out) {
    char *folder = folder_of(path);
    const bool found = folder != NULL && stat(folder, out) == 0;
    free(folder);
    return found;
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool name_one_file(const char *a, const char *b) {
    struct stat of_a, of_b;
    return strcmp(name_of(a), name_of(b)) == 0 && stat_folder(a, &of_a) && stat_folder(b, &of_b) &&
           of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

bool output_paths_differ(const char *command, const char *const *paths, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (paths[i] != NULL && paths[k] != NULL && name_one_file(paths[i], paths[k])) {
                report_usage(command, "%s and %s are one file; give each output its own", paths[k],
                             paths[i]);
                return false;
            }
        }
    }
    return true;
}

bool output_name_good(const char *command, const char *path, const char *const *others,
                      const char *made) {
    const char *ending = strrchr(name_of(path), '.');
    if (strcmp(path, "-") == 0) {
        report_usage(command, "an output is a file, and nothing is written to a pipe; give a name "
                              "(./- for a file that is called so)");
        return false;
    }
    for (size_t i = 0; ending != NULL && others[i] != NULL; i++) {
        if (strcasecmp(ending, others[i]) == 0) {
            report_usage(command, "%s: %s is the ending of another kind of file; %s", path, ending,
                         made);
            return false;
        }
    }
    return true;
}

const char *const output_no_dataset[] = {".npy", ".npz", ".h5", ".hdf5", ".h5ad",
                                         ".csv", ".tsv", ".gz", ".zip",  NULL};

bool output_path_good(const char *command, const char *path, const options_files *inputs) {
    return path == NULL || (is_no_input(command, path, inputs) &&
                            is_file_or_nothing(command, path) && folder_good(command, path));
}
