/*
 * A shuffled run that stops after ten batches, and one that goes on with the very next batch.
 */
#include <headrace/headrace.h>

#include <stdio.h>

typedef struct saved {
    unsigned char bytes[HR_LOADER_STATE_BYTES]; /* a checkpoint would keep these in a file */
    size_t used;
} saved;

/* Up to max_batches of an epoch, after those that the state tells of. HR_OK: stopped early. */
static hr_status train(hr_dataset *data, saved *state, int max_batches, hr_error *err) {
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.flags = HR_LOADER_SHUFFLE;
    opts.seed = 42;
    opts.batch_samples = 128;
    opts.resume_state = state->used > 0 ? state->bytes : NULL;
    opts.resume_state_bytes = state->used;

    hr_status st = hr_loader_open(data, &opts, &loader, err);
    for (int i = 0; st == HR_OK && i < max_batches; i++) {
        st = hr_loader_next(loader, -1, &batch, err);
        if (st == HR_OK) {
            printf("epoch %llu, batch %llu\n", (unsigned long long)hr_batch_epoch(batch),
                   (unsigned long long)hr_batch_number(batch));
            hr_batch_release(batch);
        }
    }
    if (st == HR_OK)
        st = hr_loader_state(loader, state->bytes, sizeof state->bytes, &state->used, err);
    hr_loader_close(loader);
    return st;
}

int main(int argc, char **argv) {
    hr_dataset *data = NULL;
    hr_error err = {0};
    saved state = {{0}, 0};

    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK)
        st = train(data, &state, 10, &err);
    if (st == HR_OK) {
        puts("stopped; going on");
        st = train(data, &state, 1000000, &err);
    }
    hr_dataset_close(data);

    if (st != HR_OK && st != HR_END_OF_EPOCH)
        fprintf(stderr, "%s\n", err.message);
    return st == HR_END_OF_EPOCH ? 0 : 1;
}
