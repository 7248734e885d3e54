/*
 * headrace convert: drives hr_convert().
 */
#include "args.h"
#include "commands.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "json_out.h"
#include "options.h"
#include "output_path.h"
#include "plain.h"
#include "progress.h"
#include "report.h"
#include "select_args.h"
#include "sizes.h"

#include "headrace/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELP_BEGIN                                                                                 \
    "Usage: headrace convert IN... -o OUT.hrd [OPTIONS]\n"                                         \
    "Inputs: .npy, .npz, IDX, CSV, HDF5, .hrd, raw; also FILE:/path/in/file; folders,\n"           \
    "patterns.\n"                                                                                  \
    "\n"                                                                                           \
    "  -o, --output FILE       the file to make;  --append  add samples to it\n"                   \
    "      --field NAME=SRC    one field said outright; may be repeated\n"                         \
    "      --resume            go on with an interrupted one;  --force  replace it\n"              \
    "      --shuffle SEED      put all samples into a random order, once\n"                        \
    "      --optimize GOAL     speed (default), balanced or size of the file\n"                    \
    "      --budget SIZE       memory (default: a quarter of what there is)\n"
#define HELP_END                                                                                   \
    "\n"                                                                                           \
    "Example:\n"                                                                                   \
    "  headrace convert --field x=X.npy --field y=y.npy -o train.hrd\n"

static const char short_help[] =
    HELP_BEGIN "  -h                      this;  --help  all options\n" HELP_END;

static const char help[] =
    HELP_BEGIN "\n"
               "What is read:\n"
               "      --dtype D --shape S --skip-bytes N   raw inputs: float32, 28,28, 16\n"
               "      --axis N            which axis is that of the samples (default 0)\n"
               "      --sparse dense      sparse HDF5 matrices as rows with zeros; or varlen\n"
               "      --fields a,b        only these, in this order\n"
               "      --rename OLD=NEW    another name for a field; may be repeated\n"
               "      --range A:B         only samples from A up to, without, B\n"
               "      --follow-external   follow HDF5 links that leave the input's folder\n"
               "      --index-field NAME  with --shuffle: keep each sample's index before it\n"
               "\n"
               "How it is stored:\n"
               "      --disk-rate SIZE    of the disk to read from, a second (default 1 GB)\n"
               "      --codec C           raw, zstd or auto (default: tried on real chunks)\n"
               "      --filter F          none, [delta+]shuffle, [delta+]bitshuffle, delta, auto\n"
               "      --level N           zstd's level\n"
               "      --chunk-bytes SIZE  decoded size of a chunk (default 256K)\n"
               "\n"
               "How it is done:\n"
               "      --threads N         workers;  --helpers N  HDF5 helper processes\n"
               "      --helper-timeout T  longest silence of a helper (default 60s)\n"
               "      --helper-memory SIZE  what one may use\n"
               "      --no-space-check    do not look for free disk space first\n"
               "      --json              the result as JSON;  --quiet  no progress\n"
               "  -h                      the first of these;  --help  this\n" HELP_END;

enum {
    OPT_FIELD = OPTIONS_LONG,
    OPT_FIELDS,
    OPT_RENAME,
    OPT_RANGE,
    OPT_FORCE,
    OPT_RESUME,
    OPT_APPEND,
    OPT_SHUFFLE,
    OPT_INDEX_FIELD,
    OPT_OPTIMIZE,
    OPT_DISK_RATE,
    OPT_CODEC,
    OPT_FILTER,
    OPT_LEVEL,
    OPT_CHUNK_BYTES,
    OPT_DTYPE,
    OPT_SHAPE,
    OPT_SKIP_BYTES,
    OPT_AXIS,
    OPT_SPARSE,
    OPT_FOLLOW_EXTERNAL,
    OPT_NO_SPACE_CHECK,
    OPT_BUDGET,
    OPT_THREADS,
    OPT_HELPERS,
    OPT_HELPER_TIMEOUT,
    OPT_HELPER_MEMORY,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP
};

