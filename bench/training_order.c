/*
 * training_order TRAIN.hrd HELD-OUT.hrd [--seeds N] [--epochs N] [--decay epoch|step]
 *
 * Trains a logistic regression and the MLP of the examples on samples sorted by class, in
 * interleaved/1 and in the orders that it is compared with, and prints the accuracy on held-out
 * samples after each epoch of each seed as JSON. Both files have the fields X (float32) and y
 * (int64).
 */
#include "training_run.h"

#include <headrace/headrace.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_SAMPLES   256u
#define MEMORY_CHUNKS   256u /* the default window for chunks of 256 KiB and this batch */
#define MAX_EPOCHS      100u
#define REGRESSION_RATE 0.5f
#define MLP_RATE        0.05f

struct run {
    const char *name;
    struct visit_order order;
};

/* On the file sorted by class. Windows are two, of half the memory each. */
static const struct run sorted_runs[] = {
    {"permutation", {VISIT_PERMUTATION, 0}},
    {"interleaved", {VISIT_INTERLEAVED, MEMORY_CHUNKS}},
    {"interleaved", {VISIT_INTERLEAVED, MEMORY_CHUNKS / 16}},
    {"buffer", {VISIT_BUFFER, MEMORY_CHUNKS}},
    {"buffer", {VISIT_BUFFER, MEMORY_CHUNKS / 16}},
    {"windows", {VISIT_WINDOWS, MEMORY_CHUNKS / 2}},
    {"windows", {VISIT_WINDOWS, MEMORY_CHUNKS / 32}},
    {"file_buffer", {VISIT_FILE_BUFFER, MEMORY_CHUNKS}},
    {"file_buffer", {VISIT_FILE_BUFFER, MEMORY_CHUNKS / 16}},
    {"sequential", {VISIT_SEQUENTIAL, 0}},
};
#define NUM_SORTED_RUNS (sizeof sorted_runs / sizeof *sorted_runs)

/* On the same file, its samples shuffled once. */
static const struct run shuffled_runs[] = {
    {"interleaved_shuffled", {VISIT_INTERLEAVED, MEMORY_CHUNKS}},
    {"interleaved_shuffled", {VISIT_INTERLEAVED, MEMORY_CHUNKS / 16}},
};
#define NUM_SHUFFLED_RUNS (sizeof shuffled_runs / sizeof *shuffled_runs)

/* Fields X and y of a file, whole. The message names the file. */
static hr_status set_read(const char *path, struct training_set *out, uint32_t *samples_per_chunk,
                          hr_error *err) {
    hr_dataset *ds = NULL;
    hr_dataset_info info = {.struct_bytes = sizeof info};
    hr_field field;
    uint32_t x = 0, y = 0;
    hr_status st = hr_dataset_open(path, NULL, &ds, err);
    if (st != HR_OK || (st = hr_dataset_find_field(ds, "X", &x, err)) != HR_OK ||
        (st = hr_dataset_find_field(ds, "y", &y, err)) != HR_OK ||
        (st = hr_dataset_describe(ds, &info, err)) != HR_OK ||
        (st = hr_dataset_field(ds, x, &field, err)) != HR_OK)
        goto done;
    const uint64_t x_bytes = hr_dataset_sample_bytes(ds, x);
    const uint64_t y_bytes = hr_dataset_sample_bytes(ds, y);
    out->num_samples = (uint32_t)info.num_samples;
    out->inputs = (uint32_t)(x_bytes / sizeof(float));
    *samples_per_chunk = info.samples_per_chunk;
    out->x = malloc(info.num_samples * x_bytes);
    out->labels = malloc(info.num_samples * y_bytes);
    if (field.dtype != HR_FLOAT32 || y_bytes != sizeof(int64_t) || info.num_samples == 0 ||
        info.num_samples > UINT32_MAX / 2 || out->x == NULL || out->labels == NULL) {
        snprintf(err->message, sizeof err->message,
                 "%s: wants X of float32 and y of int64, and memory for all of them", path);
        st = HR_ERR_INVALID;
        goto done;
    }
    st = hr_dataset_read(ds, x, 0, info.num_samples, out->x, info.num_samples * x_bytes, err);
    if (st == HR_OK)
        st = hr_dataset_read(ds, y, 0, info.num_samples, out->labels, info.num_samples * y_bytes,
                             err);
done:
    hr_dataset_close(ds);
    return st;
}

/* The number of classes of both sets; 0: a label is negative, or the samples differ in kind. */
static uint32_t classes_count(const struct training_set *a, const struct training_set *b) {
    int64_t highest = 0;
    const struct training_set *sets[2] = {a, b};
    for (int k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < sets[k]->num_samples; i++) {
            const int64_t label = sets[k]->labels[i];
            if (label < 0 || label >= 1000)
                return 0;
            highest = label > highest ? label : highest;
        }
    }
    return a->inputs == b->inputs ? (uint32_t)highest + 1 : 0;
}

