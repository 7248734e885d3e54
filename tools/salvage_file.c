/*
 * verify --salvage: what is saved and what is lost, as text or as JSON.
 */
#include "salvage_file.h"

#include "exit_codes.h"
#include "interrupt.h"
#include "json_out.h"
#include "plain.h"
#include "progress.h"
#include "report.h"
#include "sizes.h"

#include "headrace/salvage.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct salvage_run {
    const salvage_file_job *job;
    progress bar;
    json_t *lost;
} salvage_run;

static json_t *lost_json(const hr_lost *lost) {
    json_t *fields = json_array();
    for (uint32_t i = 0; i < lost->num_fields; i++) {
        json_array_append_new(fields, json_out_text(lost->fields[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "first_chunk",
                     json_out_uint(lost->first_chunk), "chunks", json_out_uint(lost->num_chunks),
                     "first_sample", json_out_uint(lost->first_sample), "samples",
                     json_out_uint(lost->num_samples), "fields", fields, "reason",
                     json_out_text(lost->reason));
}

static void print_lost(const salvage_run *run, const hr_lost *lost) {
    plain_printf("%s: lost: %s", run->job->path,
                 sizes_samples(lost->first_sample, lost->num_samples).text);
    if (lost->num_chunks == 1) {
        printf(" (chunk %" PRIu64, lost->first_chunk);
    } else {
        printf(" (chunks %" PRIu64 " to %" PRIu64, lost->first_chunk,
               lost->first_chunk + lost->num_chunks - 1);
    }
    for (uint32_t i = 0; i < lost->num_fields; i++) {
        plain_printf("%s %s", i > 0 ? "," : ", field", lost->fields[i]);
    }
    plain_printf("): %s\n", lost->reason);
}

static void on_lost(void *user, const hr_lost *lost) {
    salvage_run *run = user;
    if (run->job->json) {
        json_array_append_new(run->lost, lost_json(lost));
    } else if (!run->job->quiet) {
        progress_clear(&run->bar);
        print_lost(run, lost);
    }
}

static int on_progress(void *user, const hr_progress *now) {
    salvage_run *run = user;
    progress_draw(&run->bar, now->done_bytes, now->total_bytes);
    return interrupt_seen();
}

static void on_note(void *user, const char *line) {
    salvage_run *run = user;
    if (!run->job->quiet) {
        progress_clear(&run->bar);
        report_line(line);
    }
}

static int print_json(const salvage_run *run, const hr_salvage_result *r) {
    return json_out_print(
        "verify",
        json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "file",
                  json_out_text(run->job->path), "output", json_out_text(run->job->output),
                  "end_known", (int)r->end_known, "samples", json_out_uint(r->num_samples),
                  "chunks", json_out_uint(r->num_chunks), "segments",
                  json_out_uint(r->num_segments), "lost_samples", json_out_uint(r->lost_samples),
                  "lost_chunks", json_out_uint(r->lost_chunks), "stored_bytes",
                  json_out_uint(r->stored_bytes), "seconds", json_out_seconds(r->elapsed_ns),
                  "lost", run->lost),
        JSON_OUT_MEASURED);
}

static void print_text(const salvage_run *run, const hr_salvage_result *r) {
    plain_printf("%s: %s saved from %s in %s, %s lost%s\n", run->job->output,
                 sizes_of(r->num_samples, "sample").text, run->job->path,
                 sizes_duration(r->elapsed_ns).text, sizes_count(r->lost_samples).text,
                 r->end_known ? "" : "; what followed, if anything, is not known");
}

static int save(salvage_run *run) {
    const salvage_file_job *job = run->job;
    hr_salvage_options o = HR_SALVAGE_OPTIONS_INIT;
    hr_salvage_result result = {.struct_bytes = sizeof result};
    hr_error err = {.message = ""};
    o.flags = job->force ? HR_SALVAGE_REPLACE : 0;
    o.path = job->path;
    o.output = job->output;
    o.budget_bytes = job->budget_bytes;
    o.user = run;
    o.on_lost = on_lost;
    o.on_progress = on_progress;
    o.on_note = on_note;
    const hr_status st = hr_salvage(&o, &result, &err);
    progress_clear(&run->bar);
    if (st != HR_OK) {
        return report_status("verify", st, &err);
    }
    const int code = result.end_known && result.lost_samples == 0 ? EXIT_DONE : EXIT_DAMAGED;
    if (job->json) {
        const int printed = print_json(run, &result);
        return printed != EXIT_DONE ? printed : code;
    }
    if (!job->quiet) {
        print_text(run, &result);
    }
    return code;
}

int salvage_file(const salvage_file_job *job) {
    salvage_run run = {.job = job, .bar = progress_begin("salvage", job->quiet)};
    run.lost = json_array();
    interrupt_watch();
    const int code = save(&run);
    json_decref(run.lost);
    return code;
}
