/*
 * Command line of train_mlp and train_cuda.
 */
#define _GNU_SOURCE
#include "train_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: %s TRAIN.hrd [TEST.hrd] [options]\n"
    "       train_mlp --load-whole X.npy y.npy [TEST.hrd] [options]\n"
    "\n"
    "Trains a perceptron (inputs -> 64 -> classes) on a data set that need not fit into memory:\n"
    "its first float32 or uint8 array, and its first field of one integer per sample.\n"
    "\n"
    "  --epochs N      times through the data (2)\n"
    "  --batch N       samples of a step (128)\n"
    "  --budget SIZE   memory of the loader, such as 64M (the library's default)\n"
    "  --window N      visits over which the samples of a chunk are spread (default: chosen)\n"
    "  --threads N     decoding threads (one per core)\n"
    "  --seed N        of the order and the first weights (1)\n"
    "  --rate X        learning rate (0.05)\n"
    "  --report FILE   write the figures as JSON, too\n"
    "  --load-whole    read the arrays whole, as programs do today, for contrast\n";

static int number_parse(const char *text, uint64_t max, uint64_t *out) {
    char *end = NULL;
    const unsigned long long n = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || text[0] == '-' || n > max)
        return -1;
    *out = n;
    return 0;
}

/* 64M, 1G, 300K, or bytes. */
static int size_parse(const char *text, uint64_t *out) {
    static const char units[] = "KMGT";
    char digits[32] = {0};
    const size_t n = strspn(text, "0123456789");
    if (n == 0 || n >= sizeof digits || number_parse(memcpy(digits, text, n), 1u << 30, out) != 0)
        return -1;
    if (text[n] == '\0')
        return 0;
    const char *unit = strchr(units, text[n]);
    if (unit == NULL || text[n + 1] != '\0')
        return -1;
    *out <<= 10 * (unit - units + 1);
    return 0;
}

static int rate_parse(const char *text, float *out) {
    char *end = NULL;
    *out = strtof(text, &end);
    return end == text || *end != '\0' || !isfinite(*out) || *out <= 0.0f ? -1 : 0;
}

/* One option. 0: understood. */
static int option_take(int option, const char *text, struct train_options *out, int *whole) {
    uint64_t n = 0;
    int st = 0;
    switch (option) {
    case 'e':
        return number_parse(text, UINT64_MAX, &out->epochs);
    case 'b':
        st = number_parse(text, UINT32_MAX, &n);
        out->batch_samples = (uint32_t)n;
        return st != 0 || n == 0 ? -1 : 0;
    case 'm':
        return size_parse(text, &out->budget_bytes);
    case 'w':
        st = number_parse(text, UINT32_MAX, &n);
        out->window_visits = (uint32_t)n;
        return st;
    case 't':
        st = number_parse(text, UINT32_MAX, &n);
        out->num_threads = (uint32_t)n;
        return st;
    case 's':
        return number_parse(text, UINT64_MAX, &out->seed);
    case 'r':
        return rate_parse(text, &out->rate);
    case 'o':
        out->report_path = text;
        return 0;
    case 'l':
        *whole = 1;
        return 0;
    default:
        return -1;
    }
}

static int paths_take(int num, char **paths, int whole, struct train_options *out) {
    const int needed = whole ? 2 : 1;
    if (num < needed || num > needed + 1)
        return -1;
    if (whole) {
        out->whole_x = paths[0];
        out->whole_y = paths[1];
    } else {
        out->train_path = paths[0];
    }
    out->test_path = num > needed ? paths[needed] : NULL;
    return 0;
}

int train_options_parse(int argc, char **argv, struct train_options *out) {
    static const struct option known[] = {
        {"epochs", required_argument, NULL, 'e'},
        {"batch", required_argument, NULL, 'b'},
        {"budget", required_argument, NULL, 'm'},
        {"window", required_argument, NULL, 'w'},
        {"threads", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"report", required_argument, NULL, 'o'},
        {"load-whole", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct train_options){.epochs = 2, .batch_samples = 128, .seed = 1, .rate = 0.05f};
    int whole = 0, option = 0, index = 0;
    while ((option = getopt_long(argc, argv, "h", known, &index)) != -1) {
        if (option == 'h') {
            printf(usage, program_invocation_short_name);
            return 1;
        }
        if (option_take(option, optarg, out, &whole) != 0) {
            if (option != '?')
                fprintf(stderr, "--%s does not take '%s'\n", known[index].name, optarg);
            return 3;
        }
    }
    if (paths_take(argc - optind, argv + optind, whole, out) != 0) {
        fprintf(stderr, usage, program_invocation_short_name);
        return 3;
    }
    return 0;
}
