/*
 * What train_mlp tells.
 */
#include "train_report.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t peak_memory_bytes(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    uint64_t kib = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib << 10;
}

const char *size_text(uint64_t bytes, char text[32]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    unsigned unit = 0;
    for (; n >= 1024.0 && unit < 4; unit++)
        n /= 1024.0;
    snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.1f %s", n, units[unit]);
    return text;
}

void epoch_print(const struct epoch_report *e) {
    char rate[32];
    size_text((uint64_t)((double)e->bytes / e->seconds), rate);
    printf("epoch %" PRIu64 "  loss %.4f  ", e->epoch, e->loss);
    if (e->held_out == EPOCH_NONE)
        printf("right before each step %.2f %%  ", 100.0 * e->seen);
    else
        printf("held-out right %.2f %%  ", 100.0 * e->held_out);
    printf("%.0f samples/s, %s/s  waiting for data %.1f %%  %.1f s\n",
           (double)e->samples / e->seconds, rate, 100.0 * e->wait_seconds / e->seconds, e->seconds);
    fflush(stdout);
}

void epoch_add(struct epoch_report *total, const struct epoch_report *e) {
    total->epoch++;
    total->samples += e->samples;
    total->bytes += e->bytes;
    total->seconds += e->seconds;
    total->wait_seconds += e->wait_seconds;
    total->loss = e->loss;
    total->seen = e->seen;
    total->held_out = e->held_out;
}

int report_write(const char *path, const struct epoch_report *total, uint64_t budget_bytes,
                 uint64_t reserved_bytes) {
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be written\n", path);
        return -1;
    }
    fprintf(file, "{\"epochs\": %" PRIu64 ", \"samples\": %" PRIu64 ", \"bytes\": %" PRIu64,
            total->epoch, total->samples, total->bytes);
    fprintf(file, ", \"loss\": %.6f, \"held_out\": %.6f", total->loss, total->held_out);
    fprintf(file, ", \"seconds\": %.6f, \"wait_seconds\": %.6f", total->seconds,
            total->wait_seconds);
    fprintf(file, ", \"budget_bytes\": %" PRIu64 ", \"reserved_bytes\": %" PRIu64, budget_bytes,
            reserved_bytes);
    fprintf(file, ", \"peak_rss_bytes\": %" PRIu64 "}\n", peak_memory_bytes());
    const int failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        fprintf(stderr, "%s: cannot be written\n", path);
        return -1;
    }
    return 0;
}