static const struct option table[] = {
    {"output", required_argument, NULL, 'o'},
    {"field", required_argument, NULL, OPT_FIELD},
    {"fields", required_argument, NULL, OPT_FIELDS},
    {"rename", required_argument, NULL, OPT_RENAME},
    {"range", required_argument, NULL, OPT_RANGE},
    {"force", no_argument, NULL, OPT_FORCE},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"append", no_argument, NULL, OPT_APPEND},
    {"shuffle", required_argument, NULL, OPT_SHUFFLE},
    {"index-field", required_argument, NULL, OPT_INDEX_FIELD},
    {"optimize", required_argument, NULL, OPT_OPTIMIZE},
    {"disk-rate", required_argument, NULL, OPT_DISK_RATE},
    {"codec", required_argument, NULL, OPT_CODEC},
    {"filter", required_argument, NULL, OPT_FILTER},
    {"level", required_argument, NULL, OPT_LEVEL},
    {"chunk-bytes", required_argument, NULL, OPT_CHUNK_BYTES},
    {"dtype", required_argument, NULL, OPT_DTYPE},
    {"shape", required_argument, NULL, OPT_SHAPE},
    {"skip-bytes", required_argument, NULL, OPT_SKIP_BYTES},
    {"axis", required_argument, NULL, OPT_AXIS},
    {"sparse", required_argument, NULL, OPT_SPARSE},
    {"follow-external", no_argument, NULL, OPT_FOLLOW_EXTERNAL},
    {"no-space-check", no_argument, NULL, OPT_NO_SPACE_CHECK},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"helpers", required_argument, NULL, OPT_HELPERS},
    {"helper-timeout", required_argument, NULL, OPT_HELPER_TIMEOUT},
    {"helper-memory", required_argument, NULL, OPT_HELPER_MEMORY},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

typedef struct convert_job {
    hr_convert_options opts;
    hr_convert_field *fields;
    select_args select;
    uint64_t shape[HR_MAX_RANK];
    bool json, quiet;
    const char *help; /* asked for; or NULL */
    progress bar;
} convert_job;

static bool take_field(const options *o, convert_job *job) {
    char *equals = strchr(optarg, '=');
    if (equals == NULL || equals == optarg || equals[1] == '\0') {
        report_usage(o->command, "--field: '%s' is not NAME=SOURCE", optarg);
        return false;
    }
    *equals = '\0'; /* restored by take_back_fields() */
    job->fields[job->opts.num_fields++] = (hr_convert_field){optarg, equals + 1};
    return true;
}

/* The argument vector is printed again after Ctrl-C. */
static void take_back_fields(const convert_job *job) {
    for (uint32_t i = 0; i < job->opts.num_fields; i++) {
        char *source = (char *)(uintptr_t)job->fields[i].source;
        source[-1] = '=';
    }
}

static bool take_filter(const options *o, hr_convert_options *opts) {
    static const struct {
        const char *word;
        hr_filter filter;
    } filters[] = {{"auto", HR_FILTER_AUTO},
                   {"none", HR_FILTER_NONE},
                   {"shuffle", HR_FILTER_BYTE_SHUFFLE},
                   {"bitshuffle", HR_FILTER_BIT_SHUFFLE},
                   {"delta", HR_FILTER_DELTA},
                   {"delta+shuffle", HR_FILTER_DELTA_BYTE_SHUFFLE},
                   {"delta+bitshuffle", HR_FILTER_DELTA_BIT_SHUFFLE},
                   /* As info has them from the file: */
                   {"byte-shuffle", HR_FILTER_BYTE_SHUFFLE},
                   {"bit-shuffle", HR_FILTER_BIT_SHUFFLE},
                   {"delta+byte-shuffle", HR_FILTER_DELTA_BYTE_SHUFFLE},
                   {"delta+bit-shuffle", HR_FILTER_DELTA_BIT_SHUFFLE}};
    const char *words[sizeof filters / sizeof filters[0]];
    size_t place = 0;
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        words[i] = filters[i].word;
    }
    if (!options_word(o, "filter", words, sizeof words / sizeof words[0], &place)) {
        return false;
    }
    opts->filter = (int32_t)filters[place].filter;
    return true;
}

static bool take_choice(const options *o, int value, convert_job *job) {
    static const char *const codecs[] = {"auto", "raw", "zstd"};
    static const char *const goals[] = {"speed", "balanced", "size"};
    const bool codec = value == OPT_CODEC;
    size_t place = 0;
    if (!options_word(o, codec ? "codec" : "optimize", codec ? codecs : goals, 3, &place)) {
        return false;
    }
    /* The words stand in the order of the enumerations, which begin at 0. */
    *(codec ? &job->opts.codec : &job->opts.optimize) = (int32_t)place;
    return true;
}

