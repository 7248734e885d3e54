/*
 * Golden files of numbers and words.
 */
#include "golden_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

FILE *golden_open(const char *name) {
    const char *source = getenv("HEADRACE_SOURCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/golden/order/%s", source != NULL ? source : ".", name);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        fprintf(stderr, "cannot open %s\n", path);
        abort();
    }
    return f;
}

uint64_t golden_number(FILE *f) {
    uint64_t n;
    if (fscanf(f, "%" SCNu64, &n) != 1) {
        fprintf(stderr, "a number is expected at %ld of a golden file\n", ftell(f));
        abort();
    }
    return n;
}

static void expect_word(FILE *f, const char *expected) {
    char word[32];
    if (fscanf(f, "%31s", word) != 1 || strcmp(word, expected) != 0) {
        fprintf(stderr, "%s is expected before %ld of a golden file\n", expected, ftell(f));
        abort();
    }
}

uint64_t golden_named(FILE *f, const char *word) {
    expect_word(f, word);
    return golden_number(f);
}