static hr_status run_print(const struct training_plan *plan, const char *name, uint32_t num_seeds,
                           hr_error *err) {
    double accuracy[MAX_EPOCHS];
    hr_status st = HR_OK;
    printf("  {\"model\": \"%s\", \"order\": \"%s\", \"memory_chunks\": %u, \"accuracy\": [",
           plan->model == TRAINING_MLP ? "mlp" : "regression", name,
           plan->order.kind == VISIT_WINDOWS ? plan->order.memory_chunks * 2
                                             : plan->order.memory_chunks);
    for (uint32_t seed = 1; seed <= num_seeds && st == HR_OK; seed++) {
        st = training_run(plan, seed, accuracy, err);
        for (uint32_t e = 0; st == HR_OK && e < plan->num_epochs; e++)
            printf("%s%.6g", e > 0 ? ", " : seed > 1 ? ",\n    [" : "\n    [", accuracy[e]);
        printf("]");
    }
    printf("]}");
    fflush(stdout);
    return st;
}

/* Each of the runs with both models. */
static hr_status runs_print(struct training_plan *plan, const struct run *runs, size_t num_runs,
                            uint32_t num_seeds, hr_error *err) {
    hr_status st = HR_OK;
    for (int model = TRAINING_REGRESSION; model <= TRAINING_MLP; model++) {
        plan->model = (enum training_model)model;
        plan->rate = plan->model == TRAINING_MLP ? MLP_RATE : REGRESSION_RATE;
        for (size_t i = 0; i < num_runs && st == HR_OK; i++) {
            plan->order = runs[i].order;
            st = run_print(plan, runs[i].name, num_seeds, err);
            printf("%s\n", model == TRAINING_MLP && i + 1 == num_runs ? "" : ",");
        }
    }
    return st;
}

static void rows_swap(struct training_set *set, uint32_t i, uint32_t j) {
    float *a = set->x + (size_t)i * set->inputs, *b = set->x + (size_t)j * set->inputs;
    for (uint32_t k = 0; k < set->inputs; k++) {
        const float kept = a[k];
        a[k] = b[k];
        b[k] = kept;
    }
    const int64_t label = set->labels[i];
    set->labels[i] = set->labels[j];
    set->labels[j] = label;
}

static void set_shuffle(struct training_set *set) {
    uint64_t random = 1;
    for (uint32_t i = set->num_samples; i > 1; i--)
        rows_swap(set, i - 1, visit_random_below(&random, i));
}

/* The plan is of all runs but for model, order and rate. */
static hr_status all_run(struct training_plan *plan, struct training_set *train, uint32_t num_seeds,
                         hr_error *err) {
    printf("{\"samples\": %u, \"held_out\": %u, \"samples_per_chunk\": %u, \"batch\": %u,\n"
           "\"seeds\": %u, \"epochs\": %u, \"decay\": \"%s\",\n"
           "\"rates\": {\"regression\": %g, \"mlp\": %g},\n\"runs\": [\n",
           train->num_samples, plan->held_out->num_samples, plan->samples_per_chunk,
           plan->batch_samples, num_seeds, plan->num_epochs, plan->decay_by_step ? "step" : "epoch",
           (double)REGRESSION_RATE, (double)MLP_RATE);
    hr_status st = runs_print(plan, sorted_runs, NUM_SORTED_RUNS, num_seeds, err);
    if (st != HR_OK)
        return st;
    printf(",");
    set_shuffle(train);
    st = runs_print(plan, shuffled_runs, NUM_SHUFFLED_RUNS, num_seeds, err);
    printf("]}\n");
    return st;
}

static int usage(const char *program) {
    fprintf(stderr,
            "usage: %s TRAIN.hrd HELD-OUT.hrd [--seeds N] [--epochs N]"
            " [--decay epoch|step]\n",
            program);
    return 2;
}

int main(int argc, char **argv) {
    uint32_t num_seeds = 10, num_epochs = 4, samples_per_chunk = 0, unused;
    struct training_set train = {0}, held_out = {0};
    bool by_step = false;
    hr_error err = {.message = ""};
    if (argc < 3 || argc % 2 == 0)
        return usage(argv[0]);
    for (int i = 3; i < argc; i += 2) {
        if (strcmp(argv[i], "--decay") == 0) {
            by_step = strcmp(argv[i + 1], "step") == 0;
            if (!by_step && strcmp(argv[i + 1], "epoch") != 0)
                return usage(argv[0]);
            continue;
        }
        const unsigned long n = strtoul(argv[i + 1], NULL, 10);
        const bool seeds = strcmp(argv[i], "--seeds") == 0;
        if ((!seeds && strcmp(argv[i], "--epochs") != 0) || n == 0 || n > MAX_EPOCHS)
            return usage(argv[0]);
        *(seeds ? &num_seeds : &num_epochs) = (uint32_t)n;
    }
    hr_status st = set_read(argv[1], &train, &samples_per_chunk, &err);
    if (st == HR_OK)
        st = set_read(argv[2], &held_out, &unused, &err);
    if (st == HR_OK && (train.classes = classes_count(&train, &held_out)) < 2) {
        snprintf(err.message, sizeof err.message, "%s, %s: labels below 1,000 and equal samples",
                 argv[1], argv[2]);
        st = HR_ERR_INVALID;
    }
    if (st == HR_OK) {
        struct training_plan plan = {.train = &train,
                                     .held_out = &held_out,
                                     .samples_per_chunk = samples_per_chunk,
                                     .batch_samples = BATCH_SAMPLES,
                                     .num_epochs = num_epochs,
                                     .decay_by_step = by_step};
        st = all_run(&plan, &train, num_seeds, &err);
    }
    if (st != HR_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.message);
    free(train.x);
    free(train.labels);
    free(held_out.x);
    free(held_out.labels);
    return st == HR_OK ? 0 : 1;
}