static bool take_sparse(const options *o, hr_convert_options *opts) {
    static const char *const words[] = {"refuse", "dense",
                                        "varlen"}; /* in the order of hr_sparse */
    size_t place = 0;
    if (!options_word(o, "sparse", words, sizeof words / sizeof words[0], &place)) {
        return false;
    }
    opts->sparse = (int32_t)place;
    return true;
}

static bool take_int(const options *o, const char *name, int64_t min, int64_t max, int32_t *out) {
    args_error err;
    int64_t value = 0;
    if (!args_int(optarg, min, max, &value, &err)) {
        report_usage(o->command, "--%s: %s", name, err.message);
        return false;
    }
    *out = (int32_t)value;
    return true;
}

static bool take_raw(const options *o, int value, convert_job *job) {
    hr_convert_options *opts = &job->opts;
    args_error err;
    switch (value) {
    case OPT_DTYPE:
        opts->raw_dtype = optarg;
        return true;
    case OPT_SHAPE:
        opts->raw_shape = job->shape;
        if (!args_shape(optarg, job->shape, HR_MAX_RANK, &opts->raw_rank, &err)) {
            report_usage(o->command, "--shape: %s", err.message);
            return false;
        }
        return true;
    default:
        return options_uint32(o, "skip-bytes", 0, UINT32_MAX, &opts->raw_skip_bytes);
    }
}

static bool take_resource(const options *o, int value, hr_convert_options *opts) {
    switch (value) {
    case OPT_CHUNK_BYTES:
        return options_size(o, "chunk-bytes", &opts->chunk_bytes);
    case OPT_DISK_RATE:
        return options_size(o, "disk-rate", &opts->disk_bytes_per_s);
    case OPT_BUDGET:
        return options_size(o, "budget", &opts->budget_bytes);
    case OPT_THREADS:
        return options_uint32(o, "threads", 1, 1024, &opts->num_threads);
    case OPT_HELPERS:
        return options_uint32(o, "helpers", 1, 1024, &opts->num_helpers);
    case OPT_HELPER_MEMORY:
        return options_size(o, "helper-memory", &opts->helper_memory_bytes);
    default:
        return options_duration(o, "helper-timeout", &opts->helper_timeout_ns);
    }
}

static bool take_flag(int value, convert_job *job) {
    switch (value) {
    case OPT_FORCE:
        job->opts.flags |= HR_CONVERT_REPLACE;
        return true;
    case OPT_RESUME:
        job->opts.flags |= HR_CONVERT_RESUME;
        return true;
    case OPT_APPEND:
        job->opts.flags |= HR_CONVERT_APPEND;
        return true;
    case OPT_FOLLOW_EXTERNAL:
        job->opts.flags |= HR_CONVERT_FOLLOW_EXTERNAL;
        return true;
    case OPT_NO_SPACE_CHECK:
        job->opts.flags |= HR_CONVERT_NO_SPACE_CHECK;
        return true;
    case OPT_JSON:
        job->json = true;
        return true;
    case OPT_QUIET:
        job->quiet = true;
        return true;
    case 'h':
        job->help = short_help;
        return true;
    case OPT_HELP:
        job->help = help;
        return true;
    default:
        return false;
    }
}

static bool take_option(const options *o, int value, convert_job *job) {
    if (take_flag(value, job)) {
        return true;
    }
    switch (value) {
    case 'o':
        job->opts.output = optarg;
        return true;
    case OPT_FIELD:
        return take_field(o, job);
    case OPT_FIELDS:
        return select_args_fields(o, &job->select);
    case OPT_RENAME:
        return select_args_rename(o, &job->select);
    case OPT_RANGE:
        return select_args_range(o, &job->select);
    case OPT_SHUFFLE:
        job->opts.flags |= HR_CONVERT_SHUFFLE;
        return options_uint(o, "shuffle", 0, UINT64_MAX, &job->opts.shuffle_seed);
    case OPT_INDEX_FIELD:
        job->opts.index_field = optarg;
        return true;
    case OPT_AXIS:
        return take_int(o, "axis", -HR_MAX_RANK - 1, HR_MAX_RANK, &job->opts.sample_axis);
    case OPT_SPARSE:
        return take_sparse(o, &job->opts);
    case OPT_OPTIMIZE:
    case OPT_CODEC:
        return take_choice(o, value, job);
    case OPT_FILTER:
        return take_filter(o, &job->opts);
    case OPT_LEVEL:
        return take_int(o, "level", -131072, 22, &job->opts.level);
    case OPT_DTYPE:
    case OPT_SHAPE:
    case OPT_SKIP_BYTES:
        return take_raw(o, value, job);
    default:
        return take_resource(o, value, &job->opts);
    }
}

