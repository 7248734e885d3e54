/*
 * The loader's options, as `plan` and `epoch` share them. What fits together, the library decides.
 */
#include "loader_args.h"

#include "exit_codes.h"
#include "report.h"

#include <ctype.h>
#include <string.h>

void loader_args_init(loader_args *a) {
    *a = (loader_args){.opts = HR_LOADER_OPTIONS_INIT};
    a->opts.batch_samples = 256;
    subset_args_init(&a->subset);
}

static bool take_fields(const options *o, loader_args *a) {
    args_error err;
    a->opts.fields = a->fields;
    if (!args_list(optarg, a->fields, ARGS_MAX_LIST, &a->opts.num_fields, &err)) {
        report_usage(o->command, "--fields: %s", err.message);
        return false;
    }
    return true;
}

static bool take_io(const options *o, loader_args *a) {
    static const char *const words[] = {"auto", "direct", "cached", "threads", "libaio"};
    size_t place = 0;
    if (!options_word(o, "io", words, 5, &place)) {
        return false;
    }
    a->opts.io = (hr_io)place;
    return true;
}

static bool take_numa(const options *o, loader_args *a) {
    static const char *const words[] = {"auto", "off"};
    size_t place = 0;
    if (!options_word(o, "numa", words, 2, &place)) {
        return false;
    }
    a->opts.flags &= ~HR_LOADER_NUMA_OFF;
    a->opts.flags |= place == 1 ? HR_LOADER_NUMA_OFF : 0;
    return true;
}

static bool take_rank(const options *o, loader_args *a) {
    static const char *const words[] = {"auto", "headrace", "torchrun", "openmpi", "slurm"};
    size_t place = 0;
    a->rank_by_environment = isalpha((unsigned char)optarg[0]) != 0;
    if (!a->rank_by_environment) {
        return options_uint32(o, "rank", 0, UINT32_MAX, &a->opts.rank);
    }
    if (!options_word(o, "rank", words, sizeof words / sizeof words[0], &place)) {
        return false;
    }
    a->asked = place == 0 ? NULL : words[place];
    return true;
}

/* "host", "cuda" or "cuda:N" */
static bool take_device(const options *o, loader_args *a) {
    const char *number = optarg + strlen("cuda:");
    uint32_t index = 0;
    args_error err;
    if (strcmp(optarg, "host") == 0) {
        a->opts.device = HR_DEVICE_HOST;
        return true;
    }
    if (strncmp(optarg, "cuda", 4) != 0 || (optarg[4] != '\0' && optarg[4] != ':')) {
        report_usage(o->command, "--device: '%s' is no device, expected host or cuda:N", optarg);
        return false;
    }
    uint64_t value = 0;
    if (optarg[4] == ':' && !args_uint(number, 0, 255, &value, &err)) {
        report_usage(o->command, "--device: %s", err.message);
        return false;
    }
    index = (uint32_t)value;
    a->opts.device = HR_DEVICE_CUDA(index);
    return true;
}

static bool take_pad(const options *o, loader_args *a) {
    args_error err;
    char *equals = strrchr(optarg, '='); /* names of fields may have one */
    hr_pad pad = HR_PAD_INIT;
    if (equals == NULL || equals == optarg) {
        report_usage(o->command, "--pad %s: write FIELD=LENGTH", optarg);
        return false;
    }
    if (a->opts.num_pads == LOADER_ARGS_MAX_PADS) {
        report_usage(o->command, "more than %d fields to pad", LOADER_ARGS_MAX_PADS);
        return false;
    }
    *equals = '\0';
    pad.field = optarg;
    if (!args_uint(equals + 1, 1, UINT64_C(1) << 32, &pad.length, &err)) {
        report_usage(o->command, "--pad %s: %s", optarg, err.message);
        return false;
    }
    a->pads[a->opts.num_pads++] = pad;
    a->opts.pads = a->pads;
    return true;
}

