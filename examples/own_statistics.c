/*
 * Own statistics by one pass over the float32 field "image": mean, standard deviation and histogram
 * of each column, without what is NaN or infinite, in memory that does not grow with the data.
 */
#include <headrace/headrace.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct column {
    double mean, squares; /* of distances from the mean, summed up as they come (Welford) */
    unsigned long values, left_out, bins[4]; /* bins of 64 from 0 on; the ends take the rest */
};

static void add(struct column *c, float value) {
    const double step = (double)value - c->mean;
    c->mean += step / (double)++c->values;
    c->squares += step * ((double)value - c->mean);
    c->bins[value < 64 ? 0 : value >= 192 ? 3 : (int)value / 64]++;
}

int main(int argc, char **argv) {
    hr_dataset *data = NULL;
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_error err = {.message = "'image' is not float32, or there is too little memory"};
    hr_field field = {0};
    uint32_t index = 0;
    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.batch_samples = 1024;
    opts.num_epochs = 1;
    opts.fields = (const char *const[]){"image"};
    opts.num_fields = 1;

    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK && (st = hr_dataset_find_field(data, "image", &index, &err)) == HR_OK)
        st = hr_dataset_field(data, index, &field, &err);
    const size_t width = st == HR_OK ? (size_t)hr_dataset_sample_bytes(data, index) / 4 : 0;
    struct column *columns = calloc(width + 1, sizeof *columns);
    if (st == HR_OK && columns != NULL && field.dtype == HR_FLOAT32)
        st = hr_loader_open(data, &opts, &loader, &err);
    while (loader != NULL && (st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK) {
        const float *rows = hr_batch_data(batch, 0);
        for (size_t i = 0; i < hr_batch_num_samples(batch) * width; i++)
            if (isfinite(rows[i]))
                add(&columns[i % width], rows[i]);
            else
                columns[i % width].left_out++;
        hr_batch_release(batch);
    }
    hr_loader_close(loader);
    hr_dataset_close(data);
    for (struct column *c = columns; st == HR_END_OF_EPOCH && c < columns + width; c++)
        printf("mean %.4f, std %.4f, histogram %lu %lu %lu %lu, left out %lu\n", c->mean,
               c->values > 0 ? sqrt(c->squares / (double)c->values) : 0, c->bins[0], c->bins[1],
               c->bins[2], c->bins[3], c->left_out);
    free(columns);
    return st == HR_END_OF_EPOCH ? 0 : (fprintf(stderr, "%s\n", err.message), 1);
}
