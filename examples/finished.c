/*
 * Batches as a network wants them: images as float16 with mean 0 and standard deviation 1, and none
 * of them with a NaN.
 */
#include <headrace/headrace.h>

#include <stdio.h>

int main(int argc, char **argv) {
    hr_dataset *data = NULL;
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_field image = {0};
    hr_bad_values bad = {.struct_bytes = sizeof bad};
    hr_error err = {0};

    hr_finish finish = HR_FINISH_INIT;
    finish.field = "image"; /* color images: HR_FINISH_CHW puts the channels first, besides */
    finish.dtype = HR_FLOAT16;
    finish.flags = HR_FINISH_STANDARDIZE | HR_FINISH_CHECK_FINITE;

    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.batch_samples = 256;
    opts.flags = HR_LOADER_SHUFFLE;
    opts.num_epochs = 1;
    opts.finish = &finish;
    opts.num_finish = 1;

    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK)
        st = hr_loader_open(data, &opts, &loader, &err);
    while (st == HR_OK && (st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK) {
        st = hr_batch_field(batch, 0, &image, &err); /* as it is delivered */
        if (hr_batch_number(batch) == 0)
            printf("%u images of %s\n", hr_batch_num_samples(batch), hr_dtype_name(image.dtype));
        hr_batch_release(batch);
    }
    if (st == HR_END_OF_EPOCH && hr_loader_bad_values(loader, 0, &bad, &err) == HR_OK)
        printf("%llu NaN, %llu infinite\n", (unsigned long long)bad.num_nan,
               (unsigned long long)bad.num_inf);
    else
        fprintf(stderr, "%s\n", err.message);
    hr_loader_close(loader);
    hr_dataset_close(data);
    return st == HR_END_OF_EPOCH ? 0 : 1;
}
