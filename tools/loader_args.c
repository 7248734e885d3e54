/*
 * The loader's options, as `plan` and `epoch` share them. What fits together, the library decides.
 */
#include "loader_args.h"

#include "report.h"

void loader_args_init(loader_args *a) {
    *a = (loader_args){.opts = HR_LOADER_OPTIONS_INIT};
    a->opts.batch_samples = 256;
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

bool loader_args_take(const options *o, int value, loader_args *a) {
    hr_loader_options *p = &a->opts;
    switch (value) {
    case LOADER_BATCH:
        return options_uint32(o, "batch", 1, UINT32_MAX, &p->batch_samples);
    case LOADER_SHUFFLE:
        p->flags |= HR_LOADER_SHUFFLE;
        return true;
    case LOADER_SEED:
        return options_uint(o, "seed", 0, UINT64_MAX, &p->seed);
    case LOADER_WINDOW:
        return options_uint32(o, "window", 1, UINT32_MAX, &p->window_visits);
    case LOADER_STREAMS:
        return options_uint32(o, "streams", 1, UINT32_MAX, &p->num_streams);
    case LOADER_RANK:
        return options_uint32(o, "rank", 0, UINT32_MAX, &p->rank);
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
    case LOADER_BUDGET:
        return options_size(o, "budget", &p->budget_bytes);
    case LOADER_THREADS:
        return options_uint32(o, "threads", 1, 1024, &p->num_threads);
    case LOADER_IO_DEPTH:
        return options_uint32(o, "io-depth", 1, 4096, &p->io_depth);
    default:
        return take_io(o, a);
    }
}