/* What the options do not mean together, or do not say; NULL: nothing. */
static const char *what_is_wrong(const hr_convert_options *o) {
    const bool raw = o->codec == HR_CODEC_RAW, append = (o->flags & HR_CONVERT_APPEND) != 0;
    const struct {
        bool is_so;
        const char *message;
    } rules[] = {
        {o->num_inputs + o->num_fields == 0, "an input is missing"},
        {o->output == NULL, "the output is missing: -o OUT.hrd"},
        {o->index_field != NULL && (o->flags & HR_CONVERT_SHUFFLE) == 0,
         "--index-field is for --shuffle SEED, which is missing"},
        {raw && o->level != 0,
         "--level is that of --codec zstd, and raw was asked for; leave one out"},
        {raw && o->filter != HR_FILTER_AUTO && o->filter != HR_FILTER_NONE,
         "--filter is for --codec zstd, and raw was asked for; leave one out"},
        {o->raw_dtype == NULL && (o->raw_rank > 0 || o->raw_skip_bytes > 0),
         "--shape and --skip-bytes are of raw inputs, whose --dtype is missing"},
        {append && (o->flags & HR_CONVERT_REPLACE) != 0,
         "--append adds to the output, and --force replaces it; leave one out"},
        {append && (o->flags & HR_CONVERT_RESUME) != 0,
         "--append is there whole or not at all, so there is nothing to --resume; leave that out"},
        {append && (o->flags & HR_CONVERT_SHUFFLE) != 0,
         "--append leaves the samples before where they are; leave --shuffle out"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].is_so) {
            return rules[i].message;
        }
    }
    return NULL;
}

static bool take_arguments(const options *o, convert_job *job) {
    for (int value; (value = options_next(o)) != OPTIONS_END;) {
        if (value == OPTIONS_BAD || !take_option(o, value, job)) {
            return false;
        }
        if (job->help != NULL) {
            return true;
        }
    }
    job->opts.inputs = (const char *const *)(o->argv + optind);
    job->opts.num_inputs = (uint32_t)(o->argc - optind);
    job->opts.fields = job->fields;
    select_args_apply(&job->select, &job->opts);
    const char *wrong = what_is_wrong(&job->opts);
    if (wrong != NULL) {
        report_usage(o->command, "%s", wrong);
        return false;
    }
    return output_name_good(o->command, job->opts.output, output_no_dataset,
                            "convert makes .hrd files (export makes the others of them)");
}

static int on_progress(void *user, const hr_progress *now) {
    convert_job *job = user;
    progress_draw(&job->bar, now->done_bytes, now->total_bytes);
    return interrupt_seen();
}

static void on_note(void *user, const char *line) {
    convert_job *job = user;
    if (!job->quiet) {
        progress_clear(&job->bar);
        report_line(line);
    }
}

static void print_quoted(const char *word) {
    if (word[0] != '\0' && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789_-+=./:,@%")] == '\0') {
        fprintf(stderr, " %s", word);
        return;
    }
    fputs(" '", stderr);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            fputs("'\\''", stderr);
        } else {
            fputc(*word, stderr);
        }
    }
    fputc('\'', stderr);
}

static bool is_append(const convert_job *job) {
    return (job->opts.flags & HR_CONVERT_APPEND) != 0;
}

/* What --resume would go on with. */
static bool has_partial(const convert_job *job) {
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s.partial", job->opts.output);
    return n < 0 || (size_t)n >= sizeof path || access(path, F_OK) == 0;
}

/* --resume comes first, because everything after a "--" would be an input. */
static void print_how_to_go_on(convert_job *job, int argc, char **argv) {
    take_back_fields(job);
    fputs(" go on with: headrace convert", stderr);
    if ((job->opts.flags & HR_CONVERT_RESUME) == 0) {
        fputs(" --resume", stderr);
    }
    for (int i = 1; i < argc; i++) {
        print_quoted(argv[i]);
    }
    fputc('\n', stderr);
}

static int report_interrupted(convert_job *job, int argc, char **argv) {
    if (is_append(job)) {
        fprintf(stderr, "headrace convert: interrupted; %s is as it was: append again\n",
                job->opts.output);
        return EXIT_INTERRUPTED;
    }
    if (!has_partial(job)) {
        fputs("headrace convert: interrupted before anything was written; begin again\n", stderr);
        return EXIT_INTERRUPTED;
    }
    fputs("headrace convert: interrupted;", stderr);
    print_how_to_go_on(job, argc, argv);
    return EXIT_INTERRUPTED;
}

