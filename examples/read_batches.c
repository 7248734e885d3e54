/*
 * The shortest training loop: one epoch of shuffled batches of a data set of any size, in bounded
 * memory. It expects the fields X (float32) and y (int64).
 */
#include <headrace/headrace.h>

#include <inttypes.h>
#include <stdio.h>

/* n samples: rows of X one after the other, and their labels. Both may be written to. */
static void train_step(const float *x, const int64_t *y, uint32_t n) {
    printf("%" PRIu32 " samples: the first begins with %g and is a %" PRId64 "\n", n, x[0], y[0]);
}

/* train_step() takes the bytes of a batch for elements of this type. */
static hr_status check_type(const hr_dataset *ds, const char *name, hr_dtype type, hr_error *err) {
    uint32_t index = 0;
    hr_field field = {0};
    hr_status st = hr_dataset_find_field(ds, name, &index, err);
    if (st == HR_OK)
        st = hr_dataset_field(ds, index, &field, err);
    if (st != HR_OK || field.dtype == type)
        return st;
    snprintf(err->message, sizeof err->message, "field %s is %s, and this program takes %s", name,
             hr_dtype_name(field.dtype), hr_dtype_name(type));
    return HR_ERR_UNSUPPORTED;
}

int main(int argc, char **argv) {
    hr_dataset *data = NULL;
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_error err = {0};

    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.flags = HR_LOADER_SHUFFLE;
    opts.batch_samples = 128;
    opts.seed = 1;
    opts.budget_bytes = 256u << 20;
    opts.fields = (const char *const[]){"X", "y"}; /* refused at open where one is missing */
    opts.num_fields = 2;

    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK)
        st = check_type(data, "X", HR_FLOAT32, &err);
    if (st == HR_OK)
        st = check_type(data, "y", HR_INT64, &err);
    if (st == HR_OK)
        st = hr_loader_open(data, &opts, &loader, &err);
    while (st == HR_OK && (st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK) {
        train_step(hr_batch_data(batch, 0), hr_batch_data(batch, 1), hr_batch_num_samples(batch));
        hr_batch_release(batch);
    }
    if (st != HR_END_OF_EPOCH) /* once at the end of each epoch; the next call begins another */
        fprintf(stderr, "%s\n", err.message);

    hr_loader_close(loader);
    hr_dataset_close(data);
    return st == HR_END_OF_EPOCH ? 0 : 1;
}
