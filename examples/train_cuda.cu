/*
 * train_mlp on a GPU: the same samples in the same order, uploaded while the GPU computes. Bytes
 * become numbers on the GPU, too. The host puts steps on a stream, and waits where an epoch ends.
 */
extern "C" {
#include "mlp_cuda.h"
#include "train_data.h"
#include "train_options.h"
#include "trainer.h"
}

#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>

namespace {

int open_on_gpu(hr_dataset *ds, const train_options &opts, const hr_field &x, const hr_field &y,
                hr_loader **out) {
    const char *const names[] = {x.name, y.name};
    hr_loader_options lo = loader_options(&opts, names);
    hr_finish as_floats = HR_FINISH_INIT;
    hr_error err;
    as_floats.field = x.name;
    as_floats.dtype = HR_FLOAT32;
    lo.finish = &as_floats;
    lo.num_finish = x.dtype == HR_FLOAT32 ? 0 : 1;
    lo.device = HR_DEVICE_CUDA(0);
    return hr_loader_open(ds, &lo, out, &err) == HR_OK ? 0 : complain(&err);
}

/* Nothing here waits for the GPU. */
int batch_use(trainer *t, mlp_cuda *net, hr_batch *batch, cudaStream_t stream) {
    const uint32_t n = hr_batch_num_samples(batch);
    hr_error err;
    if (hr_batch_wait_on(batch, stream, &err) != HR_OK)
        return complain(&err);
    if (mlp_cuda_train(net, static_cast<const float *>(hr_batch_data(batch, 0)), t->y_dtype,
                       hr_batch_data(batch, 1), n, trainer_rate(t), stream) != 0)
        return -1;
    if (hr_batch_release_on(batch, stream, &err) != HR_OK)
        return complain(&err);
    t->epoch.samples += n;
    t->epoch.bytes += n * t->sample_bytes;
    return 0;
}

/* The weights come back to the host, where held-out samples are tried. */
int epoch_collect(trainer *t, mlp_cuda *net, cudaStream_t stream) {
    mlp_cuda_result met;
    if (mlp_cuda_collect(net, stream, t->mlp, &met) != 0)
        return -1;
    t->epoch.loss = met.loss;
    t->correct = met.correct;
    if (met.no_class == 0)
        return 0;
    fprintf(stderr, "%llu labels are none of 0 .. %u\n", met.no_class, t->classes - 1);
    return -1;
}

/* All batches until the last epoch ends. */
int train_on(trainer *t, mlp_cuda *net, hr_loader *loader, cudaStream_t stream) {
    double begin = seconds_now(), waited = 0.0;
    while (t->total.epoch < t->opts->epochs) {
        hr_batch *batch = NULL;
        hr_error err;
        const hr_status st = hr_loader_next(loader, -1, &batch, &err);
        if (st != HR_OK && st != HR_END_OF_EPOCH)
            return complain(&err);
        if (st == HR_OK) {
            if (batch_use(t, net, batch, stream) != 0)
                return -1;
            continue;
        }
        const double all = 1e-9 * static_cast<double>(loader_info(loader).wait_batch_ns);
        if (epoch_collect(t, net, stream) != 0 ||
            trainer_epoch_end(t, seconds_now() - begin, all - waited) != 0)
            return -1;
        waited = all;
        begin = seconds_now();
    }
    return 0;
}

int train(trainer *t, hr_dataset *ds, const hr_field &x, const hr_field &y) {
    hr_loader *loader = NULL;
    cudaStream_t stream = NULL;
    mlp_cuda *net = NULL;
    int st = open_on_gpu(ds, *t->opts, x, y, &loader);
    if (st == 0 && cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess)
        st = -1;
    if (st == 0) {
        setting_print(ds, loader);
        net = mlp_cuda_new(t->mlp, t->inputs, t->classes, t->input_scale, t->opts->batch_samples);
        st = net != NULL ? train_on(t, net, loader, stream) : -1;
    }
    if (st == 0 && t->opts->report_path != NULL) {
        const hr_loader_info info = loader_info(loader);
        st = report_write(t->opts->report_path, &t->total, info.budget_bytes, info.reserved_bytes);
    }
    hr_loader_close(loader); /* waits for the steps, too */
    mlp_cuda_free(net);
    if (stream != NULL)
        (void)cudaStreamDestroy(stream);
    return st;
}

int train_streamed(const train_options &opts) {
    hr_dataset *ds = NULL;
    trainer t = {};
    sample_kind kind;
    hr_field x = {}, y = {};
    hr_error err;
    if (hr_dataset_open(opts.train_path, NULL, &ds, &err) != HR_OK)
        return complain(&err);
    int st = fields_choose(ds, &x, &y);
    if (st == 0)
        st = kind_find(ds, &x, &y, &kind);
    if (st == 0)
        st = trainer_init(&t, &opts, &kind);
    if (st == 0)
        st = train(&t, ds, x, y);
    trainer_free(&t);
    hr_dataset_close(ds);
    return st;
}

} // namespace

int main(int argc, char **argv) {
    train_options opts;
    const int refused = train_options_parse(argc, argv, &opts);
    if (refused != 0)
        return refused - 1;
    if (opts.whole_x != NULL) {
        fprintf(stderr, "--load-whole is for train_mlp\n");
        return 2;
    }
    return train_streamed(opts) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
