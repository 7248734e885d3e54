/*
 * The shortest training loop: shuffled batches of a data set of any size, in bounded memory.
 */
#include <headrace/headrace.h>

#include <stdio.h>

int main(int argc, char **argv) {
    hr_dataset *data = NULL;
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_error err = {0};

    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.flags = HR_LOADER_SHUFFLE;
    opts.batch_samples = 128;
    opts.num_epochs = 1;
    opts.budget_bytes = 256u << 20;

    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK)
        st = hr_loader_open(data, &opts, &loader, &err);
    while (st == HR_OK && (st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK) {
        const void *first_field = hr_batch_data(batch, 0); /* (num_samples, ...), in C order */
        printf("%u samples at %p\n", hr_batch_num_samples(batch), first_field);
        hr_batch_release(batch);
    }
    hr_loader_close(loader);
    hr_dataset_close(data);

    if (st != HR_END_OF_EPOCH)
        fprintf(stderr, "%s\n", err.message);
    return st == HR_END_OF_EPOCH ? 0 : 1;
}
