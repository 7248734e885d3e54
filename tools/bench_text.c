/*
 * The figures of hr_bench() as a table and as JSON.
 */
#include "bench_text.h"

#include "json_out.h"
#include "plain.h"
#include "sizes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_texts[HR_BENCH_NUM_KINDS] = {
    "decoding alone (L)", "reading, in order", "reading, shuffled", "memory, sequential",
    "memory, shuffled",   "disk, sequential",  "disk, shuffled",
};

const char *bench_kind_text(uint32_t kind) {
    return kind < HR_BENCH_NUM_KINDS ? kind_texts[kind] : "?";
}

bool bench_kind_is_epoch(uint32_t kind) {
    return kind >= HR_BENCH_MEMORY_SEQUENTIAL && kind <= HR_BENCH_DISK_SHUFFLED;
}

bool bench_kind_is_read(uint32_t kind) {
    return kind == HR_BENCH_READ_SEQUENTIAL || kind == HR_BENCH_READ_SHUFFLED;
}

/* "2.72 to 2.81 GiB/s": the unit once, where it is one. */
static void range_text(const hr_bench_spread *rate, char *out, size_t room_bytes) {
    const sizes_text lowest = sizes_rate(rate->lowest), highest = sizes_rate(rate->highest);
    const char *unit = strchr(lowest.text, ' '), *other = strchr(highest.text, ' ');
    const bool same = unit != NULL && other != NULL && strcmp(unit, other) == 0;
    snprintf(out, room_bytes, "%.*s to %s",
             (int)(same ? (size_t)(unit - lowest.text) : strlen(lowest.text)), lowest.text,
             highest.text);
}

static void print_measure(const hr_bench_measure *m) {
    const hr_bench_spread *rate = &m->bytes_per_s, *share = &m->share;
    char range[2 * SIZES_TEXT_BYTES + 8];
    if (m->num_runs == 0) {
        if (m->reason[0] != '\0') {
            plain_printf("%-18s not measured: %s\n", bench_kind_text(m->kind), m->reason);
        }
        return;
    }
    range_text(rate, range, sizeof range);
    printf("%-18s %10s  %-18s", bench_kind_text(m->kind), sizes_rate(rate->median).text, range);
    if (bench_kind_is_epoch(m->kind)) {
        printf(" %10s  %3.0f %% (%.0f to %.0f)", sizes_rate(m->limit_bytes_per_s.median).text,
               share->median * 100, share->lowest * 100, share->highest * 100);
    } else if (bench_kind_is_read(m->kind)) {
        fputs(" stored", stdout);
    }
    putchar('\n');
}

void bench_text_print(const char *name, const hr_bench_result *r) {
    plain_printf("%s: %s in %s, ratio %.2f\n", name, sizes_bytes(r->decoded_bytes).text,
                 sizes_bytes(r->file_bytes).text, r->ratio);
    printf("rounds: %u, threads: %u, batches of %u, window %u, reads %u deep\n\n", r->num_rounds,
           r->num_threads, r->batch_samples, r->window_visits, r->read_depth);
    printf("%-18s %10s  %-18s %10s  %s\n", "", "median", "lowest to highest", "limit", "share");
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        print_measure(&r->measures[kind]);
    }
    if (r->held_chunks < r->num_chunks) {
        printf("\nL is of %s of the %s chunks, evenly spread, %s\n",
               sizes_count(r->held_chunks).text, sizes_count(r->num_chunks).text,
               sizes_bytes(r->held_bytes).text);
    }
}

static json_t *spread_json(bool there, const hr_bench_spread *s) {
    return there ? json_pack("{s:o, s:o, s:o}", "median", json_out_real(s->median), "lowest",
                             json_out_real(s->lowest), "highest", json_out_real(s->highest))
                 : json_null();
}

static json_t *measure_json(const hr_bench_measure *m) {
    const bool measured = m->num_runs > 0, epoch = measured && bench_kind_is_epoch(m->kind);
    json_t *parts = epoch ? json_pack("{s:o, s:o, s:o}", "io", json_out_real(m->io_part), "decode",
                                      json_out_real(m->decode_part), "consumer",
                                      json_out_real(m->consumer_part))
                          : json_null();
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:s?}", "name",
                     hr_bench_kind_name(m->kind), "runs", (json_int_t)m->num_runs, "epochs",
                     epoch ? json_integer((json_int_t)m->num_epochs) : json_null(), "bytes_per_s",
                     spread_json(measured, &m->bytes_per_s), "limit_bytes_per_s",
                     spread_json(epoch, &m->limit_bytes_per_s), "share",
                     spread_json(epoch, &m->share), "worker_parts", parts, "first_batch_s",
                     epoch ? json_out_seconds(m->first_batch_ns) : json_null(), "reason",
                     m->reason[0] != '\0' ? m->reason : NULL);
}

json_t *bench_json(const char *path, const hr_bench_result *r) {
    json_t *measures = json_array();
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        const hr_bench_measure *m = &r->measures[kind];
        if (m->num_runs > 0 || m->reason[0] != '\0') {
            json_array_append_new(measures, measure_json(m));
        }
    }
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "file", json_out_text(path), "rounds", (json_int_t)r->num_rounds, "threads",
                     (json_int_t)r->num_threads, "batch", (json_int_t)r->batch_samples, "window",
                     (json_int_t)r->window_visits, "read_depth", (json_int_t)r->read_depth, "ratio",
                     json_out_real(r->ratio), "decoded_bytes", json_out_uint(r->decoded_bytes),
                     "file_bytes", json_out_uint(r->file_bytes), "chunks",
                     json_out_uint(r->num_chunks), "held_chunks", json_out_uint(r->held_chunks),
                     "held_bytes", json_out_uint(r->held_bytes), "budget_bytes",
                     json_out_uint(r->budget_bytes), "measures", measures);
}
