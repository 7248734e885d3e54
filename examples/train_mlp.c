/*
 * Trains a small perceptron on a data set that may be far larger than memory: open it, open a
 * loader, take batches until the epoch ends. Needs nothing but the public API of Headrace.
 */
#include "train_data.h"
#include "train_options.h"
#include "train_whole.h"
#include "trainer.h"

#include <stdio.h>
#include <stdlib.h>

static int loader_open(hr_dataset *ds, const struct train_options *opts, const char *const names[2],
                       hr_loader **out) {
    const hr_loader_options lo = loader_options(opts, names);
    hr_error err;
    return hr_loader_open(ds, &lo, out, &err) == HR_OK ? 0 : complain(&err);
}

/* All batches until the last epoch ends. */
static int train_on(struct trainer *t, hr_loader *loader) {
    double begin = seconds_now(), waited = 0.0;
    while (t->total.epoch < t->opts->epochs) {
        hr_batch *batch = NULL;
        hr_error err;
        const hr_status st = hr_loader_next(loader, -1, &batch, &err);
        if (st == HR_END_OF_EPOCH) {
            const double all = 1e-9 * (double)loader_info(loader).wait_batch_ns;
            if (trainer_epoch_end(t, seconds_now() - begin, all - waited) != 0)
                return -1;
            waited = all;
            begin = seconds_now();
            continue;
        }
        if (st != HR_OK)
            return complain(&err);
        const int stepped = trainer_step(t, hr_batch_data(batch, 0), hr_batch_data(batch, 1),
                                         hr_batch_num_samples(batch));
        hr_batch_release(batch);
        if (stepped != 0)
            return -1;
    }
    return 0;
}

static int train_streamed(const struct train_options *opts) {
    hr_dataset *ds = NULL;
    hr_loader *loader = NULL;
    struct trainer t = {0};
    struct sample_kind kind;
    hr_field x = {0}, y = {0};
    hr_error err;
    if (hr_dataset_open(opts->train_path, NULL, &ds, &err) != HR_OK)
        return complain(&err);
    int st = fields_choose(ds, &x, &y);
    if (st == 0)
        st = kind_find(ds, &x, &y, &kind);
    if (st == 0)
        st = trainer_init(&t, opts, &kind);
    if (st == 0)
        st = loader_open(ds, opts, (const char *const[2]){x.name, y.name}, &loader);
    if (st == 0) {
        setting_print(ds, loader);
        st = train_on(&t, loader);
    }
    if (st == 0) {
        const hr_loader_info info = loader_info(loader);
        char text[32];
        printf("peak memory  %s\n", size_text(peak_memory_bytes(), text));
        if (opts->report_path != NULL)
            st = report_write(opts->report_path, &t.total, info.budget_bytes, info.reserved_bytes);
    }
    hr_loader_close(loader);
    trainer_free(&t);
    hr_dataset_close(ds);
    return st;
}

int main(int argc, char **argv) {
    struct train_options opts;
    const int refused = train_options_parse(argc, argv, &opts);
    if (refused != 0)
        return refused - 1;
    const int st = opts.whole_x != NULL ? train_whole(&opts) : train_streamed(&opts);
    return st == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
