/*
 * The figures of hr_bench() as a bar chart: one row for each measure, all in decoded bytes per
 * second; behind the bar of an epoch, its limit. It has a background of its own, so it can be read
 * on light pages and dark ones.
 */
#define _GNU_SOURCE
#include "bench_text.h"

#include "json_out.h"
#include "sizes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 920,
    LEFT = 180, /* of the bars */
    BARS = 520, /* the longest */
    FIGURES = LEFT + BARS + 16,
    TOP = 92,
    ROW = 38,
    BAR = 20,
    FOOT = 78
};

static const double gib = 1024.0 * 1024.0 * 1024.0;

/* In an attribute's or element's text; what XML cannot hold becomes a space. */
static void put_escaped(FILE *f, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '&':
            fputs("&amp;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        default:
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, f);
        }
    }
}

/* Where a row's figures are: reads count stored bytes, and are shown as what they decode to. */
static hr_bench_spread decoded(const hr_bench_result *r, const hr_bench_measure *m) {
    hr_bench_spread s = m->bytes_per_s;
    if (bench_kind_is_read(m->kind)) {
        s = (hr_bench_spread){s.median * r->ratio, s.lowest * r->ratio, s.highest * r->ratio};
    }
    return s;
}

static double largest(const hr_bench_result *r) {
    double most = 0;
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        const hr_bench_measure *m = &r->measures[kind];
        most = fmax(most, fmax(decoded(r, m).highest, m->limit_bytes_per_s.median));
    }
    return most;
}

/* A round step, of which two to five lead to the longest bar. */
static double step_of(double most) {
    const double rough = most / 5;
    const double power = pow(10, floor(log10(rough)));
    const double digit = rough / power;
    return power * (digit > 5 ? 10 : digit > 2 ? 5 : digit > 1 ? 2 : 1);
}

static void put_style(FILE *f) {
    fputs("  <style>\n"
          "    text { fill: #1b2733; font: 14px Helvetica, Arial, sans-serif }\n"
          "    .head { font-weight: bold; font-size: 17px }\n"
          "    .small { font-size: 12px; fill: #45525e }\n"
          "    .name { text-anchor: end }\n"
          "    .tick { text-anchor: middle; font-size: 12px; fill: #45525e }\n"
          "    .grid { stroke: #dfe5ea }\n"
          "    .limit { fill: #8fa3b5 }\n"
          "    .track { fill: #dbe9f6; stroke: #9db9d3 }\n"
          "    .memory { fill: #1f4e79 }\n"
          "    .disk { fill: #44701f }\n"
          "    .range { stroke: #d9730d; stroke-width: 2.5 }\n"
          "  </style>\n",
          f);
}

static void put_head(FILE *f, const char *path, const hr_bench_result *r, int height) {
    const char *slash = strrchr(path, '/');
    json_t *name = json_out_text(slash != NULL && slash[1] != '\0' ? slash + 1 : path);
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "
            "aria-labelledby=\"title\">\n  <title id=\"title\">Rates of ",
            WIDTH, height);
    put_escaped(f, json_string_value(name) != NULL ? json_string_value(name) : "");
    fputs(" as shares of what this machine can do</title>\n", f);
    put_style(f);
    fprintf(f,
            "  <rect width=\"%d\" height=\"%d\" rx=\"10\" fill=\"#fbfcfd\"/>\n"
            "  <text class=\"head\" x=\"24\" y=\"34\">",
            WIDTH, height);
    put_escaped(f, json_string_value(name) != NULL ? json_string_value(name) : "");
    fprintf(f,
            "</text>\n  <text class=\"small\" x=\"24\" y=\"56\">%s, ratio %.2f; "
            "threads: %u, batches of %u, a window of %u chunks, reads %u deep, "
            "rounds: %u</text>\n",
            sizes_bytes(r->decoded_bytes).text, r->ratio, r->num_threads, r->batch_samples,
            r->window_visits, r->read_depth, r->num_rounds);
    json_decref(name);
}

