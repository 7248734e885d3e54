/*
 * A program with a guard and a record, for test_guard.py and test_docs.py:
 *   tool_guarded FOLDER leak MIB     takes so many MiB in each of its epochs, until it is ended
 *   tool_guarded FOLDER burst MIB    takes so many at once, a second after it began
 *   tool_guarded FOLDER hard MIB     allocates until that fails, under HR_GUARD_HARD; says how much
 *   tool_guarded FOLDER pause        does nothing, until it is ended
 *   tool_guarded FOLDER idle SECONDS ends by itself, and says what the guard's thread took
 */
#define _GNU_SOURCE
#include "headrace/headrace.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB ((size_t)1 << 20)

static void nap_ms(long ms) {
    const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&ts, NULL);
}

/* Memory that is there because it was written to; NULL: refused. */
static volatile char *take(size_t n_bytes) {
    char *p = malloc(n_bytes);
    if (p != NULL)
        memset(p, 1, n_bytes);
    return p;
}

static int on_low(void *user) {
    (void)user;
    return 0;
}

/* Processor time of the thread "hr-guard" in nanoseconds. */
static double guard_ns(void) {
    double ns = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[300], name[32] = "";
        double taken = 0;
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "r");
        const bool is_guard =
            f != NULL && fscanf(f, "%31s", name) == 1 && !strcmp(name, "hr-guard");
        if (f != NULL)
            fclose(f);
        snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", e->d_name);
        f = is_guard ? fopen(path, "r") : NULL;
        if (f != NULL && fscanf(f, "%lf", &taken) == 1)
            ns += taken;
        if (f != NULL)
            fclose(f);
    }
    if (d != NULL)
        closedir(d);
    return ns;
}

static int run(hr_guard *g, const char *how, long amount) {
    size_t held = 0;
    volatile char *last = NULL;
    if (strcmp(how, "hard") == 0) {
        while ((last = take(MIB)) != NULL)
            held++;
        printf("%zu\n", held);
        return 0;
    }
    if (strcmp(how, "idle") == 0) {
        nap_ms(amount * 1000);
        printf("%.6f\n", guard_ns() / 1e9 / (double)amount);
        return 0;
    }
    if (strcmp(how, "burst") == 0) {
        nap_ms(1200);
        last = take((size_t)amount * MIB);
    }
    for (uint64_t step = 0;; step++) {
        hr_guard_step(g, step / 4, step % 4);
        if (strcmp(how, "leak") == 0 && step % 4 == 3)
            last = take((size_t)amount * MIB);
        if (step == 4)
            puts(last == NULL ? "running" : "running, with memory");
        fflush(stdout);
        nap_ms(60);
    }
}

int main(int argc, char **argv) {
    hr_guard_options o = HR_GUARD_OPTIONS_INIT;
    hr_guard_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {.message = ""};
    hr_guard *g;
    if (argc < 3)
        return 2;
    o.record_folder = argv[1];
    o.flags = strcmp(argv[2], "hard") == 0 ? HR_GUARD_HARD : 0;
    o.on_low = on_low;
    if (hr_guard_open(&o, &g, &err) != HR_OK || hr_guard_state(g, &info, &err) != HR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const int code = run(g, argv[2], argc > 3 ? atol(argv[3]) : 0);
    hr_guard_close(g);
    return code;
}
