/*
 * A made-up root.
 */
#define _GNU_SOURCE
#include "made_root.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

char made_root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

int made_root_make(void **state) {
    (void)state;
    strcpy(made_root, "/tmp/headrace_root.XXXXXX");
    return mkdtemp(made_root) == NULL;
}

int made_root_remove(void **state) {
    (void)state;
    return nftw(made_root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void made_root_put(const char *name, const char *text) {
    char path[PATH_MAX], fresh[PATH_MAX];
    assert_true(snprintf(path, sizeof(path), "%s%s", made_root, name) < (int)sizeof(path));
    for (char *slash = strchr(path + strlen(made_root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
    assert_true(snprintf(fresh, sizeof(fresh), "%s/fresh", made_root) < (int)sizeof(fresh));
    FILE *f = fopen(fresh, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(fresh, path), 0);
}
