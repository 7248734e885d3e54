/*
 * headrace plan: what a loader would need, by hr_loader_plan_make(), and how fast it would be, by
 * hr_probe().
 */
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "json_out.h"
#include "loader_args.h"
#include "plain.h"
#include "probe_text.h"
#include "report.h"
#include "sizes.h"

#include <inttypes.h>
#include <stdio.h>

static const char help[] =
    "Usage: headrace plan FILE... [OPTIONS]\n"
    "Says what a training run would need, before it starts. Several files are one\n"
    "data set.\n"
    "\n"
    "      --batch N        samples per batch, of all ranks (default 256)\n"
    "      --shuffle        shuffled order;  --seed N\n"
    "      --window W       chunks mixed at a time (default: docs/order.md)\n"
    "      --streams N      streams;  --rank R  --world-size N\n"
    "      --rank auto      rank and world size as the launcher says (docs/ranks.md)\n"
    "      --drop-last      leave out the last short batch;  --pad-last  fill it up\n"
    "      --fields A,B     only these;  --max-bytes S  --pad F=LEN  --truncate\n" SUBSET_ARGS_HELP
    "      --finish F=DTYPE[,chw][,standardize], --check-finite  as for epoch\n"
    "      --budget SIZE    memory;  --threads N  decode workers;  --numa auto|off\n"
    "      --io HOW         auto, direct, cached, threads, libaio;  --io-depth "
    "N\n" LOADER_ARGS_DEVICE_HELP
    "      --probe[=T]      try it for T (default 1.6s): predicts rate, time of an\n"
    "                       epoch and of its first batch, and says what limits\n"
    "      --json           as JSON;  --pageable  as for epoch\n"
    "  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace plan train.hrd --batch 512 --shuffle --budget 256M --probe\n";

enum { OPT_JSON = OPTIONS_LONG, OPT_PROBE };

