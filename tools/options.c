/*
 * Options of a command over getopt_long.
 */
#include "options.h"

#include "args.h"
#include "report.h"

int options_next(const options *o) {
    opterr = 0;
    const int at = optind;
    const int value = getopt_long(o->argc, o->argv, o->letters, o->table, NULL);
    if (value != '?' && value != ':') {
        return value;
    }
    const char *word = o->argv[optind > at || optind > 1 ? optind - 1 : optind];
    if (value == ':') {
        report_usage(o->command, "the option %s needs a value", word);
    } else if (optopt >= OPTIONS_LONG) {
        report_usage(o->command, "the option %s takes no value", word);
    } else if (optopt != 0 && word[0] == '-' && word[1] == '-') {
        report_usage(o->command, "the option %s takes no value", word);
    } else if (optopt != 0) {
        report_usage(o->command, "there is no option -%c", optopt);
    } else {
        report_usage(o->command, "there is no option %s, or it is cut too short", word);
    }
    return OPTIONS_BAD;
}

static bool refused(const options *o, const char *name, const args_error *err) {
    report_usage(o->command, "--%s: %s", name, err->message);
    return false;
}

bool options_uint(const options *o, const char *name, uint64_t min, uint64_t max, uint64_t *out) {
    args_error err;
    return args_uint(optarg, min, max, out, &err) || refused(o, name, &err);
}

bool options_uint32(const options *o, const char *name, uint32_t min, uint32_t max, uint32_t *out) {
    uint64_t value = 0;
    if (!options_uint(o, name, min, max, &value)) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool is_something(const options *o, const char *name, bool something) {
    if (!something) {
        report_usage(o->command, "--%s: %s is nothing; leave it out for the default", name, optarg);
    }
    return something;
}

bool options_size(const options *o, const char *name, uint64_t *out) {
    args_error err;
    return args_size(optarg, out, &err) ? is_something(o, name, *out != 0) : refused(o, name, &err);
}

bool options_duration(const options *o, const char *name, int64_t *out_ns) {
    args_error err;
    return args_duration(optarg, out_ns, &err) ? is_something(o, name, *out_ns != 0)
                                               : refused(o, name, &err);
}

bool options_range(const options *o, const char *name, uint64_t *first, uint64_t *end) {
    args_error err;
    if (!args_range(optarg, first, end, &err)) {
        return refused(o, name, &err);
    }
    if (*end == *first) {
        report_usage(o->command, "--%s: %s holds no sample", name, optarg);
        return false;
    }
    *end = *end == UINT64_MAX ? 0 : *end;
    return true;
}

bool options_word(const options *o, const char *name, const char *const *words, size_t count,
                  size_t *out) {
    args_error err;
    return args_word(optarg, words, count, out, &err) || refused(o, name, &err);
}

bool options_take_files(const options *o, options_files *out) {
    if (optind == o->argc) {
        report_usage(o->command, "FILE is missing");
        return false;
    }
    out->paths = (const char *const *)o->argv + optind;
    out->count = (size_t)(o->argc - optind);
    return true;
}