static void put_axis(FILE *f, double step, double end, int bottom) {
    for (double at = 0; at <= end * 1.0001; at += step) {
        const double x = LEFT + BARS * at / end;
        fprintf(f,
                "  <path class=\"grid\" d=\"M%.1f %dV%d\"/>\n"
                "  <text class=\"tick\" x=\"%.1f\" y=\"%d\">%g</text>\n",
                x, TOP - 8, bottom, x, bottom + 18, at / gib);
    }
    fprintf(f, "  <text class=\"small\" x=\"%d\" y=\"%d\">GiB/s decoded</text>\n", FIGURES,
            bottom + 18);
}

static const char *class_of(uint32_t kind) {
    return !bench_kind_is_epoch(kind)                   ? "limit"
           : kind >= (uint32_t)HR_BENCH_DISK_SEQUENTIAL ? "disk"
                                                        : "memory";
}

static void put_bar(FILE *f, const char *class, int y, double value, double end) {
    fprintf(f, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n",
            class, LEFT, y, BARS * value / end, BAR);
}

static void put_row(FILE *f, const hr_bench_result *r, const hr_bench_measure *m, int y,
                    double end) {
    const hr_bench_spread s = decoded(r, m);
    const int middle = y + BAR / 2, text = middle + 5;
    fprintf(f, "  <text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n", LEFT - 12, text,
            bench_kind_text(m->kind));
    if (m->num_runs == 0) {
        fprintf(f, "  <text class=\"small\" x=\"%d\" y=\"%d\">not measured: ", LEFT + 4, text);
        put_escaped(f, m->reason);
        fputs("</text>\n", f);
        return;
    }
    if (bench_kind_is_epoch(m->kind)) {
        put_bar(f, "track", y, m->limit_bytes_per_s.median, end);
    }
    put_bar(f, class_of(m->kind), y, s.median, end);
    fprintf(f, "  <path class=\"range\" d=\"M%.1f %dH%.1f\"/>\n", LEFT + BARS * s.lowest / end,
            middle, fmax(LEFT + BARS * s.highest / end, LEFT + BARS * s.lowest / end + 1));
    fprintf(f, "  <text x=\"%d\" y=\"%d\">%s", FIGURES, text, sizes_rate(s.median).text);
    if (bench_kind_is_epoch(m->kind)) {
        fprintf(f, "  <tspan font-weight=\"bold\">%.0f %%</tspan>", m->share.median * 100);
    }
    fputs("</text>\n", f);
}

static int rows_of(const hr_bench_result *r) {
    int rows = 0;
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        rows += r->measures[kind].num_runs > 0 || r->measures[kind].reason[0] != '\0';
    }
    return rows;
}

static void put_chart(FILE *f, const char *path, const hr_bench_result *r) {
    const int bottom = TOP + rows_of(r) * ROW, height = bottom + FOOT;
    const double most = fmax(largest(r), 1), step = step_of(most / gib) * gib;
    const double end = ceil(most / step) * step;
    put_head(f, path, r, height);
    put_axis(f, step, end, bottom);
    int y = TOP;
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        const hr_bench_measure *m = &r->measures[kind];
        if (m->num_runs > 0 || m->reason[0] != '\0') {
            put_row(f, r, m, y, end);
            y += ROW;
        }
    }
    fprintf(f,
            "  <text class=\"small\" x=\"24\" y=\"%d\">Bars are medians, orange lines reach from "
            "the lowest round to the highest. Behind an epoch stands its limit: L from memory, "
            "from disk</text>\n  <text class=\"small\" x=\"24\" y=\"%d\">the smaller of L and "
            "what reading alone brings. The share is of the limit in the same round.</text>\n"
            "</svg>\n",
            bottom + 44, bottom + 60);
}

char *bench_svg(const char *path, const hr_bench_result *r) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (f == NULL) {
        return NULL;
    }
    put_chart(f, path, r);
    const bool good = ferror(f) == 0;
    if (fclose(f) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