static const struct option table[] = {
    LOADER_ARGS_TABLE,
    {"probe", optional_argument, NULL, OPT_PROBE},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

typedef struct plan_job {
    loader_args loader;
    bool json, probe;
    int64_t probe_ns; /* 0: the default */
    hr_loader_plan plan;
    hr_probe_result expected; /* with probe, where it fits */
} plan_job;

static const char *labels_name(const hr_dataset *ds, const hr_loader_plan *plan, hr_field *field) {
    const bool named =
        plan->labels_sorted && hr_dataset_field(ds, plan->labels_field, field, NULL) == HR_OK;
    return named ? field->name : NULL;
}

static int print_json(const plan_job *job, const hr_dataset *ds) {
    const loader_args *a = &job->loader;
    const hr_loader_plan *p = &job->plan;
    hr_field field = {0};
    json_t *root = json_pack(
        "{s:o, s:I, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:o, s:o, s:s?, "
        "s:s, s:I, s:I, s:I}",
        "file", json_out_text(hr_dataset_path(ds)), "batch", (json_int_t)a->opts.batch_samples,
        "shuffle", (a->opts.flags & HR_LOADER_SHUFFLE) != 0, "window", (json_int_t)p->window_visits,
        "batches_per_epoch", json_out_uint(p->batches_per_epoch), "samples_per_epoch",
        json_out_uint(p->samples_per_epoch), "dropped_samples", json_out_uint(p->dropped_samples),
        "padded_samples", json_out_uint(p->padded_samples), "peak_bytes",
        json_out_uint(p->peak_bytes), "budget_bytes", json_out_uint(p->budget_bytes),
        "smallest_budget_bytes", json_out_uint(p->smallest_reopen_bytes), "largest_window",
        (json_int_t)p->largest_window_visits, "fits", (int)p->fits, "read_amplification",
        json_out_real(p->read_amplification), "inflation", json_out_real(p->inflation),
        "sorted_labels", labels_name(ds, p, &field), "io", p->io_backend, "io_depth",
        (json_int_t)p->io_depth, "streams", (json_int_t)p->num_streams, "batch_of_rank",
        (json_int_t)p->local_batch_samples);
    json_object_set_new(root, "files", dataset_files_json(ds));
    loader_args_add_ranks(a, root);
    if (job->probe) {
        json_object_set_new(root, "probe", p->fits ? probe_json(&job->expected) : json_null());
    }
    json_object_set_new(root, "subset", subset_args_json(&a->subset));
    json_object_set_new(root, "device_bytes", json_out_uint(p->device_bytes));
    return json_out_print("plan", root, JSON_OUT_MEASURED);
}

/* Of all ranks together, and of each: they have as many batches and samples. */
static void print_epoch(const loader_args *a, const hr_loader_plan *p) {
    const uint32_t ranks = a->opts.world_size != 0 ? a->opts.world_size : 1;
    const bool pad = (a->opts.flags & HR_LOADER_PAD_LAST) != 0;
    const sizes_text batches = sizes_of(p->batches_per_epoch, "batch");
    printf("epoch            %s of %s, %s, %s %s\n", batches.text,
           sizes_count(a->opts.batch_samples).text,
           sizes_of(ranks * p->samples_per_epoch, "sample").text,
           sizes_count(pad ? p->padded_samples : p->dropped_samples).text,
           pad ? "of them padding" : "dropped");
    if (ranks == 1 && !a->rank_by_environment) {
        return;
    }
    printf("rank             %u of %u", a->opts.rank, ranks);
    if (a->rank_by_environment) {
        printf(", as %s says", a->ranks.launcher);
    }
    printf(": %s of %u, %s, as every rank; %u of %u streams\n", batches.text,
           p->local_batch_samples, sizes_of(p->samples_per_epoch, "sample").text,
           p->num_streams / ranks, p->num_streams);
}

static void print_misfit(const hr_loader_plan *p, bool shuffle) {
    printf("does not fit     give --budget %" PRIu64, p->smallest_reopen_bytes);
    if (shuffle && p->largest_window_visits > 0) {
        printf(", or a --window of at most %u", p->largest_window_visits);
    }
    putchar('\n');
}

static void print_text(const plan_job *job, const hr_dataset *ds) {
    hr_field field = {0};
    const hr_loader_plan *p = &job->plan;
    const bool shuffle = (job->loader.opts.flags & HR_LOADER_SHUFFLE) != 0;
    printf("order            %s", shuffle ? "shuffled" : "sequential");
    if (shuffle) {
        printf(", window of %u chunks", p->window_visits);
    }
    if (p->order_samples < p->dataset_samples) {
        printf("\nsubset           %s of %s samples", sizes_count(p->order_samples).text,
               sizes_count(p->dataset_samples).text);
    }
    putchar('\n');
    print_epoch(&job->loader, p);
    printf("memory           %s of a budget of %s\n", sizes_bytes(p->peak_bytes).text,
           sizes_bytes(p->budget_bytes).text);
    if (p->device_bytes > 0) {
        printf("GPU's memory     %s\n", sizes_bytes(p->device_bytes).text);
    }
    printf("smallest budget  %s\n", sizes_bytes(p->smallest_reopen_bytes).text);
    if (shuffle) {
        printf("largest window   %u chunks in this budget\n", p->largest_window_visits);
    }
    printf("reading          %.3f times the stored bytes, by %s, %u at a time\n",
           p->read_amplification, p->io_backend, p->io_depth);
    if (shuffle) {
        printf("mixing           inflation %.3f (1 is a true shuffle)\n", p->inflation);
    }
    const char *labels = labels_name(ds, p, &field);
    if (labels != NULL) {
        plain_printf("warning          '%s' looks like sorted labels%s\n", labels,
                     shuffle ? "; convert --shuffle mixes them best" : ": train with --shuffle");
    }
    if (!p->fits) {
        print_misfit(p, shuffle);
    } else if (job->probe) {
        probe_text_print(&job->expected);
    }
}

/* With the budget, by which the data set holds more or less of its index. Where that is too small
 * to open it at all, *opens is false, and the default serves to say how much is needed. */
static hr_dataset *open_as_epoch_does(const options_files *files, uint64_t budget_bytes,
                                      bool *opens, int *code) {
    hr_dataset *ds = NULL;
    *opens = budget_bytes == 0 || dataset_open(files, budget_bytes, &ds, NULL) != HR_ERR_BUDGET;
    return ds != NULL ? ds : dataset_open_or_report("plan", files, *opens ? budget_bytes : 0, code);
}

static int on_progress(void *user) {
    (void)user;
    return interrupt_seen();
}

static hr_status probe(plan_job *job, hr_dataset *ds, hr_error *err) {
    hr_probe_options o = HR_PROBE_OPTIONS_INIT;
    o.on_progress = on_progress;
    o.limit_ns = job->probe_ns;
    interrupt_watch();
    return hr_probe(ds, &job->loader.opts, &o, &job->expected, err);
}

static int run(plan_job *job, const options_files *files) {
    hr_loader_plan *plan = &job->plan;
    int code = loader_args_finish("plan", &job->loader);
    if (code != EXIT_DONE) {
        return code;
    }
    bool opens = true;
    hr_dataset *ds = open_as_epoch_does(files, job->loader.opts.budget_bytes, &opens, &code);
    if (ds == NULL) {
        return code;
    }
    if (!finish_args_apply("plan", &job->loader.finish, ds, &job->loader.opts)) {
        hr_dataset_close(ds);
        return EXIT_USAGE;
    }
    code = loader_args_choose("plan", ds, &job->loader);
    if (code != EXIT_DONE) {
        hr_dataset_close(ds);
        return code;
    }
    hr_error err = {.message = ""};
    hr_status st = hr_loader_plan_make(ds, &job->loader.opts, plan, &err);
    if (!opens) {
        plan->fits = 0;
        plan->largest_window_visits = 0;
    }
    if (!plan->fits) {
        plan->peak_bytes = plan->smallest_reopen_bytes;
    }
    if (st == HR_OK && job->probe && plan->fits) {
        st = probe(job, ds, &err);
    }
    if (st != HR_OK) {
        code = report_status("plan", st, &err);
    } else if (job->json) {
        code = print_json(job, ds);
    } else {
        print_text(job, ds);
        code = EXIT_DONE;
    }
    loader_args_end(&job->loader);
    hr_dataset_close(ds);
    return code;
}

static bool take_probe(const options *o, plan_job *job) {
    job->probe = true;
    if (optarg == NULL) {
        return true;
    }
    if (!options_duration(o, "probe", &job->probe_ns)) {
        return false;
    }
    if (job->probe_ns < 20000000 || job->probe_ns > INT64_C(60000000000)) {
        report_usage(o->command, "--probe: '%s' is out of range, 20ms to 1m", optarg);
        return false;
    }
    return true;
}

static bool take_option(const options *o, int value, plan_job *job) {
    if (value == OPT_JSON) {
        job->json = true;
        return true;
    }
    return value == OPT_PROBE ? take_probe(o, job) : loader_args_take(o, value, &job->loader);
}

int cmd_plan(int argc, char **argv) {
    const options o = {"plan", argc, argv, table, ":h"};
    plan_job job = {.plan = {.struct_bytes = sizeof job.plan},
                    .expected = {.struct_bytes = sizeof job.expected}};
    loader_args_init(&job.loader);
    for (int value; (value = options_next(&o)) != OPTIONS_END;) {
        if (value == 'h') {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        if (value == OPTIONS_BAD || !take_option(&o, value, &job)) {
            return EXIT_USAGE;
        }
    }
    options_files files;
    return options_take_files(&o, &files) ? run(&job, &files) : EXIT_USAGE;
}
