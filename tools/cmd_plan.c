/*
 * headrace plan: what a loader would need, by hr_loader_plan_make().
 */
#include "commands.h"
#include "dataset_text.h"
#include "exit_codes.h"
#include "json_out.h"
#include "loader_args.h"
#include "report.h"
#include "sizes.h"

#include <inttypes.h>
#include <stdio.h>

static const char help[] =
    "Usage: headrace plan FILE [OPTIONS]\n"
    "Says what a training run would need, before it starts.\n"
    "\n"
    "      --batch N        samples per batch, of all ranks (default 256)\n"
    "      --shuffle        shuffled order;  --seed N\n"
    "      --window W       chunks mixed at a time (default: docs/order.md)\n"
    "      --streams N      streams;  --rank R  --world-size N\n"
    "      --rank auto      rank and world size as the launcher says (docs/ranks.md)\n"
    "      --drop-last      leave out the last short batch\n"
    "      --pad-last       fill it up with samples of the epoch again\n"
    "      --fields A,B     only these\n" SUBSET_ARGS_HELP
    "      --budget SIZE    memory;  --threads N  decode workers\n"
    "      --io HOW         auto, direct, cached, threads, libaio;  --io-depth N\n"
    "      --json           as JSON\n"
    "  -h, --help\n"
    "\n"
    "Example:\n"
    "  headrace plan train.hrd --batch 512 --shuffle --budget 256M\n";

enum { OPT_JSON = OPTIONS_LONG };

static const struct option table[] = {
    LOADER_ARGS_TABLE,
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char *labels_name(const hr_dataset *ds, const hr_loader_plan *plan, hr_field *field) {
    const bool named =
        plan->labels_sorted && hr_dataset_field(ds, plan->labels_field, field, NULL) == HR_OK;
    return named ? field->name : NULL;
}

static int print_json(const hr_dataset *ds, const loader_args *a, const hr_loader_plan *p) {
    hr_field field = {0};
    json_t *root = json_pack(
        "{s:o, s:I, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:o, s:o, s:s?, "
        "s:s, s:I}",
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
        (json_int_t)p->io_depth);
    loader_args_add_ranks(a, root);
    json_object_set_new(root, "subset", subset_args_json(&a->subset));
    return json_out_print("plan", root, JSON_OUT_MEASURED);
}

static void print_text(const hr_dataset *ds, const loader_args *a, const hr_loader_plan *p) {
    hr_field field = {0};
    const bool shuffle = (a->opts.flags & HR_LOADER_SHUFFLE) != 0;
    printf("order            %s", shuffle ? "shuffled" : "sequential");
    if (shuffle) {
        printf(", window of %u chunks", p->window_visits);
    }
    if (a->rank_by_environment) {
        printf("\nrank             %u of %u, as %s says", a->ranks.rank, a->ranks.world_size,
               a->ranks.launcher);
    }
    if (p->order_samples < p->dataset_samples) {
        printf("\nsubset           %s of %s samples", sizes_count(p->order_samples).text,
               sizes_count(p->dataset_samples).text);
    }
    const bool pad = (a->opts.flags & HR_LOADER_PAD_LAST) != 0;
    printf("\nepoch            %s batches, %s samples, %s %s\n",
           sizes_count(p->batches_per_epoch).text, sizes_count(p->samples_per_epoch).text,
           sizes_count(pad ? p->padded_samples : p->dropped_samples).text,
           pad ? "of all ranks are padding" : "dropped");
    printf("memory           %s of a budget of %s\n", sizes_bytes(p->peak_bytes).text,
           sizes_bytes(p->budget_bytes).text);
    printf("smallest budget  %s\n", sizes_bytes(p->smallest_reopen_bytes).text);
    if (shuffle) {
        printf("largest window   %u chunks in this budget\n", p->largest_window_visits);
    }
    printf("reading          %.3f times the stored bytes of the fields, by %s, %u at a time\n",
           p->read_amplification, p->io_backend, p->io_depth);
    if (shuffle) {
        printf("mixing           inflation %.3f (1 is a true shuffle)\n", p->inflation);
    }
    const char *labels = labels_name(ds, p, &field);
    if (labels != NULL) {
        printf("warning          '%s' looks like sorted labels%s\n", labels,
               shuffle ? "" : ": train with --shuffle");
    }
    if (!p->fits) {
        printf("does not fit     give --budget %" PRIu64, p->smallest_reopen_bytes);
        if (shuffle && p->largest_window_visits > 0) {
            printf(", or a --window of at most %u", p->largest_window_visits);
        }
        putchar('\n');
    }
}

/* With the budget, by which the data set holds more or less of its index. Where that is too small
 * to open it at all, *opens is false, and the default serves to say how much is needed. */
static hr_dataset *open_as_epoch_does(const char *path, uint64_t budget_bytes, bool *opens,
                                      int *code) {
    hr_open_options opts = HR_OPEN_OPTIONS_INIT;
    hr_dataset *ds = NULL;
    opts.budget_bytes = budget_bytes;
    *opens = budget_bytes == 0 || hr_dataset_open(path, &opts, &ds, NULL) != HR_ERR_BUDGET;
    return ds != NULL ? ds : dataset_open_or_report("plan", path, *opens ? budget_bytes : 0, code);
}

static int run(const char *path, loader_args *a, bool json) {
    int code = loader_args_finish("plan", a);
    if (code != EXIT_DONE) {
        return code;
    }
    bool opens = true;
    hr_dataset *ds = open_as_epoch_does(path, a->opts.budget_bytes, &opens, &code);
    if (ds == NULL) {
        return code;
    }
    code = loader_args_choose("plan", ds, a);
    if (code != EXIT_DONE) {
        hr_dataset_close(ds);
        return code;
    }
    hr_error err = {.message = ""};
    hr_loader_plan plan = {.struct_bytes = sizeof plan};
    const hr_status st = hr_loader_plan_make(ds, &a->opts, &plan, &err);
    if (!opens) {
        plan.fits = 0;
        plan.largest_window_visits = 0;
    }
    if (!plan.fits) {
        plan.peak_bytes = plan.smallest_reopen_bytes;
    }
    if (st != HR_OK) {
        code = report_status("plan", st, &err);
    } else if (json) {
        code = print_json(ds, a, &plan);
    } else {
        print_text(ds, a, &plan);
        code = EXIT_DONE;
    }
    loader_args_end(a);
    hr_dataset_close(ds);
    return code;
}

int cmd_plan(int argc, char **argv) {
    const options o = {"plan", argc, argv, table, ":h"};
    loader_args args;
    loader_args_init(&args);
    bool json = false;
    for (int value; (value = options_next(&o)) != OPTIONS_END;) {
        if (value == 'h') {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        if (value == OPTIONS_BAD || (value != OPT_JSON && !loader_args_take(&o, value, &args))) {
            return EXIT_USAGE;
        }
        json |= value == OPT_JSON;
    }
    const char *path = options_single(&o, "FILE");
    return path == NULL ? EXIT_USAGE : run(path, &args, json);
}
