/*
 * Batches on a GPU: a stream uses each of them, and gives it back behind that use. The host waits
 * for nothing but the end.
 */
#include <cuda_runtime_api.h>
#include <headrace/headrace.h>
#include <stdio.h>

enum { SHOWN = 10 };

static hr_status check(cudaError_t e, const char *what, hr_error *err) {
    if (e != cudaSuccess)
        snprintf(err->message, sizeof err->message, "%s: %s", what, cudaGetErrorString(e));
    return e == cudaSuccess ? HR_OK : HR_ERR_DEVICE;
}

/* The first label of each batch is kept, on the GPU: `labels` is nothing for the host to read. */
static hr_status use(hr_batch *batch, int64_t *kept, cudaStream_t stream, hr_error *err) {
    const int64_t *labels = hr_batch_data_by_name(batch, "label");
    const uint64_t number = hr_batch_number(batch);
    hr_status st = hr_batch_wait_on(batch, stream, err);
    if (st == HR_OK && labels != NULL && number < SHOWN)
        st = check(cudaMemcpyAsync(kept + number, labels, sizeof *labels, cudaMemcpyDeviceToDevice,
                                   stream),
                   "a copy on the GPU", err);
    return st == HR_OK ? hr_batch_release_on(batch, stream, err) : st;
}

int main(int argc, char **argv) {
    hr_dataset *data = NULL;
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_error err = {0};
    cudaStream_t stream = NULL;
    void *kept = NULL;
    int64_t shown[SHOWN] = {0};
    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.batch_samples = 501;
    opts.num_epochs = 1;
    opts.device = HR_DEVICE_CUDA(0);
    hr_status st = hr_dataset_open(argc > 1 ? argv[1] : "train.hrd", NULL, &data, &err);
    if (st == HR_OK && (st = hr_loader_open(data, &opts, &loader, &err)) == HR_OK &&
        (st = check(cudaStreamCreate(&stream), "a stream", &err)) == HR_OK &&
        (st = check(cudaMalloc(&kept, sizeof shown), "memory of the GPU", &err)) == HR_OK)
        st = check(cudaMemsetAsync(kept, 0, sizeof shown, stream), "zeros", &err);
    while (st == HR_OK && (st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK)
        st = use(batch, kept, stream, &err);
    hr_loader_close(loader); /* waits for what is on the GPU */
    if (st == HR_END_OF_EPOCH)
        st = check(cudaMemcpy(shown, kept, sizeof shown, cudaMemcpyDeviceToHost), "reading", &err);
    for (unsigned i = 0; st == HR_OK && i < SHOWN; i++)
        printf("batch %u on the GPU begins with label %lld\n", i, (long long)shown[i]);
    if (st != HR_OK)
        fprintf(stderr, "%s\n", err.message);
    cudaFree(kept);
    if (stream != NULL)
        cudaStreamDestroy(stream);
    hr_dataset_close(data);
    return st == HR_OK ? 0 : 1;
}
