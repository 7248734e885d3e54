/*
 * Which samples of a data set are meant.
 */
#include "subset_args.h"

#include "args.h"
#include "exit_codes.h"
#include "json_out.h"
#include "report.h"

void subset_args_init(subset_args *a) {
    *a = (subset_args){.end = UINT64_MAX, .split = HR_SPLIT_OPTIONS_INIT};
}

bool subset_args_fractions(const options *o, const char *name, double *fractions, uint32_t *count) {
    args_error err;
    if (args_fractions(optarg, fractions, SUBSET_MAX_PARTS, count, &err)) {
        return true;
    }
    report_usage(o->command, "--%s: %s", name, err.message);
    return false;
}

static bool take_range(const options *o, subset_args *a) {
    args_error err;
    a->by_range = args_range(optarg, &a->first, &a->end, &err);
    if (!a->by_range) {
        report_usage(o->command, "--range: %s", err.message);
    }
    return a->by_range;
}

bool subset_args_take(const options *o, int value, subset_args *a) {
    switch (value) {
    case SUBSET_RANGE:
        return take_range(o, a);
    case SUBSET_EVERY:
        return options_uint(o, "every", 1, UINT64_MAX, &a->step);
    case SUBSET_OFFSET:
        a->has_offset = true;
        return options_uint(o, "offset", 0, UINT64_MAX, &a->offset);
    case SUBSET_LIST:
        a->list_path = optarg;
        return true;
    case SUBSET_SPLIT:
        return subset_args_fractions(o, "split", a->fractions, &a->split.num_fractions);
    case SUBSET_PART:
        a->by_part = true;
        return options_uint32(o, "part", 0, SUBSET_MAX_PARTS - 1, &a->part);
    case SUBSET_SPLIT_SEED:
        a->split_details = true;
        return options_uint(o, "split-seed", 0, UINT64_MAX, &a->split.seed);
    default:
        a->split_details = true;
        a->split.stratify_field = optarg;
        return true;
    }
}

int subset_args_check(const char *command, const subset_args *a) {
    const bool split = a->split.num_fractions > 0;
    if ((a->by_range || a->step > 0) + (a->list_path != NULL) + split > 1) {
        report_usage(command, "--range or --every, --subset, and --split are different ways to "
                              "choose samples; use one of them");
    } else if (a->has_offset && a->step == 0) {
        report_usage(command, "--offset says where --every begins; give --every too");
    } else if (split != a->by_part) {
        report_usage(command, "--split and --part go together: --split 0.8,0.2 --part 0");
    } else if (a->split_details && !split) {
        report_usage(command, "--split-seed and --stratify are about --split; give it too");
    } else if (split && a->part >= a->split.num_fractions) {
        report_usage(command, "--part %u: the split has parts 0 to %u", a->part,
                     a->split.num_fractions - 1);
    } else {
        return EXIT_DONE;
    }
    return EXIT_USAGE;
}

/* --every counts from the beginning of --range. */
static hr_status make_range(const hr_dataset *ds, subset_args *a, hr_error *err) {
    const uint64_t first = a->offset <= UINT64_MAX - a->first ? a->first + a->offset : UINT64_MAX;
    return hr_subset_from_range(ds, first, a->end, a->step > 0 ? a->step : 1, &a->made, err);
}

static hr_status make_part(hr_dataset *ds, uint64_t budget_bytes, subset_args *a, hr_error *err) {
    hr_subset *parts[SUBSET_MAX_PARTS];
    a->split.fractions = a->fractions;
    a->split.budget_bytes = budget_bytes;
    const hr_status st = hr_split(ds, &a->split, parts, err);
    for (uint32_t i = 0; st == HR_OK && i < a->split.num_fractions; i++) {
        if (i == a->part) {
            a->made = parts[i];
        } else {
            hr_subset_free(parts[i]);
        }
    }
    return st;
}

int subset_args_make(const char *command, hr_dataset *ds, uint64_t budget_bytes, subset_args *a) {
    hr_error err = {.message = ""};
    hr_status st = HR_OK;
    a->dataset_samples = hr_dataset_num_samples(ds);
    if (a->list_path != NULL) {
        st = hr_subset_from_npy(ds, a->list_path, &a->made, &err);
    } else if (a->split.num_fractions > 0) {
        st = make_part(ds, budget_bytes, a, &err);
    } else if (a->by_range || a->step > 0) {
        st = make_range(ds, a, &err);
    }
    return st == HR_OK ? EXIT_DONE : report_status(command, st, &err);
}

void subset_args_end(subset_args *a) {
    hr_subset_free(a->made);
    a->made = NULL;
}

json_t *subset_args_json(const subset_args *a) {
    if (a->made == NULL) {
        return json_null();
    }
    return json_pack("{s:o, s:o}", "samples", json_out_uint(hr_subset_num_samples(a->made)), "of",
                     json_out_uint(a->dataset_samples));
}
