/*
 * Every sample once, in the order of the files, which are read as one: the mean of all labels.
 */
#include <headrace/headrace.h>

#include <stdio.h>

static double sum_labels(const hr_batch *batch) {
    const int64_t *labels = hr_batch_data_by_name(batch, "label");
    double sum = 0;
    for (uint32_t i = 0; i < hr_batch_num_samples(batch); i++)
        sum += (double)labels[i];
    return sum;
}

int main(int argc, char **argv) {
    const char *wanted[] = {"label"}; /* other fields are not even decoded */
    const char *usual[] = {"train.hrd"};
    const char *const *files = argc > 1 ? (const char *const *)argv + 1 : usual;
    hr_dataset *data = NULL;
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_error err = {0};
    hr_field label;
    double sum = 0;
    uint64_t samples = 0;
    uint32_t index = 0;
    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.batch_samples = 256;
    opts.num_epochs = 1;
    opts.fields = wanted;
    opts.num_fields = 1;
    size_t num_files = argc > 1 ? (size_t)argc - 1 : 1;
    hr_status st = hr_dataset_open_many(files, num_files, NULL, &data, &err);
    if (st == HR_OK)
        st = hr_dataset_find_field(data, "label", &index, &err);
    if (st == HR_OK)
        st = hr_dataset_field(data, index, &label, &err);
    if (st == HR_OK && (label.dtype != HR_INT64 || label.rank != 0)) {
        fprintf(stderr, "'label' is not one int64 per sample\n");
        hr_dataset_close(data);
        return 1;
    }
    if (st == HR_OK)
        st = hr_loader_open(data, &opts, &loader, &err);
    while (st == HR_OK && (st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK) {
        sum += sum_labels(batch);
        samples += hr_batch_num_samples(batch);
        hr_batch_release(batch);
    }
    hr_loader_close(loader);
    hr_dataset_close(data);
    if (st == HR_END_OF_EPOCH)
        printf("%llu samples, mean label %.3f\n", (unsigned long long)samples,
               samples > 0 ? sum / (double)samples : 0.0);
    else
        fprintf(stderr, "%s\n", err.message);
    return st == HR_END_OF_EPOCH ? 0 : 1;
}
