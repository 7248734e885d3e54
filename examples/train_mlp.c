/*
 * Trains a small perceptron on a data set that may be far larger than memory: open it, open a
 * loader, take batches until the epoch ends. Needs nothing but the public API of Headrace.
 */
#include "train_options.h"
#include "train_whole.h"
#include "trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int complain(const hr_error *err) {
    fprintf(stderr, "train_mlp: %s\n", err->message);
    return -1;
}

/* What the statistics in the file tell about the samples, before any of them is read. */
static int kind_find(const hr_dataset *ds, const hr_field *x, const hr_field *y,
                     struct sample_kind *out) {
    uint32_t xi = 0, yi = 0;
    hr_statistics xs = {.struct_bytes = sizeof xs}, ys = {.struct_bytes = sizeof ys};
    hr_error err;
    if (hr_dataset_find_field(ds, x->name, &xi, &err) != HR_OK ||
        hr_dataset_find_field(ds, y->name, &yi, &err) != HR_OK ||
        hr_dataset_statistics(ds, xi, &xs, &err) != HR_OK ||
        hr_dataset_statistics(ds, yi, &ys, &err) != HR_OK)
        return complain(&err);
    if (xs.num_nan + xs.num_inf > 0) {
        fprintf(stderr, "%s: %s holds NaN or Inf, the first NaN in sample %" PRIu64 "\n",
                hr_dataset_path(ds), x->name, xs.first_nan_sample);
        return -1;
    }
    *out = (struct sample_kind){.x_dtype = x->dtype, .y_dtype = y->dtype};
    out->inputs = hr_dataset_sample_bytes(ds, xi) / hr_dtype_bytes(x->dtype);
    out->classes = ys.max < 0.0 || ys.max > 1e9 ? 0 : (uint64_t)ys.max + 1;
    out->largest = fmax(fabs(xs.min), fabs(xs.max));
    return 0;
}

static int loader_open(hr_dataset *ds, const struct train_options *opts, const char *const names[2],
                       hr_loader **out) {
    hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
    hr_error err;
    lo.flags = HR_LOADER_SHUFFLE;
    lo.batch_samples = opts->batch_samples;
    lo.window_visits = opts->window_visits;
    lo.seed = opts->seed;
    lo.num_epochs = opts->epochs;
    lo.max_held_batches = 1;
    lo.budget_bytes = opts->budget_bytes;
    lo.num_threads = opts->num_threads;
    lo.fields = names;
    lo.num_fields = 2;
    return hr_loader_open(ds, &lo, out, &err) == HR_OK ? 0 : complain(&err);
}

static hr_loader_info loader_info(hr_loader *loader) {
    hr_loader_info info = {.struct_bytes = sizeof info};
    hr_error err;
    if (hr_loader_describe(loader, &info, &err) != HR_OK)
        complain(&err);
    return info;
}

static void setting_print(const hr_dataset *ds, hr_loader *loader) {
    char decoded[32], reserved[32], budget[32], stored[32];
    hr_dataset_info data = {.struct_bytes = sizeof data};
    const hr_loader_info info = loader_info(loader);
    hr_error err;
    if (hr_dataset_describe(ds, &data, &err) != HR_OK)
        complain(&err);
    printf("data    %s: %" PRIu64 " samples, %s decoded, %s in the file\n", hr_dataset_path(ds),
           data.num_samples, size_text(data.decoded_bytes, decoded),
           size_text(data.file_bytes, stored));
    printf("loader  %s reserved of a budget of %s; window %" PRIu32 ", %" PRIu32
           " threads, %s; inflation %.2f\n",
           size_text(info.reserved_bytes, reserved), size_text(info.budget_bytes, budget),
           info.window_visits, info.num_threads, info.io_backend, info.inflation);
    fflush(stdout);
}

/* All batches until the last epoch ends. */
static int train_on(struct trainer *t, hr_loader *loader) {
    double begin = seconds_now(), waited = 0.0;
    while (t->total.epoch < t->opts->epochs) {
        hr_batch *batch = NULL;
        hr_error err;
        const hr_status st = hr_loader_next(loader, -1, &batch, &err);
        if (st == HR_END_OF_EPOCH) {
            const double all = 1e-9 * (double)loader_info(loader).wait_batch_ns;
            if (trainer_epoch_end(t, seconds_now() - begin, all - waited) != 0)
                return -1;
            waited = all;
            begin = seconds_now();
            continue;
        }
        if (st != HR_OK)
            return complain(&err);
        const int stepped = trainer_step(t, hr_batch_data(batch, 0), hr_batch_data(batch, 1),
                                         hr_batch_num_samples(batch));
        hr_batch_release(batch);
        if (stepped != 0)
            return -1;
    }
    return 0;
}

static int train_streamed(const struct train_options *opts) {
    hr_dataset *ds = NULL;
    hr_loader *loader = NULL;
    struct trainer t = {0};
    struct sample_kind kind;
    hr_field x = {0}, y = {0};
    hr_error err;
    if (hr_dataset_open(opts->train_path, NULL, &ds, &err) != HR_OK)
        return complain(&err);
    int st = fields_choose(ds, &x, &y);
    if (st == 0)
        st = kind_find(ds, &x, &y, &kind);
    if (st == 0)
        st = trainer_init(&t, opts, &kind);
    if (st == 0)
        st = loader_open(ds, opts, (const char *const[2]){x.name, y.name}, &loader);
    if (st == 0) {
        setting_print(ds, loader);
        st = train_on(&t, loader);
    }
    if (st == 0) {
        const hr_loader_info info = loader_info(loader);
        char text[32];
        printf("peak memory  %s\n", size_text(peak_memory_bytes(), text));
        if (opts->report_path != NULL)
            st = report_write(opts->report_path, &t.total, info.budget_bytes, info.reserved_bytes);
    }
    hr_loader_close(loader);
    trainer_free(&t);
    hr_dataset_close(ds);
    return st;
}

int main(int argc, char **argv) {
    struct train_options opts;
    const int refused = train_options_parse(argc, argv, &opts);
    if (refused != 0)
        return refused - 1;
    const int st = opts.whole_x != NULL ? train_whole(&opts) : train_streamed(&opts);
    return st == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
