/*
 * The training itself, whatever the samples come from: rows of any kind become steps of the
 * perceptron, and an epoch ends with a test on held-out samples.
 */
#ifndef TRAINER_H
#define TRAINER_H

#include "mlp.h"
#include "train_options.h"
#include "train_report.h"

#include <headrace/headrace.h>

struct trainer {
    const struct train_options *opts;
    struct mlp *mlp;
    hr_dtype x_dtype, y_dtype;
    uint32_t inputs, classes;
    float input_scale;
    uint64_t sample_bytes; /* of x and y */

    float *floats;   /* batch_samples x inputs: rows that are not float32 yet */
    int64_t *labels; /* batch_samples: labels that are not int64 yet */

    hr_dataset *test; /* NULL: no held-out samples */
    uint32_t test_x, test_y;
    void *test_rows, *test_labels; /* batch_samples of each */

    uint64_t correct;
    struct epoch_report epoch, total;
};

/* What is known of the samples before the first is seen. */
struct sample_kind {
    hr_dtype x_dtype; /* float32 or uint8 */
    hr_dtype y_dtype; /* an integer */
    uint64_t inputs;
    uint64_t classes;
    double largest; /* of the absolute values in x */
};

/* The fields of a data set to train on. 0: found; -1: a message was printed. */
int fields_choose(const hr_dataset *ds, hr_field *x, hr_field *y);

/* 0: ready; -1: a message was printed. Free it in both cases. */
int trainer_init(struct trainer *t, const struct train_options *opts,
                 const struct sample_kind *kind);
void trainer_free(struct trainer *t);

/* The learning rate of the next step: smaller towards the end, which finds a better place. */
float trainer_rate(const struct trainer *t);

/* One step on n samples, at most a batch. 0: done; -1: a message was printed. */
int trainer_step(struct trainer *t, const void *x, const void *y, uint32_t n);

/* Tests, prints the epoch, and begins the next. 0: done; -1: a message was printed. */
int trainer_epoch_end(struct trainer *t, double seconds, double wait_seconds);

double seconds_now(void);

#endif