static int report_failed(convert_job *job, hr_status st, const hr_error *err, int argc,
                         char **argv) {
    const int code = report_status("convert", st, err);
    if (st == HR_ERR_NO_SPACE && is_append(job)) {
        fprintf(stderr, "headrace convert: %s is as it was; free some space, then append again\n",
                job->opts.output);
    }
    if (st == HR_ERR_NO_SPACE && !is_append(job) && has_partial(job)) {
        fputs("headrace convert: what is written is kept; free some space, then", stderr);
        print_how_to_go_on(job, argc, argv);
    }
    return code;
}

/* Of the decoded bytes, those that were converted now. */
static double bytes_done(const hr_convert_result *result) {
    const uint64_t added = result->num_samples - result->old_samples;
    return result->num_samples > 0
               ? (double)result->decoded_bytes * (double)added / (double)result->num_samples
               : 0.0;
}

static int print_json(const convert_job *job, const hr_convert_result *result) {
    const double seconds = (double)result->elapsed_ns / 1e9;
    const double decoded = (double)result->decoded_bytes;
    return json_out_print(
        "convert",
        json_pack(
            "{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "output",
            json_out_text(job->opts.output), "fields", (json_int_t)result->num_fields, "samples",
            json_out_uint(result->num_samples), "old_samples", json_out_uint(result->old_samples),
            "resumed_samples", json_out_uint(result->resumed_samples), "decoded_bytes",
            json_out_uint(result->decoded_bytes), "stored_bytes",
            json_out_uint(result->stored_bytes), "ratio",
            json_out_quotient(decoded, (double)result->stored_bytes), "seconds",
            json_out_real(seconds), "bytes_per_s", json_out_quotient(bytes_done(result), seconds),
            "nan", json_out_uint(result->num_nan), "inf", json_out_uint(result->num_inf)),
        JSON_OUT_MEASURED);
}

static int print_result(const convert_job *job, const hr_convert_result *result) {
    if (job->json) {
        return print_json(job, result);
    }
    if (job->quiet) {
        return EXIT_DONE;
    }
    const double seconds = (double)result->elapsed_ns / 1e9;
    const double decoded = (double)result->decoded_bytes;
    const double stored = (double)result->stored_bytes;
    plain_printf("%s: ", job->opts.output);
    if (is_append(job)) {
        printf("%s appended, now ",
               sizes_of(result->num_samples - result->old_samples, "sample").text);
    }
    printf("%s, %s -> %s (ratio %.2f), %s, %s\n", sizes_of(result->num_samples, "sample").text,
           sizes_bytes(result->decoded_bytes).text, sizes_bytes(result->stored_bytes).text,
           stored > 0 ? decoded / stored : 0.0, sizes_duration(result->elapsed_ns).text,
           sizes_rate(seconds > 0 ? bytes_done(result) / seconds : 0.0).text);
    return EXIT_DONE;
}

static int run_job(convert_job *job, int argc, char **argv) {
    hr_convert_result result = {.struct_bytes = sizeof result};
    hr_error err = {.message = ""};
    job->opts.user = job;
    job->opts.on_progress = on_progress;
    job->opts.on_note = on_note;
    job->bar = progress_begin("convert", job->quiet);
    interrupt_watch();
    const hr_status st = hr_convert(&job->opts, &result, &err);
    progress_clear(&job->bar);
    /* Ctrl-C reaches the helper processes too: they die of it, perhaps before it is seen here. */
    if (st == HR_ERR_CANCELLED || (st == HR_ERR_HELPER && interrupt_seen())) {
        return report_interrupted(job, argc, argv);
    }
    return st == HR_OK ? print_result(job, &result) : report_failed(job, st, &err, argc, argv);
}

int cmd_convert(int argc, char **argv) {
    const options o = {"convert", argc, argv, table, ":o:h"};
    convert_job job = {.opts = HR_CONVERT_OPTIONS_INIT};
    job.fields = calloc((size_t)argc, sizeof *job.fields);
    if (job.fields == NULL) {
        return report_failure("convert", "not enough memory");
    }
    int code = EXIT_USAGE;
    if (take_arguments(&o, &job)) {
        code = job.help != NULL ? (fputs(job.help, stdout), EXIT_DONE) : run_job(&job, argc, argv);
    }
    select_args_free(&job.select);
    free(job.fields);
    return code;
}
