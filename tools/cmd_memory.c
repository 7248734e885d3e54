/*
 * headrace memory: what hr_process_memory_read() and hr_gpu_memory_read() see here.
 */
#include "commands.h"
#include "exit_codes.h"
#include "json_out.h"
#include "options.h"
#include "report.h"
#include "sizes.h"

#include "headrace/dataset.h"
#include "headrace/gpu.h"
#include "headrace/memory.h"

#include <inttypes.h>
#include <stdio.h>

#define MOST_GPUS 64u

static const char help[] = "Usage: headrace memory [OPTIONS]\n"
                           "The limit of memory that a process comes to first here, who set it,\n"
                           "and what is left; in a container, the container's.\n"
                           "\n"
                           "      --json          the figures as JSON\n"
                           "  -h, --help\n"
                           "\n"
                           "Example:\n"
                           "  headrace memory\n";

enum { OPT_JSON = OPTIONS_LONG };

static const struct option table[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Unknown figures are null, and "unknown" in text. */
static json_t *figure(uint64_t value) {
    return value == UINT64_MAX ? json_null() : json_out_uint(value);
}

static sizes_text size_or_unknown(uint64_t value) {
    sizes_text text = {"unknown"};
    return value == UINT64_MAX ? text : sizes_bytes(value);
}

static json_t *gpu_json(const hr_gpu_memory *gpu) {
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "index", (int)gpu->index, "name",
                     json_out_text(gpu->name), "total_bytes", figure(gpu->total_bytes),
                     "used_bytes", figure(gpu->used_bytes), "free_bytes", figure(gpu->free_bytes),
                     "process_bytes", figure(gpu->process_bytes));
}

static int print_json(const hr_process_memory *m, json_t *gpus) {
    json_t *root =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "limit_kind",
                  hr_memory_limit_kind_name(m->limit_kind), "limit_name",
                  json_out_text(m->limit_name), "limit_bytes", figure(m->limit_bytes), "used_bytes",
                  figure(m->used_bytes), "reclaimable_bytes", figure(m->reclaimable_bytes),
                  "headroom_bytes", figure(m->headroom_bytes), "oom_kills", figure(m->oom_kills));
    json_t *process =
        json_pack("{s:o, s:o, s:o, s:o}", "resident_bytes", figure(m->resident_bytes),
                  "anonymous_bytes", figure(m->anonymous_bytes), "peak_resident_bytes",
                  figure(m->peak_resident_bytes), "headrace_bytes", figure(m->headrace_bytes));
    json_object_update(root, process);
    json_decref(process);
    json_object_set_new(root, "machine_bytes", figure(m->machine_bytes));
    json_object_set_new(root, "machine_available_bytes", figure(m->machine_available_bytes));
    json_object_set_new(root, "default_budget_bytes", figure(hr_default_budget()));
    json_object_set_new(root, "gpus", gpus);
    return json_out_print("memory", root, JSON_OUT_EXACT);
}

static void print_text(const hr_process_memory *m) {
    if (m->limit_kind == HR_MEMORY_LIMIT_NONE) {
        printf("limit           none is known\n");
    } else {
        printf("limit           %s: %s\n", sizes_bytes(m->limit_bytes).text, m->limit_name);
        printf("in use          %s, of it %s page cache that can be dropped at once\n",
               sizes_bytes(m->used_bytes).text, sizes_bytes(m->reclaimable_bytes).text);
        printf("headroom        %s\n", sizes_bytes(m->headroom_bytes).text);
    }
    if (m->oom_kills != UINT64_MAX) {
        printf("killed          %" PRIu64 " processes of this control group for want of memory\n",
               m->oom_kills);
    }
    printf("machine         %s, %s available\n", size_or_unknown(m->machine_bytes).text,
           size_or_unknown(m->machine_available_bytes).text);
    printf("default budget  %s\n", sizes_bytes(hr_default_budget()).text);
}

static void print_gpu(const hr_gpu_memory *gpu) {
    printf("GPU %-12" PRIu32 "%s: %s, %s in use, %s free\n", gpu->index, gpu->name,
           sizes_bytes(gpu->total_bytes).text, sizes_bytes(gpu->used_bytes).text,
           sizes_bytes(gpu->free_bytes).text);
}

/* Of all GPUs; none where there is no driver. */
static json_t *take_gpus(bool json) {
    json_t *gpus = json_array();
    for (uint32_t i = 0; i < MOST_GPUS; i++) {
        hr_gpu_memory gpu = {.struct_bytes = sizeof gpu};
        if (hr_gpu_memory_read(i, &gpu, NULL) != HR_OK) {
            break;
        }
        json_array_append_new(gpus, gpu_json(&gpu));
        if (!json) {
            print_gpu(&gpu);
        }
    }
    return gpus;
}

int cmd_memory(int argc, char **argv) {
    const options o = {"memory", argc, argv, table, ":h"};
    hr_process_memory m = {.struct_bytes = sizeof m};
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
    if (optind < argc) {
        return report_usage("memory", "'%s' is one word too many", argv[optind]);
    }
    const hr_status st = hr_process_memory_read(&m, &err);
    if (st != HR_OK) {
        return report_status("memory", st, &err);
    }
    if (!json) {
        print_text(&m);
    }
    json_t *gpus = take_gpus(json);
    if (json) {
        return print_json(&m, gpus);
    }
    json_decref(gpus);
    return EXIT_DONE;
}
