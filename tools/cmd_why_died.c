/*
 * headrace why-died: what hr_why_died() reads in the record of a process that is gone.
 */
#define _GNU_SOURCE
#include "commands.h"
#include "exit_codes.h"
#include "json_out.h"
#include "options.h"
#include "plain.h"
#include "report.h"

#include "headrace/guard.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char help[] = "Usage: headrace why-died [FOLDER] [OPTIONS]\n"
                           "How the latest process ended that left a record in FOLDER and did\n"
                           "not end its guard: killed for memory, or no sign of it. FOLDER is\n"
                           "$HEADRACE_STATE_DIR, or .headrace here, unless it is given.\n"
                           "\n"
                           "      --json          the record and the verdict as JSON\n"
                           "  -h, --help\n"
                           "\n"
                           "Exit code 0: there was one. 1: there is none.\n"
                           "\n"
                           "Example:\n"
                           "  headrace why-died\n";

enum { OPT_JSON = OPTIONS_LONG };

static const struct option table[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* What json_pack cannot take: figures that may be unknown, which are null. */
static const struct figure {
    const char *key;
    size_t off;
} figures[] = {
    {"limit_bytes", offsetof(hr_death_report, limit_bytes)},
    {"used_bytes", offsetof(hr_death_report, used_bytes)},
    {"reclaimable_bytes", offsetof(hr_death_report, reclaimable_bytes)},
    {"headroom_bytes", offsetof(hr_death_report, headroom_bytes)},
    {"resident_bytes", offsetof(hr_death_report, resident_bytes)},
    {"opened_resident_bytes", offsetof(hr_death_report, opened_resident_bytes)},
    {"peak_resident_bytes", offsetof(hr_death_report, peak_resident_bytes)},
    {"headrace_bytes", offsetof(hr_death_report, headrace_bytes)},
    {"oom_kills_opened", offsetof(hr_death_report, oom_kills_opened)},
    {"oom_kills_last", offsetof(hr_death_report, oom_kills_last)},
    {"oom_kills_now", offsetof(hr_death_report, oom_kills_now)},
    {"epoch", offsetof(hr_death_report, epoch)},
    {"step", offsetof(hr_death_report, step)},
    {"batches_delivered", offsetof(hr_death_report, batches_delivered)},
    {"growth_since_epoch", offsetof(hr_death_report, growth_since_epoch)},
    {"nan_epoch", offsetof(hr_death_report, nan_epoch)},
    {"nan_batch", offsetof(hr_death_report, nan_batch)},
};

static int print_json(const hr_death_report *d) {
    json_t *root =
        json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "verdict", hr_death_name(d->verdict),
                  "sentence", json_out_text(d->sentence), "told", (int)d->told, "pid",
                  json_out_int(d->pid), "host", json_out_text(d->host), "command",
                  json_out_text(d->command), "opened_unix_s", json_out_seconds(d->opened_unix_ns),
                  "last_seen_unix_s", json_out_seconds(d->last_seen_unix_ns));
    json_object_set_new(root, "limit_kind", json_string(hr_memory_limit_kind_name(d->limit_kind)));
    json_object_set_new(root, "limit_name", json_out_text(d->limit_name));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        uint64_t value;
        memcpy(&value, (const char *)d + figures[i].off, sizeof value);
        json_object_set_new(root, figures[i].key,
                            value == UINT64_MAX ? json_null() : json_out_uint(value));
    }
    json_object_set_new(root, "growth_bytes_per_epoch", json_out_int(d->growth_bytes_per_epoch));
    json_object_set_new(root, "rank", json_integer(d->rank));
    json_object_set_new(root, "world_size", json_integer(d->world_size));
    json_object_set_new(root, "record", json_out_text(d->record_path));
    return json_out_print("why-died", root, JSON_OUT_EXACT);
}

static void print_time(const char *what, int64_t unix_ns) {
    const time_t s = (time_t)(unix_ns / 1000000000);
    struct tm parts;
    char text[64];
    if (localtime_r(&s, &parts) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) > 0) {
        plain_printf("%s  %s\n", what, text);
    }
}

static void print_text(const hr_death_report *d) {
    plain_printf("%s\n", d->sentence);
    plain_printf("process    %" PRId64 " on %s: %s\n", d->pid, d->host, d->command);
    print_time("began    ", d->opened_unix_ns);
    print_time("last seen", d->last_seen_unix_ns);
    plain_printf("record     %s\n", d->record_path);
}

int cmd_why_died(int argc, char **argv) {
    const options o = {"why-died", argc, argv, table, ":h"};
    hr_death_report d = {.struct_bytes = sizeof d};
    hr_error err = {.message = ""};
    bool json = false;
    for (int value; (value = options_next(&o)) != OPTIONS_END;) {
        if (value == OPTIONS_BAD) {
            return EXIT_USAGE;
        }
        if (value == 'h') {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        json |= value == OPT_JSON;
    }
    if (optind + 1 < argc) {
        return report_usage("why-died", "'%s' is one word too many", argv[optind + 1]);
    }
    const hr_status st = hr_why_died(optind < argc ? argv[optind] : NULL, 0, &d, &err);
    if (st != HR_OK) {
        return report_status("why-died", st, &err);
    }
    if (json) {
        return print_json(&d);
    }
    print_text(&d);
    return EXIT_DONE;
}
