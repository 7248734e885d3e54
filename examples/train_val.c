/*
 * Training and validation from one file, without a copy: four fifths to learn from, shuffled anew
 * each epoch, and one fifth, with every label in proportion, in the order of the file.
 */
#include <headrace/headrace.h>

#include <stdio.h>

/* One epoch: the samples that came, and the sum of their labels. */
static hr_status epoch(hr_loader *loader, uint64_t *samples, double *sum, hr_error *err) {
    hr_batch *batch = NULL;
    hr_status st;
    while ((st = hr_loader_next(loader, -1, &batch, err)) == HR_OK) {
        const int64_t *labels = hr_batch_data_by_name(batch, "label");
        const uint32_t n = hr_batch_num_samples(batch);
        for (uint32_t i = 0; i < n && labels != NULL; i++) /* a training would learn here */
            *sum += (double)labels[i];
        *samples += n;
        hr_batch_release(batch);
    }
    return st == HR_END_OF_EPOCH ? HR_OK : st;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"training", "validation"};
    hr_dataset *data = NULL;
    hr_subset *parts[2] = {NULL, NULL};
    hr_loader *loaders[2] = {NULL, NULL};
    hr_error err = {0};

    hr_split_options split = HR_SPLIT_OPTIONS_INIT;
    split.fractions = (const double[]){0.8, 0.2};
    split.num_fractions = 2;
    split.stratify_field = "label";
    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK)
        st = hr_split(data, &split, parts, &err);
    for (int i = 0; i < 2 && st == HR_OK; i++) {
        hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
        opts.flags = i == 0 ? HR_LOADER_SHUFFLE : 0;
        opts.batch_samples = 128;
        opts.subset = parts[i];
        st = hr_loader_open(data, &opts, &loaders[i], &err);
    }
    for (int i = 0; i < 4 && st == HR_OK; i++) {
        uint64_t samples = 0;
        double sum = 0;
        st = epoch(loaders[i % 2], &samples, &sum, &err);
        if (st == HR_OK)
            printf("epoch %d, %s: %llu samples, mean label %.3f\n", i / 2, names[i % 2],
                   (unsigned long long)samples, sum / (double)samples);
    }
    for (int i = 0; i < 2; i++)
        hr_loader_close(loaders[i]), hr_subset_free(parts[i]);
    hr_dataset_close(data);
    if (st != HR_OK)
        fprintf(stderr, "%s\n", err.message);
    return st == HR_OK ? 0 : 1;
}
