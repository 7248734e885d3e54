/*
 * PROGRAM FILE [--field NAME] [--sample-mib N] [--seconds S] [--threads N]
 */
#include "limit_args.h"

#include "cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool usage(const char *program) {
    fprintf(stderr,
            "usage: %s FILE.hrd [--field NAME] [--sample-mib N] [--seconds S] [--threads N]\n",
            program);
    return false;
}

static bool take(struct limit_args *out, const char *name, const char *value) {
    char *end = NULL;
    double number = strtod(value, &end);
    if (strcmp(name, "--field") == 0) {
        out->field = value;
        return true;
    }
    if (*value == '\0' || *end != '\0' || !(number > 0 && number <= 1 << 20))
        return false;
    if (strcmp(name, "--sample-mib") == 0)
        out->sample_bytes = (uint64_t)(number * (1 << 20));
    else if (strcmp(name, "--seconds") == 0)
        out->seconds = number;
    else if (strcmp(name, "--threads") == 0)
        out->num_threads = (uint32_t)number;
    else
        return false;
    return out->num_threads > 0;
}

bool limit_args_parse(int argc, char **argv, struct limit_args *out) {
    *out = (struct limit_args){
        .sample_bytes = UINT64_C(256) << 20, .num_threads = hr__cpu_count(), .seconds = 1};
    if (argc < 2 || argv[1][0] == '-' || argc % 2 != 0)
        return usage(argv[0]);
    out->path = argv[1];
    for (int i = 2; i + 1 < argc; i += 2)
        if (!take(out, argv[i], argv[i + 1]))
            return usage(argv[0]);
    return true;
}

int limit_measure(const struct limit_args *args, const struct chunk_sample *sample,
                  const struct crew_job *job) {
    hr_error err = {.message = ""};
    double all = 0, one = 0;
    if (crew_run(job, args->num_threads, args->seconds, &all, &err) != HR_OK ||
        crew_run(job, 1, args->seconds, &one, &err) != HR_OK) {
        fprintf(stderr, "%s: %s\n", args->path, err.message);
        return 1;
    }
    printf("{\"threads\": %u, \"bytes_per_s\": %.0f, \"one_thread_bytes_per_s\": %.0f, "
           "\"chunks\": %zu, \"frames\": %zu, \"stored_bytes\": %llu, \"decoded_bytes\": %llu}\n",
           args->num_threads, all, one, sample->num_chunks, sample->num_frames,
           (unsigned long long)sample->stored_bytes, (unsigned long long)sample->decoded_bytes);
    return 0;
}