bool loader_args_take(const options *o, int value, loader_args *a) {
    hr_loader_options *p = &a->opts;
    switch (value) {
    case LOADER_BATCH:
        return options_uint32(o, "batch", 1, UINT32_MAX, &p->batch_samples);
    case LOADER_SHUFFLE:
        p->flags |= HR_LOADER_SHUFFLE;
        return true;
    case LOADER_SEED:
        a->has_seed = true;
        return options_uint(o, "seed", 0, UINT64_MAX, &p->seed);
    case LOADER_WINDOW:
        return options_uint32(o, "window", 1, UINT32_MAX, &p->window_visits);
    case LOADER_STREAMS:
        return options_uint32(o, "streams", 1, UINT32_MAX, &p->num_streams);
    case LOADER_RANK:
        return take_rank(o, a);
    case LOADER_WORLD_SIZE:
        return options_uint32(o, "world-size", 1, UINT32_MAX, &p->world_size);
    case LOADER_DROP_LAST:
        p->flags |= HR_LOADER_DROP_LAST;
        return true;
    case LOADER_PAD_LAST:
        p->flags |= HR_LOADER_PAD_LAST;
        return true;
    case LOADER_FIELDS:
        return take_fields(o, a);
    case LOADER_MAX_BYTES:
        return options_size(o, "max-bytes", &p->max_value_bytes);
    case LOADER_PAD:
        return take_pad(o, a);
    case LOADER_TRUNCATE:
        a->truncate = true;
        return true;
    case LOADER_BUDGET:
        return options_size(o, "budget", &p->budget_bytes);
    case LOADER_THREADS:
        return options_uint32(o, "threads", 1, 1024, &p->num_threads);
    case LOADER_FINISH:
        return finish_args_take(o, &a->finish);
    case LOADER_CHECK_FINITE:
        a->finish.check_finite = true;
        return true;
    case LOADER_NUMA:
        return take_numa(o, a);
    case LOADER_IO_DEPTH:
        return options_uint32(o, "io-depth", 1, 4096, &p->io_depth);
    case LOADER_IO:
        return take_io(o, a);
    case LOADER_DEVICE:
        return take_device(o, a);
    case LOADER_DEVICE_SLOTS:
        return options_uint32(o, "device-slots", 2, 1024, &p->device_slots);
    case LOADER_DEVICE_BUDGET:
        return options_size(o, "device-budget", &p->device_budget_bytes);
    case LOADER_PAGEABLE:
        p->flags |= HR_LOADER_PAGEABLE;
        return true;
    default:
        return subset_args_take(o, value, &a->subset);
    }
}

int loader_args_finish(const char *command, loader_args *a) {
    hr_error err = {.message = ""};
    const int code = subset_args_check(command, &a->subset);
    if (a->truncate && a->opts.num_pads == 0) {
        report_usage(command,
                     "--truncate cuts what --pad FIELD=LENGTH is too short for; give it, too");
        return EXIT_USAGE;
    }
    if ((a->has_seed || a->opts.window_visits != 0) && (a->opts.flags & HR_LOADER_SHUFFLE) == 0) {
        report_usage(command, "--seed and --window are for --shuffle; give it, too");
        return EXIT_USAGE;
    }
    const uint32_t ends = HR_LOADER_DROP_LAST | HR_LOADER_PAD_LAST;
    if ((a->opts.flags & ends) == ends) {
        report_usage(command, "--drop-last and --pad-last are two ends of an epoch; leave one out");
        return EXIT_USAGE;
    }
    for (uint32_t i = 0; i < a->opts.num_pads; i++) {
        a->pads[i].flags = a->truncate ? HR_PAD_TRUNCATE : 0;
    }
    if (code != EXIT_DONE || !a->rank_by_environment) {
        return code;
    }
    if (a->opts.world_size != 0) {
        report_usage(command, "--world-size %u: the launcher says it, with --rank %s; leave it out",
                     a->opts.world_size, a->asked != NULL ? a->asked : "auto");
        return EXIT_USAGE;
    }
    a->ranks.struct_bytes = sizeof a->ranks;
    const hr_status st = hr_rank_from_environment(a->asked, &a->ranks, &err);
    if (st != HR_OK) {
        return report_status(command, st, &err);
    }
    a->opts.rank = a->ranks.rank;
    a->opts.world_size = a->ranks.world_size;
    return EXIT_DONE;
}

int loader_args_choose(const char *command, hr_dataset *ds, loader_args *a) {
    const int code = subset_args_make(command, ds, a->opts.budget_bytes, &a->subset);
    a->opts.subset = a->subset.made;
    return code;
}

void loader_args_end(loader_args *a) {
    subset_args_end(&a->subset);
}

void loader_args_add_ranks(const loader_args *a, json_t *root) {
    const uint32_t world_size = a->opts.world_size != 0 ? a->opts.world_size : 1;
    json_object_set_new(root, "rank", json_integer(a->opts.rank));
    json_object_set_new(root, "world_size", json_integer(world_size));
    json_object_set_new(root, "launcher",
                        a->rank_by_environment ? json_string(a->ranks.launcher) : json_null());
}
