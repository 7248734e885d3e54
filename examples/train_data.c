/*
 * What is found out about a data set to train on.
 */
#include "train_data.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

int complain(const hr_error *err) {
    fprintf(stderr, "%s\n", err->message);
    return -1;
}

int kind_find(const hr_dataset *ds, const hr_field *x, const hr_field *y, struct sample_kind *out) {
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

hr_loader_options loader_options(const struct train_options *opts, const char *const names[2]) {
    hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
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
    return lo;
}

hr_loader_info loader_info(hr_loader *loader) {
    hr_loader_info info = {.struct_bytes = sizeof info};
    hr_error err;
    if (hr_loader_describe(loader, &info, &err) != HR_OK)
        complain(&err);
    return info;
}

void setting_print(const hr_dataset *ds, hr_loader *loader) {
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
