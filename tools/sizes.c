/*
 * Sizes, rates and durations as people read them: three digits that count, binary units.
 */
#include "sizes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static sizes_text scaled(double value, const char *per) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    sizes_text out;
    unsigned i = 0;
    while (value >= 999.5 && i < sizeof units / sizeof units[0] - 1) {
        value /= 1024;
        i++;
    }
    const int decimals = i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(out.text, sizeof out.text, "%.*f %s%s", decimals, value, units[i], per);
    return out;
}

sizes_text sizes_bytes(uint64_t bytes) {
    return scaled((double)bytes, "");
}

sizes_text sizes_rate(double bytes_per_s) {
    return scaled(bytes_per_s > 0 ? bytes_per_s : 0, "/s");
}

sizes_text sizes_count(uint64_t count) {
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64, count);
    sizes_text out;
    int used = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out.text[used++] = ',';
        }
        out.text[used++] = digits[i];
    }
    out.text[used] = '\0';
    return out;
}

sizes_text sizes_of(uint64_t count, const char *noun) {
    sizes_text out;
    const char *plural = noun[strlen(noun) - 1] == 'h' ? "es" : "s"; /* batches */
    snprintf(out.text, sizeof out.text, "%.28s %.20s%s", sizes_count(count).text, noun,
             count == 1 ? "" : plural);
    return out;
}

sizes_text sizes_samples(uint64_t first, uint64_t count) {
    sizes_text out;
    if (count == 1) {
        snprintf(out.text, sizeof out.text, "sample %" PRIu64, first);
    } else {
        snprintf(out.text, sizeof out.text, "samples %" PRIu64 " to %" PRIu64, first,
                 first + count - 1);
    }
    return out;
}

sizes_text sizes_duration(int64_t ns) {
    sizes_text out;
    const double seconds = ns > 0 ? (double)ns / 1e9 : 0;
    if (seconds < 0.9995) {
        snprintf(out.text, sizeof out.text, "%.0f ms", seconds * 1e3);
    } else if (seconds < 59.95) {
        snprintf(out.text, sizeof out.text, "%.1f s", seconds);
    } else {
        const int64_t whole = (int64_t)(seconds + 0.5);
        const int64_t hours = whole / 3600;
        const int64_t minutes = whole / 60 % 60;
        if (hours > 0) {
            snprintf(out.text, sizeof out.text, "%" PRId64 ":%02" PRId64 ":%02" PRId64, hours,
                     minutes, whole % 60);
        } else {
            snprintf(out.text, sizeof out.text, "%" PRId64 ":%02" PRId64, minutes, whole % 60);
        }
    }
    return out;
}
