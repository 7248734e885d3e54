/*
 * Which samples of a data set are meant: the options of `plan` and `epoch`, and how fractions are
 * written, for `split` too.
 */
#ifndef HEADRACE_SUBSET_ARGS_H
#define HEADRACE_SUBSET_ARGS_H

#include "options.h"

#include "headrace/subset.h"

#include <jansson.h>

#define SUBSET_MAX_PARTS 256

typedef struct subset_args {
    uint64_t first, end, step, offset; /* step 0: none given; end UINT64_MAX: none given */
    const char *list_path;             /* an .npy file of indices */
    double fractions[SUBSET_MAX_PARTS];
    hr_split_options split; /* num_fractions 0: none asked for */
    uint32_t part;
    bool by_range, by_part, has_offset, split_details;
    hr_subset *made; /* NULL: all samples */
    uint64_t dataset_samples;
} subset_args;

enum {
    SUBSET_RANGE = OPTIONS_LONG + 200,
    SUBSET_EVERY,
    SUBSET_OFFSET,
    SUBSET_LIST,
    SUBSET_SPLIT,
    SUBSET_PART,
    SUBSET_SPLIT_SEED,
    SUBSET_STRATIFY
};

#define SUBSET_ARGS_TABLE                                                                          \
    {"range", required_argument, NULL, SUBSET_RANGE},                                              \
        {"every", required_argument, NULL, SUBSET_EVERY},                                          \
        {"offset", required_argument, NULL, SUBSET_OFFSET},                                        \
        {"subset", required_argument, NULL, SUBSET_LIST},                                          \
        {"split", required_argument, NULL, SUBSET_SPLIT},                                          \
        {"part", required_argument, NULL, SUBSET_PART},                                            \
        {"split-seed", required_argument, NULL, SUBSET_SPLIT_SEED}, {                              \
        "stratify", required_argument, NULL, SUBSET_STRATIFY                                       \
    }

/* Two lines of a help. */
#define SUBSET_ARGS_HELP                                                                           \
    "      --range A:B, --every N --offset K, --subset FILE.npy  only these samples\n"             \
    "      --split F,F,.. --part P, --split-seed N --stratify FIELD  only this part\n"

void subset_args_init(subset_args *a);

/** Take one option of SUBSET_ARGS_TABLE; false after a report. */
bool subset_args_take(const options *o, int value, subset_args *a);

/** "0.8,0.1,0.1" of the option just read; false after a report. */
bool subset_args_fractions(const options *o, const char *name, double *fractions, uint32_t *count);

/** After the last option: what does not go together. EXIT_DONE, or an exit code after a report. */
int subset_args_check(const char *command, const subset_args *a);

/** Make the subset, if one is asked for. EXIT_DONE, or an exit code after a report. */
int subset_args_make(const char *command, hr_dataset *ds, uint64_t budget_bytes, subset_args *a);
void subset_args_end(subset_args *a); /* zeroed is fine */

/** {"samples": n, "of": N}, or null for all samples. */
json_t *subset_args_json(const subset_args *a);

#endif
