/*
 * The command line that the programs of this folder share, and the JSON they print.
 */
#ifndef HEADRACE_LIMIT_ARGS_H
#define HEADRACE_LIMIT_ARGS_H

#include "chunk_sample.h"
#include "crew.h"

struct limit_args {
    const char *path, *field;
    uint64_t sample_bytes;
    uint32_t num_threads;
    double seconds;
};

/* False and a line on stderr where they make no sense. */
bool limit_args_parse(int argc, char **argv, struct limit_args *out);

/* Runs the job over the sample with all threads, then with one, and prints both. An exit code. */
int limit_measure(const struct limit_args *args, const struct chunk_sample *sample,
                  const struct crew_job *job);

#endif
