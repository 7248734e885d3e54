/*
 * Runs a fuzz target over every file of a folder, in the order of their names: the stored corpus as
 * an ordinary test, with any compiler. Usage: PROGRAM FOLDER
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The buffer is exactly as long as the file, so that a sanitizer sees a read past its end. */
static int run_file(const char *path, size_t n_bytes) {
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(n_bytes > 0 ? n_bytes : 1);
    int failed = f == NULL || data == NULL || fread(data, 1, n_bytes, f) != n_bytes;
    if (!failed)
        (void)LLVMFuzzerTestOneInput(data, n_bytes);
    free(data);
    if (f != NULL)
        fclose(f);
    return failed;
}

static int run_entry(const char *folder, const char *name) {
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
        stat(path, &st) != 0) {
        fprintf(stderr, "%s/%s cannot be read\n", folder, name);
        return 1;
    }
    if (!S_ISREG(st.st_mode))
        return 0;
    printf("%s\n", name);
    fflush(stdout); /* what is printed last is what crashed */
    if (run_file(path, (size_t)st.st_size) != 0) {
        fprintf(stderr, "%s cannot be read\n", path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    struct dirent **entries = NULL;
    int failed = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    int n = scandir(argv[1], &entries, NULL, alphasort);
    if (n < 3) { /* . and .. are always there */
        fprintf(stderr, "%s: no corpus\n", argv[1]);
        failed = 1;
    }
    for (int i = 0; i < n; i++) {
        failed |= run_entry(argv[1], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return failed;
}
