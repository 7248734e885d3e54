/*
 * The loader's options, as `plan` and `epoch` share them.
 */
#ifndef HEADRACE_LOADER_ARGS_H
#define HEADRACE_LOADER_ARGS_H

#include "args.h"
#include "finish_args.h"
#include "options.h"
#include "subset_args.h"

#include "headrace/loader.h"
#include "headrace/ranks.h"

#include <jansson.h>

#define LOADER_ARGS_MAX_PADS 64

typedef struct loader_args {
    hr_loader_options opts;
    const char *fields[ARGS_MAX_LIST];
    finish_args finish;
    hr_pad pads[LOADER_ARGS_MAX_PADS];
    bool truncate; /* all of them */
    bool has_seed;
    bool rank_by_environment; /* --rank auto, or a launcher's name */
    const char *asked;        /* that name; NULL: auto */
    hr_rank_info ranks;       /* launcher "": rank and world size are those of the command line */
    subset_args subset;
} loader_args;

enum {
    LOADER_BATCH = OPTIONS_LONG + 100,
    LOADER_SHUFFLE,
    LOADER_SEED,
    LOADER_WINDOW,
    LOADER_STREAMS,
    LOADER_RANK,
    LOADER_WORLD_SIZE,
    LOADER_DROP_LAST,
    LOADER_PAD_LAST,
    LOADER_FIELDS,
    LOADER_MAX_BYTES,
    LOADER_PAD,
    LOADER_TRUNCATE,
    LOADER_BUDGET,
    LOADER_THREADS,
    LOADER_NUMA,
    LOADER_IO,
    LOADER_IO_DEPTH,
    LOADER_FINISH,
    LOADER_CHECK_FINITE,
    LOADER_DEVICE,
    LOADER_DEVICE_SLOTS,
    LOADER_DEVICE_BUDGET,
    LOADER_PAGEABLE
};

#define LOADER_ARGS_TABLE                                                                          \
    SUBSET_ARGS_TABLE, {"batch", required_argument, NULL, LOADER_BATCH},                           \
        {"shuffle", no_argument, NULL, LOADER_SHUFFLE},                                            \
        {"seed", required_argument, NULL, LOADER_SEED},                                            \
        {"window", required_argument, NULL, LOADER_WINDOW},                                        \
        {"streams", required_argument, NULL, LOADER_STREAMS},                                      \
        {"rank", required_argument, NULL, LOADER_RANK},                                            \
        {"world-size", required_argument, NULL, LOADER_WORLD_SIZE},                                \
        {"drop-last", no_argument, NULL, LOADER_DROP_LAST},                                        \
        {"pad-last", no_argument, NULL, LOADER_PAD_LAST},                                          \
        {"fields", required_argument, NULL, LOADER_FIELDS},                                        \
        {"max-bytes", required_argument, NULL, LOADER_MAX_BYTES},                                  \
        {"pad", required_argument, NULL, LOADER_PAD},                                              \
        {"truncate", no_argument, NULL, LOADER_TRUNCATE},                                          \
        {"budget", required_argument, NULL, LOADER_BUDGET},                                        \
        {"threads", required_argument, NULL, LOADER_THREADS},                                      \
        {"finish", required_argument, NULL, LOADER_FINISH},                                        \
        {"check-finite", no_argument, NULL, LOADER_CHECK_FINITE},                                  \
        {"numa", required_argument, NULL, LOADER_NUMA},                                            \
        {"io", required_argument, NULL, LOADER_IO},                                                \
        {"io-depth", required_argument, NULL, LOADER_IO_DEPTH},                                    \
        {"device", required_argument, NULL, LOADER_DEVICE},                                        \
        {"device-slots", required_argument, NULL, LOADER_DEVICE_SLOTS},                            \
        {"device-budget", required_argument, NULL, LOADER_DEVICE_BUDGET}, {                        \
        "pageable", no_argument, NULL, LOADER_PAGEABLE                                             \
    }

#define LOADER_ARGS_DEVICE_HELP                                                                    \
    "      --device cuda:N   on a GPU;  --device-slots N  --device-budget S\n"

/** Defaults: batches of 256. */
void loader_args_init(loader_args *a);

/** Take one option of LOADER_ARGS_TABLE; false after a report. */
bool loader_args_take(const options *o, int value, loader_args *a);

/** After the last option: rank and world size by the environment, where --rank asked for that.
 * EXIT_DONE, or an exit code after a report. */
int loader_args_finish(const char *command, loader_args *a);

/** Of an open data set: the samples to deliver. EXIT_DONE, or an exit code after a report. */
int loader_args_choose(const char *command, hr_dataset *ds, loader_args *a);
void loader_args_end(loader_args *a);

/** Rank, world size and whose words they are, as members of a JSON object. */
void loader_args_add_ranks(const loader_args *a, json_t *root);

#endif
